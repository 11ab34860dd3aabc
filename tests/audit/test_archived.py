"""Audits of a snapshot in a file never pass for what the file cannot tell."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sockql.archive.replay import Replay
from sockql.audit import runner
from sockql.saved.query import AUDIT, read
from tests.audit.machine import Machine
from tests.conftest import ROOT

HEAD = "-- title: T\n-- severity: high\n-- kind: audit\n"
LIVE = "taken.db: looking looks for what only the live host can tell; no snapshot has it"


@pytest.fixture
def archived(machine: Machine) -> Machine:
    """The machine, its queries, and a snapshot of some of its tables."""
    proc = str(machine.root / "proc")
    words = ["taken.db", "--tables", "processes,fds", "--netns", "self", "--proc", proc]
    assert machine.run("snapshot", *words)[0] == 0
    for name in ("lost", "hostile"):
        (machine.queries / f"{name}.sql").unlink()
    return machine


def audit(machine: Machine, *words: str) -> dict[str, tuple[str, list[str], str | None]]:
    """Verdict, notices and error by the names of the audits."""
    out = machine.run("audit", "--from", "taken.db", "--json", *words)[1]
    return {
        each["audit"]: (each["verdict"], each["notices"], each["error"])
        for each in json.loads(out.replace("\\u001b", ""))["audits"]
    }


def test_what_the_file_lacks_makes_an_audit_incomplete(archived: Machine) -> None:
    archived.write(
        looking=HEAD + "-- live: true\nselect pid from processes where pid < 0",
        envs=HEAD + "select pid from process_envs",
        file=HEAD + "select path from file where path = '/nowhere'",
        hash=HEAD + "select md5 from hash where path in (select path from processes)",
        ports=HEAD + "select pid from listening_ports",
        locks=HEAD + "select pid from file_locks join processes using (pid)",
    )
    when = r"in the snapshot of \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"
    lacks = {
        "envs": f"the table process_envs was not captured {when}; it may hold what is secret, and "
        "is taken when sockql snapshot --tables names it",
        "file": f"the table file was not captured {when}; it reads only what a statement asks for "
        "by name, so that no snapshot has all of it",
        "hash": f"the table hash was not captured {when}; it reads only what a statement asks for "
        "by name, so that no snapshot has all of it",
        "locks": f"the table file_locks was not captured {when}; snapshot_tables has those that "
        "were",
        "ports": f"the table listening_ports was not captured {when}; it is one of osquery's "
        "tables, and a snapshot has those of sockql",
    }
    found = audit(archived)
    for name, said in lacks.items():
        verdict, (notice,), error = found.pop(name)
        assert (verdict, error) == ("incomplete", None)
        assert re.fullmatch(f"taken.db: {said}", notice)
    assert found == {
        "looking": ("incomplete", [LIVE], None),
        "started": ("pass", [], None),
        "workers": ("finding", [], None),
    }


def test_what_was_not_run_is_told_in_every_format(archived: Machine) -> None:
    archived.write(looking=HEAD + "-- live: true\nselect pid from processes where pid < 0")
    words = ["audit", "--from", "taken.db", "looking", "started"]
    status, out, err = archived.run(*words, "--junit", "j.xml", "--sarif", "s.sarif")
    assert (status, err) == (0, "")
    shown = re.sub(r" in \d+\.\d s", " in X s", out)
    assert re.sub(r"2\d{3}-\d\d-\d\dT\S+Z", "THEN", shown) == (
        f"incomplete: {LIVE}\n  1 audit not run: looking\n\n"
        "2 audits on stage as of THEN in X s: 1 incomplete, 1 passed\n"
    )
    with sqlite3.connect(archived.root / "taken.db") as database:
        ((then,),) = database.execute("select time from snapshots").fetchall()
    database.close()
    assert f" as of {then} in " in out
    assert json.loads(archived.run(*words, "--json")[1])["snapshot"] == then
    root = ET.parse(archived.root / "j.xml").getroot()
    assert [suite.attrib["skipped"] for suite in root] == ["1"]
    assert [each.attrib["message"] for each in root.iter("skipped")] == [f"T: {LIVE}"]
    (run,) = json.loads((archived.root / "s.sarif").read_text())["runs"]
    (invocation,) = run["invocations"]
    assert (invocation["exitCode"], invocation["executionSuccessful"]) == (0, True)
    assert invocation["toolExecutionNotifications"] == [
        {"level": "warning", "message": {"text": LIVE}, "associatedRule": {"id": "looking", "index": 0}}
    ]  # fmt: skip
    assert f"looking,high,incomplete,0,0,0.0,{LIVE}\n" in archived.run(*words, "--csv")[1]
    assert LIVE in archived.run(*words, "--markdown")[1]
    assert archived.run(*words, "--strict")[0] == 3
    # The same question by itself.
    assert archived.run("run", "looking", "--from", "taken.db") == (3, "", f"sockql: {LIVE}\n")
    assert archived.run("run", "looking", "--csv", "--netns", "self")[0] == 0


def test_a_copy_of_a_procfs_is_no_live_host(machine: Machine) -> None:
    machine.write(looking=HEAD + "-- live: true\nselect pid from processes where pid < 0")
    said = "proc: looking looks for what only the live host can tell; this is a copy of a procfs"
    (found,) = machine.json("looking")["audits"]
    assert (found["verdict"], found["notices"]) == (
        "incomplete",
        [f"{machine.root}/{said}"],
    )
    assert machine.run("run", "looking", "--proc", "proc") == (3, "", f"sockql: {said}\n")


def test_a_column_that_one_audit_misses_is_nothing_to_the_others(archived: Machine) -> None:
    """As in a file that an older version wrote."""
    with sqlite3.connect(archived.root / "taken.db") as database:
        ((text,),) = database.execute(
            "select captured from snapshot_tables where table_name = 'fds'"
        ).fetchall()
        names = [name for name in json.loads(text) if name != "size"]
        database.execute(
            "update snapshot_tables set captured = ? where table_name = 'fds'", (json.dumps(names),)
        )
    database.close()
    archived.write(
        big=HEAD + "select pid from fds where size > 5",
        fds=HEAD + "select pid, fd from fds",
        third=HEAD + "select pid, fd from fds where fd = 4 or pid < 0",
    )
    found = audit(archived, "big", "fds", "third")
    verdict, (notice,), error = found.pop("big")
    assert (verdict, error) == ("incomplete", None)
    assert re.fullmatch(r"taken\.db: fds\.size was not captured in the snapshot of \S+", notice)
    assert {name: verdict for name, (verdict, _, _) in found.items()} == {
        "fds": "finding",
        "third": "pass" if not found["third"][1] else "incomplete",
    }


def test_names_of_users_that_were_not_captured_are_not_made_up(archived: Machine) -> None:
    archived.write(named=HEAD + "select name, coalesce(username(0), 0) as user from processes")
    said = "taken.db: username() is NULL: the table users was not captured"
    assert audit(archived, "named") == {"named": ("finding", [said], None)}
    words = ["run", "named", "--from", "taken.db", "--csv"]
    status, out, err = archived.run(*words)
    assert (status, err) == (0, f"sockql: {said}\n")
    assert "init,0\n" in out
    assert archived.run(*words, "--strict")[0] == 3


def test_what_was_not_looked_for_stays_accepted(archived: Machine) -> None:
    archived.write(envs=HEAD + "-- keys: [pid]\nselect pid from process_envs")
    accepted = (
        '{\n  "sockql_baseline": 1,\n  "audits": {\n    "envs": {\n      "keys": ["pid"],\n'
        '      "accepted": [\n        {"row": {"pid": 1}, "reason": "old"}\n      ]\n    }\n  }\n}\n'
    )
    (archived.root / "b.json").write_text(accepted)
    words = ["audit", "--from", "taken.db", "envs", "started", "--baseline", "b.json"]
    status, out, _ = archived.run(*words)
    assert status == 0
    assert "not found any more" not in out
    assert archived.run(*words, "--update-baseline")[0] == 0
    assert (archived.root / "b.json").read_text() == accepted


def test_no_shipped_audit_fails_over_a_snapshot(tmp_path: Path) -> None:
    """Every one has an answer, or says that it has none."""
    from sockql import cli

    file = str(tmp_path / "host.db")
    assert cli.main(["snapshot", file, "--netns", "self", "-o", os.devnull]) == 0
    queries = [read(str(path)) for path in sorted((ROOT / "queries").glob("*.sql"))]
    queries = [query for query in queries if query.kind == AUDIT]
    with Replay(file) as replay:
        bound = runner.bindings(queries, [])
        found = list(runner.run(replay, queries, bound, runner.Limits()))
    assert [(outcome.query.name, outcome.error) for outcome in found if outcome.error] == []
    assert {outcome.query.name for outcome in found if not outcome.answered} == {
        "hidden-process",
        "history-disabled",
        "preload-file",
        "preloaded-library",
        "secrets-in-environment",
        "world-writable-socket",
    }
