"""sock_diag of TIPC sockets: the request, and the decoder from datagrams to records.

Source: include/uapi/linux/tipc_sockets_diag.h and tipc_netlink.h, tipc_sk_fill_sock_diag() in
net/tipc/socket.c.
"""

from __future__ import annotations

from struct import Struct

from sockql.diag.inet import ALL_STATES, SOCK_DIAG_BY_FAMILY
from sockql.diag.messages import broken, kernel_request, u32
from sockql.diag.netlink import HEADER, answers, attributes
from sockql.sockets.record import WIDE, signed_cookie

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from sockql.request import Request
    from sockql.sockets.record import Origin, SocketRecord

AF_TIPC: Final = 30
SOCKTYPES: Final = {1: "stream", 2: "dgram", 4: "rdm", 5: "seqpacket"}

# struct tipc_sock_diag_req: family, protocol, states.
_REQUEST: Final = Struct("=BBxxI")
_COOKIE: Final = Struct("=q")
_SOCK: Final = 2  # TIPC_NLA_SOCK, the attribute that has all the others
# TIPC_NLA_SOCK_*.
_ADDR, _REF, _CON, _STAT, _TYPE, _INO, _UID, _STATE, _COOKIE_NUMBER = 1, 2, 3, 5, 6, 7, 8, 9, 10
# TIPC_NLA_CON_* and TIPC_NLA_SOCK_STAT_*.
_NODE, _PORT = 2, 3
_RCVQ, _SENDQ = 1, 2


def dump_requests(_request: Request) -> list[bytes]:
    """A request for all TIPC sockets."""
    return [kernel_request(_REQUEST.pack(AF_TIPC, 0, ALL_STATES))]


def describe(_request: Request) -> str:
    """The same for people."""
    return "sock_diag tipc"


def decode(
    view: memoryview, origin: Callable[[str, str | None, str], Origin], request: str
) -> Iterator[SocketRecord]:
    """The records of one datagram; addresses are node ids in hexadecimal.

    :raises KernelRefused: when the datagram ends in an errno; ``request`` names what was asked.
    :raises ParseError: when it is not laid out as documented.
    """
    for start, end in answers(view, SOCK_DIAG_BY_FAMILY, request):
        raw = attributes(view[start + HEADER.size : end]).get(_SOCK)
        found = attributes(raw) if raw is not None else {}
        type, cookie = u32(found.get(_TYPE)), found.get(_COOKIE_NUMBER)
        if raw is None or type not in SOCKTYPES or cookie is None or len(cookie) < _COOKIE.size:
            raise broken(request, view, start, end, "a TIPC socket")
        peer = attributes(found.get(_CON, b""))
        queues = attributes(found.get(_STAT, b""))
        node, port = u32(found.get(_ADDR)), u32(found.get(_REF))
        peer_node, peer_port = u32(peer.get(_NODE)), u32(peer.get(_PORT))
        yield (
            origin("tipc", None, SOCKTYPES[type]),
            u32(found.get(_STATE)) or 0,
            *(0, 0),
            WIDE + port if port else 0,
            WIDE + peer_port if peer_port else 0,
            f"{node:x}" if node is not None else None,
            f"{peer_node:x}" if peer_node is not None else None,
            0,
            signed_cookie(_COOKIE.unpack_from(cookie)[0]),
            0,
            u32(queues.get(_RCVQ)),
            u32(queues.get(_SENDQ)),
            u32(found.get(_UID)),
            u32(found.get(_INO)) or 0,
            raw,
        )
