"""Databases with a write-ahead log or a journal are read without a trace, whoever has them open."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sockql.engine import Engine
from sockql.errors import UsageError
from sockql.host import Host
from sockql.loading import databases
from tests.archive.world import take
from tests.live.children import child
from tests.test_cli import ENVIRONMENT, run

COUNT = "select count(*), max(n) from old.notes"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a write-ahead log that nobody has open."""
    path = tmp_path / "notes.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript("pragma journal_mode = wal; create table notes(n);"
                               "insert into notes values(1)")  # fmt: skip
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.db"]
    return path


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file in a folder, when it was written and what it holds, but for SQLite's shared memory."""
    return {
        entry.name: (entry.stat().st_mtime_ns, b"" if entry.name[-4:] == "-shm" else entry.read_bytes())
        for entry in folder.iterdir()
    }  # fmt: skip


def ask(path: Path) -> tuple[int, str, str]:
    return run("--attach", f"old={path}", "--csv", "--no-header", COUNT)


@pytest.fixture(autouse=True)
def copies(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where copies are made, which others do as well at any time."""
    folder = tmp_path_factory.mktemp("copies")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setitem(ENVIRONMENT, "TMPDIR", str(folder))
    return folder


def test_one_that_nobody_has_open(path: Path, copies: Path) -> None:
    before = state(path.parent)
    assert ask(path) == (0, "1,1\n", "")
    assert state(path.parent) == before
    assert list(copies.iterdir()) == []


def test_one_whose_writer_was_killed(path: Path) -> None:
    """What was committed is in the log alone."""
    code = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
        "db.execute('insert into notes values(2)'); db.commit();"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert Path(f"{path}-wal").stat().st_size > 0
    copied = path.parent / "copied"
    copied.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy2(f"{path}{suffix}", copied / f"notes.db{suffix}")
    for place in (path, copied / "notes.db"):
        before = state(copied)
        assert ask(place) == (0, "2,2\n", "")
        assert state(copied) == before


def test_one_that_is_being_written_to(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("insert into notes values(2)")
        database.commit()
        database.execute("insert into notes values(3)")
        assert ask(path) == (0, "2,2\n", "")
        database.rollback()
    assert [entry.name for entry in path.parent.iterdir()] == ["notes.db"]


def by_nobody(path: str) -> object:
    """What somebody gets who may only read."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    with Engine(Host()) as engine:
        try:
            databases.attach(engine, "old", path)
        except UsageError as error:
            return str(error)
        return engine.query(COUNT)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else takes root")
def test_somebody_who_may_only_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # copies where everybody may make some
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        readable = shutil.copy2(path, folder)
        os.chmod(readable, 0o644)
        with child(lambda: by_nobody(readable)) as (_, found):
            assert found == [(1, 1)]
        with contextlib.closing(sqlite3.connect(readable)) as database:
            database.execute("insert into notes values(2)")
            database.commit()
            with child(lambda: by_nobody(readable)) as (_, found):
                assert found == [(2, 2)]
            os.chmod(f"{readable}-wal", 0o600)
            with child(lambda: by_nobody(readable)) as (_, found):
                assert found == f"{readable}: its log {readable}-wal may not be read"


def test_a_copy_is_of_one_instant(
    path: Path, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes while it is copied: once, and it is copied anew; always, and that is told."""
    writes = 0
    plain = shutil.copyfile

    def copyfile(source: str, target: str) -> str:
        plain(source, target)
        nonlocal writes
        if writes > 0:
            writes -= 1
            with contextlib.closing(sqlite3.connect(path)) as database:
                database.execute("insert into notes select max(n) + 1 from notes")
                database.commit()
        return target

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    writes = 2
    with databases.readable(str(path)) as uri:
        database = sqlite3.connect(uri, uri=True)
    # The copy is gone, and what is open stays readable.
    assert database.execute("select max(n) from notes").fetchone() == (3,)
    database.close()
    assert list(copies.iterdir()) == []
    writes = 1000
    assert ask(path)[2] == ""  # a process of its own, which copies as ever
    with (
        pytest.raises(UsageError, match=r"notes\.db: somebody writes to it all the time$"),
        databases.readable(str(path)),
    ):
        pass
    assert list(copies.iterdir()) == []


def test_an_unfinished_transaction_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    code = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
        "db.executescript('pragma cache_size = 1; create table notes(n); begin;"
        "with recursive c(x) as (select 1 union all select x + 1 from c limit 20000)"
        " insert into notes select hex(randomblob(50)) from c; update notes set n = 2');"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    before = state(tmp_path)
    assert before["notes.db-journal"][1]
    said = (
        f"sockql: {path}: a program that wrote to it has not finished: there is {path}-journal; "
        "open it once with another SQLite program\n"
    )
    assert ask(path) == (2, "", said)
    assert state(tmp_path) == before


def test_a_snapshot_that_was_given_a_log(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    take(path, "users")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("pragma journal_mode = wal")
    before = state(tmp_path)
    sql = "select count(*) from snapshots"
    assert run("--from", str(path), "--csv", "--no-header", sql) == (0, "1\n", "")
    assert state(tmp_path) == before
    take(path, "users", append=True)
    assert list(state(tmp_path)) == ["host.db"]
    assert path.read_bytes()[18:20] == b"\1\1"
    assert run("--from", str(path), "--csv", "--no-header", sql) == (0, "2\n", "")
