"""What processes hold without a descriptor, on the running kernel."""

from __future__ import annotations

import mmap
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sockql import connect
from sockql.engine import Engine
from tests.live.children import child


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def test_directories_executable_and_mapped_files_are_rows(engine: Engine, tmp_path: Path) -> None:
    names = ("kept", "gone", "named (deleted)", "new\nline", "not\\012new")
    there = {name: tmp_path / name for name in names}
    for path in there.values():
        path.write_bytes(b"x" * 8192)
    inodes = {name: path.stat().st_ino for name, path in there.items()}

    def prepare() -> None:
        os.chdir(tmp_path)
        prepare.kept = [  # type: ignore[attr-defined]  # a mapping ends when nobody refers to it
            mmap.mmap(descriptor, 4096, offset=offset)
            for descriptor in (os.open(path, os.O_RDWR) for path in there.values())
            for offset in (0, 4096)
        ]
        os.closerange(0, 100)
        os.unlink("gone")

    with child(prepare) as (pid, _):
        found = engine.query(
            "select role, target, file_inode, deleted, type, size, nlink from process_files"
            f" where pid = {pid} and (role != 'mem' or target like '{tmp_path}%') order by target"
        )
    link = os.readlink("/proc/self/exe")
    exe, folder, root = os.stat(link), os.stat(tmp_path), os.stat("/")
    mapped = [
        (
            "mem",
            f"{tmp_path}/{name}" + (" (deleted)" if name == "gone" else ""),
            inodes[name],
            int(name == "gone"),
            "file",
            8192,
            0 if name == "gone" else 1,
        )
        for name in names
    ]
    expected = [
        ("cwd", str(tmp_path), folder.st_ino, 0, "dir", folder.st_size, folder.st_nlink),
        ("root", "/", root.st_ino, 0, "dir", root.st_size, root.st_nlink),
        ("exe", link, exe.st_ino, 0, "file", exe.st_size, exe.st_nlink),
        *mapped,
    ]
    if os.geteuid():
        pytest.skip("map_files takes CAP_CHECKPOINT_RESTORE (EPERM)")
    assert found == sorted(expected, key=lambda row: str(row[1]))


def test_maps_equal_what_psutil_makes_of_smaps(engine: Engine) -> None:
    program = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = engine.query(
            "select replace(start_address || '-' || end_address, '0x', ''),"
            " coalesce(target, '[anon]'), rss, pss, private_clean + private_dirty, swapped"
            f" from process_maps where pid = {process.pid} and target is not '[vsyscall]'"
            " order by 1"
        )
        expected = sorted(
            (m.addr, m.path, m.rss, m.pss, m.private_clean + m.private_dirty, m.swap)
            for m in psutil.Process(process.pid).memory_maps(grouped=False)
            if m.path != "[vsyscall]"
        )
        process.communicate()
    # A page that others begin or cease to share has another pss, so only what is its own.
    private = [(row[0], row[1], row[2], row[5]) for row in found if row[1] in ("[heap]", "[stack]")]
    assert private == [(r[0], r[1], r[2], r[5]) for r in expected if r[1] in ("[heap]", "[stack]")]
    assert [row[:2] for row in found] == [row[:2] for row in expected]


def test_environment_is_that_of_the_start(engine: Engine) -> None:
    environment = {"A": "1", "EMPTY": "", "new\nline": "\\x", "CAFÉ": "=x="}
    program = "import os; os.environ['LATER'] = '1'; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = engine.query(
            f"select key, value from process_envs where pid = {process.pid} order by rowid"
        )
        joined = engine.query(
            "select processes.pid, value from processes join process_envs using(pid)"
            f" where processes.parent = {os.getpid()} and key = 'A'"
        )
        process.communicate(b"\n")
    assert sorted(found) == sorted(environment.items())
    assert joined == [(process.pid, "1")]


def test_limits_are_those_that_the_process_set(engine: Engine) -> None:
    with child(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1001))) as (pid, _):
        found = {
            row[0]: row[1:]
            for row in engine.query(
                f"select resource, soft_limit, hard_limit from process_limits where pid = {pid}"
            )
        }
        expected = {
            name.removeprefix("RLIMIT_").lower(): tuple(
                None if value == resource.RLIM_INFINITY else value
                for value in resource.prlimit(pid, number)
            )
            for name, number in vars(resource).items()
            if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE"
        }
    assert found["nofile"] == (1000, 1001)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else (EPERM)")
@pytest.mark.parametrize(
    ("table", "files"),
    [
        ("process_envs", "environ"),
        ("process_files", "{cwd,root,exe,maps}"),
        ("process_maps", "maps"),
    ],
)
def test_a_stranger_is_told_that_something_is_missing(
    engine: Engine, table: str, files: str
) -> None:
    query = f"select pid from {table} where pid = {os.getpid()}"
    assert engine.query(query)  # also because a stranger cannot import what is root's

    def ask() -> tuple[list[tuple[object, ...]], list[str]]:
        os.setgid(65534)
        os.setuid(65534)
        with connect() as made:
            return made.query(query), made.notices

    with child(ask) as (_, (found, notices)):
        assert found == []
        said = f"{table}: {files} of 1 of 1 processes not readable (EACCES)"
        assert notices == [f"{said}; run as root or with CAP_SYS_PTRACE"]
