"""The report as JUnit's XML, which CI systems show as tests.

There is no specification by its makers; the elements and attributes are those that Ant's
junitreport task writes and that Jenkins, GitLab and GitHub's actions read.
Source: https://github.com/jenkinsci/xunit-plugin, junit-10.xsd; https://docs.gitlab.com/ci/testing/unit_test_reports/
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from sockql.audit.documents import timestamp
from sockql.audit.outcome import ERROR, FINDING, INCOMPLETE, as_object
from sockql.audit.text import about_baseline
from sockql.command.terminal import display, escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.audit.outcome import Outcome, Report


def document(report: Report) -> str:
    """One test for each audit.

    A finding that counts is a failure, one that is not severe enough is output of a test that
    passed.  An audit that has not seen everything is skipped, with ``--strict`` an error.
    What is said is both attribute and text: GitLab shows the text, Jenkins the attribute.
    """
    cases = [_case(report, outcome) for outcome in report.outcomes]
    suite = Element("testsuite", name="sockql audit")
    for element, attribute in (
        ("failure", "failures"),
        ("error", "errors"),
        ("skipped", "skipped"),
    ):
        suite.set(attribute, str(sum(case.find(element) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    suite.set("time", f"{report.seconds:.3f}")
    # Without a zone: junit-10.xsd has it so.
    suite.set("timestamp", timestamp(report.started)[:19])
    suite.set("hostname", escape(report.host or "localhost"))
    suite.extend(cases)
    notes = list(about_baseline(report))
    if notes:
        SubElement(suite, "system-out").text = "\n".join(map(escape, notes))
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    text = tostring(root, encoding="unicode")
    # The two that XML cannot have and that are shown on a terminal as they are.
    text = text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(report: Report, outcome: Outcome) -> Element:
    query = outcome.query
    case = Element(
        "testcase",
        classname=f"sockql.{outcome.severity}",
        name=query.name,
        time=f"{max(outcome.seconds, 0.0):.3f}",
    )
    message = f"{escape(query.title)}: {escape(outcome.summary)}"
    if report.fails(outcome):
        failure = SubElement(case, "failure", type=outcome.severity, message=message)
        failure.text = "\n".join([message, *_rows(outcome)])
    elif outcome.verdict == ERROR:
        SubElement(case, "error", type=ERROR, message=message).text = message
    elif outcome.notices and report.strict:
        SubElement(case, "error", type=INCOMPLETE, message=message).text = message
    elif outcome.verdict == INCOMPLETE:
        SubElement(case, "skipped", message=message).text = message
    if outcome.verdict == FINDING and not report.fails(outcome):
        SubElement(case, "system-out").text = "\n".join([message, *_rows(outcome)])
    return case


def _rows(outcome: Outcome) -> Iterator[str]:
    """The rows, and what else there may be; what XML cannot have is escaped as for a terminal."""
    for row in () if outcome.missing else outcome.rows:
        cells = as_object(outcome.columns, row)
        yield ", ".join(f"{escape(name)} = {display(c)}" for name, c in cells.items())
    for notice in outcome.notices:
        yield f"{INCOMPLETE}: {escape(notice)}"
