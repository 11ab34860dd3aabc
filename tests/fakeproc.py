"""A directory laid out like /proc, made of what a test says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from sockql.host import Host
from sockql.request import Constraint, Request
from sockql.schema import Table
from sockql.snapshot import Snapshot


class Link(str):
    """The text of a symbolic link; surrogates stand for bytes that are not UTF-8."""

    __slots__ = ()


Tree: TypeAlias = "dict[str, bytes | Link | None]"


def proc_tree(files: Mapping[str, bytes | Link | None], root: Path) -> Path:
    """Make ``files`` (None: an empty directory) below ``root/proc`` and return that directory."""
    proc = root / "proc"
    proc.mkdir(exist_ok=True)
    for name, content in files.items():
        path = proc / name
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            os.symlink(content, path)
        else:
            path.write_bytes(content)
    return proc


def stat(
    pid: int,
    comm: bytes = b"sleep",
    state: str = "S",
    *,
    parent: int = 1,
    flags: int = 0x400000,
    threads: int = 1,
    start: int = 1000,
    vsize: int = 4096,
    exit_signal: int = 17,
) -> bytes:
    """/proc/PID/stat as Linux 6.18 writes it, with other numbers that can be told apart.

    utime, stime, cutime and cstime are 250, 50, 70 and 30 clock ticks.
    """
    front = f"{pid} (".encode() + comm + f") {state} {parent} {pid} {pid} 34817 {pid}".encode()
    middle = f" {flags} 10 11 12 13 250 50 70 30 25 5 {threads} 0 {start} {vsize} 3"
    return (
        front
        + (
            f"{middle} 18446744073709551615 1 2 3 4 5 0 0 0 0 0 0 0 {exit_signal} 2 40 1 6"
            " 7 8 0 0 0 0 0 0 0 0\n"
        ).encode()
    )


STATUS = b"""Name:\tsl)e\\nep
Umask:\t0027
State:\tS (sleeping)
Tgid:\t42
Ngid:\t0
Pid:\t42
PPid:\t1
TracerPid:\t7
Uid:\t1000\t1001\t1002\t1003
Gid:\t100\t101\t102\t103
FDSize:\t64
Groups:\t4 27 4294967294
NStgid:\t42\t2
NSpid:\t42\t2
NSpgid:\t42\t2
NSsid:\t42\t2
Kthread:\t0
VmPeak:\t    3060 kB
VmSize:\t    3060 kB
VmLck:\t       4 kB
VmPin:\t       0 kB
VmHWM:\t    1688 kB
VmRSS:\t    1600 kB
RssAnon:\t     112 kB
RssFile:\t    1480 kB
RssShmem:\t       8 kB
VmData:\t     360 kB
VmStk:\t     132 kB
VmExe:\t      20 kB
VmLib:\t    1528 kB
VmPTE:\t      48 kB
VmSwap:\t      16 kB
HugetlbPages:\t       0 kB
CoreDumping:\t0
THP_enabled:\t1
Threads:\t1
SigQ:\t0/96365
SigPnd:\t0000000000000000
ShdPnd:\t0000000000000001
SigBlk:\t0000000000000002
SigIgn:\t0000000000000004
SigCgt:\t0000000000000008
CapInh:\t0000000000000000
CapPrm:\t00000000000000ff
CapEff:\t000000000000000f
CapBnd:\t000001ffffffffff
CapAmb:\t0000000000000010
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t3
Speculation_Store_Bypass:\tvulnerable
Cpus_allowed:\t3
Cpus_allowed_list:\t0-1
Mems_allowed:\t00000001
Mems_allowed_list:\t0
voluntary_ctxt_switches:\t150
nonvoluntary_ctxt_switches:\t5
"""


_IO = (
    b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 16\n"
    b"cancelled_write_bytes: 6\n"
)
_LIMITS = b"""\
Limit                     Soft Limit           Hard Limit           Units
Max core file size        0                    unlimited            bytes
Max processes             unlimited            unlimited            processes
Max open files            1024                 524288               files
Max locked memory         unlimited            unlimited            bytes
"""
_ROLLUP = b"""\
55881dd47000-7fff21c8f000 ---p 00000000 00:00 0                          [rollup]
Rss:                1724 kB
Pss:                   4 kB
Pss_Dirty:             3 kB
Private_Clean:        10 kB
Private_Dirty:         3 kB
Private_Hugetlb:       1 kB
Swap:                  8 kB
SwapPss:               2 kB
"""
_NAMESPACES = {
    f"42/ns/{name}": Link(f"{name}:[{number}]")
    for number, name in enumerate(
        ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"), 100
    )
}
#: 42 is a process of which everything is known, 43 a kernel thread, 44 a zombie.
PROCESSES: Tree = {
    "stat": b"cpu 1 2 3\nintr 1 2\nctxt 5\nbtime 1700000000\nprocesses 9\n",
    "uptime": b"5010.25 100.00\n",
    "meminfo": b"MemTotal:          16000 kB\nMemFree:            1234 kB\n",
    "42/stat": stat(42, b"a) b\n\xff"),
    "42/status": STATUS,
    "42/cmdline": b"/bin/sleep\0\0caf\xe9 x\0",
    "42/cgroup": b"1:cpu:/x\n0::/user.slice\n",
    "42/io": _IO,
    "42/loginuid": b"1000",
    "42/limits": _LIMITS,
    "42/smaps_rollup": _ROLLUP,
    "42/autogroup": b"/autogroup-116 nice -5\n",
    "42/attr/current": b"docker-default (enforce)\n",
    "42/oom_score": b"666\n",
    "42/oom_score_adj": b"-5\n",
    "42/wchan": b"do_wait",
    "42/exe": Link("/bin/sleep"),
    "42/cwd": Link("/tmp/gone (deleted)"),
    "42/root": Link("/"),
    **_NAMESPACES,
    "43/stat": stat(43, b"kworker/0:0", "I", parent=2, flags=0x208060, vsize=0),
    "43/status": b"Name:\tkworker/0:0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nSeccomp:\t0\n",
    "43/cmdline": b"",
    "43/loginuid": b"4294967295",
    "43/wchan": b"0",
    "44/stat": stat(44, b"", "Z", parent=0, vsize=0),
    "44/status": b"Name:\t\nUid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\n",
    "44/cmdline": b"",
}


def rows(
    table: Table[Any],
    host: Host,
    columns: Iterable[str],
    *constraints: Constraint,
    snapshot: Snapshot | None = None,
) -> list[tuple[Any, ...]]:
    """The cells of ``columns`` of every record that ``table`` gives for ``constraints``."""
    names = list(columns)
    used = {*names, *(constraint.column for constraint in constraints)}
    request = Request(table.schema, snapshot or Snapshot(), columns=used, constraints=constraints)
    getters = [table.schema.by_name[name].get for name in names]
    return [tuple(get(record) for get in getters) for record in table.records(request, host)]
