"""Queries about what processes may do, whose they are, and which are not to be seen."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live import fuse
from tests.live.children import child, state, wait_until
from tests.queries.asking import about, process, shipped, started, status
from tests.queries.setups import (
    CLONE_NEWUSER,
    NOBODY,
    add_address,
    become_nobody,
    call,
    container,
    kept,
    listed,
    needs_root,
    new_network,
)

PTRACE_SEIZE = 0x4206
PR_SET_KEEPCAPS = 8
PR_SET_DUMPABLE = 4
CAP_NET_BIND_SERVICE, CAP_NET_RAW = 10, 13


def nothing() -> None:
    """A process as any other."""


def test_traced_process() -> None:
    with child(nothing) as (pid, _):
        assert about(pid, "traced-process") == []
        try:
            call("ptrace", PTRACE_SEIZE, pid, 0, 0)
        except PermissionError:
            pytest.skip("ptrace(2) is not allowed here (EPERM)")
        me = process(os.getpid())
        assert about(pid, "traced-process") == [
            {
                **process(pid),
                "tracer_pid": me["pid"],
                "tracer_name": me["name"],
                "tracer_path": me["path"],
                "tracer_user": me["user"],
            }
        ]


def test_user_namespace() -> None:
    def enter() -> int | None:
        try:
            call("unshare", CLONE_NEWUSER)
        except PermissionError:
            return None
        return os.stat("/proc/self/ns/user").st_ino

    with child(enter) as (pid, space):
        if space is None:
            pytest.skip("no user namespaces (EPERM)")
        assert about(pid, "user-namespace") == [
            {**process(pid, "cmdline"), "ns_user": space, "systemd_unit": None}
        ]
    with child(nothing) as (pid, _):
        assert about(pid, "user-namespace") == []


def as_nobody_with(capability: int) -> None:
    """Become nobody and keep one capability."""
    call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    become_nobody()
    bits = 1 << capability
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    call("capset", header, (ctypes.c_uint32 * 6)(bits, bits, 0, 0, 0, 0))
    call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)


@needs_root
def test_powerful_capabilities(tmp_path: Path) -> None:
    with child(lambda: as_nobody_with(CAP_NET_RAW)) as (pid, _):
        assert about(pid, "powerful-capabilities") == [
            {**process(pid), "capabilities": "cap_net_raw", "systemd_unit": None}
        ]
        programs = listed(tmp_path, "path", process(pid)["path"])
        assert about(pid, "powerful-capabilities", capable_programs=programs) == []
    with child(lambda: as_nobody_with(CAP_NET_BIND_SERVICE)) as (pid, _):
        assert about(pid, "powerful-capabilities") == []


@needs_root
@pytest.mark.parametrize(
    ("inside", "own_users", "seen"),
    [(True, False, True), (True, True, False), (False, False, False)],
)
def test_privileged_container(inside: bool, own_users: bool, seen: bool) -> None:
    with container() as (id, entry):

        def enter() -> None:
            if inside:
                entry.write_text("0")
            if own_users:
                call("unshare", CLONE_NEWUSER)

        with child(enter) as (pid, _):
            bits = int(status(pid, "CapEff")[0], 16)
            names = {21: "sys_admin", 16: "sys_module", 19: "sys_ptrace", 17: "sys_rawio"}
            names |= {2: "dac_read_search", 39: "bpf"}
            row = {
                "container_runtime": "docker",
                "container_id": id,
                **process(pid),
                "capabilities": " ".join(name for bit, name in names.items() if bits >> bit & 1),
                "host_namespaces": "pid net ipc",
            }
            assert about(pid, "privileged-container") == ([row] if seen else [])


@needs_root
def test_chrooted_process(tmp_path: Path) -> None:
    with child(lambda: os.chroot(tmp_path)) as (pid, _):
        assert about(pid, "chrooted-process") == [{**process(pid), "root": str(tmp_path)}]
    with child(lambda: os.chroot("/")) as (pid, _):
        assert about(pid, "chrooted-process") == []


def test_zombies() -> None:
    def leave(count: int) -> None:
        for _ in range(count):
            pid = os.fork()
            if not pid:
                os._exit(0)
            wait_until(lambda pid=pid: state(pid) == "Z")  # type: ignore[misc]

    with child(lambda: leave(3)) as (pid, _):
        assert about(pid, "zombies", more_than=2) == [{**process(pid), "zombies": 3}]
        assert about(pid, "zombies", more_than=3) == []


@needs_root
@pytest.mark.parametrize(
    ("uids", "address", "seen"),
    [
        ((NOBODY, 0, 0), "192.0.2.1", True),
        ((NOBODY, NOBODY, 0), "192.0.2.1", True),
        ((NOBODY, 0, 0), "127.0.0.1", False),
        ((NOBODY, NOBODY, NOBODY), "192.0.2.1", False),
        ((0, NOBODY, 0), "192.0.2.1", False),
    ],
)
def test_setuid_connected(uids: tuple[int, int, int], address: str, seen: bool) -> None:
    def connect() -> tuple[int, int]:
        new_network()
        add_address("192.0.2.1")
        listener = socket.create_server((address, 0))
        client = socket.create_connection(listener.getsockname())
        kept.extend((listener, client, listener.accept()[0]))
        os.setresuid(*uids)
        call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)
        return listener.getsockname()[1], client.getsockname()[1]

    with child(connect) as (pid, (port, other)):
        found = about(pid, "setuid-connected")
        row = process(pid)
    assert sorted(found, key=lambda each: each["sport"] == port) == (
        [
            {
                "pid": pid,
                "name": row["name"],
                "user": "nobody",
                "rights_of": row["user"],
                "path": row["path"],
                "protocol": "tcp",
                "src": address,
                "sport": sport,
                "dst": address,
                "dport": dport,
            }
            for sport, dport in ((other, port), (port, other))
        ]
        if seen
        else []
    )


@needs_root
def test_hanging_threads(tmp_path: Path) -> None:
    servers: list[fuse.Server] = []

    def mount() -> str:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        os.open("/dev/null", os.O_RDWR)  # the mount's must not be descriptor 0
        try:
            servers.append(fuse.mount(tmp_path))
            os.stat(tmp_path)  # it has begun to answer
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return ""

    def hang() -> None:
        if servers:
            servers[0].stop()
            os.stat(tmp_path / "file")

    with child(mount, hang) as (pid, refused):
        if refused:
            pytest.skip(f"FUSE cannot be mounted ({refused})")

        def deaf() -> bool:
            """FUSE takes one signal as a wish to stop, and then listens to none but SIGKILL."""
            os.kill(pid, signal.SIGUSR1)
            return state(pid) == "D"

        wait_until(deaf)
        waits_in = Path(f"/proc/{pid}/wchan").read_text()
        row = process(pid)
        assert about(pid, "hanging-threads") == [
            {
                "pid": pid,
                "tid": pid,
                "thread": row["name"],
                "user": row["user"],
                "path": row["path"],
                "waits_in": None if waits_in == "0" else waits_in,
            }
        ]
    with child(nothing) as (pid, _):
        assert about(pid, "hanging-threads") == []


HIDE = """
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* Like the usual rootkits: a directory never lists the entry that HIDDEN names. */
#define HIDING(type, name)                                          \\
    struct type *name(DIR *dir)                                     \\
    {                                                               \\
        struct type *(*real)(DIR *) = dlsym(RTLD_NEXT, #name);      \\
        struct type *entry;                                         \\
        do                                                          \\
            entry = real(dir);                                      \\
        while (entry && !strcmp(entry->d_name, getenv("HIDDEN")));  \\
        return entry;                                               \\
    }
HIDING(dirent, readdir)
#ifdef __USE_LARGEFILE64
#undef readdir64
HIDING(dirent64, readdir64)
#endif
"""


def test_hidden_process(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make the hiding library with (ENOENT)")
    (tmp_path / "hide.c").write_text(HIDE)
    library = tmp_path / "hide.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, tmp_path / "hide.c", "-ldl"], check=True
    )

    def sockql(*arguments: str, hide: int) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "sockql", "--json", *arguments],
            env={**os.environ, "LD_PRELOAD": str(library), "HIDDEN": str(hide)},
            stdout=subprocess.PIPE,
        )
        assert done.returncode in (0, 1)
        return json.loads(done.stdout)

    with child(nothing) as (pid, _):
        highest = max(int(name) for name in os.listdir("/proc") if name.isdigit())
        query = ("-p", f"numbers={highest - pid + 10_000}", "-f", shipped("hidden-process").path)
        assert sockql(f"select pid from processes where pid between {pid} and {pid}", hide=0) == [
            {"pid": pid}
        ]
        assert sockql("select pid from processes where +pid = " + str(pid), hide=pid) == []
        known = process(pid)
        row = {"pid": pid, "name": known["name"], "user": known["user"], "started": started(pid)}
        assert [each for each in sockql(*query, hide=pid) if each["pid"] == pid] == [row]
        assert [each for each in sockql(*query, hide=0) if each["pid"] == pid] == []
        # What other audits have collected of all that is listed is no answer to this one.
        first = tmp_path / "a-first.sql"
        first.write_text(
            "-- title: T\n-- severity: critical\n-- kind: audit\n"
            "select pid, tid, thread_name, euid, start_time, start_ticks from threads where +pid < 0"
        )
        words = ["audit", str(first), "hidden-process", *query[:2]]
        audits = {each["audit"]: each for each in sockql(*words, hide=pid)["audits"]}
        assert audits["a-first"]["rows"] == []
        assert [each for each in audits["hidden-process"]["rows"] if each["pid"] == pid] == [row]

        # Nor is it taken from what another audit has listed, in which it is hidden.
        _, numbers, *_ = query
        others = ("deleted-executable", "hanging-threads", "hidden-process")
        audits = sockql("audit", *others, "-p", numbers, hide=pid)["audits"]
        (found,) = [each for each in audits if each["audit"] == "hidden-process"]
        assert [each for each in found["rows"] if each["pid"] == pid] == [row]
    # A number that is not tried is found by what others say of it: the leader of a session.
    with child(lead) as (pid, follower):
        row = {"pid": pid, "name": process(pid)["name"], "user": process(pid)["user"]}
        few = ("-p", "numbers=1", "-f", shipped("hidden-process").path)
        assert status(follower, "PPid") != [str(pid)]
        found = [each for each in sockql(*few, hide=pid) if each["pid"] == pid]
        assert found == [{**row, "started": started(pid)}]


def lead() -> int:
    """Lead a session that another process is in, which is nobody's child any more: its number."""
    os.setsid()
    reading, writing = os.pipe()
    told, telling = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.close(writing)
            os.closerange(900, 1000)  # by which the child answers
            os.write(telling, str(os.getpid()).encode())
            os.read(reading, 1)  # until the leader ends
        os._exit(0)
    os.wait()
    kept.append(writing)
    return int(os.read(told, 20))
