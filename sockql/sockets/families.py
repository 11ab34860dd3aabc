"""The families of sockets beside inet and unix: which of them to ask for, and the dumps.

Each has a module of its own with the request and the decoder, imported when it is asked for.
"""

from __future__ import annotations

from errno import ENOENT
from operator import itemgetter

from sockql.diag.protocols import has, in_use
from sockql.sockets.names import ETHERTYPES, NETLINK_PROTOCOLS
from sockql.sockets.plan import INET_ONLY
from sockql.sockets.record import (
    COOKIE,
    DPORT,
    DST,
    NETLINK_STATES,
    ORIGIN,
    SCTP_STATES,
    SMC_STATES,
    TCP_STATES,
    TIPC_STATES,
    VSOCK_STATES,
)
from sockql.sockets.whole import Refused, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Final

    from sockql.errors import KernelRefused
    from sockql.host import Host
    from sockql.request import Request
    from sockql.sockets.record import Origin, SocketRecord
    from sockql.sockets.scan import Scan


class Family:
    """What is known of a family, or of an inet protocol, before anything is asked.

    ``families``, ``protocols``, ``socktypes`` and ``states`` are all values that the columns
    have in its rows; ``absent`` are columns that are NULL in all of them.
    """

    __slots__ = ("absent", "families", "module", "protocols", "socktypes", "states")

    def __init__(
        self,
        module: str,
        families: tuple[str, ...],
        protocols: Iterable[str],
        socktypes: tuple[str, ...],
        states: Mapping[int, str],
        absent: tuple[str, ...],
    ) -> None:
        self.module = module
        self.families = families
        self.protocols = frozenset(protocols)
        self.socktypes = socktypes
        self.states = frozenset(states.values())
        self.absent = absent


_ADDRESSES: Final = ("src", "dst")
_PORTS: Final = ("sport", "dport")

FAMILIES: Final = {
    "packet": Family(
        "packet",
        ("packet",),
        ETHERTYPES.values(),
        ("dgram", "raw", "packet"),
        {},
        (*_ADDRESSES, *_PORTS),
    ),
    "netlink": Family(
        "netlink_sockets",
        ("netlink",),
        NETLINK_PROTOCOLS.values(),
        ("dgram", "raw"),
        NETLINK_STATES,
        (*_ADDRESSES, *_PORTS, "interface", "socket_uid"),
    ),
    "vsock": Family(
        "vsock",
        ("vsock",),
        (),
        ("stream", "dgram", "seqpacket"),
        VSOCK_STATES,
        ("interface", "recv_queue", "send_queue", "socket_uid"),
    ),
    "xdp": Family(
        "xdp",
        ("xdp",),
        (),
        ("raw",),
        {},
        (*_ADDRESSES, *_PORTS, "recv_queue", "send_queue"),
    ),
    "tipc": Family(
        "tipc",
        ("tipc",),
        (),
        ("stream", "dgram", "rdm", "seqpacket"),
        TIPC_STATES,
        ("interface",),
    ),
    "mptcp": Family(
        *("mptcp", ("inet", "inet6"), ("mptcp",), ("stream",), TCP_STATES, ()),
    ),
    "sctp": Family(
        "sctp",
        ("inet", "inet6"),
        ("sctp",),
        ("stream", "seqpacket"),
        SCTP_STATES,
        ("timer", "congestion"),
    ),
    "dccp": Family(
        *("dccp", ("inet", "inet6"), ("dccp",), ("dccp",), TCP_STATES, ("congestion",)),
    ),
    "smc": Family(
        *("smc", ("inet", "inet6"), ("smc",), ("stream",), SMC_STATES),
        ("recv_queue", "send_queue", *INET_ONLY),
    ),
}
_INET: Final = ("mptcp", "sctp", "dccp", "smc")


def wanted(request: Request, name: str) -> bool:
    """Whether a socket of :data:`FAMILIES` ``name`` can be a row for ``request``."""
    family = FAMILIES[name]
    for column, found in (
        ("family", family.families),
        ("protocol", family.protocols),
        ("socktype", family.socktypes),
        ("state", family.states),
    ):
        if request.constrained(column) and not found:
            return False
        values = request.values(column)
        if values is not None and values.isdisjoint(found):
            return False
    absent = family.absent
    if name not in _INET:
        if request.prefixes("src") or request.prefixes("dst"):
            return False
        absent += INET_ONLY
    return not any(map(request.constrained, absent))


def families(request: Request, host: Host) -> list[str]:
    """The members of :data:`FAMILIES` that the kernel knows and that may have a row."""
    return [name for name in FAMILIES if wanted(request, name) and has(request, host, name)]


def named(request: Request, name: str) -> bool:
    """Whether ``request`` asks for the family or protocol ``name`` in so many words."""
    return any(
        values is not None and name in values
        for values in (request.values("family"), request.values("protocol"))
    )


def lacking(request: Request, host: Host, name: str, error: KernelRefused | None = None) -> None:
    """Say that there can be no rows of ``name``, when it was asked for in so many words."""
    if error is not None and error.errno != ENOENT:
        host.notice(f"sockets: {name} sockets are missing: {error}")
    elif named(request, name):
        if error is None:
            host.notice(f"sockets: this kernel has no {name} sockets, or its module is not loaded")
        else:
            host.notice(f"sockets: {name} sockets are missing: the kernel cannot list them")


def others(scan: Scan) -> Iterator[Iterable[SocketRecord]]:
    """Batches of the sockets of :data:`FAMILIES`."""
    request, host = scan.request, scan.host
    for name in FAMILIES:
        if not wanted(request, name) or not host.asks:
            continue
        if not in_use(request, host, name):
            if not has(request, host, name):
                lacking(request, host, name)
            continue
        try:
            yield from _dump(scan, name)
        except Refused as refused:
            lacking(request, host, name, refused.error)


def _dump(scan: Scan, name: str) -> Iterator[list[SocketRecord]]:
    """The dumps of a family, the rows unique and of the values that were asked for.

    :raises Refused: when the kernel refused before the first row.
    """
    from importlib import import_module

    module: Any = import_module(f"sockql.diag.{FAMILIES[name].module}")
    request, host = scan.request, scan.host
    what = module.describe(request)
    request.trace.note(what)
    origins: dict[tuple[str, str | None, str], Origin] = {}
    others: set[Origin] = set()

    def origin(family: str, protocol: str | None, socktype: str) -> Origin:
        key = family, protocol, socktype
        found = origins.get(key)
        if found is None:
            found = origins[key] = scan.origin(*key)
            for column, value in zip(("family", "protocol", "socktype"), key):
                values = request.values(column)
                if values is not None and value not in values:
                    others.add(found)
        return found

    # The associations of an SCTP socket have its cookie.
    identity = itemgetter(COOKIE, DPORT, DST) if name == "sctp" else itemgetter(COOKIE)
    seen: set[Any] = set()

    def unique(view: memoryview) -> list[SocketRecord]:
        batch = []
        for record in module.decode(view, origin, what):
            key = identity(record)
            if key not in seen:
                seen.add(key)
                if record[ORIGIN] not in others:
                    batch.append(record)
        return batch

    for packed in module.dump_requests(request):
        for batch in whole(request, host, packed, unique, unique, 2):
            scan.count(batch)
            yield batch
