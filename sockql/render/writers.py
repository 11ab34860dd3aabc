"""Rows to text: what all formats share, and the formats that programs read line by line.

A :class:`Writer` turns batches of rows into text; :func:`render` feeds it, so that the first rows
of a long result appear at once and the rest goes out in large pieces.
"""

from __future__ import annotations

from itertools import islice
from time import perf_counter

from sockql.command.terminal import display, escape
from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, Final, Protocol, TypeAlias

    Row: TypeAlias = tuple[Any, ...]

    class Sink(Protocol):
        """What text is written to."""

        def write(self, text: str) -> object: ...


#: Rows of one batch at most; larger ones were not faster.
_BATCH: Final = 2048
#: Seconds that a row may wait for the rest of its batch.
_PATIENCE: Final = 0.02


class Writer:
    """A format.  ``columns`` are the names, ``header`` whether they are shown.

    ``terminal`` says that the text goes to one: then nothing that it would obey may be in it.
    ``lookahead`` is the number of rows :meth:`head` gets to see, None for all.
    """

    lookahead: int | None = 1

    def __init__(self, columns: Sequence[str], *, header: bool, terminal: bool) -> None:
        #: What stands between this result and that of the next statement.
        self.between = "\n"
        self.columns = columns
        self.header = header
        self.terminal = terminal

    def head(self, rows: Sequence[Row]) -> str:
        """What comes before the rows; ``rows`` are the first ones."""
        return ""

    def body(self, rows: Sequence[Row]) -> str:
        """The text of some rows, at least one."""
        raise NotImplementedError

    def tail(self) -> str:
        """What comes after the rows."""
        return ""


def render(writer: Writer, rows: Iterable[Row], out: Sink, before: str = "") -> int:
    """Write ``before`` and all ``rows``, and return how many there were.

    Nothing is written before the first row is there, so a statement that fails at once leaves
    no output.
    """
    rows = iter(rows)
    first = list(islice(rows, writer.lookahead))
    text = before + writer.head(first)
    count = 0
    for batch in _batches(first, rows):
        count += len(batch)
        out.write(text + writer.body(batch))
        text = ""
    text += writer.tail()
    if text:
        out.write(text)
    return count


def _batches(batch: list[Row], rows: Iterator[Row]) -> Iterator[list[Row]]:
    """``batch``, then the rest of the rows: as many at a time as come within some 20 ms."""
    step = 1
    while batch:
        yield batch
        batch = []
        now = perf_counter()
        end = now + _PATIENCE
        while len(batch) < _BATCH and now < end:
            some = list(islice(rows, step))
            if not some:
                break
            batch += some
            before, now = now, perf_counter()
            # Looking at the clock for each row would be felt where rows come fast.
            step = 16 if now - before < _PATIENCE else 1


def _shown(rows: Sequence[Row]) -> list[list[str]]:
    """The cells as a terminal may have them."""
    return [[display(cell) for cell in row] for row in rows]


class Csv(Writer):
    """RFC 4180 but for the line ends, which are those of Unix; NULL is an empty cell."""

    def __init__(self, columns: Sequence[str], *, header: bool, terminal: bool) -> None:
        super().__init__(columns, header=header, terminal=terminal)
        self.between = "\n" if header else ""

    def head(self, rows: Sequence[Row]) -> str:
        return self.body([tuple(self.columns)]) if self.header else ""

    def body(self, rows: Sequence[Row]) -> str:
        if self.terminal:
            return _csv(_shown(rows))
        text = _csv(rows)
        # The C writer spells bytes as Python does, and some versions leave \r unquoted.  Looking
        # at the text of the batch is cheaper than looking at its cells.
        if "\r" in text or "b'" in text or 'b"' in text:
            text = _csv(
                [[cell.hex() if cell.__class__ is bytes else cell for cell in row] for row in rows],
                "\r\n",
            )
        return text


def _csv(rows: Iterable[Sequence[Any]], end: str = "\n") -> str:
    import _csv

    lines: list[str] = []

    class Lines:
        write = lines.append

    # Both characters of its line end are quoted when they are in a cell.
    _csv.writer(Lines, lineterminator=end).writerows(rows)
    if end != "\n":
        lines = [line[: -len(end)] + "\n" for line in lines]
    return "".join(lines)


_TSV_ESCAPES: Final = {9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\"}


class Tsv(Csv):
    r"""A row is a line; ``\t``, ``\n``, ``\r`` and ``\\`` stand for what would break it."""

    def body(self, rows: Sequence[Row]) -> str:
        # One format a row takes half the time of str() and join() for its cells.  A cell that it
        # spells in another way than ours shows in the text of the batch, at much less cost.
        row = "\t".join(["%s"] * len(self.columns)) + "\n"
        lines = list(map(row.__mod__, rows))
        text = "".join(lines)
        if "None" in text:
            for i, line in enumerate(lines):
                if "None" in line:
                    lines[i] = row % tuple(["" if cell is None else cell for cell in rows[i]])
            text = "".join(lines)
        if (
            self.terminal
            or "\\" in text
            or "\r" in text
            or "b'" in text
            or 'b"' in text
            or text.count("\n") != len(rows)
            or text.count("\t") != len(rows) * (len(self.columns) - 1)
        ):
            return self._careful(rows)
        return text

    def _careful(self, rows: Sequence[Sequence[Any]]) -> str:
        return "".join(["\t".join(map(self._cell, row)) + "\n" for row in rows])

    def _cell(self, value: Any) -> str:
        if value.__class__ is not str:
            return display(value)
        text: str = value.translate(_TSV_ESCAPES)
        return escape(text) if self.terminal else text


class Line(Writer):
    """``column = value``, a row is a paragraph."""

    def __init__(self, columns: Sequence[str], *, header: bool, terminal: bool) -> None:
        from sockql.command.terminal import width

        super().__init__(columns, header=header, terminal=terminal)
        names = [escape(name) for name in columns]
        widest = max(map(width, names), default=0)
        self._labels = [" " * (widest - width(name)) + name + " = " for name in names]
        self._blank = ""

    def body(self, rows: Sequence[Row]) -> str:
        labels = self._labels
        paragraphs = [
            "".join([f"{label}{display(cell)}\n" for label, cell in zip(labels, row)])
            for row in rows
        ]
        text = self._blank + "\n".join(paragraphs)
        self._blank = "\n"
        return text


#: Our formats, by the name of the module and the class.
_WRITERS: Final = {
    "table": ("sockql.render.aligned", "Aligned"),
    "json": ("sockql.render.json_writers", "Json"),
    "jsonl": ("sockql.render.json_writers", "JsonLines"),
    "csv": ("sockql.render.writers", "Csv"),
    "tsv": ("sockql.render.writers", "Tsv"),
    "line": ("sockql.render.writers", "Line"),
    "markdown": ("sockql.render.aligned", "Markdown"),
    "html": ("sockql.render.markup", "Html"),
}


def writer_class(name: str) -> type[Writer]:
    """The format called ``name``: ours, or one of tabulate's.

    :raises UsageError: when there is none.
    """
    if name in _WRITERS:
        module, attribute = _WRITERS[name]
        found: type[Writer] = getattr(__import__(module, fromlist=[attribute]), attribute)
        return found
    from sockql.render.tabulated import formats, tabulated

    if name in formats():
        return tabulated(name)
    from difflib import get_close_matches

    close = get_close_matches(name, [*_WRITERS, *formats()], 1)
    meant = f", did you mean {close[0]}?" if close else ""
    raise UsageError(f"--format {escape(name)}: no such format{meant}")
