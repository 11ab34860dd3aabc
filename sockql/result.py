"""What a statement gives: its rows, once."""

from __future__ import annotations

import apsw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from sockql.engine import Engine
    from sockql.schema import Value
    from sockql.statement import Statement


class Result:
    """The rows of one statement, to be iterated once; ``columns`` names them distinctly.

    Closed when exhausted; the engine closes it when the next statement is asked for.  Where the
    engine shares a snapshot, ``notices`` then says what these rows lack.
    """

    def __init__(
        self,
        engine: Engine,
        statement: Statement,
        sql: str,
        cursor: apsw.Cursor,
        columns: tuple[str, ...],
        parameters: Sequence[Value],
    ) -> None:
        self.sql = sql
        self.columns = columns
        self.notices: list[str] = []
        self._parameters = parameters
        self._engine = engine
        self._statement = statement
        self._cursor = cursor

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        try:
            if self._statement.replaces:
                for _ in self._cursor:
                    pass  # what SQLite makes of no rows
                yield from self._statement.rows(self._parameters)
            else:
                yield from self._cursor
        except (apsw.Error, UnicodeError) as error:
            raise self._engine.explain_error(error, self.sql) from None
        finally:
            self.close()

    def close(self) -> None:
        """Stop the statement if it still runs, and let its snapshot go."""
        self._cursor.close(True)
        self._engine.finish(self)
