"""One statement while it runs: its snapshot, and its scans."""

from __future__ import annotations

from functools import partial

from sockql.request import Trace
from sockql.run import Run
from sockql.snapshot import Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sockql.analysis import Analysis
    from sockql.host import Host
    from sockql.scan import Scan


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
        self._outermost: Iterator[Any] = iter(())
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

    def run(self, scan: Scan) -> Run:
        """The :class:`Run` of ``scan``, made when it is first asked for."""
        run = self._runs.get(scan.id)
        if run is None:
            run = self._runs[scan.id] = Run(self, scan)
        return run

    def filter(self, scan: Scan) -> Callable[[tuple[Any, ...]], Iterator[Any]]:
        """What gives the records of ``scan`` for xFilter's values."""
        run = self.run(scan)
        return run if self.analysis.loops is None else partial(self._take, run)

    def _take(self, run: Run, values: tuple[Any, ...]) -> Iterator[Any]:
        """Keep the records for :meth:`rows`; SQLite is told that there are none."""
        self._outermost = run(values)
        return iter(())

    def rows(self, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement that only joins and copies, which SQLite has not seen."""
        loops = self.analysis.loops
        if loops is None:
            return iter(())
        return loops.rows(self._outermost, self.run, parameters, self.host.check)
