"""``sockql snapshot FILE.db``: the tables as they are now, in a file."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Final

from sockql.archive import capture
from sockql.archive.database import DatabaseFile
from sockql.command.options import text
from sockql.command.progress import Progress
from sockql.command.running import (
    Alarm,
    Telling,
    open_engine,
    open_out,
    say,
    unwind_when_terminated,
    write_rows,
)
from sockql.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockql.command.options import Options
    from sockql.engine import Engine
    from sockql.render.writers import Row
    from sockql.schema import Schema

#: What is said of a snapshot: a row for each table.
COLUMNS: Final = ("table", "rows")


def run(options: Options) -> int:
    """Take a snapshot, and say how many rows of which table are in it; the exit status."""
    path = options.arguments[0] if options.arguments else None
    if path is None and options.parquet is None:
        raise UsageError("snapshot: into which file? sockql snapshot FILE.db, or --parquet DIR")
    if path is not None:
        _refuse_stream("snapshot", path)
    if options.parquet is not None:
        _refuse_stream("--parquet", options.parquet)
    if path is None and options.append:
        raise UsageError("--append adds to a file: sockql snapshot FILE.db --append")
    if options.archive is not None:
        raise UsageError("snapshot is of the host: there is no --from to it")
    if options.file is not None or options.parameters:
        raise UsageError("snapshot takes no SQL but that of --sql, and no parameters")
    if len(options.statements) != len(options.names):
        raise UsageError("--sql and --as come in pairs: --sql SQL --as NAME")
    capture.check_results(options.names)
    results = dict(zip(options.names, map(text, options.statements)))
    chosen = capture.names(options.tables)
    if not chosen and not results:
        raise UsageError("--tables: no table is named; sockql tables lists them")
    seconds = options.seconds
    unwind_when_terminated()
    with open_out(options) as out, open_engine(options) as engine, Telling(lambda: engine.notices):
        if seconds is not None:
            engine.deadline = perf_counter() + seconds
        rows = _take(options, engine, path, chosen, results, seconds)
        write_rows(options, COLUMNS, rows, out)
        return 3 if options.strict and engine.notices else 0


def _tell_waiting(path: str) -> None:
    """Tell a person why nothing happens; a script has no use for that."""
    from sockql.command.terminal import escape

    if sys.stderr is not None and sys.stderr.isatty():
        say(f"{escape(path)}: waiting for somebody else who writes it")


def _refuse_stream(what: str, path: str) -> None:
    if not path:
        raise UsageError(f"{what}: the name is empty")
    if path == "-":
        raise UsageError(
            f"{what} -: a snapshot is no stream; name a file, ./- if it is to be called so"
        )


def _take(
    options: Options,
    engine: Engine,
    path: str | None,
    chosen: Sequence[str],
    results: dict[str, str],
    seconds: float | None,
) -> list[Row]:
    counter = Counter()
    stores: list[capture.Store] = [counter]
    with ExitStack() as stack:
        stack.enter_context(Alarm(seconds))
        stack.enter_context(Progress(engine.host))
        if path is not None:
            file = DatabaseFile(
                path, engine.host, append=options.append, waiting=lambda: _tell_waiting(path)
            )
            stores.append(stack.enter_context(file))
        if options.parquet is not None:
            from sockql.archive.parquet import ParquetFolder

            folder = ParquetFolder(options.parquet, engine.host)
            stores.append(stack.enter_context(folder))
        named = options.tables not in (None, "all")
        for notice in capture.take(engine, chosen, results, stores, required=named):
            engine.host.notice(notice)
    return list(counter.rows.items())


class Counter:
    """A store that keeps nothing but the number of rows of each table."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self._name = ""

    def open(self, schema: Schema, query: str | None) -> None:
        """What follows are rows of this table."""
        self._name = schema.name
        self.rows[schema.name] = 0

    def write(self, rows: Sequence[Row]) -> None:
        """Some rows of the table."""
        self.rows[self._name] += len(rows)

    def finish(self, epoch: float, notices: Sequence[str]) -> None:
        """Nothing is to be done."""
