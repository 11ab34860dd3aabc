"""Results on a screen: fitted to its width, NULL shown as such, nothing that a terminal obeys.

tabulate draws the frame once for each result, and the cells are put into it here: tabulate itself
takes about 100 us a row, and would want all rows before the first is shown.
"""

from __future__ import annotations

from sockql.command.terminal import display, escape, width
from sockql.render.aligned import numeric
from sockql.render.writers import Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Final

    from sockql.render.writers import Row

    #: Cells by their place in a row, as people want to read them; None to show the cell itself.
    Labels = Mapping[int, Callable[[Row], "str | None"]]

#: Formats of tabulate that draw a table for eyes; all others are markup, where nothing is cut.
_DRAWINGS: Final = frozenset({"grid", "outline", "plain", "presto", "pretty", "psql", "simple"})

#: What a column may be narrowed to: a text cell, and the name above narrow cells.
_LEAST_TEXT: Final = 8
_LEAST_NAME: Final = 6

_BOLD: Final = "\x1b[1m"
_DIM: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"


class Look:
    """How a result is shown.

    ``columns`` is the width of the screen, ``null`` the text for NULL, ``widths`` what the user
    wants of each column's width (0 for as it fits), ``colours`` whether escape sequences may be
    used, ``labels`` the cells that are shown with a name.
    """

    __slots__ = ("colours", "columns", "labels", "null", "widths")

    def __init__(
        self,
        columns: int,
        *,
        colours: bool = False,
        labels: Labels | None = None,
        null: str = "NULL",
        widths: Sequence[int] = (),
    ) -> None:
        self.columns = columns
        self.colours = colours
        self.labels = labels or {}
        self.null = null
        self.widths = widths

    def texts(self, row: Row) -> list[str]:
        """The cells of ``row`` as they may be shown."""
        null = self.null
        cells = [null if cell is None else display(cell) for cell in row]
        if null in cells:
            # A text that reads as NULL does gets quotes, for it is something else.
            cells = [
                f"'{text}'" if text == null and cell is not None else text
                for text, cell in zip(cells, row)
            ]
        for i, label in self.labels.items():
            text = label(row)
            if text is not None:
                cells[i] = escape(text)
        return cells

    def dim(self, text: str) -> str:
        """``text`` as something that is not the data's own."""
        return f"{_DIM}{text}{_PLAIN}" if self.colours else text

    def bold(self, text: str) -> str:
        """``text`` as a name."""
        return f"{_BOLD}{text}{_PLAIN}" if self.colours else text


def is_drawing(style: str) -> bool:
    """Whether tabulate's format ``style`` is a table for eyes."""
    return style in _DRAWINGS or (style.endswith(("_grid", "_outline")) and style != "colon_grid")


def screen_writer(style: str, columns: Sequence[str], look: Look, *, header: bool) -> Writer:
    """The writer for a table in the format ``style`` of tabulate, or for ``"line"``."""
    if style == "line":
        return Lines(columns, look, header=header)
    return Table(columns, look, header=header, style=style)


class Lines(Writer):
    """``column = value``, whole, whatever its length; a row is a paragraph."""

    def __init__(self, columns: Sequence[str], look: Look, *, header: bool) -> None:
        super().__init__(columns, header=header, terminal=True)
        names = [escape(name) for name in columns]
        widest = max(map(width, names), default=0)
        self._look = look
        self._labels = [" " * (widest - width(name)) + look.bold(name) + " = " for name in names]
        self._blank = ""

    def body(self, rows: Sequence[Row]) -> str:
        paragraphs = []
        for row in rows:
            cells = [
                self._look.dim(text) if cell is None else text
                for cell, text in zip(row, self._look.texts(row))
            ]
            lines = [f"{label}{text}\n" for label, text in zip(self._labels, cells)]
            paragraphs.append("".join(lines))
        text = self._blank + "\n".join(paragraphs)
        self._blank = "\n"
        return text


class Table(Writer):
    """A table that fits the screen: long texts lose their middle, numbers never a digit.

    Where even that does not help, every row is shown as :class:`Lines` has it.  The widths are
    those of the first rows; later ones have to do with them.
    """

    lookahead = 1000  # rows that widths are taken from: more than a person reads

    def __init__(
        self, columns: Sequence[str], look: Look, *, header: bool, style: str = "simple"
    ) -> None:
        super().__init__(columns, header=header, terminal=True)
        self._look = look
        self._style = "plain" if style == "simple" and not header else style
        self._lines: Lines | None = None
        self._widths: list[int] = []
        self._right: list[bool] = []
        self._frame = _Frame("", [""], "", "", "")
        self._slack = 0
        self._between = ""

    def head(self, rows: Sequence[Row]) -> str:
        names = [escape(name) for name in self.columns]
        self._right = [numeric(column) for column in zip(*rows)] or [False] * len(names)
        shown = [names] if self.header else []
        texts = list(zip(*shown, *map(self._look.texts, rows))) or [("",)] * len(names)
        natural = [max(_narrowest(i), *map(width, column)) for i, column in enumerate(texts)]
        room = self._look.columns - _overhead(self._style, len(names))
        widths = fit(natural, self._least(natural, texts), room)
        if widths is None:
            self._lines = Lines(self.columns, self._look, header=self.header)
            return self._lines.head(rows)
        self._frame = _frame(self._style, widths, header=self.header)
        self._widths = self._frame.widths
        self._slack = max(0, room - sum(self._widths))
        if not self.header:
            return self._frame.top
        cells = [shorten(name, size) for name, size in zip(names, self._widths)]
        line = self._line(cells, [self._look.bold] * len(cells))
        return f"{self._frame.top}{line}\n{self._frame.below_names}"

    def _least(self, natural: list[int], texts: list[tuple[str, ...]]) -> list[int]:
        """What each column needs at least: numbers all their digits."""
        least = []
        for i, column in enumerate(texts):
            cells = column[1:] if self.header else column
            name = min(width(column[0]), _LEAST_NAME) if self.header else 0
            widest = max(map(width, cells), default=0)
            if not self._right[i]:
                widest = min(widest, _LEAST_TEXT)
            least.append(max(_narrowest(i), name, widest))
            if self._wanted(i):
                least[i] = natural[i] = max(_narrowest(i), self._wanted(i))
        return least

    def body(self, rows: Sequence[Row]) -> str:
        if self._lines is not None:
            return self._lines.body(rows)
        lines = []
        for row in rows:
            texts = self._look.texts(row)
            slack = self._slack
            for i, (text, size) in enumerate(zip(texts, self._widths)):
                over = width(text) - size
                if over <= 0:
                    continue
                if self._wanted(i):
                    texts[i] = shorten(text, size)
                elif row[i].__class__ not in (int, float):
                    texts[i] = shorten(text, size + slack)
                    slack -= min(over, slack)
            if None in row and self._look.colours:
                styles = [self._look.dim if cell is None else _as_is for cell in row]
                lines.append(self._line(texts, styles))
            else:
                lines.append(self._line(texts))
        text = self._between + f"\n{self._frame.between}".join(lines) + "\n"
        self._between = self._frame.between
        return text

    def _wanted(self, i: int) -> int:
        """The width that the user wants for a column, 0 for none."""
        return self._look.widths[i] if i < len(self._look.widths) else 0

    def tail(self) -> str:
        return self._lines.tail() if self._lines is not None else self._frame.bottom

    def _line(
        self, texts: Sequence[str], styles: Sequence[Callable[[str], str]] | None = None
    ) -> str:
        parts = [self._frame.parts[0]]
        for i, text in enumerate(texts):
            blanks = " " * (self._widths[i] - width(text))
            styled = styles[i](text) if styles else text
            parts += (blanks, styled) if self._right[i] else (styled, blanks)
            parts.append(self._frame.parts[i + 1])
        return "".join(parts).rstrip(" ")


def _as_is(text: str) -> str:
    return text


# -- fitting ------------------------------------------------------------------------------------


def fit(natural: Sequence[int], least: Sequence[int], room: int) -> list[int] | None:
    """Widths of columns that together take at most ``room``; None when there are none.

    What is too much is taken from the widest columns first, down to their ``least``.
    """
    if sum(natural) <= room:
        return list(natural)
    if sum(least) > room:
        return None
    low, high = 0, max(natural)
    while low < high:
        cap = (low + high + 1) // 2
        if sum(_capped(natural, least, cap)) <= room:
            low = cap
        else:
            high = cap - 1
    widths = _capped(natural, least, low)
    rest = room - sum(widths)
    for i, (size, wanted) in enumerate(zip(widths, natural)):
        if rest and size < wanted and size == low:
            widths[i] += 1
            rest -= 1
    return widths


def _capped(natural: Sequence[int], least: Sequence[int], cap: int) -> list[int]:
    return [max(lowest, min(wanted, cap)) for wanted, lowest in zip(natural, least)]


def shorten(text: str, room: int) -> str:
    """``text``, escaped already, in at most ``room`` columns: an ellipsis stands for its middle.

    Names differ at their ends: the program of a path, the address of a socket.
    """
    if width(text) <= room:
        return text
    if room <= 1:
        return "…"[:room]
    left = room // 2
    head, tail = text[:left], text[len(text) - (room - 1 - left) :]
    while width(head) > left:
        head = head[:-1]
    while width(tail) > room - 1 - left:
        tail = tail[1:]
    return f"{head}…{tail}"


# -- frames -------------------------------------------------------------------------------------


class _Frame:
    """What stands around cells: lines above and below, and the ``parts`` of a row between them."""

    __slots__ = ("below_names", "between", "bottom", "parts", "top", "widths")

    def __init__(
        self, top: str, parts: list[str], below_names: str, between: str, bottom: str
    ) -> None:
        self.top = top
        self.parts = parts
        self.below_names = below_names
        self.between = between
        self.bottom = bottom
        self.widths: list[int] = []


def _frame(style: str, widths: Sequence[int], *, header: bool) -> _Frame:
    """The frame of tabulate's format ``style`` around columns of ``widths``.

    Found by letting tabulate draw two rows of known cells.
    """
    from tabulate import tabulate

    sizes = [max(_narrowest(i), size) for i, size in enumerate(widths)]
    cells = ["x" * size for size in sizes]
    names = ["h"] + [""] * (len(sizes) - 1) if header else ()
    drawn = tabulate([cells, cells], headers=names, tablefmt=style, disable_numparse=True)
    lines = drawn.split("\n")
    rows = [i for i, line in enumerate(lines) if "x" in line]
    named = next((i for i, line in enumerate(lines) if "h" in line), -1)
    parts = _apart(lines[rows[0]])
    frame = _Frame(
        _joined(lines[: named if header else rows[0]]),
        parts,
        _joined(lines[named + 1 : rows[0]]) if header else "",
        _joined(lines[rows[0] + 1 : rows[1]]),
        _joined(lines[rows[1] + 1 :]),
    )
    frame.widths = sizes
    return frame


def _narrowest(column: int) -> int:
    """tabulate keeps two blanks beside a name, and one name must be there to be found."""
    return 2 if column else 3


def _apart(line: str) -> list[str]:
    """What is left of ``line`` around its cells."""
    parts = [""]
    for before, character in zip(" " + line, line):
        if character != "x":
            parts[-1] += character
        elif before != "x":
            parts.append("")
    return parts


def _joined(lines: Sequence[str]) -> str:
    return "".join([f"{line}\n" for line in lines])


def _overhead(style: str, columns: int) -> int:
    """The columns of the screen that the frame itself takes."""
    return sum(map(width, _frame(style, [2] * columns, header=True).parts))
