"""What an audit found."""

from __future__ import annotations

from sockql.command.terminal import counted
from sockql.saved.query import ROWS, SEVERITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Final, TypeAlias

    from sockql.audit.baseline import Entry
    from sockql.saved.query import Query

    Row: TypeAlias = tuple[Any, ...]

PASS: Final = "pass"
FINDING: Final = "finding"
INCOMPLETE: Final = "incomplete"
ERROR: Final = "error"
#: From what has to be looked at first to what has not.
VERDICTS: Final = (FINDING, ERROR, INCOMPLETE, PASS)


class Outcome:
    """What became of one audit.

    ``rows`` are the rows that are findings, ``accepted`` those that an entry of the baseline
    accepts; that there are no rows though the audit expects some is a row without columns.
    ``notices`` tell what could not be read, ``error`` what went wrong.  ``answered`` says that the
    query has run to its end: over a snapshot that lacks what it needs it does not.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self.columns: tuple[str, ...] = ()
        self.rows: list[Row] = []
        self.accepted: list[tuple[Row, Entry]] = []
        self.notices: list[str] = []
        self.error: str | None = None
        self.answered = False
        self.seconds = 0.0

    def found(self, columns: tuple[str, ...], rows: list[Row]) -> None:
        """Take the result of the query for what it means to the audit."""
        self.answered = True
        if self.query.expect != ROWS:
            self.columns, self.rows = columns, rows
        elif not rows:
            self.rows = [()]

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell rows apart: those that the query names, or all."""
        return (self.query.keys or self.columns) if self.columns else ()

    @property
    def missing(self) -> bool:
        """Whether the finding is that there are no rows."""
        return bool(self.rows) and not self.columns

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`.

        A finding stays one whatever could not be read; without a finding an audit passes only
        when it has seen everything.
        """
        if self.error is not None:
            return ERROR
        if self.rows:
            return FINDING
        return INCOMPLETE if self.notices else PASS

    @property
    def severity(self) -> str:
        """How severe a finding is."""
        return self.query.severity or SEVERITIES[0]

    @property
    def summary(self) -> str:
        """The verdict's reason in some words; empty for one that passed."""
        if self.error is not None:
            return self.error
        if self.missing:
            return "no rows where some are expected"
        if self.rows:
            return counted(len(self.rows), "row")
        return "; ".join(self.notices)


class Report:
    """The outcomes of a run, and what they are about.

    ``host`` is the name of the machine, None when it cannot be read; ``taken`` when the snapshot in
    a file was taken that it is of, None for a live host; ``started`` is in seconds since the epoch,
    ``seconds`` how long it took.  ``expired`` and ``unused`` are entries of the
    baseline with the names of their audits, ``unknown`` those of audits that there are not.
    """

    def __init__(self, host: str | None, started: float, taken: str | None = None) -> None:
        self.host = host
        self.taken = taken
        self.started = started
        self.seconds = 0.0
        self.outcomes: list[Outcome] = []
        self.expired: list[tuple[str, Entry]] = []
        self.unused: list[tuple[str, Entry]] = []
        self.unknown: list[tuple[str, Entry]] = []
        #: The least severity that fails, as an index of SEVERITIES, and whether all has to be seen.
        self.fail_on = 0
        self.strict = False

    def fails(self, outcome: Outcome) -> bool:
        """Whether the outcome is a finding that is severe enough."""
        return outcome.verdict == FINDING and SEVERITIES.index(outcome.severity) >= self.fail_on

    @property
    def status(self) -> int:
        """The exit status: 1 for a finding; 3 when an audit failed, or --strict and not all seen."""
        if any(map(self.fails, self.outcomes)):
            return 1
        if any(outcome.error is not None for outcome in self.outcomes):
            return 3
        return 3 if self.strict and any(outcome.notices for outcome in self.outcomes) else 0

    def counts(self) -> dict[str, int]:
        """How many audits have each verdict."""
        counts = dict.fromkeys(VERDICTS, 0)
        for outcome in self.outcomes:
            counts[outcome.verdict] += 1
        return counts

    @property
    def ranked(self) -> list[Outcome]:
        """The outcomes, what has to be looked at first."""
        return sorted(
            self.outcomes,
            key=lambda o: (VERDICTS.index(o.verdict), -SEVERITIES.index(o.severity), o.query.name),
        )


def by_severity(queries: Iterable[Query]) -> list[Query]:
    """The most severe ones first, then by name."""
    return sorted(queries, key=lambda q: (-SEVERITIES.index(q.severity or SEVERITIES[0]), q.name))


def cell(value: Any) -> Any:
    """A cell as JSON can have it: bytes are hexadecimal, an infinity is text."""
    if value.__class__ is bytes:
        return value.hex()
    if value.__class__ is float and value in (float("inf"), float("-inf")):
        return str(value)
    return value


def as_object(columns: Sequence[str], row: Row) -> dict[str, Any]:
    """A row by the names of its columns, as JSON has it."""
    return dict(zip(columns, map(cell, row)))
