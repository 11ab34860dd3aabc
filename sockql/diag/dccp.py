"""sock_diag of DCCP sockets, which is that of TCP with another protocol.

Source: net/dccp/diag.c (until Linux 6.15).
"""

from __future__ import annotations

from sockql.diag.inet import FAMILIES, SOCK_DIAG_BY_FAMILY
from sockql.diag.inet import decode as decode_inet
from sockql.diag.messages import inet_requests
from sockql.sockets.record import EXT_MASK, TCP_STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sockql.request import Request
    from sockql.sockets.record import Origin, SocketRecord


def dump_requests(request: Request) -> list[bytes]:
    """Requests for the DCCP sockets of both families."""
    return inet_requests(request, "dccp", TCP_STATES)


def describe(request: Request) -> str:
    """The same for people."""
    return f"sock_diag inet+inet6/dccp ext={request.needs & EXT_MASK:#04x}"


def decode(
    view: memoryview, origin: Callable[[str, str | None, str], Origin], request: str
) -> Iterable[SocketRecord]:
    """The records of one datagram.

    :raises KernelRefused: when the datagram ends in an errno; ``request`` names what was asked.
    :raises ParseError: when it is not laid out as documented.
    """
    origins = {number: origin(name, "dccp", "dccp") for name, number in FAMILIES.items()}
    return decode_inet(view, SOCK_DIAG_BY_FAMILY, origins, request)
