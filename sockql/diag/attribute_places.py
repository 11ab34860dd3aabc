"""Where one attribute lies among others, found without taking all of them apart.

The sockets of a dump mostly have the same attributes of the same lengths, only their payloads
differ.  So it is enough to compare the headers up to the wanted one with those of a socket before:
0.3 µs instead of 3 µs for a dict of all attributes.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from sockql.errors import ParseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

_HEADER: Final = Struct("=HH")  # nla_len, nla_type
_NLA_TYPE_MASK: Final = 0x3FFF


def nowhere(_raw: bytes) -> tuple[int, int]:
    """The place of an attribute that a kind of socket does not have."""
    return 0, 0


class Places:
    """The places of the attribute ``number`` in raw attributes, learned as they come."""

    __slots__ = ("_known", "_number")

    def __init__(self, number: int) -> None:
        self._number = number
        # By the length of everything: how to read the headers, what they were, the place.
        self._known: dict[int, tuple[Callable[[bytes], Any], Any, tuple[int, int]]] = {}

    def find(self, raw: bytes) -> tuple[int, int]:
        """``(start, length)`` of the payload; (0, 0) when there is no such attribute.

        :raises ParseError: at an attribute shorter than its header or longer than what is left.
        """
        known = self._known.get(len(raw))
        if known is not None and known[0](raw) == known[1]:
            return known[2]
        return self._walk(raw)

    def _walk(self, raw: bytes) -> tuple[int, int]:
        layout = []
        place = (0, 0)
        offset, total = 0, len(raw)
        while offset < total:
            length = type = 0
            if total - offset >= _HEADER.size:
                length, type = _HEADER.unpack_from(raw, offset)
            if not _HEADER.size <= length <= total - offset:
                quoted = raw[offset : offset + 16].hex(" ")
                raise ParseError(f"netlink attribute at offset {offset}: length {length}: {quoted}")
            if type & _NLA_TYPE_MASK == self._number:
                layout.append("I")
                place = offset + _HEADER.size, length - _HEADER.size
                break
            padded = min((length + 3) & ~3, total - offset)
            layout.append(f"I{padded - _HEADER.size}x")
            offset += padded
        unpack = _unpacker("=" + "".join(layout))
        self._known[total] = unpack, unpack(raw), place
        return place


@lru_cache(maxsize=256)
def _unpacker(layout: str) -> Callable[[bytes], Any]:
    return Struct(layout).unpack_from
