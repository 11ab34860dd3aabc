"""fds and processes as a user sees them who may not see everything, in a pid namespace."""

from __future__ import annotations

import json
import os

import pytest

from tests.live.children import in_pid_namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="to become nobody takes root (EPERM)")

AS_NOBODY = """
import ctypes, json, os, subprocess, time
from sockql import connect
libc = ctypes.CDLL(None)
def ask():
    with connect() as db:
        rows = [db.query(sql) for sql in (
            "select pid, fd, target from fds",
            "select pid, path, disk_bytes_read is null, name from processes")]
        return rows, db.notices
ask()  # as root: everything is imported
root = subprocess.Popen(["sleep", "100"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
other = subprocess.Popen(
    ["sleep", "100"], user=65534, group=65534, extra_groups=[], close_fds=True,
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
deadline = time.monotonic() + 30
for pid in (root.pid, other.pid):  # which open files of their own until they sleep
    while b"(sleep) S" not in open(f"/proc/{pid}/stat", "rb").read():
        assert time.monotonic() < deadline
dead = os.fork()
if dead == 0:
    os._exit(0)
os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)
reading, writing = os.pipe()
pid = os.fork()
if pid == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    libc.prctl(4, 1)  # PR_SET_DUMPABLE: /proc/self is ours again
    (fds, processes), notices = ask()
    me = os.getpid()
    os.write(writing, json.dumps([
        root.pid, other.pid, dead, me, [row for row in fds if row[0] != me],
        [row for row in processes if row[0] != me], notices]).encode())
    os._exit(0)
os.close(writing)
print(open(reading).read())
os.waitpid(pid, 0)
"""


def test_what_nobody_may_not_read_is_counted() -> None:
    """Process 1 and a child are root's, one sleeps as nobody, one is dead, one asks."""
    root, other, dead, _, fds, processes, notices = json.loads(in_pid_namespace(AS_NOBODY))
    sleep = os.path.realpath("/usr/bin/sleep" if os.path.exists("/usr/bin/sleep") else "/bin/sleep")
    assert fds == [[other, fd, "/dev/null"] for fd in range(3)]
    assert [row[:3] for row in processes] == [
        [1, None, 1],
        [root, None, 1],
        [other, sleep, 0],
        [dead, None, 1],
    ]
    assert notices == [
        "fds: 2 of 5 processes not readable (EACCES); run as root or with CAP_SYS_PTRACE",
        (
            "processes: exe, io of 2 of 5 processes not readable (EACCES); "
            "run as root or with CAP_SYS_PTRACE"
        ),
    ]


def test_a_mount_that_hides_processes_is_told() -> None:
    _root, other, _dead, _, fds, processes, notices = json.loads(
        in_pid_namespace(AS_NOBODY, "hidepid=2")
    )
    assert fds == [[other, fd, "/dev/null"] for fd in range(3)]
    assert [row[0] for row in processes] == [other]
    assert notices == [
        (
            "/proc is mounted with hidepid: processes of other users are not shown; "
            "run as root or with CAP_SYS_PTRACE"
        )
    ]


def test_a_mount_that_lets_nobody_in_leaves_the_numbers() -> None:
    root, other, dead, _, fds, processes, notices = json.loads(
        in_pid_namespace(AS_NOBODY, "hidepid=1")
    )
    assert fds == [[other, fd, "/dev/null"] for fd in range(3)]
    assert [[row[0], row[3]] for row in processes] == [
        [1, None],
        [root, None],
        [other, "sleep"],
        [dead, None],
    ]
    assert notices == [
        "fds: 3 of 5 processes not readable (EPERM); run as root or with CAP_SYS_PTRACE",
        "processes: 3 of 5 processes not readable (EPERM); run as root or with CAP_SYS_PTRACE",
    ]
