"""What the queries look for, set up for as long as a test needs it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.proc.cgroup_tree import hierarchies
from tests.live.children import wait_until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="what is set up takes root (EPERM)")

NOBODY = 65534

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)

#: What a child must not let go.
kept: list[Any] = []


def call(name: str, *arguments: Any) -> int:
    """A function of the C library.

    :raises OSError: when it answers -1.
    """
    answer = int(getattr(_libc, name)(*arguments))
    if answer == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return answer


@contextlib.contextmanager
def program(*argv: str, **options: Any) -> Iterator[int]:
    """The number of a program that runs until the end."""
    options = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        **options,
    }
    name = os.path.basename(options.get("executable", argv[0]))[:15]
    with subprocess.Popen(argv, **options) as running:
        try:
            # Popen returns as soon as execve(2) closes descriptors; the name comes after that, and
            # the arguments come last.
            at = Path(f"/proc/{running.pid}")
            wait_until(lambda: (at / "comm").read_text() == f"{name}\n")
            wait_until(lambda: (at / "cmdline").read_bytes() != b"")
            yield running.pid
        finally:
            running.kill()


def copy_of_sleep(place: Path) -> str:
    """A program that sleeps, in a file of its own."""
    found = shutil.which("sleep")
    assert found is not None
    shutil.copy(os.path.realpath(found), place)
    return str(place)


def listed(place: Path, column: str, *cells: str) -> str:
    """A file for a parameter that is a table of one column."""
    file = place / f"{column}.csv"
    file.write_text("\n".join([column, *cells]) + "\n")
    return str(file)


@contextlib.contextmanager
def container() -> Iterator[tuple[str, Path]]:
    """A control group as Docker makes one for a container: the id, and the file to enter it by.

    Skips where there is none to be made.
    """
    found = hierarchies(Path("/proc/self/mountinfo").read_bytes()).get(None)
    if found is None:
        pytest.skip("no cgroup2 is mounted (ENODEV)")
    name = secrets.token_hex(32)
    made = Path(found[0]) / f"docker-{name}.scope"
    try:
        made.mkdir()
    except OSError as error:
        pytest.skip(f"no control group of our own ({errno.errorcode[error.errno or 0]})")
    members = made / "cgroup.procs"
    try:
        yield name, members
    finally:
        wait_until(lambda: members.read_text() == "")
        made.rmdir()


def new_network() -> int:
    """Move to a new network namespace, its loopback interface up; its inode."""
    call("unshare", CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
    return os.stat("/proc/self/ns/net").st_ino


def add_address(address: str, label: bytes = b"lo:1") -> None:
    """Another IPv4 address on the loopback interface of this network namespace."""
    request = struct.pack("16sHH4s8x", label, socket.AF_INET, 0, socket.inet_aton(address))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8916, request)  # SIOCSIFADDR


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def become(name: str) -> None:
    """Give this process another name."""
    Path("/proc/self/comm").write_text(name)


def beside(prepare: Callable[[], Any]) -> int:
    """Another process of a child's, which ends with it: its number once it has prepared."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            call("prctl", 1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
            os.closerange(900, 1000)  # what the child answers by has to end with it
            prepare()
            os.write(writing, b"x")
            os.close(reading)
            os.close(writing)
            while True:
                signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    assert os.read(reading, 1), "it could not prepare"
    os.close(reading)
    return pid


def drop_everything(sock: socket.socket) -> None:
    """From now on the socket receives nothing: a filter drops all packets, as a bad line would.

    Skips where the kernel has no room for filters of unprivileged users (net.core.bpf_jit_limit).
    """
    program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # BPF_RET | BPF_K, 0
    filter = struct.pack("HP", 1, ctypes.addressof(program))
    try:
        sock.setsockopt(socket.SOL_SOCKET, 26, filter)  # SO_ATTACH_FILTER
    except PermissionError:
        pytest.skip("no socket filters for this user (EPERM)")
