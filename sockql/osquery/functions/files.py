"""Which file a command line starts: functions that look at the file system.

Where a path with blanks is not quoted, ``/opt/my tool -v`` may mean the file ``/opt/my`` or the file
``/opt/my tool``, and whoever can make the shorter one has his program run.
Source: osquery/sql/sqlite_filesystem.cpp
"""

from __future__ import annotations

import os
from stat import S_ISDIR

from sockql.errors import QueryError
from sockql.functions import declaring
from sockql.osquery.functions.values import as_integer, as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.functions import Function
    from sockql.schema import Value

FUNCTIONS: Final[dict[str, Function]] = {}

_function = declaring(FUNCTIONS)

_BLANKS: Final = " \t\n\v\f\r"


@_function("select find_file_path_in_cmd('/proc/version --all')", "/proc/version")
def find_file_path_in_cmd(command: Value, quoting: Value = 0, escape: Value = "\\") -> str:
    r"""The shortest beginning of the command line that is an existing file and no directory.

    It ends at a blank or where the line does; empty when there is no such file.  With ``quoting``
    not 0 blanks between double quotes end nothing; the character ``escape`` (``\``) takes its
    special meaning from the one that follows.  NULL is an error.
    """
    candidates = _candidates("find_file_path_in_cmd", command, quoting, escape)
    return next(filter(_is_file, candidates), "")


@_function("select is_path_deterministic('/proc/version --all')", 1)
def is_path_deterministic(command: Value, quoting: Value = 0, escape: Value = "\\") -> int:
    """1 when no more than one beginning of the command line is an existing file, else 0.

    The arguments are those of ``find_file_path_in_cmd``.
    """
    candidates = _candidates("is_path_deterministic", command, quoting, escape)
    return int(len(set(filter(_is_file, candidates))) <= 1)


def _candidates(function: str, command: Value, quoting: Value, escape: Value) -> Iterator[str]:
    """Each beginning of ``command`` that ends before a blank, and all of it, shortest first."""
    if command is None or quoting is None or escape is None or len(as_text(escape)) != 1:
        raise QueryError(
            f"{function}: a command line, 0 or 1, and one character are wanted, "
            f"not {command!r}, {quoting!r}, {escape!r}"
        )
    return _beginnings(as_text(command), bool(as_integer(quoting)), as_text(escape))


def _beginnings(command: str, quoting: bool, escape: str) -> Iterator[str]:
    path = ""
    quoted = escaped = False
    for character in command.lstrip(_BLANKS):
        if escaped:
            escaped = False
        elif quoting and character == '"':
            quoted = not quoted
            continue
        elif character == escape:
            escaped = True
            continue
        elif character in _BLANKS and not quoted:
            yield path
        path += character
    yield path


def _is_file(path: str) -> bool:
    try:
        return not S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
