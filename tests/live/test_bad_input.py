"""What is made to mislead: names of files, inode numbers, arguments, numbers used again."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql import connect
from sockql.engine import Engine
from tests.live import fuse
from tests.live.children import child, in_pid_namespace, wait_until


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


NAMES = ("socket:[1]", "pipe:[1] (deleted)", "anon_inode:[eventfd]", "net:[1]", "a\nb\x1b[31m")


def test_files_called_like_something_else_are_files(engine: Engine, tmp_path: Path) -> None:
    """Here a real socket and a real pipe have the numbers in their names."""

    def prepare() -> tuple[int, int]:
        os.chdir(tmp_path)
        listening = socket.socket()
        listening.listen()
        reading, _ = os.pipe()
        inode, pipe = (os.fstat(fd).st_ino for fd in (listening.detach(), reading))
        for name in (*NAMES, f"socket:[{inode}]", f"pipe:[{pipe}]"):
            os.open(name, os.O_CREAT | os.O_RDWR)
        os.unlink(f"pipe:[{pipe}]")
        return inode, pipe

    with child(prepare) as (pid, (inode, pipe)):
        found = engine.query(
            f"select type, target, inode, deleted, nlink from fds where pid = {pid} and fd > 2"
            " order by fd"
        )
        holders = engine.query(f"select pid, fd from fds where inode = {inode}")
        joined = engine.query(
            f"select fd, state from fds join sockets using (inode) where pid = {pid}"
        )
        ends = engine.query(f"select fd, kind, peer_fd from endpoints where pid = {pid}")
        spaces = engine.query(f"select count(ns_inode) from fds where pid = {pid}")
    there = str(tmp_path)
    assert found == [
        *(("file", f"{there}/{name}", None, 0, 1) for name in NAMES),
        ("file", f"{there}/socket:[{inode}]", None, 0, 1),
        ("file", f"{there}/pipe:[{pipe}] (deleted)", None, 1, 0),
    ]
    assert (holders, joined) == ([(pid, 0)], [(0, "LISTEN")])
    assert ends == [(1, "pipe", 2), (2, "pipe", 1)]
    assert spaces == [(0,)]


def test_a_file_with_the_inode_of_a_socket_is_not_that_socket(
    engine: Engine, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: FUSE cannot be mounted without fusermount")

    def prepare() -> tuple[int, int] | str:
        listening = socket.socket()
        listening.listen()
        inode = os.fstat(listening.detach()).st_ino
        try:
            server = fuse.mount(tmp_path, inode)
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, str(error))
        file = os.open(tmp_path / "file", os.O_RDONLY)
        assert os.fstat(file).st_ino == inode
        os.chdir(tmp_path)
        return inode, server.pid

    with child(prepare) as (pid, said):
        if isinstance(said, str):
            pytest.skip(f"FUSE cannot be mounted ({said})")
        inode, server = said
        try:
            found = engine.query(
                f"select fd, type, inode, file_inode from fds where pid = {pid} order by fd"
            )
            joined = engine.query(
                f"select pid, fd, state from sockets join fds using (inode) where inode = {inode}"
            )
            natural = engine.query(
                "select pid, fd from sockets natural join fds natural join processes"
                f" where pid = {pid}"
            )
        finally:
            os.kill(server, signal.SIGKILL)
    assert found == [(0, "socket", inode, None), (1, "file", None, inode)]
    assert (joined, natural) == ([(pid, 0, "LISTEN")], [(pid, 0)])


def test_a_megabyte_of_arguments_is_shown_whole(engine: Engine) -> None:
    arguments = [f"{number:04}" + "x" * 96_000 for number in range(11)]
    pause = ["x", "-c", "import signal; signal.pause()", *arguments]
    pid = os.posix_spawn(sys.executable, pause, {})
    try:
        wait_until(lambda: len(Path(f"/proc/{pid}/cmdline").read_bytes()) > 1 << 20)
        [(cmdline, argv)] = engine.query(f"select cmdline, argv from processes where pid = {pid}")
        listed = dict(engine.query("select pid, length(cmdline) from processes"))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert (cmdline, json.loads(argv)) == (" ".join(pause), pause)
    assert listed[pid] == len(" ".join(pause))


@pytest.mark.parametrize(
    ("title", "fill", "expected"),
    [
        (b"nginx: worker process", b"\0", "nginx: worker process"),
        (b"postgres: idle", b" ", "postgres: idle"),
        (b"a\nb\x1b[31m \xff", b"\0", "a\nb\x1b[31m \\xff"),
        (b"", b"\0", ""),
    ],
    ids=["zeros", "blanks", "control characters", "nothing"],
)
def test_arguments_that_were_written_over_are_what_is_there(
    engine: Engine, title: bytes, fill: bytes, expected: str
) -> None:
    """As setproctitle(3) does it: over the arguments, however many there were."""

    def prepare() -> None:
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        start, end = int(fields[48 - 3]), int(fields[49 - 3])
        memory = os.open("/proc/self/mem", os.O_RDWR)
        os.pwrite(memory, title[: end - start].ljust(end - start - 1, fill) + b"\0", start)
        os.close(memory)

    with child(prepare) as (pid, _):
        found = engine.query(f"select cmdline from processes where pid = {pid}")
    assert found == [(expected,)]


#: Process 1 of a pid namespace: a storm of processes whose numbers are used again and again.
#: Each opens the file, goes to the directory and takes the name of its round, in this order.
REUSE = """
import os, signal, sys, time
from pathlib import Path
os.chdir("{folder}")
storm = os.fork()
if storm == 0:
    last = os.open("/proc/sys/kernel/ns_last_pid", os.O_WRONLY)
    alive, round = [], 0
    while True:
        round += 1
        if len(alive) == 4:
            gone = alive.pop(0)
            os.kill(gone, signal.SIGKILL)
            os.waitpid(gone, 0)
        try:
            os.mkdir(f"d{{round % 64}}")
        except FileExistsError:
            pass
        os.pwrite(last, str(1000 + round % 5).encode(), 0)
        pid = os.fork()
        if pid == 0:
            os.open(f"f{{round % 64}}", os.O_CREAT | os.O_RDONLY)
            os.chdir(f"d{{round % 64}}")
            Path("/proc/self/comm").write_text(f"n{{round % 64}}")
            while True:
                signal.pause()
        alive.append(pid)
        # A number is used again after five rounds, and start times are told in ticks of 10 ms.
        time.sleep(0.003)
from sockql import connect
seen = rounds = 0
with connect() as engine:
    while rounds < 50:
        rounds += 1
        rows = engine.query(
            # All processes first, then their descriptors: time for a number to be used again.
            "with p as materialized (select pid, name, cwd from processes where pid > 1000)"
            " select pid, name, cwd, target from p join fds using (pid) where target like '%/f%'"
        )
        for pid, name, cwd, target in rows:
            if name[:1] == "n" and name[1:].isdigit():
                seen += 1
                number = name[1:]
                there = ((cwd or "").rpartition("/")[2], target.rpartition("/")[2])
                assert there[1] == "f" + number, (pid, name, cwd, target)
                assert there[0] in ("d" + number, os.path.basename("{folder}")), (pid, name, cwd)
        stable = [row[0] for row in engine.query("select pid from processes where pid < 3")]
        assert stable == [1, storm], stable
os.kill(storm, signal.SIGKILL)
print(seen)
"""


def test_no_row_mixes_two_processes_with_one_number(tmp_path: Path) -> None:
    said = in_pid_namespace(REUSE.format(folder=tmp_path))
    assert int(said) > 100
