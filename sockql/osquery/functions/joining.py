"""``concat_ws`` as osquery has it; its ``concat`` is SQLite's.

Source: osquery/sql/sqlite_string.cpp
"""

from __future__ import annotations

from sockql.functions import declaring
from sockql.osquery.functions.values import as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.functions import Function
    from sockql.schema import Value

FUNCTIONS: Final[dict[str, Function]] = {}

_function = declaring(FUNCTIONS)


@_function("select concat_ws('-', 'a', NULL, 'b')", "a-b")
def concat_ws(separator: Value, *values: Value) -> str | None:
    """The values that are not NULL, one after another, the separator after all but the last.

    A separator that is NULL is an empty one.  NULL when there are no values.  A NULL at the end
    leaves the separator before it, as it does in osquery: ``concat_ws('-', 'a', NULL)`` is ``a-``.
    """
    if not values:
        return None
    between = "" if separator is None else as_text(separator)
    parts = [as_text(value) + between for value in values[:-1] if value is not None]
    if values[-1] is not None:
        parts.append(as_text(values[-1]))
    return "".join(parts)
