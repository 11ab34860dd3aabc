"""sock_diag of vsock sockets: the request, and the decoder from datagrams to records.

Source: include/uapi/linux/vm_sockets_diag.h, net/vmw_vsock/diag.c.
"""

from __future__ import annotations

from struct import Struct

from sockql.diag.inet import ALL_STATES, INET_DIAG_SHUTDOWN, SOCK_DIAG_BY_FAMILY
from sockql.diag.messages import broken, kernel_request
from sockql.diag.netlink import answers, attribute
from sockql.sockets.record import WIDE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from sockql.request import Request
    from sockql.sockets.record import Origin, SocketRecord

AF_VSOCK: Final = 40
SOCKTYPES: Final = {1: "stream", 2: "dgram", 5: "seqpacket"}
_ANY: Final = 0xFFFFFFFF  # VMADDR_CID_ANY, VMADDR_PORT_ANY

# struct vsock_diag_req: family, protocol, states, ino, show, cookie.
_REQUEST: Final = Struct("=BBxxIIIII")
# struct nlmsghdr; family, type, state, shutdown, src_cid, src_port, dst_cid, dst_port, ino and
# cookie of struct vsock_diag_msg.
_MESSAGE: Final = Struct("=16xBBBBIIIIIq")


def dump_requests(_request: Request) -> list[bytes]:
    """A request for all vsock sockets."""
    return [kernel_request(_REQUEST.pack(AF_VSOCK, 0, ALL_STATES, 0, 0, 0, 0))]


def describe(_request: Request) -> str:
    """The same for people."""
    return "sock_diag vsock"


def decode(
    view: memoryview, origin: Callable[[str, str | None, str], Origin], request: str
) -> Iterator[SocketRecord]:
    """The records of one datagram; addresses are context ids, ``*`` for any.

    :raises KernelRefused: when the datagram ends in an errno; ``request`` names what was asked.
    :raises ParseError: when it is not laid out as documented.
    """
    for start, end in answers(view, SOCK_DIAG_BY_FAMILY, request):
        if end - start < _MESSAGE.size:
            raise broken(request, view, start, end, "a vsock socket")
        message = _MESSAGE.unpack_from(view, start)
        family, type, state, shutdown, src, sport, dst, dport, inode, cookie = message
        if family != AF_VSOCK or type not in SOCKTYPES:
            raise broken(request, view, start, end, "a vsock socket")
        yield (
            origin("vsock", None, SOCKTYPES[type]),
            *(state, 0, 0),
            0 if sport == _ANY else WIDE + sport,
            0 if dport == _ANY else WIDE + dport,
            "*" if src == _ANY else str(src),
            None if dst == _ANY else str(dst),
            *(0, cookie, 0, None, None, None, inode),
            attribute(INET_DIAG_SHUTDOWN, bytes((shutdown,))),
        )
