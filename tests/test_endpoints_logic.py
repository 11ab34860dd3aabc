"""Which end belongs to which: the matching, on sockets and files as the tables describe them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.endpoints.files import Facts, flow, is_pty, may_be_mqueue, others
from sockql.endpoints.sockets import TURNED, inet_links, unix_links
from sockql.host import Host
from sockql.request import Request
from sockql.snapshot import Snapshot
from sockql.tables.fds import TABLE as FDS

# -- unix ---------------------------------------------------------------------------------------


def unix(
    peer: int | None,
    socktype: str = "stream",
    state: str = "ESTABLISHED",
    shutdown: str | None = None,
    netns: int | None = 1,
) -> Any:
    return peer, socktype, state, shutdown, netns


def test_connected_unix_sockets_lead_to_each_other() -> None:
    sockets = {10: unix(20), 20: unix(10, netns=2)}
    assert unix_links(sockets, {}, None) == {
        10: [("unix", 20, "rw", 1, 2, "peer")],
        20: [("unix", 10, "rw", 2, 1, "peer")],
    }


def test_only_what_is_wanted_has_links() -> None:
    sockets = {10: unix(20), 20: unix(10), 30: unix(40), 40: unix(30)}
    assert unix_links(sockets, {}, {10}) == {10: [("unix", 20, "rw", 1, 1, "peer")]}


def test_datagrams_go_one_way_to_a_socket_that_is_not_connected_back() -> None:
    log = unix(None, "dgram", "UNCONN")
    sockets = {10: unix(30, "dgram"), 20: unix(30, "dgram"), 30: log}
    assert unix_links(sockets, {}, None) == {
        10: [("unix", 30, "w", 1, 1, "peer")],
        20: [("unix", 30, "w", 1, 1, "peer")],
        30: [("unix", 10, "r", 1, 1, "peer"), ("unix", 20, "r", 1, 1, "peer")],
    }


def test_a_waiting_client_leads_to_the_listener() -> None:
    sockets = {10: unix(None), 20: unix(None), 30: unix(None, state="LISTEN")}
    assert unix_links(sockets, {30: [10]}, None) == {
        10: [("unix", 30, None, 1, 1, "queue")],
        20: [("unix", None, None, 1, None, "peer")],
        30: [("unix", 10, None, 1, 1, "queue")],
    }


def test_unconnected_unix_sockets_have_no_links() -> None:
    sockets = {
        10: unix(None, state="UNCONN"),
        20: unix(None, state="LISTEN"),
        # Whoever is connected to puts its peer into this state, too.
        30: unix(None, "dgram"),
    }
    assert unix_links(sockets, {}, None) == {}


def test_a_peer_that_the_dump_skipped_leads_back_all_the_same() -> None:
    assert unix_links({10: unix(20)}, {}, None) == {
        10: [("unix", 20, "rw", 1, None, "peer")],
        20: [("unix", 10, "rw", None, 1, "peer")],
    }


@pytest.mark.parametrize(
    ("near", "far", "way"),
    [(None, None, "rw"), ("w", "r", "r"), ("r", "w", "w"), ("rw", "rw", None), (None, "w", "w")],
)
def test_data_goes_where_neither_end_is_shut_down(
    near: str | None, far: str | None, way: str | None
) -> None:
    sockets = {10: unix(20, shutdown=near), 20: unix(10, shutdown=far)}
    assert unix_links(sockets, {}, None) == {
        10: [("unix", 20, way, 1, 1, "peer")],
        20: [("unix", 10, TURNED[way], 1, 1, "peer")],
    }


inodes = st.integers(1, 6)


@given(
    st.dictionaries(
        inodes,
        st.tuples(
            st.none() | inodes,
            st.just("dgram"),
            st.sampled_from(["ESTABLISHED", "UNCONN"]),
            st.sampled_from([None, "r", "w", "rw"]),
            st.none(),
        ),
    )
)
def test_both_ends_of_unix_sockets_say_the_same(sockets: dict[int, Any]) -> None:
    agree(unix_links(sockets, {}, None))


def agree(links: dict[int, list[Any]]) -> None:
    """Every link has its counterpart, and each is there once."""
    flat = [(inode, *link) for inode, found in links.items() for link in found if link[1]]
    assert len(set(flat)) == len(flat)
    turned = {
        (peer, kind, inode, TURNED[way], other, own, via)
        for inode, kind, peer, way, own, other, via in flat
    }
    assert turned == set(flat)


# -- addresses ----------------------------------------------------------------------------------


def inet(
    inode: int | None,
    src: tuple[str, int],
    dst: tuple[str, int] | None,
    state: str = "ESTABLISHED",
    *,
    netns: int | None = 1,
    kind: str = "tcp",
    waits: int | None = None,
) -> Any:
    return inode, kind, netns, *src, *(dst or (None, None)), state, waits


A, B = ("10.0.0.1", 1000), ("10.0.0.2", 80)


def test_reversed_addresses_are_the_other_end() -> None:
    sockets = [inet(10, A, B), inet(20, B, A), inet(30, ("10.0.0.1", 1001), B)]
    assert inet_links(sockets, None) == {
        10: [("tcp", 20, "rw", 1, 1, "address")],
        20: [("tcp", 10, "rw", 1, 1, "address")],
    }


def test_protocols_are_kept_apart() -> None:
    assert inet_links([inet(10, A, B), inet(20, B, A, kind="udp")], None) == {}


def test_the_end_in_the_same_namespace_comes_first() -> None:
    sockets = [inet(10, A, B), inet(20, B, A, netns=2), inet(30, B, A)]
    links = inet_links(sockets, None)
    assert links == {
        10: [("tcp", 30, "rw", 1, 1, "address")],
        30: [("tcp", 10, "rw", 1, 1, "address")],
    }


def test_addresses_prove_it_across_namespaces() -> None:
    sockets = [inet(10, A, B), inet(20, B, A, netns=2)]
    assert inet_links(sockets, None) == {
        10: [("tcp", 20, "rw", 1, 2, "address")],
        20: [("tcp", 10, "rw", 2, 1, "address")],
    }


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.3.4", "fe80::1"])
def test_addresses_that_every_namespace_has_prove_nothing(address: str) -> None:
    near, far = (address, 1000), (address, 80)
    assert inet_links([inet(10, near, far), inet(20, far, near, netns=2)], None) == {}


def test_addresses_that_several_namespaces_have_prove_nothing() -> None:
    twice = [inet(20, B, A, netns=2), inet(30, B, A, netns=3)]
    assert inet_links([inet(10, A, B), *twice], None) == {}
    assert inet_links([inet(20, B, A), *[(*s[:2], s[2], *s[3:]) for s in twice]], None) == {}
    assert inet_links([inet(10, A, B, netns=4), inet(11, A, B, netns=5), twice[0]], None) == {}


def test_a_peer_that_was_closed_has_no_inode() -> None:
    sockets = [inet(10, A, B, "CLOSE_WAIT"), inet(None, B, A, "FIN_WAIT2")]
    assert inet_links(sockets, None) == {10: [("tcp", None, "w", 1, 1, "address")]}


def test_a_connection_left_in_time_wait_is_not_the_new_one() -> None:
    sockets = [inet(10, A, B), inet(None, B, A, "TIME_WAIT"), inet(20, B, A)]
    assert inet_links(sockets, {10}) == {10: [("tcp", 20, "rw", 1, 1, "address")]}


def test_what_nobody_has_accepted_waits_at_the_listener() -> None:
    listeners = [inet(30, ("0.0.0.0", 80), None, "LISTEN"), inet(31, B, None, "LISTEN")]
    assert inet_links([inet(10, A, B), inet(None, B, A, waits=30), *listeners], None) == {
        10: [("tcp", 30, None, 1, 1, "queue")],
        30: [("tcp", 10, None, 1, 1, "queue")],
    }
    for nowhere in (None, 99):
        assert inet_links([inet(10, A, B), inet(None, B, A, waits=nowhere), *listeners], None) == {
            10: [("tcp", None, "rw", 1, 1, "address")]
        }


def test_a_socket_may_be_its_own_other_end() -> None:
    assert inet_links([inet(10, A, A)], None) == {10: [("tcp", 10, "rw", 1, 1, "address")]}


addresses = st.tuples(st.sampled_from(["10.0.0.1", "10.0.0.2", "127.0.0.1"]), st.integers(1, 2))


@given(
    st.lists(
        st.builds(
            lambda src, dst, state, netns: (src, dst, state, netns),
            addresses,
            addresses,
            st.sampled_from(["ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1", "LAST_ACK"]),
            st.integers(1, 3),
        ),
        max_size=8,
    )
)
def test_both_ends_of_inet_sockets_say_the_same(drawn: list[Any]) -> None:
    sockets = [
        inet(number, src, dst, state, netns=netns)
        for number, (src, dst, state, netns) in enumerate(drawn, 1)
    ]
    agree(inet_links(sockets, None))


# -- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "other", "way"),
    [
        ("r", "w", "r"),
        ("w", "r", "w"),
        ("rw", "rw", "rw"),
        ("rw", "r", "w"),
        ("r", "r", None),
        (None, "rw", None),
    ],
)
def test_data_goes_from_a_writer_to_a_reader(
    mode: str | None, other: str | None, way: str | None
) -> None:
    assert flow(mode, other) == way
    assert flow(other, mode) == TURNED[way]


def test_the_other_end_of_a_pipe_is_who_writes_what_we_read() -> None:
    ends = [(1, 3, "r", 7, ""), (1, 4, "w", 7, ""), (2, 3, "r", 7, ""), (2, 5, "rw", 7, "")]
    assert list(others("pipe", ends[0], ends)) == [(ends[1], "r"), (ends[3], "r")]
    assert list(others("fifo", ends[1], ends)) == [
        (ends[0], "w"),
        (ends[2], "w"),
        (ends[3], "w"),
    ]


def test_the_other_end_of_a_terminal_is_its_other_side() -> None:
    ends = [(1, 3, "rw", 7, "master"), (2, 0, "rw", 8, "slave"), (2, 1, "w", 8, "slave")]
    assert list(others("pty", ends[0], ends)) == [(ends[1], "rw"), (ends[2], "r")]
    assert list(others("pty", ends[2], ends)) == [(ends[0], "w")]


def test_the_other_end_of_an_eventfd_is_everybody_else() -> None:
    ends = [(1, 3, "rw", 7, ""), (1, 4, "rw", 7, ""), (2, 3, "rw", 7, "")]
    assert [end for end, _ in others("eventfd", ends[0], ends)] == ends[1:]


@pytest.mark.parametrize(
    ("rdev", "is_one"), [("5:2", True), ("136:0", True), ("5:0", False), ("1:3", False)]
)
def test_terminals_are_known_by_their_device(rdev: str, is_one: bool) -> None:
    assert is_pty(rdev) is is_one


@pytest.mark.parametrize(
    ("path", "may_be"),
    [
        ("/name", True),
        ("/name (deleted)", True),
        ("/dev/mqueue/name", True),
        ("/etc/passwd", False),
        (None, False),
    ],
)
def test_a_message_queue_has_a_name_without_directories(path: str | None, may_be: bool) -> None:
    assert may_be_mqueue(path) is may_be


MOUNTS = b"""\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:20 / /dev/mqueue rw shared:3 master:1 - mqueue mqueue rw
24 22 0:21 / /tmp rw - tmpfs tmpfs rw
"""


def facts_of(host: Host) -> Facts:
    return Facts(Request(FDS.schema, Snapshot()), host)


def test_a_message_queue_is_known_by_its_mount_or_by_having_none(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "mountinfo").write_bytes(MOUNTS)
    host = Host(str(tmp_path))
    facts = facts_of(host)
    assert facts.is_mqueue(7, "/dev/mqueue/a", "0:20", 23, (80, 0))
    assert not facts.is_mqueue(7, "/a", "0:21", 24, (80, 0))
    assert facts.is_mqueue(7, "/a", "0:20", 99, (80, 0))
    assert not facts.is_mqueue(7, "/a", "0:20", 99, (81, 0))
    assert not facts.is_mqueue(7, "/a", "254:0", 99, (80, 0))
    assert facts.is_mqueue(8, "/a", "0:20", 99, (80, 0))  # it has gone
    host.close()


def test_a_terminal_belongs_to_the_devpts_next_to_its_ptmx(tmp_path: Path) -> None:
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "fd" / "3").symlink_to("/dev/ptmx")
    (tmp_path / "7" / "root" / "dev" / "pts").mkdir(parents=True)
    number = os.stat(tmp_path).st_dev
    there = f"{os.major(number)}:{os.minor(number)}"
    host = Host(str(tmp_path))

    def master(pid: int, path: str) -> Any:
        return facts_of(host).pty(pid, 3, path, "5:2", "0:6", {"tty-index": 4})

    assert master(7, "/dev/ptmx") == ((there, "4"), "master")
    assert master(7, "/dev/pts/ptmx") == (("0:6", "4"), "master")  # no longer what it was
    assert master(8, "/dev/ptmx") == (("0:6", "4"), "master")
    facts = facts_of(host)
    assert facts.pty(7, 4, "/dev/pts/4", "136:4", "0:26", {}) == (("0:26", "4"), "slave")
    assert facts.pty(7, 4, "/dev/ptmx", "5:2", "0:6", {}) == (None, "")
    host.close()


@pytest.mark.parametrize(
    ("number", "flags", "process"),
    [(42, "O_CLOEXEC", 42), (-1, "", None), (0, "", None), (None, "", None)],
)
def test_a_pidfd_names_its_process(
    tmp_path: Path, number: int | None, flags: str, process: int | None
) -> None:
    assert facts_of(Host(str(tmp_path))).process(number, flags) == process


def test_a_pidfd_of_a_thread_names_the_process_of_it(tmp_path: Path) -> None:
    (tmp_path / "43").mkdir()
    (tmp_path / "43" / "status").write_bytes(b"Name:\tx\nTgid:\t42\nPid:\t43\n")
    host = Host(str(tmp_path))
    assert facts_of(host).process(43, "O_CLOEXEC,0200") == 42
    assert facts_of(host).process(44, "O_CLOEXEC,0200") is None
    host.close()
