"""What differs between two snapshots of things that the test has opened, changed and closed."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.archive.diff import Comparison, doubts
from sockql.archive.replay import Replay
from sockql.command.diff import split
from tests.archive.world import take
from tests.test_cli import run

ME = os.getpid()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Two snapshots in a file; between them a file is read on, one closed, one opened."""
    folder = tmp_path_factory.mktemp("diff")
    path = folder / "host.db"
    names = [folder / name for name in ("moved", "closed", "opened\x1b[31m")]
    for name in names:
        name.write_bytes(b"x" * 100)
    child = subprocess.Popen(["sleep", "600"])
    moved = os.open(names[0], os.O_RDONLY)
    # Numbers that nobody takes meanwhile.
    closed, high = 901, 900
    descriptor = os.open(names[1], os.O_RDONLY)
    os.dup2(descriptor, closed)
    os.close(descriptor)
    with socket.create_server(("127.0.0.1", 0)) as old:
        take(path, "processes,fds,sockets,users", results={"mine": "select 1 as n"})
        old_port = old.getsockname()[1]
    os.lseek(moved, 42, os.SEEK_SET)
    os.close(closed)
    opened = os.open(names[2], os.O_RDONLY)
    os.dup2(opened, high)
    os.close(opened)
    child.kill()
    child.wait()
    with socket.create_server(("127.0.0.1", 0)) as new:
        take(path, "processes,fds,sockets,users", append=True, results={"mine": "select 2 as n"})
        new_port = new.getsockname()[1]
    yield (
        path,
        {
            "moved": (moved, str(names[0])),
            "closed": (closed, str(names[1])),
            "opened": (high, str(names[2])),
            "child": child.pid,
            "ports": (old_port, new_port),
        },
    )
    os.close(moved)
    os.close(high)


def found(
    pair: tuple[Path, Any], table: str, **options: Any
) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What became of it, the row, and the cells that were different."""
    path, _ = pair
    with Replay(str(path), "#1") as before, Replay(str(path), "#2") as after:
        (difference,) = Comparison(before, after, [table], **options).differences()
    lines = []
    for line in difference.lines:
        old = {} if line.before is None else {
            difference.columns[place]: line.before[place] for place in line.cells
        }  # fmt: skip
        lines.append((line.kind, dict(zip(difference.columns, line.row)), old))
    return lines


def test_descriptors_that_moved_closed_and_opened(pair: tuple[Path, dict[str, Any]]) -> None:
    _, things = pair
    mine = [line for line in found(pair, "fds") if line[1]["pid"] == ME]
    by_fd = {line[1]["fd"]: line for line in mine}
    kind, row, before = by_fd[things["moved"][0]]
    assert (kind, row["pos"], before) == ("changed", 42, {"pos": 0})
    kind, row, before = by_fd[things["closed"][0]]
    assert (kind, row["target"], before) == ("removed", things["closed"][1], {})
    kind, row, before = by_fd[things["opened"][0]]
    assert (kind, row["target"], before) == ("added", things["opened"][1], {})


def test_a_process_that_ended(pair: tuple[Path, dict[str, Any]]) -> None:
    _, things = pair
    (line,) = [line for line in found(pair, "processes") if line[1]["pid"] == things["child"]]
    assert (line[0], line[1]["name"]) == ("removed", "sleep")


def test_views_are_compared(pair: tuple[Path, dict[str, Any]]) -> None:
    _, things = pair
    lines = [line for line in found(pair, "listening") if line[1]["pid"] == ME]
    old, new = things["ports"]
    said = {(kind, row["sport"]) for kind, row, _ in lines}
    assert said >= {("removed", old), ("added", new)}


def test_hidden_columns_and_ignored_ones(pair: tuple[Path, dict[str, Any]]) -> None:
    _, things = pair
    fd = things["moved"][0]

    def mine(**options: Any) -> list[Any]:
        return [
            line
            for line in found(pair, "fds", **options)
            if (line[1]["pid"], line[1]["fd"]) == (ME, fd)
        ]

    (line,) = mine(hidden=True)
    assert line[2] == {"pos": 0}
    assert line[1]["size"] == 100
    assert mine(ignore=["pos"]) == []


def test_results_of_queries_are_compared(pair: tuple[Path, dict[str, Any]]) -> None:
    assert found(pair, "mine") == [("removed", {"n": 1}, {}), ("added", {"n": 2}, {})]


def test_what_is_the_same_is_not_shown(pair: tuple[Path, dict[str, Any]]) -> None:
    assert found(pair, "users") == []
    path, _ = pair
    assert run("diff", f"{path}@#1", str(path), "users") == (0, "no differences\n", "")
    assert run("diff", f"{path}@#1", str(path), "users", "--json") == (0, "[]\n", "")
    assert run("diff", f"{path}@#1", str(path), "users", "--jsonl") == (0, "", "")
    assert run("diff", f"{path}@#1", str(path), "users", "--csv") == (0, "", "")


# -- the command --------------------------------------------------------------------------------


def diff(pair: tuple[Path, Any], *words: str) -> str:
    path, _ = pair
    status, out, _notices = run("diff", f"{path}@#1", f"{path}@newest", *words)
    assert status == 0
    return out


def test_people_see_marks_and_both_values(pair: tuple[Path, dict[str, Any]]) -> None:
    lines = diff(pair, "mine", "fds").split("\n")
    assert lines[:5] == ["mine: 1 added, 1 removed", "   n", "-  -", "-  1", "+  2"]
    assert lines[5] == ""
    assert lines[6].startswith("fds: ")
    _, things = pair
    (changed,) = [
        line for line in lines if line.split()[:3] == ["~", str(ME), str(things["moved"][0])]
    ]
    assert "0 → 42" in changed


def test_json_has_the_row_and_what_was_different(pair: tuple[Path, dict[str, Any]]) -> None:
    _, things = pair
    rows = json.loads(diff(pair, "--json", "fds", "mine"))
    assert rows[-2:] == [
        {"table": "mine", "change": "removed", "row": {"n": 1}},
        {"table": "mine", "change": "added", "row": {"n": 2}},
    ]
    (moved,) = [
        row
        for row in rows
        if row["table"] == "fds"
        and row["row"]["pid"] == ME
        and row["row"]["fd"] == things["moved"][0]
    ]
    assert (moved["change"], moved["before"], moved["row"]["pos"]) == ("changed", {"pos": 0}, 42)
    lines = diff(pair, "--jsonl", "fds", "mine").splitlines()
    assert [json.loads(line) for line in lines] == rows


def test_csv_has_a_changed_row_as_it_was_and_as_it_is(pair: tuple[Path, dict[str, Any]]) -> None:
    assert diff(pair, "--csv", "mine") == "table,change,n\nmine,removed,1\nmine,added,2\n"
    _, things = pair
    lines = [
        line.split(",")
        for line in diff(pair, "--csv", "--no-header", "fds").splitlines()
        if line.split(",")[2:4] == [str(ME), str(things["moved"][0])]
    ]
    assert [line[:2] for line in lines] == [["fds", "changed from"], ["fds", "changed to"]]
    assert [(a, b) for a, b in zip(*lines) if a != b] == [
        ("changed from", "changed to"),
        ("0", "42"),
    ]


def test_without_tables_all_that_both_have(pair: tuple[Path, dict[str, Any]]) -> None:
    rows = [json.loads(line) for line in diff(pair, "--jsonl").splitlines()]
    assert {row["table"] for row in rows} >= {"fds", "mine", "processes", "sockets"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "diff: between which snapshots? sockql diff A.db[@TIME] B.db[@TIME]"),
        (["FILE"], "diff: between which snapshots? sockql diff A.db[@TIME] B.db[@TIME]"),
        (["FILE@#7", "FILE"], r"FILE: no snapshot #7; it has "),
        (["FILE@soon", "FILE"], r"soon: not a time; a time is newest, "),
        (["FILE", "FILE", "nope"], "no such table: nope; there are fds, mine, processes, "),
        (["FILE", "FILE", "cgroups"], "FILE: the table cgroups was not captured in "),
        (["FILE", "missing.db"], "missing.db: No such file or directory"),
        (["FILE", "FILE", "--count", "3"], "--count is an option of sockql watch"),
        (["FILE@", "FILE"], "FILE@: no time after the @; without it, it is the newest snapshot"),
        (["FILE", "FILE", "fds", "--ignore", "poss"], "--ignore poss: no such column in fds; did you mean pos?"),
        (["FILE", "FILE", "mine", "--ignore", "zzz"], "--ignore zzz: no such column in mine\n"),
        (["FILE", "FILE", "--ignore", "pos,,n"], "--ignore 'pos,,n': a name is empty"),
    ],
)  # fmt: skip
def test_wrong_usage(pair: tuple[Path, Any], words: list[str], message: str) -> None:
    path, _ = pair
    status, out, err = run("diff", *[word.replace("FILE", str(path)) for word in words])
    assert status in (2, 3)
    assert out == ""
    assert err.startswith("sockql: " + message.replace("FILE", str(path)))
    assert err.count("\n") == 1


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    take(path, "users,groups", results={"mine": "select 1 as n"})
    take(path, "users", append=True, results={"mine": "select 1 as m"})
    words = ["diff", f"{path}@oldest", str(path)]
    said = (
        "sockql: not compared, for only one of them has it: groups\n"
        "sockql: mine: the snapshots have no column of it in common\n"
    )
    assert run(*words) == (0, "no differences\n", said)
    assert run(*words, "--strict") == (3, "no differences\n", said)
    assert run(*words, "users", "--strict") == (0, "no differences\n", "")
    said = "sockql: mine: the snapshots have no column of it in common\n"
    assert run(*words, "mine") == (3, "", said)


def test_nothing_is_written_before_all_tables_are_known(pair: tuple[Path, Any]) -> None:
    path, _ = pair
    status, out, err = run("diff", f"{path}@#1", str(path), "mine", "nope")
    assert (status, out) == (2, "")
    assert err.startswith("sockql: no such table: nope; there are fds, mine")


def test_names_are_known_in_any_case(pair: tuple[Path, Any]) -> None:
    assert diff(pair, "--csv", "MINE") == diff(pair, "--csv", "mine")
    assert diff(pair, "--csv", "mine", "--ignore", "N") == ""


def test_what_a_snapshot_lacks_is_told_with_its_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a.db", tmp_path / "b.db"
    take(first, "users")
    second.write_bytes(first.read_bytes())
    for path, notices in ((first, ["users: half"]), (second, ["users: half", "groups: none"])):
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("update snapshots set notices = ?", (json.dumps(notices),))
    words = ["diff", str(first), f"{second}@newest"]
    said = f"sockql: {first}: users: half\nsockql: {second}@newest: users: half\n"
    assert run(*words) == (0, "no differences\n", said)
    assert run(*words, "--strict") == (3, "no differences\n", said)


def test_a_path_with_an_at_sign(tmp_path: Path) -> None:
    path = tmp_path / "root@host.db"
    path.touch()
    assert split(str(path)) == (str(path), "")
    assert split(f"{path}@#2") == (str(path), "#2")
    assert split("a.db@2026-11-25T15:12") == ("a.db", "2026-11-25T15:12")
    assert split("a.db") == ("a.db", "")


def test_why_differences_may_not_be_what_they_seem(tmp_path: Path) -> None:
    first, second = tmp_path / "a.db", tmp_path / "b.db"
    take(first, "users")
    for column, value, said in (
        (
            "host",
            "elsewhere",
            f"the snapshots are of different hosts, {os.uname().nodename} and elsewhere",
        ),
        ("boot_id", "x", "the host was started anew in between"),
        ("uid", -1 if os.geteuid() == 0 else 0, "one snapshot was taken by root, the other not"),
    ):
        second.write_bytes(first.read_bytes())
        with sqlite3.connect(second) as database:
            database.execute(f"update snapshots set {column} = ?", (value,))
        database.close()
        with Replay(str(first)) as before, Replay(str(second)) as after:
            (doubt,) = doubts(before, after)
        assert doubt.startswith(said)
