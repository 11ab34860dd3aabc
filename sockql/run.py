"""One scan while its statement runs: how it gets its records."""

from __future__ import annotations

from itertools import chain, repeat
from time import perf_counter

from sockql.grouping import counted, indexed, ordered, weighed
from sockql.request import UNKNOWN, Constraint, Request, coerce
from sockql.scan import folded
from sockql.schema import INTEGER
from sockql.snapshot import Records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Final

    from sockql.grouping import Group
    from sockql.request import Trace
    from sockql.scan import Scan, Term
    from sockql.statement import Statement

#: Requests with other constants before a scan concludes that they are none.
_MAX_CONSTANTS: Final = 2


def _promised(term: Term) -> bool:
    """Whether a table that was asked for the term gives nothing else."""
    return term.column.exact and term.operator in ("=", "in")


class Run:
    """One scan while its statement runs.

    Its values are of three kinds.  *Constant* ones stay the same in the statement and become
    conditions of the request.  *Look-ups*, from an outer loop, on a column of which the source
    finds one value by itself, become conditions too, one request for each value.  *Keys*, from an
    outer loop, on any other column, are looked up in an index over what one request gave.
    """

    def __init__(self, statement: Statement, scan: Scan) -> None:
        self.statement = statement
        self.scan = scan
        self.trace = statement.trace(scan)
        name = scan.table.schema.name
        self.streams = name in statement.analysis.once
        varying = set() if self.streams else statement.analysis.varying.get(scan.id, set())
        self.constants: list[int] = []
        self.lookups: list[int] = []
        self.keys: list[int] = []
        # Terms that neither the source nor an index answers, only the check afterwards.
        self.rest: list[int] = []
        #: Whether what is read, not only which of it is wanted, depends on a term.
        self.parameters = any(term.column.parameter for term in scan.terms)
        for i, term in enumerate(scan.terms):
            if term.column.parameter:
                self.lookups.append(i)
            elif i not in varying:
                (self.constants if term.column.push else self.rest).append(i)
            elif term.operator == "=":
                (self.lookups if term.column.lookup else self.keys).append(i)
        loops = statement.analysis.loops
        self.joined = set() if loops is None else loops.joined(scan)
        #: Whether groups are given in place of records; of rows that are told apart by their
        #: numbers, each is.
        self.grouped = bool(scan.groups) and scan.id not in statement.analysis.numbered
        self.sets = any(term.operator == "in" for term in scan.terms)
        self.cache: dict[tuple[Any, ...], list[Any]] = {}
        self.index: Mapping[Any, Any] = {}
        self.indexed: list[Any] | None = None
        #: Where the value is of the only term, an integer key whose index is built and whose
        #: records are wanted as they are; else -1.
        self.only_key = -1

    @property
    def unkeyed(self) -> list[int]:
        """The terms that are not looked up in an index."""
        return self.constants + self.lookups + self.rest

    @property
    def how(self) -> str:
        """How the rows come to SQLite, for people."""
        terms = self.scan.terms
        if self.keys:
            return "collected once, indexed on " + ", ".join(
                terms[i].column.name for i in self.keys
            )
        if self.streams:
            return "streamed" if self.statement.alone else "shared"
        names = ", ".join(terms[i].column.name for i in self.lookups)
        return f"looked up by {names}" if names else "collected once"

    def __call__(self, values: tuple[Any, ...]) -> Iterator[Any]:
        self.trace.scans += 1
        # A join runs through here once for each outer row.
        if self.only_key >= 0 and type(value := values[self.only_key]) is int:
            return iter(self.index.get(value, ()))
        records = self._records(values)
        if not self.grouped:
            return ordered(self.scan, records) if self.scan.groups else records
        once = self.scan.once
        groups = counted(self.scan, records)
        return chain.from_iterable(repeat(cells, 1 if once else count) for cells, count in groups)

    def _records(self, values: tuple[Any, ...]) -> Iterator[Any]:
        # A second pass was not foreseen (a coroutine in an inner loop): the next ones share it.
        if self.streams and self.trace.scans == 1 and self.statement.alone:
            request = self._request(values, self.scan.row_limit(values))
            if request is None:
                return iter(())
            stream = iter(self.scan.table.records(request, self.statement.host))
            if self.statement.tracing:
                stream = _traced(stream, self.trace)
            return self._checked(stream, values, self.unkeyed, fresh=True)
        self.trace.scans -= 1
        return iter(self.rows(values))

    def tallies(self, values: tuple[Any, ...]) -> list[Group]:
        """The groups of the scan, for a statement that does nothing but count them."""
        self.trace.scans += 1
        if self.streams and self.statement.alone:
            request = self._request(values)
            if request is None:
                return counted(self.scan, iter(()))
            started = perf_counter()
            checked = [term for term in self.scan.terms if term.ours and not _promised(term)]
            columns = {column.name for column in (*self.scan.groups, *[t.column for t in checked])}
            pairs = self.scan.table.tallies(request, self.statement.host, columns)
            if pairs is not None:
                tests = [
                    test
                    for i, term in enumerate(self.scan.terms)
                    if term in checked and (test := term.check(values[i]))
                ]
                groups = weighed(
                    self.scan, [pair for pair in pairs if all(test(pair[0]) for test in tests)]
                )
                self.trace.seconds += perf_counter() - started
                self.trace.rows += sum(count for _, count in groups)
                return groups
        return counted(self.scan, self._records(values))

    def rows(self, values: tuple[Any, ...]) -> Sequence[Any]:
        """The records for ``values``, from an index or a list."""
        self.trace.scans += 1
        if (
            self.trace.scans == 1
            and self.lookups
            and not self.parameters
            and self._collected(values)
        ):
            # All of it is here already: look up in that, and see the same instant.
            self.keys += self.lookups
            self.lookups = []
        if len(self.cache) > _MAX_CONSTANTS and self.constants and not self.lookups:
            # They do vary.  Ask the source once for everything instead of once for each.
            terms = self.scan.terms
            self.keys += [i for i in self.constants if terms[i].operator == "="]
            # Nobody else checks these.
            self.rest += [i for i in self.constants if terms[i].ours and terms[i].operator != "="]
            self.constants = []
            self.cache = {}
        return self._look_up(values) if self.keys else self._collect(values)

    def _checked(
        self,
        records: Iterator[Any],
        values: tuple[Any, ...],
        positions: list[int],
        *,
        fresh: bool = False,
    ) -> Iterator[Any]:
        """Those of ``records`` that meet the terms ``positions``, as far as we can tell.

        All that SQLite leaves to us; what it checks again it need not be handed in vain.
        ``fresh`` says that the table made the records for these very values.
        """
        for i in positions:
            term = self.scan.terms[i]
            if not (fresh and _promised(term)):
                check = term.check(values[i])
                if check is not None:
                    records = filter(check, records)
        return records

    def _bind(self, positions: list[int], values: tuple[Any, ...]) -> list[Constraint]:
        bound = [self.scan.terms[i].bind(values[i]) for i in positions]
        return [constraint for constraint in bound if constraint is not None]

    def _collected(self, values: tuple[Any, ...]) -> bool:
        """Whether all that may be looked up was collected by an earlier scan, or will be."""
        constraints = self._constraints(values, self.constants, self.keys + self.lookups)
        request = self._request_for(constraints)
        return not request.impossible and self.statement.collected(self.scan.table, request)

    def _constraints(
        self, values: tuple[Any, ...], bound: list[int], later: list[int]
    ) -> list[Constraint]:
        """Those of the terms ``bound`` with their values, and of the terms ``later`` without.

        Their value comes later, but a record that has NULL there can be left out now.
        """
        needed = {self.scan.terms[i].column.name for i in later} | self.joined
        constraints = self._bind(bound, values)
        return constraints + [Constraint(name, "=", UNKNOWN) for name in sorted(needed)]

    def _request_for(self, constraints: list[Constraint], limit: int | None = None) -> Request:
        schema = self.scan.table.schema
        return Request(
            schema,
            self.statement.snapshot,
            columns=self.statement.analysis.columns.get(schema.name),
            constraints=constraints,
            limit=limit,
            trace=self.trace,
        )

    def _request(self, values: tuple[Any, ...], limit: int | None = None) -> Request | None:
        """The request for the constant and look-up values, None when no row can match."""
        for constraint in self._bind(self.rest, values):
            if constraint.operator == "in" and not constraint.value:
                return None
        constraints = self._constraints(values, self.constants + self.lookups, self.keys)
        if not self.trace.constraints:
            self.trace.constraints = tuple(c for c in constraints if c.value is not UNKNOWN)
        request = self._request_for(constraints, limit)
        return None if request.impossible else request

    def _collect(self, values: tuple[Any, ...]) -> list[Any]:
        """The records for ``values``, collected once in a statement, whichever scan asks."""
        known = tuple([values[i] for i in self.unkeyed])
        if self.sets:
            known = tuple([frozenset(v) if isinstance(v, set) else v for v in known])
        records = self.cache.get(known)
        if records is None:
            records = self.cache[known] = self._collect_anew(known, values)
        return records

    def _collect_anew(self, known: tuple[Any, ...], values: tuple[Any, ...]) -> list[Any]:
        request = self._request(values)
        if request is None:
            return []
        collection, fresh = self.statement.collect(self.scan.table, request, bool(self.lookups))
        # Another statement that shares the snapshot may have the same scan with the same values.
        identity = self.scan.id, tuple(self.unkeyed), known
        if not self.lookups and identity in collection.lists:
            return collection.lists[identity]
        found: Sequence[Any] = collection.records
        left = self.unkeyed
        if isinstance(found, Records) and not self.statement.alone:
            found, left = self._narrowed(found, values)
        unchecked = iter(found)
        checked = self._checked(unchecked, values, left, fresh=fresh)
        if checked is unchecked and found is collection.records:
            return collection.records
        if self.lookups:
            return list(checked)
        records = collection.lists[identity] = Records(checked)
        return records

    def _narrowed(
        self, records: Records, values: tuple[Any, ...]
    ) -> tuple[Sequence[Any], list[int]]:
        """The fewest of ``records`` that an index on one column gives, and the terms left to check.

        Statements that share what was collected ask for the same few columns over and over.
        """
        left = list(self.unkeyed)
        best: tuple[int, int, list[Sequence[Any]]] | None = None
        for i in self.unkeyed:
            term = self.scan.terms[i]
            bound = term.bind(values[i]) if term.operator in ("=", "in") else None
            if bound is None:
                continue
            wanted = bound.value if bound.operator == "in" else (bound.value,)
            parts = records.by((term.column,))
            groups = [parts[key] for key in {folded(term.column, w) for w in wanted} & parts.keys()]
            size = sum(map(len, groups))
            if size == len(records):
                left.remove(i)  # true of all
            elif best is None or size < best[0]:
                best = size, i, groups
        if best is None:
            return records, left
        _, i, groups = best
        left.remove(i)
        if len(groups) < 2:
            return (groups[0] if groups else ()), left
        # In the order in which they were collected.
        chosen = set(map(id, chain.from_iterable(groups)))
        return [record for record in records if id(record) in chosen], left

    def _look_up(self, values: tuple[Any, ...]) -> Sequence[Any]:
        """The records whose keys equal their ``values``."""
        records = self._collect(values)
        terms = self.scan.terms
        if records is not self.indexed:
            columns = tuple(terms[i].column for i in self.keys)
            self.index = (
                records.by(columns) if isinstance(records, Records) else indexed(records, columns)
            )
            self.indexed = records
            if len(terms) == 1 and terms[0].column.type == INTEGER and not self.scan.groups:
                self.only_key = 0
        key = []
        for i in self.keys:
            column, value = terms[i].column, values[i]
            if type(value) is not int or column.type != INTEGER:
                value = coerce(column, value)
                if value is UNKNOWN:
                    # SQLite decides about this key; of the others some may be left to us.
                    return list(self._checked(iter(records), values, self.keys))
                value = folded(column, value)
            key.append(value)
        found: Sequence[Any] = self.index.get(key[0] if len(key) == 1 else tuple(key), ())
        return found


def _traced(records: Iterator[Any], trace: Trace) -> Iterator[Any]:
    """``records``, the time in their source and their number added to ``trace``."""
    while True:
        started = perf_counter()
        record = next(records, None)
        trace.seconds += perf_counter() - started
        if record is None:
            return
        trace.rows += 1
        yield record
