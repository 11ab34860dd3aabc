"""Rows for people, made to fit the terminal: what is too long is cut, and shown to be."""

from __future__ import annotations

from sockql.command.terminal import display, escape, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from sockql.render.writers import Row

#: Columns of a cell that are shown of a long text.
WIDEST: Final = 80
#: A cell is not cut to less than this to make a row fit the terminal.
LEAST: Final = 12


def fitted(
    columns: Sequence[str], rows: Sequence[Row], room: int | None
) -> tuple[tuple[str, ...], list[Row]]:
    """The columns and rows as they are shown in lines of less than ``room``; None for no limit.

    Where the rows are too long, columns without a value in any of them are left out; then texts
    are cut, the longest first, as far as that can be done.
    """
    names, widths = tuple(columns), _widths(columns, rows)
    if room is not None and _line(widths) >= room:
        kept = [i for i in range(len(names)) if any(row[i] is not None for row in rows)]
        names = tuple(names[i] for i in kept)
        rows = [tuple(row[i] for i in kept) for row in rows]
        widths = [widths[i] for i in kept]
    texts = [i for i in range(len(widths)) if any(isinstance(row[i], str) for row in rows)]
    while texts and room is not None and _line(widths) >= room:
        widest = max(texts, key=widths.__getitem__)
        if widths[widest] <= LEAST:
            break
        widths[widest] -= 1
    return names, [tuple(map(_cut, row, widths)) for row in rows]


def fits(columns: Sequence[str], rows: Sequence[Row], room: int) -> bool:
    """Whether the rows can be shown in lines of less than ``room`` with nothing cut."""
    return _line(_widths(columns, rows)) < room


def _line(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * len(widths)  # two blanks before each column


def _widths(columns: Sequence[str], rows: Sequence[Row]) -> list[int]:
    return [
        min(WIDEST, max(width(escape(name)), *(width(display(row[i])) for row in rows), 0))
        for i, name in enumerate(columns)
    ]


def _cut(cell: object, columns: int) -> object:
    """A text that takes no more than so many columns."""
    if not isinstance(cell, str) or width(text := escape(cell)) <= columns:
        return cell
    while width(text) >= columns:
        text = text[: columns - 1] if len(text) >= columns else text[:-1]
    return text + "…"
