"""sock_diag of AF_XDP sockets: the request, and the decoder from datagrams to records.

Source: include/uapi/linux/xdp_diag.h, net/xdp/xsk_diag.c.
"""

from __future__ import annotations

from struct import Struct

from sockql.diag.inet import SOCK_DIAG_BY_FAMILY
from sockql.diag.messages import broken, kernel_request, u32
from sockql.diag.netlink import answers, attributes
from sockql.sockets.record import XDP_MASK, XDP_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from sockql.request import Request
    from sockql.sockets.record import Origin, SocketRecord

AF_XDP: Final = 44
SOCKTYPES: Final = {3: "raw"}

# struct xdp_diag_req: family, protocol, ino, show, cookie.
_REQUEST: Final = Struct("=BBxxIIII")
# struct nlmsghdr; family, type, ino, cookie of struct xdp_diag_msg.
_MESSAGE: Final = Struct("=16xBBxxIq")
_INFO: Final = 1
_UID: Final = 2


def dump_requests(request: Request) -> list[bytes]:
    """A request for all XDP sockets."""
    show = (request.needs & XDP_MASK) >> XDP_SHIFT
    return [kernel_request(_REQUEST.pack(AF_XDP, 0, 0, show, 0xFFFFFFFF, 0xFFFFFFFF))]


def describe(request: Request) -> str:
    """The same for people."""
    return f"sock_diag xdp show={(request.needs & XDP_MASK) >> XDP_SHIFT:#04x}"


def decode(
    view: memoryview, origin: Callable[[str, str | None, str], Origin], request: str
) -> Iterator[SocketRecord]:
    """The records of one datagram.

    :raises KernelRefused: when the datagram ends in an errno; ``request`` names what was asked.
    :raises ParseError: when it is not laid out as documented.
    """
    for start, end in answers(view, SOCK_DIAG_BY_FAMILY, request):
        if end - start < _MESSAGE.size:
            raise broken(request, view, start, end, "an XDP socket")
        family, type, inode, cookie = _MESSAGE.unpack_from(view, start)
        if family != AF_XDP or type not in SOCKTYPES:
            raise broken(request, view, start, end, "an XDP socket")
        raw = bytes(view[start + _MESSAGE.size : end])
        found = attributes(raw)
        yield (
            origin("xdp", None, SOCKTYPES[type]),
            *(0, 0, 0, 0, 0, None, None),
            u32(found.get(_INFO)) or 0,
            *(cookie, 0, None, None, u32(found.get(_UID)), inode, raw),
        )
