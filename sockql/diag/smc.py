"""sock_diag of SMC sockets: the request, and the decoder from datagrams to records.

Source: include/uapi/linux/smc_diag.h, net/smc/smc_diag.c.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6
from struct import Struct

from sockql.diag.inet import SOCK_DIAG_BY_FAMILY
from sockql.diag.messages import broken, kernel_request
from sockql.diag.netlink import answers, attribute
from sockql.sockets.record import SMC_MASK, SMC_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from sockql.request import Request
    from sockql.sockets.record import Origin, SocketRecord

AF_SMC: Final = 43
_FAMILIES: Final = {int(AF_INET): "inet", int(AF_INET6): "inet6"}
_SHUTDOWN: Final = 3  # SMC_DIAG_SHUTDOWN

# struct smc_diag_req: family, ext, id.
_REQUEST: Final = Struct("=BxxB48x")
# struct nlmsghdr; family, state, mode, shutdown, the id, uid and inode of struct smc_diag_msg.
_MESSAGE: Final = Struct("=16xBBBBHH16s16sIqIQ")


def dump_requests(request: Request) -> list[bytes]:
    """A request for all SMC sockets."""
    return [kernel_request(_REQUEST.pack(AF_SMC, (request.needs & SMC_MASK) >> SMC_SHIFT))]


def describe(request: Request) -> str:
    """The same for people."""
    return f"sock_diag smc ext={(request.needs & SMC_MASK) >> SMC_SHIFT:#04x}"


def decode(
    view: memoryview, origin: Callable[[str, str | None, str], Origin], request: str
) -> Iterator[SocketRecord]:
    """The records of one datagram; NUMBER is the mode.

    :raises KernelRefused: when the datagram ends in an errno; ``request`` names what was asked.
    :raises ParseError: when it is not laid out as documented.
    """
    for start, end in answers(view, SOCK_DIAG_BY_FAMILY, request):
        if end - start < _MESSAGE.size:
            raise broken(request, view, start, end, "an SMC socket")
        family, state, mode, shutdown, *id, uid, inode = _MESSAGE.unpack_from(view, start)
        if family not in _FAMILIES:
            raise broken(request, view, start, end, "an SMC socket")
        sport, dport, src, dst, interface, cookie = id
        raw = attribute(_SHUTDOWN, bytes((shutdown,))) + bytes(view[start + _MESSAGE.size : end])
        yield (
            origin(_FAMILIES[family], "smc", "stream"),
            *(state, 0, 0, sport, dport, src, dst, interface, cookie),
            *(0, None, None, uid, inode, raw, mode),
        )
