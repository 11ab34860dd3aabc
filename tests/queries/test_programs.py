"""Queries about what is executed, and from where."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.live.children import child
from tests.queries.asking import about, process, shipped, username
from tests.queries.setups import NOBODY, become, copy_of_sleep, kept, needs_root, program

DAYS = "1000000"


def test_deleted_executable(tmp_path: Path) -> None:
    file = copy_of_sleep(tmp_path / "gone")
    with program(file, DAYS) as pid:
        assert about(pid, "deleted-executable") == []
        (tmp_path / "gone").unlink()
        assert about(pid, "deleted-executable") == [process(pid, "cmdline", "started")]
        copy_of_sleep(tmp_path / "gone")
        assert about(pid, "deleted-executable") == []


def test_replaced_executable(tmp_path: Path) -> None:
    file = copy_of_sleep(tmp_path / "upgraded")
    with program(file, DAYS) as pid:
        assert about(pid, "replaced-executable") == []
        (tmp_path / "upgraded").unlink()
        assert about(pid, "replaced-executable") == []
        copy_of_sleep(tmp_path / "upgraded")
        assert about(pid, "replaced-executable") == [
            {**process(pid, "cmdline", "started"), "systemd_unit": None}
        ]


def test_memfd_executable(tmp_path: Path) -> None:
    with open(shutil.which("sleep") or "", "rb") as source:
        image = source.read()
    file = os.memfd_create("payload", 0)
    os.write(file, image)
    with program(f"/proc/self/fd/{file}", DAYS, pass_fds=[file]) as pid:
        os.close(file)
        row = {**process(pid, "cmdline", "started"), "parent": os.getpid()}
        assert row["path"] == "/memfd:payload"
        assert about(pid, "memfd-executable") == [row]
        assert about(pid, "deleted-executable") == []
    with program(copy_of_sleep(tmp_path / "payload"), DAYS) as pid:
        assert about(pid, "memfd-executable") == []


@pytest.mark.parametrize("directory", ["/dev/shm", "/tmp", "/var/tmp"])
def test_scratch_executable(directory: str) -> None:
    place = Path(directory, f"sockql-test-{os.getpid()}")
    try:
        with program(copy_of_sleep(place), DAYS) as pid:
            assert about(pid, "scratch-executable") == [process(pid, "cmdline", "started")]
    except (FileNotFoundError, PermissionError) as error:
        pytest.skip(f"nothing can be executed in {directory} ({errno.errorcode[error.errno or 0]})")
    finally:
        place.unlink(missing_ok=True)
    with program("sleep", DAYS) as pid:
        assert about(pid, "scratch-executable") == []


@pytest.mark.parametrize(("argv0", "seen"), [("[kworker/0:1]", True), ("[kworker", False)])
def test_kernel_thread_lookalike_by_its_arguments(argv0: str, seen: bool) -> None:
    with program(argv0, executable=shutil.which("cat"), stdin=subprocess.PIPE) as pid:
        expected = [process(pid, "cmdline", "started")] if seen else []
        assert about(pid, "kernel-thread-lookalike") == expected


def test_the_program_test_is_no_lookalike(tmp_path: Path) -> None:
    """Its other name is a bracket, and it wants another at the end."""
    sh = os.path.realpath(shutil.which("sh") or "")
    for name, seen in (("[", False), ("other", True)):
        shutil.copy(sh, tmp_path / name)
        words = ["[", "-c", "read line; exit", "]"]
        with program(*words, executable=str(tmp_path / name), stdin=subprocess.PIPE) as pid:
            row = process(pid, "cmdline", "started")
            assert row["cmdline"] == "[ -c read line; exit ]"
            assert about(pid, "kernel-thread-lookalike") == ([row] if seen else [])


@pytest.mark.parametrize(("name", "seen"), [("kworker/u8:3-ev", True), ("kworkers", False)])
def test_kernel_thread_lookalike_by_its_name(name: str, seen: bool) -> None:
    with child(lambda: become(name)) as (pid, _):
        expected = [process(pid, "cmdline", "started")] if seen else []
        assert about(pid, "kernel-thread-lookalike") == expected


def test_missing_argv0() -> None:
    cat = shutil.which("cat")
    # posix_spawn, which Python would use without the session, takes no empty argument.
    with program("", executable=cat, stdin=subprocess.PIPE, start_new_session=True) as pid:
        expected = process(pid, "started", "parent")
        assert about(pid, "missing-argv0") == [expected]
    with program("sh", "-c", "read line; :", "", stdin=subprocess.PIPE) as pid:
        assert about(pid, "missing-argv0") == []


def test_preloaded_library() -> None:
    with program("sleep", DAYS, env={**os.environ, "LD_PRELOAD": "", "LD_AUDIT": "evil.so"}) as pid:
        assert about(pid, "preloaded-library") == [
            {**process(pid), "variable": "LD_AUDIT", "value": "evil.so"}
        ]
    with program("sleep", DAYS, env={**os.environ, "LD_LIBRARY_PATH": "/x"}) as pid:
        assert about(pid, "preloaded-library") == []


def mapped_code(file: int, permissions: int) -> None:
    os.write(file, bytes(3 * mmap.PAGESIZE))
    kept.append(mmap.mmap(file, 2 * mmap.PAGESIZE, mmap.MAP_PRIVATE, permissions))


READ, WRITE, EXEC = mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC


def test_deleted_library(tmp_path: Path) -> None:
    def loads(name: str, permissions: int, *, remove: bool = True) -> None:
        mapped_code(os.open(tmp_path / name, os.O_CREAT | os.O_RDWR), permissions)
        if remove:
            (tmp_path / name).unlink()

    def load() -> None:
        loads("code.so", READ | EXEC)
        loads("data", READ)
        loads("there.so", READ | EXEC, remove=False)

    with child(load) as (pid, _):
        assert about(pid, "deleted-library") == [
            {**process(pid), "library": f"{tmp_path}/code.so (deleted)"}
        ]
    file = copy_of_sleep(tmp_path / "gone")
    with program(file, DAYS) as pid:
        (tmp_path / "gone").unlink()
        assert about(pid, "deleted-library") == []


def test_scratch_library(tmp_path: Path) -> None:
    maps = Path("/proc/self/maps").read_text().split()
    libm = next((word for word in maps if "/libm.so" in word or "/libm-" in word), None)
    if libm is None:
        pytest.skip("no library to load another copy of (ENOENT)")
    file = copy_of_sleep(tmp_path / "here")
    for folder, seen in ((tempfile.mkdtemp(dir="/dev/shm"), True), (os.path.dirname(libm), False)):
        library = f"{folder}/code.so" if seen else libm
        if seen:
            shutil.copy(libm, library)
        with program(file, DAYS, env={"LD_PRELOAD": library}) as pid:
            row = {**process(pid), "libraries": 1, "library": library}
            assert about(pid, "scratch-library") == ([row] if seen else [])
        if seen:
            shutil.rmtree(folder)


@needs_root
@pytest.mark.parametrize(
    ("uid", "gid", "mode", "seen"),
    [
        (NOBODY, 0, 0o755, True),
        (0, 0, 0o757, True),
        (0, NOBODY, 0o775, True),
        (0, 0, 0o775, False),
        (0, NOBODY, 0o755, False),
    ],
)
def test_foreign_code_of_root(tmp_path: Path, uid: int, gid: int, mode: int, seen: bool) -> None:
    file = copy_of_sleep(tmp_path / "server")
    os.chown(file, uid, gid)
    os.chmod(file, mode)

    def load(permissions: int) -> None:
        opened = os.open(file, os.O_RDONLY)
        kept.append(mmap.mmap(opened, 2 * mmap.PAGESIZE, mmap.MAP_PRIVATE, permissions))

    with (
        program(file, DAYS) as pid,
        child(lambda: load(READ | EXEC)) as (loader, _),
        child(lambda: load(READ)) as (reader, _),
    ):
        for each in (pid, loader):
            row = {**process(each), "target": file, "owner": username(uid), "file_gid": gid}
            del row["user"]
            found = [row for row in about(each, "foreign-code-of-root") if row["target"] == file]
            assert found == ([{**row, "file_mode": f"{mode:04o}"}] if seen else [])
        assert [row for row in about(reader, "foreign-code-of-root") if row["target"] == file] == []


def test_memfd_code() -> None:
    def load() -> None:
        mapped_code(os.memfd_create("library"), READ | EXEC)

    def read() -> None:
        mapped_code(os.memfd_create("buffer"), READ)

    with child(load) as (pid, _):
        assert about(pid, "memfd-code") == [
            {
                **process(pid),
                "library": "/memfd:library (deleted)",
                "mappings": 1,
                "mapped_size": 2 * mmap.PAGESIZE,
            }
        ]
        assert about(pid, "deleted-library") == []
    with child(read) as (pid, _):
        assert about(pid, "memfd-code") == []


def test_writable_executable_memory() -> None:
    def make(*permissions: int) -> None:
        for each in permissions:
            kept.append(mmap.mmap(-1, 3 * mmap.PAGESIZE, prot=each))

    with child(lambda: make(READ | WRITE | EXEC, WRITE | EXEC)) as (pid, _):
        (row,) = about(pid, "writable-executable-memory")
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        marked = [line.split()[0].split("-") for line in lines if line.split()[1][1:3] == "wx"]
        size = sum(int(end, 16) - int(start, 16) for start, end in marked)
        assert row == {**process(pid), "mappings": len(marked), "mapped_size": size}
        assert size >= 6 * mmap.PAGESIZE
    with child(lambda: make(READ | WRITE, READ | EXEC)) as (pid, _):
        assert about(pid, "writable-executable-memory") == []


def test_deleted_working_directory(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    with program("sleep", DAYS, cwd=tmp_path / "tools") as pid:
        assert about(pid, "deleted-working-directory") == []
        (tmp_path / "tools").rmdir()
        assert about(pid, "deleted-working-directory") == [
            {**process(pid, "cmdline"), "directory": f"{tmp_path}/tools (deleted)"}
        ]


def test_history_disabled() -> None:
    for variables, expected in (
        ({"HISTFILE": "/dev/null", "HISTSIZE": "500"}, [("HISTFILE", "/dev/null")]),
        ({"HISTSIZE": "0", "HISTFILE": "~/.history"}, [("HISTSIZE", "0")]),
        ({"HISTFILE": "", "HISTFILESIZE": "00"}, [("HISTFILE", "")]),
        ({"HISTFILESIZE": "100"}, []),
    ):
        with program("sleep", DAYS, env=variables, executable=shutil.which("sleep")) as pid:
            assert about(pid, "history-disabled") == [
                {**process(pid), "variable": variable, "value": value, "tty": None}
                for variable, value in expected
            ]


@needs_root
@pytest.mark.parametrize(("text", "seen"), [("# nothing\n", True), ("", False)])
def test_preload_file(tmp_path: Path, text: str, seen: bool) -> None:
    """Over /etc as it is, in a mount namespace of its own; the linker passes over comments."""
    script = (
        'mount -t tmpfs none "$0" && mkdir "$0/u" "$0/w" && '
        'mount -t overlay -o "lowerdir=/etc,upperdir=$0/u,workdir=$0/w" none /etc || exit 77; '
        f"printf '{text}' > /etc/ld.so.preload; "
        'exec "$1" -m sockql --csv -f "$2"'
    )
    path = shipped("preload-file").path
    command = ["unshare", "-m", "sh", "-c", script, str(tmp_path), sys.executable, path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare: " in done.stderr:
        pytest.skip(f"no overlay over /etc: {done.stderr.strip()} (EPERM)")
    lines = done.stdout.splitlines()
    assert (lines.pop(0), done.returncode) == ("path,size,mode,owner,changed", 0)
    assert [line.rpartition(",")[0] for line in lines] == (
        [f"/etc/ld.so.preload,{len(text)},0644,{username(0)}"] if seen else []
    )
