"""Dumps in which no socket is missing that was there all the time.

The kernel resumes a dump by position: the number of a chain of its hash table, and how many
sockets of the chain were sent already.  When one of these goes before the next batch is made, the
one after it is not sent at all, and nothing in the answer says so.  A socket can only be missed
where a batch ended within its chain; so an answer of one batch is whole, and of a longer one
a second dump tells what was missing, as far as nothing went from the same chain again.

Source: net/unix/diag.c, unix_diag_dump(); net/ipv4/inet_diag.c, inet_diag_dump_icsk().
"""

from __future__ import annotations

from itertools import chain
from struct import Struct, pack, unpack

from sockql.diag.netlink import HEADER, NETLINK_SOCK_DIAG, BrokenOff, answers
from sockql.errors import DataError, KernelRefused
from sockql.sockets.record import COOKIE
from sockql.sockets.sockstat import parse, read_net

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request
    from sockql.sockets.record import SocketRecord

_COOKIE: Final = Struct("=q")
#: Where the cookie is in a message, its header included.
INET_COOKIE: Final = 60
UNIX_COOKIE: Final = 24

_TCP: Final = (b"ActiveOpens", b"PassiveOpens", b"AttemptFails", b"EstabResets")
_SOCKSTAT: Final = ("TCP.inuse", "TCP6.inuse", "TCP.tw")


class Refused(Exception):
    """The kernel refused a request before it gave a row; another way may be tried."""

    def __init__(self, error: KernelRefused) -> None:
        super().__init__(error)
        self.error = error


def unique(batch: Iterable[SocketRecord], seen: set[int]) -> list[SocketRecord]:
    """``batch`` without the cookies that are in ``seen``, to which the others are added."""
    kept = []
    for record in batch:
        cookie = record[COOKIE]
        if cookie not in seen:
            seen.add(cookie)
            kept.append(record)
    return kept


class Seen:
    """The cookies of a dump, eight bytes for each, and whether it came in more than one batch."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, cookies: Collection[int]) -> None:
        """Remember the cookies of one batch."""
        if cookies:
            self._parts.append(pack(f"={len(cookies)}q", *cookies))

    @property
    def in_one(self) -> bool:
        """Whether all of it came in one batch, so that nothing can be missing."""
        return len(self._parts) < 2

    def cookies(self) -> set[int]:
        """All of them."""
        found: set[int] = set()
        for part in self._parts:
            found.update(unpack(f"={len(part) // 8}q", part))
        return found


def unseen(view: memoryview, type: int, at: int, seen: set[int], request: str) -> memoryview:
    """A datagram of the messages of ``view`` whose cookie, at offset ``at``, is not in ``seen``.

    :raises KernelRefused: when the datagram ends in an errno; ``request`` names what was asked.
    :raises ParseError: when it is not made of messages.
    """
    # Mostly all messages are of one length and nothing is new.  Where they are not of one length,
    # what is read as cookies is none of them.
    length = HEADER.unpack_from(view)[0] if len(view) >= HEADER.size else 0
    if length >= at + _COOKIE.size and len(view) % length == 0:
        layout = Struct(f"={at}xq{length - at - _COOKIE.size}x")
        if seen.issuperset(chain.from_iterable(layout.iter_unpack(view))):
            return view[:0]
    parts = [
        bytes(view[start:end]) + bytes(-end & 3)
        for start, end in answers(view, type, request)
        if end - start < at + _COOKIE.size or _COOKIE.unpack_from(view, start + at)[0] not in seen
    ]
    return memoryview(b"".join(parts))


def whole(
    request: Request,
    host: Host,
    packed: bytes,
    batch: Callable[[memoryview], list[SocketRecord]],
    rest: Callable[[memoryview], list[SocketRecord]],
    rounds: int,
) -> Iterator[list[SocketRecord]]:
    """The batches of the dump ``packed``, and what is missing of one that is longer than a batch.

    ``batch`` gives the records of a datagram that were not seen yet, ``rest`` does so in the dumps
    that follow, of which there are so many ``rounds`` at most.

    :raises Refused: when the kernel refused before the first row.
    """
    batches = 0
    broken = False
    try:
        for view in host.netlink(NETLINK_SOCK_DIAG, packed):
            host.check()
            request.trace.bytes += len(view)
            found = batch(view)
            batches += bool(found)
            yield found
    except KernelRefused as error:
        if batches:
            raise
        raise Refused(error) from None
    except BrokenOff:
        broken = True
    if broken or batches > 1:
        yield from repeat(request, host, rest, packed, broken, rounds)


def repeat(
    request: Request,
    host: Host,
    rest: Callable[[memoryview], list[SocketRecord]],
    packed: bytes,
    broken: bool,
    rounds: int,
) -> Iterator[list[SocketRecord]]:
    """What the dump ``packed`` left out: the same dump, until it brings nothing more.

    ``rest`` gives the records of a datagram that were not seen yet; ``broken`` says that the
    first dump ended before its end.
    """
    for _ in range(rounds):
        more = False
        try:
            for view in host.netlink(NETLINK_SOCK_DIAG, packed):
                host.check()
                request.trace.bytes += len(view)
                batch = rest(view)
                more = more or bool(batch)
                yield batch
        except BrokenOff:
            broken = True
            continue
        except KernelRefused as error:
            host.notice(f"sockets: some may be missing: {error}")
            return
        broken = False
        if not more:
            return
    if broken:
        host.notice("sockets: some are missing: netlink broke its answers off (ENOBUFS)")


def traffic(host: Host) -> tuple[object, ...] | None:
    """What changes when TCP connections come and go; None when the kernel does not tell.

    A connection cannot leave its chain but by an end that is counted, or by one that lets the
    number of sockets sink unless another one was opened, which is counted as well.
    """
    try:
        lines = [line.split() for line in b"".join(read_net(host, "snmp")).split(b"\n")]
        numbers = parse(b"".join([*read_net(host, "sockstat"), *read_net(host, "sockstat6")]))
    except (OSError, DataError):
        return None
    tcp = [line for line in lines if line[:1] == [b"Tcp:"]]
    if len(tcp) != 2:
        return None
    counters = dict(zip(*tcp))
    return (*map(counters.get, _TCP), *map(numbers.get, _SOCKSTAT))
