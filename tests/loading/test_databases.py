"""Databases are attached for reading, and take no name away."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql.engine import Engine
from sockql.errors import QueryError, UsageError
from sockql.host import Host
from sockql.loading.databases import attach
from tests.test_cli import run


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(Host()) as engine:
        yield engine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "notes & 100%?.db"
    with sqlite3.connect(path) as database:
        database.executescript("create table notes(pid integer, note text); insert into notes "
                               "values(1, 'first'); create table processes(pid, x); insert into "
                               "processes values(-5, 'mine'); create table listening(y)")  # fmt: skip
    database.close()
    return path


def test_its_tables_are_joined(engine: Engine, path: Path) -> None:
    attach(engine, "mine", str(path))
    sql = "select pid, note from processes join mine.notes using (pid)"
    assert engine.query(sql) == [(1, "first")]
    assert list(engine.connection.execute(sql)) == [(1, "first")]


def test_a_table_of_ours_stays_ours(engine: Engine, path: Path) -> None:
    attach(engine, "mine", str(path))
    own = {"pid": os.getpid()}
    # Hidden columns as well, and views over it.
    assert engine.query("select pid, ns_net is not null from processes where pid = :pid", own) == [
        (os.getpid(), 1)
    ]
    assert engine.query("select pid from main.processes where pid = :pid", own) == [(os.getpid(),)]
    assert engine.query("select pid from process_tree where pid = :pid", own) == [(os.getpid(),)]
    assert engine.query("select * from mine.processes") == [(-5, "mine")]
    assert "name" in next(engine.execute("select * from listening limit 0")).columns
    attach(engine, "again", str(path))
    assert engine.query("select count(*) from again.processes, mine.processes") == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "insert into mine.notes values(2, 'x')",
        "update mine.notes set note = 'x'",
        "delete from mine.notes",
        "drop table mine.notes",
        "create table mine.more(a)",
        "detach mine",
        "attach 'other.db' as other",
        "vacuum mine into 'other.db'",
        "pragma mine.user_version = 7",
    ],
)
def test_nothing_is_written(engine: Engine, path: Path, sql: str) -> None:
    attach(engine, "mine", str(path))
    before = path.read_bytes()
    with pytest.raises(QueryError, match=r"not authorized|authorization denied"):
        engine.query(sql)
    assert path.read_bytes() == before


def test_even_without_the_authorizer_nothing_is_written(engine: Engine, path: Path) -> None:
    attach(engine, "mine", str(path))
    engine.connection.authorizer = None
    with pytest.raises(Exception, match="readonly"):
        engine.connection.execute("insert into mine.notes values(2, 'x')")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def other(path: Path) -> None:
    path.write_text("port,why\n22,admin\n" * 20)


def broken(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:108] = b"\xff" * 8  # the root page of the schema
    path.write_bytes(data)


def fifo(path: Path) -> None:
    """Nobody writes to it: who waits for that waits for ever."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncated, "truncated, 12,288 of 16,384 bytes are there"),
        (other, "not a database of SQLite"),
        (broken, "unable to open database"),
        (Path.unlink, "No such file or directory"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
        (lambda path: path.write_bytes(b""), "not a database of SQLite"),
        (fifo, "not a regular file"),
    ],
    ids=["truncated", "other", "broken", "missing", "directory", "empty", "fifo"],
)  # fmt: skip
def test_a_file_that_is_no_whole_database(
    engine: Engine, path: Path, spoil: object, message: str
) -> None:
    assert callable(spoil)
    spoil(path)
    with pytest.raises(UsageError) as caught:
        attach(engine, "mine", str(path))
    assert str(caught.value) == f"{path}: {message}"
    with pytest.raises(QueryError, match="not authorized"):
        engine.query("attach ':memory:' as other")


def test_names_that_are_taken(engine: Engine, path: Path) -> None:
    attach(engine, "mine", str(path))
    with pytest.raises(UsageError, match="already in use"):
        attach(engine, "mine", str(path))
    with pytest.raises(UsageError, match="fds is a table of sockql"):
        attach(engine, "fds", str(path))


def test_the_command(path: Path) -> None:
    sql = "select pid, note from processes join mine.notes using (pid)"
    assert run("--attach", f"mine={path}", "--csv", sql) == (0, "pid,note\n1,first\n", "")
    assert run("--attach", "mine=/dev/null", "select 1") == (
        2,
        "",
        "sockql: /dev/null: not a regular file\n",
    )
