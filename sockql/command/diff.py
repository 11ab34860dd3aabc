"""``sockql diff A.db B.db``: what differs between two snapshots."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from sockql.archive.diff import Comparison
from sockql.archive.replay import Replay
from sockql.command.running import open_out, say_notices
from sockql.command.terminal import escape
from sockql.errors import UsageError
from sockql.watch.differ import ADDED, CHANGED, REMOVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sockql.archive.diff import TableDifference
    from sockql.command.options import Options
    from sockql.render.output import Output
    from sockql.render.writers import Row
    from sockql.watch.differ import Line

_MARKS: Final = {ADDED: "+", REMOVED: "-", CHANGED: "~"}
#: Columns that are shown of a row that changed, whether they did or not.
_CONTEXT: Final = 2


def run(options: Options) -> int:
    """Write what differs; the exit status."""
    if len(options.arguments) < 2:
        raise UsageError("diff: between which snapshots? sockql diff A.db[@TIME] B.db[@TIME]")
    if options.file is not None or options.parameters or options.archive or options.at:
        raise UsageError("diff takes two snapshots, A.db[@TIME] B.db[@TIME], and no SQL")
    first, second, *names = options.arguments
    ignore = [name.strip() for name in options.ignore.split(",")] if options.ignore else []
    if options.ignore is not None and not all(ignore or [""]):
        raise UsageError(f"--ignore {options.ignore!r}: a name is empty")
    with (
        Replay(*split(first)) as before,
        Replay(*split(second)) as after,
        open_out(options) as out,
    ):
        before.timeout = after.timeout = options.seconds
        comparison = Comparison(before, after, names, hidden=options.hidden, ignore=ignore)
        found = comparison.differences()
        said = comparison.doubts
        if options.format is None:
            _text(found, out)
        elif options.format in ("json", "jsonl"):
            _json(found, out, lines=options.format == "jsonl")
        else:
            _rows(options, found, out)
        # What a snapshot lacks makes rows come and go that were there all the time.
        said += [f"{first}: {notice}" for notice in before.notices]
        said += [f"{second}: {notice}" for notice in after.notices]
        say_notices(said)
        return 3 if options.strict and said else 0


def split(argument: str) -> tuple[str, str]:
    """``(path, time)`` of ``A.db@TIME``; the time is empty where there is none."""
    path, at, time = argument.rpartition("@")
    if not at or os.path.exists(argument):
        return argument, ""
    if not time:
        raise UsageError(f"{argument}: no time after the @; without it, it is the newest snapshot")
    return path, time


# -- for people ---------------------------------------------------------------------------------


def _text(found: Iterable[TableDifference], out: Output) -> None:
    between = ""
    for difference in found:
        if not difference.lines:
            continue
        said = ", ".join(f"{n:,} {kind}" for kind in _MARKS if (n := difference.counts[kind]))
        out.write(f"{between}{escape(difference.table)}: {said}\n")
        whole = [_marked(line) for line in difference.lines if line.kind != CHANGED]
        if whole:
            _table(("", *difference.columns), whole, out)
        _table(*_changes(difference), out)
        between = "\n"
    if not between:
        out.write("no differences\n")


def _table(columns: Sequence[str], rows: Sequence[Row], out: Output) -> None:
    from sockql.render.writers import render, writer_class

    if rows:
        render(writer_class("table")(columns, header=True, terminal=out.terminal), rows, out)


def _marked(line: Line) -> Row:
    return (_MARKS[line.kind], *line.row)


def _changes(difference: TableDifference) -> tuple[list[str], list[Row]]:
    """The rows that changed: what they are known by, and the columns that any of them changed in.

    A cell that is not what it was shows both.
    """
    changed = [line for line in difference.lines if line.kind == CHANGED]
    differing = {place for line in changed for place in line.cells}
    places = [
        place
        for place, column in enumerate(difference.columns)
        if place < _CONTEXT or column in difference.identity or place in differing
    ]
    rows = []
    for line in changed:
        cells = list(line.row)
        for place in line.cells:
            assert line.before is not None
            cells[place] = f"{_shown(line.before[place])} → {_shown(line.row[place])}"
        rows.append((_MARKS[CHANGED], *[cells[place] for place in places]))
    return ["", *[difference.columns[place] for place in places]], rows


def _shown(cell: object) -> str:
    if cell is None:
        return "NULL"
    return cell.hex() if isinstance(cell, bytes) else str(cell)


# -- for programs -------------------------------------------------------------------------------


def _json(found: Iterable[TableDifference], out: Output, *, lines: bool) -> None:
    """An object for each row: its table, what became of it, the row, and the cells it had."""
    start, between = ("", "\n") if lines else ("[\n", ",\n")
    for difference in found:
        for text in _objects(difference, terminal=out.terminal):
            out.write(start + text)
            start = between
    if lines:
        out.write("" if start == "" else "\n")
    else:
        out.write("[]\n" if start == "[\n" else "\n]\n")


def _objects(difference: TableDifference, *, terminal: bool) -> Iterator[str]:
    from sockql.render.json_writers import JsonLines

    def written(columns: Iterable[str], row: Row) -> str:
        writer = JsonLines(tuple(columns), header=True, terminal=terminal)
        return writer.body([row]).rstrip("\n")

    for line in difference.lines:
        head = written(("table", "change"), (difference.table, line.kind))[:-1]
        text = f'{head}, "row": {written(difference.columns, line.row)}'
        if line.before is not None:
            names = [difference.columns[place] for place in line.cells]
            cells = tuple(line.before[place] for place in line.cells)
            text += f', "before": {written(names, cells)}'
        yield text + "}"


def _rows(options: Options, found: Iterable[TableDifference], out: Output) -> None:
    """Each table as a result of its own; a row that changed as it was, then as it is."""
    from sockql.render.writers import render, writer_class

    between = ""
    for difference in found:
        if not difference.lines:
            continue
        writer = writer_class(options.format or "table")(
            ("table", "change", *difference.columns), header=options.header, terminal=out.terminal
        )
        render(writer, _pairs(difference), out, between)
        between = writer.between


def _pairs(difference: TableDifference) -> Iterator[Row]:
    for line in difference.lines:
        if line.before is not None:
            yield (difference.table, "changed from", *line.before)
            yield (difference.table, "changed to", *line.row)
        else:
            yield (difference.table, line.kind, *line.row)
