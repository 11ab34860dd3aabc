"""What a long query is doing, on one line of the terminal that is gone when its rows come."""

from __future__ import annotations

import os
from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Final

    from sockql.host import Host

#: Seconds until it is said at all, and between two updates.
PATIENCE: Final = 0.7
PERIOD: Final = 0.1

#: What is counted, by table; the others count rows.
_THINGS: Final = {"fds": "processes"}


def wanted() -> bool:
    """Whether standard output and standard error are on a terminal, so that a line may be shown.

    With one of them elsewhere, a pager or a file, the line would land in the text of another.
    """
    return os.isatty(1) and os.isatty(2)


class Tally:
    """Where a statement's collection stands; called as :attr:`Host.progress`.

    A table that is asked for one process at a time, in a join, is counted over all its requests,
    of all processes of ``host``; one of unknown size over all its scans, of which there may be one
    for each network namespace.
    """

    def __init__(self, host: Host) -> None:
        self.started = perf_counter()
        self._host = host
        self._there: int | None = None
        self._table = ""
        self._done = 0
        self._total: int | None = None
        self._counts: dict[str, int] = {}

    def __call__(self, table: str, done: int, total: int | None) -> None:
        if not table:
            return  # SQLite computes; nothing is collected meanwhile
        if total is None or total == 1:
            more = done if total is None else 1
            self._counts[table] = done = self._counts.get(table, 0) + more
            total = self._processes(done) if total == 1 else None
        self._table, self._done, self._total = table, done, total

    def _processes(self, done: int) -> int | None:
        """Of how many processes ``done`` are a part; None when more have come and gone."""
        if self._there is None:
            from sockql.proc.costs import there

            self._there = there(self._host)
        return self._there if done <= self._there else None

    @property
    def text(self) -> str:
        """``fds: 4,210 of 10,300 processes``; empty before anything was collected."""
        if not self._table:
            return ""
        thing = _THINGS.get(self._table)
        of = "" if self._total is None else f" of {self._total:,}"
        return f"{self._table}: {self._done:,}{of}{f' {thing}' if thing else ''}"


class Progress(Tally):
    r"""A context manager that shows, on standard error, what ``host`` is collecting.

    Does nothing unless :func:`wanted`.  The line appears after :data:`PATIENCE` seconds, is
    rewritten at most every :data:`PERIOD` seconds, and needs no more of a terminal than ``\r``.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._due = self.started + PATIENCE
        self._shown = 0

    def __enter__(self) -> Progress:
        if wanted():
            self._host.progress = self
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._shown and kind is not None:
            self._shown += len("^C")  # which the terminal shows behind the line, for Ctrl-C
        self.end()

    def __call__(self, table: str, done: int, total: int | None) -> None:
        super().__call__(table, done, total)
        now = perf_counter()
        if now >= self._due:
            self._due = now + PERIOD
            self._show(self.text or "computing")

    def until_rows(self, rows: Iterable[Any]) -> Iterator[Any]:
        """``rows``, the line gone before the first of them, or at their end."""
        rows = iter(rows)
        first = next(rows, self)
        self.end()
        if first is not self:
            yield first
            yield from rows

    def end(self) -> None:
        """Take the line away; nothing is shown any more."""
        if self._host.progress is self:
            self._host.progress = None
        self._due = float("inf")
        if self._shown:
            self._show("")

    def _show(self, text: str) -> None:
        from sockql.command.terminal import screen_columns

        # The last column stays free: some terminals would go to the next line.
        text = text[: screen_columns(2) - 1]
        blanks = " " * (min(self._shown, screen_columns(2) - 1) - len(text))
        self._shown = len(text)
        line = f"\r{text}{blanks}" if text else f"\r{blanks}\r"
        try:
            os.write(2, line.encode())
        except OSError:
            self._due = float("inf")  # a terminal that is gone, or full
