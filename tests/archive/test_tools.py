"""Other programs open a snapshot as it is: Datasette and sqlite-utils."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.archive.world import columns, take
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("snapshots") / "host.db"
    take(path, "processes,fds,users,process_limits")
    return path


def program(module: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *words],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def datasette(file: Path, address: str) -> Any:
    return json.loads(program("datasette", str(file), "--get", address))


def test_datasette_shows_the_tables_and_their_keys(file: Path) -> None:
    tables = {table["name"]: table for table in datasette(file, "/host.json")["tables"]}
    assert set(tables) >= {"processes", "fds", "users", "snapshots", "snapshot_columns"}
    assert tables["processes"]["primary_keys"] == ["snapshot", "pid"]
    assert {"other_table": "snapshots", "column": "snapshot", "other_column": "id"} in tables[
        "processes"
    ]["foreign_keys"]["outgoing"]
    assert tables["fds"]["columns"][:3] == ["snapshot", "pid", "fd"]


def test_datasette_finds_rows_by_key_and_by_sql(file: Path) -> None:
    me = os.getpid()
    (row,) = datasette(file, f"/host/processes/1,{me}.json?_shape=array")
    assert (row["pid"], row["parent"]) == (me, os.getppid() or None)
    sql = quote(f"select pid, count(*) as n from fds where pid = {me} group by pid")
    ((pid, count),) = datasette(file, f"/host.json?sql={sql}&_shape=arrays")["rows"]
    assert pid == me
    assert count > 2
    # A row of a table without a key.
    (fd,) = datasette(file, f"/host/fds.json?pid={me}&fd=0&_shape=array")
    assert (fd["pid"], fd["fd"]) == (me, 0)


def test_sqlite_utils_reads_rows_and_schema(file: Path) -> None:
    me = os.getpid()
    said = program(
        "sqlite_utils", "query", str(file), f"select pid from processes where pid = {me}"
    )
    assert json.loads(said) == [{"pid": me}]
    listed = json.loads(program("sqlite_utils", "tables", str(file), "--columns", "--counts"))
    found = {table["table"]: table for table in listed}
    assert found["snapshots"]["count"] == 1
    assert set(found["fds"]["columns"]) == {"snapshot", *(c.name for c in columns("fds"))}


def test_datasette_shows_what_the_columns_mean(file: Path, tmp_path: Path) -> None:
    """With the command of the page."""
    page = (ROOT / "docs" / "snapshots.md").read_text()
    _, mark, block = page.partition("<!-- metadata -->\n```sh\n")
    assert mark
    functions = "".join(
        f'{name}() {{ {sys.executable} -W ignore -m {module} "$@"{more}; }}\n'
        for name, module, more in (
            ("sqlite-utils", "sqlite_utils", ""),
            ("datasette", "datasette", " --get /host/fds"),
        )
    )
    script = f"set -e; cd {tmp_path}; cp {file} .\n{functions}{block.partition('```')[0]}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    shown = html.unescape(done.stdout)
    (doc,) = [column.doc for column in columns("fds") if column.name == "target"]
    assert doc in shown
    (taken,) = json.loads(program("sqlite_utils", "rows", str(file), "snapshots"))
    assert f'<a href="/host/snapshots/1">{taken["time"]}</a>' in shown
