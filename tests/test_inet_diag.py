"""sock_diag of inet sockets from messages made by hand: whole rows, and every trap in them."""

from __future__ import annotations

import errno
import struct
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockql.diag import inet as inet_diag
from sockql.errors import DataError, KernelRefused, ParseError
from sockql.sockets.record import Origin
from tests.fakeproc import Link, proc_tree
from tests.sockmessages import (
    BY_FAMILY,
    DONE,
    GETSOCK,
    INET,
    INET6,
    Inet,
    Scripted,
    answering,
    ask,
    attribute,
    done,
    in_one,
    message,
)

_SETTINGS = settings(deadline=None, database=None)

VISIBLE = (
    "netns family protocol socktype state src sport dst dport recv_queue send_queue inode"
    " socket_uid interface"
)
TCP = ("protocol", "=", "tcp")
INET_TCP = (TCP, ("family", "=", "inet"))


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A procfs with a network namespace and nothing else."""
    return proc_tree({"self/ns/net": Link("net:[4026531840]")}, tmp_path)


def tcp(proc: Path, *rows: Inet, columns: str = VISIBLE) -> list[tuple[Any, ...]]:
    """Rows of the answer to a dump of TCP over inet."""
    host = Scripted(answering({(INET, 6): in_one(row.pack() for row in rows)}), proc)
    try:
        return ask(host, columns, *INET_TCP)
    finally:
        host.close()


# -- whole rows ---------------------------------------------------------------------------------


def test_a_connection_is_a_row(proc: Path) -> None:
    row = Inet(rqueue=17, wqueue=42, uid=0)
    assert tcp(proc, row) == [
        (
            *(4026531840, "inet", "tcp", "stream", "ESTABLISHED", "192.0.2.1", 40000),
            *("198.51.100.2", 443, 17, 42, 4711, 0, None),
        )
    ]


def test_a_listener_has_queues_of_connections_and_no_peer(proc: Path) -> None:
    row = Inet(state=10, src="0.0.0.0", sport=80, dst="0.0.0.0", dport=0, rqueue=3, wqueue=128)
    columns = "state src sport dst dport recv_queue send_queue accept_queue backlog"
    assert tcp(proc, row, columns=columns) == [
        ("LISTEN", "0.0.0.0", 80, None, None, None, None, 3, 128)
    ]


def test_what_nobody_holds_has_neither_inode_nor_user(proc: Path) -> None:
    rows = [
        Inet(state=6, timer=3, expires=59000, inode=0, uid=0, cookie=1),
        Inet(state=5, timer=3, expires=59000, inode=0, uid=0, cookie=2),
        Inet(state=3, timer=1, retrans=2, expires=900, inode=0, uid=0, cookie=3),
        Inet(state=4, timer=1, inode=0, uid=1000, cookie=4),
    ]
    columns = "state inode socket_uid timer timer_expires retransmits accept_queue"
    assert tcp(proc, *rows, columns=columns) == [
        ("TIME_WAIT", None, None, "timewait", 59000, 0, None),
        ("FIN_WAIT2", None, None, "timewait", 59000, 0, None),
        ("SYN_RECV", None, None, "on", 900, 2, None),
        ("FIN_WAIT1", None, 1000, "on", 0, 0, None),
    ]


def test_states_have_the_names_of_the_kernel(proc: Path) -> None:
    rows = [Inet(state=number, cookie=number) for number in (*range(1, 14), 99)]
    assert [state for (state,) in tcp(proc, *rows, columns="state")] == [
        *("ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE"),
        *("CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECV", None, None),
    ]


def test_a_closed_socket_without_a_peer_is_bound_and_inactive(proc: Path) -> None:
    rows = [
        Inet(state=7, dst="0.0.0.0", dport=0, cookie=1),
        Inet(state=7, cookie=2),
    ]
    assert tcp(proc, *rows, columns="cookie state") == [(1, "BOUND_INACTIVE"), (2, "CLOSE")]


def test_timers_are_named_and_one_that_does_not_run_tells_nothing(proc: Path) -> None:
    rows = [Inet(timer=number, retrans=2, expires=5, cookie=number) for number in (*range(6), 77)]
    assert tcp(proc, *rows, columns="timer timer_expires retransmits") == [
        ("off", None, None),
        ("on", 5, 2),
        ("keepalive", 5, 2),
        ("timewait", 5, 2),
        ("persist", 5, 2),
        ("delack", 5, 2),
        (None, 5, 2),
    ]


def test_datagram_sockets_are_connected_or_not(proc: Path) -> None:
    rows = [
        Inet(state=7, dst="0.0.0.0", dport=0, timer=0, rqueue=2304, wqueue=0, cookie=1),
        Inet(state=1, cookie=2),
    ]
    host = Scripted(answering({(INET, 17): in_one(row.pack() for row in rows)}), proc)
    columns = "protocol socktype state dst dport recv_queue timer timer_expires"
    assert ask(host, columns, ("protocol", "=", "udp"), ("family", "=", "inet")) == [
        ("udp", "dgram", "UNCONN", None, None, 2304, None, None),
        ("udp", "dgram", "ESTABLISHED", "198.51.100.2", 443, 0, None, None),
    ]
    host.close()


def test_the_port_of_a_raw_socket_is_its_ip_protocol(proc: Path) -> None:
    rows = [
        Inet(state=7, sport=1, dst="0.0.0.0", dport=0, cookie=1),
        Inet(state=1, sport=89, dport=5, cookie=2),
    ]
    for columns in ("sport dport ip_protocol dst", "sport dport ip_protocol dst mark"):
        host = Scripted(answering({(INET, 255): in_one(row.pack() for row in rows)}), proc)
        found = ask(host, columns, ("protocol", "=", "raw"), ("family", "=", "inet"))
        assert [row[:4] for row in found] == [
            (None, None, 1, None),
            (None, None, 89, "198.51.100.2"),
        ]
        host.close()


def test_mapped_addresses_stay_as_the_kernel_says_them(proc: Path) -> None:
    rows = [
        Inet(INET6, src="::ffff:192.0.2.1", dst="::ffff:198.51.100.2", cookie=1),
        Inet(INET6, state=10, src="::", sport=22, dst="::", dport=0, cookie=2),
        Inet(INET6, src="fe80::1", dst="fe80::2", interface=0, cookie=3),
    ]
    host = Scripted(answering({(INET6, 6): in_one(row.pack() for row in rows)}), proc)
    assert ask(host, "family src dst", TCP, ("family", "=", "inet6")) == [
        ("inet6", "::ffff:192.0.2.1", "::ffff:198.51.100.2"),
        ("inet6", "::", None),
        ("inet6", "fe80::1", "fe80::2"),
    ]
    host.close()


def test_one_dump_tells_both_families_apart(proc: Path) -> None:
    rows = [
        Inet(src="192.0.2.1", cookie=1),
        Inet(INET6, src="2001:db8::1", dst="2001:db8::2", cookie=2),
        Inet(src="192.0.2.3", cookie=3),
    ]
    host = Scripted(answering({(0, 6): in_one(row.pack(GETSOCK) for row in rows)}), proc)
    assert ask(host, "family src dst", TCP) == [
        ("inet", "192.0.2.1", "198.51.100.2"),
        ("inet6", "2001:db8::1", "2001:db8::2"),
        ("inet", "192.0.2.3", "198.51.100.2"),
    ]
    host.close()


# -- attributes ---------------------------------------------------------------------------------

SKMEM = struct.pack("=9I", 1, 2, 3, 4, 5, 6, 7, 8, 4294967295)
ALL = (
    attribute(15, struct.pack("=I", 0xFFFFFFFF))
    + attribute(17, struct.pack("=I", 65537))
    + attribute(21, struct.pack("=Q", 25))
    + attribute(8, b"\x03")
    + attribute(11, b"\x01")
    + attribute(5, b"\x10")
    + attribute(6, b"\x20")
    + attribute(4, b"cubic\0")
    + attribute(7, SKMEM)
)
ATTRIBUTES = (
    "mark class_id cgroup_id shutdown v6only tos tclass congestion rmem_alloc rcvbuf wmem_alloc"
    " sndbuf fwd_alloc wmem_queued optmem backlog_bytes drops"
)
NO_ATTRIBUTES = (None,) * len(ATTRIBUTES.split())


def test_attributes_are_cells(proc: Path) -> None:
    assert tcp(proc, Inet(attributes=ALL), columns=ATTRIBUTES) == [
        (4294967295, 65537, 25, "rw", 1, 16, 32, "cubic", 1, 2, 3, 4, 5, 6, 7, 8, 4294967295)
    ]


def test_a_missing_attribute_is_null(proc: Path) -> None:
    assert tcp(proc, Inet(), columns=ATTRIBUTES) == [NO_ATTRIBUTES]


def test_a_shorter_attribute_gives_what_it_has(proc: Path) -> None:
    short = attribute(7, SKMEM[:14]) + attribute(15, b"\1\0") + attribute(21, b"\1")
    empty = b"".join(attribute(number, b"") for number in (4, 5, 6, 8, 11, 17, 22))
    (found,) = tcp(proc, Inet(attributes=short + empty), columns=ATTRIBUTES + " recverr")
    assert found == (*(None,) * 8, 1, 2, 3, *(None,) * 7)


def test_a_longer_attribute_or_an_unknown_one_does_no_harm(proc: Path) -> None:
    newer = attribute(7, SKMEM + SKMEM) + attribute(4000, b"?") + attribute(22, b"\xff" * 4)
    assert tcp(proc, Inet(attributes=newer), columns="drops recverr") == [(4294967295, 1)]


@pytest.mark.parametrize(("bits", "expected"), [(0, None), (1, "r"), (2, "w"), (3, "rw")])
def test_shutdown_names_directions(proc: Path, bits: int, expected: str | None) -> None:
    row = Inet(attributes=attribute(8, bytes([bits])))
    assert tcp(proc, row, columns="shutdown") == [(expected,)]


OPTIONS = (
    "recverr is_icsk freebind hdrincl mc_loop transparent mc_all nodefrag bind_address_no_port"
    " recverr_rfc4884 defer_connect"
)


@pytest.mark.skipif(sys.byteorder != "little", reason="the order of bit fields is the host's")
@pytest.mark.parametrize("bit", range(11))
def test_every_option_is_a_bit_of_its_own(proc: Path, bit: int) -> None:
    row = Inet(attributes=attribute(22, struct.pack("<H", 1 << bit)))
    assert tcp(proc, row, columns=OPTIONS) == [tuple(int(bit == index) for index in range(11))]


def test_broken_attributes_are_an_error_that_quotes_them(proc: Path) -> None:
    row = Inet(attributes=struct.pack("=HH", 60, 15) + b"\1\2\3\4")
    with pytest.raises(ParseError, match=r"attribute at offset 0: length 60 of 8: 3c 00 0f 00 01"):
        tcp(proc, row, columns="mark")


# -- cookies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [(1, 1), (2**32 + 5, 2**32 + 5), (2**63 - 1, 2**63 - 1), (2**63, -(2**63)), (2**64 - 1, -1)],
)
def test_a_cookie_is_its_64_bits(proc: Path, given: int, expected: int) -> None:
    assert tcp(proc, Inet(cookie=given), columns="cookie") == [(expected,)]


def test_a_socket_that_is_sent_twice_is_one_row(proc: Path) -> None:
    batches = [[1, 2, 3], [3, 4, 4, 5], [2, 5, 6]]
    datagrams = [b"".join(Inet(cookie=n).pack() for n in batch) for batch in batches]
    host = Scripted(answering({(INET, 6): [*datagrams, DONE]}), proc)
    # 2 comes again far from where it was: the kernel does not do that with connections.
    assert [n for (n,) in ask(host, "cookie", *INET_TCP)] == [1, 2, 3, 4, 5, 2, 6]
    host.close()


def test_a_socket_that_connects_during_the_dump_is_one_row(proc: Path) -> None:
    def state(number: int, *cookies: int) -> bytes:
        return b"".join(Inet(state=number, cookie=n).pack() for n in cookies)

    datagrams = [state(10, 1, 2), state(7, 3, 4), state(7, 5), state(1, 6, 7), state(1, 3, 8)]
    host = Scripted(answering({(INET, 6): [*datagrams, DONE]}), proc)
    assert [n for (n,) in ask(host, "cookie", *INET_TCP)] == [1, 2, 3, 4, 5, 6, 7, 8]
    host.close()


# -- layouts ------------------------------------------------------------------------------------

origins: dict[int, Origin] = {
    INET: Origin("inet", "tcp", "stream"),
    INET6: Origin("inet6", "tcp", "stream"),
}
_short = st.integers(0, 4).map(lambda n: attribute(200, bytes(4 * n)))
_words = st.integers(0, 2**32 - 1)


def row(fields: dict[str, Any]) -> Inet:
    return Inet()._replace(**fields)


_inet = st.fixed_dictionaries(
    {
        "state": st.integers(1, 12),
        "sport": st.integers(0, 65535),
        "dport": st.integers(0, 65535),
        "src": st.ip_addresses(v=4).map(str),
        "cookie": st.integers(0, 2**64 - 1),
        "inode": _words,
        "wqueue": _words,
        "attributes": _short,
    }
).map(row)
_inet6 = st.fixed_dictionaries(
    {
        "family": st.just(INET6),
        "src": st.ip_addresses(v=6).map(str),
        "dst": st.just("2001:db8::2"),
        "uid": _words,
        "attributes": _short,
    }
).map(row)


def decoded(datagram: bytes, *, attributes: bool = True) -> list[tuple[Any, ...]]:
    view = memoryview(bytearray(datagram))
    return list(inet_diag.decode(view, BY_FAMILY, origins, "test", attributes=attributes))


@_SETTINGS
@given(st.lists(_inet | _inet6, max_size=12) | st.lists(_inet, max_size=12), st.booleans())
def test_messages_of_one_length_and_of_many_decode_alike(rows: list[Inet], keep: bool) -> None:
    together = decoded(b"".join(row.pack() for row in rows), attributes=keep)
    assert together == [record for row in rows for record in decoded(row.pack(), attributes=keep)]
    assert [r[0] for r in together] == [origins[row.family] for row in rows]
    assert [(r[1], r[9] % 2**64, r[14]) for r in together] == [
        (row.state, int.from_bytes(struct.pack("=Q", row.cookie), sys.byteorder), row.inode)
        for row in rows
    ] or sys.byteorder == "big"
    if keep:
        assert [r[15] for r in together] == [row.attributes for row in rows]


@_SETTINGS
@given(st.lists(_inet, min_size=1, max_size=4), st.data())
def test_any_damage_is_an_error_or_another_row_and_never_a_loop(
    rows: list[Inet], data: st.DataObject
) -> None:
    damaged = bytearray(b"".join(row.pack() for row in rows))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    try:
        assert len(decoded(bytes(damaged[:cut]))) <= len(rows)
    except DataError as error:
        assert str(error)  # noqa: PT017 (either is right)


def test_the_end_may_come_with_the_rows(proc: Path) -> None:
    datagram = Inet(cookie=1).pack() + Inet(cookie=2).pack() + DONE
    host = Scripted(answering({(INET, 6): [datagram]}), proc)
    assert ask(host, "cookie", *INET_TCP) == [(1,), (2,)]
    host.close()


def test_a_message_that_is_too_short_is_an_error_that_quotes_it(proc: Path) -> None:
    short = message(BY_FAMILY, Inet().pack()[16:80])
    with pytest.raises(ParseError, match=r"offset 88: expected an inet socket: 50 00 00 00 14 00"):
        decoded(Inet().pack() + short)


def test_a_family_that_was_not_asked_for_is_an_error() -> None:
    with pytest.raises(ParseError, match="offset 0: expected an inet socket"):
        decoded(Inet()._replace(family=INET).pack().replace(b"\x02\x01", b"\x26\x01", 1))


def test_an_error_after_rows_is_an_error_and_no_half_answer(proc: Path) -> None:
    host = Scripted(answering({(INET, 6): [Inet().pack(), done(errno.ENOMEM)]}), proc)
    with pytest.raises(KernelRefused, match=r"^sock_diag inet/tcp: Cannot allocate memory"):
        ask(host, "cookie", *INET_TCP)
    host.close()


# -- requests -----------------------------------------------------------------------------------


def test_a_request_is_laid_out_as_the_kernel_reads_it() -> None:
    request = inet_diag.dump_request(
        INET6, 17, 0x82, ext=0x48, sport=53, dport=443, bytecode=b"1234"
    )
    assert struct.unpack_from("=IHHII", request) == (80, 20, 0x301, 0, 0)
    assert struct.unpack_from("=BBBBI", request, 16) == (INET6, 17, 0x48, 0, 0x82)
    assert struct.unpack_from(">HH", request, 24) == (53, 443)
    assert request[28:72] == bytes(44)
    assert request[72:] == attribute(1, b"1234")


def test_the_old_request_has_its_own_layout() -> None:
    request = inet_diag.dump_request(0, 6, 0x82, ext=0x48, sport=53, dport=443, bytecode=b"1234")
    assert struct.unpack_from("=IHHII", request) == (84, 18, 0x301, 0, 0)
    assert struct.unpack_from("=BBBB", request, 16) == (0, 0, 0, 0x48)
    assert struct.unpack_from(">HH", request, 20) == (53, 443)
    assert request[24:68] == bytes(44)
    assert struct.unpack_from("=II", request, 68) == (0x82, 0)
    assert request[76:] == attribute(1, b"1234")


def test_fifty_thousand_sockets_decode_in_an_instant() -> None:
    datagram = memoryview(bytearray(b"".join(Inet(attributes=ALL).pack() for _ in range(250))))
    started = time.perf_counter()
    rows = 0
    for _ in range(200):
        rows += len(list(inet_diag.decode(datagram, BY_FAMILY, origins, "test")))
    assert rows == 50_000
    assert time.perf_counter() - started < 2  # 0.03 s; a square somewhere would take minutes
