"""One statement while it runs: its snapshot, and its scans."""

from __future__ import annotations

from functools import partial

from sockql.request import Trace
from sockql.run import Run
from sockql.snapshot import Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from sockql.analysis import Analysis
    from sockql.host import Host
    from sockql.proc.procfs import Refusals
    from sockql.request import Request
    from sockql.scan import Scan
    from sockql.schema import Table, Value
    from sockql.snapshot import Collection


class Statement:
    """A statement that is running: its snapshot, and a :class:`Trace` for each of its scans."""

    def __init__(
        self,
        host: Host,
        analysis: Analysis,
        *,
        tracing: bool = False,
        snapshot: Snapshot | None = None,
    ) -> None:
        self.host = host
        self.analysis = analysis
        self.tracing = tracing
        #: Numbers of rows, where a statement asks for them: ``a = 1 OR b = 2`` may be two scans,
        #: whose rows SQLite then tells apart by their numbers.  To the statement a row is its
        #: cells in use: of rows that look alike either all meet a condition or none, so the n-th
        #: of them in one scan may count as the n-th in the other.
        self.rowids: dict[tuple[str, tuple[Value, ...], int], int] = {}
        self.traces: dict[int, Trace] = {}
        self._outermost: Iterator[Any] | None = None
        self._runs: dict[int, Run] = {}
        readers = sum("pid" in scan.table.schema.by_name for scan in analysis.scans)
        #: Whether the snapshot ends with the statement, so that rows that pass need not be kept.
        self.alone = snapshot is None
        self.snapshot = snapshot or Snapshot(shared=readers > 1)
        self._used: dict[Collection, Table[Any]] = {}

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

    def run(self, scan: Scan) -> Run:
        """The :class:`Run` of ``scan``, made when it is first asked for."""
        run = self._runs.get(scan.id)
        if run is None:
            run = self._runs[scan.id] = Run(self, scan)
        return run

    def collected(self, table: Table[Any], request: Request) -> bool:
        """Whether the rows of ``request`` are there, or will be, without looking them up."""
        snapshot = self.snapshot
        if snapshot.find(request) is not None:
            return True
        sharing = snapshot.sharing
        return sharing is not None and sharing.collects(table, request, self.host)

    def collect(self, table: Table[Any], request: Request, lookup: bool) -> tuple[Collection, bool]:
        """What answers ``request``; see :meth:`Snapshot.collect`."""
        found = self.snapshot.collect(table, request, self.host, lookup=lookup)
        if not self.alone:
            self._used[found[0]] = table
        return found

    def notices(self) -> list[str]:
        """What the answer lacks, as far as it comes from collections that statements share."""
        found: dict[str, None] = {}
        refusals: dict[tuple[str, int], list[Refusals]] = {}
        for collection, table in self._used.items():
            found.update(dict.fromkeys(collection.notices))
            schema = table.schema
            needs = 0
            # All of them, of a statement that runs beside another one.
            for name in self.analysis.columns.get(schema.name, schema.by_name):
                needs |= schema.by_name[name].needs
            for refused in collection.refusals:
                # A table that reads another's files has columns of its own.
                bits = needs if refused.table == schema.name else -1
                refusals.setdefault((refused.table, bits), []).append(refused)
        for (_, bits), several in refusals.items():
            found.update(dict.fromkeys(several[0].merged(several).lines(bits)))
        return list(found)

    def filter(self, scan: Scan) -> Callable[[tuple[Any, ...]], Iterator[Any]]:
        """What gives the records of ``scan`` for xFilter's values."""
        run = self.run(scan)
        if self.analysis.counts is not None:
            return partial(self._take, run.tallies)
        return run if self.analysis.loops is None else partial(self._take, run)

    def _take(
        self, run: Callable[[tuple[Any, ...]], Iterable[Any]], values: tuple[Any, ...]
    ) -> Iterator[Any]:
        """Keep the records for :meth:`rows`; SQLite is told that there are none."""
        self._outermost = iter(run(values))
        return iter(())

    @property
    def replaces(self) -> bool:
        """Whether :meth:`rows` has the rows: SQLite runs the statement, but on nothing.

        Known as soon as it has given its first row or come to its end.  Where it has not even
        begun the scan, because nothing can be found, its own rows are right.
        """
        return self._outermost is not None

    def rows(self, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement that only counts, or only joins and copies."""
        counts, loops, outermost = self.analysis.counts, self.analysis.loops, self._outermost
        if outermost is None:
            return iter(())
        if counts is not None:
            return counts.rows(outermost)
        assert loops is not None
        return loops.rows(outermost, self.run, parameters, self.host.check)
