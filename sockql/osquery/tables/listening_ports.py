"""osquery's table ``listening_ports``."""

from __future__ import annotations

from sockql.diag.protocols import has
from sockql.osquery import sockets
from sockql.osquery.columns import bigint, integer, like, text
from sockql.osquery.tables.process_open_sockets import ProcessOpenSockets as Sockets
from sockql.request import Constraint
from sockql.schema import EQUAL, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.osquery.sockets import Held
    from sockql.request import Request

_LISTENING: Final = Constraint("state", "=", "LISTEN")
_DATAGRAMS: Final = Constraint("protocol", "in", frozenset(("udp", "udplite")))
_OTHERS: Final = Constraint("protocol", "in", frozenset(("icmp", "icmp6", "raw")))
_INET: Final = Constraint("family", "in", frozenset(("inet", "inet6")))
_UNIX: Final = Constraint("family", "=", "unix")
_PACKET: Final = Constraint("family", "=", "packet")


def _queries(request: Request, host: Host) -> list[list[Constraint]]:
    """What to ask ``sockets``: never for connections, of which there may be very many."""
    families, ports = request.values("family"), request.values("port")
    queries = []
    if families is None or not families.isdisjoint((2, 10)):
        inet = [_INET, *sockets.narrowed(request)]
        with_port = list(inet)
        if ports is not None and 0 not in ports:
            with_port.append(Constraint("sport", "in", ports))
        queries += [[*with_port, _LISTENING], [*with_port, _DATAGRAMS], [*inet, _OTHERS]]
    if ports is None or 0 in ports:
        if families is None or 1 in families:
            queries.append([_UNIX])
        if (families is None or 17 in families) and has(request, host, "packet"):
            queries.append([_PACKET])
    return queries


def _is_unix(held: Held) -> bool:
    return sockets.family(held) == sockets.FAMILIES["unix"]


class ListeningPorts(
    Table["Held"],
    examples=[
        "select pid, address, port from listening_ports where protocol = 6",
        (
            "select name, address, port from listening_ports join processes using (pid) "
            "where port = 22"
        ),
        "select pid, path from listening_ports where family = 1",
    ],
):
    """Sockets without a peer's port, one row for each descriptor that holds one.

    As in osquery these are all sockets that listen, UDP and raw sockets that have no peer, unix
    sockets that have a path (the accepted ends of their connections among them) and packet
    sockets.
    """

    pid = like(Sockets.pid)
    port = integer(
        "Own port; of raw sockets the number of the IP protocol, of ping sockets their identifier; "
        "0 for unix and packet sockets.",
        source="idiag_sport",
        get=sockets.local_port,
        push=EQUAL,
        index=True,
    )
    protocol = like(Sockets.protocol, push=0)
    family = like(Sockets.family)
    address = text(
        "Own address; NULL for unix sockets, empty for packet sockets.",
        source="idiag_src",
        get=lambda held: None if _is_unix(held) else sockets.local_address(held),
    )
    fd = like(Sockets.fd, declared="BIGINT")
    socket = bigint(
        "Inode of the socket, as in socket:[N]; 0 for none, and for unix sockets.",
        source="idiag_inode",
        get=lambda held: 0 if _is_unix(held) else sockets.socket(held),
    )
    path = text(
        "Path of a unix socket, with @ before an abstract name; NULL for other sockets.",
        source="UNIX_DIAG_NAME",
        get=lambda held: sockets.path(held) if _is_unix(held) else None,
    )
    net_namespace = like(Sockets.net_namespace)

    def records(self, request: Request, host: Host) -> Iterator[Held]:
        for held in sockets.read(request, host, *_queries(request, host)):
            if not sockets.remote_port(held) and (not _is_unix(held) or sockets.path(held)):
                yield held

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return sockets.estimate(request, host, *_queries(request, host))


TABLE = ListeningPorts()
