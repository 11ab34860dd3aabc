"""Dumps in which nothing is missing: what a second dump brings, and when there is one."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.diag.netlink import BrokenOff
from sockql.errors import KernelRefused, ParseError
from sockql.host import Host
from sockql.request import Request
from sockql.snapshot import Snapshot
from sockql.sockets.record import COOKIE
from sockql.sockets.whole import INET_COOKIE, UNIX_COOKIE, Seen, repeat, traffic, unique, unseen
from sockql.tables.sockets import TABLE
from tests.fakeproc import proc_tree
from tests.sockmessages import (
    BY_FAMILY,
    DONE,
    GETSOCK,
    INET,
    Inet,
    Scripted,
    Unix,
    answering,
    ask,
    attribute,
    message,
    refused,
)

SNMP = (
    "Ip: Forwarding\nIp: 1\n"
    "Tcp: RtoMin ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab\n"
    "Tcp: 200 {opens} 20 3 4 9\n"
)
SOCKSTAT = "sockets: used 30\nTCP: inuse {inuse} orphan 0 tw 2 alloc 20 mem 1\nUDP: inuse 0 mem 0\n"


def inet(*cookies: int, type: int = BY_FAMILY, attributes: bytes = b"") -> bytes:
    return b"".join(Inet(cookie=cookie, attributes=attributes).pack(type) for cookie in cookies)


def machine(folder: Path, opens: int = 10, inuse: int = 20) -> Path:
    return proc_tree(
        {
            "self/net/snmp": SNMP.format(opens=opens).encode(),
            "self/net/sockstat": SOCKSTAT.format(inuse=inuse).encode(),
            "self/net/sockstat6": b"TCP6: inuse 0\n",
        },
        folder,
    )


# -- what was seen ------------------------------------------------------------------------------


def test_cookies_of_all_batches_are_remembered() -> None:
    seen = Seen()
    assert (seen.in_one, seen.cookies()) == (True, set())
    seen.add({1, 2**63 - 1})
    seen.add(set())
    assert (seen.in_one, seen.cookies()) == (True, {1, 2**63 - 1})
    seen.add([-1, -(2**63)])
    assert (seen.in_one, seen.cookies()) == (False, {1, 2**63 - 1, -1, -(2**63)})


def test_of_records_with_the_same_cookie_the_first_is_kept() -> None:
    def record(cookie: int, mark: str) -> tuple[Any, ...]:
        return (*(None,) * COOKIE, cookie, mark)

    seen = {1}
    rows = [record(1, "a"), record(2, "b"), record(3, "c"), record(2, "d")]
    assert unique(rows, seen) == [record(2, "b"), record(3, "c")]
    assert seen == {1, 2, 3}


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (inet(1, 2, 3), b""),
        (inet(1, 9, 3), inet(9)),
        (inet(8, 9), inet(8, 9)),
        # Of different lengths, with the end of the dump behind them.
        (inet(1) + inet(9, attributes=attribute(8, b"\1")) + inet(2) + DONE, None),
        (inet(1) + DONE, b""),
        (DONE, b""),
        (b"", b""),
    ],
)
def test_only_messages_with_new_cookies_are_left(datagram: bytes, expected: bytes | None) -> None:
    if expected is None:
        expected = inet(9, attributes=attribute(8, b"\1"))
    rest = unseen(memoryview(datagram), BY_FAMILY, INET_COOKIE, {1, 2, 3}, "x")
    assert bytes(rest) == expected


def test_unix_sockets_have_their_cookie_elsewhere() -> None:
    datagram = Unix(cookie=1).pack() + Unix(cookie=2).pack()
    rest = unseen(memoryview(datagram), BY_FAMILY, UNIX_COOKIE, {1}, "x")
    assert bytes(rest) == Unix(cookie=2).pack()


def test_a_message_without_a_cookie_is_left_for_the_decoder_to_complain_about() -> None:
    short = message(BY_FAMILY, bytes(4))
    assert bytes(unseen(memoryview(short), BY_FAMILY, INET_COOKIE, set(), "x")) == short


def test_a_second_dump_may_be_refused_or_be_no_dump_at_all() -> None:
    with pytest.raises(KernelRefused, match=r"^x: Operation not permitted"):
        unseen(memoryview(refused(errno.EPERM)), BY_FAMILY, INET_COOKIE, {1}, "x")
    with pytest.raises(ParseError):
        unseen(memoryview(inet(1)[:-8]), BY_FAMILY, INET_COOKIE, {1}, "x")


# -- asking again -------------------------------------------------------------------------------


class Kernel(Scripted):
    """A host that gives one answer after the other; an exception in one is raised there."""

    def __init__(self, proc: Path, *answers: list[bytes | Exception]) -> None:
        super().__init__(lambda *_: 0, proc)
        self.answers = list(answers)

    def netlink(self, protocol: int, request: bytes) -> Iterator[memoryview]:
        self.requests.append((protocol, request))
        for datagram in self.answers.pop(0):
            if isinstance(datagram, Exception):
                raise datagram
            yield memoryview(datagram)


BREAK = BrokenOff("netlink: the answer broke off")
MISSING = "sockets: some are missing: netlink broke its answers off (ENOBUFS)"


@pytest.mark.parametrize(
    ("broken", "rounds", "answers", "rows", "asked", "notices"),
    [
        (False, 2, [[b"", b""]], [], 1, []),
        (False, 3, [[b"new"], [b""]], [b"new"], 2, []),
        (False, 2, [[b"new"], [b"more"]], [b"new", b"more"], 2, []),
        (True, 2, [[b"new"], [b""]], [b"new"], 2, []),
        (True, 2, [[b"new", BREAK], [b"more"]], [b"new", b"more"], 2, []),
        (True, 2, [[b"new", BREAK], [BREAK]], [b"new"], 2, [MISSING]),
        (False, 1, [[BREAK]], [], 1, [MISSING]),
        (
            *(False, 2, [[KernelRefused(errno.EBUSY, "x")]], [], 1),
            ["sockets: some may be missing: x: Device or resource busy"],
        ),
    ],
)
def test_a_dump_is_repeated_until_it_brings_nothing_more(
    tmp_path: Path,
    broken: bool,
    rounds: int,
    answers: list[list[bytes | Exception]],
    rows: list[bytes],
    asked: int,
    notices: list[str],
) -> None:
    host = Kernel(tmp_path, *answers)
    request = Request(TABLE.schema, Snapshot())

    def rest(view: memoryview) -> list[Any]:
        return [bytes(view)] if view else []

    found: list[list[Any]] = list(repeat(request, host, rest, b"request", broken, rounds))
    assert [row for batch in found for row in batch] == rows
    assert (len(host.requests), host.notices) == (asked, notices)
    received = [d for answer in answers[:asked] for d in answer if isinstance(d, bytes)]
    assert request.trace.bytes == sum(map(len, received))


def test_traffic_is_what_the_kernel_counts(tmp_path: Path) -> None:
    host = Host(str(machine(tmp_path)))
    first = traffic(host)
    assert first == (b"10", b"20", b"3", b"4", 20, 0, 2)
    assert traffic(host) == first
    counters = Path(host.proc_path, "self/net/snmp")
    counters.write_text(SNMP.format(opens=11))
    assert traffic(host) != first
    counters.write_text("Ip: Forwarding\nIp: 1\n")
    assert traffic(host) is None
    counters.unlink()
    assert traffic(host) is None
    host.close()


# -- through the table --------------------------------------------------------------------------

TCP = ("protocol", "=", "tcp")
ONE, TWO = inet(1, type=GETSOCK), inet(2, type=GETSOCK)


def cookies(host: Host, *conditions: tuple[str, str, Any]) -> list[int]:
    return [cookie for (cookie,) in ask(host, "cookie", *conditions)]


def test_while_connections_come_and_go_a_second_dump_fills_the_gaps(tmp_path: Path) -> None:
    proc = machine(tmp_path)
    host = Kernel(proc, [ONE, TWO, DONE], [ONE, inet(3, type=GETSOCK), DONE])
    changed = host.netlink

    def netlink(protocol: int, request: bytes) -> Iterator[memoryview]:
        yield from changed(protocol, request)
        (proc / "self/net/snmp").write_text(SNMP.format(opens=11))

    host.netlink = netlink  # type: ignore[method-assign]
    assert cookies(host, TCP) == [1, 2, 3]
    assert (len(host.requests), host.notices) == (2, [])


def test_while_nothing_happens_one_dump_is_enough(tmp_path: Path) -> None:
    host = Kernel(machine(tmp_path), [ONE, TWO, DONE])
    assert cookies(host, TCP) == [1, 2]
    assert len(host.requests) == 1


def test_an_answer_that_broke_off_is_completed(tmp_path: Path) -> None:
    host = Kernel(machine(tmp_path), [ONE, BREAK], [ONE, TWO, DONE], [ONE, TWO, DONE])
    assert cookies(host, TCP) == [1, 2]
    assert host.notices == []


def test_an_answer_that_breaks_off_again_and_again_is_said_to_lack_some(tmp_path: Path) -> None:
    host = Kernel(machine(tmp_path), [ONE, BREAK], [BREAK], [TWO, BREAK])
    assert cookies(host, TCP) == [1, 2]
    assert host.notices == [MISSING]


@pytest.mark.parametrize("family", ["unix", "packet"])
def test_the_same_for_other_families(tmp_path: Path, family: str) -> None:
    def row(cookie: int) -> bytes:
        if family == "unix":
            return Unix(cookie=cookie, inode=cookie).pack()
        return message(BY_FAMILY, struct.pack("=BBHIII", 17, 3, 3, cookie, cookie, 0))

    host = Kernel(tmp_path, [row(1), BREAK], [row(2), BREAK], [row(3), BREAK], [row(1), BREAK])
    found = cookies(host, ("family", "=", family))
    assert found == [1, 2, 3]
    assert host.notices == [MISSING]


def test_a_kernel_that_stays_busy_is_replaced_by_text(tmp_path: Path) -> None:
    header = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    proc = proc_tree({"self/net/udp": header}, tmp_path)
    host = Scripted(lambda *_: [refused(errno.EBUSY)], proc)
    assert ask(host, "inode", ("protocol", "=", "udp"), ("family", "=", "inet")) == []
    (notice,) = host.notices
    assert notice.startswith("sockets: udp read from /proc/net")
    assert notice.endswith("sock_diag answers 'Device or resource busy'")


# -- storage of BPF programs --------------------------------------------------------------------


@pytest.mark.parametrize("number", [20, 20 | 0x8000])
@pytest.mark.parametrize(
    "payload", [b"", attribute(1, attribute(1, bytes(4)) + attribute(3, b"x"))]
)
def test_storage_of_bpf_programs_alone_or_among_others_disturbs_nothing(
    tmp_path: Path, number: int, payload: bytes
) -> None:
    storage = attribute(number, payload)
    mark = attribute(15, struct.pack("=I", 7))
    rows = [
        Inet(cookie=1, attributes=storage).pack(),
        Inet(cookie=2, attributes=storage + mark).pack(),
        Inet(cookie=3, attributes=mark + storage).pack(),
    ]
    host = Scripted(answering({(INET, 17): [b"".join(rows), DONE]}), tmp_path)
    found = ask(host, "cookie mark inode", ("protocol", "=", "udp"), ("family", "=", "inet"))
    assert found == [(1, None, 4711), (2, 7, 4711), (3, 7, 4711)]
