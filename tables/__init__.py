"""The tables, one file each; a file is imported when a statement first names its table."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockql.schema import Table

#: Every table, by the name of its module here and in SQL.
NAMES = ("fds", "processes", "sockets")


def load(name: str) -> Table[Any]:
    """The table called ``name``.

    :raises KeyError: when there is none.
    """
    if name not in NAMES:
        raise KeyError(name)
    module = __import__(f"sockql.tables.{name}", fromlist=["TABLE"])
    table: Table[Any] = module.TABLE
    return table


def load_all() -> Iterator[Table[Any]]:
    """Every table, in alphabetical order."""
    return map(load, NAMES)
