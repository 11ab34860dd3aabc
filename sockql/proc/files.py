"""What the files of one process say: the record of ``processes``, and its cells.

A record keeps what was read as bytes; a cell is parsed when it is asked for.  The parsers are
pure functions over bytes.
Source: proc_pid_stat(5), proc_pid_status(5) and so on; fs/proc/array.c, fs/proc/base.c.
"""

from __future__ import annotations

import os

from sockql.errors import ParseError
from sockql.proc import procfs
from sockql.proc.procfs import fitting, number, readable_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, TypeAlias

    from sockql.schema import Value

    Cell: TypeAlias = Callable[[Any], Value]
    Convert: TypeAlias = Callable[[int], Value]

#: Clock ticks in a second, as procfs counts them (USER_HZ).
TICKS: Final = os.sysconf("SC_CLK_TCK")
#: A user id that is not set, in loginuid.
UNSET: Final = 2**32 - 1

_POLICIES: Final = {
    0: "SCHED_OTHER",
    1: "SCHED_FIFO",
    2: "SCHED_RR",
    3: "SCHED_BATCH",
    5: "SCHED_IDLE",
    6: "SCHED_DEADLINE",
    7: "SCHED_EXT",
}
SECCOMP: Final = ("disabled", "strict", "filter")


class Process:
    """One process: ``files`` has what was read of it, by the name of the file or link.

    ``boot`` and ``uptime`` are the host's, in seconds, and ``memory`` is its size in bytes (None
    when not asked for or not to be had); ``exe_deleted``, ``on_disk`` and ``descriptors`` are None when unknown.
    """

    __slots__ = (
        "_stat",
        "boot",
        "descriptors",
        "exe_deleted",
        "files",
        "memory",
        "on_disk",
        "pid",
        "uptime",
    )

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.files: dict[str, bytes] = {}
        self.boot: int | None = None
        self.uptime: float | None = None
        self.memory: int | None = None
        self.exe_deleted: bool | None = None
        self.on_disk: bool | None = None
        self.descriptors: int | None = None
        self._stat: tuple[bytes, list[bytes]] | None = None

    @property
    def stat(self) -> tuple[bytes, list[bytes]] | None:
        """comm and fields of stat, see :func:`sockql.proc.procfs.parse_stat`; parsed once."""
        if self._stat is None and "stat" in self.files:
            self._stat = procfs.parse_stat(self.files["stat"])
        return self._stat


def line(data: bytes, key: bytes) -> bytes | None:
    r"""The value of the line ``key: value``, stripped; None when there is no such line.

    >>> line(b"Umask:\t0022\nState:\tS (sleeping)\n", b"Umask")
    b'0022'
    """
    if data.startswith(key + b":"):
        start = 0
    else:
        start = data.find(b"\n" + key + b":") + 1
        if not start:
            return None
    start += len(key) + 1
    end = data.find(b"\n", start)
    return data[start : end if end >= 0 else len(data)].strip()


def arguments(data: bytes) -> list[bytes]:
    """The arguments in /proc/PID/cmdline, empty ones too.

    Each ends with a NUL, save that of a process that wrote over its arguments.
    """
    return data[: -1 if data.endswith(b"\0") else len(data)].split(b"\0") if data else []


def command_line(data: bytes) -> str | None:
    """The arguments joined by blanks, without blanks at the ends; None when there are none."""
    return readable_text(data.replace(b"\0", b" ").strip()) if data else None


def cgroup_path(data: bytes) -> str | None:
    """The path in the version 2 line of /proc/PID/cgroup, else in the first line.

    :raises ParseError: when a line is not ID:CONTROLLERS:PATH.
    """
    lines = data.splitlines()
    for entry in lines:
        if entry.startswith(b"0::"):
            return readable_text(entry[3:])
    if not lines:
        return None
    parts = lines[0].split(b":", 2)
    if len(parts) < 3:
        raise ParseError(f"/proc/PID/cgroup: {lines[0][:200]!r}: expected ID:CONTROLLERS:PATH")
    return readable_text(parts[2])


def terminal(device: int) -> str | None:
    """The name below /dev of the terminal with stat's number tty_nr, else major:minor.

    Source: Documentation/admin-guide/devices.txt; the number is as new_encode_dev() makes it.
    """
    if not device:
        return None
    device &= 0xFFFFFFFF
    major = device >> 8 & 0xFFF
    minor = device & 0xFF | device >> 12 & 0xFFF00
    if 136 <= major <= 143:
        return f"pts/{minor + (major - 136) * 256}"
    if major == 4:
        return f"tty{minor}" if minor < 64 else f"ttyS{minor - 64}"
    return "console" if (major, minor) == (5, 1) else f"{major}:{minor}"


def boot_time(data: bytes) -> int | None:
    """Seconds since the epoch at which the system started, from /proc/stat."""
    _, found, rest = data.partition(b"\nbtime ")
    return number(rest.partition(b"\n")[0], "/proc/stat btime") if found else None


def memory_size(data: bytes) -> int | None:
    """Bytes of RAM that the kernel has to give, from /proc/meminfo.

    :raises ParseError: when it is no number.
    """
    found = line(data, b"MemTotal")
    kibibytes = None if found is None else number(found.split()[0], "/proc/meminfo MemTotal")
    return None if kibibytes is None else kibibytes * 1024


def up_time(data: bytes) -> float | None:
    """Seconds the system is up, from /proc/uptime.

    :raises ParseError: when there is no number.
    """
    try:
        return float(data.split()[0])
    except (ValueError, IndexError):
        raise ParseError(f"/proc/uptime: {data[:200]!r}: expected seconds") from None


# -- cells ------------------------------------------------------------------------------------


def _same(value: int) -> Value:
    return value


def milliseconds(ticks: int) -> int | None:
    """Clock ticks as milliseconds."""
    return fitting(ticks * 1000 // TICKS)


def start_time(process: Process) -> Value:
    """Seconds since the epoch at which the process started, whole ones, so that it never varies."""
    ticks = stat_number(22)(process)
    return None if process.boot is None or ticks is None else process.boot + int(ticks) // TICKS


def elapsed_time(process: Process) -> Value:
    """Seconds since the process started."""
    ticks = stat_number(22)(process)
    return None if process.uptime is None or ticks is None else process.uptime - int(ticks) / TICKS


def scheduling(policy: int) -> str:
    """The name of a scheduling policy, as in sched(7)."""
    return _POLICIES.get(policy, str(policy))


def seccomp(mode: int) -> str:
    """The name of a seccomp mode."""
    return SECCOMP[mode] if 0 <= mode < len(SECCOMP) else str(mode)


def stat_number(field: int, convert: Convert = _same, unset: int | None = None) -> Cell:
    """The cell with field number ``field`` (proc(5)'s count) of stat; NULL where ``unset``."""
    index = field - 3

    def get(process: Process) -> Value:
        found = process.stat
        if found is None or index >= len(found[1]):
            return None
        value = number(found[1][index], "/proc/PID/stat")
        return None if value is None or value == unset else convert(value)

    return get


def status_text(key: bytes) -> Cell:
    """The cell with a line of status as text."""

    def get(process: Process) -> Value:
        found = line(process.files.get("status", b""), key)
        return None if found is None else readable_text(found)

    return get


def status_number(
    key: bytes,
    index: int = 0,
    convert: Convert = _same,
    unset: int | None = None,
    file: str = "status",
) -> Cell:
    """The cell with the number at ``index`` in a line of status (or io); NULL where ``unset``."""

    def get(process: Process) -> Value:
        found = line(process.files.get(file, b""), key)
        if found is None:
            return None
        words = found.split()
        what = f"/proc/PID/{file} {key.decode()}"
        value = number(words[index] if index < len(words) else b"", what)
        return None if value is None or value == unset else convert(value)

    return get


def status_size(key: bytes) -> Cell:
    """The cell with a line of status in kB, as bytes."""
    return status_number(key, convert=lambda kibibytes: fitting(kibibytes * 1024))


def status_list(key: bytes) -> Cell:
    """The cell with the numbers in a line of status as a JSON array."""

    def get(process: Process) -> Value:
        found = line(process.files.get("status", b""), key)
        if found is None:
            return None
        what = f"/proc/PID/status {key.decode()}"
        numbers = [number(word, what) for word in found.split()]
        return "[" + ",".join("null" if n is None else str(n) for n in numbers) + "]"

    return get


def whole(file: str, unset: int | None = None) -> Cell:
    """The cell with the number that is all of ``file``; NULL where ``unset``."""

    def get(process: Process) -> Value:
        data = process.files.get(file)
        value = None if data is None else number(data, f"/proc/PID/{file}")
        return None if value == unset else value

    return get


def link(file: str) -> Cell:
    """The cell with the text of a link."""

    def get(process: Process) -> Value:
        data = process.files.get(file)
        return None if data is None else readable_text(data)

    return get


def namespace(name: str) -> Cell:
    """The cell with the inode of a namespace."""
    file = f"ns/{name}"
    return lambda process: procfs.bracketed(process.files.get(file, b""))
