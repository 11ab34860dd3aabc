"""osquery's table ``process_open_sockets``."""

from __future__ import annotations

from operator import itemgetter

from sockql.osquery import sockets
from sockql.osquery.columns import bigint, integer, text
from sockql.schema import EQUAL, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.osquery.sockets import Held
    from sockql.request import Request


class ProcessOpenSockets(
    Table["Held"],
    examples=[
        "select pid, local_port, remote_address from process_open_sockets where state = 'LISTEN'",
        "select remote_address, remote_port from process_open_sockets where pid = 1",
        "select pid, path from process_open_sockets where family = 1 and path <> ''",
    ],
):
    """Sockets over IP, unix and packet sockets, one row for each descriptor that holds one.

    osquery gives a socket that several processes share to one of them. A socket that nobody can
    be seen to hold has the pid -1, as has one in TIME_WAIT or not accepted yet.
    """

    pid = integer(
        "Process that holds the socket; -1 when none can be seen.",
        source="/proc/PID/fd",
        get=itemgetter(0),
        push=EQUAL,
        exact=True,
        index=True,
    )
    fd = bigint(
        "Number of its descriptor; -1 when none can be seen.",
        source="/proc/PID/fd",
        get=itemgetter(1),
    )
    socket = bigint(
        "Inode of the socket, as in socket:[N]; 0 for none.",
        source="idiag_inode, udiag_ino",
        get=sockets.socket,
        index=True,
    )
    family = integer(
        "Address family: 1 unix, 2 IPv4, 10 IPv6, 17 packet.",
        source="idiag_family AF_",
        get=sockets.family,
        push=EQUAL,
    )
    protocol = integer(
        "Protocol: 1 ICMP (over IPv6 too), 6 TCP, 17 UDP, 33 DCCP, 132 SCTP, 136 UDP-Lite, 255 "
        "raw, 262 MPTCP; of packet sockets the ethertype, 3 for all; 0 for unix sockets.",
        source="sdiag_protocol IPPROTO_, pdiag_num",
        get=sockets.protocol,
        push=EQUAL,
    )
    local_address = text(
        "Own address; empty for unix and packet sockets.",
        source="idiag_src",
        get=sockets.local_address,
    )
    remote_address = text(
        "Address of the peer; 0.0.0.0 or :: when there is none, empty for unix and packet sockets.",
        source="idiag_dst",
        get=sockets.remote_address,
    )
    local_port = integer(
        "Own port; of raw sockets the number of the IP protocol, of ping sockets their identifier; "
        "0 for none.",
        source="idiag_sport",
        get=sockets.local_port,
        push=EQUAL,
        index=True,
    )
    remote_port = integer(
        "Port of the peer; 0 when there is none.",
        source="idiag_dport",
        get=sockets.remote_port,
        push=EQUAL,
        index=True,
    )
    path = text(
        "Path of a unix socket, with @ before an abstract name; empty for none.",
        source="UNIX_DIAG_NAME",
        get=sockets.path,
    )
    state = text(
        "State of a socket that knows connections: ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, "
        "FIN_WAIT2, TIME_WAIT, CLOSED, CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING, UNKNOWN; NONE for "
        "packet sockets, empty for the others.",
        source="idiag_state",
        get=sockets.state,
        push=EQUAL,
    )
    net_namespace = text(
        "Inode of the network namespace; empty when it cannot be read.",
        source="/proc/PID/ns/net",
        get=sockets.net_namespace,
    )

    def records(self, request: Request, host: Host) -> Iterator[Held]:
        return sockets.read(request, host, sockets.narrowed(request))

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return sockets.estimate(request, host, sockets.narrowed(request))


TABLE = ProcessOpenSockets()
