"""Under which name a file is there for queries: ``NAME=FILE``, and names that are taken."""

from __future__ import annotations

from sockql import tables
from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Names of SQLite's own databases.
_SCHEMAS: Final = ("main", "temp")


def split(flag: str, argument: str) -> tuple[str, str]:
    """``(name, path)`` of an argument ``NAME=FILE``.

    :raises UsageError: when it is none.
    """
    name, equals, path = argument.partition("=")
    if not (name and equals and path):
        raise UsageError(f"{flag} {argument}: not NAME=FILE")
    return name, path


def check(what: str, name: str) -> None:
    """Refuse a name that stands for something else already.

    :raises UsageError: for one of sockql's tables, and what SQLite keeps for itself.
    """
    folded = name.lower()
    if folded in tables.NAMES:
        raise UsageError(f"{what}: {name} is a table of sockql; take another name")
    if folded in _SCHEMAS or folded.startswith("sqlite_"):
        raise UsageError(f"{what}: {name} is a name that SQLite keeps for itself")
    if "\0" in name or not name.strip():
        raise UsageError(f"{what}: {name!r} is not a name")


def quoted(name: str) -> str:
    """``name`` as SQL has it, whatever characters are in it."""
    return '"' + name.replace('"', '""') + '"'
