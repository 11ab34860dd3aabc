"""The rounds of ``sockql watch`` as lines: one for each change, or the result of each round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sockql.command.terminal import counted
from sockql.watch.differ import ADDED, CHANGED, REMOVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockql.render.writers import Row
    from sockql.watch.rounds import Round

#: The formats that are lines, one for each change.
STREAMS: Final = ("jsonl", "csv", "tsv")

#: What stands before the columns of the query in a line of csv and tsv.
COLUMNS: Final = ("time", "round", "change")


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 has them, in UTC, with microseconds."""
    from datetime import datetime, timezone

    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"


class JsonLines:
    """``{"time": …, "round": …, "change": …, "row": {…}}``; when changed, with the old cells.

    ``before`` has the cells that were different, and only those.
    """

    def __init__(self, *, header: bool, terminal: bool) -> None:
        self._terminal = terminal

    def text(self, found: Round) -> str:
        """The lines for the changes of a round."""
        start = f'{{"time": "{timestamp(found.time)}", "round": {found.number}, "change": '
        lines = []
        for line in found.changes:
            text = f'{start}"{line.kind}", "row": {self._object(found.columns, line.row)}'
            if line.before is not None:
                names = [found.columns[i] for i in line.cells]
                before = self._object(names, tuple([line.before[i] for i in line.cells]))
                text += f', "before": {before}'
            lines.append(text + "}\n")
        return "".join(lines)

    def _object(self, columns: Sequence[str], row: Row) -> str:
        from sockql.render.json_writers import JsonLines as Writer

        return Writer(columns, header=True, terminal=self._terminal).body([row]).rstrip("\n")


class Delimited:
    """Lines of csv or tsv, :data:`COLUMNS` before those of the query."""

    def __init__(self, format: str, *, header: bool, terminal: bool) -> None:
        self._format = format
        self._header = header
        self._terminal = terminal

    def text(self, found: Round) -> str:
        """The lines for the changes of a round, the names of the columns before the first."""
        from sockql.render.writers import writer_class

        columns = (*COLUMNS, *found.columns)
        writer = writer_class(self._format)(columns, header=self._header, terminal=self._terminal)
        start = timestamp(found.time), found.number
        rows = [(*start, line.kind, *line.row) for line in found.changes]
        head = writer.head(rows) if not found.error else ""
        self._header = self._header and not head
        return head + (writer.body(rows) if rows else "")


class Plain:
    """The whole result of each round, for a terminal that can only show text."""

    def __init__(self, *, header: bool, terminal: bool) -> None:
        self._header = header
        self._terminal = terminal

    def text(self, found: Round) -> str:
        """The time and cost of a round, and its rows."""
        from sockql.render.writers import render, writer_class

        parts: list[str] = []

        class Parts:
            write = parts.append

        blank = "" if found.number == 1 else "\n"
        rows = [line.row for line in found.lines if line.kind != REMOVED]
        parts.append(f"{blank}{timestamp(found.time)} round {found.number}: {summary(found)}\n")
        if found.columns:
            writer = writer_class("table")
            render(writer(found.columns, header=self._header, terminal=self._terminal), rows, Parts)
        return "".join(parts)


def summary(found: Round) -> str:
    """``12 rows +1 -0 ~2, 0.043 s, cpu 0.041 s``: what a round found, changed and cost."""
    if found.error is not None:
        return f"failed, {found.cost}"
    rows = counted(found.rows, "row")
    if not found.first:
        marks = ("+", ADDED), ("-", REMOVED), ("~", CHANGED)
        rows += "".join(f" {mark}{found.count(kind):,}" for mark, kind in marks)
    return f"{rows}, {found.cost}"
