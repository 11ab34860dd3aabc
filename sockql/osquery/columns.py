"""How osquery's columns are declared: its types, and what is made of sockql's columns.

Source: osquery/core/sql/column.h, docs/wiki/development/creating-tables.md.
"""

from __future__ import annotations

from functools import partial

from sockql.schema import INTEGER, TEXT, Column

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from sockql.schema import Getter

integer = partial(Column, INTEGER)
bigint = partial(Column, INTEGER, declared="BIGINT")
text = partial(Column, TEXT)

#: How the source of a column begins that osquery does not have on Linux.
ELSEWHERE: Final = "osquery on "
#: What ``like`` takes over.
_KEPT: Final = ("source", "get", "exact", "index", "lookup", "needs", "push", "unit")


def like(column: Column, doc: str = "", declared: str | None = None, **changes: Any) -> Column:
    """A column that is read as sockql's ``column`` is; ``changes`` are what differs.

    Without ``doc`` it also means the same.
    """
    same = {name: getattr(column, name) for name in _KEPT}
    return Column(column.type, doc or column.doc, **{**same, "declared": declared, **changes})


def or_empty(get: Getter) -> Getter:
    """A getter with ``''`` for NULL."""
    return lambda record: "" if (found := get(record)) is None else found


def or_zero(get: Getter) -> Getter:
    """A getter with 0 for NULL."""
    return lambda record: get(record) or 0


def _null(_record: object) -> None:
    return None


def elsewhere(system: str, column: partial[Column], collation: str | None = None) -> Column:
    """A column that osquery has on another ``system``: here it is hidden and NULL."""
    return column(
        f"NULL: only osquery on {system} has it.",
        source=ELSEWHERE + system,
        get=_null,
        collation=collation,
        hidden=True,
    )


windows = partial(elsewhere, "Windows")
macos = partial(elsewhere, "macOS")
