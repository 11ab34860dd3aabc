"""What one scan of a table is asked for: the WHERE clause, as far as it reaches the source."""

from __future__ import annotations

from sockql.schema import INTEGER, REAL, TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    from sockql.schema import Column, Schema, Value
    from sockql.snapshot import Snapshot

#: The largest and smallest integers that SQLite can hold.
MAXIMUM: Final = 2**63 - 1
MINIMUM: Final = -(2**63)


class Unknown:
    """A right-hand side that SQLite does not know yet while it plans."""

    def __repr__(self) -> str:
        return "?"


UNKNOWN: Final = Unknown()


class Constraint:
    """One term of the WHERE clause: ``column operator value``.

    ``operator`` is ``=``, ``in``, ``<``, ``<=``, ``>``, ``>=``, ``like`` or ``inet_in``; ``value`` has the
    column's type, is a frozenset for ``in``, and is :data:`UNKNOWN` where only the plan is known.
    """

    __slots__ = ("column", "operator", "value")

    def __init__(self, column: str, operator: str, value: Any) -> None:
        self.column = column
        self.operator = operator
        self.value = value

    def __repr__(self) -> str:
        if isinstance(self.value, frozenset):
            known = sorted(self.value, key=lambda value: (type(value).__name__, value))
            values = list(map(repr, known))
            shown = "(" + ", ".join(values[:8]) + (", …)" if len(values) > 8 else ")")
        else:
            shown = repr(self.value)
        if self.operator == "inet_in":
            return f"inet_in({self.column}, {shown})"
        return f"{self.column} {self.operator} {shown}"

    def implies(self, other: Constraint) -> bool:
        """Whether all rows that meet this one meet ``other``."""
        if self.column != other.column:
            return False
        if other.value is UNKNOWN:
            return True  # it only says that the cell is not NULL
        if other.operator == "in" and self.operator in ("=", "in"):
            values = self.value if self.operator == "in" else {self.value}
            return self.value is not UNKNOWN and bool(values <= other.value)
        return self == other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constraint) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, str, Any]:
        return self.column, self.operator, self.value


class Trace:
    """What a scan cost, for ``sockql plan``: filled by the table and the host, read by people."""

    __slots__ = ("bytes", "constraints", "requests", "rows", "scans", "seconds")

    def __init__(self) -> None:
        self.constraints: tuple[Constraint, ...] = ()
        self.requests: list[str] = []
        self.bytes = 0
        self.rows = 0
        self.scans = 0
        self.seconds = 0.0

    def note(self, request: str) -> None:
        """Record a kernel request or the files read, once each."""
        if request not in self.requests:
            self.requests.append(request)


class Request:
    """One scan: the conditions, the columns in use, and the statement it belongs to.

    A table may ignore any condition, SQLite checks every row again; honouring one makes the
    answer cheaper, never different.

    One that is made for several statements has their own requests as ``parts``: then a row is
    wanted if any of them wants it, with the columns that those want who want it.
    """

    __slots__ = (
        "_bounds",
        "_values",
        "columns",
        "constraints",
        "limit",
        "needs",
        "parts",
        "schema",
        "snapshot",
        "trace",
    )

    def __init__(
        self,
        schema: Schema,
        snapshot: Snapshot,
        *,
        columns: Iterable[str] | None = None,
        constraints: Iterable[Constraint] = (),
        limit: int | None = None,
        trace: Trace | None = None,
        parts: tuple[Request, ...] = (),
    ) -> None:
        self.schema = schema
        self.snapshot = snapshot
        self.columns = frozenset(schema.by_name if columns is None else columns)
        self.constraints = tuple(constraints)
        self.limit = limit
        self.parts = parts
        self.trace = trace if trace is not None else Trace()
        needs = 0
        for name in self.columns:
            needs |= schema.by_name[name].needs
        self.needs = needs
        self._values: dict[str, frozenset[Any] | None] = {}
        self._bounds: dict[str, tuple[int, int]] = {}

    def values(self, column: str) -> frozenset[Any] | None:
        """The only values ``column`` may have in the answer, None when any will do.

        They have the column's type; for a column with a closed set they are members of it in its
        own spelling, so an impossible value leaves the empty set: no row can match.  A condition
        whose value is still unknown restricts nothing.
        """
        try:
            return self._values[column]
        except KeyError:
            pass
        allowed: frozenset[Any] | None = None
        for constraint in self.constraints:
            if constraint.column != column or constraint.value is UNKNOWN:
                continue
            if constraint.operator == "=":
                new = frozenset((constraint.value,))
            elif constraint.operator == "in":
                new = constraint.value
            else:
                continue
            allowed = new if allowed is None else allowed & new
        self._values[column] = allowed
        return allowed

    def bounds(self, column: str) -> tuple[int, int]:
        """The inclusive range of an INTEGER column from its ``< <= > >=`` conditions.

        :data:`MINIMUM` and :data:`MAXIMUM` where it is open; an empty range has low > high.
        """
        try:
            return self._bounds[column]
        except KeyError:
            pass
        low, high = MINIMUM, MAXIMUM
        for constraint in self.constraints:
            value = constraint.value
            if constraint.column != column or value is UNKNOWN:
                continue
            if constraint.operator == ">":
                low = max(low, value + 1)
            elif constraint.operator == ">=":
                low = max(low, value)
            elif constraint.operator == "<":
                high = min(high, value - 1)
            elif constraint.operator == "<=":
                high = min(high, value)
        self._bounds[column] = low, high
        return low, high

    def prefixes(self, column: str) -> tuple[str, ...]:
        """The CIDR prefixes of ``inet_in(column, …)``, all of which a row has to be in."""
        return tuple(
            c.value
            for c in self.constraints
            if c.column == column and c.operator == "inet_in" and c.value is not UNKNOWN
        )

    def patterns(self, column: str) -> tuple[str, ...]:
        """The patterns of ``column LIKE …``, all of which a row has to match."""
        return tuple(
            c.value
            for c in self.constraints
            if c.column == column and c.operator == "like" and c.value is not UNKNOWN
        )

    def constrained(self, column: str) -> bool:
        """Whether any condition names ``column``, its value known or not."""
        return any(c.column == column for c in self.constraints)

    def within(self, other: Request) -> bool:
        """Whether its rows are among those of ``other``, and whole."""
        if not self.columns <= other.columns:
            return False
        theirs = set(other.constraints)
        # What a parameter says is to be read by both or by none.
        if any(self._is_parameter(c) for c in theirs.symmetric_difference(self.constraints)):
            return False
        if not all(any(mine.implies(their) for mine in self.constraints) for their in theirs):
            return False
        return not other.parts or any(map(self.within, other.parts))

    @property
    def looks_up(self) -> bool:
        """Whether the source finds its rows without reading the others."""
        return any(
            self._is_parameter(constraint)
            or (
                self.schema.by_name[constraint.column].lookup
                and constraint.operator in ("=", "in")
                and constraint.value is not UNKNOWN
            )
            for constraint in self.constraints
        )

    def _is_parameter(self, constraint: Constraint) -> bool:
        return self.schema.by_name[constraint.column].parameter

    @property
    def impossible(self) -> bool:
        """Whether the conditions contradict each other, so that no row can match."""
        for constraint in self.constraints:
            if constraint.operator in ("=", "in"):
                if self.values(constraint.column) == frozenset():
                    return True
            elif constraint.operator not in ("inet_in", "like"):
                low, high = self.bounds(constraint.column)
                if low > high:
                    return True
        return False


def coerce(column: Column, value: Value) -> Value | Unknown:
    """``value`` as the comparison with ``column`` sees it, after SQLite's affinity rules.

    None when no cell of the column can equal it: a NULL, a text that is no number against a
    number, a text outside a closed set, a blob against a text.  :data:`UNKNOWN` for a number against a text: they are
    compared as texts, or as numbers when the number comes from a numeric column, and only SQLite
    knows which.
    Source: https://www.sqlite.org/datatype3.html#type_conversions_prior_to_comparison
    """
    if value is None:
        return None
    if column.type in (INTEGER, REAL):
        return _number(value) if column.type == REAL else _integer(value)
    if isinstance(value, (int, float)):
        return UNKNOWN
    if isinstance(value, bytes):
        return None if column.type == TEXT else value
    if column.values is not None:
        return _member(column, value)
    return value


def _integer(value: Value) -> int | None:
    number = _number(value)
    if isinstance(number, float):
        return int(number) if number.is_integer() and abs(number) < 2**63 else None
    return number


def _number(value: Value) -> int | float | None:
    if isinstance(value, str):
        text = value.strip(" \t\n\v\f\r")
        if not text.isascii() or "_" in text:
            return None
        for parse in (int, float):
            try:
                number = parse(text)
            except ValueError:
                continue
            # SQLite has neither "nan" nor "inf" as a numeral.
            return number if text[-1:].isdigit() or text[-1:] == "." else None
        return None
    return None if isinstance(value, bytes) else value


def _member(column: Column, value: str) -> str | None:
    assert column.values is not None
    if not column.nocase:
        return value if value in column.values else None
    folded = value.upper()
    for member in column.values:
        if member.upper() == folded:
            return member
    return None
