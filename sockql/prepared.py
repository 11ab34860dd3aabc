"""What a statement would give: SQLite prepares it, and it does not run."""

from __future__ import annotations

import apsw

from sockql.sqltext import distinct, parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from sockql.engine import Engine

    #: Name, declared type, database, table and column of a column of the result; all but the name
    #: None for one that is computed.
    Described: TypeAlias = tuple[str, str | None, str | None, str | None, str | None]


def described(engine: Engine, sql: str) -> list[Described]:
    """The columns of one statement; none for one that has no result.

    Source: https://www.sqlite.org/c3ref/column_database_name.html

    :raises QueryError: wrong SQL; parameters need no value.
    """
    found: list[Described] = []

    def prepared(cursor: apsw.Cursor, _sql: str, _bindings: object) -> bool:
        found.extend(cursor.description_full)
        return False

    cursor = engine.cursor()
    cursor.exec_trace = prepared
    try:
        engine.named.make(sql)
        cursor.execute(sql, dict.fromkeys(parameters(sql)), prepare_flags=0)
    except apsw.ExecTraceAbort:
        pass
    except (apsw.Error, KeyError, UnicodeError) as error:
        raise engine.explain_error(error, sql) from None
    finally:
        cursor.close(True)
    return found


def columns(engine: Engine, sql: str) -> tuple[str, ...]:
    """The names that the columns of the result would have."""
    return distinct([name for name, *_ in described(engine, sql)])
