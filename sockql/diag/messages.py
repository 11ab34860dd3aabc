"""What the decoders of the smaller families of sock_diag have in common."""

from __future__ import annotations

from struct import Struct

from sockql.diag.inet import ALL_STATES, FAMILIES, PROTOCOLS, SOCK_DIAG_BY_FAMILY, dump_request
from sockql.diag.netlink import HEADER, NLM_F_DUMP, NLM_F_REQUEST, message
from sockql.errors import ParseError
from sockql.sockets.record import EXT_MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from sockql.request import Request

_U32: Final = Struct("=I")
_MEMORY: Final = Struct("=I4xI")  # SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_WMEM_ALLOC


def kernel_request(body: bytes) -> bytes:
    """The netlink message that asks for a dump."""
    return message(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, body)


def inet_requests(
    request: Request, protocol: str, states: Mapping[int, str], ext: int = 0
) -> list[bytes]:
    """Requests for the inet and the inet6 sockets of a protocol, as far as they are asked for.

    ``states`` has the names of the states that the kernel compares; empty: it compares none.
    ``ext`` has bits that are needed whatever is asked for.
    """
    wanted, families = request.values("state"), request.values("family")
    mask = ALL_STATES
    if wanted is not None and states:
        mask = sum(1 << number for number, name in states.items() if name in wanted)
    return [
        dump_request(number, PROTOCOLS[protocol], mask, ext=request.needs & EXT_MASK | ext)
        for family, number in FAMILIES.items()
        if families is None or family in families
    ]


def u32(raw: bytes | None, offset: int = 0) -> int | None:
    """The u32 at ``offset``; None where there is less."""
    if raw is None or len(raw) < offset + _U32.size:
        return None
    value: int = _U32.unpack_from(raw, offset)[0]
    return value


def memory(raw: bytes | None) -> tuple[int | None, int | None]:
    """Memory of what was received and of what is sent, from an array of SK_MEMINFO_*."""
    if raw is None or len(raw) < _MEMORY.size:
        return None, None
    received, sent = _MEMORY.unpack_from(raw)
    return received, sent


def broken(request: str, view: memoryview, start: int, end: int, expected: str) -> ParseError:
    """The error for a message that is not ``expected``."""
    quoted = view[start : min(end, start + HEADER.size + 32)].hex(" ")
    return ParseError(f"{request}: message at offset {start}: expected {expected}: {quoted}")
