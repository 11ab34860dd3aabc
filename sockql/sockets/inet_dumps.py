"""The dumps of inet sockets that a scan plans, and what replaces those that the kernel refuses.

Source: net/ipv4/inet_diag.c; sock_diag(7).
"""

from __future__ import annotations

from errno import ENOENT
from itertools import groupby
from operator import itemgetter

from sockql.diag.inet import FAMILIES, decode, portless
from sockql.diag.netlink import NETLINK_SOCK_DIAG, BrokenOff
from sockql.diag.protocols import in_use
from sockql.errors import KernelRefused
from sockql.sockets.plan import INET_SOCKTYPES, dumps, inet_states, kinds
from sockql.sockets.record import BOUND_INACTIVE, CLOSE, COOKIE, LISTEN, NEEDS_ATTRIBUTES, STATE
from sockql.sockets.sockstat import counts
from sockql.sockets.whole import INET_COOKIE, Refused, Seen, repeat, traffic, unique, unseen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

    from sockql.sockets.plan import Dump
    from sockql.sockets.record import SocketRecord
    from sockql.sockets.scan import Scan

#: Handlers that many kernels lack, and whose few sockets the text files tell well enough.
_OFTEN_MISSING: Final = ("raw", "udplite")
#: Sockets that fit into the first batch, however long their messages are.
_FEW: Final = 10

_cookie = itemgetter(COOKIE)
_protocol = itemgetter(1)


def inet(scan: Scan) -> Iterator[Iterable[SocketRecord]]:
    """Batches of inet sockets, protocol by protocol."""
    for protocol, members in groupby(kinds(scan.request), key=_protocol):
        families = tuple([family for family, _, _ in members])
        if protocol.startswith("icmp"):  # has no handler in any kernel
            if not in_use(scan.request, scan.host, "icmp"):
                continue
            from sockql.sockets.text import inet_batches

            states = inet_states(scan.request, protocol)
            yield from inet_batches(scan, families, protocol, states)
            continue
        # A request for a missing handler makes the kernel run modprobe each time.
        if protocol in _OFTEN_MISSING and counts(scan.request, scan.host).hashed(protocol) == 0:
            continue
        for dump in dumps(scan.request, scan.host, protocol, families):
            yield from _run(scan, dump)


def _run(scan: Scan, dump: Dump) -> Iterator[Iterable[SocketRecord]]:
    """The batches of ``dump``, asked for in other ways where the kernel refuses."""
    if dump.states >> BOUND_INACTIVE & 1 and dump.protocol == "tcp":
        # They are found by one more pass over everything that has a port: 0.15 µs for each.
        if counts(scan.request, scan.host).closed == 0:
            dump.states &= ~(1 << BOUND_INACTIVE)
        if not dump.states:
            return
    try:
        yield from _ask(scan, dump)
    except Refused as refused:
        error = refused.error
    else:
        return
    if dump.bytecode and error.errno != ENOENT:
        # An old kernel does not know an instruction, or only CAP_NET_ADMIN may use it.
        yield from _run(scan, dump.unfiltered())
    elif len(dump.families) > 1:
        for single in dump.split():
            yield from _run(scan, single)
    else:
        from sockql.sockets.text import inet_batches

        if dump.protocol not in _OFTEN_MISSING or error.errno != ENOENT:
            scan.replaced(dump.protocol, error)
        yield from inet_batches(scan, dump.families, dump.protocol, dump.states, error)


def _ask(scan: Scan, dump: Dump) -> Iterator[list[SocketRecord]]:
    """One dump, its rows unique by cookie.

    The kernel resumes a dump by position: when a socket came into the chain where it stopped,
    the last ones are sent again with the next batch.  And a socket that was closed or listened
    when its table was dumped may be connected by then.  Nothing else repeats, so it is enough
    to remember these and the batch before (90,000 sockets: 5 ms, and no memory).

    :raises Refused: when the kernel refused before the first row.
    """
    host, trace = scan.host, scan.request.trace
    request, name = dump.request(), str(dump)
    socktype = INET_SOCKTYPES.get(dump.protocol, "dgram")
    origins = {
        FAMILIES[family]: scan.origin(family, dump.protocol, socktype) for family in dump.families
    }
    keep = bool(scan.request.needs & NEEDS_ATTRIBUTES)
    previous: set[int] = set()
    early: set[int] = set()
    seen = Seen()
    collecting = True
    delivered = broken = False
    trace.note(name)
    before = _traffic(scan, dump)
    try:
        for view in host.netlink(NETLINK_SOCK_DIAG, request):
            host.check()
            trace.bytes += len(view)
            alike = scan.tally and scan.tally(view, dump.type, origins, name)
            if alike and previous.isdisjoint(alike[0]) and early.isdisjoint(alike[0]):
                cookies, batch = alike
            else:
                batch = list(decode(view, dump.type, origins, name, attributes=keep))
                cookies = set(map(_cookie, batch))
                if (
                    len(cookies) != len(batch)
                    or not previous.isdisjoint(cookies)
                    or not early.isdisjoint(cookies)
                ):
                    batch = unique(batch, previous | early)
            if collecting and batch:
                early.update([r[COOKIE] for r in batch if r[STATE] in (CLOSE, LISTEN)])
                collecting = batch[-1][STATE] in (CLOSE, LISTEN)
            previous = cookies
            seen.add(cookies)
            yield _finished(scan, batch, dump)
            delivered = delivered or bool(batch)
    except KernelRefused as error:
        if delivered:
            raise
        raise Refused(error) from None
    except BrokenOff:
        broken = True
    if broken or not (seen.in_one or (before and before == _traffic(scan, dump))):
        cookies = seen.cookies()

        def rest(view: memoryview) -> list[SocketRecord]:
            view = unseen(view, dump.type, INET_COOKIE, cookies, name)
            return unique(decode(view, dump.type, origins, name, attributes=keep), cookies)

        for batch in repeat(scan.request, host, rest, request, broken, 1 + broken):
            yield _finished(scan, batch, dump)


def _finished(scan: Scan, batch: list[SocketRecord], dump: Dump) -> list[SocketRecord]:
    """``batch`` as it is handed out."""
    scan.count(batch)
    return list(map(portless, batch)) if dump.protocol == "raw" else batch


def _traffic(scan: Scan, dump: Dump) -> tuple[object, ...] | None:
    """What tells that connections came or went; None where that cannot be told.

    Of listeners it cannot, but they are few.
    """
    if dump.protocol != "tcp" or dump.states == 1 << LISTEN:
        return None
    known = counts(scan.request, scan.host)
    if (known.hashed("tcp") or 0) + known.timewait < _FEW:
        return None
    return traffic(scan.host)
