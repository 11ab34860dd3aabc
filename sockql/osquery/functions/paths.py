"""``parent_directory``, which only looks at the text of a path.

Source: osquery/sql/sqlite_filesystem.cpp
"""

from __future__ import annotations

from sockql.errors import QueryError
from sockql.functions import declaring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.functions import Function
    from sockql.schema import Value

FUNCTIONS: Final[dict[str, Function]] = {}

_function = declaring(FUNCTIONS)


@_function("select parent_directory('/usr/sbin/sshd')", "/usr/sbin")
def parent_directory(path: Value) -> str | None:
    """What stands before the last slash: an empty text for ``/etc``, NULL where there is no slash.

    What is no text, NULL among it, is an error.
    """
    if not isinstance(path, str):
        raise QueryError(f"parent_directory: {path!r} is not a text")
    parent, slash, _ = path.rpartition("/")
    return parent if slash else None
