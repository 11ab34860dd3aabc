"""The values of a saved query's parameters: what was given, checked, and the defaults."""

from __future__ import annotations

import re
from math import isfinite

from sockql.command.options import named, text, typed
from sockql.errors import UsageError
from sockql.saved.query import ANY, INTEGER, REAL, TABLE, TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

    from sockql.saved.query import Param, Query
    from sockql.schema import Value

# int() and float() also take "1_000", "inf" and digits of other scripts.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,30}")
_REAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

#: What the values of a type are.
_CLASSES: Final[Mapping[str, tuple[type, ...]]] = {
    ANY: (int, float, str, bytes),
    INTEGER: (int,),
    REAL: (int, float),
    TEXT: (str,),
}


class Binding:
    """What a query runs with: ``values`` by the names of parameters, and ``tables``.

    A table is given as the path of a file, or as None where the rows of the default count.
    """

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.tables: dict[str, str | None] = {}


class MissingValue(UsageError):
    """A parameter that has no default was not given."""


def bind(query: Query, given: Iterable[str], known: Mapping[str, Value] | None = None) -> Binding:
    """The values of all parameters of ``query``; ``given`` are words as ``-p`` takes them.

    Of a name given twice the last one counts.  Where there is neither a value nor a default, the
    one of ``known`` is taken, if it is of the parameter's type.

    :raises UsageError: for a parameter that the query does not have, and a value of another type;
        :class:`MissingValue` for parameters without a value.
    """
    binding = Binding()
    for parameter in given:
        name, as_text, value = named(parameter)
        param = query.params.get(name)
        if param is None:
            raise UsageError(_unknown(query, name))
        if as_text and param.type not in (ANY, TEXT):
            raise UsageError(f"{query.name}: {name}: {_wanted(param)} is wanted, not text")
        if param.type == TABLE:
            binding.tables[name] = value
        else:
            binding.values[name] = text(value) if as_text else _value(query, param, value)
    missing = []
    for name, param in query.params.items():
        if name in binding.values or name in binding.tables:
            continue
        if param.required:
            held = known.get(name) if known else None
            if isinstance(held, _CLASSES.get(param.type, ())):
                binding.values[name] = held
            else:
                missing.append(param)
        elif param.type == TABLE:
            binding.tables[name] = None
        else:
            assert not isinstance(param.default, tuple)  # only tables have rows
            binding.values[name] = param.default
    if missing:
        raise MissingValue(_missing(query, missing))
    return binding


def _value(query: Query, param: Param, argument: str) -> Value:
    """``argument`` as a value of the parameter's type."""
    if param.type == ANY:
        return typed(argument)
    if param.type == TEXT:
        return text(argument)
    if param.type == INTEGER and _INTEGER.fullmatch(argument):
        number = int(argument)
        if -(2**63) <= number < 2**63:
            return number
    if param.type == REAL and _REAL.fullmatch(argument):
        real = float(argument)
        if isfinite(real):
            return real
    wanted = _wanted(param)
    raise UsageError(f"{query.name}: {param.name}: {wanted} is wanted, not {argument!r}")


def _wanted(param: Param) -> str:
    """A value of the parameter's type, for people."""
    return {INTEGER: "an integer", REAL: "a number", TABLE: "a file"}.get(param.type, "text")


def _unknown(query: Query, name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, query.params, 1)
    if close:
        return f"{query.name} has no parameter {name}; did you mean {close[0]}?"
    return f"{query.name} has no parameter {name}; it has {', '.join(query.params) or 'none'}"


def _missing(query: Query, missing: list[Param]) -> str:
    shapes = {INTEGER: "INTEGER", REAL: "NUMBER", TABLE: "FILE", TEXT: "TEXT"}
    names = ", ".join(param.name for param in missing)
    give = " ".join(f"-p {param.name}={shapes.get(param.type, 'VALUE')}" for param in missing)
    return f"{query.name} needs a value for {names}: {give}"
