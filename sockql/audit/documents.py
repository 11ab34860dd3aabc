"""The report as JSON."""

from __future__ import annotations

from sockql.audit.outcome import as_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sockql.audit.baseline import Entry
    from sockql.audit.outcome import Outcome, Report


def data(report: Report) -> dict[str, Any]:
    """The report as ``--json`` has it; what has to be looked at comes first."""
    from sockql import __version__

    return {
        "sockql": __version__,
        "host": report.host,
        "snapshot": report.taken,
        "started": timestamp(report.started),
        "seconds": round(report.seconds, 3),
        "status": report.status,
        "verdicts": report.counts(),
        "audits": [_audit(outcome) for outcome in report.ranked],
        "baseline": {
            "expired": _entries(report.expired),
            "unused": _entries(report.unused),
            "unknown": _entries(report.unknown),
        },
    }


def _audit(outcome: Outcome) -> dict[str, Any]:
    query = outcome.query
    return {
        "audit": query.name,
        "title": query.title,
        "severity": outcome.severity,
        "tags": list(query.tags),
        "file": query.path,
        "verdict": outcome.verdict,
        "expect": query.expect,
        "rows": [] if outcome.missing else [as_object(outcome.columns, r) for r in outcome.rows],
        "accepted": [
            {"row": as_object(outcome.columns, row), **_terms(entry)}
            for row, entry in outcome.accepted
        ],
        "notices": outcome.notices,
        "error": outcome.error,
        "seconds": round(outcome.seconds, 3),
    }


def _entries(entries: Iterable[tuple[str, Entry]]) -> list[dict[str, Any]]:
    return [{"audit": name, "row": entry.row, **_terms(entry)} for name, entry in entries]


def _terms(entry: Entry) -> dict[str, Any]:
    expires = None if entry.expires is None else entry.expires.isoformat()
    return {"reason": entry.reason, "expires": expires}


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 has them, in UTC."""
    from datetime import datetime, timezone

    when = datetime.fromtimestamp(seconds, timezone.utc)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
