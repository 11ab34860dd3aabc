"""The table file_locks on locks that the test takes, on the running kernel."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql import connect
from sockql.engine import Engine
from tests.live.children import child, wait_until

F_OFD_SETLK = 37


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def test_locks_of_every_class_have_their_holders(engine: Engine, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("flock", "lease", "ofd", "posix")}
    for file in files.values():
        file.touch()

    def prepare() -> dict[str, int]:
        flags = {"lease": os.O_RDONLY}
        opened = {name: os.open(file, flags.get(name, os.O_RDWR)) for name, file in files.items()}
        fcntl.flock(opened["flock"], fcntl.LOCK_EX)
        fcntl.lockf(opened["posix"], fcntl.LOCK_EX, 10, 5)
        fcntl.fcntl(opened["lease"], fcntl.F_SETLEASE, fcntl.F_RDLCK)
        # struct flock with l_pid 0, of Linux on 64 bits.
        wanted = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 7, 0, 0)
        fcntl.fcntl(opened["ofd"], F_OFD_SETLK, wanted)
        return opened

    columns = (
        "lock_class, lock_kind, lock_access, waiting, pid, file_inode, range_start, range_end,"
        " blocker_pid, holder_pid, fd, target"
    )
    inodes = {name: file.stat().st_ino for name, file in files.items()}
    ours = f"file_inode in ({', '.join(map(str, inodes.values()))})"
    with child(prepare) as (pid, opened):
        posix = files["posix"]

        def wait_for_it() -> None:
            fcntl.lockf(os.open(posix, os.O_RDWR), fcntl.LOCK_EX, 1, 5)

        with child(lambda: None, wait_for_it) as (waiter, _):
            wait_until(lambda: f" {waiter} " in Path("/proc/locks").read_text())
            found = engine.query(
                f"select {columns} from file_locks where {ours} order by target is null, target"
            )
            listed = engine.query(f"select pid, lock_access from file_locks where {ours}")

    def held(name: str, *facts: object) -> tuple[object, ...]:
        lock_class, kind, access, start, end = facts
        file = (inodes[name], start, end, None, pid, opened[name], str(files[name]))
        return (lock_class, kind, access, 0, pid, *file)

    assert found == [
        held("flock", "FLOCK", "ADVISORY", "WRITE", 0, None),
        held("lease", "LEASE", "ACTIVE", "READ", 0, None),
        held("ofd", "OFDLCK", "ADVISORY", "READ", 7, None),
        held("posix", "POSIX", "ADVISORY", "WRITE", 5, 14),
        ("POSIX", "ADVISORY", "WRITE", 1, waiter, inodes["posix"], 5, 5, pid, *[None] * 3),
    ]
    assert sorted(listed) == sorted(
        [(pid, "READ"), (pid, "READ"), (pid, "WRITE"), (pid, "WRITE"), (waiter, "WRITE")]
    )


def test_a_lock_that_outlives_its_taker_is_its_heirs(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with file.open() as opened:
        taker = os.fork()
        if taker == 0:
            fcntl.flock(opened, fcntl.LOCK_SH)
            os._exit(0)
        os.waitpid(taker, 0)
        if f" {taker} " not in Path("/proc/locks").read_text():
            pytest.skip("/proc/locks of this pid namespace leaves out who has gone")
        found = engine.query(
            "select pid, holder_pid, fd, target from file_locks"
            f" where file_inode = {file.stat().st_ino}"
        )
        assert found == [(taker, os.getpid(), opened.fileno(), str(file))]


def test_lslocks_says_the_same(engine: Engine, tmp_path: Path) -> None:
    if shutil.which("lslocks") is None:
        pytest.skip("no lslocks(8) (ENOENT)")
    file = tmp_path / "file"
    file.touch()
    with file.open("r+") as opened:
        fcntl.lockf(opened, fcntl.LOCK_EX, 10, 5)
        columns = "COMMAND,PID,TYPE,INODE,MODE,START,END,PATH,BLOCKER"
        done = subprocess.run(
            ["lslocks", "--json", "--bytes", "--notruncate", "-o", columns],
            capture_output=True,
            check=True,
        )
        found = engine.query(
            "select name, pid, lock_class, file_inode, lock_access, range_start, range_end,"
            " target, blocker_pid from file_locks join processes using(pid)"
            f" where pid = {os.getpid()}"
        )
    [theirs] = [
        lock for lock in json.loads(done.stdout)["locks"] if int(lock["pid"]) == os.getpid()
    ]
    values = [theirs[name.lower()] for name in columns.split(",")]
    assert [str(cell) for cell in found[0]] == [str(value) for value in values]
