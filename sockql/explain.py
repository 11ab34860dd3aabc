"""SQLite's errors as ours."""

from __future__ import annotations

import apsw

from sockql.errors import Interrupted, QueryError
from sockql.sqltext import character_offset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.dialect import Dialect
    from sockql.errors import SockqlError


def explained(error: BaseException, sql: str, dialect: Dialect) -> SockqlError:
    """What a user is told of an error that ``sql``, one statement, met in SQLite or in apsw."""
    if isinstance(error, KeyError):
        return QueryError(f"no value for the parameter :{error.args[0]}", sql=sql)
    if isinstance(error, apsw.InterruptError):
        return Interrupted("interrupted")
    if isinstance(error, UnicodeError):
        return QueryError("a text in the result is not Unicode; cast it to blob", sql=sql)
    if isinstance(error, apsw.BindingsError):
        return QueryError("parameters need a name: write :name, not ?", sql=sql)
    place = character_offset(sql, getattr(error, "error_offset", -1))
    return QueryError(str(error), sql=sql, offset=place, dialect=dialect)
