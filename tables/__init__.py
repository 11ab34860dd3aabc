"""The tables and views, one file each; a file is imported when a statement first names it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockql.schema import Table, View

#: Every table and view, by the name of its module here and in SQL.
NAMES = tuple(
    sorted(
        file[:-3]
        for file in os.listdir(os.path.dirname(__file__))
        if file[-3:] == ".py" and file != "__init__.py"
    )
)


def load(name: str) -> Table[Any] | View:
    """The table or view called ``name``.

    :raises KeyError: when there is none.
    """
    if name not in NAMES:
        raise KeyError(name)
    module = __import__(f"sockql.tables.{name}", fromlist=["TABLE"])
    table: Table[Any] | View = module.TABLE
    return table


def load_all() -> Iterator[Table[Any] | View]:
    """Every table and view, in alphabetical order."""
    return map(load, NAMES)
