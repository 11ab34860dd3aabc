"""Versions: ``version_compare`` and the collations ``version``, ``version_arch``, and so on.

Two versions are compared character by character, in segments between the delimiters ``~-^.:``; the
segment that is shorter is smaller, and of segments of one length the first difference decides.
Four rules for packages can be added; each collation has its own choice of them.
Source: osquery/sql/sqlite_version.cpp
"""

from __future__ import annotations

from functools import partial

from sockql.errors import QueryError
from sockql.functions import declaring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from sockql.functions import Function
    from sockql.schema import Value

FUNCTIONS: Final[dict[str, Function]] = {}

_function = declaring(FUNCTIONS)

#: The delimiters, the one that sorts first at the beginning.
_DELIMITERS: Final = "~-^.:"
#: How a version with this left over compares with one that has nothing left over.
_LEFT_OVER: Final = {"~": -1, "-": 0, "^": 1}
#: What an operator holds for: less, equal, greater.
_OPERATORS: Final = {"<": {-1}, "<=": {-1, 0}, "=": {0}, ">=": {0, 1}, ">": {1}}


def compare(
    left: str,
    right: str,
    *,
    epoch: bool = False,
    delimiters: bool = False,
    remainder: bool = False,
    numeric: bool = False,
) -> int:
    """-1, 0 or 1 for a version that is smaller, equal or greater.

    ``epoch``: one with a colon is greater than one without, and the later the colon the greater.
    ``delimiters``: different delimiters in the same place decide.  ``remainder``: when one version
    is the beginning of the other, a ``~`` that follows makes the longer one smaller, a ``^``
    greater, a ``-`` equal, and any other difference counts before the length; with ``numeric``
    only where the shorter one does not end in a digit.
    """
    if not left or not right or left == right:
        return _sign(bool(left) - bool(right))
    if epoch and ":" in left + right:
        different = left.find(":") - right.find(":")
        if different:
            return _sign(different)
    first = 0
    for one, other in zip(left, right):
        place, another = _DELIMITERS.find(one), _DELIMITERS.find(other)
        if place < 0 and another < 0:
            first = first or ord(one) - ord(other)
        elif place < 0 or another < 0:
            return 1 if place < 0 else -1  # the segment of one version goes on
        elif first:
            return _sign(first)
        elif delimiters and place != another:
            return _sign(place - another)
    longer = len(left) - len(right)
    if remainder and longer:
        common = min(len(left), len(right))
        follows = (left if longer > 0 else right)[common]
        if follows in _LEFT_OVER:
            return _LEFT_OVER[follows] * _sign(longer)
        if first and not (numeric and "0" <= (right if longer > 0 else left)[-1] <= "9"):
            return _sign(first)
    return _sign(longer or first)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


@_function("select version_compare('1.2.10', '>', '1.2.9')", 1)
def version_compare(
    left: Value,
    operator: Value,
    right: Value,
    epoch: Value = 0,
    delimiters: Value = 0,
    remainder: Value = 0,
    numeric: Value = 0,
) -> int:
    """1 when the two versions compare as the operator (``<``, ``<=``, ``=``, ``>=``, ``>``) says, else 0.

    The switches add rules for packages: ``epoch`` (a version with a colon is the greater one),
    ``delimiters`` (``~-^.:`` sort in this order), ``remainder`` (``~`` after all that is common
    makes a version smaller, ``^`` greater, ``-`` equal), ``numeric`` (after a digit the longer
    remainder is greater).  Each is 0, 1, or NULL for 0.  The collations ``version``,
    ``version_arch`` (epoch, remainder, numeric), ``version_dpkg`` (epoch, delimiters) and
    ``version_rhel`` (epoch, delimiters, remainder) order as it does: ``order by v collate version``.
    What is no text, NULL among it, is an error.
    """
    if not (isinstance(left, str) and isinstance(operator, str) and isinstance(right, str)):
        raise QueryError("version_compare: two versions and an operator are wanted, as texts")
    if operator not in _OPERATORS:
        known = ", ".join(_OPERATORS)
        raise QueryError(f"version_compare: {operator!r} is not an operator; there are {known}")
    switches = (epoch, delimiters, remainder, numeric)
    if not all(switch is None or isinstance(switch, int) for switch in switches):
        raise QueryError(f"version_compare: a switch is 0, 1 or NULL, not {switches!r}")
    order = compare(
        left,
        right,
        epoch=bool(epoch),
        delimiters=bool(delimiters),
        remainder=bool(remainder),
        numeric=bool(numeric),
    )
    return int(order in _OPERATORS[operator])


COLLATIONS: Final[dict[str, Callable[[str, str], int]]] = {
    "version": compare,
    "version_arch": partial(compare, epoch=True, remainder=True, numeric=True),
    "version_dpkg": partial(compare, epoch=True, delimiters=True),
    "version_rhel": partial(compare, epoch=True, delimiters=True, remainder=True),
}
