"""SQLite's errors as ours, and what it would not take."""

from __future__ import annotations

import apsw

from sockql.errors import Interrupted, QueryError, UsageError
from sockql.sqltext import character_offset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.dialect import Dialect
    from sockql.errors import SockqlError


def explained(error: BaseException, sql: str, dialect: Dialect) -> SockqlError:
    """What ``error`` says of ``sql``."""
    if isinstance(error, KeyError):
        return QueryError(f"no value for the parameter :{error.args[0]}", sql=sql)
    if isinstance(error, apsw.InterruptError):
        return Interrupted("interrupted")
    if isinstance(error, UnicodeError):
        whose = "a text in the result is not Unicode; cast it to blob"
        return QueryError(whose if _is_unicode(sql) else "the SQL is not Unicode", sql=sql)
    if isinstance(error, apsw.BindingsError):
        return QueryError("parameters need a name: write :name, not ?", sql=sql)
    if isinstance(error, apsw.ConnectionClosedError):
        return UsageError("the engine is closed")
    place = character_offset(sql, getattr(error, "error_offset", -1))
    return QueryError(str(error), sql=sql, offset=place, dialect=dialect)


def refuse(sql: object, params: object) -> None:
    """Refuse what a program may give for a statement and its parameters, and SQLite does not take.

    :raises UsageError: for what is no text, and no values by name.
    :raises QueryError: for a value that SQLite does not have.
    """
    if not isinstance(sql, str):
        raise UsageError(f"SQL is a text, not {type(sql).__name__}")
    if not hasattr(params, "items"):
        raise UsageError(f"parameters are values by name, not {type(params).__name__}")
    for name, value in params.items():
        wrong = _wrong(value)
        if wrong:
            raise QueryError(f"the parameter :{name}: {wrong}", sql=sql)


def _wrong(value: object) -> str:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return f"{value} is beyond SQLite's integers"
    if isinstance(value, str) and not _is_unicode(value):
        return "the text is not Unicode"
    if value is None or isinstance(value, (int, float, str, bytes, bytearray, memoryview)):
        return ""
    return f"{type(value).__name__} is no type that SQLite has"


def _is_unicode(text: str) -> bool:
    """Whether ``text`` has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeError:
        return False
    return True
