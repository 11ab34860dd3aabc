"""Mathematics where SQLite's functions of the same names answer something else, or there are none.

Texts count for the number that they begin with.  NULL gives NULL.  What has no answer, or one that
is too large, is an error; SQLite's own functions answer NULL or infinity.
Source: osquery/sql/sqlite_math.cpp
"""

from __future__ import annotations

import math

from sockql.errors import QueryError
from sockql.functions import declaring
from sockql.osquery.functions.values import as_real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from sockql.functions import Function
    from sockql.schema import Value

FUNCTIONS: Final[dict[str, Function]] = {}

_function = declaring(FUNCTIONS)


def _real(name: str, call: Callable[..., float], *arguments: Value) -> float | None:
    if None in arguments:
        return None
    try:
        return call(*map(as_real, arguments))
    except (ArithmeticError, ValueError):
        given = ", ".join(map(repr, arguments))
        raise QueryError(f"{name}({given}): there is no such number") from None


def _whole(name: str, call: Callable[[float], int], value: Value) -> int | None:
    """What ``call`` makes of a number that is no integer, within 64 bits."""
    if value is None or isinstance(value, int):
        return value
    try:
        number = call(as_real(value))
        if -(2**63) <= number < 2**63:
            return number
    except (ArithmeticError, ValueError):
        pass
    raise QueryError(f"{name}({value!r}): there is no such integer")


@_function("select acos(1)", 0.0)
def acos(x: Value) -> float | None:
    """The arc cosine, in radians."""
    return _real("acos", math.acos, x)


@_function("select asin(0)", 0.0)
def asin(x: Value) -> float | None:
    """The arc sine, in radians."""
    return _real("asin", math.asin, x)


@_function("select atan(0)", 0.0)
def atan(x: Value) -> float | None:
    """The arc tangent, in radians."""
    return _real("atan", math.atan, x)


@_function("select ceil(1.2)", 2)
def ceil(x: Value) -> int | None:
    """The least integer that is not below the number; an integer, where SQLite's gives a real."""
    return _whole("ceil", math.ceil, x)


@_function("select cos(0)", 1.0)
def cos(x: Value) -> float | None:
    """The cosine of an angle in radians."""
    return _real("cos", math.cos, x)


@_function("select round(cot(0.5), 6)", 1.830488)
def cot(x: Value) -> float | None:
    """The cotangent of an angle in radians."""
    return _real("cot", lambda angle: 1.0 / math.tan(angle), x)


@_function("select degrees(pi())", 180.0)
def degrees(x: Value) -> float | None:
    """The angle in degrees that is this angle in radians."""
    return _real("degrees", math.degrees, x)


@_function("select exp(0)", 1.0)
def exp(x: Value) -> float | None:
    """The power of e."""
    return _real("exp", math.exp, x)


@_function("select floor(1.8)", 1)
def floor(x: Value) -> int | None:
    """The greatest integer that is not above the number; an integer, where SQLite's gives a real."""
    return _whole("floor", math.floor, x)


@_function("select log(exp(1))", 1.0)
def log(x: Value) -> float | None:
    """The natural logarithm; SQLite's ``log`` is the decimal one."""
    return _real("log", math.log, x)


@_function("select log10(1000)", 3.0)
def log10(x: Value) -> float | None:
    """The decimal logarithm."""
    return _real("log10", math.log10, x)


@_function("select round(pi(), 6)", 3.141593)
def pi() -> float:
    """The ratio of a circle's circumference to its diameter."""
    return math.pi


@_function("select power(2, 10)", 1024.0)
def power(x: Value, y: Value) -> float | None:
    """The first number to the power of the second."""
    return _real("power", math.pow, x, y)


@_function("select radians(0)", 0.0)
def radians(x: Value) -> float | None:
    """The angle in radians that is this angle in degrees."""
    return _real("radians", math.radians, x)


@_function("select sin(0)", 0.0)
def sin(x: Value) -> float | None:
    """The sine of an angle in radians."""
    return _real("sin", math.sin, x)


@_function("select sqrt(49)", 7.0)
def sqrt(x: Value) -> float | None:
    """The square root."""
    return _real("sqrt", math.sqrt, x)


@_function("select tan(0)", 0.0)
def tan(x: Value) -> float | None:
    """The tangent of an angle in radians."""
    return _real("tan", math.tan, x)
