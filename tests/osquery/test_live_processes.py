"""osquery's tables of processes on processes that run, as psutil and /proc have them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sockql.engine import Engine
from sockql.host import Host
from tests.live.children import child
from tests.osquery.asking import connected

PID = os.getpid()


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connected(Host()) as made:
        yield made


def test_a_process_as_psutil_sees_it(engine: Engine) -> None:
    code = "import os; os.nice(3); print(flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "a b"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        p = psutil.Process(process.pid)
        uids, gids = p.uids(), p.gids()
        sql = f"""
            select name, path, cmdline, cwd, root, uid, gid, euid, egid, suid, sgid, on_disk,
                start_time, parent, pgroup, threads, nice, total_size
            from processes where pid = {process.pid}
        """
        assert engine.query(sql) == [
            (
                *(p.name(), p.exe(), f"{sys.executable} -c {code} a b", "/", "/"),
                *(uids.real, gids.real, uids.effective, gids.effective, uids.saved, gids.saved, 1),
                *(int(p.create_time()), PID, os.getpgid(process.pid), 1, p.nice()),
                p.memory_info().vms,
            )
        ]
        sql = f"select key, value from process_envs where pid = {process.pid}"
        assert dict(engine.query(sql)) == p.environ()
        sql = f"select distinct path from process_memory_map where pid = {process.pid} and inode"
        files = {m.path for m in p.memory_maps() if m.path.startswith("/")}
        assert {path for (path,) in engine.query(sql)} == files
    finally:
        process.kill()
        process.communicate()


def test_a_program_that_was_deleted(engine: Engine, tmp_path: Path) -> None:
    program = tmp_path / "a prog"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    process = subprocess.Popen([program, "600"])
    try:
        sql = f"select path, on_disk from processes where pid = {process.pid}"
        mapped = (
            f"select distinct path from process_memory_map where pid = {process.pid} and pseudo = 0"
        )
        assert engine.query(sql) == [(str(program), 1)]
        program.unlink()
        assert engine.query(sql) == [(str(program), 0)]
        assert (str(program),) in engine.query(mapped)
    finally:
        process.kill()
        process.wait()


def test_namespaces_are_what_the_links_say(engine: Engine) -> None:
    names = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
    inodes = [str(os.stat(f"/proc/self/ns/{name}").st_ino) for name in names]
    sql = f"select * from process_namespaces where pid = {PID}"
    assert engine.query(sql) == [(PID, *inodes)]


def test_a_thread_has_a_directory_but_is_in_no_listing(engine: Engine) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        tid = thread.native_id
        sql = "select pid, name from processes where pid"
        name = Path(f"/proc/{tid}/comm").read_text().rstrip("\n")
        assert engine.query(f"{sql} = {tid}") == [(tid, name)]
        assert engine.query(f"{sql} in ({tid}, {PID}) order by pid = {tid}")[1:] == [(tid, name)]
        assert engine.query(f"{sql} + 0 = {tid}") == []
        # What looks for processes that are hidden: there, but not listed.
        hidden = f"""
            with numbers(n) as (values ({tid}), ({PID}))
            select p.pid from numbers cross join processes p on p.pid = n
            where n not in (select pid from processes)
        """
        assert engine.query(hidden) == [(tid,)]
    finally:
        done.set()
        thread.join()


def test_open_files_are_the_links_of_the_directory(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "pipe:x").write_text("")

    def prepare() -> list[tuple[int, str]]:
        os.open("/dev/null", os.O_RDONLY)
        os.open(tmp_path / "pipe:x", os.O_RDONLY)
        os.open(tmp_path, os.O_RDONLY)
        os.pipe()
        socket.socket().detach()
        os.open("/proc/self/ns/net", os.O_RDONLY)
        os.memfd_create("m")
        gone = os.open(tmp_path / "gone", os.O_RDWR | os.O_CREAT)
        (tmp_path / "gone").unlink()
        links = [(fd, os.readlink(f"/proc/self/fd/{fd}")) for fd in range(gone + 1)]
        return [(fd, link) for fd, link in links if not link.startswith(("pipe:", "socket:"))]

    with child(prepare) as (pid, links):
        sql = f"select fd, path from process_open_files where pid = {pid} and fd < 100 order by fd"
        assert len(links) == 6
        assert engine.query(sql) == links
        assert engine.query(
            f"select path from process_open_files where pid = {pid} and fd = 0"
        ) == [("/dev/null",)]


def test_conditions_on_text_and_lists_and_limits(engine: Engine) -> None:
    assert engine.query(f"select pid from processes where pid = '{PID}'") == [(PID,)]
    assert engine.query(f"select pid from processes where pid in ({PID}, 'self', null)") == [(PID,)]
    assert (PID,) in engine.query("select pid from processes where pid glob '[0-9]*'")
    assert len(engine.query("select name from processes limit 1")) == 1
    sql = (
        f"select p.pid from process_envs e join processes p using (pid) where e.pid = {PID} limit 1"
    )
    assert engine.query(sql) == [(PID,)]
