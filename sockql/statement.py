"""One statement while it runs: its snapshot, and its scans."""

from __future__ import annotations

from functools import partial
from itertools import islice

from sockql.request import Trace
from sockql.run import Run
from sockql.snapshot import Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
        #: The records of the only scan, where SQLite would do nothing but copy its cells.
        self.copied: Iterator[Any] | None = None
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

    def run(self, scan: Scan) -> Callable[[tuple[Any, ...]], Iterator[Any]]:
        """What gives the records of ``scan`` for xFilter's values."""
        run = self._runs.get(scan.id)
        if run is None:
            run = self._runs[scan.id] = Run(self, scan)
        return partial(self._take, run) if self.analysis.copies else run

    def _take(self, run: Run, values: tuple[Any, ...]) -> Iterator[Any]:
        """Keep the records for :meth:`copies`; SQLite is told that there are none."""
        self.copied = run(values)
        return iter(())

    def copies(self) -> Iterator[tuple[Any, ...]]:
        """The result of a statement that copies the cells of one scan.

        Running its bytecode, with a call back for each row and cell, takes four times as long.
        """
        columns = self.analysis.scans[0].table.schema.columns
        getters = [columns[position].get for position in self.analysis.copies]
        records = self.copied or iter(())
        # The first rows at once, then as many as the processor's cache holds.
        size = 16
        while batch := list(islice(records, size)):
            yield from zip(*[map(get, batch) for get in getters])
            size = 1024
