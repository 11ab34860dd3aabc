"""The table ``sockets``."""

from __future__ import annotations

from _socket import ntohs
from itertools import chain
from operator import attrgetter, itemgetter

from sockql.diag.mptcp_info import MptcpInfo
from sockql.diag.tcp_info import TcpInfo
from sockql.schema import CIDR, EQUAL, RANGE, Table, integer, text
from sockql.sockets import tally
from sockql.sockets.costs import sockets
from sockql.sockets.details import Details
from sockql.sockets.dumps import batches
from sockql.sockets.family_details import (
    NetlinkDetails,
    OtherDetails,
    XdpDetails,
)
from sockql.sockets.names import ETHERTYPES, NETLINK_PROTOCOLS
from sockql.sockets.owners import OwnerDetails
from sockql.sockets.packet_details import PacketDetails
from sockql.sockets.record import (
    CLOSE,
    DPORT,
    DST,
    IF,
    INODE,
    LISTEN,
    NEEDS_PEER_NAMES,
    NETLINK_MEMINFO,
    ORIGIN,
    PACKET_INFO,
    PACKET_MEMINFO,
    RQUEUE,
    SHOW_NAME,
    SHOW_PEER,
    SHOW_RQLEN,
    SHOW_UID,
    SPORT,
    SRC,
    STATE,
    STATES,
    UID,
    WIDE,
    WQUEUE,
    XDP_INFO,
)
from sockql.sockets.tcp_details import TcpDetails

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Final

    from sockql.host import Host
    from sockql.request import Request
    from sockql.sockets.record import SocketRecord


_origin = itemgetter(ORIGIN)


def _state(r: SocketRecord) -> str | None:
    state = r[STATE]
    if state == CLOSE and not r[DPORT] and r[ORIGIN].protocol == "tcp":
        # Closed sockets are only found by the port they are bound to; one without a peer never
        # had a connection.
        return "BOUND_INACTIVE"
    name: str | None = r[ORIGIN].states.get(state)
    return name


def _states(records: Sequence[SocketRecord]) -> list[str | None]:
    """:func:`_state` of many; mostly those of one dump, in states that need no second look."""
    states = list(map(itemgetter(STATE), records))
    origins = set(map(_origin, records))
    if len(origins) != 1 or CLOSE in states:
        return list(map(_state, records))
    return list(map(origins.pop().states.get, states))


class _Ports(dict[int, "int | None"]):
    """The number of a port by what a record has for it."""

    def __missing__(self, port: int) -> int | None:
        if port >= WIDE:
            return port - WIDE
        number = self[port] = ntohs(port) or None
        return number


_PORTS: Final = _Ports()


def _port(index: int) -> dict[str, Any]:
    field = itemgetter(index)
    port = _PORTS.__getitem__
    return {
        "get": lambda r: port(r[index]),
        "bulk": lambda records: list(map(port, map(field, records))),
    }


def _address(names: str, index: int) -> dict[str, Any]:
    """What has the text of an address, in the attribute ``names`` of the origin."""
    field, found = itemgetter(index), attrgetter(names)

    def get(r: SocketRecord) -> str | None:
        return found(r[ORIGIN])[r[index]]  # type: ignore[no-any-return]

    def bulk(records: Sequence[SocketRecord]) -> list[str | None]:
        origins = set(map(_origin, records))
        if len(origins) != 1:
            return list(map(get, records))
        return list(map(found(origins.pop()).__getitem__, map(field, records)))

    return {"get": get, "bulk": bulk}


_PROTOCOLS: Final = tuple(
    dict.fromkeys(
        (
            *("tcp", "udp", "udplite", "icmp", "icmp6", "raw", "mptcp", "sctp", "dccp", "smc"),
            *NETLINK_PROTOCOLS.values(),
            *ETHERTYPES.values(),
        )
    )
)


class Visible:
    """The columns of ``select *``."""

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="/proc/self/ns/net",
        get=lambda r: r[ORIGIN].netns,
        push=EQUAL,
        exact=True,
    )
    family = text(
        "Address family.",
        source="idiag_family, udiag_family",
        get=lambda r: r[ORIGIN].family,
        push=EQUAL,
        exact=True,
        values=("inet", "inet6", "unix", "packet", "netlink", "vsock", "xdp", "tipc"),
    )
    protocol = text(
        "Protocol; icmp and icmp6 are ping sockets. Of netlink and packet sockets the name that "
        "the kernel has for it: route, ipv6, all. NULL for other families, for packet sockets "
        "that receive nothing, and for numbers without a name.",
        source="sdiag_protocol, ndiag_protocol, pdiag_num",
        get=lambda r: r[ORIGIN].protocol,
        push=EQUAL,
        exact=True,
        values=_PROTOCOLS,
    )
    socktype = text(
        "Type of the socket, as given to socket(2); packet is the one of Linux 2.0.",
        source="sdiag_protocol, udiag_type",
        get=lambda r: r[ORIGIN].socktype,
        push=EQUAL,
        exact=True,
        values=("stream", "dgram", "raw", "rdm", "seqpacket", "dccp", "packet"),
    )
    state = text(
        "State of a TCP or unix socket; of the other protocols ESTABLISHED when connect(2) named "
        "a peer, else UNCONN. BOUND_INACTIVE has a port, but neither listens nor connects. SCTP "
        "and SMC have names of their own. NULL for packet and XDP sockets, which have no state.",
        source="idiag_state, udiag_state, ndiag_state",
        get=_state,
        bulk=_states,
        nocase=True,
        push=EQUAL,
        values=STATES,
    )
    src = text(
        "Own address; for unix sockets the path, with @ before an abstract name, of vsock the "
        "context id (* for any), of TIPC the node. NULL for unix sockets without a name, for "
        "packet, netlink and XDP sockets. NULs in a name are shown as \\x00.",
        source="idiag_src, UNIX_DIAG_NAME, vdiag_src_cid",
        **_address("addresses", SRC),
        needs=SHOW_NAME,
        push=EQUAL | CIDR,
    )
    sport = integer(
        "Own port; NULL for none, and for raw, ping, unix, packet, netlink and XDP sockets.",
        source="idiag_sport, vdiag_src_port, TIPC_NLA_SOCK_REF",
        **_port(SPORT),
        push=EQUAL | RANGE,
        index=True,
    )
    dst = text(
        "Address of the peer, or its name for unix sockets; NULL when there is no peer or it has "
        "no name.",
        source="idiag_dst, UNIX_DIAG_PEER, vdiag_dst_cid",
        **_address("peers", DST),
        needs=SHOW_NAME | SHOW_PEER | NEEDS_PEER_NAMES,
        push=EQUAL | CIDR,
    )
    dport = integer(
        "Port of the peer; NULL when there is none.",
        source="idiag_dport, vdiag_dst_port",
        **_port(DPORT),
        push=EQUAL | RANGE,
        index=True,
    )
    recv_queue = integer(
        "Bytes that were received and not read yet; of UDP, raw, packet and netlink sockets the "
        "memory they take. NULL for listeners, and for vsock, XDP and SMC.",
        source="idiag_rqueue, udiag_rqueue, SK_MEMINFO_RMEM_ALLOC",
        unit="bytes",
        get=lambda r: None if r[STATE] == LISTEN else r[RQUEUE],
        needs=SHOW_RQLEN | PACKET_MEMINFO | NETLINK_MEMINFO,
    )
    send_queue = integer(
        "Bytes that were sent and not acknowledged yet; of UDP, raw, unix, packet and netlink "
        "sockets the memory of what was not delivered yet. NULL for listeners, and for vsock, XDP "
        "and SMC.",
        source="idiag_wqueue, udiag_wqueue, SK_MEMINFO_WMEM_ALLOC",
        unit="bytes",
        get=lambda r: None if r[STATE] == LISTEN else r[WQUEUE],
        needs=SHOW_RQLEN | PACKET_MEMINFO | NETLINK_MEMINFO,
    )
    inode = integer(
        "Inode of the socket, as in socket:[N]; NULL once no descriptor refers to it or before "
        "accept(2) made one.",
        source="idiag_inode, udiag_ino",
        get=lambda r: r[INODE] or None,
        index=True,
    )
    socket_uid = integer(
        "User who made the socket; NULL where the kernel does not say (TIME_WAIT, netlink, vsock, "
        "unix sockets before Linux 5.3).",
        source="idiag_uid, UNIX_DIAG_UID, PACKET_DIAG_UID",
        get=lambda r: r[UID] if r[UID] or r[INODE] else None,
        needs=SHOW_UID | PACKET_INFO | XDP_INFO,
    )
    interface = text(
        "Interface to which the socket is bound; NULL for none, and for unix, netlink and vsock "
        "sockets.",
        source="idiag_if, pdi_index, IFLA_IFNAME",
        get=lambda r: r[ORIGIN].links[r[IF]] if r[IF] else None,
        needs=PACKET_INFO | XDP_INFO,
        push=EQUAL,
    )


class Sockets(
    OwnerDetails,
    OtherDetails,
    XdpDetails,
    NetlinkDetails,
    PacketDetails,
    MptcpInfo,
    TcpDetails,
    TcpInfo,
    Details,
    Visible,
    Table["SocketRecord"],
    key=("cookie", "netns"),
    examples=[
        "select src, sport, socket_uid from sockets where state = 'LISTEN'",
        "select state, count(*) from sockets where protocol = 'tcp' group by state",
        "select * from sockets where inet_in(dst, '10.0.0.0/8') and dport in (80, 443)",
        "select src, recv_queue, drops from sockets where protocol = 'udp' and drops > 0",
    ],
):
    """Sockets of every network namespace, one row for each, whoever holds it.

    Rows come from sock_diag; ping sockets, and what the kernel has no sock_diag for, come from the
    text files of /proc/net. A socket that was never bound nor connected is in neither of them: it
    is only a row of fds.

    The namespaces are those of processes, of threads, and of mounts. One that only a descriptor
    leads to is among them where the kernel lists it (Linux 6.19); on other kernels it takes a look
    at every descriptor of the machine, which is done for netns = N and for --netns all. A statement
    that reads fds as well uses what it finds there, or says that it came too late.
    """

    def records(self, request: Request, host: Host) -> Iterator[SocketRecord]:
        if "owner_state" in request.columns:
            from sockql.sockets.holders import with_owners

            return with_owners(request, host)
        return chain.from_iterable(batches(request, host))

    def tallies(
        self, request: Request, host: Host, columns: set[str]
    ) -> Iterator[tuple[SocketRecord, int]] | None:
        if not columns <= tally.COLUMNS:
            return None
        records = chain.from_iterable(batches(request, host, tally.tally))
        return ((record, tally.weight(record)) for record in records)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return sockets(request, host)


TABLE = Sockets()
