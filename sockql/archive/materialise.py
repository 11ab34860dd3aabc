"""Tables of one instant in a database that somebody else has open."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sockql.archive import capture
from sockql.archive.writing import PARENT, TableWriter
from sockql.engine import Engine
from sockql.errors import UsageError
from sockql.loading.names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlite_utils

    from sockql.render.writers import Row
    from sockql.schema import Schema

#: How messages name the arguments of :func:`sockql.materialise`.
_WORDS: Final = capture.Words("tables", "queries[{!r}]", "queries", "queries={{{!r}: SQL}}")


class ConnectionStore:
    """A :class:`~sockql.archive.capture.Store`: tables of a connection, one snapshot only.

    Where the connection enforces foreign keys none is declared: descriptors that are read after
    their process has ended are no mistake.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        ((enforced,),) = _plain(connection).execute("PRAGMA foreign_keys")
        self._enforced = bool(enforced)
        self._tables: list[TableWriter] = []

    def open(self, schema: Schema, query: str | None) -> None:
        """What follows are rows of this table."""
        self._finish_table()
        parent = any(writer.schema.name == PARENT[0] for writer in self._tables)
        self._tables.append(
            TableWriter(self._connection, schema, parent=parent and not self._enforced)
        )

    def write(self, rows: Sequence[Row]) -> None:
        """Some rows of the table."""
        self._tables[-1].write(rows)

    def _finish_table(self) -> None:
        if self._tables:
            self._tables[-1].finish()

    def finish(self, epoch: float, notices: Sequence[str]) -> None:
        """Complete the last table."""
        self._finish_table()


def write(
    target: sqlite3.Connection | sqlite_utils.Database,
    tables: Iterable[str],
    queries: Mapping[str, str],
    source: Engine,
    *,
    replace: bool,
) -> list[str]:
    """See :func:`sockql.materialise`."""
    connection = _connection(target)
    chosen = capture.named(_texts("tables", tables), _WORDS)
    if not isinstance(queries, Mapping):
        raise UsageError(f"queries: SQL by name is wanted, not {type(queries).__name__}")
    capture.check_results(_texts("queries", queries), _WORDS)
    _texts("queries", queries.values())
    if not isinstance(source, Engine):
        raise UsageError(f"source: what connect() gives is wanted, not {type(source).__name__}")
    try:
        cursor = _plain(connection)
        # In a transaction of the program it is a part of that; else it is one.
        cursor.execute("SAVEPOINT sockql")
        try:
            _make_room(cursor, [*chosen, *queries], replace)
            store = ConnectionStore(connection)
            notices = capture.take(source, chosen, queries, [store], required=True, words=_WORDS)
        except BaseException:
            # Not there any more when SQLite has rolled all back by itself, for want of room.
            with suppress(sqlite3.Error):
                cursor.execute("ROLLBACK TO sockql")
                cursor.execute("RELEASE sockql")
            raise
        cursor.execute("RELEASE sockql")
    except sqlite3.Error as error:
        raise UsageError(f"the database cannot be written: {error}") from error
    return notices


def _connection(target: object) -> sqlite3.Connection:
    found = getattr(target, "conn", target)
    if not isinstance(found, sqlite3.Connection):
        raise UsageError(
            "a connection of sqlite3 or a database of sqlite-utils is wanted to write into, "
            f"not {type(target).__name__}"
        )
    return found


def _texts(what: str, given: Iterable[str]) -> list[str]:
    """``given`` as a list; a text alone would be taken for one of its letters."""
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise UsageError(f"{what}: several texts are wanted, not {given!r}")
    found = list(given)
    for each in found:
        if not isinstance(each, str):
            raise UsageError(f"{what}: texts are wanted, not {each!r}")
    return found


def _plain(connection: sqlite3.Connection) -> sqlite3.Cursor:
    """A cursor whose rows are tuples, whatever rows the program wants."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor


def _make_room(cursor: sqlite3.Cursor, names: Sequence[str], replace: bool) -> None:
    # What refers to others goes before them.
    for name in reversed(names):
        sql = "SELECT type = 'table', CAST(type AS BLOB) FROM main.sqlite_master WHERE name = ? COLLATE NOCASE"
        for table, type in cursor.execute(sql, (name,)).fetchall():
            if not table:
                raise UsageError(
                    f"the database has the {type.decode()} {name}, which is not replaced"
                )
            if not replace:
                raise UsageError(
                    f"the database has a table {name} already; replace=True replaces it"
                )
            try:
                cursor.execute(f"DROP TABLE main.{quoted(name)}")
            except sqlite3.IntegrityError as error:
                raise UsageError(
                    f"the table {name} is not replaced, for another one refers to it: {error}"
                ) from error
