"""osquery's SQL functions and collations, imported when a statement names one of them.

Which connection has which: in all of them are those that neither change what a function of SQLite
does nor look at the file system.  The others are in the connection of ``--osquery`` and of
``sockql pack`` only: there ``log`` is the natural logarithm (SQLite's is the decimal one), ``ceil``
and ``floor`` give integers, ``concat_ws`` takes a separator that is NULL, and what is no number
(``sqrt(-1)``) is an error, as osquery has it.

What SQLite and osquery do alike (``concat``, json_*, strftime, ``iif``) is SQLite's.
Source: osquery/sql/sqlite_*.cpp
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    import apsw

    from sockql.functions import Function

#: The functions and collations of each module here that every connection has.
EVERYWHERE: Final = {
    "encoding": (*("conditional_to_base64", "from_base64", "to_base64", "md5", "sha1", "sha256"),),
    "network": ("community_id_v1", "community_id_v1_strict", "in_cidr_block", "inet_aton"),
    "paths": ("parent_directory",),
    "strings": ("regex_match", "regex_split", "split"),
    "versions": ("version_compare", "version", "version_arch", "version_dpkg", "version_rhel"),
}
#: Those that only osquery's connection has.
OSQUERY: Final = {
    "numbers": (
        *("acos", "asin", "atan", "ceil", "cos", "cot", "degrees", "exp", "floor", "log"),
        *("log10", "pi", "power", "radians", "sin", "sqrt", "tan"),
    ),
    "files": ("find_file_path_in_cmd", "is_path_deterministic"),
    "joining": ("concat_ws",),
}


def modules(*, osquery: bool) -> dict[str, str]:
    """The module of each function and collation by its name, for one kind of connection."""
    sets = (EVERYWHERE, OSQUERY) if osquery else (EVERYWHERE,)
    return {name: module for each in sets for module, names in each.items() for name in names}


def declared(module: str) -> dict[str, Function]:
    """The functions that a module here declares."""
    return _load(module)[0]


def register(connection: apsw.Connection, module: str) -> None:
    """Make what a module here declares known to ``connection``."""
    from sockql import functions

    own, collations = _load(module)
    functions.register(connection, own.values())
    for name, compare in collations.items():
        connection.create_collation(name, compare)


def _load(module: str) -> tuple[dict[str, Function], dict[str, Callable[[str, str], int]]]:
    found = __import__(f"sockql.osquery.functions.{module}", fromlist=["FUNCTIONS"])
    return found.FUNCTIONS, getattr(found, "COLLATIONS", {})
