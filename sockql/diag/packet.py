"""sock_diag of packet sockets: the request, and the decoder from datagrams to records.

Source: include/uapi/linux/packet_diag.h, net/packet/diag.c.
"""

from __future__ import annotations

from struct import Struct

from sockql.diag.inet import SOCK_DIAG_BY_FAMILY
from sockql.diag.messages import broken, kernel_request, memory, u32
from sockql.diag.netlink import answers, attributes
from sockql.sockets.names import ETHERTYPES
from sockql.sockets.record import PACKET_MASK, PACKET_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from sockql.request import Request
    from sockql.sockets.record import Origin, SocketRecord

AF_PACKET: Final = 17
#: Names of socktypes by their number; SOCK_PACKET is the one of Linux 2.0.
SOCKTYPES: Final = {2: "dgram", 3: "raw", 10: "packet"}

# struct packet_diag_req: family, protocol, ino, show, cookie.
_REQUEST: Final = Struct("=BBxxIIII")
# struct nlmsghdr; family, type, num, ino, cookie of struct packet_diag_msg.
_MESSAGE: Final = Struct("=16xBBHIq")

_INFO: Final = 0
_UID: Final = 5
_MEMINFO: Final = 6


def dump_requests(request: Request) -> list[bytes]:
    """A request for all packet sockets."""
    show = (request.needs & PACKET_MASK) >> PACKET_SHIFT
    return [kernel_request(_REQUEST.pack(AF_PACKET, 0, 0, show, 0xFFFFFFFF, 0xFFFFFFFF))]


def describe(request: Request) -> str:
    """The same for people."""
    return f"sock_diag packet show={(request.needs & PACKET_MASK) >> PACKET_SHIFT:#04x}"


def decode(
    view: memoryview, origin: Callable[[str, str | None, str], Origin], request: str
) -> Iterator[SocketRecord]:
    """The records of one datagram; NUMBER is the ethertype, 0 for a socket that receives none.

    :raises KernelRefused: when the datagram ends in an errno; ``request`` names what was asked.
    :raises ParseError: when it is not laid out as documented.
    """
    for start, end in answers(view, SOCK_DIAG_BY_FAMILY, request):
        if end - start < _MESSAGE.size:
            raise broken(request, view, start, end, "a packet socket")
        family, type, ethertype, inode, cookie = _MESSAGE.unpack_from(view, start)
        if family != AF_PACKET or type not in SOCKTYPES:
            raise broken(request, view, start, end, "a packet socket")
        raw = bytes(view[start + _MESSAGE.size : end])
        found = attributes(raw)
        received, sent = memory(found.get(_MEMINFO))
        yield (
            origin("packet", ETHERTYPES.get(ethertype), SOCKTYPES[type]),
            *(0, 0, 0, 0, 0, None, None),
            u32(found.get(_INFO)) or 0,
            *(cookie, 0, received, sent),
            u32(found.get(_UID)),
            *(inode, raw, ethertype),
        )
