"""Taking a snapshot: tables and results of one instant, handed to where they are stored."""

from __future__ import annotations

from copy import copy
from itertools import islice
from time import time
from typing import TYPE_CHECKING, Final, Protocol

from sockql import osquery, tables
from sockql.archive.layout import OWN, UNTYPED
from sockql.errors import DataError, UsageError
from sockql.loading.names import check
from sockql.schema import BLOB, INTEGER, REAL, TEXT, Column, Schema, Table, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sockql.engine import Engine
    from sockql.render.writers import Row
    from sockql.result import Result

#: Tables that a snapshot has only when they are named: they may hold what is secret.
ON_REQUEST: Final = frozenset({"process_envs"})
#: Rows that are handed over at once.
_BATCH: Final = 2048
_TYPES: Final = {int: INTEGER, float: REAL, bytes: BLOB}


class Store(Protocol):
    """Where a snapshot is written; nobody sees any of it before it is finished."""

    def open(self, schema: Schema, query: str | None) -> None:
        """What follows are rows of this table; ``query`` is the SQL of a result."""

    def write(self, rows: Sequence[Row]) -> None:
        """Some rows, at least one, their cells in the order of the schema's columns."""

    def finish(self, epoch: float, notices: Sequence[str]) -> None:
        """All was written: make it visible."""


def names(given: str | None) -> tuple[str, ...]:
    """The tables that ``--tables`` names, in the order in which they are captured.

    None for those that every snapshot has; ``all`` for all there are.

    :raises UsageError: for one that there is not, for views, and for tables of osquery.
    """
    if given is None:
        return _ordered([name for name in _there() if name not in ON_REQUEST])
    if given == "all":
        return _ordered(_there())
    return named([name for name in map(str.strip, given.split(",")) if name], COMMAND)


class Words:
    """How messages name what was asked for: ``tables``, the SQL and the ``name`` of a result.

    ``instead`` says what keeps the result of a query as a table.
    """

    def __init__(self, tables: str, sql: str, name: str, instead: str) -> None:
        self.tables = tables
        self.sql = sql
        self.name = name
        self.instead = instead


#: In the words of the command.
COMMAND: Final = Words("--tables", "--sql for {}", "--as", "--sql SQL --as {}")


def named(given: Iterable[str], words: Words) -> tuple[str, ...]:
    """The tables ``given``, in the order in which they are captured.

    :raises UsageError: for one that there is not, for views, and for tables of osquery.
    """
    there = _there()
    found = [name.lower() for name in given]
    for name in found:
        if name not in there:
            raise UsageError(f"{words.tables}: {_no_table(name, there, words)}")
    return _ordered(found)


def _ordered(given: Iterable[str]) -> tuple[str, ...]:
    """What others refer to comes first."""
    return tuple(sorted(dict.fromkeys(given), key=lambda name: (name != "processes", name)))


def _there() -> list[str]:
    return [name for name in tables.NAMES if not isinstance(tables.load(name), View)]


def _no_table(name: str, there: Sequence[str], words: Words) -> str:
    if name in tables.NAMES:
        return f"{name} is a view; with its tables captured it answers from the snapshot"
    if name in osquery.NAMES:
        instead = words.instead.format(name)
        return f"{name}: {not_for_snapshots(name)}; {instead} keeps the result of a query"
    from difflib import get_close_matches

    close = get_close_matches(name, there, 1)
    return f"no such table: {name}" + (f"; did you mean {close[0]}?" if close else "")


def not_for_snapshots(name: str) -> str:
    """Why no snapshot has osquery's table ``name``, for people."""
    table = osquery.load(name)
    if isinstance(table, Table) and not table.whole:
        return "it reads only what a statement asks for by name, so that no snapshot has all of it"
    return "it is one of osquery's tables, and a snapshot has those of sockql"


def check_results(names: Iterable[str], words: Words = COMMAND) -> None:
    """Refuse names of results that stand for something else.

    :raises UsageError: for the name of a table, and for one that is there twice, whatever its case.
    """
    seen: set[str] = set()
    for name in names:
        check(words.name, name)
        if name.lower() in OWN and words is COMMAND:
            raise UsageError(f"--as: {name} is a table of every snapshot file; take another name")
        if name.lower() in seen:
            raise UsageError(f"{words.name}: {name} is there twice; each name is for one result")
        seen.add(name.lower())


def take(
    engine: Engine,
    chosen: Sequence[str],
    results: Mapping[str, str],
    stores: Sequence[Store],
    *,
    required: bool = False,
    words: Words = COMMAND,
) -> list[str]:
    """Capture the tables ``chosen`` and ``results``, SQL by name; the notices.

    All of them see one instant: what they read is collected before the first row is written.
    ``required`` says that a table which cannot be read at all is an error; else it is left out,
    with a notice.

    :raises QueryError: wrong SQL of a result.
    :raises DataError: a source that cannot be read at all.
    """
    schemas = {name: _kept(tables.load(name).schema) for name in chosen}
    queries = {name: _everything(schema) for name, schema in schemas.items()}
    missing: list[str] = []
    engine.share()
    try:
        for sql in results.values():
            engine.foresee(sql)
        for name, sql in list(queries.items()):
            try:
                engine.foresee(sql)
            except DataError as error:
                missing.append(_missing(name, error, required))
                del queries[name]
        epoch = time()
        for name in list(queries):
            try:
                engine.query(f'SELECT count(*) FROM main."{name}"')  # noqa: S608 (our names)
            except DataError as error:
                missing.append(_missing(name, error, required))
                del queries[name]
        found = {
            name: _result(engine, name, sql, words.sql.format(name))
            for name, sql in results.items()
        }
        for name, sql in queries.items():
            _store(stores, schemas[name], None, _batches(next(engine.execute(sql))))
    finally:
        engine.thaw()
    for name, (schema, rows) in found.items():
        _store(
            stores,
            schema,
            results[name],
            (rows[i : i + _BATCH] for i in range(0, len(rows), _BATCH)),
        )
    notices = [*missing, *engine.notices]
    for store in stores:
        store.finish(epoch, notices)
    return notices


def _missing(name: str, error: DataError, required: bool) -> str:
    """The notice that a table is left out; raises ``error`` where it may not be."""
    if required:
        raise error
    return f"{name}: not captured: {error}"


def _kept(schema: Schema) -> Schema:
    """``schema`` without columns that only tell the live host what to look for."""
    kept = [copy(column) for column in schema.columns if not column.parameter]
    for position, column in enumerate(kept):
        column.position = position
    return Schema(schema.name, schema.doc, tuple(kept), schema.examples, schema.key)


def _everything(schema: Schema) -> str:
    listed = ", ".join(f'"{column.name}"' for column in schema.columns)
    return f'SELECT {listed} FROM main."{schema.name}"'  # noqa: S608 (our names)


def _store(
    stores: Sequence[Store], schema: Schema, query: str | None, batches: Iterator[list[Row]]
) -> None:
    for store in stores:
        store.open(schema, query)
    for batch in batches:
        for store in stores:
            store.write(batch)


def _batches(result: Result) -> Iterator[list[Row]]:
    rows = iter(result)
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _result(engine: Engine, name: str, sql: str, called: str) -> tuple[Schema, list[Row]]:
    """The rows of one statement, and a schema with the types that they have."""
    from sqlite_utils.utils import suggest_column_types

    from sockql.sqltext import statements

    if len(statements(sql)) != 1:
        raise UsageError(f"{called}: one statement is wanted, not {len(statements(sql))}")
    result = next(engine.execute(sql))
    _check_columns(result.columns, called)
    rows = list(result)
    filled = {place for row in rows for place, cell in enumerate(row) if cell is not None}
    types = suggest_column_types(
        [
            {column: cell for column, cell in zip(result.columns, row) if cell is not None}
            for row in rows
        ]
    )
    columns = []
    for position, column in enumerate(result.columns):
        made = Column(
            _TYPES.get(types.get(column, str), TEXT) if position in filled else UNTYPED,
            "Column of a query.",
            source="--sql",
        )
        made.name, made.position = column, position
        columns.append(made)
    return Schema(name, "Result of a query.", tuple(columns)), rows


def _check_columns(columns: Sequence[str], called: str) -> None:
    """Refuse names that a table cannot have for its columns."""
    if not columns:
        raise UsageError(f"{called}: the statement has no result")
    seen: dict[str, str] = {}
    for number, column in enumerate(columns, 1):
        if not column.strip():
            raise UsageError(f"{called}: column {number} has no name; give it one with AS")
        other = seen.setdefault(column.lower(), column)
        if other is not column:
            raise UsageError(
                f"{called}: the columns {other} and {column} differ in case only, which SQLite does "
                "not see; rename one with AS"
            )
