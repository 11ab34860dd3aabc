"""What a command costs: wall time, processor time, peak memory, and what it asks of the kernel."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

#: Seconds after which a command is given up.
PATIENCE = 300


def environment() -> dict[str, str]:
    """What commands are run with: no variable that changes what Python imports or compiles."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "LC_ALL": "C"}


@dataclass(frozen=True)
class Sample:
    """One run of a command, from fork to wait, its output read from a pipe and thrown away."""

    wall: float  # seconds
    cpu: float  # seconds, user and system
    memory: int  # bytes, peak resident set
    lines: int


@dataclass
class Subject:
    """A command to measure and what has been measured of it."""

    name: str
    command: Sequence[str]
    headers: int = 0  # lines of its output that are no rows
    samples: list[Sample] = field(default_factory=list)

    @property
    def path(self) -> str | None:
        """The program, None where it is not installed."""
        return shutil.which(self.command[0])

    @property
    def wall(self) -> float:
        """Median of the wall times in seconds."""
        return median(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        """Median of the processor times in seconds."""
        return median(sample.cpu for sample in self.samples)

    @property
    def memory(self) -> float:
        """Median of the peak resident sets in bytes."""
        return median(sample.memory for sample in self.samples)

    @property
    def rows(self) -> int:
        """The rows of its output, the same in each run.

        :raises ValueError: when runs differ, so that the load was not what was measured.
        """
        counts = {sample.lines - self.headers for sample in self.samples}
        if len(counts) != 1:
            raise ValueError(f"{self.name}: rows differ between runs: {sorted(counts)}")
        return counts.pop()

    def run(self, *, keep: bool = True) -> None:
        """Measure it once; ``keep=False`` for the run that warms the caches."""
        sample = measure(self.command)
        if keep:
            self.samples.append(sample)


def measure(command: Sequence[str]) -> Sample:
    """Run ``command`` to its end, reading its output from a pipe as ``| cat`` would.

    A fork and no vfork: the peak memory of a child starts from that of the address space it was
    forked with, and a copy counts only what is private to it.

    :raises RuntimeError: when it fails.
    """
    path = shutil.which(command[0])
    if path is None:
        raise RuntimeError(f"{command[0]} is not installed")
    settings = environment()
    reader, writer = os.pipe()
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        try:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(writer, 1)
            os.dup2(null, 2)
            signal.alarm(PATIENCE)
            os.execve(path, list(command), settings)
        finally:
            os._exit(127)
    os.close(writer)
    lines = 0
    try:
        while piece := os.read(reader, 1 << 16):
            lines += piece.count(b"\n")
    finally:
        os.close(reader)
        _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    code = os.waitstatus_to_exitcode(status)
    # lsof ends with 1 when a descriptor vanished or a file system could not be asked, an audit
    # when it has found something.
    fine = path.endswith("lsof") or command[1:2] == ("audit",)
    if code not in (0, 1) or (code == 1 and not fine):
        raise RuntimeError(f"{' '.join(command)}: exit status {code}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, lines)


@dataclass(frozen=True)
class Traced:
    """What a command asked of the kernel, from strace(1)."""

    netlink_bytes: int  # received from netlink sockets
    fd_folders: int  # folders /proc/PID/fd that were opened
    processes: frozenset[int]  # whose folder in /proc, or something in it, was opened


_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_NETLINK = re.compile(r"\d+<(?:NETLINK|socket):?\[")
_OPENED = re.compile(r'(?:AT_FDCWD(?:<[^>]*>)?|\d+<(?P<folder>[^>]*)>), "(?P<path>[^"]*)"')
_RECEIVE = frozenset({"read", "recvfrom", "recvmsg"})


def trace(command: Sequence[str], log: Path) -> Traced | None:
    """Trace ``command`` into the file ``log``; None where strace is not installed.

    :raises subprocess.CalledProcessError: when it fails.
    """
    if shutil.which("strace") is None:
        return None
    calls = "trace=open,openat,read,recvfrom,recvmsg"
    strace = ["strace", "-f", "-qq", "-yy", "-s", "256", "-e", calls, "-o", str(log)]
    words = [*strace, *command]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment())
    netlink = folders = 0
    processes = set()
    for line in log.read_text(errors="backslashreplace").splitlines():
        found = _CALL.search(line)
        if found is None or int(found[3]) < 0:
            continue
        call, arguments, result = found[1], found[2], int(found[3])
        if call in _RECEIVE:
            if _NETLINK.match(arguments):
                netlink += result
        elif opened := _OPENED.match(arguments):
            path = os.path.join(opened["folder"] or "", opened["path"])
            parts = path.split("/")
            if parts[:2] == ["", "proc"] and len(parts) > 2 and parts[2].isdigit():
                processes.add(int(parts[2]))
                folders += parts[3:] == ["fd"]
    return Traced(netlink, folders, frozenset(processes))
