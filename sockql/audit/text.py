"""The report for people, and the same in Markdown."""

from __future__ import annotations

from sockql.audit.baseline import described
from sockql.audit.outcome import ERROR, FINDING, INCOMPLETE, PASS
from sockql.command.terminal import counted, escape, width
from sockql.command.wrapping import wrap
from sockql.render.aligned import Aligned, Markdown
from sockql.render.fitted import fitted
from sockql.render.writers import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Final

    from sockql.audit.outcome import Outcome, Report, Row

#: Rows of a finding that are shown to people; the formats for programs have all of them.
MOST: Final = 20
#: Audits that are named of those that have not seen everything, the most severe ones.
_NAMED: Final = 12
#: Columns of a line of names where nobody says how many there are.
_EASY: Final = 98

_BOLD: Final = "\x1b[1m"
#: Red and yellow for what should not wait.
_SEVERE: Final = {"critical": "\x1b[1;31m", "high": "\x1b[1;31m", "medium": "\x1b[1;33m"}
_PLAIN: Final = "\x1b[0m"


class _Text:
    """Text that is written by parts."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> None:
        self.parts.append(text)


def people(report: Report, *, colours: bool, room: int | None = None) -> str:
    """Findings with their rows, what went wrong, what was not seen, and a line that sums up.

    What passed is only counted.  With ``colours`` the text goes to a terminal that has some;
    ``room`` are the columns that it has.
    """
    blocks = [
        "\n".join(_finding(outcome, room, colours=colours))
        for outcome in report.ranked
        if outcome.verdict == FINDING
    ]
    errors = [
        line
        for o in report.ranked
        if o.error is not None
        for line in _said(f"{ERROR}: {o.query.name}: {o.error}", room)
    ]
    if errors:
        blocks.append("\n".join(errors))
    blocks += ["\n".join(lines) for lines in _incomplete(report.ranked, room)]
    baseline = [line for note in about_baseline(report) for line in _said(note, room)]
    if baseline:
        blocks.append("\n".join(baseline))
    summary = "\n".join(_said(sentence(report), room))
    blocks.append(f"{_BOLD}{summary}{_PLAIN}" if colours else summary)
    return "\n\n".join(blocks) + "\n"


def _finding(outcome: Outcome, room: int | None, *, colours: bool) -> Iterator[str]:
    query = outcome.query
    head = f"{outcome.severity}: {query.name}"
    if colours:
        head = f"{_SEVERE.get(outcome.severity, _BOLD)}{head}{_PLAIN}"
    yield f"{head}: {escape(query.title)}"
    if outcome.missing:
        yield f"  {outcome.summary}"
    else:
        table = _Text()
        columns, shown = fitted(outcome.columns, outcome.rows[:MOST], room)
        render(Aligned(columns, header=True, terminal=True), shown, table)
        for line in "".join(table.parts).splitlines():
            yield f"  {line}"
    more = len(outcome.rows) - MOST
    if more > 0:
        yield f"  and {counted(more, 'row')} more (--json has all)"
    if outcome.accepted:
        yield f"  {counted(len(outcome.accepted), 'row')} accepted by the baseline"
    for notice in outcome.notices:
        yield from _said(f"incomplete: {notice}", room, "  ")


def _said(text: str, room: int | None, first: str = "") -> list[str]:
    """A text as lines of ``room``; as one where nobody says how many columns there are."""
    if room is None or width(first) + width(escape(text)) <= room:
        return [first + escape(text)]
    return wrap(text, room, first, first + "  ")


def _incomplete(outcomes: Iterable[Outcome], room: int | None) -> Iterator[list[str]]:
    """What could not be read, each once, with the audits that would have needed it."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.verdict == INCOMPLETE:
            for notice in outcome.notices:
                found.setdefault(notice, []).append(outcome)
    for notice, several in found.items():
        lines = _said(f"{INCOMPLETE}: {notice}", room)
        for answered, what in (False, "not run"), (True, "not sure to pass"):
            names = [o.query.name for o in several if o.answered is answered]
            more = len(names) - _NAMED
            if names:
                text = f"{counted(len(names), 'audit')} {what}: {', '.join(names[:_NAMED])}"
                if more > 0:
                    text += f", and {more} more (--csv has all)"
                lines += wrap(text, min(room or _EASY, _EASY), "  ", "    ")
        yield lines


def about_baseline(report: Report) -> Iterator[str]:
    """The entries of the baseline that somebody should look at, a line each."""
    for name, entry in report.expired:
        yield f"baseline: expired on {entry.expires}: {described(name, entry)}"
    for name, entry in report.unused:
        yield f"baseline: not found any more: {described(name, entry)}"
    for name, entry in report.unknown:
        yield f"baseline: there is no such audit: {described(name, entry)}"


def sentence(report: Report) -> str:
    """What came of it all, in a line."""
    counts = report.counts()
    words = {
        FINDING: "found something",
        ERROR: "failed",
        INCOMPLETE: "incomplete",
        PASS: "passed",
    }
    said = [f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict]]
    where = f" on {escape(report.host)}" if report.host else ""
    where += f" as of {escape(report.taken)}" if report.taken else ""
    audits = counted(len(report.outcomes), "audit")
    return f"{audits}{where} in {report.seconds:.1f} s: {', '.join(said) or 'none was run'}"


#: The columns of the verdicts as a table.
COLUMNS: Final = ("audit", "severity", "verdict", "found", "accepted", "seconds", "reason")


def rows(report: Report) -> list[Row]:
    """The verdicts as a table, for the formats that have rows; what has to be looked at first."""
    return [
        (
            outcome.query.name,
            outcome.severity,
            outcome.verdict,
            0 if outcome.missing else len(outcome.rows),
            len(outcome.accepted),
            round(outcome.seconds, 3),
            outcome.summary or None,
        )
        for outcome in report.ranked
    ]


def markdown(report: Report) -> str:
    """A page of GitHub Flavored Markdown: the verdicts, then each finding with its rows."""
    plain = Markdown(("",), header=True, terminal=False)
    where = f" of {plain.text(report.host)}" if report.host else ""
    parts = [f"# Audit{where}", plain.text(sentence(report))]
    parts.append(_table(COLUMNS, rows(report)))
    for outcome in report.ranked:
        if outcome.verdict != FINDING:
            continue
        query = outcome.query
        parts.append(f"## {query.name}: {plain.text(query.title)}")
        if query.description:
            parts.append(plain.text(" ".join(query.description.split())))
        if outcome.missing:
            parts.append(outcome.summary)
        else:
            parts.append(_table(outcome.columns, outcome.rows))
        if outcome.notices:
            lines = [f"- {plain.text(notice)}" for notice in outcome.notices]
            parts.append("There may be more:\n\n" + "\n".join(lines))
        if query.false_positives:
            lines = [f"- {plain.text(' '.join(text.split()))}" for text in query.false_positives]
            parts.append("It may be wrong:\n\n" + "\n".join(lines))
        parts += [f"<{link}>" for link in query.references if link.startswith("https://")]
    notes = list(about_baseline(report))
    if notes:
        parts.append("## Baseline\n\n" + "\n".join(f"- {plain.text(note)}" for note in notes))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(columns: Sequence[str], cells: Sequence[Row]) -> str:
    table = _Text()
    render(Markdown(columns, header=True, terminal=False), cells, table)
    return "".join(table.parts)
