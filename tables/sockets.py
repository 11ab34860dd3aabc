"""The table ``sockets``."""

from __future__ import annotations

from _socket import ntohs
from itertools import chain

from sockql.schema import CIDR, EQUAL, RANGE, Table, integer, text
from sockql.sock_diag import batches
from sockql.socket_costs import sockets
from sockql.socket_details import Details
from sockql.socket_record import (
    CLOSE,
    DPORT,
    DST,
    IF,
    INODE,
    LISTEN,
    NEEDS_PEER_NAMES,
    ORIGIN,
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
    WQUEUE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.request import Request
    from sockql.socket_record import SocketRecord


def _state(r: SocketRecord) -> str | None:
    state = r[STATE]
    if state == CLOSE and not r[DPORT] and r[ORIGIN].protocol == "tcp":
        # Closed sockets are only found by the port they are bound to; one without a peer never
        # had a connection.
        return "BOUND_INACTIVE"
    name: str | None = r[ORIGIN].states.get(state)
    return name


class Visible:
    """The columns of ``select *``."""

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="/proc/self/ns/net",
        get=lambda r: r[ORIGIN].netns,
    )
    family = text(
        "Address family.",
        source="idiag_family, udiag_family",
        get=lambda r: r[ORIGIN].family,
        push=EQUAL,
        exact=True,
        values=("inet", "inet6", "unix"),
    )
    protocol = text(
        "Protocol; icmp and icmp6 are ping sockets. NULL for unix sockets.",
        source="sdiag_protocol",
        get=lambda r: r[ORIGIN].protocol,
        push=EQUAL,
        exact=True,
        values=("tcp", "udp", "udplite", "icmp", "icmp6", "raw"),
    )
    socktype = text(
        "Type of the socket, as given to socket(2).",
        source="sdiag_protocol, udiag_type",
        get=lambda r: r[ORIGIN].socktype,
        push=EQUAL,
        exact=True,
        values=("stream", "dgram", "raw", "seqpacket"),
    )
    state = text(
        "State of a TCP or unix socket; of the other protocols ESTABLISHED when connect(2) named "
        "a peer, else UNCONN. BOUND_INACTIVE has a port, but neither listens nor connects.",
        source="idiag_state, udiag_state",
        get=_state,
        nocase=True,
        push=EQUAL,
        values=STATES,
    )
    src = text(
        "Own address; for unix sockets the path, with @ before an abstract name. NULL for unix "
        "sockets without a name. NULs in a name are shown as \\x00.",
        source="idiag_src, UNIX_DIAG_NAME",
        get=lambda r: r[ORIGIN].addresses[r[SRC]],
        needs=SHOW_NAME,
        push=EQUAL | CIDR,
    )
    sport = integer(
        "Own port; NULL for none and for raw, ping and unix sockets.",
        source="idiag_sport",
        get=lambda r: ntohs(r[SPORT]) or None,
        push=EQUAL | RANGE,
        index=True,
    )
    dst = text(
        "Address of the peer, or its name for unix sockets; NULL when there is no peer or it has "
        "no name.",
        source="idiag_dst, UNIX_DIAG_PEER",
        get=lambda r: r[ORIGIN].peers[r[DST]],
        needs=SHOW_NAME | SHOW_PEER | NEEDS_PEER_NAMES,
        push=EQUAL | CIDR,
    )
    dport = integer(
        "Port of the peer; NULL when there is none.",
        source="idiag_dport",
        get=lambda r: ntohs(r[DPORT]) or None,
        push=EQUAL | RANGE,
        index=True,
    )
    recv_queue = integer(
        "Bytes that were received and not read yet; of UDP and raw sockets the memory they take. "
        "NULL for listeners.",
        source="idiag_rqueue, udiag_rqueue",
        unit="bytes",
        get=lambda r: None if r[STATE] == LISTEN else r[RQUEUE],
        needs=SHOW_RQLEN,
    )
    send_queue = integer(
        "Bytes that were sent and not acknowledged yet; of UDP, raw and unix sockets the memory of "
        "what was not delivered yet. NULL for listeners.",
        source="idiag_wqueue, udiag_wqueue",
        unit="bytes",
        get=lambda r: None if r[STATE] == LISTEN else r[WQUEUE],
        needs=SHOW_RQLEN,
    )
    inode = integer(
        "Inode of the socket, as in socket:[N]; NULL once no descriptor refers to it or before "
        "accept(2) made one.",
        source="idiag_inode, udiag_ino",
        get=lambda r: r[INODE] or None,
        index=True,
    )
    socket_uid = integer(
        "User who made the socket; NULL where the kernel does not say (TIME_WAIT, unix sockets "
        "before Linux 5.3).",
        source="idiag_uid, UNIX_DIAG_UID",
        get=lambda r: r[UID] if r[UID] or r[INODE] else None,
        needs=SHOW_UID,
    )
    interface = text(
        "Interface to which the socket is bound; NULL for none and for unix sockets.",
        source="idiag_if, IFLA_IFNAME",
        get=lambda r: r[ORIGIN].links[r[IF]] if r[IF] else None,
        push=EQUAL,
    )


class Sockets(
    Details,
    Visible,
    Table["SocketRecord"],
    examples=[
        "select src, sport, socket_uid from sockets where state = 'LISTEN'",
        "select state, count(*) from sockets where protocol = 'tcp' group by state",
        "select * from sockets where inet_in(dst, '10.0.0.0/8') and dport in (80, 443)",
        "select src, recv_queue, drops from sockets where protocol = 'udp' and drops > 0",
    ],
):
    """Sockets of this network namespace, one row for each, whoever holds it.

    Rows come from sock_diag; ping sockets, and what the kernel has no sock_diag for, come from the
    text files of /proc/net. A socket that was never bound nor connected is in neither of them: it
    is only a row of fds.
    """

    def records(self, request: Request, host: Host) -> Iterator[SocketRecord]:
        return chain.from_iterable(batches(request, host))

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return sockets(request, host)


TABLE = Sockets()
