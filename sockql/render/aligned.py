"""Aligned columns for people: the table of the terminal and that of Markdown.

tabulate takes 60 ms to import and 80-160 us a row, which is why these two formats do without it.
Widths come from the first rows; a longer cell later on pushes its own row to the right, and
nothing is ever cut.
"""

from __future__ import annotations

from sockql.command.terminal import display, escape, width
from sockql.render.writers import Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from sockql.render.writers import Row

#: What Markdown may take for something else; a backslash before it makes it itself.
_MARKUP: Final = {ord(character): "\\" + character for character in "\\`*[<|&"}


class Aligned(Writer):
    """Columns two blanks apart under a ruled line of names; numbers to the right, NULL empty."""

    lookahead = 1000  # rows that widths are taken from: more than a person reads
    widest = 100  # a column is padded to no more, so that one long cell does not push all rows
    left, gap, right = "", "  ", ""

    def head(self, rows: Sequence[Row]) -> str:
        names = [self.text(name) for name in self.columns]
        cells = [[self.text(cell) for cell in row] for row in rows]
        lists = list(zip(*cells)) or [()] * len(names)
        if not self.header:
            names = [""] * len(names)
        self._widths = [
            min(self.widest, max(self.least, width(name), *map(width, column)))
            for name, column in zip(names, lists)
        ]
        self._numeric = [numeric(column) for column in zip(*rows)] or [False] * len(names)
        # Plain rows go through one % operation each.
        self._template = self.frame(
            [
                f"%{size}s" if numeric else f"%-{size}s"
                for size, numeric in zip(self._widths, self._numeric)
            ]
        )
        if not self.header:
            return ""
        return f"{self._line(names)}\n{self.rule()}\n"

    least = 0

    def frame(self, cells: Sequence[str]) -> str:
        """Padded cells as a row."""
        return self.left + self.gap.join(cells) + self.right

    def rule(self) -> str:
        """The line below the names."""
        return self.frame(["-" * size for size in self._widths])

    def text(self, cell: Any) -> str:
        """A cell, made safe for the format."""
        return display(cell)

    def plain(self, line: str) -> bool:
        """Whether a row needs no care: ASCII that can be printed as it is."""
        return line.isascii() and line.isprintable()

    def body(self, rows: Sequence[Row]) -> str:
        template, plain = self._template, self.plain
        lines = []
        for row in rows:
            if None in row:
                row = tuple(["" if cell is None else cell for cell in row])
            line = template % row
            if not plain(line) or "b'" in line or 'b"' in line:
                line = self._line([self.text(cell) for cell in row])
            lines.append(line.rstrip())
        return "\n".join(lines) + "\n"

    def _line(self, cells: Sequence[str]) -> str:
        padded = []
        for cell, size, numeric in zip(cells, self._widths, self._numeric):
            blanks = " " * (size - width(cell))
            padded.append(blanks + cell if numeric else cell + blanks)
        return self.frame(padded).rstrip()


class Markdown(Aligned):
    """A table of GitHub Flavored Markdown; what would be markup in a cell is escaped.

    Source: https://github.github.com/gfm/#tables-extension-
    """

    left, gap, right = "| ", " | ", " |"
    least = 3

    def rule(self) -> str:
        return self.frame(
            [
                "-" * (size - 1) + ":" if numeric else "-" * size
                for size, numeric in zip(self._widths, self._numeric)
            ]
        )

    def text(self, cell: Any) -> str:
        if cell.__class__ is str:
            return escape(cell.translate(_MARKUP))
        return display(cell)

    def plain(self, line: str) -> bool:
        if not line.isprintable() or not line.isascii():
            return False
        if line.count("|") != len(self.columns) + 1:
            return False
        return not any(character in line for character in "\\`*[<&")


def numeric(column: Sequence[Any]) -> bool:
    """Whether a column has numbers, and nothing else but NULL."""
    kinds = {cell.__class__ for cell in column} - {None.__class__}
    return bool(kinds) and kinds <= {int, float}
