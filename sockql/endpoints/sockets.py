"""Which socket is at the other end of which: what the kernel says of unix sockets, what reversed
addresses say of the others.

The matching is in pure functions over what ``sockets`` tells.
"""

from __future__ import annotations

from sockql.request import Constraint, Request
from sockql.sockets.listeners import queued
from sockql.tables.sockets import TABLE as SOCKETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any, Final, TypeAlias

    from sockql.host import Host

    #: (kind, inode of the peer, direction, netns, peer's netns, via)
    Link: TypeAlias = tuple[str, "int | None", "str | None", "int | None", "int | None", str]
    Links: TypeAlias = dict[int, list[Link]]
    #: (peer's inode, socktype, state, shutdown, netns)
    UnixSocket: TypeAlias = tuple["int | None", str, "str | None", "str | None", "int | None"]
    #: (inode, kind, netns, src, sport, dst, dport, state, listener's inode)
    InetSocket: TypeAlias = tuple[Any, ...]

PEER: Final = "peer"
QUEUE: Final = "queue"
ADDRESS: Final = "address"

_SCHEMA: Final = SOCKETS.schema
_inode = _SCHEMA.by_name["inode"].get

#: What a socket cannot do in a state: after its own FIN write, after the peer's read; in all
#: others neither.
_CLOSED: Final = {
    None: None,  # vsock, on kernels that do not say
    "ESTABLISHED": None,
    "FIN_WAIT1": "w",
    "FIN_WAIT2": "w",
    "CLOSE_WAIT": "r",
}
_MAPPED: Final = "::ffff:"
#: A direction as the other end sees it.
TURNED: Final = {"r": "w", "w": "r", "rw": "rw", None: None}
_UNKNOWN: Final = (None, "", None, None, None)


def links(
    request: Request, host: Host, kinds: frozenset[str], wanted: frozenset[int] | None
) -> Links:
    """What is at the other end of the sockets with the inodes ``wanted`` (None: of all).

    :raises DataError: as ``sockets`` does.
    """
    found: Links = {}
    if "unix" in kinds:
        sockets, queues = _unix(request, host)
        found = unix_links(sockets, queues, wanted)
        if wanted is not None:
            wanted = wanted - sockets.keys()
    for kind in ("tcp", "udp", "vsock"):
        if kind in kinds and (wanted is None or wanted):
            met = _inet(request, host, kind, wanted)
            found.update(inet_links(met, wanted))
            if wanted is not None:
                wanted = wanted - {socket[0] for socket in met}
    return found


def _records(request: Request, host: Host, columns: set[str], **conditions: str) -> Iterable[Any]:
    asked = Request(
        _SCHEMA,
        request.snapshot,
        columns=columns,
        constraints=[Constraint(name, "=", value) for name, value in conditions.items()],
        trace=request.trace,
    )
    return SOCKETS.records(asked, host)


# -- unix -----------------------------------------------------------------------------------


def _unix(request: Request, host: Host) -> tuple[dict[int, UnixSocket], dict[int, list[int]]]:
    """All unix sockets by inode, and the clients in the queue of each listener."""
    columns = {"inode", "peer_inode", "pending", "socktype", "state"}
    columns |= {"shutdown"} if "direction" in request.columns else set()
    columns |= {"netns"} if not request.columns.isdisjoint(("netns", "peer_netns")) else set()
    peer, pending, socktype, state, shutdown, netns = (
        _SCHEMA.by_name[name].get if name in columns else _nothing
        for name in ("peer_inode", "pending", "socktype", "state", "shutdown", "netns")
    )
    sockets: dict[int, UnixSocket] = {}
    queues: dict[int, list[int]] = {}
    for record in _records(request, host, columns, family="unix"):
        inode: Any = _inode(record)
        if inode is None:
            continue
        described: Any = peer(record), socktype(record), state(record), shutdown(record)
        sockets[inode] = (*described, netns(record))
        if described[2] == "LISTEN" and pending(record):
            queues[inode] = queued(record)
    return sockets, queues


def _nothing(_record: Any) -> None:
    return None


def without(flow: str | None, closed: str | None) -> str | None:
    """The directions of ``flow`` that are not ``closed``; None for none."""
    if flow is None or closed is None:
        return flow
    return "".join(letter for letter in flow if letter not in closed) or None


def unix_links(
    sockets: Mapping[int, UnixSocket],
    queues: Mapping[int, Sequence[int]],
    wanted: Collection[int] | None,
) -> Links:
    """The links of unix sockets, given all of them and the queues of the listeners.

    A datagram socket has many links when many are connected to it; one with which the peer is
    not connected in turn only sends.
    """
    found: Links = {}

    def add(inode: int, peer: int | None, flow: str | None, via: str = PEER) -> None:
        if wanted is not None and inode not in wanted:
            return
        own = sockets.get(inode, _UNKNOWN)
        other = _UNKNOWN if peer is None else sockets.get(peer, _UNKNOWN)
        if flow is not None:
            flow = without(without(flow, own[3]), TURNED[other[3]])
        found.setdefault(inode, []).append(("unix", peer, flow, own[4], other[4], via))

    queued = {client: listener for listener, clients in queues.items() for client in clients}
    for inode, (peer, socktype, state, _, _) in sockets.items():
        if peer is not None:
            other = sockets.get(peer)
            mutual = other is not None and other[0] == inode
            if socktype == "dgram":
                add(inode, peer, "rw" if mutual else "w")
                if not mutual:
                    add(peer, inode, "r")
            else:
                add(inode, peer, "rw")
                if other is None:  # it came after the dump had passed its place
                    add(peer, inode, "rw")
        elif inode in queued:
            add(inode, queued[inode], None, QUEUE)
            add(queued[inode], inode, None, QUEUE)
        elif state == "ESTABLISHED" and socktype != "dgram":
            add(inode, None, None)  # the peer was closed
    return found


# -- addresses ------------------------------------------------------------------------------


def _inet(
    request: Request, host: Host, kind: str, wanted: Collection[int] | None
) -> list[InetSocket]:
    """The sockets of one kind, at least those that have to do with ``wanted``."""
    columns = {"inode", "src", "sport", "dst", "dport", "state", "netns", "listener_inode"}
    if kind == "vsock":
        if "vsock" not in (_SCHEMA.by_name["family"].values or ()):
            return []
        records = _records(request, host, columns, family="vsock")
    else:
        records = _records(request, host, columns, protocol=kind)
    src, sport, dst, dport, state, netns, listener = (
        _SCHEMA.by_name[name].get
        for name in ("src", "sport", "dst", "dport", "state", "netns", "listener_inode")
    )
    if wanted is not None:
        # Ports are cheaper to compare than addresses.
        records = list(records)
        mine = [record for record in records if _inode(record) in wanted]
        ports = {sport(record) for record in mine} | {dport(record) for record in mine} - {None}
        records = [r for r in records if sport(r) in ports or dport(r) in ports] if mine else []
    return [
        (
            *(_inode(record), kind, netns(record), _plain(src(record)), sport(record)),
            *(_plain(dst(record)), dport(record), state(record), listener(record)),
        )
        for record in records
    ]


def _plain(address: Any) -> Any:
    """An IPv4 address for one that is mapped into IPv6."""
    if isinstance(address, str) and address.startswith(_MAPPED) and "." in address:
        return address[len(_MAPPED) :]
    return address


def inet_links(sockets: Sequence[InetSocket], wanted: Collection[int] | None) -> Links:
    """The links of sockets that have each other's addresses, mapped ones as IPv4.

    Both are in one network namespace; or, if its own has none, in two, when there is just one
    with these addresses and they are not of a kind that each namespace has for itself.
    """
    found: Links = {}
    by_address: dict[tuple[Any, ...], list[InetSocket]] = {}
    listeners: dict[Any, InetSocket] = {}
    for socket in sockets:
        inode, kind, _, src, sport, dst, dport, state, _ = socket
        if dst is not None and dport is not None:
            by_address.setdefault((kind, src, sport, dst, dport), []).append(socket)
        elif state == "LISTEN":
            listeners[inode] = socket

    def add(socket: InetSocket, peer: InetSocket, flow: str | None, via: str) -> None:
        inode = socket[0]
        if inode is not None and (wanted is None or inode in wanted):
            link = (socket[1], peer[0], flow, socket[2], peer[2], via)
            found.setdefault(inode, []).append(link)

    for (kind, src, sport, dst, dport), group in by_address.items():
        facing = by_address.get((kind, dst, dport, src, sport))
        if facing is None:
            continue
        for socket in group:
            if socket[0] is None:
                continue
            for peer in _facing(socket, group, facing):
                if peer[8] is not None:
                    listener = listeners.get(peer[8])
                    if listener is not None:
                        add(socket, listener, None, QUEUE)
                        add(listener, socket, None, QUEUE)
                        continue
                closed = _CLOSED.get(socket[7], "rw")
                flow = without(without("rw", closed), TURNED[_CLOSED.get(peer[7], "rw")])
                add(socket, peer, flow, ADDRESS)
    return found


def _facing(
    socket: InetSocket, group: Sequence[InetSocket], facing: Sequence[InetSocket]
) -> Sequence[InetSocket]:
    """Those of ``facing``, which have the reversed addresses of ``group``, that are the other end."""
    near = [peer for peer in facing if peer[2] == socket[2]]
    if near:
        # One in TIME_WAIT may be left over from an earlier connection.
        return [peer for peer in near if peer[0] is not None] or near[:1]
    far = [] if _local(socket[3]) or _local(socket[5]) else facing
    return far if len(far) == len(group) == 1 else ()


def _local(address: Any) -> bool:
    """Whether an address means something else in each network namespace."""
    return isinstance(address, str) and (
        address.startswith(("127.", "169.254.", "fe8", "fe9", "fea", "feb")) or address == "::1"
    )
