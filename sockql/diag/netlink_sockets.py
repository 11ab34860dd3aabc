"""sock_diag of netlink sockets: the request, and the decoder from datagrams to records.

The kernel lists a socket with multicast groups twice, in its hash table and in the list of the
groups' members: whoever takes the records has to make them unique by cookie.

Source: include/uapi/linux/netlink_diag.h, net/netlink/diag.c.
"""

from __future__ import annotations

from struct import Struct

from sockql.diag.inet import SOCK_DIAG_BY_FAMILY
from sockql.diag.messages import broken, kernel_request, memory
from sockql.diag.netlink import answers, attributes
from sockql.sockets.names import NETLINK_PROTOCOLS
from sockql.sockets.record import NETLINK_MASK, NETLINK_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from sockql.request import Request
    from sockql.sockets.record import Origin, SocketRecord

AF_NETLINK: Final = 16
SOCKTYPES: Final = {2: "dgram", 3: "raw"}
_ALL_PROTOCOLS: Final = 255

# struct netlink_diag_req: family, protocol, ino, show, cookie.
_REQUEST: Final = Struct("=BBxxIIII")
# struct nlmsghdr; family, type, protocol, state, portid, dst_portid, dst_group, ino, cookie of
# struct netlink_diag_msg.
_MESSAGE: Final = Struct("=16xBBBBIIIIq")
_MEMINFO: Final = 0


def dump_requests(request: Request) -> list[bytes]:
    """A request for all netlink sockets."""
    show = (request.needs & NETLINK_MASK) >> NETLINK_SHIFT
    body = _REQUEST.pack(AF_NETLINK, _ALL_PROTOCOLS, 0, show, 0xFFFFFFFF, 0xFFFFFFFF)
    return [kernel_request(body)]


def describe(request: Request) -> str:
    """The same for people."""
    return f"sock_diag netlink show={(request.needs & NETLINK_MASK) >> NETLINK_SHIFT:#04x}"


def decode(
    view: memoryview, origin: Callable[[str, str | None, str], Origin], request: str
) -> Iterator[SocketRecord]:
    """The records of one datagram; from NUMBER on: protocol, portid, dst_portid, dst_group.

    :raises KernelRefused: when the datagram ends in an errno; ``request`` names what was asked.
    :raises ParseError: when it is not laid out as documented.
    """
    for start, end in answers(view, SOCK_DIAG_BY_FAMILY, request):
        if end - start < _MESSAGE.size:
            raise broken(request, view, start, end, "a netlink socket")
        family, type, protocol, state, *ports, inode, cookie = _MESSAGE.unpack_from(view, start)
        if family != AF_NETLINK or type not in SOCKTYPES:
            raise broken(request, view, start, end, "a netlink socket")
        raw = bytes(view[start + _MESSAGE.size : end])
        received, sent = memory(attributes(raw).get(_MEMINFO))
        yield (
            origin("netlink", NETLINK_PROTOCOLS.get(protocol), SOCKTYPES[type]),
            *(state, 0, 0, 0, 0, None, None, 0),
            *(cookie, 0, received, sent, None, inode, raw, protocol, *ports),
        )
