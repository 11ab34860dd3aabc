"""Getters for cells that are in the attributes of a socket."""

from __future__ import annotations

from struct import Struct

from sockql.request import MAXIMUM
from sockql.sockets.record import ATTRIBUTES, ORIGIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from sockql.schema import Getter
    from sockql.sockets.record import SocketRecord

_U16: Final = Struct("=H")
_U32: Final = Struct("=I")
_U64: Final = Struct("=Q")


def attribute(r: SocketRecord, number: int) -> bytes | None:
    """The payload of an attribute, None where the socket has none of this number."""
    return r[ORIGIN].attributes[r[ATTRIBUTES]].get(number)  # type: ignore[no-any-return]


def byte(number: int, offset: int = 0) -> Getter:
    """The u8 at ``offset`` of an attribute; NULL where a kernel sends less."""

    def get(r: SocketRecord) -> int | None:
        raw = attribute(r, number)
        return raw[offset] if raw is not None and len(raw) > offset else None

    return get


def _fixed(layout: Struct, number: int, offset: int) -> Getter:
    end = offset + layout.size
    unpack = layout.unpack_from

    def get(r: SocketRecord) -> int | None:
        raw = attribute(r, number)
        if raw is None or len(raw) < end:
            return None
        value: int = unpack(raw, offset)[0]
        return value if value <= MAXIMUM else None

    return get


def half(number: int, offset: int = 0) -> Getter:
    """The u16 at ``offset`` of an attribute; NULL where a kernel sends less."""
    return _fixed(_U16, number, offset)


def word(number: int, index: int = 0) -> Getter:
    """The u32 with this index in an attribute; NULL where a kernel sends fewer of them."""
    return _fixed(_U32, number, 4 * index)


def long(number: int, offset: int = 0) -> Getter:
    """The u64 at ``offset``; NULL where a kernel sends less, and from 2^63 on."""
    return _fixed(_U64, number, offset)


def flags(get: Getter, names: Sequence[str]) -> Getter:
    """The names of the bits that are set, the lowest first, joined by commas; NULL for none."""

    def joined(r: SocketRecord) -> str | None:
        value = get(r)
        if not isinstance(value, int):
            return None
        return ",".join([name for bit, name in enumerate(names) if value >> bit & 1]) or None

    return joined
