"""``sockql snapshot`` and ``--from`` as commands: what they say, and wrong usage."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.archive.world import take
from tests.test_cli import run


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("snapshots") / "host.db"
    take(path, "processes,users")
    take(path, "users", append=True)
    return path


def test_it_says_how_many_rows_are_in_which_table(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    words = ["--netns", "self", "snapshot", str(path), "--tables", "users", "--csv"]
    status, out, err = run(*words, "--sql", "select 1 union select 2", "--as", "two")
    status_too, count, _ = run(
        "--from", str(path), "--csv", "--no-header", "select count(*) from users"
    )
    assert (status, status_too, out, err) == (
        0,
        0,
        f"table,rows\nusers,{count.strip()}\ntwo,2\n",
        "",
    )
    status, out, _ = run("--from", str(path), "--json", "select * from two")
    assert (status, json.loads(out)) == (0, [{"1": 1}, {"1": 2}])


def test_at_picks_one(file: Path) -> None:
    sql = f"select count(*) as n from processes where pid = {os.getpid()}"
    assert run("--from", str(file), "--at", "oldest", "--csv", sql)[:2] == (0, "n\n1\n")
    status, out, err = run("--from", str(file), sql)
    assert (status, out) == (3, "")
    assert err.startswith(f"sockql: {file}: the table processes was not captured in the snapshot")


def test_saved_queries_and_lists_work_on_a_file(file: Path, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed.csv"
    allowed.write_text(f"pid,why\n{os.getpid()},the test\n")
    sql = "select why from processes join allowed using (pid)"
    words = ["--from", str(file), "--at", "#1", "--load", f"allowed={allowed}", "--csv"]
    assert run(*words, sql)[:2] == (0, "why\nthe test\n")
    audit = tmp_path / "audit.sql"
    head = "-- title: Users with uid 0\n-- kind: audit\n-- severity: low\n"
    audit.write_text(f"{head}select uid from users where uid = 0")
    status, out, _ = run("audit", str(audit), "--from", str(file), "--json")
    assert (status, os.uname().nodename in out, '"uid": 0' in out) == (1, True, True)
    query = tmp_path / "mine.sql"
    query.write_text("select count(*) as n from users where uid = 0")
    assert run("run", str(query), "--from", str(file), "--csv") == (0, "n\n1\n", "")


def test_a_list_does_not_take_the_place_of_a_result(tmp_path: Path) -> None:
    path, allowed = tmp_path / "x.db", tmp_path / "list.csv"
    take(path, "users", results={"Mine": "select 7 as n"})
    allowed.write_text("n\n8\n")
    for name in ("mine", "Mine", "snapshots"):
        words = ["--from", str(path), "--load", f"{name}={allowed}", "select * from mine"]
        said = f"sockql: loading {allowed}: there is a table {name} already; take another name\n"
        assert run(*words) == (2, "", said)
    words = ["--from", str(path), "--attach", f"old={path}", "--csv", "--no-header"]
    # The one of the snapshot, not that of the database, which has the number of each.
    assert run(*words, "select * from mine") == (0, "7\n", "")
    assert run(*words, "select * from old.mine") == (0, "1,7\n", "")


def test_a_live_table_is_joined_with_an_old_one(file: Path) -> None:
    sql = (
        "select count(*) as n from processes a join old.processes b using (pid)"
        f" where b.snapshot = 1 and a.pid = {os.getpid()}"
    )
    assert run("--attach", f"old={file}", "--csv", sql)[:2] == (0, "n\n1\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["snapshot"], "snapshot: into which file? sockql snapshot FILE.db, or --parquet DIR"),
        (["snapshot", "a.db", "b.db"], "snapshot takes no argument 'b.db'"),
        (["snapshot", "--append", "--parquet", "x"], "--append adds to a file: sockql snapshot FILE.db --append"),
        (["snapshot", "x.db", "--from", "FILE"], "snapshot is of the host: there is no --from to it"),
        (["snapshot", "x.db", "-p", "a=1"], "snapshot takes no SQL but that of --sql, and no parameters"),
        (["snapshot", "x.db", "--sql", "select 1"], "--sql and --as come in pairs: --sql SQL --as NAME"),
        (["snapshot", "x.db", "--sql", "select 1", "--as", "fds"], "--as: fds is a table of sockql; take another name"),
        (["snapshot", "x.db", "--tables", "fdz"], "--tables: no such table: fdz; did you mean fds?"),
        (["--from", "FILE", "--at", "", "select 1"], "--at: the time is empty; without --at it is the newest snapshot"),
        (["--at", "2h", "select 1"], "--at picks a snapshot: --from FILE says of which file"),
        (["--from", "FILE", "--osquery", "select 1"], "--from reads a file of sockql's tables: osquery's are not in it"),
        (["--from", "FILE", "--proc", "/proc", "select 1"], "--from reads a file: there is no --proc to it"),
        (["--from", "FILE", "--at", "noon", "select 1"], "noon: not a time; a time is newest, oldest, "),
        (["watch", "--from", "FILE", "select 1"], "--from reads a file, in which nothing changes: there is nothing to watch"),
        (["--append", "select 1"], "--append is an option of sockql snapshot"),
    ],
)  # fmt: skip
def test_wrong_usage(file: Path, words: list[str], message: str) -> None:
    status, out, err = run(*[word.replace("FILE", str(file)) for word in words])
    assert (status, out) == (2, "")
    assert err.startswith(f"sockql: {message}")
    assert err.count("\n") == 1
    assert not Path("x.db").exists()


def test_a_time_limit_holds_for_the_whole_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    endless = (
        "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
    )
    words = ["--netns", "self", "--timeout", "0.5", "snapshot", str(path), "--tables", "users"]
    status, out, err = run(*words, "--sql", endless, "--as", "endless")
    assert (status, out) == (124, "")
    assert err.startswith("sockql: the ")
    assert [*tmp_path.iterdir()] == []
