"""Queries about descriptors: how many, of what, and what should not be open."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import resource
import shutil
import socket
from pathlib import Path

import pytest

from tests.live.children import child, wait_until
from tests.queries.asking import ME, NETNS, Row, about, ask, cmdline, process
from tests.queries.setups import call, kept, listed, needs_root, program

#: Numbers of system calls.  Source: arch/x86/entry/syscalls/syscall_64.tbl,
#: include/uapi/asm-generic/unistd.h
BPF = {"x86_64": 321, "aarch64": 280}
IO_URING_SETUP = 425


def system_call(number: int, *arguments: object) -> tuple[int, str]:
    """What a system call answers, and the name of the error when it fails."""
    try:
        return call("syscall", number, *arguments), ""
    except OSError as error:
        return -1, errno.errorcode[error.errno or 0]


def bpf_map() -> tuple[int, str]:
    number = BPF.get(platform.machine())
    if number is None:
        return -1, "ENOSYS"
    attributes = (ctypes.c_uint32 * 32)(2, 4, 4, 1)  # BPF_MAP_TYPE_ARRAY, key, value, entries
    return system_call(number, 0, attributes, ctypes.sizeof(attributes))  # BPF_MAP_CREATE


def ring() -> tuple[int, str]:
    return system_call(IO_URING_SETUP, 1, ctypes.create_string_buffer(120))


def everyday() -> tuple[int, str]:
    """A descriptor without a path such as every event loop has."""
    import select

    kept.append(select.epoll())
    return 0, ""


def opened(count: int, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    for _ in range(count):
        kept.append(os.open("/dev/null", os.O_RDONLY))


def test_descriptors_near_limit() -> None:
    with child(lambda: opened(15, 18)) as (pid, _):
        row = {**process(pid), "fd_count": 15, "limit_nofile": 18, "percent": 83}
        assert about(pid, "descriptors-near-limit") == [row]
        assert about(pid, "descriptors-near-limit", percent=84) == []
    with child(lambda: opened(15, 100)) as (pid, _):
        assert about(pid, "descriptors-near-limit") == []


def test_descriptors_by_process(tmp_path: Path) -> None:
    def open_some() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
        kept.extend(os.pipe())
        kept.extend(socket.socketpair())
        kept.append(os.open(tmp_path, os.O_RDONLY))
        kept.append(os.open("/dev/null", os.O_RDONLY))
        everyday()

    def open_none() -> None:
        """No descriptors at all."""

    with child(open_some) as (pid, _):
        assert about(pid, "descriptors-by-process") == [
            {
                **process(pid),
                "descriptors": 7,
                "sockets": 2,
                "pipes": 2,
                "files": 1,
                "devices": 1,
                "other": 1,
                "limit_nofile": 50,
            }
        ]
    with child(open_none) as (pid, _):
        assert about(pid, "descriptors-by-process") == []


def test_bpf_holders(tmp_path: Path) -> None:
    with child(bpf_map) as (pid, (_, refused)):
        if refused:
            pytest.skip(f"no BPF map of our own ({refused})")
        row = {**process(pid), "type": "bpf-map", "descriptors": 1}
        assert about(pid, "bpf-holders") == [row]
        programs = listed(tmp_path, "path", str(row["path"]))
        assert about(pid, "bpf-holders", bpf_programs=programs) == []
        assert about(pid, "special-descriptors") == [row]
        assert about(pid, "io-uring-users") == []


def test_io_uring_users() -> None:
    with child(ring) as (pid, (_, refused)):
        if refused:
            pytest.skip(f"no io_uring of our own ({refused})")
        assert about(pid, "io-uring-users") == [{**process(pid), "rings": 1}]
        assert about(pid, "special-descriptors") == [
            {**process(pid), "type": "io_uring", "descriptors": 1}
        ]
        assert about(pid, "bpf-holders") == []


def test_special_descriptors() -> None:
    def watch() -> None:
        kept.append(os.pidfd_open(os.getpid()))
        everyday()

    with child(everyday) as (pid, _):
        for query in ("special-descriptors", "bpf-holders", "io-uring-users"):
            assert about(pid, query) == []
    with child(watch) as (pid, _):
        assert about(pid, "special-descriptors") == [
            {**process(pid), "type": "pidfd", "descriptors": 1}
        ]


def test_deleted_file_space(tmp_path: Path) -> None:
    def write(*, remove: bool) -> tuple[int, int, int, int]:
        file = os.open(tmp_path / "big", os.O_CREAT | os.O_RDWR)
        os.write(file, bytes(100_000))
        os.fsync(file)
        if remove:
            (tmp_path / "big").unlink()
        status = os.fstat(file)
        return status.st_blocks * 512, status.st_size, status.st_dev, status.st_ino

    def found(pid: int, size: int) -> list[Row]:
        rows = ask("deleted-file-space", bytes=size)
        return [row for row in rows if row["pids"] == str(pid)]

    with child(lambda: write(remove=True)) as (pid, (allocated, size, device, inode)):
        assert found(pid, allocated) == [
            {
                "allocated": allocated,
                "size": size,
                "target": f"{tmp_path}/big (deleted)",
                "dev": f"{os.major(device)}:{os.minor(device)}",
                "file_inode": inode,
                "names": process(pid)["name"],
                "pids": str(pid),
            }
        ]
        assert found(pid, allocated + 1) == []
    with child(lambda: write(remove=False)) as (pid, _):
        assert found(pid, 0) == []


@needs_root
def test_raw_device_access() -> None:
    def open_loop(mode: int) -> tuple[int, str]:
        places = sorted(Path("/dev").glob("loop[0-9]*"))
        try:
            return os.open(places[-1], mode), str(places[-1])
        except (IndexError, OSError):
            return -1, ""

    with child(lambda: open_loop(os.O_RDWR)) as (pid, (file, place)):
        if not place:
            pytest.skip("no loop device (ENOENT)")
        device = os.stat(place).st_rdev
        assert about(pid, "raw-device-access") == [
            {
                **process(pid),
                "fd": file,
                "target": place,
                "rdev": f"{os.major(device)}:{os.minor(device)}",
                "mode": "rw",
            }
        ]
    with child(lambda: open_loop(os.O_RDONLY)) as (pid, _):
        assert about(pid, "raw-device-access") == []


def test_memory_of_others() -> None:
    def look(process: int | str) -> int:
        return os.open(f"/proc/{process}/mem", os.O_RDONLY)

    me = process(ME)
    with child(lambda: look(ME)) as (pid, file):
        assert about(pid, "memory-of-others") == [
            {
                **process(pid),
                "fd": file,
                "mode": "r",
                "victim_pid": ME,
                "victim_name": me["name"],
                "victim_path": me["path"],
            }
        ]
    with child(lambda: look("self")) as (pid, _):
        assert about(pid, "memory-of-others") == []


@pytest.mark.parametrize(
    ("place", "seen"), [(".ssh/id_ed25519", True), (".ssh/id_ed25519.pub", False)]
)
def test_credential_files_open(tmp_path: Path, place: str, seen: bool) -> None:
    def look() -> int:
        (tmp_path / ".ssh").mkdir()
        return os.open(tmp_path / place, os.O_CREAT | os.O_RDONLY)

    with child(look) as (pid, file):
        row = {**process(pid), "fd": file, "mode": "r", "target": str(tmp_path / place)}
        assert about(pid, "credential-files-open") == ([row] if seen else [])


def test_secrets_in_environment() -> None:
    sleep = shutil.which("sleep")
    loud = {"DB_PASSWORD": "hunter2", "AWS_SECRET_ACCESS_KEY": "k", "Api_Key": "123"}
    with program("sleep", "1000000", executable=sleep, env=loud) as pid:
        found = about(pid, "secrets-in-environment")
        assert sorted(found, key=lambda row: -row["characters"]) == [
            {**process(pid), "variable": variable, "characters": len(loud[variable])}
            for variable in ("DB_PASSWORD", "Api_Key", "AWS_SECRET_ACCESS_KEY")
        ]
    quiet = {"PASSWORDLESS": "yes", "TOKEN": "", "API_KEY": "", "DB_PASSWORD_FILE": "/run/x"}
    with program("sleep", "1000000", executable=sleep, env=quiet) as pid:
        assert about(pid, "secrets-in-environment") == []


def test_blocked_locks(tmp_path: Path) -> None:
    def take() -> None:
        kept.append(os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR))

    def lock() -> None:
        take()
        fcntl.flock(kept[-1], fcntl.LOCK_EX)

    with child(lock) as (holder, _):
        with child(take, lambda: fcntl.flock(kept[-1], fcntl.LOCK_EX)) as (pid, _):
            wait_until(lambda: about(pid, "blocked-locks") != [])
            assert about(pid, "blocked-locks") == [
                {
                    "pid": pid,
                    "name": process(pid)["name"],
                    "target": str(tmp_path / "lock"),
                    "lock_class": "FLOCK",
                    "lock_access": "WRITE",
                    "range_start": 0,
                    "range_end": None,
                    "blocker_pid": holder,
                    "blocker_name": process(holder)["name"],
                    "blocker_cmdline": cmdline(holder),
                }
            ]
        assert about(holder, "blocked-locks") == []


@pytest.mark.parametrize(("groups", "shown"), [(0b101, "1,3"), (0, None)])
def test_netlink_listeners(groups: int, shown: str | None) -> None:
    def join() -> None:
        kept.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
        kept[-1].bind((0, groups))

    with child(join) as (pid, _):
        row = {**process(pid), "protocol": "route", "netlink_groups": shown}
        assert about(pid, "netlink-listeners") == ([row] if shown else [])


@pytest.mark.parametrize("abstract", [True, False])
def test_abstract_sockets(tmp_path: Path, abstract: bool) -> None:
    def bind() -> None:
        name = f"sockql-{os.getpid()}"
        kept.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        kept[-1].bind(f"\0{name}" if abstract else str(tmp_path / name))

    with child(bind) as (pid, _):
        row = {
            "socket": f"@sockql-{pid}",
            "socktype": "dgram",
            "state": "UNCONN",
            **process(pid),
            "netns": NETNS,
        }
        assert about(pid, "abstract-sockets") == ([row] if abstract else [])
