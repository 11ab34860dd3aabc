"""One statement: what SQLite will scan, and the scans themselves over one snapshot."""

from __future__ import annotations

from time import perf_counter

from sockql.request import UNKNOWN, Constraint, Request, Trace, coerce
from sockql.schema import INTEGER
from sockql.snapshot import Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, Final

    from sockql.host import Host
    from sockql.scan import Scan, Scans
    from sockql.schema import Column


class Analysis:
    """What EXPLAIN says about a statement.

    ``columns`` has the columns in use by table, exact where SQLite's mask of 64 bits is not.
    ``scans`` are the scans of virtual tables, one for each cursor, in the order they are opened.
    ``once`` are the tables of which one cursor makes one pass: their rows can be streamed.
    ``varying`` has, by scan, the positions of the values that an outer loop gives.
    """

    __slots__ = ("columns", "once", "scans", "varying")

    def __init__(self) -> None:
        self.columns: dict[str, set[str]] = {}
        self.scans: list[Scan] = []
        self.once: set[str] = set()
        self.varying: dict[int, set[int]] = {}


#: Opcodes that put a constant or a parameter into register P2.
_LOADS: Final = frozenset({"Blob", "Int64", "Integer", "Real", "String", "String8", "Variable"})

#: Opcodes that begin something to loop over.
_SOURCES: Final = frozenset({"InitCoroutine", "OpenDup", "OpenEphemeral", "OpenRead", "VOpen"})


def analyse(
    opcodes: Iterable[Sequence[Any]], tree: Callable[[], Iterable[Sequence[Any]]], scans: Scans
) -> Analysis:
    """Read the bytecode and the query plan of a statement.

    ``opcodes`` are the rows of EXPLAIN: addr, opcode, p1, p2, p3, p4, …; ``tree`` those of
    EXPLAIN QUERY PLAN: id, parent, unused, detail; they are only asked for when there is more
    than one loop.  A virtual table shows up as VFilter with our text in p4 and VColumn with the cursor in
    p1 and the column in p2.  A value is taken for constant when its register is loaded with a
    constant once; :class:`Run` notices if that was wrong.
    Source: https://www.sqlite.org/opcode.html
    """
    found = Analysis()
    cursors: dict[int, Scan] = {}
    used: list[tuple[int, int]] = []
    filters: list[tuple[Scan, int]] = []
    loads: dict[int, int] = {}
    loops = 0
    for _, opcode, p1, p2, p3, p4, *_ in opcodes:
        if opcode == "VFilter":
            scan = scans.find(p4)
            if scan is not None:
                cursors[p1] = scan
                found.scans.append(scan)
                # r[P3] is idxNum, r[P3+1] the number of values, then the values.
                filters.append((scan, p3 + 2))
        elif opcode == "VColumn":
            used.append((p1, p2))
        elif opcode in _LOADS:
            loads[p2] = loads.get(p2, 0) + 1
        elif opcode in _SOURCES:
            loops += 1
    for scan in found.scans:
        found.columns.setdefault(scan.table.schema.name, set())
    for cursor, position in used:
        if cursor in cursors:
            schema = cursors[cursor].table.schema
            found.columns[schema.name].add(schema.columns[position].name)
    for scan, first in filters:
        varying = found.varying.setdefault(scan.id, set())
        for i, term in enumerate(scan.terms):
            if term.operator != "in" and loads.get(first + i) != 1:
                varying.add(i)
    names = [scan.table.schema.name for scan in found.scans]
    if len(names) == 1 and loops == 1:
        found.once = set(names)
    elif names:
        # In a plan a scan ends in "INDEX idxNum:idxStr", and our idxStr is "table:id".
        outer = {line.rpartition(" INDEX ")[2] for line in _outermost(tree())}
        for scan in found.scans:
            name = scan.table.schema.name
            if names.count(name) == 1 and f"{scan.id}:{name}:{scan.id}" in outer:
                found.once.add(name)
    return found


def _outermost(tree: Iterable[Sequence[Any]]) -> list[str]:
    """The scans of a query plan that run once: first in their loop, in no repeated subquery."""
    repeated: set[int] = set()
    looping: set[int] = set()
    outer: list[str] = []
    for id, parent, _, detail in tree:
        if parent in repeated or "CORRELATED" in detail or "RECURSIVE" in detail:
            repeated.add(id)
        if detail.startswith(("SCAN", "SEARCH")):
            if parent not in repeated and parent not in looping:
                outer.append(detail)
            looping.add(parent)
    return outer


class Statement:
    """A statement that is running: its snapshot, and a :class:`Trace` for each of its scans."""

    def __init__(
        self,
        host: Host,
        analysis: Analysis,
        *,
        tracing: bool = False,
        frozen: Snapshot | None = None,
    ) -> None:
        self.host = host
        self.analysis = analysis
        self.tracing = tracing
        #: Whether the snapshot outlives the statement, so that others will want other columns.
        self.frozen = frozen is not None
        self.traces: dict[int, Trace] = {}
        self._runs: dict[int, Run] = {}
        readers = sum("pid" in scan.table.schema.by_name for scan in analysis.scans)
        self.snapshot = frozen or Snapshot(shared=readers > 1)

    def trace(self, scan: Scan) -> Trace:
        """The trace of ``scan``, made when it is first asked for."""
        trace = self.traces.get(scan.id)
        if trace is None:
            trace = self.traces[scan.id] = Trace()
        return trace

    def how(self, scan: Scan) -> str:
        """How the rows of ``scan`` came to SQLite, for people."""
        run = self._runs.get(scan.id)
        return run.how if run is not None else "not reached"

    def scan(self, scan: Scan, values: tuple[Any, ...]) -> Iterator[Any]:
        """The records for xFilter's ``values``: from an index, from the snapshot, or streamed."""
        run = self._runs.get(scan.id)
        if run is None:
            run = self._runs[scan.id] = Run(self, scan)
        return run(values)


#: Requests with other constants before a scan concludes that they are none.
_MAX_CONSTANTS: Final = 2


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
        for i, term in enumerate(scan.terms):
            if i not in varying:
                if term.column.push:
                    self.constants.append(i)
            elif term.operator == "=":
                (self.lookups if term.column.lookup else self.keys).append(i)
        self.sets = any(term.operator == "in" for term in scan.terms)
        self.cache: dict[tuple[Any, ...], list[Any]] = {}
        self.index: dict[Any, Any] = {}
        self.indexed: list[Any] | None = None

    @property
    def how(self) -> str:
        """How the rows come to SQLite, for people."""
        terms = self.scan.terms
        if self.keys:
            return "collected once, indexed on " + ", ".join(terms[i].column.name for i in self.keys)
        if self.streams:
            return "frozen" if self.statement.frozen else "streamed"
        names = ", ".join(terms[i].column.name for i in self.lookups)
        return f"looked up by {names}" if names else "collected once"

    def __call__(self, values: tuple[Any, ...]) -> Iterator[Any]:
        self.trace.scans += 1
        if self.trace.scans == 1 and self.lookups and self._collected(values) is not None:
            # All of it is here already: look up in that, and see the same instant.
            self.keys += self.lookups
            self.lookups = []
        if len(self.cache) > _MAX_CONSTANTS and self.constants and not self.lookups:
            # They do vary.  Ask the source once for everything instead of once for each.
            self.keys += [i for i in self.constants if self.scan.terms[i].operator == "="]
            self.constants = []
            self.cache = {}
        if self.keys:
            return self._look_up(values)
        if self.streams and not self.statement.frozen:
            request = self._request(values, self.scan.row_limit(values))
            if request is None:
                return iter(())
            stream = iter(self.scan.table.records(request, self.statement.host))
            return _traced(stream, self.trace) if self.statement.tracing else stream
        return iter(self._collect(values))

    def _bind(self, positions: list[int], values: tuple[Any, ...]) -> list[Constraint]:
        bound = [self.scan.terms[i].bind(values[i]) for i in positions]
        return [constraint for constraint in bound if constraint is not None]

    def _collected(self, values: tuple[Any, ...]) -> list[Any] | None:
        """Records that an earlier scan of the statement collected, these among them."""
        name = self.scan.table.schema.name
        wanted = frozenset(self._bind(self.constants, values))
        for (table, constraints), records in self.statement.snapshot.lists.items():
            if table == name and constraints <= wanted:
                return records
        return None

    def _request(self, values: tuple[Any, ...], limit: int | None = None) -> Request | None:
        """The request for the constant and look-up values, None when no row can match."""
        scan, statement = self.scan, self.statement
        constraints = self._bind(self.constants + self.lookups, values)
        if not self.trace.constraints:
            self.trace.constraints = tuple(constraints)
        for i in self.keys:
            # The value comes later, but a record whose key is NULL will never be asked for.
            constraints.append(Constraint(scan.terms[i].column.name, "=", UNKNOWN))
        schema = scan.table.schema
        request = Request(
            schema,
            statement.snapshot,
            columns=None if statement.frozen else statement.analysis.columns.get(schema.name),
            constraints=constraints,
            limit=limit,
            trace=self.trace,
        )
        return None if request.impossible else request

    def _collect(self, values: tuple[Any, ...]) -> list[Any]:
        """The records for ``values``, collected once in a statement, whichever scan asks."""
        known = tuple([values[i] for i in self.constants + self.lookups])
        if self.sets:
            known = tuple([frozenset(v) if isinstance(v, set) else v for v in known])
        records = self.cache.get(known)
        if records is not None:
            return records
        request = self._request(values)
        if request is None:
            records = []
        elif not self.lookups:
            records = self._collected(values)
        if request is not None and records is None:
            started = perf_counter()
            records = list(self.scan.table.records(request, self.statement.host))
            self.trace.seconds += perf_counter() - started
            self.trace.rows += len(records)
            if not self.lookups:
                identity = (self.scan.table.schema.name, frozenset(request.constraints))
                self.statement.snapshot.lists[identity] = records
        assert records is not None
        self.cache[known] = records
        return records

    def _look_up(self, values: tuple[Any, ...]) -> Iterator[Any]:
        """The records whose keys equal their ``values``."""
        records = self._collect(values)
        terms = self.scan.terms
        if records is not self.indexed:
            self.index = _index(records, [terms[i].column for i in self.keys])
            self.indexed = records
        key = []
        for i in self.keys:
            column, value = terms[i].column, values[i]
            if type(value) is not int or column.type != INTEGER:
                value = coerce(column, value)
                if value is UNKNOWN:
                    return iter(records)
                value = _folded(column, value)
            key.append(value)
        return iter(self.index.get(key[0] if len(key) == 1 else tuple(key), ()))


def _index(records: list[Any], columns: list[Column]) -> dict[Any, Any]:
    """``{key: records}``, without the keys that hold a NULL: they equal nothing."""
    parts = [
        [_folded(column, column.get(record)) for record in records]
        if column.nocase
        else list(map(column.get, records))
        for column in columns
    ]
    keys = parts[0] if len(parts) == 1 else list(zip(*parts))
    index: dict[Any, Any] = dict(zip(keys, zip(records)))
    if len(index) != len(records):
        index = {}
        for key, record in zip(keys, records):
            index.setdefault(key, []).append(record)
    if len(parts) == 1:
        index.pop(None, None)
        return index
    return {key: found for key, found in index.items() if None not in key}


def _folded(column: Column, value: Any) -> Any:
    """``value`` as the column's collation compares it: NOCASE folds the letters A to Z."""
    if column.nocase and isinstance(value, str):
        return value.lower() if value.isascii() else value.translate(_ASCII_LOWER)
    return value


_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


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
