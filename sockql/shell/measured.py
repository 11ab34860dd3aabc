"""How much a statement of a session gave, and how long that took."""

from __future__ import annotations

from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sockql.render.writers import Row
    from sockql.result import Result


class Measured:
    """The number of rows, and the seconds that it took to get them, without what they are for."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0

    def first(self, results: Iterator[Result]) -> Result:
        """The first of ``results``."""
        started = perf_counter()
        try:
            return next(results)
        finally:
            self.seconds += perf_counter() - started

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows."""
        rows = iter(rows)
        while True:
            started = perf_counter()
            try:
                row = next(rows, None)
            finally:
                self.seconds += perf_counter() - started
            if row is None:
                return
            self.count += 1
            yield row
