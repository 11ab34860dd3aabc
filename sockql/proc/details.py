"""The hidden columns of ``processes`` but those of its file ``status``."""

from __future__ import annotations

from functools import partial

from sockql.proc import files as cells
from sockql.proc.procfs import KERNEL_THREAD, readable_text
from sockql.proc.walk import need
from sockql.schema import EQUAL, integer, real, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.proc.files import Process
    from sockql.schema import Column

_stat_integer = partial(integer, hidden=True, needs=need("stat"))
_stat_text = partial(text, hidden=True, needs=need("stat"))
_counter = partial(integer, hidden=True, needs=need("io"))


def _argv(process: Process) -> str | None:
    data = process.files.get("cmdline")
    if not data:
        return None
    from json import dumps

    return dumps([readable_text(part) for part in cells.arguments(data)], ensure_ascii=False)


def _wchan(process: Process) -> str | None:
    data = process.files.get("wchan")
    return None if data in (None, b"", b"0") else readable_text(data)


def _namespace(name: str, what: str) -> Column:
    return integer(
        f"Inode of the {what} namespace; NULL for zombies and when it may not be read.",
        source=f"/proc/PID/ns/{name}",
        get=cells.namespace(name),
        needs=need(f"ns/{name}"),
        hidden=True,
    )


class Details:
    """Hidden columns; those from ``stat`` last, it is the cheapest file."""

    argv = text(
        "Arguments as a JSON array, empty ones too; NULL when there are none.",
        source="/proc/PID/cmdline",
        get=_argv,
        needs=need("cmdline"),
        hidden=True,
    )
    exe_deleted = integer(
        "1 when the file that runs is no longer at its path (deleted, replaced, or a memfd), else "
        "0; NULL without a path.",
        source="/proc/PID/exe (deleted)",
        get=lambda p: None if p.exe_deleted is None else int(p.exe_deleted),
        needs=need("exe"),
        hidden=True,
    )
    cgroup_path = text(
        "Control group of version 2; of the first hierarchy where there is no version 2.",
        source="/proc/PID/cgroup",
        get=lambda p: cells.cgroup_path(p.files.get("cgroup", b"")),
        needs=need("cgroup"),
        hidden=True,
    )
    ns_cgroup = _namespace("cgroup", "control group")
    ns_ipc = _namespace("ipc", "IPC")
    ns_mnt = _namespace("mnt", "mount")
    ns_net = _namespace("net", "network")
    ns_pid = _namespace("pid", "pid")
    ns_time = _namespace("time", "time")
    ns_user = _namespace("user", "user")
    ns_uts = _namespace("uts", "UTS")
    fd_count = integer(
        "Number of open descriptors, readable for everyone; NULL before Linux 6.2.",
        source="/proc/PID/fd st_size",
        get=lambda p: p.descriptors,
        needs=need("fd"),
        hidden=True,
    )
    loginuid = integer(
        "User who logged in, whatever the process became since; NULL when nobody did and without "
        "audit in the kernel.",
        source="/proc/PID/loginuid",
        get=cells.whole("loginuid", cells.UNSET),
        needs=need("loginuid"),
        hidden=True,
    )
    oom_score = integer(
        "How likely the kernel is to kill it when memory runs out, from 0 to 2000.",
        source="/proc/PID/oom_score",
        get=cells.whole("oom_score"),
        needs=need("oom_score"),
        hidden=True,
    )
    oom_score_adj = integer(
        "What is added to oom_score, from -1000 (never kill it) to 1000.",
        source="/proc/PID/oom_score_adj",
        get=cells.whole("oom_score_adj"),
        needs=need("oom_score_adj"),
        hidden=True,
    )
    wchan = text(
        "Kernel function it sleeps in; NULL when it runs and when it may not be read.",
        source="/proc/PID/wchan",
        get=_wchan,
        needs=need("wchan"),
        hidden=True,
    )
    rchar = _counter(
        "Bytes read, from any file; NULL when it may not be read.",
        source="/proc/PID/io rchar",
        unit="bytes",
        get=cells.status_number(b"rchar", file="io"),
    )
    wchar = _counter(
        "Bytes written, to any file; NULL when it may not be read.",
        source="/proc/PID/io wchar",
        unit="bytes",
        get=cells.status_number(b"wchar", file="io"),
    )
    syscr = _counter(
        "Reading system calls; NULL when it may not be read.",
        source="/proc/PID/io syscr",
        get=cells.status_number(b"syscr", file="io"),
    )
    syscw = _counter(
        "Writing system calls; NULL when it may not be read.",
        source="/proc/PID/io syscw",
        get=cells.status_number(b"syscw", file="io"),
    )
    cancelled_write_bytes = _counter(
        "Bytes not written to storage after all, their file was truncated; NULL when it may not "
        "be read.",
        source="/proc/PID/io cancelled_write_bytes",
        unit="bytes",
        get=cells.status_number(b"cancelled_write_bytes", file="io"),
    )
    session = _stat_integer(
        "Session; NULL for kernel threads and when its leader is in an outer pid namespace.",
        source="/proc/PID/stat session",
        get=cells.stat_number(6, unset=0),
        push=EQUAL,
        exact=True,
        index=True,
    )
    tty = _stat_text(
        "Controlling terminal: its name below /dev, or major:minor; NULL when it has none.",
        source="/proc/PID/stat tty_nr",
        get=cells.stat_number(7, cells.terminal),
    )
    tpgid = _stat_integer(
        "Foreground process group of the controlling terminal; NULL when it has none.",
        source="/proc/PID/stat tpgid",
        get=cells.stat_number(8, unset=-1),
    )
    kernel_thread = _stat_integer(
        "1 for a thread of the kernel, else 0.",
        source="/proc/PID/stat flags",
        get=cells.stat_number(9, lambda flags: int(bool(flags & KERNEL_THREAD))),
        push=EQUAL,
        exact=True,
    )
    minflt = _stat_integer(
        "Page faults that needed no reading.",
        source="/proc/PID/stat minflt",
        get=cells.stat_number(10),
    )
    majflt = _stat_integer(
        "Page faults that read from storage.",
        source="/proc/PID/stat majflt",
        get=cells.stat_number(12),
    )
    children_user_time = _stat_integer(
        "CPU time in user mode of children it waited for.",
        source="/proc/PID/stat cutime",
        unit="milliseconds",
        get=cells.stat_number(16, cells.milliseconds),
    )
    children_system_time = _stat_integer(
        "CPU time in the kernel of children it waited for.",
        source="/proc/PID/stat cstime",
        unit="milliseconds",
        get=cells.stat_number(17, cells.milliseconds),
    )
    sched_priority = _stat_integer(
        "Priority in the kernel's scheduler: 20 + nice, or -1 - rt_priority.",
        source="/proc/PID/stat priority",
        get=cells.stat_number(18),
    )
    rt_priority = _stat_integer(
        "Real-time priority, from 1 to 99; NULL for other scheduling policies.",
        source="/proc/PID/stat rt_priority",
        get=cells.stat_number(40, unset=0),
    )
    sched_policy = _stat_text(
        "Scheduling policy: SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE, "
        "SCHED_DEADLINE, SCHED_EXT.",
        source="/proc/PID/stat policy",
        get=cells.stat_number(41, cells.scheduling),
    )
    processor = _stat_integer(
        "CPU the main thread last ran on.",
        source="/proc/PID/stat processor",
        get=cells.stat_number(39),
    )
    start_ticks = _stat_integer(
        "When it started, in clock ticks since the system did; with pid, its identity.",
        source="/proc/PID/stat starttime",
        get=cells.stat_number(22),
    )
    delayacct_blkio_ticks = _stat_integer(
        "Time spent waiting for storage, in clock ticks; 0 without delay accounting.",
        source="/proc/PID/stat delayacct_blkio_ticks",
        get=cells.stat_number(42),
    )
    elapsed_time = real(
        "Time since it started.",
        source="/proc/PID/stat starttime, /proc/uptime",
        unit="seconds",
        get=cells.elapsed_time,
        needs=need("stat", "uptime"),
        hidden=True,
    )
