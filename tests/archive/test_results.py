"""Results of queries as tables of a snapshot file: their columns, and what they are from one snapshot to the next."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.test_cli import run


def snapshot(path: Path, *words: str) -> tuple[int, str, str]:
    return run("--netns", "self", "snapshot", str(path), "--tables", "users", *words)


def many(number: int) -> str:
    return "select " + ", ".join(map(str, range(number)))


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select 1 pid, 2 as PID", "--sql for x: the columns pid and PID differ in case only, which SQLite does not see; rename one with AS"),
        ("select 1 Snapshot", "--sql for x: Snapshot is a column of every table in the file; rename it with AS"),
        ('select 1 a, 2 as ""', "--sql for x: column 2 has no name; give it one with AS"),
        (many(2000), "--sql for x: 2,000 columns, but a table has room for 1,999"),
        (many(2001), "too many columns in result set"),
    ],
)  # fmt: skip
def test_columns_that_no_table_can_have(tmp_path: Path, sql: str, message: str) -> None:
    said = snapshot(tmp_path / "x.db", "--sql", sql, "--as", "x")
    assert said == (2, "", f"sockql: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_as_many_columns_as_there_is_room_for(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    assert snapshot(path, "--sql", many(1999), "--as", "x")[0] == 0
    assert run("--from", str(path), "--csv", "--no-header", 'select "0", "1998" from x') == (
        0,
        "0,1998\n",
        "",
    )


def test_values_stay_what_they_are_from_one_snapshot_to_the_next(tmp_path: Path) -> None:
    """A column that was all NULL has no type, which would make a text of a number."""
    path = tmp_path / "x.db"
    for sql in (
        "select null a, 1 b, 'x' c",
        "select 5 a, 2.5 b, null c",
        "select '007' a, 3 b, '7' c",
        "select 9 A, 1 B, 'y' C, 4 d",
    ):
        status, _, err = snapshot(path, "--append", "--sql", sql, "--as", "x")
        assert (status, err) == (0, "")
    for at, row in (
        ("#1", {"a": None, "b": 1, "c": "x"}),
        ("#2", {"a": 5, "b": 2.5, "c": None}),
        ("#3", {"a": "007", "b": 3, "c": "7"}),
        ("#4", {"A": 9, "B": 1, "C": "y", "d": 4}),
    ):
        status, out, err = run("--from", str(path), "--at", at, "--json", "select * from x")
        assert (status, json.loads(out), err) == (0, [row], "")
    # What a condition means does not depend on the snapshots that came later.
    for condition, found in (("a = '007'", "1\n"), ("a = 7", "0\n"), ("c = '7'", "1\n")):
        sql = f"select count(*) from x where {condition}"
        assert run("--from", str(path), "--at", "#3", "--csv", "--no-header", sql) == (
            0,
            found,
            "",
        )


def test_a_result_whose_columns_are_others_now(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    for sql in ("select 1 a, 2 b", "select 'x' c union all select 'y'", "select null d"):
        assert snapshot(path, "--append", "--sql", sql, "--as", "x")[0] == 0
    for at, rows in (
        ("#1", [{"a": 1, "b": 2}]),
        ("#2", [{"c": "x"}, {"c": "y"}]),
        ("#3", [{"d": None}]),
    ):
        status, out, err = run("--from", str(path), "--at", at, "--json", "select * from x")
        assert (status, json.loads(out), err) == (0, rows, "")


def test_a_column_that_would_change_its_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    assert snapshot(path, "--sql", "select 1 a", "--as", "x")[0] == 0
    before = path.read_bytes()
    said = (
        f"sockql: {path}: x.a is INTEGER in the file, and would be TEXT now; there is CAST; "
        "--as may give another name\n"
    )
    assert snapshot(path, "--append", "--sql", "select '007' a", "--as", "x") == (2, "", said)
    assert path.read_bytes() == before


def test_names_of_results(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    assert snapshot(path, "--sql", "select 1 a", "--as", "mine")[0] == 0
    for name, message in (
        (
            "mine_snapshot",
            f"{path}: mine_snapshot: a index of that name is in the file; --as may give another name",
        ),
        ("users", "--as: users is a table of sockql; take another name"),
        ("", "--as: '' is not a name"),
    ):
        said = snapshot(path, "--append", "--sql", "select 1 a", "--as", name)
        assert said == (2, "", f"sockql: {message}\n")
    twice = ["--sql", "select 1", "--as", "x", "--sql", "select 2", "--as", "X"]
    assert snapshot(path, *twice) == (
        2,
        "",
        "sockql: --as: X is there twice; each name is for one result\n",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x.db", "--tables", ""], "--tables: no table is named; sockql tables lists them"),
        (["x.db", "--tables", " , "], "--tables: no table is named; sockql tables lists them"),
        (["-"], "snapshot -: a snapshot is no stream; name a file, ./- if it is to be called so"),
        ([""], "snapshot: the name is empty"),
        (["--parquet", ""], "--parquet: the name is empty"),
        (["--parquet", "-"], "--parquet -: a snapshot is no stream; name a file, ./- if it is to be called so"),
    ],
)  # fmt: skip
def test_what_names_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("snapshot", *words) == (2, "", f"sockql: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_result_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    words = ["snapshot", str(path), "--tables", "", "--sql", "select 7 n", "--as", "x", "--csv"]
    assert run(*words) == (0, "table,rows\nx,1\n", "")
    database = sqlite3.connect(path)
    assert database.execute("select table_name from snapshot_tables").fetchall() == [("x",)]
    database.close()
