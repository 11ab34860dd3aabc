"""The file is the old one or the new one: crashes, full disks, links, and what is no snapshot."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sockql.archive.files import lock
from sockql.archive.layout import FORMAT
from sockql.archive.reader import Archive
from sockql.errors import DataError, UsageError
from tests.archive.world import take
from tests.test_cli import run

SNAPSHOT = [sys.executable, "-m", "sockql", "--netns", "self", "snapshot"]
DEADLINE = 60.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "host.db"
    take(path, "users")
    return path


def temporaries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".sockql-")]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("append", [True, False])
def test_a_crash_in_the_middle_leaves_the_old_file(file: Path, how: int, append: bool) -> None:
    before = file.read_bytes()
    # A result without an end: it is in the middle for as long as it takes.
    endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c"
    words = [*SNAPSHOT, str(file), "--tables", "users", "--sql", endless, "--as", "endless"]
    process = subprocess.Popen(
        [*words, *(["--append"] if append else [])], stderr=subprocess.DEVNULL
    )
    until(lambda: temporaries(file.parent))
    process.send_signal(how)
    assert process.wait(DEADLINE) == (-how if how == signal.SIGKILL else 128 + how)
    assert file.read_bytes() == before
    # Only who is killed outright cannot clear up; the next does it for him.
    assert bool(temporaries(file.parent)) == (how == signal.SIGKILL)
    take(file, "users")
    assert temporaries(file.parent) == []


@pytest.mark.parametrize("append", [True, False])
def test_a_full_disk_leaves_the_old_file(file: Path, append: bool) -> None:
    before = file.read_bytes()

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 8192, -1))

    words = [*SNAPSHOT, str(file), "--tables", "users,processes,process_limits"]
    done = subprocess.run(
        [*words, *(["--append"] if append else [])],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"sockql: {file}: " in done.stderr
    assert "internal" not in done.stderr
    assert file.read_bytes() == before
    assert temporaries(file.parent) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_file_system_without_room_leaves_the_old_file(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    script = (
        f"mount -t tmpfs -o size=140k none {tmp_path} && cd {tmp_path} && set -x;"
        f"{' '.join(SNAPSHOT)} x.db --tables groups >/dev/null || exit 50; sha256sum x.db > sum;"
        f"{' '.join(SNAPSHOT)} x.db --tables users,processes,process_limits,fds; echo status=$?;"
        "sha256sum -c sum && ls -A"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.stdout == "status=2\nx.db: OK\nsum\nx.db\n"
    assert "sockql: x.db: database or disk is full\n" in done.stderr


def test_only_its_owner_reads_it_unless_told_otherwise(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    take(file, "users", append=True)
    assert file.stat().st_mode & 0o777 == 0o640


def test_whoever_reads_it_keeps_what_was_there(file: Path) -> None:
    archive = Archive(str(file))
    take(file, "users", append=True)
    sql = "select count(*) from snapshots"
    assert list(archive.rows(sql, (), lambda: None)) == [(1,)]
    archive.close()
    again = Archive(str(file))
    assert list(again.rows(sql, (), lambda: None)) == [(2,)]
    again.close()


# -- outputs that are refused -------------------------------------------------------------------


def refused(path: Path, *more: str) -> str:
    status, out, err = run("--netns", "self", "snapshot", str(path), "--tables", "users", *more)
    assert (status, out) == (2, "")
    return err


@pytest.mark.parametrize("more", [[], ["--append"]])
def test_a_symbolic_link_is_not_followed(file: Path, more: list[str]) -> None:
    before = file.read_bytes()
    link = file.parent / "link.db"
    for target in (file, file.parent / "nothing"):
        link.symlink_to(target)
        said = f"sockql: {link}: a symbolic link; name the file itself\n"
        assert refused(link, *more) == said
        link.unlink()
    assert file.read_bytes() == before
    assert not (file.parent / "nothing").exists()


@pytest.mark.parametrize("more", [[], ["--append"]])
@pytest.mark.parametrize(
    ("suffix", "written"), [("-wal", True), ("-wal", False), ("-journal", True)]
)
def test_a_file_that_somebody_writes_to_is_left_alone(
    file: Path, suffix: str, written: bool, more: list[str]
) -> None:
    before = file.read_bytes()
    beside = Path(f"{file}{suffix}")
    if suffix == "-wal":
        other = sqlite3.connect(file)
        other.execute("pragma journal_mode = wal")
        if written:
            other.execute("update users set username = username || 'x'")
            other.commit()
        else:
            other.execute("select * from users").fetchall()
    else:
        other = sqlite3.connect(":memory:")
        beside.write_bytes(b"the old content of some pages")
    try:
        log = beside.read_bytes()
        assert bool(log) == written
        assert f"there is {beside}; open it once" in refused(file, *more)
        assert beside.read_bytes() == log
        assert temporaries(file.parent) == []
    finally:
        other.close()
    if suffix == "-journal":
        assert file.read_bytes() == before


def test_a_person_is_told_what_is_waited_for(file: Path) -> None:
    holder = lock(str(file))
    master, slave = os.openpty()
    words = [*SNAPSHOT, str(file), "--append", "--tables", "users", "--timeout", "60"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=slave) as process:
        os.close(slave)
        said = b""
        while not said.endswith(b"writes it\r\n"):
            said += os.read(master, 1000)
        shown = " ".join(said.decode().split())  # broken at blanks
        assert shown == f"sockql: {file}: waiting for somebody else who writes it"
        os.close(holder)
        assert process.wait(DEADLINE) == 0
    os.close(master)


def test_waiting_ends_with_the_time(file: Path) -> None:
    holder = lock(str(file))
    status, out, err = run("--timeout", "0.5", "snapshot", str(file), "--append")
    assert (status, out) == (124, "")
    assert err == "sockql: the statement took longer than 0.5 seconds\n"
    os.close(holder)
    assert temporaries(file.parent) == []


def test_a_column_that_was_taken_away_is_an_error(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("alter table users drop column description")
    status, out, err = run("--from", str(file), "--csv", "select description from users")
    assert (status, out) == (3, "")
    assert err.startswith(f"sockql: {file}: no such column: ")


def test_a_table_of_somebody_elses_is_no_snapshots(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("create table notes(x)")
    said = refused(file, "--append", "--sql", "select 1 as z", "--as", "notes")
    assert said == (
        f"sockql: {file}: notes: a table of that name is in the file, and is no snapshot's;"
        " --as may give another name\n"
    )


@pytest.mark.parametrize("more", [[], ["--append"]])
def test_what_is_no_snapshot_is_not_overwritten(tmp_path: Path, more: list[str]) -> None:
    text = tmp_path / "passwd"
    text.write_text("root:x:0:0\n" * 20)
    assert refused(text, *more) == f"sockql: {text}: not a database of SQLite\n"
    assert text.read_text() == "root:x:0:0\n" * 20
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("create table a(b)")
    database.close()
    assert refused(other, *more) == (
        f"sockql: {other}: a database, but no snapshot of sockql;"
        f" --attach NAME={other} reads its tables\n"
    )
    assert refused(tmp_path, *more) == f"sockql: {tmp_path}: not a regular file\n"
    missing = tmp_path / "missing" / "x.db"
    assert refused(missing, *more) == f"sockql: {missing}: No such file or directory\n"


# -- files that cannot be read ------------------------------------------------------------------


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def newer(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"pragma user_version = {FORMAT + 1}")
    database.close()


def emptied(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("delete from snapshots")
    database.close()


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page] = 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncated, r"truncated, [\d,]+ of [\d,]+ bytes are there"),
        (newer, rf"written by a newer sockql, in format {FORMAT + 1}; this one reads {FORMAT}"),
        (emptied, "no snapshot"),
        (damaged, "database disk image is malformed"),
        (Path.unlink, "No such file or directory"),
        (lambda path: path.write_text("x" * 500), "not a database of SQLite"),
    ],
    ids=["truncated", "newer", "emptied", "damaged", "missing", "other"],
)
def test_a_file_that_is_no_whole_snapshot(
    file: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(file)
    with pytest.raises((UsageError, DataError), match=f"{file}: {message}$"):
        Archive(str(file))
    status, out, err = run("--from", str(file), "select 1")
    assert status in (2, 3)
    assert out == ""
    assert err.startswith(f"sockql: {file}: ")
    assert err.count("\n") == 1


def test_damage_in_the_middle_is_told_when_it_is_met(file: Path) -> None:
    with sqlite3.connect(file) as database:
        ((page,),) = database.execute("select rootpage from sqlite_schema where name = 'users'")
    database.close()
    data = bytearray(file.read_bytes())
    data[(page - 1) * 4096 : (page - 1) * 4096 + 8] = b"\xff" * 8
    file.write_bytes(data)
    assert run("--from", str(file), "select count(uid) from users") == (
        3,
        "",
        f"sockql: {file}: database disk image is malformed\n",
    )
