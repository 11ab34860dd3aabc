"""Tables of one instant in a database that somebody else has open."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sockql.archive import capture
from sockql.archive.writing import PARENT, TableWriter
from sockql.errors import UsageError
from sockql.loading.names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import sqlite_utils

    from sockql.engine import Engine
    from sockql.render.writers import Row
    from sockql.schema import Schema


class ConnectionStore:
    """A :class:`~sockql.archive.capture.Store`: tables of a connection, one snapshot only."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tables: list[TableWriter] = []

    def open(self, schema: Schema, query: str | None) -> None:
        """What follows are rows of this table."""
        self._finish_table()
        parent = any(writer.schema.name == PARENT[0] for writer in self._tables)
        self._tables.append(TableWriter(self._connection, schema, parent=parent))

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
    connection = target if isinstance(target, sqlite3.Connection) else target.conn
    assert connection is not None
    chosen = capture.names(",".join(tables))
    capture.check_results(queries)
    cursor = connection.cursor()
    # In a transaction of the program it is a part of that; else it is one.
    cursor.execute("SAVEPOINT sockql")
    try:
        _make_room(cursor, [*chosen, *queries], replace)
        notices = capture.take(
            source, chosen, queries, [ConnectionStore(connection)], required=True
        )
    except BaseException:
        cursor.execute("ROLLBACK TO sockql")
        cursor.execute("RELEASE sockql")
        raise
    cursor.execute("RELEASE sockql")
    return notices


def _make_room(cursor: sqlite3.Cursor, names: Iterable[str], replace: bool) -> None:
    cursor.row_factory = None  # whatever rows the program wants
    sql = "SELECT count(*) FROM sqlite_master WHERE name = ? COLLATE NOCASE"
    for name in names:
        if replace:
            cursor.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
        elif cursor.execute(sql, (name,)).fetchone() != (0,):
            raise UsageError(f"the database has a table {name} already; replace=True replaces it")
