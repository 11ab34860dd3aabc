"""Parquet files of several hosts, read as one table by DuckDB."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.archive.world import columns
from tests.test_cli import run

SNAPSHOT = [sys.executable, "-m", "sockql", "--netns", "self", "snapshot"]
HOSTS = ("alpha", "beta", "gamma delta")

#: In namespaces of its own: a name, a listener on a port of its own, and snapshots of both.
HOST = """
import socket, subprocess, sys
name, port, folder, *command = sys.argv[1:]
socket.sethostname(name)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with socket.create_server(("127.0.0.1", int(port))):
    for _ in range(2):
        done = subprocess.run([*command, "--parquet", folder, "--tables", "sockets,fds,processes"],
                              stdout=subprocess.DEVNULL)
        assert done.returncode == 0
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The snapshots of three hosts, two of each."""
    folder = tmp_path_factory.mktemp("fleet")
    for program in ("unshare", "ip"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    user = [] if os.geteuid() == 0 else ["-r"]
    if subprocess.run(["unshare", "-nu", *user, "true"], capture_output=True).returncode:
        pytest.skip("no new namespaces here")
    for number, name in enumerate(HOSTS):
        words = [sys.executable, "-c", HOST, name, str(4000 + number), str(folder), *SNAPSHOT]
        subprocess.run(["unshare", "-nu", *user, *words], check=True, timeout=120)
    return folder


@pytest.fixture
def database(fleet: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for table in ("sockets", "fds", "processes", "snapshots"):
            files = f"{fleet}/{table}/**/*.parquet"
            connection.execute(
                f"create view {table} as select * from read_parquet('{files}', hive_partitioning = true)"
            )
        yield connection


def test_hosts_are_told_apart_by_their_folders(database: Any) -> None:
    found = database.execute(
        "select host, sport, count(*) from sockets where state = 'LISTEN' and src = '127.0.0.1'"
        " group by all order by host"
    ).fetchall()
    assert found == [(name, 4000 + number, 2) for number, name in enumerate(HOSTS)]


def test_a_join_within_each_snapshot(database: Any) -> None:
    found = database.execute(
        "select host, time, p.name from sockets join fds using (host, time, inode)"
        " join processes p using (host, time, pid) where sport = 4001 and state = 'LISTEN'"
    ).fetchall()
    assert [row[0] for row in found] == ["beta"] * 2
    assert len({row[1] for row in found}) == 2
    assert {row[2] for row in found} <= {"python", "python3", Path(sys.executable).name}


def test_every_snapshot_is_described(database: Any, fleet: Path) -> None:
    found = database.execute(
        "select host, uid, kernel, cast(notices as json), epoch, time from snapshots order by epoch"
    ).fetchall()
    assert [row[0] for row in found] == [name for name in HOSTS for _ in range(2)]
    for _, _, kernel, notices, epoch, time in found:
        assert kernel == os.uname().release
        assert isinstance(json.loads(notices), list)
        assert str(time).startswith("2")
        assert epoch > 1.7e9
    folders = sorted(path.name for path in fleet.iterdir())
    assert folders == ["fds", "processes", "snapshots", "sockets"]  # and nothing unfinished


def test_columns_have_their_types_and_documentation(database: Any, fleet: Path) -> None:
    from pyarrow import parquet

    duck = {"INTEGER": "BIGINT", "REAL": "DOUBLE", "TEXT": "VARCHAR", "BLOB": "BLOB"}
    for table in ("sockets", "fds", "processes"):
        described = database.execute(f"describe {table}").fetchall()
        types = {row[0]: row[1] for row in described}
        assert {"host", "time"} <= types.keys()
        assert {c.name: types[c.name] for c in columns(table)} == {
            c.name: duck[c.type] for c in columns(table)
        }
        file = next(fleet.glob(f"{table}/*/*/*.parquet"))
        schema = parquet.read_schema(file)
        told = {field.name: field.metadata[b"description"].decode() for field in schema}
        assert told == {c.name: c.doc for c in columns(table)}


def test_the_same_rows_as_the_database(tmp_path: Path) -> None:
    """Both are written from one collection."""
    with socket.create_server(("127.0.0.1", 0)):
        words = [
            "--tables",
            "processes,fds,users",
            "--sql",
            "select 1 a, 'x' b union all select 2, 3",
        ]
        path, folder = tmp_path / "x.db", tmp_path / "p"
        status, _, _ = run(
            *("--netns", "self", "snapshot", str(path), "--parquet", str(folder), *words),
            *("--as", "mixed"),
        )
    assert status == 0
    with duckdb.connect() as connection:
        for table in ("processes", "fds", "users"):
            names = ", ".join(f'"{c.name}"' for c in columns(table))
            found = connection.execute(f"select {names} from '{folder}/{table}/*/*/*.parquet'")
            status, out, _ = run("--from", str(path), "--jsonl", f"select {names} from {table}")
            rows = [tuple(json.loads(line).values()) for line in out.splitlines()]
            assert sorted(map(repr, found.fetchall())) == sorted(map(repr, rows))
            assert rows
        mixed = connection.execute(f"select a, b from '{folder}/mixed/*/*/*.parquet'").fetchall()
    assert mixed == [(1, "x"), (2, "3")]


def test_results_of_several_snapshots_are_united(tmp_path: Path) -> None:
    """Whose columns came later, had no value at first, or have another type now."""
    for sql in (
        "select null n, 1 k, x'00' b",
        "select 5 n, 'x' k, null b, 7 extra",
        "select 2 n, 2.5 k, x'01' b",
        "select 1 n where 0",
    ):
        words = ["--parquet", str(tmp_path), "--tables", "", "--sql", sql, "--as", "mine"]
        assert run("snapshot", *words)[0] == 0
    with duckdb.connect() as connection:
        files = f"read_parquet('{tmp_path}/mine/**/*.parquet', hive_partitioning = true, union_by_name = true)"
        found = connection.execute(f"select n, k, b, extra from {files} order by time").fetchall()
        types = {row[0]: row[1] for row in connection.execute(f"describe from {files}").fetchall()}
    assert found == [(None, "1", b"\0", None), (5, "x", None, 7), (2, "2.5", b"\1", None)]
    assert (types["n"], types["b"], types["extra"]) == ("BIGINT", "BLOB", "BIGINT")


def test_what_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    words = ["--netns", "self", "snapshot", "--tables", "users", "--parquet"]
    for path, said in (
        (file, "File exists"),
        (link, "a symbolic link; name the folder itself"),
        (Path("/proc/nothing"), "No such file or directory"),
    ):
        assert run(*words, str(path)) == (2, "", f"sockql: {path}: {said}\n")
    assert file.read_text() == "mine"
    assert run(*words, str(tmp_path / "p"), "--sql", "select 1 as host", "--as", "x") == (
        2,
        "",
        "sockql: --parquet: host is a column of the folders; call that of x something else\n",
    )
    assert [*(tmp_path / "p").rglob("*")] == []


def test_a_table_that_cannot_have_its_place_takes_all_others_back(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a file where a folder should be")
    words = ["--parquet", str(tmp_path), "--tables", "users,groups", "--sql", "select 1 n"]
    said = f"sockql: {tmp_path}: Not a directory\n"
    assert run("snapshot", *words, "--as", "mine") == (2, "", said)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]
    # What is there from before stays.
    assert run("snapshot", *words, "--as", "other")[0] == 0
    before = sorted(tmp_path.rglob("*"))
    assert len([path for path in before if path.suffix == ".parquet"]) == 4
    assert run("snapshot", *words, "--as", "mine") == (2, "", said)
    assert sorted(tmp_path.rglob("*")) == before


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None; from sockql.cli import main;"
        f"sys.exit(main(['snapshot', '--tables', 'users', '--parquet', {str(tmp_path / 'p')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "sockql: --parquet needs the Python package pyarrow: pip install 'sockql[parquet]'\n"
    )
    assert not (tmp_path / "p").exists()
