"""When a statement has to stop: it was interrupted, its time is over, or nobody reads its answer."""

from __future__ import annotations

from time import perf_counter

from sockql.errors import Interrupted, TimeoutExpired

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.engine import Engine

#: Seconds between two looks at whether there is a reader.
_LOOK: Final = 0.25


class Stopping:
    """What stops the statements of an engine; asked by whoever collects, and by SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._interrupted = False
        self._limit: float | None = None
        self._deadline = 0.0
        self._look = 0.0

    def begin(self) -> None:
        """A statement begins: its time, and not what it took to collect what is there already."""
        engine = self._engine
        now = perf_counter()
        self._interrupted = False
        self._look = now + _LOOK
        self._limit = engine.timeout
        self._deadline = now + (self._limit or 0.0) - engine.shared_seconds

    def interrupt(self) -> None:
        """The next check raises."""
        self._interrupted = True

    def check(self) -> None:
        """Raise if the statement has to stop.

        :raises Interrupted: after :meth:`interrupt`.
        :raises TimeoutExpired: when its time, or that of all statements, is over.
        :raises ReaderGone: when the engine was told how to see that, and it is so.
        """
        if self._interrupted:
            raise Interrupted("interrupted")
        engine = self._engine
        now = perf_counter()
        # What is collected for others as well is not at the cost of one statement.
        if self._limit is not None and now > self._deadline + engine.shared_seconds:
            raise TimeoutExpired.of(self._limit)
        if engine.deadline is not None and now > engine.deadline:
            raise TimeoutExpired("the time for all statements is over")
        if engine.reader is not None and now > self._look:
            self._look = now + _LOOK
            engine.reader()

    def progress(self) -> bool:
        """SQLite's progress handler: it computes, and nothing is collected meanwhile."""
        self.check()
        host = self._engine.host
        if host.progress is not None:
            host.progress("", 0, None)
        return False
