"""What SQL may do: read, compute, and keep temporary tables in memory.  Nothing else.

Results never depend on who wrote the query: no statement can touch a file, load code, or change
what the next one sees other than through tables of its own.
"""

from __future__ import annotations

import apsw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_ALWAYS: Final = frozenset(
    {
        apsw.SQLITE_READ,
        apsw.SQLITE_RECURSIVE,
        apsw.SQLITE_SAVEPOINT,
        apsw.SQLITE_SELECT,
        apsw.SQLITE_TRANSACTION,
    }
)
_TEMPORARY: Final = frozenset(
    {
        apsw.SQLITE_CREATE_TEMP_INDEX,
        apsw.SQLITE_CREATE_TEMP_TABLE,
        apsw.SQLITE_CREATE_TEMP_VIEW,
        apsw.SQLITE_DELETE,
        apsw.SQLITE_DROP_TEMP_INDEX,
        apsw.SQLITE_DROP_TEMP_TABLE,
        apsw.SQLITE_DROP_TEMP_VIEW,
        apsw.SQLITE_INSERT,
        apsw.SQLITE_REINDEX,
        apsw.SQLITE_UPDATE,
    }
)
#: Pragmas that only read; the argument of those in ``_NAMED`` is the name of a table.
_PRAGMAS: Final = frozenset(
    {
        "collation_list",
        "compile_options",
        "database_list",
        "encoding",
        "function_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "module_list",
        "pragma_list",
        "table_info",
        "table_list",
        "table_xinfo",
    }
)
_NAMED: Final = frozenset({"index_info", "index_list", "index_xinfo", "table_info", "table_list"})
_NAMED_X: Final = _NAMED | {"table_xinfo"}
_FUNCTIONS: Final = frozenset({"edit", "fts3_tokenizer", "load_extension", "readfile", "writefile"})
_CATALOGUE: Final = frozenset({"sqlite_master", "sqlite_temp_master"})


def authorize(
    operation: int, first: str | None, second: str | None, database: str | None, _by: str | None
) -> int:
    """SQLite's authorizer callback: SQLITE_OK, or SQLITE_DENY for what is refused.

    Source: https://www.sqlite.org/c3ref/c_alter_table.html
    """
    if operation in _ALWAYS:
        return apsw.SQLITE_OK
    if operation == apsw.SQLITE_FUNCTION:
        allowed = second is None or second.lower() not in _FUNCTIONS
    elif operation == apsw.SQLITE_PRAGMA:
        pragma = (first or "").lower()
        allowed = pragma in _PRAGMAS and (second is None or pragma in _NAMED_X)
    elif operation in _TEMPORARY:
        # Creating anything also writes the catalogue of the database it is created in.
        allowed = database == "temp" or operation == apsw.SQLITE_REINDEX
    else:
        allowed = False
    return apsw.SQLITE_OK if allowed else apsw.SQLITE_DENY
