"""The table fds on descriptors that the test opens itself, on the running kernel."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import platform
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sockql import connect
from sockql.engine import Engine
from sockql.host import Host
from sockql.tables.fds import TABLE as FDS
from tests.live.children import child, state, wait_until

libc = ctypes.CDLL(None, use_errno=True)
VISIBLE = "pid, fd, type, target, inode, mode, flags, pos"


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def checked(descriptor: int, what: str) -> int:
    """A descriptor that the C library gave; skips when the kernel lacks it."""
    if descriptor < 0:
        code = ctypes.get_errno()
        pytest.skip(f"no {what} ({errno.errorcode[code]})")
    return descriptor


def test_sockets_alone_have_the_cells_that_they_have_among_others(engine: Engine) -> None:
    with socket.socket() as made:
        inode = os.fstat(made.fileno()).st_ino
        fd = made.fileno()
        for name, column in FDS.schema.by_name.items():
            if column.late:
                continue
            alone = f'select "{name}" from fds where pid = {os.getpid()} and fd = {fd}'
            (expected,) = engine.query(alone)
            for condition in ("type = 'socket'", f"inode = {inode}", "inode > 0 and tid is null"):
                assert engine.query(f"{alone} and {condition}") == [expected], (name, condition)
            assert engine.query(f'select "{name}" from fds where inode = {inode}') == [expected]


def test_every_kind_of_descriptor_is_shown_as_what_it_is(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("0123456789")
    (tmp_path / "socket:[1]").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "sock"))

    def prepare() -> dict[str, int]:
        os.chdir(tmp_path)
        os.open("/dev/null", os.O_RDONLY)
        os.lseek(os.open("file", os.O_RDWR | os.O_APPEND), 3, os.SEEK_SET)
        os.open("socket:[1]", os.O_WRONLY | os.O_SYNC)
        os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        os.open("file", os.O_PATH)
        os.open("link", os.O_PATH | os.O_NOFOLLOW)
        os.open("fifo", os.O_RDWR | os.O_NONBLOCK)
        os.open("sock", os.O_PATH)
        os.pipe2(os.O_NONBLOCK)
        made = socket.socket()
        os.set_inheritable(made.fileno(), True)
        os.open("/proc/self/ns/net", os.O_RDONLY)
        os.memfd_create(os.fsdecode(b"a\n\xff"))
        return {
            "pipe": os.fstat(8).st_ino,
            "socket": os.fstat(made.detach()).st_ino,
            "net": os.stat("/proc/self/ns/net").st_ino,
        }

    with child(prepare) as (pid, inodes):
        found = engine.query(f"select {VISIBLE} from fds where pid = {pid} order by fd")
    there, pipe = str(tmp_path), f"pipe:[{inodes['pipe']}]"
    close = "O_CLOEXEC"
    assert found == [
        (pid, 0, "chr", "/dev/null", None, "r", close, 0),
        (pid, 1, "file", f"{there}/file", None, "rw", f"O_APPEND,{close}", 3),
        (pid, 2, "file", f"{there}/socket:[1]", None, "w", f"{close},O_SYNC", 0),
        (pid, 3, "dir", there, None, "r", f"{close},O_DIRECTORY", 0),
        (pid, 4, "file", f"{there}/file", None, None, f"{close},O_PATH", 0),
        (pid, 5, "link", f"{there}/link", None, None, f"{close},O_NOFOLLOW,O_PATH", 0),
        (pid, 6, "fifo", f"{there}/fifo", None, "rw", f"{close},O_NONBLOCK", 0),
        (pid, 7, "sockfile", f"{there}/sock", None, None, f"{close},O_PATH", 0),
        (pid, 8, "pipe", pipe, None, "r", "O_NONBLOCK", None),
        (pid, 9, "pipe", pipe, None, "w", "O_NONBLOCK", None),
        (pid, 10, "socket", f"socket:[{inodes['socket']}]", inodes["socket"], "rw", "", None),
        (pid, 11, "ns", f"net:[{inodes['net']}]", None, "r", close, None),
        (pid, 12, "memfd", "/memfd:a\n\\xff (deleted)", None, "rw", close, 0),
    ]
    assert engine.notices == []


def test_details_are_those_that_stat_gives(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 5000)
    (tmp_path / "file").chmod(0o640)
    os.link(tmp_path / "file", tmp_path / "other")

    def prepare() -> None:
        os.open(tmp_path / "file", os.O_RDONLY)
        os.open("/dev/zero", os.O_RDONLY)
        os.pipe()

    columns = (
        "type, cloexec, file_inode, dev, rdev, size, allocated, nlink, deleted, file_mode, "
        "file_uid, file_gid, info, locks, tid"
    )
    with child(prepare) as (pid, _):
        found = engine.query(f"select {columns} from fds where pid = {pid} order by fd limit 3")
        pipe = os.stat(f"/proc/{pid}/fd/2")
    file, zero = os.stat(tmp_path / "file"), os.stat("/dev/zero")

    def dev(number: int) -> str:
        return f"{os.major(number)}:{os.minor(number)}"

    assert found == [
        (
            "file",
            1,
            file.st_ino,
            dev(file.st_dev),
            None,
            5000,
            file.st_blocks * 512,
            2,
            0,
            "0640",
            file.st_uid,
            file.st_gid,
            None,
            None,
            None,
        ),
        (
            "chr",
            1,
            zero.st_ino,
            dev(zero.st_dev),
            dev(zero.st_rdev),
            None,
            0,
            1,
            0,
            f"{zero.st_mode & 4095:04o}",
            zero.st_uid,
            zero.st_gid,
            None,
            None,
            None,
        ),
        (
            "pipe",
            1,
            pipe.st_ino,
            dev(pipe.st_dev),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
        ),
    ]


def test_deleted_files_are_told_from_files_that_are_called_so(
    engine: Engine, tmp_path: Path
) -> None:
    for name in ("gone", "true (deleted)", "one of two"):
        (tmp_path / name).write_text("")
    os.link(tmp_path / "one of two", tmp_path / "second")

    def prepare() -> None:
        for name in ("gone", "true (deleted)", "one of two", "second"):
            os.open(tmp_path / name, os.O_RDONLY)

    with child(prepare) as (pid, _):
        (tmp_path / "gone").unlink()
        (tmp_path / "one of two").unlink()
        found = engine.query(
            f"select target, deleted, nlink from fds where pid = {pid} order by fd"
        )
    assert found == [
        (f"{tmp_path}/gone (deleted)", 1, 0),
        (f"{tmp_path}/true (deleted)", 0, 1),
        (f"{tmp_path}/one of two (deleted)", 1, 1),
        (f"{tmp_path}/second", 0, 1),
    ]


def test_locks_are_those_that_the_test_took(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)

    def prepare() -> None:
        for _ in range(2):
            os.open(tmp_path / "file", os.O_RDWR)
        fcntl.lockf(0, fcntl.LOCK_EX, 10, 5)
        fcntl.flock(1, fcntl.LOCK_SH)

    with child(prepare) as (pid, _):
        found = engine.query(f"select fd, locks from fds where pid = {pid} order by fd")
    file = os.stat(tmp_path / "file")
    common = {
        "kind": "ADVISORY",
        "pid": pid,
        "dev": f"{os.major(file.st_dev)}:{os.minor(file.st_dev)}",
        "inode": file.st_ino,
    }
    posix = {**common, "class": "POSIX", "access": "WRITE", "start": 5, "end": 14}
    flock = {**common, "class": "FLOCK", "access": "READ", "start": 0, "end": None}
    assert [(fd, json.loads(locks)) for fd, locks in found] == [(0, [posix]), (1, [flock])]


def test_a_socket_is_found_by_its_inode_in_every_process_that_has_it(engine: Engine) -> None:
    with socket.socket() as shared:
        inode = os.fstat(shared.fileno()).st_ino
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.read(reading, 1)
            os._exit(0)
        found = engine.query(f"select pid, fd from fds where inode = {inode} order by pid")
        joined = engine.query(
            "select a.pid from fds a join fds b using (inode) "
            f"where b.pid = {pid} and b.fd = {shared.fileno()} order by 1"
        )
        os.write(writing, b"x")
        os.waitpid(pid, 0)
        os.close(reading)
        os.close(writing)
        assert found == sorted([(os.getpid(), shared.fileno()), (pid, shared.fileno())])
        assert joined == sorted([(os.getpid(),), (pid,)])


def test_counting_gives_as_many_as_listing(engine: Engine) -> None:
    def prepare() -> int:
        return len([os.open("/dev/null", os.O_RDONLY) for _ in range(300)])

    with child(prepare) as (pid, number):
        counted = engine.query(f"select pid, count(*) from fds where pid = {pid} group by 1")
        listed = engine.query(f"select count(distinct fd) from fds where pid = {pid}")
        everyone = dict(engine.query("select pid, count(*) from fds group by 1"))
    assert (counted, listed, everyone[pid]) == ([(pid, number)], [(number,)], number)


def test_files_and_positions_are_those_that_psutil_sees(engine: Engine, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).write_bytes(b"x" * 100)

    def prepare() -> None:
        for number in range(3):
            os.lseek(os.open(tmp_path / str(number), os.O_RDWR), number * 7, os.SEEK_SET)

    with child(prepare) as (pid, _):
        found = engine.query(
            f"select target, fd, pos from fds where pid = {pid} and type = 'file' order by fd"
        )
        files = psutil.Process(pid).open_files()
    assert found == sorted([(f.path, f.fd, f.position) for f in files], key=lambda row: row[1])


def test_a_long_path_costs_only_the_target(engine: Engine, tmp_path: Path) -> None:
    def prepare() -> int:
        os.chdir(tmp_path)
        for _ in range(25):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
        return os.fstat(os.open("file", os.O_CREAT | os.O_RDWR)).st_ino

    with child(prepare) as (pid, inode):
        found = engine.query(f"select type, target, file_inode from fds where pid = {pid}")
    assert found == [("file", None, inode)]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="number of exit(2)")
def test_descriptors_outlive_the_main_thread(engine: Engine) -> None:
    def prepare() -> int:
        inode = os.fstat(socket.socket().detach()).st_ino
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return inode

    def end_main_thread() -> None:
        libc.syscall(60 if platform.machine() == "x86_64" else 93, 0)

    with child(prepare, end_main_thread) as (pid, inode):
        wait_until(lambda: state(pid) == "Z")
        (tid,) = {int(name) for name in os.listdir(f"/proc/{pid}/task")} - {pid}
        found = engine.query(f"select pid, tid, fd, inode from fds where pid = {pid}")
        by_inode = engine.query(f"select pid, tid, fd from fds where inode = {inode}")
        by_thread = engine.query(f"select count(*) from fds where pid = {tid}")
    assert (found, by_inode, by_thread) == ([(pid, tid, 0, inode)], [(pid, tid, 0)], [(0,)])


def test_no_other_process_is_looked_at_when_one_is_named() -> None:
    opened: list[str] = []

    class Watching(Host):
        pass

    host = Watching()
    original = os.open

    def watch(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd == host.proc:
            opened.append(str(path))
        return original(path, flags, mode, dir_fd=dir_fd)

    with pytest.MonkeyPatch.context() as patch, Engine(host) as made:
        assert host.proc
        patch.setattr(os, "open", watch)
        made.query(f"select * from fds where pid = {os.getpid()}")
    assert set(opened) - {"sys/fs/file-nr"} == {f"{os.getpid()}/fd"}


CLONE_FILES = 0x400


def test_a_thread_with_a_table_of_its_own_has_its_descriptors(engine: Engine) -> None:
    """Also when tables look alike: only the kernel knows that they are two."""

    def prepare() -> tuple[int, ...]:
        shared = socket.socket().detach()
        ready, said = threading.Event(), list[int]()

        def leave(own: bool) -> None:
            said.append(threading.get_native_id())
            if libc.unshare(CLONE_FILES):
                said.append(-ctypes.get_errno())
                ready.set()
                return
            # Whoever waits for our answer waits for all copies of the pipe to be closed.
            os.closerange(900, 1000)
            if own:
                made = socket.socket()
                said.append(os.fstat(made.fileno()).st_ino)
                made.detach()
            else:
                said.append(0)
            ready.set()
            threading.Event().wait()

        for own in (False, True):
            ready.clear()
            threading.Thread(target=leave, args=(own,), daemon=True).start()
            assert ready.wait(10)
        assert said[1] == 0, os.strerror(-said[1])
        # A thread that makes none shares the one of the process.
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return os.fstat(shared).st_ino, said[0], said[2], said[3]

    with child(prepare) as (pid, (shared, alike, other, own)):
        query = f"select tid, inode from fds where pid = {pid} and type = 'socket'"
        found = engine.query(f"{query} order by tid, inode")
        holders = engine.query(f"select pid, tid from fds where inode = {own}")
        counted, listed = (
            engine.query(f"select {what} from fds where pid = {pid}") for what in ("count(*)", "fd")
        )
    assert found == sorted(
        [(None, shared), (alike, shared), (other, shared), (other, own)],
        key=lambda row: (row[0] or 0, row[1]),
    )
    assert holders == [(pid, other)]
    assert counted == [(len(listed),)]


def test_what_few_ask_for_is_there(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    def prepare() -> dict[str, int]:
        os.open(tmp_path / "file", os.O_RDONLY)
        os.open("/proc/self/ns/uts", os.O_RDONLY)
        left, _right = socket.socketpair()
        socket.send_fds(left, [b"x"], [0, 1])
        left.detach()
        _right.detach()
        socket.socket().detach()
        master, slave = os.openpty()
        return {"uts": os.stat("/proc/self/ns/uts").st_ino, "master": master, "slave": slave}

    with child(prepare) as (pid, said):
        found = engine.query(
            "select fd, mount_point, ns_type, ns_inode, tty_index, scm_fds, sock_protoname"
            f" from fds where pid = {pid} order by fd"
        )
        number = int(os.readlink(f"/proc/{pid}/fd/{said['slave']}").rpartition("/")[2])
        mounts = engine.query(
            "select fd, fds.mount_point, mounts.mount_point from fds join mounts using(mnt_id)"
            f" where pid = {pid} and fds.mount_point is not mounts.mount_point"
        )
    point = tmp_path
    while not os.path.ismount(point):
        point = point.parent
    pty = [row[1] for row in found if row[0] in (said["master"], said["slave"])]
    nothing = (None, None, None)
    assert found == [
        (0, str(point), *nothing, None, None),
        (1, None, "uts", said["uts"], None, None, None),
        (2, None, *nothing, 0, "UNIX-STREAM"),
        (3, None, *nothing, 2, "UNIX-STREAM"),
        (4, None, *nothing, None, "TCP"),
        (5, pty[0], None, None, number, None, None),
        (6, pty[1], None, None, number, None, None),
    ]
    assert mounts == []
