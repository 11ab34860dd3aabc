"""The screen of ``sockql watch`` as text: what is on each of its lines.

Pure: a :class:`View` is given rounds and keys, and makes frames of any size.
"""

from __future__ import annotations

from time import localtime, strftime
from typing import TYPE_CHECKING, Final

from sockql.command.terminal import display, escape, width
from sockql.render.aligned import numeric
from sockql.shell.screen import fit, shorten
from sockql.watch.differ import ADDED, CHANGED, REMOVED, SAME
from sockql.watch.lines import summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockql.watch.differ import Line
    from sockql.watch.rounds import Round

#: What the keys do, for the last line and for the manual page.
KEYS: Final = (
    ("q", "quit"),
    ("p", "pause, and go on"),
    ("arrows, PgUp, PgDn, Home, End", "scroll"),
)

_MARKS: Final = {SAME: "  ", ADDED: "+ ", REMOVED: "- ", CHANGED: "~ "}
_PLAIN: Final = "\x1b[0m"
_BOLD: Final = "\x1b[1m"
_DIM: Final = "\x1b[2m"
_REVERSE: Final = "\x1b[7m"

#: Rows that the widths of columns are taken from, besides those on the screen.
_MEASURED: Final = 1000
#: What a column that has to be cut is cut to at least, and at most where not all of them fit.
_LEAST: Final = 8
_MOST: Final = 40
#: Columns of the screen that one arrow to the side goes.
_STEP: Final = 8
#: Lines that are not rows: what is done, the SQL, the names of the columns, the keys.
_AROUND: Final = 4


class View:
    """What of the rounds is to be seen."""

    def __init__(self, sql: str, interval: float, *, colours: bool) -> None:
        self.paused = False
        #: What is being collected, while that takes long.
        self.progress = ""
        self._sql = escape(" ".join(sql.split()))
        self._interval = interval
        self._styles = {
            ADDED: "\x1b[32m" if colours else _BOLD,
            REMOVED: "\x1b[31m" if colours else _DIM,
        }
        self._round: Round | None = None
        self._failed: Round | None = None
        self._widest: list[int] = []
        self._right: list[bool] = []
        self._top = 0
        self._left = 0
        self._page = 1

    def take(self, found: Round) -> None:
        """Show another round; one that failed leaves the rows of the last on the screen."""
        if found.error is not None:
            self._failed = found
            return
        self._failed = None
        self._round = found
        names = [escape(name) for name in found.columns]
        if not self._widest:
            self._widest = list(map(width, names))
        rows = [line.row for line in found.lines]
        self._right = [numeric(column) for column in zip(*rows)] or [False] * len(names)
        self._measure(found.lines[:_MEASURED])

    def _measure(self, lines: Sequence[Line]) -> None:
        """Columns grow, and never shrink: a table that jumps cannot be read."""
        for line in lines:
            for i, text in enumerate(map(_text, line.row)):
                self._widest[i] = max(self._widest[i], width(text))

    def key(self, name: str) -> None:
        """Obey a key that changes what is to be seen."""
        moves = {"up": -1, "down": 1, "page up": -self._page, "page down": self._page}
        if name in moves:
            self._top += moves[name]
        elif name == "home":
            self._top = self._left = 0
        elif name == "end":
            self._top = len(self._round.lines) if self._round is not None else 0
        elif name == "left":
            self._left = max(0, self._left - _STEP)
        elif name == "right":
            self._left += _STEP
        elif name == "pause":
            self.paused = not self.paused

    # -- frames -----------------------------------------------------------------------------

    def frame(self, columns: int, lines: int) -> list[str]:
        """The lines of a screen of this size, styled, each narrower than ``columns``."""
        self._page = max(1, lines - _AROUND)
        around = [
            _cut([(_BOLD, self._status())], 0, columns),
            _cut([("", self._sql)], 0, columns),
        ]
        names, rows = self._table(columns, self._page)
        body = [names, *rows][: max(0, lines - 3)]
        body += [""] * (lines - 3 - len(body))
        return [*around, *body, _cut([self._footer()], 0, columns)][:lines]

    def _status(self) -> str:
        found = self._failed or self._round
        every = f"every {self._interval:g} s"
        if found is None:
            return every
        moment = strftime("%H:%M:%S", localtime(found.time))
        pause = "PAUSED  " if self.paused else ""
        return f"{pause}{moment}  round {found.number}  {summary(found)}  ({every})"

    def _footer(self) -> tuple[str, str]:
        if self.progress:
            return _DIM, self.progress
        if self._failed is not None:
            return _REVERSE, f" {escape(str(self._failed.error))} "
        if self._round is not None and self._round.notices:
            return _DIM, escape("; ".join(self._round.notices))
        return _DIM, "  ".join(f"{keys}: {what}" for keys, what in KEYS)

    def _table(self, columns: int, page: int) -> tuple[str, list[str]]:
        found = self._round
        if found is None:
            return "", []
        self._top = max(0, min(self._top, len(found.lines) - page))
        shown = found.lines[self._top : self._top + page]
        self._measure(shown)
        widths, full = self._fit(columns)
        self._left = max(0, min(self._left, full - columns + 1))
        texts = [shorten(escape(name), size) for name, size in zip(found.columns, widths)]
        names = self._cells(SAME, texts, [_BOLD] * len(texts), widths)
        rows = [self._row(line, widths, first=found.first) for line in shown]
        return (
            _cut(names, self._left, columns),
            [_cut(row, self._left, columns) for row in rows],
        )

    def _fit(self, columns: int) -> tuple[list[int], int]:
        """The widths of the columns, and what they take together."""
        gaps = len(_MARKS[SAME]) + 2 * (len(self._widest) - 1)
        least = [
            size if right else min(size, _LEAST) for size, right in zip(self._widest, self._right)
        ]
        widths = fit(self._widest, least, columns - 1 - gaps)
        if widths is None:
            widths = [max(low, min(size, _MOST)) for low, size in zip(least, self._widest)]
        return widths, sum(widths) + gaps

    def _row(self, line: Line, widths: Sequence[int], *, first: bool) -> list[tuple[str, str]]:
        kind = SAME if first else line.kind
        style = self._styles.get(kind, "")
        styles = [style or (_DIM if cell is None else "") for cell in line.row]
        for i in line.cells:
            styles[i] = _REVERSE
        texts = [shorten(_text(cell), size) for cell, size in zip(line.row, widths)]
        return self._cells(kind, texts, styles, widths)

    def _cells(
        self, kind: str, texts: Sequence[str], styles: Sequence[str], widths: Sequence[int]
    ) -> list[tuple[str, str]]:
        """Pieces of a line: styles and texts."""
        pieces = [(self._styles.get(kind, ""), _MARKS[kind])]
        for i, (text, style) in enumerate(zip(texts, styles)):
            blanks = " " * (widths[i] - width(text))
            gap = "  " if i else ""
            if self._right[i]:
                pieces += [("", gap + blanks), (style, text)]
            else:
                pieces += [("", gap), (style, text), ("", blanks)]
        return pieces


def _text(cell: object) -> str:
    return "NULL" if cell is None else display(cell)


def _cut(pieces: Sequence[tuple[str, str]], left: int, columns: int) -> str:
    """The styled line from column ``left`` on.

    Shorter than the screen is wide: in the last column terminals differ.
    """
    parts = []
    skip, room = left, columns - 1
    for style, text in pieces:
        if skip and skip >= width(text):
            skip -= width(text)
            continue
        start, end, taken = 0, 0, 0
        while skip > 0:
            skip -= width(text[start])
            start += 1
        end = start
        while end < len(text) and taken + width(text[end]) <= room:
            taken += width(text[end])
            end += 1
        room -= taken
        if end > start:
            parts.append(f"{style}{text[start:end]}{_PLAIN}" if style else text[start:end])
        if end < len(text):
            break
    return "".join(parts)
