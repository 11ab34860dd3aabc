"""The report as SARIF 2.1.0, the format of static analysis results.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html
(sections are named where something follows from them); what GitHub reads of it:
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from json import dumps
from urllib.parse import quote

from sockql.audit.documents import timestamp
from sockql.audit.outcome import ERROR, as_object
from sockql.audit.text import about_baseline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from sockql.audit.baseline import Entry
    from sockql.audit.outcome import Outcome, Report, Row
    from sockql.saved.query import Query

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
#: A severity as a level (section 3.27.10), and as the number by which GitHub ranks.
_LEVELS: Final = {
    "critical": ("error", "9.5"),
    "high": ("error", "8.0"),
    "medium": ("warning", "5.5"),
    "low": ("note", "3.0"),
    "info": ("note", "0.0"),
}


def document(report: Report) -> str:
    """One run: a rule for each audit, a result for each row.

    Rows that the baseline accepts are results that are suppressed.  What went wrong and what was
    not seen are notifications of the invocation, for they are no results.
    """
    from sockql import __version__

    results: list[dict[str, Any]] = []
    notifications: list[dict[str, Any]] = []
    for index, outcome in enumerate(report.outcomes):
        results += [_result(outcome, index, row) for row in outcome.rows]
        results += [_result(outcome, index, row, entry) for row, entry in outcome.accepted]
        said = [outcome.error] if outcome.error is not None else outcome.notices
        level = "error" if outcome.verdict == ERROR else "warning"
        notifications += [_notification(outcome, index, level, text) for text in said]
    notifications += [
        {"level": "note", "message": {"text": line}} for line in about_baseline(report)
    ]
    invocation = {
        "executionSuccessful": all(outcome.error is None for outcome in report.outcomes),
        "exitCode": report.status,
        "startTimeUtc": timestamp(report.started),
        "endTimeUtc": timestamp(report.started + report.seconds),
        "toolExecutionNotifications": notifications,
    }
    if report.host is not None:
        invocation["machine"] = report.host
    driver = {
        "name": "sockql",
        "version": __version__,
        "rules": [_rule(outcome) for outcome in report.outcomes],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    found = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return dumps(found, ensure_ascii=True, indent=2) + "\n"


def _rule(outcome: Outcome) -> dict[str, Any]:
    query = outcome.query
    level, rank = _LEVELS[outcome.severity]
    rule: dict[str, Any] = {
        "id": query.name,
        "shortDescription": {"text": query.title},
        "fullDescription": {"text": " ".join(query.description.split()) or query.title},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["security", *query.tags], "security-severity": rank},
    }
    # GitHub wants a text of help for each rule.
    parts = [rule["fullDescription"]["text"]]
    if query.false_positives:
        wrong = "\n".join(f"- {' '.join(text.split())}" for text in query.false_positives)
        parts.append(f"It may be wrong:\n{wrong}")
    rule["help"] = {"text": "\n\n".join(parts)}
    if query.references:
        rule["helpUri"] = quote(query.references[0], safe=":/?#[]@!$&'()*+,;=%~")
    return rule


def _result(outcome: Outcome, index: int, row: Row, entry: Entry | None = None) -> dict[str, Any]:
    query = outcome.query
    cells = as_object(outcome.columns, row)
    keys = {key: cells[key] for key in outcome.keys}
    known = {name: value for name, value in cells.items() if value is not None}
    shown = known or dict.fromkeys(cells, "NULL")
    said = ", ".join(f"{name} = {value}" for name, value in shown.items())
    result: dict[str, Any] = {
        "ruleId": query.name,
        "ruleIndex": index,
        "level": _LEVELS[outcome.severity][0],
        "message": {"text": f"{query.title}: {said or 'no rows where some are expected'}"},
        "locations": [{"physicalLocation": _place(query)}],
        # The same row of another run is known by it (section 3.27.17).
        "partialFingerprints": {"sockqlRow/v1": _digest(query.name, keys)},
        "properties": {"row": cells},
    }
    if entry is not None:
        suppression = {"kind": "external", "status": "accepted"}
        if entry.reason:
            suppression["justification"] = entry.reason
        result["suppressions"] = [suppression]
    return result


def _notification(outcome: Outcome, index: int, level: str, text: str) -> dict[str, Any]:
    return {
        "level": level,
        "message": {"text": text},
        "associatedRule": {"id": outcome.query.name, "index": index},
    }


def _place(query: Query) -> dict[str, Any]:
    """The query's title in its file: what is found has no place, but there it is explained.

    Below the working directory, which in CI is that of the repository, the path is relative to it:
    so platforms find the file, and it is the same on each machine.
    """
    path = query.path
    with suppress(FileNotFoundError):  # a working directory that has been deleted
        path, here = os.path.abspath(path), os.getcwd().rstrip("/") + "/"
        path = path.removeprefix(here)
    uri = quote(os.fsencode(path))
    return {
        "artifactLocation": {"uri": f"file://{uri}" if uri[:1] == "/" else uri},
        "region": {"startLine": query.lines.get("title", 1)},
    }


def _digest(name: str, keys: dict[str, Any]) -> str:
    return sha256(dumps([name, keys], sort_keys=True).encode()).hexdigest()
