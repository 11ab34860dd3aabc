"""Statements that a program runs on the connection itself, without the engine.

They see the same tables, conditions are pushed down, and each statement is one instant.  What the
engine does beyond that, batches of rows outside of SQLite, is left out.
"""

from __future__ import annotations

from _weakref import ref

import apsw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockql.engine import Engine


class DirectCursors:
    """What makes the cursors of a connection, and knows which of them are in their rows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._used: list[ref[apsw.Cursor]] = []

    def __call__(self, connection: apsw.Connection) -> DirectCursor:
        return DirectCursor(self, connection)

    def expect(self, sql: str) -> None:
        """A cursor is about to prepare ``sql``, one statement or several."""
        self._engine.begin(sql)

    def begin(self, cursor: apsw.Cursor, sql: str, values: Any) -> bool:
        """``cursor`` has prepared the statement ``sql`` and is about to run it."""
        self._used = [each for each in self._used if each() is not cursor]
        self._engine.begin(sql, values, alone=not self.running())
        self._used.append(ref(cursor))
        return True

    def running(self) -> bool:
        """Whether a cursor may still give rows."""
        self._used = [each for each in self._used if (cursor := each()) and _unfinished(cursor)]
        return bool(self._used)


class DirectCursor(apsw.Cursor):
    """A cursor of :attr:`Engine.connection <sockql.engine.Engine.connection>`."""

    def __init__(self, cursors: DirectCursors, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._cursors = cursors

    def execute(self, statements: str, *arguments: Any, **options: Any) -> apsw.Cursor:
        """Run one statement or several, as apsw does."""
        self._expect(statements)
        return super().execute(statements, *arguments, **options)

    def executemany(self, statements: str, *arguments: Any, **options: Any) -> apsw.Cursor:
        """Run a statement for each of several sets of values, as apsw does."""
        self._expect(statements)
        return super().executemany(statements, *arguments, **options)

    def _expect(self, sql: str) -> None:
        self._cursors.expect(sql)
        # The tracer of a program stays; its statement is answered with all columns.
        if self.exec_trace is None:
            self.exec_trace = self._cursors.begin


def _unfinished(cursor: apsw.Cursor) -> bool:
    try:
        cursor.get_description()
    except (apsw.CursorClosedError, apsw.ExecutionCompleteError):
        return False
    return True
