"""Baselines accept the rows that somebody has accepted, and no others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audit.machine import HOSTILE, Machine
from tests.conftest import ROOT

BASELINE = """\
{
  "sockql_baseline": 1,
  "audits": {
    "hostile": {
      "keys": ["pid", "name"],
      "accepted": [
        {"row": {"pid": 42, "name": "e\\u001b[2J<&|"}, "reason": "ours"}
      ]
    },
    "workers": {
      "keys": ["name", "parent"],
      "accepted": [
        {"row": {"name": "worker", "parent": 1}, "reason": "ours"},
        {"row": {"name": "worker", "parent": 42}, "reason": "ours"}
      ]
    }
  }
}
"""


def one(*entries: str, keys: str = '["name", "parent"]') -> str:
    return (
        '{"sockql_baseline": 1, "audits": {"workers": {"keys": '
        f'{keys}, "accepted": [{", ".join(entries)}]}}}}}}'
    )


FIRST = '{"row": {"name": "worker", "parent": 1}, "reason": "a"}'


@pytest.fixture
def base(machine: Machine) -> Path:
    return machine.root / "base.json"


def test_what_is_found_is_written_sorted_and_then_accepted(machine: Machine, base: Path) -> None:
    update = ["--baseline", "base.json", "--update-baseline", "--reason", "ours"]
    status, text, error = machine(*update)
    assert (status, error) == (0, "sockql: base.json: 3 rows accepted, 0 rows forgotten\n")
    assert "found something" not in text
    assert base.read_text() == BASELINE
    assert oct(base.stat().st_mode & 0o777) == oct(0o666 & ~_umask())
    found = machine.json("--baseline", "base.json")
    assert (found["status"], found["verdicts"]["finding"]) == (0, 0)
    assert [(a["audit"], a["accepted"]) for a in found["audits"] if a["accepted"]] == [
        (
            "workers",
            [
                {"row": {"pid": 43, "name": "worker", "parent": 1}, **_why("ours")},
                {"row": {"pid": 44, "name": "worker", "parent": 42}, **_why("ours")},
            ],
        ),
        ("hostile", [{"row": {"pid": 42, "name": HOSTILE}, **_why("ours")}]),
    ]


def _why(reason: str, expires: str | None = None) -> dict[str, str | None]:
    return {"reason": reason, "expires": expires}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_row_that_nobody_has_accepted_is_a_finding(machine: Machine, base: Path) -> None:
    base.write_text(one(FIRST))
    found = machine.json("workers", "--baseline", "base.json")
    assert found["audits"][0]["rows"] == [{"pid": 44, "name": "worker", "parent": 42}]
    assert found["audits"][0]["accepted"] == [
        {"row": {"pid": 43, "name": "worker", "parent": 1}, **_why("a")}
    ]
    assert found["status"] == 1
    text = machine("workers", "--baseline", "base.json")[1]
    assert "  1 row accepted by the baseline\n" in text


def test_an_entry_ends_with_its_day_and_one_that_is_not_needed_is_told(
    machine: Machine, base: Path
) -> None:
    base.write_text(
        one(
            '{"row": {"name": "worker", "parent": 1}, "reason": "old", "expires": "2020-02-29"}',
            '{"row": {"name": "worker", "parent": 42}, "reason": "new", "expires": "9999-12-31"}',
            '{"row": {"name": "gone\\u001b", "parent": null}, "reason": ""}',
        )
    )
    found = machine.json("workers", "--baseline", "base.json")
    assert found["audits"][0]["rows"] == [{"pid": 43, "name": "worker", "parent": 1}]
    assert found["baseline"] == {
        "expired": [
            {
                "audit": "workers",
                "row": {"name": "worker", "parent": 1},
                **_why("old", "2020-02-29"),
            }
        ],
        "unused": [{"audit": "workers", "row": {"name": "gone\x1b", "parent": None}, **_why("")}],
        "unknown": [],
    }
    text = machine("workers", "--baseline", "base.json")[1]
    assert (
        'baseline: expired on 2020-02-29: workers: name = "worker", parent = 1 (old)\n'
        'baseline: not found any more: workers: name = "gone\\u001b", parent = null\n'
    ) in text


def test_an_update_keeps_reasons_and_days_and_what_it_cannot_know(
    machine: Machine, base: Path
) -> None:
    lost = '{"row": {"pid": 9, "fd": 1, "size": 6}, "reason": "unsure"}'
    other = '{"row": {"pid": 1}, "reason": "not run"}'
    text = one(
        '{"row": {"name": "worker", "parent": 1}, "reason": "old", "expires": "2020-02-29"}',
        '{"row": {"name": "gone", "parent": 7}, "reason": "forget me"}',
    )
    text = text.replace(
        '"audits": {',
        f'"audits": {{"lost": {{"keys": ["pid", "fd", "size"], "accepted": [{lost}]}}, '
        f'"other": {{"keys": ["pid"], "accepted": [{other}]}}, ',
    )
    base.write_text(text)
    status, _, error = machine("workers", "lost", "--baseline", "base.json", "--update-baseline")
    # The expired entry is found again, and still expired.
    assert (status, error) == (1, "sockql: base.json: 1 row accepted, 1 row forgotten\n")
    assert json.loads(base.read_text())["audits"] == {
        "lost": {"keys": ["pid", "fd", "size"], "accepted": [json.loads(lost)]},
        "other": {"keys": ["pid"], "accepted": [json.loads(other)]},
        "workers": {
            "keys": ["name", "parent"],
            "accepted": [
                {
                    "row": {"name": "worker", "parent": 1},
                    "reason": "old",
                    "expires": "2020-02-29",
                },
                {"row": {"name": "worker", "parent": 42}, "reason": ""},
            ],
        },
    }
    before = base.read_text()
    assert machine("workers", "lost", "--baseline", "base.json", "--update-baseline")[2] == (
        "sockql: base.json: 0 rows accepted, 0 rows forgotten\n"
    )
    assert base.read_text() == before


def test_that_rows_are_missing_can_be_accepted(machine: Machine, base: Path) -> None:
    machine.write(started=(machine.queries / "started.sql").read_text().replace("= 1", "= 9"))
    assert machine("started", "--baseline", "base.json", "--update-baseline")[0] == 0
    assert json.loads(base.read_text())["audits"] == {
        "started": {"keys": [], "accepted": [{"row": {}, "reason": ""}]}
    }
    assert machine("started", "--baseline", "base.json")[0] == 0
    assert machine("started")[0] == 1


def test_cells_are_told_apart_by_value_and_type(machine: Machine, base: Path) -> None:
    head = "-- title: T\n-- severity: low\n-- kind: audit\n"
    machine.write(cells=head + "values (1, x'6869', 1.5), (1.0, 'hi', null), ('1', '6869', 9e999)")
    assert machine("cells", "--baseline", "base.json", "--update-baseline")[0] == 0
    assert [e["row"] for e in json.loads(base.read_text())["audits"]["cells"]["accepted"]] == [
        {"column1": "1", "column2": "6869", "column3": "inf"},
        {"column1": 1, "column2": "6869", "column3": 1.5},
        {"column1": 1.0, "column2": "hi", "column3": None},
    ]
    machine.write(cells=head + "values (1.0, '6869', 1.5)")
    assert machine("cells", "--baseline", "base.json")[0] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{\n"a": ,', ":2: not JSON: Expecting value"),
        (b"\xff", ": not UTF-8 text at byte 0"),
        (b"[]", ": not a baseline: there is no 'sockql_baseline' in it"),
        (b"{}", ": not a baseline: there is no 'sockql_baseline' in it"),
        (b"[" * 100_000, ": not a baseline: maximum recursion depth exceeded"),
        (b'{"sockql_baseline": NaN}', ": not a baseline: NaN is no number of JSON"),
        (b'{"a": 1, "a": 2}', ": not a baseline: 'a' is there twice"),
        (
            b'{"sockql_baseline": 2}',
            ": a baseline of version 2; this sockql reads version 1",
        ),
        (b'{"sockql_baseline": 1}', ": the file: 'audits' is missing"),
        (b'{"sockql_baseline": 1, "audits": []}', ": audits: an object is wanted"),
        (
            b'{"sockql_baseline": 1, "audits": {}, "x": 1}',
            ": the file: there is no such key as 'x'",
        ),
        (one("1").encode(), ":1: workers: entry 1: an object is wanted"),
        (one(FIRST, FIRST).encode(), ":1: workers: entry 2: the row is accepted twice"),
        (
            one('{"row": {"name": "a"}, "reason": ""}').encode(),
            ":1: workers: entry 1: its row has name, the keys are name, parent",
        ),
        (
            one('{"row": {"name": [], "parent": 1}, "reason": ""}').encode(),
            ":1: workers: entry 1: name: [] is no cell",
        ),
        (
            one('{"row": {"name": "a", "parent": 1}}').encode(),
            ":1: workers: entry 1: 'reason' is missing",
        ),
        (
            one(
                '{"row": {"name": "a", "parent": 1}, "reason": "", "expires": "20270131"}'
            ).encode(),
            ":1: workers: entry 1: expires: '20270131' is no day as in 2027-01-31",
        ),
        (
            one('{"row": {"name": "a", "parent": 1}, "reason": 3}').encode(),
            ":1: workers: entry 1: reason: text is wanted",
        ),
        (
            BASELINE.replace('"worker", "parent": 42}', '"worker", "paren": 42}').encode(),
            ":14: workers: entry 2: its row has name, paren, the keys are name, parent",
        ),
        (
            BASELINE.replace('"ours"}', '"\\"accepted\\": [", "expires": "2027-13-01"}').encode(),
            ":7: hostile: entry 1: expires: '2027-13-01' is no day as in 2027-01-31",
        ),
        (
            one('{"row": {"dport": 1}, "reason": ""}', keys='["dport"]').encode(),
            (
                ": workers: the entries are of another query: its rows are told apart by name, "
                "parent, the entries by dport; --update-baseline writes them anew"
            ),
        ),
        (
            one(FIRST).replace('"workers"', '"nobodys"').encode(),
            ": a baseline of unknown audits: nobodys",
        ),
    ],
)
def test_a_baseline_that_is_none_is_one_clear_line(
    machine: Machine, base: Path, text: bytes, said: str
) -> None:
    base.write_bytes(text)
    status, out, error = machine("workers", "--baseline", "base.json")
    assert (status, out) == (2, "")
    assert error.startswith(f"sockql: base.json{said}")
    assert error.count("\n") == 1
    assert base.read_bytes() == text


def test_an_update_writes_entries_of_other_keys_anew(machine: Machine, base: Path) -> None:
    base.write_text(one('{"row": {"dport": 1}, "reason": ""}', keys='["dport"]'))
    assert machine("workers", "--baseline", "base.json", "--update-baseline")[0] == 0
    assert machine("workers", "--baseline", "base.json")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--baseline", "none.json"], "none.json: No such file or directory"),
        (["--baseline", "."], ".: Is a directory"),
        (["--baseline", ""], "--baseline: the name of the file is empty"),
        (["--baseline", "-"], "--baseline -: a baseline is a file that is kept"),
        (["--update-baseline"], "--update-baseline: of which baseline? --baseline FILE"),
        (["--reason", "x"], "--reason: of which baseline? --baseline FILE"),
        (
            ["--baseline", "base.json", "--reason", "x"],
            "--reason goes with --update-baseline",
        ),
    ],
)
def test_wrong_usage_of_baselines(
    machine: Machine, base: Path, words: list[str], said: str
) -> None:
    base.write_text(one(FIRST))
    assert machine("workers", *words) == (2, "", f"sockql: {said}\n")


def test_a_failed_audit_keeps_its_entries(machine: Machine, base: Path) -> None:
    base.write_text(one(FIRST))
    machine.write(
        workers="-- title: T\n-- severity: low\n-- kind: audit\n-- keys: [name, parent]\n"
        "select name, inet_in('x', name) as parent from processes"
    )
    status, _, error = machine("workers", "started", "--baseline", "base.json", "--update-baseline")
    assert (status, error) == (3, "sockql: base.json: 0 rows accepted, 0 rows forgotten\n")
    assert json.loads(base.read_text()) == json.loads(one(FIRST))


def test_entries_of_audits_that_are_gone_are_told_and_kept(machine: Machine, base: Path) -> None:
    """Not those of audits that are only not run here."""
    entry = '{"row": {"pid": 7}, "reason": "r"}'
    other = f'"keys": ["pid"], "accepted": [{entry}]'
    base.write_text(
        f'{{"sockql_baseline": 1, "audits": {{"hostile": {{{other}}}, "renamed": {{{other}}}, '
        f'"started": {{"keys": [], "accepted": []}}}}}}'
    )
    said = "baseline: there is no such audit: renamed: pid = 7 (r)"
    words = ["started", "--baseline", "base.json"]
    assert machine(*words)[:1] == (0,)  # it is for others, of which one is known
    base.write_text(base.read_text().replace('"keys": [], "accepted": []',
                    '"keys": [], "accepted": [{"row": {}, "reason": ""}]'))  # fmt: skip
    assert machine(*words)[1].startswith(
        f"baseline: not found any more: started: no rows\n{said}\n\n1 audit on stage in "
    )
    assert machine.json(*words)["baseline"]["unknown"] == [
        {"audit": "renamed", "row": {"pid": 7}, "reason": "r", "expires": None}
    ]
    assert f"- {said}" in machine(*words, "--markdown")[1]
    (machine.queries / "hostile.sql").unlink()
    assert machine.json(*words)["baseline"]["unknown"] == [
        {"audit": name, "row": {"pid": 7}, "reason": "r", "expires": None}
        for name in ("hostile", "renamed")
    ]
    assert machine(*words, "--update-baseline")[2].startswith("sockql: base.json: 0 rows accepted")
    assert sorted(json.loads(base.read_text())["audits"]) == ["hostile", "renamed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="EPERM: only root mounts a file system")
def test_a_baseline_that_could_not_be_written_is_not_said_to_be(machine: Machine) -> None:
    """On a disk that is full, in a mount namespace of its own."""
    script = (
        "mount -t tmpfs -o size=12k none full || exit 77; echo old > full/old.json; "
        "dd if=/dev/zero of=full/rest bs=1k status=none 2>/dev/null; "
        '"$@"; status=$?; ls -A full; cat full/old.json; exit $status'
    )
    (machine.root / "full").mkdir()
    words = ["--proc", "proc", "workers", "--update-baseline", "--baseline"]
    for name in ("new.json", "old.json"):
        if name == "old.json":
            script = script.replace("echo old", f"echo '{one(FIRST)}'")
        command = ["unshare", "-m", "sh", "-c", script, "sh"]
        done = subprocess.run(
            [*command, sys.executable, "-m", "sockql", "audit", *words, f"full/{name}"],
            cwd=machine.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 77 or "unshare: " in done.stderr:
            pytest.skip(f"no file system of our own: {done.stderr.strip()} (EPERM)")
        assert (done.returncode, done.stderr) == (
            2,
            f"sockql: full/{name}: No space left on device\n",
        )
        listed = done.stdout.rpartition(" passed\n")[2]
        assert listed == "old.json\nrest\n" + ("old\n" if name == "new.json" else f"{one(FIRST)}\n")
