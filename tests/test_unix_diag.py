"""sock_diag of unix sockets from messages made by hand: names of any bytes, peers, queues."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockql.diag import unix as unix_diag
from sockql.errors import DataError, ParseError
from sockql.sockets.record import Origin, unix_name
from tests.fakeproc import Link, proc_tree
from tests.sockmessages import DONE, UNIX, Scripted, Unix, answering, ask, attribute, in_one

_SETTINGS = settings(deadline=None, database=None)

NAME, VFS, PEER, ICONS, RQLEN, MEMINFO, SHUTDOWN, UID = range(8)
UNIX_ONLY = ("family", "=", "unix")


def u32(*numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}I", *numbers)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return proc_tree({"self/ns/net": Link("net:[4026531840]")}, tmp_path)


def unix(
    proc: Path, *rows: Unix, columns: str, conditions: tuple[Any, ...] = ()
) -> list[tuple[Any, ...]]:
    host = Scripted(answering({(UNIX, 0): in_one(row.pack() for row in rows)}), proc)
    try:
        return ask(host, columns, UNIX_ONLY, *conditions)
    finally:
        host.close()


# -- rows ---------------------------------------------------------------------------------------


def test_both_ends_of_a_connection_name_each_other(proc: Path) -> None:
    server = Unix(
        inode=11,
        cookie=1,
        attributes=attribute(NAME, b"/run/x\0")
        + attribute(PEER, u32(12))
        + attribute(RQLEN, u32(5, 6))
        + attribute(SHUTDOWN, b"\0")
        + attribute(UID, u32(0)),
    )
    client = Unix(
        inode=12, cookie=2, attributes=attribute(PEER, u32(11)) + attribute(UID, u32(1000))
    )
    columns = (
        "netns family protocol socktype state src sport dst dport recv_queue send_queue inode"
        " socket_uid interface"
    )
    front = (4026531840, "unix", None, "stream", "ESTABLISHED")
    assert unix(proc, server, client, columns=columns) == [
        (*front, "/run/x", None, None, None, 5, 6, 11, 0, None),
        (*front, None, None, "/run/x", None, None, None, 12, 1000, None),
    ]


def test_a_listener_counts_connections(proc: Path) -> None:
    row = Unix(
        type=5,
        state=10,
        attributes=attribute(NAME, b"\0bus")
        + attribute(RQLEN, u32(2, 128))
        + attribute(ICONS, u32(21, 22)),
    )
    columns = "socktype state src recv_queue send_queue accept_queue backlog pending path_kind"
    assert unix(proc, row, columns=columns) == [
        ("seqpacket", "LISTEN", "@bus", None, None, 2, 128, 2, "abstract")
    ]


def test_a_datagram_socket_is_connected_or_not(proc: Path) -> None:
    rows = [Unix(type=2, state=7, cookie=1), Unix(type=2, state=1, cookie=2)]
    assert unix(proc, *rows, columns="socktype state dst timer timer_expires mark") == [
        ("dgram", "UNCONN", None, None, None, None),
        ("dgram", "ESTABLISHED", None, None, None, None),
    ]


def test_the_numbers_of_attributes_do_not_mix_with_those_of_inet(proc: Path) -> None:
    row = Unix(
        attributes=attribute(MEMINFO, u32(1, 2, 3, 4, 5, 6, 7, 8, 9))
        + attribute(SHUTDOWN, b"\x02")
        + attribute(UID, u32(33))
        + attribute(VFS, u32(4711, 8 << 20 | 1))
        + attribute(RQLEN, u32(1, 2))
        + attribute(PEER, u32(77))
        + attribute(ICONS, u32(1))
    )
    columns = (
        "rmem_alloc drops shutdown socket_uid vfs_inode vfs_dev peer_inode pending tos tclass"
        " congestion class_id v6only cgroup_id recverr path_kind"
    )
    (found,) = unix(proc, row, columns=columns)
    assert found == (1, 9, "w", 33, 4711, "8:1", 77, 1, *(None,) * 8)


def test_without_attributes_there_are_nulls(proc: Path) -> None:
    columns = (
        "src dst recv_queue send_queue socket_uid peer_inode vfs_inode vfs_dev pending path_kind"
        " shutdown drops"
    )
    assert unix(proc, Unix(), columns=columns) == [(None,) * 12]


@pytest.mark.parametrize("number", range(8))
def test_a_cut_attribute_is_null(proc: Path, number: int) -> None:
    columns = "dst recv_queue socket_uid peer_inode vfs_inode vfs_dev drops"
    for payload in (b"", b"\1", b"\1\0\0"):
        row = Unix(attributes=attribute(number, payload))
        assert unix(proc, row, columns=columns) == [(None,) * 7]


def test_a_peer_that_was_not_accepted_yet_is_null(proc: Path) -> None:
    row = Unix(attributes=attribute(PEER, u32(0)))
    assert unix(proc, row, columns="peer_inode dst") == [(None, None)]


def test_a_socket_that_is_sent_twice_is_one_row(proc: Path) -> None:
    batches = [[1, 2, 3], [3, 4, 4], [1, 5]]
    datagrams = [b"".join(Unix(cookie=n).pack() for n in batch) for batch in batches]
    for columns in ("cookie", "cookie dst"):
        host = Scripted(answering({(UNIX, 0): [*datagrams, DONE]}), proc)
        assert [row[0] for row in ask(host, columns, UNIX_ONLY)] == [1, 2, 3, 4, 5]
        host.close()


def test_the_peer_s_name_does_not_depend_on_the_states_asked_for(proc: Path) -> None:
    named = Unix(type=2, state=7, inode=1, cookie=1, attributes=attribute(NAME, b"\0log"))
    sender = Unix(type=2, state=1, inode=2, cookie=2, attributes=attribute(PEER, u32(1)))
    wanted = (("state", "=", "ESTABLISHED"),)
    assert unix(proc, named, sender, columns="inode dst", conditions=wanted) == [(2, "@log")]


# -- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected", "kind"),
    [
        (b"/run/a b\0", "/run/a b", "path"),
        (b"relative\0", "relative", "path"),
        (b"/run/a\nb\0", "/run/a\nb", "path"),
        (b"/run/\xff\xe9\0", "/run/\\xff\\xe9", "path"),
        ("/run/é\0".encode(), "/run/é", "path"),
        (b"@x\0", "@x", "path"),
        (b"\0x", "@x", "abstract"),
        (b"\0x\0", "@x\\x00", "abstract"),
        (b"\0a\0b\n\xff", "@a\\x00b\n\\xff", "abstract"),
        (b"\0" + b"0a1b2", "@0a1b2", "abstract"),
        (b"\0", "@", "abstract"),
        (b"x" * 108, "x" * 108, "path"),
    ],
)
def test_a_name_of_any_bytes_is_text(proc: Path, raw: bytes, expected: str, kind: str) -> None:
    row = Unix(attributes=attribute(NAME, raw))
    assert unix(proc, row, columns="src path_kind") == [(expected, kind)]


@_SETTINGS
@given(st.binary(min_size=1, max_size=108))
def test_different_abstract_names_stay_different(name: bytes) -> None:
    shown = unix_name(b"\0" + name)
    assert shown is not None
    assert shown.startswith("@")
    assert "\0" not in shown
    assert shown != unix_name(b"\0" + name + b"\0")


# -- messages -----------------------------------------------------------------------------------

origins = {n: Origin("unix", None, name) for n, name in ((1, "stream"), (2, "dgram"))}


@_SETTINGS
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=4), st.data())
def test_any_damage_is_an_error_or_another_row_and_never_a_loop(
    names: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(Unix(attributes=attribute(NAME, name)).pack() for name in names)
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = list(unix_diag.decode(memoryview(damaged), origins, "test"))
        assert len(found) <= len(names) * 2
    except DataError as error:
        assert str(error)  # noqa: PT017 (either is right)


@pytest.mark.parametrize("row", [Unix(type=9).pack(), Unix().pack()[:30]])
def test_what_is_no_unix_socket_is_an_error_that_quotes_it(row: bytes) -> None:
    row = struct.pack("=I", len(row)) + row[4:]
    with pytest.raises(ParseError, match=r"^test: message at offset 0: expected a unix socket: "):
        list(unix_diag.decode(memoryview(row), origins, "test"))


def test_a_request_is_laid_out_as_the_kernel_reads_it() -> None:
    request = unix_diag.dump_request(states=1 << 10, show=0x45)
    assert struct.unpack_from("=IHHII", request) == (40, 20, 0x301, 0, 0)
    assert struct.unpack_from("=BBHIIIII", request, 16) == (
        *(UNIX, 0, 0, 1 << 10, 0, 0x45),
        *(0xFFFFFFFF, 0xFFFFFFFF),
    )


@pytest.mark.parametrize(
    ("columns", "conditions", "states", "show"),
    [
        ("inode state family cookie", (), 0xFFFFFFFF, 0),
        ("src", (), 0xFFFFFFFF, 0x01),
        ("path_kind", (), 0xFFFFFFFF, 0x01),
        ("vfs_inode vfs_dev", (), 0xFFFFFFFF, 0x02),
        ("peer_inode", (), 0xFFFFFFFF, 0x04),
        ("dst", (), 0xFFFFFFFF, 0x05),
        ("pending", (), 0xFFFFFFFF, 0x08),
        ("recv_queue", (), 0xFFFFFFFF, 0x10),
        ("accept_queue backlog", (), 0xFFFFFFFF, 0x10),
        ("drops", (), 0xFFFFFFFF, 0x20),
        ("shutdown", (), 0xFFFFFFFF, 0),
        ("socket_uid", (), 0xFFFFFFFF, 0x40),
        ("inode", (("state", "=", "LISTEN"),), 1 << 10, 0),
        ("inode", (("state", "in", frozenset({"UNCONN", "LISTEN"})),), 1 << 10 | 1 << 7, 0),
        ("src dst", (("state", "=", "LISTEN"),), 1 << 10, 0x01),
        ("dst", (("state", "=", "ESTABLISHED"),), 0xFFFFFFFF, 0x05),
    ],
)
def test_only_what_is_used_is_asked_for(
    proc: Path, columns: str, conditions: tuple[Any, ...], states: int, show: int
) -> None:
    host = Scripted(answering({}), proc)
    ask(host, columns, UNIX_ONLY, *conditions)
    ((_, request),) = host.requests
    assert struct.unpack_from("=I", request, 20) + struct.unpack_from("=I", request, 28) == (
        states,
        show,
    )
    host.close()
