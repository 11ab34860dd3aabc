"""Each audit has the verdict that it deserves, and the exit status follows from all of them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.command.terminal import display, escape, width
from sockql.render.fitted import fitted
from tests.audit.machine import HOSTILE, Machine
from tests.conftest import ROOT
from tests.test_engine import ENDLESS

LOST = "fds: 1 file could not be examined (ENOENT); what stat(2) tells of them is NULL"


def verdicts(machine: Machine, *words: str) -> dict[str, str]:
    return {audit["audit"]: audit["verdict"] for audit in machine.json(*words)["audits"]}


def test_all_audits_are_run_and_what_to_look_at_comes_first(machine: Machine) -> None:
    found = machine.json()
    for audit in found["audits"]:
        assert audit.pop("seconds") >= 0
        assert audit.pop("file") == str(machine.queries / f"{audit['audit']}.sql")
    assert found["audits"] == [
        {
            "audit": "workers",
            "title": "Workers that run",
            "severity": "high",
            "tags": ["work"],
            "verdict": "finding",
            "expect": "no rows",
            "rows": [
                {"pid": 43, "name": "worker", "parent": 1},
                {"pid": 44, "name": "worker", "parent": 42},
            ],
            "accepted": [],
            "notices": [],
            "error": None,
        },
        {
            "audit": "hostile",
            "title": "Names of terminals' nightmares",
            "severity": "low",
            "tags": [],
            "verdict": "finding",
            "expect": "no rows",
            "rows": [{"pid": 42, "name": HOSTILE}],
            "accepted": [],
            "notices": [],
            "error": None,
        },
        {
            "audit": "lost",
            "title": "Files that are lost",
            "severity": "critical",
            "tags": [],
            "verdict": "incomplete",
            "expect": "no rows",
            "rows": [],
            "accepted": [],
            "notices": [LOST],
            "error": None,
        },
        {
            "audit": "started",
            "title": "Somebody was the first",
            "severity": "medium",
            "tags": [],
            "verdict": "pass",
            "expect": "rows",
            "rows": [],
            "accepted": [],
            "notices": [],
            "error": None,
        },
    ]
    assert (found["host"], found["status"], found["baseline"], found["verdicts"]) == (
        "stage",
        1,
        {"expired": [], "unused": [], "unknown": []},
        {"finding": 2, "error": 0, "incomplete": 1, "pass": 1},
    )


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["workers", "started", "workers"], ["workers", "started"]),
        (["./queries"], ["workers", "hostile", "lost", "started"]),
        (["./queries/lost.sql", "lost"], ["lost"]),
        (["--tag", "work"], ["workers"]),
        (["--severity", "medium"], ["workers", "lost", "started"]),
        (["--severity", "high", "./queries/"], ["workers", "lost"]),
    ],
)
def test_some_can_be_chosen(machine: Machine, words: list[str], names: list[str]) -> None:
    assert list(verdicts(machine, *words)) == names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list"], "list is a report, not an audit: sockql run list shows it"),
        (["worker"], "no saved query worker; did you mean workers?"),
        (["./none"], "./none: No such file or directory"),
        (["--tag", "play"], "--tag play: no query has it; there are work"),
        (
            ["--tag", "work", "--severity", "critical"],
            "none of 4 audits has that tag and is so severe",
        ),
        (["--severity", "worse"], "--severity worse: not one of info, low, medium, high, critical"),
        (["--fail-on", "worse"], "--fail-on worse: not one of info, low, medium, high, critical"),
        (["--budget", "0"], "--budget 0: not a positive number of seconds"),
        (["-f", "x"], "audit takes no -f; a query in a file is named by its path: ./NAME.sql"),
        (["-p", "no=1"], "-p no: none of the audits has a parameter no"),
    ],
)
def test_what_cannot_be_run_is_said(machine: Machine, words: list[str], said: str) -> None:
    assert machine(*words) == (2, "", f"sockql: {said}\n")


def test_two_audits_of_one_name_are_refused(machine: Machine) -> None:
    other = machine.root / "other"
    other.mkdir()
    (other / "workers.sql").write_text((machine.queries / "workers.sql").read_text())
    mine = machine.queries / "workers.sql"
    assert machine("workers", "./other") == (
        2,
        "",
        f"sockql: two audits are called workers: {mine} and ./other/workers.sql\n",
    )


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["started"], 0),
        (["workers"], 1),
        (["lost"], 0),
        (["lost", "--strict"], 3),
        (["lost", "workers", "--strict"], 1),
        (["hostile", "--fail-on", "low"], 1),
        (["hostile", "--fail-on", "medium"], 0),
        (["hostile", "lost", "--fail-on", "medium", "--strict"], 3),
        (["workers", "--fail-on", "critical"], 0),
    ],
)
def test_the_status_follows_from_the_verdicts(
    machine: Machine, words: list[str], status: int
) -> None:
    assert machine(*words)[0] == status


def test_rows_that_are_expected_and_missing_are_a_finding(machine: Machine) -> None:
    machine.write(started=(machine.queries / "started.sql").read_text().replace("= 1", "= 9"))
    status, text, _ = machine("started")
    assert (status, text.splitlines()[:2]) == (
        1,
        ["medium: started: Somebody was the first", "  no rows where some are expected"],
    )


HEAD = "-- title: T\n-- severity: low\n-- kind: audit\n"


def test_what_goes_wrong_with_one_audit_does_not_keep_the_others_from_running(
    machine: Machine,
) -> None:
    machine.write(
        broken="-- title: T\n-- sevrity: low\nselect 1",
        column=HEAD + "select nope from processes",
        keys=HEAD + "-- keys: [nme]\nselect name from processes",
        middle=HEAD + "select pid, inet_in('x', name) from processes where pid > 1",
        parameter=HEAD
        + "-- params:\n--   port: {type: integer}\nselect pid from fds where fd = :port",
    )
    queries = machine.queries
    found = machine.json()
    errors = {a["audit"]: a["error"] for a in found["audits"] if a["error"]}
    assert errors == {
        "broken": f"{queries}/broken.sql:2: the header has no key 'sevrity'; did you mean severity?",
        "column": f"{queries}/column.sql:4: no such column: nope",
        "keys": f"{queries}/keys.sql:4: keys: the result has no column nme",
        "middle": f"{queries}/middle.sql:4: inet_in: 'e\\x1b[2J<&|' is not an address or CIDR prefix",
        "parameter": "needs a value for port: -p port=INTEGER",
    }
    assert found["verdicts"] == {"finding": 2, "error": 5, "incomplete": 1, "pass": 1}
    assert found["status"] == 1
    assert machine("column", "started")[0] == 3
    assert machine("parameter", "-p", "port=3")[0] == 1


def test_a_wrong_parameter_of_the_only_audit_is_wrong_usage(machine: Machine) -> None:
    machine.write(
        a=HEAD + "-- params:\n--   fd: {type: integer}\nselect pid from fds where fd = :fd"
    )
    assert machine("a") == (2, "", "sockql: a needs a value for fd: -p fd=INTEGER\n")
    assert machine("a", "-p", "fd=x") == (2, "", "sockql: a: fd: an integer is wanted, not 'x'\n")


def test_a_table_is_a_parameter_of_an_audit(machine: Machine) -> None:
    machine.write(
        known=HEAD
        + "-- params:\n--   allowed: {type: table, columns: [name], default: [[worker]]}\n"
        "select name from processes where pid = 44 and name not in (select name from allowed)",
        others=HEAD + "-- params:\n--   allowed: {type: table, columns: [pid], default: [[1]]}\n"
        "select pid from processes where pid not in (select pid from allowed) and pid < 43",
    )
    found = machine.json("known", "others")
    assert [(a["audit"], a["rows"]) for a in found["audits"]] == [
        ("others", [{"pid": 42}]),
        ("known", []),
    ]


def test_an_audit_that_takes_too_long_fails_and_the_others_go_on(machine: Machine) -> None:
    machine.write(endless=HEAD + "-- timeout: 0.2\n" + ENDLESS)
    found = machine.json("endless", "workers")
    assert [(a["audit"], a["verdict"], a["error"]) for a in found["audits"]] == [
        ("workers", "finding", None),
        ("endless", "error", "the statement took longer than 0.2 seconds"),
    ]
    found = machine.json("endless", "--timeout", "0.1")
    assert found["audits"][0]["error"] == "the statement took longer than 0.1 seconds"
    assert found["status"] == 3


def test_all_audits_together_have_a_budget(machine: Machine) -> None:
    machine.write(endless=HEAD.replace("low", "critical") + ENDLESS)
    found = machine.json("endless", "workers", "--budget", "0.2")
    assert {a["audit"]: a["error"] for a in found["audits"]} == {
        "endless": "ended: the 0.2 seconds for all audits are over",
        "workers": "not run: the 0.2 seconds for all audits are over",
    }


def test_people_see_findings_first_and_every_reason_once(machine: Machine) -> None:
    machine.write(
        lost_too=HEAD + "select pid from fds where size = 7",
        column=HEAD + "select pid from processes where pid = no_such(1)",
    )
    status, text, error = machine()
    assert (status, error) == (1, "")
    text = re.sub(r"in \d+\.\d s", "in 0.1 s", text)
    assert text == (
        "high: workers: Workers that run\n"
        "  pid  name    parent\n"
        "  ---  ------  ------\n"
        "   43  worker       1\n"
        "   44  worker      42\n"
        "\n"
        "low: hostile: Names of terminals' nightmares\n"
        "  pid  name\n"
        "  ---  -----------\n"
        "   42  e\\x1b[2J<&|\n"
        "\n"
        f"error: column: {machine.queries}/column.sql:4: no such function: no_such\n"
        "\n"
        f"incomplete: {LOST}\n"
        "  2 audits not sure to pass: lost, lost_too\n"
        "\n"
        "6 audits on stage in 0.1 s: 2 found something, 1 failed, 2 incomplete, 1 passed\n"
    )


def test_people_see_some_rows_and_the_beginning_of_long_cells(machine: Machine) -> None:
    machine.write(
        many=HEAD + "with recursive n(i) as (select 1 union all select i + 1 from n limit 25) "
        "select i, printf('%.*c', 100, 'x') as text from n"
    )
    lines = machine("many")[1].splitlines()
    assert lines[3] == "   1  " + "x" * 79 + "…"
    assert len(lines) == 26
    assert lines[-3] == "  and 5 rows more (--json has all)"
    assert len(machine.json("many")["audits"][0]["rows"]) == 25


def test_the_formats_that_have_rows_have_the_verdicts(machine: Machine) -> None:
    status, text, _ = machine("--csv")
    rows = [line.split(",") for line in text.splitlines()]
    assert (status, [row[:5] + row[6:] for row in rows]) == (
        1,
        [
            ["audit", "severity", "verdict", "found", "accepted", "reason"],
            ["workers", "high", "finding", "2", "0", "2 rows"],
            ["hostile", "low", "finding", "1", "0", "1 row"],
            ["lost", "critical", "incomplete", "0", "0", LOST],
            ["started", "medium", "pass", "0", "0", ""],
        ],
    )


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.text(max_size=60),
            st.text("ab日\u0301\x1b", max_size=60),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(60, 120),
)
def test_rows_fit_a_terminal(rows: list[tuple[int, str, str]], room: int) -> None:
    columns, cut = fitted(("number", "a", "b"), rows, room)
    assert columns == ("number", "a", "b")
    widths = [max(width(display(row[i])) for row in cut) for i in range(3)]
    assert sum(widths) + 6 < room
    for before, after in zip(rows, cut):
        assert after[0] == before[0]
        for old, new in zip(before[1:], after[1:]):
            assert new == old or escape(old).startswith(str(new)[:-1])


def test_a_snapshot_is_audited_as_the_host_was(machine: Machine) -> None:
    live = machine.json()
    said = machine.run("snapshot", "--proc", "proc", "taken.db", "--tables", "processes,fds")
    assert said[0] == 0
    shutil.rmtree(machine.root / "proc")
    taken = json.loads(machine.run("audit", "--json", "--from", "taken.db")[1])
    for found in (live, taken):
        for audit in found["audits"]:
            del audit["seconds"]
    assert taken["audits"] == live["audits"]
    assert (taken["host"], taken["status"]) == ("stage", 1)


def test_a_value_that_was_given_wrong_is_wrong_usage_as_it_is_of_run(machine: Machine) -> None:
    """However many audits there are beside."""
    head = "-- title: T\n-- severity: low\n-- kind: audit\n"
    machine.write(
        many=head
        + "-- params: {more_than: {type: integer, default: 1}}\nselect :more_than where 0",
        listed=head + "-- params: {allowed: {type: table, columns: [port], default: []}}\n"
        "select port from allowed where 0",
    )
    said = "sockql: -p more_then: none of the audits has a parameter more_then; did you mean more_than?"
    assert machine("-p", "more_then=2") == (2, "", f"{said}\n")
    for word, said in (
        ("more_than=x", "many: more_than: an integer is wanted, not 'x'"),
        ("allowed=no.csv", "no.csv: No such file or directory"),
    ):
        name = said.partition(":")[0] if "many" in said else "listed"
        for words in (("audit", name), ("audit",), ("run", name)):
            assert machine.run(*words, "-p", word) == (2, "", f"sockql: {said}\n")


def test_directories_without_tags_and_with_odd_files(machine: Machine) -> None:
    folder = machine.root / "au"
    folder.mkdir()
    head = "-- title: T\n-- severity: low\n-- kind: audit\n"
    (folder / "fine.sql").write_text(head + "select 1 where 0")
    assert machine("./au", "--tag", "nosuch") == (
        2,
        "",
        "sockql: --tag nosuch: no query has it; none of them has any tag\n",
    )
    os.mkfifo(folder / "pipe.sql")
    (folder / "device.sql").symlink_to("/dev/zero")
    (folder / "linked.sql").symlink_to("fine.sql")
    found = {a["audit"]: (a["verdict"], a["error"]) for a in machine.json("./au")["audits"]}
    assert found == {
        "device": ("error", "./au/device.sql: not a regular file"),
        "fine": ("pass", None),
        "linked": ("pass", None),
        "pipe": ("error", "./au/pipe.sql: not a regular file"),
    }
    status, out, err = machine.run("queries", "check", "./au")
    assert (status, out.split("\n"), err) == (
        2,
        ["./au/device.sql: not a regular file", "./au/pipe.sql: not a regular file", ""],
        "sockql: 4 queries, 2 problems\n",
    )
    for words in (["run"], ["queries", "show"], ["audit"]):
        said = "sockql: ./au/pipe.sql: not a regular file\n"
        assert machine.run(*words, "./au/pipe.sql") == (2, "", said)


def test_a_directory_that_is_named_and_not_there_is_an_error(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = f"{machine.root}/lost"
    monkeypatch.setenv("SOCKQL_QUERIES", f"{lost}:{machine.queries}")
    said = f"{lost}: No such file or directory"
    status, out, err = machine("--tag", "work", "--fail-on", "critical")
    assert (status, err) == (3, "")
    assert f"error: $SOCKQL_QUERIES: {said}\n" in out
    assert machine("started")[::2] == (0, f"sockql: {said}\n")


def test_audits_that_hide_others_are_told(machine: Machine) -> None:
    other = machine.root / "config/sockql/queries"
    other.mkdir(parents=True)
    (other / "started.sql").write_text("select 1")
    said = f"sockql: {machine.queries}/started.sql is used, not {other}/started.sql\n"
    assert machine()[2] == said
    assert machine("workers")[2] == ""
    assert machine.run("queries", "check")[1:] == ("", f"{said}sockql: 5 queries, 0 problems\n")


def test_a_column_without_values_makes_room_for_the_others() -> None:
    columns = ("name", "none", "text")
    rows = [("a" * 20, None, "b" * 30), ("a", None, None)]
    assert fitted(columns, rows, 70) == (columns, rows)
    assert fitted(columns, rows, 60) == (("name", "text"), [("a" * 20, "b" * 30), ("a", None)])
    assert fitted(columns, rows, 50) == (
        ("name", "text"),
        [("a" * 20, "b" * 24 + "…"), ("a", None)],
    )
    assert fitted(columns, rows, None) == (columns, rows)
    assert fitted(columns, [], 10) == ((), [])


def test_what_is_said_on_a_terminal_breaks_no_word(machine: Machine) -> None:
    def lines(columns: str) -> list[str]:
        primary, secondary = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "sockql", "audit", "--proc", "proc", "lost", "column"],
            cwd=machine.root,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": columns, "NO_COLOR": "1"},
            stdout=secondary,
        ) as process:
            os.close(secondary)
            text = b""
            with contextlib.suppress(OSError):  # EIO: all has been written
                while more := os.read(primary, 4096):
                    text += more
        os.close(primary)
        assert process.returncode == 3
        return text.decode().replace("\r\n", "\n").split("\n")

    machine.write(column=HEAD + "select nope from processes")
    for columns in ("60", "80"):
        shown = lines(columns)
        assert " ".join(" ".join(shown).split()).startswith(
            f"error: column: {machine.queries}/column.sql:4: no such column: nope incomplete: {LOST}"
            " 1 audit not sure to pass: lost 2 audits on stage in "
        )
        long = [line for line in shown if len(line) > int(columns)]
        assert [line for line in long if str(machine.queries) not in line] == []
        assert "  " + LOST[-20:] not in shown


def test_of_many_audits_that_are_not_sure_to_pass_the_most_severe_are_named(
    machine: Machine,
) -> None:
    lost = "-- title: T\n-- severity: {}\n-- kind: audit\nselect fd from fds where size > 5"
    machine.write(**{f"a{n:02}": lost.format("low") for n in range(13)})
    machine.write(z=lost.format("high"))
    names = [*(f"a{n:02}" for n in range(13)), "z"]
    _, text, _ = machine(*names)
    listed = ", ".join(["z", *names[:11]])
    assert " ".join(text.split()).startswith(
        f"incomplete: {LOST} 14 audits not sure to pass: {listed}, and 2 more (--csv has all) 14 "
    )
