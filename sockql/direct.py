"""Statements that a program runs on the connection itself, without the engine.

They see the same tables, conditions are pushed down, and each statement is one instant.  What the
engine does beyond that, batches of rows outside of SQLite, is left out.
"""

from __future__ import annotations

from _weakref import ref

import apsw

from sockql.sqltext import statements

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

    def expect(self, cursor: apsw.Cursor, sql: str, values: Any) -> None:
        """``cursor`` is about to run ``sql``, one statement or several.

        Of several each is a statement of its own, answered with all columns: what it uses could
        only be found out in the middle of the call, where some versions of apsw lose count of
        references to the cursor.
        """
        if cursor.exec_trace == self._begin:
            cursor.exec_trace = None
        if len(statements(sql)) > 1 and cursor.exec_trace is None:
            cursor.exec_trace = self._begin
        self._begin(cursor, sql, values)

    def _begin(self, cursor: apsw.Cursor, sql: str, values: Any) -> bool:
        self._used = [each for each in self._used if each() is not cursor]
        alone = cursor.exec_trace is None and not self.running()
        self._engine.begin(sql, values, alone=alone)
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

    def execute(self, statements: str, bindings: Any = None, **options: Any) -> apsw.Cursor:
        """Run one statement or several, as apsw does."""
        self._cursors.expect(self, statements, bindings)
        return super().execute(statements, bindings, **options)

    def executemany(self, statements: str, *arguments: Any, **options: Any) -> apsw.Cursor:
        """Run a statement for each of several sets of values, as apsw does."""
        self._cursors.expect(self, statements, None)
        return super().executemany(statements, *arguments, **options)


def _unfinished(cursor: apsw.Cursor) -> bool:
    try:
        cursor.get_description()
    except (apsw.CursorClosedError, apsw.ExecutionCompleteError):
        return False
    return True
