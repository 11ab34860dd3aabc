"""However many audits are run, each source is read once: strace counts the system calls."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT

HEAD = "-- title: T\n-- severity: low\n-- kind: audit\n"

#: What audits ask of the three tables: conditions, joins, look-ups, a self-join, a view.
QUERIES = {
    "a": "select src from sockets where state = 'LISTEN' and protocol = 'tcp' and sport = 1",
    "b": "select fd, sport from sockets join fds using(inode) where protocol = 'udp' and dport = 2",
    "c": "select pid, path from processes where name = 'no' and exe_deleted",
    "d": "select pid, target from fds where type = 'file' and deleted and size > 1e15",
    "e": "select p.cmdline, f.fd from processes p join fds f using(pid) where fd = 12345",
    "f": "select name, cwd from processes where pid = 2 and uid = 7",
    "g": "select a.pid from fds a join fds b on a.inode = b.inode and a.pid < b.pid",
    "h": "select pid from listening where sport = 3 and protocol = 'tcp'",
    "i": "select count(*) as n from sockets where family = 'netlink' group by recv_queue > 1e15"
    " having recv_queue > 1e15",
}


def traced(folder: Path, *words: str, open: Sequence[int] = ()) -> tuple[int, list[str]]:
    """Status and system calls of ``sockql`` in namespaces where the only other process is 2.

    Each of the four processes there has the descriptors ``open``.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root, to make namespaces")
    for program in ("strace", "unshare"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    log = folder / "trace"
    calls = "trace=openat,readlinkat,sendto"
    strace = ["strace", "-qq", "-s", "400", "-xx", "-e", calls, "-o", str(log)]
    command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
    # The shell is 1, the sleeping one 2, strace and sockql come after them.
    script = 'sleep 600 & "$@"; status=$?; kill $!; exit $status'
    done = subprocess.run(
        [*command, script, "sh", *strace, sys.executable, "-m", "sockql", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        pass_fds=open,
    )
    if not log.exists():
        pytest.skip(f"no namespaces, or nothing can be traced: {done.stderr.decode()}")
    text = log.read_text()
    # -xx: every text in hexadecimal, so that none has a quote in it.
    plain = re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), text)
    return done.returncode, [line for line in plain.split("\n") if line]


def test_each_source_is_read_once(tmp_path: Path) -> None:
    folder = tmp_path / "queries"
    folder.mkdir()
    for name, sql in QUERIES.items():
        (folder / f"{name}.sql").write_text(HEAD + sql)
    status, calls = traced(tmp_path, "audit", "--netns", "self", "--strict", f"{folder}/")
    assert status == 0
    opened = Counter(
        re.findall(r'openat\(\d+, "(2|2/fd)", O_RDONLY\|O_CLOEXEC\|O_DIRECTORY\)', "\n".join(calls))
    )
    assert opened == {"2": 1, "2/fd": 1}
    links = Counter(re.findall(r'readlinkat\(\d+, "(exe|cwd)"', "\n".join(calls)))
    # Of the shell, the sleeping one, strace and sockql itself.
    assert links == {"exe": 4, "cwd": 4}
    asked = Counter(
        re.sub(r"nlmsg_seq=\d+", "", call.partition("sendto")[2])
        for call in calls
        if "NLM_F_DUMP" in call or "0x300" in call
    )
    assert len(asked) >= 3
    assert set(asked.values()) == {1}


def test_the_link_of_a_socket_is_read_once_whichever_tables_tell_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "queries"
    folder.mkdir()
    for name, sql in {
        "a": "select fd, sport from sockets join fds using(inode) where dport = 2",
        "b": "select pid, scm_fds from fds where type = 'ns' and scm_fds > 7",
        "c": "select pid from endpoints where kind = 'unix' and fd = 12345",
        "d": "select ns_inode from namespaces where descriptor_count > 1e15",
        "e": "select inode from sockets where owner_state = 'timewait'",
        "f": "select pid from fds where fd = 12345",
    }.items():
        (folder / f"{name}.sql").write_text(HEAD + sql)
    pair = socket.socketpair()
    numbers = [fcntl.fcntl(end, fcntl.F_DUPFD, 200 + i) for i in range(20) for end in pair]
    try:
        status, calls = traced(tmp_path, "audit", "--strict", f"{folder}/", open=numbers)
    finally:
        for number in numbers:
            os.close(number)
        for end in pair:
            end.close()
    assert status == 0
    links = Counter(re.findall(r'readlinkat\(\d+, "(2\d\d)"', "\n".join(calls)))
    assert links == {str(number): 4 for number in numbers}
