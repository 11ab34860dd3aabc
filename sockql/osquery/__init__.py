"""osquery's tables: its names, columns, types and values, filled by sockql's readers.

They are tables like those in ``tables/``, one file each in :mod:`sockql.osquery.tables`, with
osquery's rules where these differ from ours: ``-1``, ``0`` and ``''`` stand for what is unknown
where osquery has them, and the columns that osquery has on other systems only are hidden and
NULL.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

    from sockql.schema import Table

#: The version of osquery whose columns these are.
VERSION: Final = "5.23.1"

#: Every table, by the name of its module in ``sockql.osquery.tables`` and in SQL.
NAMES: Final = tuple(
    sorted(
        file[:-3]
        for file in os.listdir(os.path.join(os.path.dirname(__file__), "tables"))
        if file[-3:] == ".py" and file != "__init__.py"
    )
)


def load(name: str) -> Table[Any]:
    """The table called ``name``.

    :raises KeyError: when there is none.
    """
    if name not in NAMES:
        raise KeyError(name)
    module = __import__(f"sockql.osquery.tables.{name}", fromlist=["TABLE"])
    table: Table[Any] = module.TABLE
    return table


def load_all() -> Iterator[Table[Any]]:
    """Every table, in alphabetical order."""
    return map(load, NAMES)
