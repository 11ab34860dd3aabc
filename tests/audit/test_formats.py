"""The reports for programs, held against their formats."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from sockql import __version__
from tests.audit.machine import HOSTILE, Machine
from tests.audit.sarif_schema import problems
from tests.audit.test_verdicts import HEAD, LOST


def sarif(machine: Machine, *words: str) -> Any:
    machine(*words, "--sarif", "s.sarif")
    return json.loads((machine.root / "s.sarif").read_bytes())


def test_sarif_has_a_rule_for_each_audit_and_a_result_for_each_row(machine: Machine) -> None:
    machine.write(column=HEAD + "select pid from processes where pid = no_such(1)")
    (machine.root / "base.json").write_text(
        '{"sockql_baseline": 1, "audits": {"workers": {"keys": ["name", "parent"], "accepted": ['
        '{"row": {"name": "worker", "parent": 42}, "reason": "why\\u001b"}]}}}'
    )
    log = sarif(machine, "--baseline", "base.json")
    assert problems(log) == []
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("sockql", __version__)
    assert [
        (rule["id"], rule["defaultConfiguration"]["level"], rule["properties"])
        for rule in driver["rules"]
    ] == [
        ("lost", "error", {"tags": ["security"], "security-severity": "9.5"}),
        ("workers", "error", {"tags": ["security", "work"], "security-severity": "8.0"}),
        ("started", "warning", {"tags": ["security"], "security-severity": "5.5"}),
        ("column", "note", {"tags": ["security"], "security-severity": "3.0"}),
        ("hostile", "note", {"tags": ["security"], "security-severity": "3.0"}),
    ]
    assert driver["rules"][1]["helpUri"] == "https://example.org/work"
    assert [rule["help"]["text"] for rule in driver["rules"][:2]] == [
        "Files that are lost",
        "Nobody is to work.\n\nIt may be wrong:\n- They are paid.",
    ]
    results = [
        (r["ruleId"], r["level"], r["message"]["text"], r["properties"], r.get("suppressions"))
        for r in run["results"]
    ]
    accepted = [{"kind": "external", "status": "accepted", "justification": "why\x1b"}]
    assert results == [
        (
            "workers",
            "error",
            "Workers that run: pid = 43, name = worker, parent = 1",
            {"row": {"pid": 43, "name": "worker", "parent": 1}},
            None,
        ),
        (
            "workers",
            "error",
            "Workers that run: pid = 44, name = worker, parent = 42",
            {"row": {"pid": 44, "name": "worker", "parent": 42}},
            accepted,
        ),
        (
            "hostile",
            "note",
            f"Names of terminals' nightmares: pid = 42, name = {HOSTILE}",
            {"row": {"pid": 42, "name": HOSTILE}},
            None,
        ),
    ]
    assert run["results"][0]["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "queries/workers.sql"},
                "region": {"startLine": 1},
            }
        }
    ]
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"], invocation["machine"]) == (
        False,
        1,
        "stage",
    )
    assert [
        (said["level"], said["associatedRule"]["id"], said["message"]["text"])
        for said in invocation["toolExecutionNotifications"]
    ] == [
        ("warning", "lost", LOST),
        ("error", "column", f"{machine.queries}/column.sql:4: no such function: no_such"),
    ]


def test_sarif_names_a_file_that_is_elsewhere_by_its_whole_path(machine: Machine) -> None:
    (machine.root / "shipped%").mkdir()
    (machine.root / "shipped%/odd one.sql").write_text("\n\n" + HEAD + "select 1 as a")
    (machine.root / "inner").mkdir()
    os.chdir(machine.root / "inner")
    machine.run("audit", "../shipped%/odd one.sql", "--sarif", "../s.sarif")
    log = json.loads((machine.root / "s.sarif").read_bytes())
    assert problems(log) == []
    assert log["runs"][0]["results"][0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": f"file://{machine.root}/shipped%25/odd%20one.sql"},
        "region": {"startLine": 3},
    }


def test_what_is_wrong_with_a_baseline_is_in_the_reports(machine: Machine) -> None:
    (machine.root / "base.json").write_text(
        '{"sockql_baseline": 1, "audits": {"gone": {"keys": ["pid"], "accepted": ['
        '{"row": {"pid": 4}, "reason": ""}]}, "workers": {"keys": ["name", "parent"], "accepted": ['
        '{"row": {"name": "worker", "parent": 42}, "reason": "why", "expires": "2020-02-02"}]}}}'
    )
    lines = [
        'baseline: expired on 2020-02-02: workers: name = "worker", parent = 42 (why)',
        "baseline: there is no such audit: gone: pid = 4",
    ]
    log = sarif(machine, "workers", "--baseline", "base.json")
    assert problems(log) == []
    assert log["runs"][0]["invocations"][0]["toolExecutionNotifications"] == [
        {"level": "note", "message": {"text": line}} for line in lines
    ]
    root = junit(machine, "workers", "--baseline", "base.json")
    assert [each.text for each in root.findall("testsuite/system-out")] == ["\n".join(lines)]


def test_sarif_knows_a_row_again_by_its_keys(machine: Machine) -> None:
    def fingerprints() -> list[str]:
        results = sarif(machine, "workers")["runs"][0]["results"]
        return [result["partialFingerprints"]["sockqlRow/v1"] for result in results]

    before = fingerprints()
    text = (machine.queries / "workers.sql").read_text()
    machine.write(workers=text.replace("select pid,", "select pid + 1000 as pid,"))
    assert fingerprints() == before
    assert len(set(before)) == 2
    machine.write(workers=text.replace("parent from", "parent + 1 as parent from"))
    assert set(fingerprints()).isdisjoint(before)


def test_sarif_says_that_rows_are_missing(machine: Machine) -> None:
    machine.write(started=(machine.queries / "started.sql").read_text().replace("= 1", "= 9"))
    log = sarif(machine, "started")
    assert problems(log) == []
    assert [result["message"]["text"] for result in log["runs"][0]["results"]] == [
        "Somebody was the first: no rows where some are expected"
    ]


def test_sarif_has_a_row_of_nothing_but_null(machine: Machine) -> None:
    machine.write(
        workers=(machine.queries / "workers.sql")
        .read_text()
        .replace(
            "select pid, name, parent from processes where name = 'worker' order by pid",
            "select null as name, null as parent",
        )
    )
    log = sarif(machine, "workers")
    assert problems(log) == []
    assert [result["message"]["text"] for result in log["runs"][0]["results"]] == [
        "Workers that run: name = NULL, parent = NULL"
    ]


def test_the_check_of_sarif_finds_what_is_wrong(machine: Machine) -> None:
    log = sarif(machine, "workers")
    run = log["runs"][0]
    run["results"][0]["ruleIndex"] = 0
    run["results"][1]["level"] = "bad"
    run["invocations"][0]["startTimeUtc"] = "2026-01-01 00:00"
    del run["tool"]["driver"]["name"]
    assert len(problems(log)) == 3


def junit(machine: Machine, *words: str) -> ET.Element:
    machine(*words, "--junit", "j.xml")
    # expat refuses what is not XML, a control character among it.
    return ET.parse(machine.root / "j.xml").getroot()


def cases(root: ET.Element) -> list[tuple[str, str, list[tuple[str, str | None]]]]:
    (suite,) = root
    for case in suite:
        assert re.fullmatch(r"\d+\.\d{3}", case.attrib["time"])
    return [
        (
            case.attrib["classname"],
            case.attrib["name"],
            [(e.tag, e.get("message", e.text)) for e in case],
        )
        for case in suite
    ]


ERROR = "no such function: no_such"


def test_junit_has_a_test_for_each_audit(machine: Machine) -> None:
    machine.write(column=HEAD + "select pid from processes where pid = no_such(1)")
    root = junit(machine, "--fail-on", "medium")
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    assert {k: v for k, v in suite.attrib.items() if k not in ("time", "timestamp")} == {
        "name": "sockql audit",
        "hostname": "stage",
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    assert cases(root) == [
        ("sockql.critical", "lost", [("skipped", f"Files that are lost: {LOST}")]),
        ("sockql.high", "workers", [("failure", "Workers that run: 2 rows")]),
        ("sockql.medium", "started", []),
        ("sockql.low", "column", [("error", f"T: {machine.queries}/column.sql:4: {ERROR}")]),
        (
            "sockql.low",
            "hostile",
            [
                (
                    "system-out",
                    "Names of terminals' nightmares: 1 row\npid = 42, name = e\\x1b[2J<&|",
                )
            ],
        ),
    ]
    failure = suite[1][0]
    assert (failure.get("type"), failure.text) == (
        "high",
        "Workers that run: 2 rows\npid = 43, name = worker, parent = 1\n"  # noqa: ISC004
        "pid = 44, name = worker, parent = 42",
    )
    assert [each.text for each in (suite[0][0], suite[3][0])] == [
        f"Files that are lost: {LOST}",
        f"T: {machine.queries}/column.sql:4: {ERROR}",
    ]


def test_junit_has_an_error_where_all_has_to_be_seen(machine: Machine) -> None:
    root = junit(machine, "lost", "hostile", "--strict")
    assert cases(root) == [
        ("sockql.critical", "lost", [("error", f"Files that are lost: {LOST}")]),
        ("sockql.low", "hostile", [("failure", "Names of terminals' nightmares: 1 row")]),
    ]


def test_markdown_is_a_page_that_no_name_can_forge(machine: Machine) -> None:
    status, text, _ = machine("--markdown")
    assert status == 1
    text = re.sub(r"\d+\.\d+ s:", "0.1 s:", text)
    text = re.sub(r"0\.\d+", "0.1", text)
    text = re.sub(r" +", " ", re.sub(r"-{2,}", "---", text))
    assert text == (
        "# Audit of stage\n\n"
        "4 audits on stage in 0.1 s: 2 found something, 1 incomplete, 1 passed\n\n"
        "| audit | severity | verdict | found | accepted | seconds | reason |\n"
        "| --- | --- | --- | ---: | ---: | ---: | --- |\n"
        "| workers | high | finding | 2 | 0 | 0.1 | 2 rows |\n"
        "| hostile | low | finding | 1 | 0 | 0.1 | 1 row |\n"
        f"| lost | critical | incomplete | 0 | 0 | 0.1 | {LOST} |\n"
        "| started | medium | pass | 0 | 0 | 0.1 | |\n\n"
        "## workers: Workers that run\n\n"
        "Nobody is to work.\n\n"
        "| pid | name | parent |\n| ---: | --- | ---: |\n"
        "| 43 | worker | 1 |\n| 44 | worker | 42 |\n\n"
        "It may be wrong:\n\n- They are paid.\n\n"
        "<https://example.org/work>\n\n"
        "## hostile: Names of terminals' nightmares\n\n"
        "| pid | name |\n| ---: | --- |\n"
        "| 42 | e\\x1b\\[2J\\<\\&\\| |\n"
    )


@pytest.mark.parametrize("name", ["xml.etree.ElementTree", "yaml", "sockql.audit.sarif"])
def test_a_query_pays_nothing_for_audits(name: str) -> None:
    code = (
        "import sys; from sockql import cli; cli.main(['--json', 'select 1 as a']);"
        f"sys.exit({name!r} in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_a_finding_has_not_seen_is_in_each_report(machine: Machine) -> None:
    machine.write(some=HEAD + "select fd from fds where pid = 42 and coalesce(size, 1) = 1")
    notice = LOST
    root = junit(machine, "some")
    (failure,) = root.iter("failure")
    assert failure.text == f"T: 1 row\nfd = 3\nincomplete: {notice}"
    (invocation,) = sarif(machine, "some")["runs"][0]["invocations"]
    assert [each["message"]["text"] for each in invocation["toolExecutionNotifications"]] == [
        notice
    ]
    assert f"| 3 |\n\nThere may be more:\n\n- {notice}\n" in re.sub(
        " +", " ", machine("some", "--markdown")[1]
    )
    assert f"  3\n  incomplete: {notice}\n" in re.sub(" +3\n", "  3\n", machine("some")[1])
