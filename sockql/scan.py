"""A scan of one table as SQLite plans it: the answer to xBestIndex, and its values in xFilter."""

from __future__ import annotations

from operator import ge, gt, le, lt

import apsw

from sockql.errors import QueryError
from sockql.request import UNKNOWN, Constraint, coerce
from sockql.schema import CIDR, EQUAL, INTEGER, LIKE, TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

    from sockql.host import Host
    from sockql.request import Request
    from sockql.schema import Column, Table

_COMPARISONS: Final = {">": gt, ">=": ge, "<": lt, "<=": le}
_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}

# What sqlite3_vtab_distinct() says, and the bit of colUsed that is shared.
_GROUP_BY: Final = 1
_DISTINCT: Final = 2
_LAST_BIT: Final = 63

#: The operator that ``inet_in(column, prefix)`` becomes in a plan (xFindFunction).
INET_IN: Final = apsw.SQLITE_INDEX_CONSTRAINT_FUNCTION

_RANGES: Final = {
    apsw.SQLITE_INDEX_CONSTRAINT_GT: ">",
    apsw.SQLITE_INDEX_CONSTRAINT_GE: ">=",
    apsw.SQLITE_INDEX_CONSTRAINT_LT: "<",
    apsw.SQLITE_INDEX_CONSTRAINT_LE: "<=",
}
# Microseconds, measured on the bytecode level: one look-up in an index that is built already,
# and one row handed to SQLite with a cell or two.
LOOKUP_COST: Final = 2.0
ROW_COST: Final = 0.5
#: The part of the rows that a condition leaves of which the source knows nothing.
_LEFT_BY_EQUAL: Final = 1 / 8
_LEFT_BY_RANGE: Final = 1 / 4
#: Of a scan that is not told what to read, dearer than any other: another order of the loops, or
#: a scan for each side of OR, may tell it.
_STARVED_COST: Final = 1e15


class Term:
    """One WHERE term that a scan takes over: a column, an operator, and who checks it.

    ``ours`` says that SQLite does not check the term again, so that the engine has to: that
    costs a third.  It is so where the term can always be decided outside of SQLite.
    """

    __slots__ = ("column", "operator", "ours")

    def __init__(self, column: Column, operator: str, *, ours: bool = False) -> None:
        self.column = column
        self.operator = operator
        self.ours = ours

    def bind(self, value: Any) -> Constraint | None:
        """The constraint for the right-hand side ``value``.

        None when the source cannot use it (SQLite decides then); an empty ``in`` when no row
        can match.
        """
        name, column = self.column.name, self.column
        if self.operator in ("=", "in"):
            # Some versions of apsw give None for an empty set.
            given = (value,) if self.operator == "=" else value or ()
            values = frozenset(coerce(column, item) for item in given) - {None}
            if UNKNOWN in values:
                return None
            if len(values) == 1:
                return Constraint(name, "=", next(iter(values)))
            return Constraint(name, "in", values)
        if value is None:
            return Constraint(name, "in", frozenset())
        if self.operator == "inet_in":
            from sockql.functions import parse_cidr

            try:
                parse_cidr(value)
            except (TypeError, ValueError) as error:
                raise QueryError(str(error)) from None
            return Constraint(name, "inet_in", value)
        if self.operator == "like":
            return Constraint(name, "like", value) if isinstance(value, str) else None
        number = coerce(column, value)
        if not isinstance(number, int):
            return None
        return Constraint(name, self.operator, number)

    def check(self, value: Any) -> Callable[[Any], bool] | None:
        """Whether a record meets the term, None where only SQLite can tell."""
        bound = None if self.operator in ("inet_in", "like") else self.bind(value)
        if bound is None:
            return None
        column, get = self.column, self.column.get
        if bound.operator == "in":
            several = frozenset(folded(column, item) for item in bound.value)
            if column.nocase and column.values is None:
                return lambda record: folded(column, get(record)) in several
            return lambda record: get(record) in several
        wanted: Any = folded(column, bound.value)
        if bound.operator == "=":
            if column.nocase and column.values is None:
                return lambda record: folded(column, get(record)) == wanted
            return lambda record: get(record) == wanted
        compare = _COMPARISONS[bound.operator]
        return lambda record: (cell := get(record)) is not None and compare(cell, wanted)


def folded(column: Column, value: Any) -> Any:
    """``value`` as the column's collation compares it: NOCASE folds the letters A to Z."""
    if column.nocase and isinstance(value, str) and column.values is None:
        return value.lower() if value.isascii() else value.translate(_ASCII_LOWER)
    return value


class Scan:
    """A planned scan: the terms it takes over, in the order of their values in xFilter.

    ``limit`` is the number of values for LIMIT and OFFSET, which only come alone.  ``groups`` are
    the columns of GROUP BY or DISTINCT when no other column is in use, so that rows of a group
    are all alike; ``once`` says that one of each group is enough.
    """

    __slots__ = ("groups", "id", "limit", "once", "table", "terms")

    def __init__(
        self,
        id: int,
        table: Table[Any],
        terms: Sequence[Term],
        limit: int,
        groups: Sequence[Column],
        once: bool,
    ) -> None:
        self.id = id
        self.table = table
        self.terms = tuple(terms)
        self.limit = limit
        self.groups = tuple(groups)
        self.once = once

    def row_limit(self, values: Sequence[Any]) -> int | None:
        """LIMIT plus OFFSET, None where the query has none or SQLite needs all rows."""
        given = [value for value in values if isinstance(value, int)]
        if not self.limit or len(given) != self.limit or given[0] < 0:
            return None
        return sum(max(value, 0) for value in given)


class Scans:
    """The scans planned so far, each once: preparing a statement again finds the same.

    ``queried`` are the columns, by table, of which a scan of the statement that is about to be
    prepared may not be given the values of an ``IN`` at once, None for all: a query gives them,
    and may give none.  On an empty set the statement fails in apsw 3.54 before it gets to us.
    """

    def __init__(self) -> None:
        self.queried: set[tuple[str, str]] | None = None
        self._by_key: dict[Any, Scan] = {}
        self._by_id: list[Scan] = []

    def __getitem__(self, id: int) -> Scan:
        return self._by_id[id]

    def takes_set(self, table: Table[Any], column: Column) -> bool:
        """Whether a scan may be given the values of an ``IN`` on ``column`` at once."""
        queried = self.queried
        return queried is not None and (table.schema.name, column.name) not in queried

    def find(self, name: str | None) -> Scan | None:
        """The scan whose idxStr is ``name``; None for the virtual tables of SQLite itself."""
        table, _, id = (name or "").rpartition(":")
        if not id.isdigit() or int(id) >= len(self._by_id):
            return None
        scan = self._by_id[int(id)]
        return scan if scan.table.schema.name == table else None

    def intern(
        self,
        table: Table[Any],
        terms: Sequence[Term],
        limit: int = 0,
        groups: Sequence[Column] = (),
        once: bool = False,
    ) -> Scan:
        """The scan that is made of these."""
        signature = tuple((term.column.position, term.operator, term.ours) for term in terms)
        identity = (table.schema.name, signature, limit, tuple(groups), once)
        scan = self._by_key.get(identity)
        if scan is None:
            scan = Scan(len(self._by_id), table, terms, limit, groups, once)
            self._by_key[identity] = scan
            self._by_id.append(scan)
        return scan


def plan(
    table: Table[Any],
    info: apsw.IndexInfo,
    scans: Scans,
    request: Callable[[list[Constraint]], tuple[Request, Host]],
) -> None:
    """Answer xBestIndex: choose the terms, number their values, estimate rows and cost.

    ``request`` makes what :meth:`Table.estimate` takes from a list of constraints.  A table may
    over-deliver: what is not marked as ``omit`` SQLite checks again, the rest :class:`Run` does.
    """
    columns = table.schema.columns
    terms: list[Term] = []
    known: list[Constraint] = []
    keys: list[Column] = []
    limits: list[int] = []
    left = 1.0
    others = starved = False
    for i in range(info.nConstraint):
        operation = info.get_aConstraint_op(i)
        # LIMIT and OFFSET come with column 0, which means nothing.
        if operation in (apsw.SQLITE_INDEX_CONSTRAINT_LIMIT, apsw.SQLITE_INDEX_CONSTRAINT_OFFSET):
            limits.append(i)
            continue
        position = info.get_aConstraint_iColumn(i)
        usable = info.get_aConstraint_usable(i)
        operator = None
        if position >= 0 and usable:
            operator = _operator(columns[position], operation, info, i)
            if operator == "in" and not scans.takes_set(table, columns[position]):
                info.set_aConstraintUsage_in(i, False)
                operator = "="  # of one value after the other
        if operator is None:
            others = True
            starved = starved or (
                position >= 0
                and not usable
                and columns[position].parameter
                and not columns[position].unlisted
            )
            continue
        column = columns[position]
        right = info.get_aConstraint_rhs(i)
        term = Term(column, operator)
        bound = None if right is None else term.bind(right)
        if operator == "=":
            # Whatever an integer is compared with, there is no doubt what it equals.
            term.ours = bound is not None or column.type == INTEGER
        elif operator in _COMPARISONS:
            term.ours = bound is not None
        terms.append(term)
        info.set_aConstraintUsage_argvIndex(i, len(terms))
        info.set_aConstraintUsage_omit(i, term.ours)
        known.append(bound or Constraint(column.name, operator, UNKNOWN))
        if operator == "=" and right is None and not column.lookup:
            keys.append(column)
        elif operator in _COMPARISONS:
            left *= 1.0 if column.push and bound else _LEFT_BY_RANGE
        elif not column.push:
            left *= _LEFT_BY_EQUAL
    limit = 0
    if limits and not terms and not others and not info.nOrderBy:
        # In the order of their codes: LIMIT first.
        for i in sorted(limits, key=info.get_aConstraint_op):
            limit += 1
            info.set_aConstraintUsage_argvIndex(i, limit)
    rows, cost = table.estimate(*request(known))
    rows = max(rows * left, 1.0)
    for column in keys:
        # Mostly a join, answered from an index; a parameter gets the same benefit of the doubt.
        cost = LOOKUP_COST
        rows = min(rows, 1.0) if column.index else max(rows / 16, 1.0)
    if starved or (table.schema.parameters and not any(term.column.parameter for term in terms)):
        cost = _STARVED_COST
    groups = _groups(table, info, terms)
    if groups:
        info.orderByConsumed = True
    scan = scans.intern(table, terms, limit, groups, bool(groups) and info.distinct == _DISTINCT)
    info.estimatedRows = max(int(rows), 1)
    info.estimatedCost = max(cost + rows * ROW_COST, 1.0)
    info.idxNum = scan.id
    info.idxStr = f"{table.schema.name}:{scan.id}"


def _groups(table: Table[Any], info: apsw.IndexInfo, terms: Sequence[Term]) -> list[Column]:
    """The columns by which rows are grouped, if no other that varies is in use.

    SQLite then wants rows of a group one after the other, in whatever order.  A column that has
    to equal something does not vary, unless by the case of its letters.
    Source: https://www.sqlite.org/c3ref/vtab_distinct.html
    """
    if not info.nOrderBy or info.distinct not in (_GROUP_BY, _DISTINCT):
        return []
    positions = [info.get_aOrderBy_iColumn(i) for i in range(info.nOrderBy)]
    # The last bit of the mask of used columns stands for more than one.
    fixed = {
        term.column.position
        for term in terms
        if term.operator == "="
        and term.ours
        and not (term.column.nocase and not term.column.values)
    }
    used = info.colUsed | set(positions)
    if min(positions) < 0 or max(used) >= _LAST_BIT or not used <= fixed | set(positions):
        return []
    columns = [table.schema.columns[position] for position in positions]
    # Only SQLite can tell which of them are alike by a collation that is not its own.
    return [] if any(column.collation for column in columns) else columns


def _operator(column: Column, operation: int, info: apsw.IndexInfo, i: int) -> str | None:
    """How we spell the constraint, None when it is left to SQLite."""
    if operation == apsw.SQLITE_INDEX_CONSTRAINT_EQ:
        if column.collation or column.late:
            return None
        if column.type == TEXT:
            wanted = "NOCASE" if column.nocase else "BINARY"
            if info.get_aConstraint_collation(i).upper() != wanted:
                return None
        if info.get_aConstraintUsage_in(i):
            # A whole set at once is only of use to the source itself.
            if not column.push & EQUAL:
                return None
            info.set_aConstraintUsage_in(i, True)
            return "in"
        return "="
    if operation in _RANGES and column.type == INTEGER and not column.late:
        return _RANGES[operation]
    if operation == INET_IN and column.push & CIDR:
        return "inet_in"
    if operation == apsw.SQLITE_INDEX_CONSTRAINT_LIKE and column.push & LIKE:
        return "like"
    return None
