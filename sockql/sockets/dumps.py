"""The sockets of every network namespace: the planned dumps run, and what replaces them.

Source: net/core/sock_diag.c; sock_diag(7).
"""

from __future__ import annotations

import os
from errno import ENOENT
from itertools import chain, groupby
from operator import itemgetter

from sockql.diag.inet import ALL_STATES, FAMILIES, SOCK_DIAG_BY_FAMILY, decode, portless
from sockql.diag.netlink import NETLINK_SOCK_DIAG, BrokenOff
from sockql.diag.protocols import in_use
from sockql.errors import KernelRefused
from sockql.network.namespaces import survey
from sockql.network.scope import visit
from sockql.sockets.families import families, others
from sockql.sockets.plan import (
    UNIX_SOCKTYPES,
    dumps,
    inet_states,
    kinds,
    state_words,
    unix_states,
    wants_unix,
)
from sockql.sockets.record import (
    BOUND_INACTIVE,
    CLOSE,
    COOKIE,
    ESTABLISHED,
    LISTEN,
    NEEDS_ATTRIBUTES,
    NEEDS_PEER_NAMES,
    SHOW_MASK,
    SHOW_PEER,
    SHOW_SHIFT,
    STATE,
    UNIX_STATES,
    Origin,
)
from sockql.sockets.sockstat import counts
from sockql.sockets.whole import (
    INET_COOKIE,
    UNIX_COOKIE,
    Refused,
    Seen,
    repeat,
    traffic,
    unique,
    unseen,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.network.namespaces import Namespace
    from sockql.request import Request
    from sockql.sockets.plan import Dump
    from sockql.sockets.record import SocketRecord

    Tally: TypeAlias = Callable[..., tuple[set[int], list[SocketRecord]] | None]

#: Handlers that many kernels lack, and whose few sockets the text files tell well enough.
_OFTEN_MISSING: Final = ("raw", "udplite")
SOCKTYPES: Final = {"tcp": "stream", "raw": "raw"}
#: Sockets that fit into the first batch, however long their messages are.
_FEW: Final = 10

_cookie = itemgetter(COOKIE)
_protocol = itemgetter(1)


def batches(
    request: Request, host: Host, tally: Tally | None = None
) -> Iterator[Iterable[SocketRecord]]:
    """The records that may satisfy ``request``, a batch for each datagram.

    With ``tally``, which is :func:`sockql.sockets.tally.tally`, one may stand for many.

    :raises DataError: when neither sock_diag nor the text files can be read.
    """
    unix = wants_unix(request)
    tcp = 0

    def more() -> bool:
        """Whether namespaces that only a thread or a descriptor leads to may have a row.

        The kernel has one counter of the TCP sockets of all namespaces.  (Those in TIME_WAIT
        are in none; a namespace that has nobody in it and nothing but these is not looked for.)
        """
        every = counts(request, host).allocated
        beside = unix or any(protocol != "tcp" for _, protocol, _ in kinds(request))
        # MPTCP runs over TCP, whose sockets are counted.
        beside = beside or any(name != "mptcp" for name in families(request, host))
        return beside or every is None or tcp < every

    if "netns_name" in request.columns:
        # A mount of our own namespace may be found only after its sockets.
        survey(request, host).thorough(descriptors=False)
    for namespace, inside in visit(request, host, more, text=True):
        scan = Scan(request, inside, namespace, tally)
        try:
            yield from scan.inet()
            if unix:
                yield from scan.unix()
            yield from others(scan)
        finally:
            scan.report()
        tcp += counts(request, inside).hashed("tcp") or 0


class Scan:
    """One scan of a namespace: what its origins share, and what had to be read from text."""

    def __init__(
        self, request: Request, host: Host, namespace: Namespace, tally: Tally | None = None
    ) -> None:
        self.request = request
        self.host = host
        self.namespace = namespace
        #: How a datagram is counted, None where its sockets are wanted one by one.
        self.tally = tally
        self.by_text: list[str] = []
        self.reason: KernelRefused | None = None

    # -- inet ---------------------------------------------------------------------------------

    def inet(self) -> Iterator[Iterable[SocketRecord]]:
        """Batches of inet sockets, protocol by protocol."""
        for protocol, members in groupby(kinds(self.request), key=_protocol):
            families = tuple([family for family, _, _ in members])
            if protocol.startswith("icmp"):  # has no handler in any kernel
                if not in_use(self.request, self.host, "icmp"):
                    continue
                states = inet_states(self.request, protocol)
                yield from self.text(families, protocol, states)
                continue
            # A request for a missing handler makes the kernel run modprobe each time.
            if protocol in _OFTEN_MISSING and counts(self.request, self.host).hashed(protocol) == 0:
                continue
            for dump in dumps(self.request, self.host, protocol, families):
                yield from self.run(dump)

    def run(self, dump: Dump) -> Iterator[Iterable[SocketRecord]]:
        """The batches of ``dump``, asked for in other ways where the kernel refuses."""
        if dump.states >> BOUND_INACTIVE & 1 and dump.protocol == "tcp":
            # They are found by one more pass over everything that has a port: 0.15 µs for each.
            if counts(self.request, self.host).closed == 0:
                dump.states &= ~(1 << BOUND_INACTIVE)
            if not dump.states:
                return
        try:
            yield from self.ask(dump)
        except Refused as refused:
            error = refused.error
        else:
            return
        if dump.bytecode and error.errno != ENOENT:
            # An old kernel does not know an instruction, or only CAP_NET_ADMIN may use it.
            yield from self.run(dump.unfiltered())
        elif len(dump.families) > 1:
            for single in dump.split():
                yield from self.run(single)
        else:
            if dump.protocol not in _OFTEN_MISSING or error.errno != ENOENT:
                self.replaced(dump.protocol, error)
            yield from self.text(dump.families, dump.protocol, dump.states, error)

    def ask(self, dump: Dump) -> Iterator[list[SocketRecord]]:
        """One dump, its rows unique by cookie.

        The kernel resumes a dump by position: when a socket came into the chain where it stopped,
        the last ones are sent again with the next batch.  And a socket that was closed or listened
        when its table was dumped may be connected by then.  Nothing else repeats, so it is enough
        to remember these and the batch before (90,000 sockets: 5 ms, and no memory).

        :raises Refused: when the kernel refused before the first row.
        """
        host, trace = self.host, self.request.trace
        request, name = dump.request(), str(dump)
        socktype = SOCKTYPES.get(dump.protocol, "dgram")
        origins = {
            FAMILIES[family]: self.origin(family, dump.protocol, socktype)
            for family in dump.families
        }
        keep = bool(self.request.needs & NEEDS_ATTRIBUTES)
        previous: set[int] = set()
        early: set[int] = set()
        seen = Seen()
        collecting = True
        delivered = broken = False
        trace.note(name)
        before = self.traffic(dump)
        try:
            for view in host.netlink(NETLINK_SOCK_DIAG, request):
                host.check()
                trace.bytes += len(view)
                alike = self.tally and self.tally(view, dump.type, origins, name)
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
                yield self.finished(batch, dump)
                delivered = delivered or bool(batch)
        except KernelRefused as error:
            if delivered:
                raise
            raise Refused(error) from None
        except BrokenOff:
            broken = True
        if broken or not (seen.in_one or (before and before == self.traffic(dump))):
            cookies = seen.cookies()

            def rest(view: memoryview) -> list[SocketRecord]:
                view = unseen(view, dump.type, INET_COOKIE, cookies, name)
                return unique(decode(view, dump.type, origins, name, attributes=keep), cookies)

            for batch in repeat(self.request, host, rest, request, broken, 1 + broken):
                yield self.finished(batch, dump)

    def finished(self, batch: list[SocketRecord], dump: Dump) -> list[SocketRecord]:
        """``batch`` as it is handed out."""
        self.count(batch)
        return list(map(portless, batch)) if dump.protocol == "raw" else batch

    def traffic(self, dump: Dump) -> tuple[object, ...] | None:
        """What tells that connections came or went; None where that cannot be told.

        Of listeners it cannot, but they are few.
        """
        if dump.protocol != "tcp" or dump.states == 1 << LISTEN:
            return None
        known = counts(self.request, self.host)
        if (known.hashed("tcp") or 0) + known.timewait < _FEW:
            return None
        return traffic(self.host)

    # -- unix ---------------------------------------------------------------------------------

    def unix(self) -> Iterator[Iterable[SocketRecord]]:
        """Batches of unix sockets."""
        from sockql.diag import unix as unix_diag

        request = self.request
        states = asked = unix_states(request)
        show = request.needs & SHOW_MASK
        named = bool(request.needs & NEEDS_PEER_NAMES) and states >> ESTABLISHED & 1
        if named:
            # A peer may be in any state; only connected sockets have one.
            asked = ALL_STATES
        elif request.needs & NEEDS_PEER_NAMES:
            show &= ~SHOW_PEER
        words = [f"sock_diag unix show={show >> SHOW_SHIFT:#04x}"]
        if asked != ALL_STATES:
            words.append("states=" + state_words(asked, UNIX_STATES))
        name = " ".join(words)
        origins = {
            number: self.origin("unix", None, socktype)
            for number, socktype in UNIX_SOCKTYPES.items()
        }
        packed = unix_diag.dump_request(states=asked, show=show >> SHOW_SHIFT)
        request.trace.note(name)
        try:
            received = self._unix(lambda v: unix_diag.decode(v, origins, name), packed, name)
            if named:
                yield unix_diag.name_peers(list(chain.from_iterable(received)), states)
            else:
                yield from received
        except Refused as refused:
            self.replaced("unix", refused.error)
            from sockql.sockets.text import unix_batches

            yield from unix_batches(self, origins, states, refused.error)

    def _unix(
        self,
        decode: Callable[[memoryview], Iterable[SocketRecord]],
        request: bytes,
        name: str,
    ) -> Iterator[list[SocketRecord]]:
        """One dump, its rows unique by cookie.

        A socket that is bound moves to another chain, where the dump meets it again; there is no
        saying how much later.

        :raises Refused: when the kernel refused before the first row.
        """
        seen: set[int] = set()
        batches = 0
        broken = False
        try:
            for view in self.host.netlink(NETLINK_SOCK_DIAG, request):
                self.host.check()
                self.request.trace.bytes += len(view)
                batch = unique(decode(view), seen)
                batches += bool(batch)
                self.count(batch)
                yield batch
        except KernelRefused as error:
            if seen:
                raise
            raise Refused(error) from None
        except BrokenOff:
            broken = True
        if broken or batches > 1:

            def rest(view: memoryview) -> list[SocketRecord]:
                view = unseen(view, SOCK_DIAG_BY_FAMILY, UNIX_COOKIE, seen, name)
                return unique(decode(view), seen)

            # Chains are long: in the busiest of times three dumps may lack the same socket.
            for batch in repeat(self.request, self.host, rest, request, broken, 3):
                self.count(batch)
                yield batch

    def text(
        self,
        families: tuple[str, ...],
        protocol: str,
        states: int,
        error: KernelRefused | None = None,
    ) -> Iterator[Iterable[SocketRecord]]:
        """Batches from /proc/net; ``error`` says why, None where there is no other source."""
        from sockql.sockets.text import inet_batches

        return inet_batches(self, families, protocol, states, error)

    # -- what the rows share ------------------------------------------------------------------

    def origin(
        self, family: str, protocol: str | None, socktype: str, *, source: str = "sock_diag"
    ) -> Origin:
        """The origin of a dump of this scan."""
        from sockql.network.links import links

        columns = self.request.columns
        paths = None
        if "cgroup" in columns:
            from sockql.proc.cgroups import cgroups

            paths = cgroups(self.request, self.host)
        waits = None
        if "listener_inode" in columns:
            from sockql.sockets.listeners import listeners

            waits = listeners(self)
        return Origin(
            family,
            protocol,
            socktype,
            source=source,
            netns=self.namespace.inode,
            netns_name=self.namespace.name if "netns_name" in columns else None,
            links=links(self.request, self.host) if "interface" in columns else None,
            cgroups=paths,
            listeners=waits,
        )

    def replaced(self, what: str, error: KernelRefused) -> None:
        """Note that ``what`` is read from text because of ``error``."""
        self.reason = self.reason or error
        if what not in self.by_text:
            self.by_text.append(what)

    def count(self, batch: list[SocketRecord]) -> None:
        """Tell how much has come."""
        if self.host.progress is not None:
            self.host.progress("sockets", len(batch), None)

    def report(self) -> None:
        """Say what was read from text, in one notice."""
        # Of other namespaces that is said once for all of them.
        if self.reason is None or not self.host.asks:
            return
        text = (
            f"sockets: {', '.join(self.by_text)} read from /proc/net, without cookies, options, "
            f"marks, cgroups and memory: sock_diag answers {os.strerror(self.reason.errno)!r}"
        )
        if "unix" in self.by_text:
            text += "; names of unix sockets may be forged or cut"
        self.host.notice(text)
