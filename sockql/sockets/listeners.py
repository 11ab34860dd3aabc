"""Where a connection waits that nobody has accepted yet.

Source: net/ipv4/inet_hashtables.c and net/ipv6/inet6_hashtables.c (compute_score()),
net/unix/diag.c (sk_diag_dump_icons()).
"""

from __future__ import annotations

from itertools import chain

from sockql.errors import DataError
from sockql.request import Constraint, Request
from sockql.sockets.record import (
    ATTRIBUTES,
    COOKIE,
    ESTABLISHED,
    IF,
    INODE,
    ORIGIN,
    SPORT,
    SRC,
    STATE,
    UNIX,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from sockql.sockets.record import SocketRecord
    from sockql.sockets.scan import Scan

_UNIX_ICONS: Final = UNIX + 3
#: Addresses that stand for any: 0.0.0.0 and ::, ::ffff:0.0.0.0, and VMADDR_CID_ANY.
_ANY: Final = (bytes(4), bytes(16), bytes(10) + b"\xff\xff" + bytes(4), "*")
#: 12 is NEW_SYN_RECV, which the kernel reports as 3.
_WAITING: Final = frozenset({ESTABLISHED, 3, 8, 12})


class Listeners:
    """The listeners of the namespace of a scan; asked for when one is first looked for.

    They come after the connections, so that one which was closed meanwhile is not among them;
    its connections have gone with it.
    """

    __slots__ = ("_by_client", "_by_port", "_scan")

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._by_port: dict[str, dict[tuple[str, int], list[SocketRecord]]] = {}
        self._by_client: dict[int, int] | None = None

    def inode_for(self, r: SocketRecord) -> int | None:
        """Inode of the listener at which the connection waits, None where there is no telling."""
        family = r[ORIGIN].family
        if family == "unix":
            return self._queued(r[INODE])
        if r[INODE] or r[STATE] not in _WAITING:
            return None
        # The listener of MPTCP is one of TCP as well, with the same inode.
        kind = "vsock" if family == "vsock" else "tcp"
        by_port = self._by_port.get(kind)
        if by_port is None:
            by_port = self._by_port[kind] = {}
            for listener in self._ask("family" if kind == "vsock" else "protocol", kind):
                key = (listener[ORIGIN].family, listener[SPORT])
                by_port.setdefault(key, []).append(listener)
        return choose(r, by_port.get((family, r[SPORT]), ()))

    def _queued(self, client: int) -> int | None:
        if self._by_client is None:
            self._by_client = {
                inode: listener[INODE]
                for listener in self._ask("family", "unix")
                for inode in queued(listener)
            }
        return self._by_client.get(client)

    def _ask(self, column: str, value: str) -> list[SocketRecord]:
        from sockql.sockets.families import others
        from sockql.sockets.inet_dumps import inet
        from sockql.sockets.scan import Scan
        from sockql.sockets.unix_dump import unix

        outer = self._scan
        request = Request(
            outer.request.schema,
            outer.request.snapshot,
            columns=["src", "pending"],
            constraints=[Constraint("state", "=", "LISTEN"), Constraint(column, "=", value)],
            trace=outer.request.trace,
        )
        scan = Scan(request, outer.host, outer.namespace)
        source = {"tcp": inet, "unix": unix}.get(value, others)
        try:
            return list(chain.from_iterable(source(scan)))
        except DataError as error:
            outer.host.notice(f"sockets: listener_inode is missing: {error}")
            return []


def queued(listener: SocketRecord) -> list[int]:
    """The inodes of the clients whose connections wait in the queue of a unix listener.

    A client that was closed meanwhile has none any more, and is left out.
    """
    raw = listener[ORIGIN].attributes[listener[ATTRIBUTES]].get(_UNIX_ICONS, b"")
    words = memoryview(raw)[: len(raw) & ~3].cast("I")
    return [inode for inode in words if inode]


def choose(r: SocketRecord, listeners: Iterable[SocketRecord]) -> int | None:
    """Inode of that one of ``listeners`` which the kernel would give the connection ``r`` to.

    All have its family (a connection over IPv4 to an inet6 listener is an inet6 socket, too) and
    its port.  One with its address comes before one with any, then one that is bound to its
    interface before one that is bound to none.  None when several are equal, as with
    SO_REUSEPORT.
    """
    best: dict[int, int | None] = {}  # by what tells one listener from another
    rank = (False, False)
    for listener in listeners:
        own = listener[SRC] == r[SRC]
        if not own and listener[SRC] not in _ANY:
            continue
        if listener[IF] and listener[IF] != r[IF]:
            continue
        found = (own, bool(listener[IF]))
        if found > rank:
            best = {}
            rank = found
        if found == rank:
            best[listener[COOKIE] or listener[INODE]] = listener[INODE] or None
    return next(iter(best.values())) if len(best) == 1 else None


def listeners(scan: Scan) -> Listeners:
    """The listeners of the namespace of ``scan``, looked up once in a statement."""
    memo, key = scan.request.snapshot.memo, ("listeners", scan.host.netns)
    found = memo.get(key)
    if not isinstance(found, Listeners):
        found = memo[key] = Listeners(scan)
    return found
