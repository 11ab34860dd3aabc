"""Descriptors on a mount whose server does not answer: nothing waits for it, unless told to."""

from __future__ import annotations

import errno
import json
import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.live import fuse
from tests.live.children import child, wait_until

#: Seconds after which a query counts as one that waits for the server.
PATIENCE = 60.0
#: What is mapped stays mapped.
KEPT: list[mmap.mmap] = []
CLONE_NEWNET = 0x40000000


class Dead(NamedTuple):
    """A process with a file, a file called "… (deleted)", a directory and more on the mount."""

    pid: int
    point: str
    dev: str


def mount_namespace(path: Path) -> None:
    """Mount a new network namespace, in which no process is, at a file."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    assert fuse.libc.unshare(CLONE_NEWNET) == 0
    assert fuse.libc.mount(b"/proc/self/ns/net", bytes(path), None, 0x1000, None) == 0  # MS_BIND
    assert fuse.libc.setns(here, CLONE_NEWNET) == 0
    os.close(here)


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dead]:
    if os.geteuid() != 0:
        pytest.skip("not root: FUSE cannot be mounted without fusermount")
    point = tmp_path_factory.mktemp("dead")

    def prepare() -> tuple[int, int] | str:
        os.open("/dev/null", os.O_RDWR)  # 0, so that the files are 1, 2, 3
        try:
            server = fuse.mount(point)
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, str(error))
        file = os.open(point / "file", os.O_RDWR)
        os.open(point / "two names (deleted)", os.O_RDONLY)
        os.open(point, os.O_RDONLY)
        os.chdir(point)
        os.stat(point)  # so that the kernel knows it
        KEPT.append(mmap.mmap(file, 4096, prot=mmap.PROT_READ))
        number = os.fstat(file).st_dev
        mount_namespace(point / "space")
        server.stop()
        return server.pid, number

    with child(prepare) as (pid, said):
        if isinstance(said, str):
            pytest.skip(f"FUSE cannot be mounted ({said})")
        server, number = said
        try:
            yield Dead(pid, str(point), f"{os.major(number)}:{os.minor(number)}")
        finally:
            # Whoever waits for it is told that it is gone.
            os.kill(server, signal.SIGKILL)


def ask(*arguments: str) -> list[dict[str, Any]]:
    """The rows of a command that must not take longer than PATIENCE."""
    done = subprocess.run(
        [sys.executable, "-m", "sockql", "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_the_server_really_does_not_answer(dead: Dead) -> None:
    """What stat(2) does, in a process of its own: it waits until it is killed."""
    pid = os.fork()
    if pid == 0:
        os.stat(f"/proc/{dead.pid}/fd/1")
        os._exit(0)
    try:
        wait_until(lambda: waits_for_fuse(pid))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def waits_for_fuse(pid: int) -> bool:
    stack = Path(f"/proc/{pid}/stack")
    return "fuse" in stack.read_text() or "request_wait_answer" in stack.read_text()


DESCRIPTORS = (
    "select fd, type, target, mode, pos, size, allocated, nlink, deleted, file_mode, file_uid,"
    " file_gid, file_inode, dev, rdev from fds where pid = {pid} and fd in (1, 2, 3) order by fd"
)


def expected(dead: Dead) -> list[dict[str, Any]]:
    names = DESCRIPTORS[len("select ") : DESCRIPTORS.index(" from")].replace(" ", "").split(",")
    known = (12345, 24 * 512, 2)
    owner = ("0644", 3, 4, 2, dead.dev, None)
    point = dead.point
    rows = [
        (1, "file", f"{point}/file", "rw", 0, *known, 0, *owner),
        (2, "file", f"{point}/two names (deleted)", "r", 0, *known, 1, *owner),
        (3, "dir", point, "r", 0, 0, 0, 2, 0, "0755", 0, 0, 1, dead.dev, None),
    ]
    return [dict(zip(names, row)) for row in rows]


def test_cells_are_what_the_kernel_knows_already(dead: Dead) -> None:
    assert ask(DESCRIPTORS.format(pid=dead.pid)) == expected(dead)


def test_where_nothing_may_be_examined_the_rest_is_there(dead: Dead) -> None:
    unknown = dict.fromkeys(
        ("type", "size", "allocated", "nlink", "file_mode", "file_uid", "file_gid")
    )
    unknown |= dict.fromkeys(("file_inode", "dev", "rdev"))
    assert ask("--stat", "never", DESCRIPTORS.format(pid=dead.pid)) == [
        {**row, **unknown} for row in expected(dead)
    ]


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) as rows from (select * from fds)",
        "select count(size) + count(nlink) + count(deleted) as rows from fds",
        "select count(selinux) + count(info) + count(locks) + count(mount_point) as rows from fds",
        "select count(*) as rows from (select * from process_files)",
        "select count(size) + count(type) + count(deleted) as rows from process_files",
        "select count(*) as rows from (select * from deleted_files)",
        "select count(*) as rows from (select * from mounts)",
        "select count(*) as rows from (select * from processes)",
        "select count(exe_deleted) + count(on_disk) as rows from processes",
        "select count(*) as rows from (select * from endpoints)",
        "select count(*) as rows from (select * from file_locks)",
        "select count(*) as rows from (select * from namespaces)",
        "select count(*) as rows from (select * from process_maps)",
        "select count(*) as rows from (select * from network_namespaces)",
        "select count(*) as rows from (select * from sockets)",
        "select count(*) as rows from (select * from interfaces)",
    ],
)
def test_no_table_waits_for_the_server(dead: Dead, query: str) -> None:
    assert len(ask(query)) == 1


def test_what_is_held_without_a_descriptor_is_shown_too(dead: Dead) -> None:
    assert ask(
        "select role, target, type, size, nlink, deleted, dev, file_inode from process_files"
        f" where pid = {dead.pid} and target like '{dead.point}%' order by role"
    ) == [
        {
            "role": "cwd",
            "target": dead.point,
            "type": "dir",
            "size": 0,
            "nlink": 2,
            "deleted": 0,
            "dev": dead.dev,
            "file_inode": 1,
        },
        {
            "role": "mem",
            "target": f"{dead.point}/file",
            "type": "file",
            "size": 12345,
            "nlink": 2,
            "deleted": 0,
            "dev": dead.dev,
            "file_inode": 2,
        },
    ]
    (mount,) = ask(f"select fstype, mount_source from mounts where mount_point = '{dead.point}'")
    assert mount == {"fstype": "fuse.test", "mount_source": "test"}


def test_who_wants_what_the_server_says_waits_for_it(dead: Dead) -> None:
    query = f"select size from fds where pid = {dead.pid} and fd = 1"
    command = [sys.executable, "-m", "sockql", "--stat", "fresh", query]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as waiting:
        try:
            deadline = time.monotonic() + PATIENCE
            while not waits_for_fuse(waiting.pid):
                assert waiting.poll() is None
                assert time.monotonic() < deadline
        finally:
            waiting.kill()
