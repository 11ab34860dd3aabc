"""Arguments as SQLite's C functions hand them out: any value as a text, an integer, a number.

Source: https://www.sqlite.org/c3ref/value_blob.html, https://www.sqlite.org/lang_expr.html#castexpr
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.schema import Value

_BLANKS: Final = " \t\n\v\f\r"
_LOWEST: Final = -(2**63)
_HIGHEST: Final = 2**63 - 1


def as_text(value: Value) -> str:
    """What sqlite3_value_text() gives: numbers are spelled out, bytes are taken for UTF-8."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float):
        return _spelled(value)
    return str(value)


def as_integer(value: Value) -> int:
    """What sqlite3_value_int64() gives: of a text the integer that it begins with, 0 for none."""
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(max(_LOWEST, min(_HIGHEST, value)))
    text = as_text(value).lstrip(_BLANKS)
    sign = 1 if text[:1] in ("+", "-") else 0
    end = sign
    while text[end : end + 1].isdigit() and text[end].isascii():
        end += 1
    return max(_LOWEST, min(_HIGHEST, int(text[:end]))) if end > sign else 0


def as_real(value: Value) -> float:
    """What sqlite3_value_double() gives: of a text the number that it begins with, 0 for none."""
    if isinstance(value, (int, float)):
        return float(value)
    text = as_text(value).lstrip(_BLANKS)
    end = 0
    while end < len(text) and text[end] in "+-.0123456789eE":
        end += 1
    while end:
        try:
            return float(text[:end])
        except ValueError:
            end -= 1
    return 0.0


def _spelled(number: float) -> str:
    """A float in 15 digits, with a point: 1e+20 is 1.0e+20.

    SQLite before 3.54 spells it so; later versions take the digits that it needs.
    """
    if number in (float("inf"), float("-inf")):
        return "Inf" if number > 0 else "-Inf"
    mantissa, e, exponent = f"{number or 0.0:.15g}".partition("e")
    return (mantissa if "." in mantissa else mantissa + ".0") + e + exponent
