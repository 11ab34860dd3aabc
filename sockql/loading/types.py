"""The types of columns whose cells are texts: INTEGER, REAL or TEXT, as sqlite-utils finds them.

But for numbers that would not be the same any more: with leading zeros (a mode, the start of a hash),
and whole ones that SQLite's integers have no room for.  Their columns are TEXT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sockql.request import MAXIMUM, MINIMUM
from sockql.schema import INTEGER, REAL, TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sockql.schema import Value

#: Rows that are looked at together, column by column.
_BATCH: Final = 4096


def types(width: int, rows: Iterable[Sequence[Value]]) -> list[str]:
    """The type of each of ``width`` columns, from all cells of ``rows``: texts, and None for NULL."""
    found = [_Column() for _ in range(width)]
    for batch in _batches(rows):
        for column, cells in zip(found, zip(*batch)):
            column.add([cell for cell in cells if cell is not None])
    return [column.type for column in found]


def _batches(rows: Iterable[Sequence[Value]]) -> Iterator[list[Sequence[Value]]]:
    from itertools import islice

    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


class _Column:
    """What the cells of a column may be, so far."""

    def __init__(self) -> None:
        self._filled = False
        self._integers = True
        self._numbers = True
        self._fits = True

    @property
    def type(self) -> str:
        if not self._filled or not self._numbers:
            return TEXT
        if not self._integers:
            return REAL
        return INTEGER if self._fits else TEXT

    def add(self, cells: list[Value]) -> None:
        """Look at some cells, none of them None."""
        if not cells or not self._numbers:
            return
        self._filled = True
        texts = [cell for cell in cells if isinstance(cell, str)]
        if any(text[0] == "0" and text[1:2].isdigit() for text in texts):
            self._numbers = False
            return
        if self._integers:
            try:
                numbers = list(map(int, texts))
            except ValueError:
                self._integers = False
            else:
                self._fits = self._fits and MINIMUM <= min(numbers) <= max(numbers) <= MAXIMUM
                return
        try:
            for _ in map(float, texts):
                pass
        except ValueError:
            self._numbers = False
