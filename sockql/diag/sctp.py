"""SCTP in sock_diag: endpoints and their associations, which are rows of their own.

Source: include/uapi/linux/sctp.h, net/sctp/diag.c.
"""

from __future__ import annotations

from struct import Struct

from sockql.diag.inet import FAMILIES, INET_DIAG_INFO, INET_DIAG_PEERS, SOCK_DIAG_BY_FAMILY
from sockql.diag.inet import decode as decode_inet
from sockql.diag.messages import inet_requests
from sockql.diag.netlink import attributes
from sockql.sockets.record import ASSOCIATION, ATTRIBUTES, EXT_INFO, EXT_MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from sockql.request import Request
    from sockql.sockets.record import Origin, SocketRecord

# sctpi_s_type of struct sctp_info: enum sctp_socket_type of include/net/sctp/structs.h.
_TYPE: Final = Struct("=I")
_TYPE_OFFSET: Final = 360
_END: Final = _TYPE_OFFSET + _TYPE.size
_ONE_TO_ONE: Final = 2


def dump_requests(request: Request) -> list[bytes]:
    """Requests for the SCTP sockets of both families, in all states.

    The kernel compares states of endpoints, and tells those of associations.
    """
    return inet_requests(request, "sctp", {}, EXT_INFO)


def describe(request: Request) -> str:
    """The same for people."""
    return f"sock_diag inet+inet6/sctp ext={request.needs & EXT_MASK | EXT_INFO:#04x}"


def decode(
    view: memoryview, origin: Callable[[str, str | None, str], Origin], request: str
) -> Iterator[SocketRecord]:
    """The records of one datagram, an association with the number of its state in SCTP_STATES.

    An association is told by the list of its peer's addresses.

    :raises KernelRefused: when the datagram ends in an errno; ``request`` names what was asked.
    :raises ParseError: when it is not laid out as documented.
    """
    origins = {number: origin(name, "sctp", "stream") for name, number in FAMILIES.items()}
    for record in decode_inet(view, SOCK_DIAG_BY_FAMILY, origins, request):
        found = attributes(record[ATTRIBUTES])
        info = found.get(INET_DIAG_INFO, b"")
        one, state, *rest = record
        if INET_DIAG_PEERS in found:
            state += ASSOCIATION
        if len(info) >= _END and _TYPE.unpack_from(info, _TYPE_OFFSET)[0] != _ONE_TO_ONE:
            one = origin(one.family, "sctp", "seqpacket")
        yield (one, state, *rest)
