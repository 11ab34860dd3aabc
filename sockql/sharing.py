"""What several statements together want of each table, so that each is collected once."""

from __future__ import annotations

from sockql.request import UNKNOWN, Constraint, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

    from sockql.analysis import Analysis
    from sockql.host import Host
    from sockql.scan import Scan
    from sockql.schema import Table

#: A look-up reads by itself what would make the collection for all dearer than by this factor.
_DEARER: Final = 1.5


class Use:
    """What one scan of a statement wants of a table.

    ``conditions`` has, by column, the values that a row must have one of, None where they are not
    known before the statement runs; only those that the source or an index is asked for.
    ``lookup`` says that the source finds its rows without reading the others, ``parameters`` that
    it reads them for this use alone.
    """

    __slots__ = ("columns", "conditions", "lookup", "parameters")

    def __init__(self, scan: Scan, constants: Mapping[int, Any], analysis: Analysis) -> None:
        name = scan.table.schema.name
        self.columns = frozenset(analysis.columns[name])
        self.conditions: dict[str, frozenset[Any] | None] = {}
        if analysis.loops is not None:
            self.conditions = dict.fromkeys(analysis.loops.joined(scan))
        # As Run sorts them.
        varying = set() if name in analysis.once else analysis.varying.get(scan.id, set())
        for i, term in enumerate(scan.terms):
            if term.operator != "=" if i in varying else not term.column.push:
                continue
            values = None
            if i in constants and term.operator in ("=", "in"):
                bound = term.bind(constants[i])
                if bound is None:
                    continue
                values = bound.value if bound.operator == "in" else frozenset((bound.value,))
            if self.conditions.get(term.column.name) is None:
                self.conditions[term.column.name] = values
        self.parameters = any(term.column.parameter for term in scan.terms)
        self.lookup = self.parameters or any(
            term.column.lookup and term.operator in ("=", "in") for term in scan.terms
        )


class Wanted:
    """What several uses of a table want together: all their columns, and what all ask for."""

    __slots__ = ("_parts", "columns", "constraints", "uses")

    def __init__(self, uses: Sequence[Use]) -> None:
        self.uses = uses
        self.columns = frozenset[str]().union(*(use.columns for use in uses))
        self.constraints: list[Constraint] = []
        shared = set(uses[0].conditions) if uses else set()
        for name in sorted(shared.intersection(*(use.conditions for use in uses))):
            self.constraints.append(_constraint(name, [use.conditions[name] for use in uses]))
        self._parts: tuple[Request, ...] | None = None

    def request(self, table: Table[Any], request: Request) -> Request:
        """What to ask ``table`` for, in place of ``request``."""
        if self._parts is None:
            self._parts = tuple(
                Request(
                    table.schema,
                    request.snapshot,
                    columns=use.columns,
                    constraints=[_constraint(n, [v]) for n, v in sorted(use.conditions.items())],
                )
                for use in self.uses
            )
        return Request(
            table.schema,
            request.snapshot,
            columns=self.columns,
            constraints=self.constraints,
            trace=request.trace,
            parts=self._parts,
        )


def _constraint(name: str, several: Sequence[frozenset[Any] | None]) -> Constraint:
    """The column ``name`` has to have one of the values of one of ``several``."""
    values: frozenset[Any] = frozenset()
    for known in several:
        if known is None:
            # Not which value, but that there is one: NULL meets no condition.
            return Constraint(name, "=", UNKNOWN)
        values |= known
    return Constraint(name, "in", values)


class Sharing:
    """What several statements want: of each table the columns and what all of them ask for.

    A table that any of them passes over is collected once, for all; where each of them looks up
    its rows (``pid``), look-ups are what is shared.
    """

    def __init__(self) -> None:
        self._uses: dict[str, list[Use]] = {}
        self._wanted: dict[str, Wanted | None] = {}
        #: The columns that look-ups want, by table.
        self._looked_up: dict[str, frozenset[str]] = {}

    def add(self, analysis: Analysis) -> None:
        """Count a statement in; before any of them is run."""
        for scan, constants in zip(analysis.scans, analysis.constants):
            use = Use(scan, constants, analysis)
            self._uses.setdefault(scan.table.schema.name, []).append(use)

    def collects(self, table: Table[Any], request: Request, host: Host) -> bool:
        """Whether what ``request`` looks up is in the collection for all."""
        wanted = self._collection(table, request, host)
        return wanted is not None and request.within(wanted.request(table, request))

    def widened(self, table: Table[Any], request: Request, host: Host) -> Request:
        """What to ask for in place of ``request``, for all who share the answer."""
        wanted = self._collection(table, request, host)
        if wanted is not None:
            all_of_it = wanted.request(table, request)
            if request.within(all_of_it):
                return all_of_it
        if not request.looks_up:
            return request  # of a statement that was not foreseen
        name = table.schema.name
        if name not in self._looked_up:
            lookups = [use for use in self._uses.get(name, ()) if use.lookup]
            self._looked_up[name] = Wanted(lookups).columns
        columns = self._looked_up[name]
        if columns <= request.columns:
            return request
        return Request(
            table.schema,
            request.snapshot,
            columns=request.columns | columns,
            constraints=request.constraints,
            trace=request.trace,
        )

    def _collection(self, table: Table[Any], request: Request, host: Host) -> Wanted | None:
        """The one collection of ``table``; None when nobody passes over it."""
        name = table.schema.name
        if name not in self._wanted:
            self._wanted[name] = self._decide(table, request, host)
        return self._wanted[name]

    def _decide(self, table: Table[Any], request: Request, host: Host) -> Wanted | None:
        uses = [use for use in self._uses.get(table.schema.name, []) if not use.parameters]
        passing = [use for use in uses if not use.lookup]
        if not passing:
            return None
        found = Wanted(passing)
        if len(passing) < len(uses):
            with_lookups = Wanted(uses)
            costs = [
                table.estimate(wanted.request(table, request), host)[1]
                for wanted in (found, with_lookups)
            ]
            if costs[1] <= _DEARER * costs[0]:
                return with_lookups
        return found


class Everything(Sharing):
    """Every table whole: what statements that nobody knows yet may want."""

    def _decide(self, table: Table[Any], request: Request, host: Host) -> Wanted:
        wanted = Wanted(())
        wanted.columns = frozenset(table.schema.by_name)
        return wanted
