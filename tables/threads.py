"""The table ``threads``."""

from __future__ import annotations

from functools import partial

from sockql.proc import files as cells
from sockql.proc import scan as process_scan
from sockql.proc import threads as process_threads
from sockql.proc.procfs import readable_text
from sockql.proc.threads import need
from sockql.schema import EQUAL, RANGE, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.proc.threads import Thread
    from sockql.request import Request

_stat_integer = partial(integer, needs=need("stat"))
_hidden_integer = partial(integer, needs=need("stat"), hidden=True)
_status_integer = partial(integer, needs=need("status"), hidden=True)
_status_text = partial(text, needs=need("status"), hidden=True)


def _name(thread: Thread) -> str | None:
    return None if thread.stat is None else readable_text(thread.stat[0])


def _status(thread: Thread) -> str | None:
    return None if thread.stat is None else readable_text(thread.stat[1][0])


def _wchan(thread: Thread) -> str | None:
    data = thread.files.get("wchan")
    return None if data in (None, b"", b"0") else readable_text(data)


class Threads(
    Table["Thread"],
    key=("pid", "tid"),
    examples=[
        "select tid, thread_name, status, processor from threads where pid = 1",
        "select pid, count(*) from threads where status = 'D' group by pid",
    ],
):
    """Threads of processes, one row for each, the main thread among them."""

    pid = integer(
        "Number of the process.",
        source="/proc/PID",
        get=lambda t: t.pid,
        push=EQUAL | RANGE,
        lookup=True,
        exact=True,
    )
    tid = integer(
        "Number of the thread; that of the main thread is pid.",
        source="/proc/PID/task/TID",
        get=lambda t: t.tid,
        push=EQUAL,
        lookup=True,
        exact=True,
    )
    thread_name = text(
        "Name the thread, or who made it, gave it: up to 15 bytes of any kind.",
        source="/proc/PID/task/TID/stat comm",
        get=_name,
        needs=need("stat"),
    )
    status = text(
        "Run state: R running, S sleeping, D in uninterruptible sleep, T stopped, t stopped by a "
        "tracer, I idle, Z zombie, X dead, P parked.",
        source="/proc/PID/task/TID/stat state",
        get=_status,
        needs=need("stat"),
        values=("R", "S", "D", "T", "t", "I", "Z", "X", "P"),
    )
    processor = _stat_integer(
        "CPU it last ran on.",
        source="/proc/PID/task/TID/stat processor",
        get=cells.stat_number(39),
    )
    user_time = _stat_integer(
        "CPU time in user mode.",
        source="/proc/PID/task/TID/stat utime",
        unit="milliseconds",
        get=cells.stat_number(14, cells.milliseconds),
    )
    system_time = _stat_integer(
        "CPU time in the kernel.",
        source="/proc/PID/task/TID/stat stime",
        unit="milliseconds",
        get=cells.stat_number(15, cells.milliseconds),
    )
    start_time = integer(
        "When it started, in whole seconds.",
        source="/proc/PID/task/TID/stat starttime, /proc/stat btime",
        unit="seconds since the epoch",
        get=cells.start_time,
        needs=need("stat", "btime"),
    )
    nice = _stat_integer(
        "Nice value, from 19 (gives way to others) to -20.",
        source="/proc/PID/task/TID/stat nice",
        get=cells.stat_number(19),
    )
    sched_priority = _hidden_integer(
        "Priority in the kernel's scheduler: 20 + nice, or -1 - rt_priority.",
        source="/proc/PID/task/TID/stat priority",
        get=cells.stat_number(18),
    )
    rt_priority = _hidden_integer(
        "Real-time priority, from 1 to 99; NULL for other scheduling policies.",
        source="/proc/PID/task/TID/stat rt_priority",
        get=cells.stat_number(40, unset=0),
    )
    sched_policy = text(
        "Scheduling policy: SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE, "
        "SCHED_DEADLINE, SCHED_EXT.",
        source="/proc/PID/task/TID/stat policy",
        get=cells.stat_number(41, cells.scheduling),
        needs=need("stat"),
        hidden=True,
    )
    minflt = _hidden_integer(
        "Page faults that needed no reading.",
        source="/proc/PID/task/TID/stat minflt",
        get=cells.stat_number(10),
    )
    majflt = _hidden_integer(
        "Page faults that read from storage.",
        source="/proc/PID/task/TID/stat majflt",
        get=cells.stat_number(12),
    )
    start_ticks = _hidden_integer(
        "When it started, in clock ticks since the system did; with tid, its identity.",
        source="/proc/PID/task/TID/stat starttime",
        get=cells.stat_number(22),
    )
    delayacct_blkio_ticks = _hidden_integer(
        "Time spent waiting for storage, in clock ticks; 0 without delay accounting.",
        source="/proc/PID/task/TID/stat delayacct_blkio_ticks",
        get=cells.stat_number(42),
    )
    wchan = text(
        "Kernel function it sleeps in; NULL when it runs and when it may not be read.",
        source="/proc/PID/task/TID/wchan",
        get=_wchan,
        needs=need("wchan"),
        hidden=True,
    )
    uid = _status_integer(
        "Real user id.",
        source="/proc/PID/task/TID/status Uid",
        get=cells.status_number(b"Uid"),
    )
    euid = _status_integer(
        "Effective user id.",
        source="/proc/PID/task/TID/status Uid",
        get=cells.status_number(b"Uid", 1),
    )
    nspid = _status_text(
        "Its numbers in this and all inner pid namespaces, as a JSON array.",
        source="/proc/PID/task/TID/status NSpid",
        get=cells.status_list(b"NSpid"),
    )
    cap_effective = _status_text(
        "Effective capabilities, a bit mask in hexadecimal.",
        source="/proc/PID/task/TID/status CapEff",
        get=cells.status_text(b"CapEff"),
    )
    seccomp = _status_text(
        "Whether system calls are filtered; NULL when the kernel cannot.",
        source="/proc/PID/task/TID/status Seccomp",
        get=cells.status_number(b"Seccomp", convert=cells.seccomp),
        values=cells.SECCOMP,
    )
    thread_sig_pending = _status_text(
        "Signals pending for this thread alone, a bit mask in hexadecimal.",
        source="/proc/PID/task/TID/status SigPnd",
        get=cells.status_text(b"SigPnd"),
    )
    sig_blocked = _status_text(
        "Signals it blocks, a bit mask in hexadecimal.",
        source="/proc/PID/task/TID/status SigBlk",
        get=cells.status_text(b"SigBlk"),
    )
    cpus_allowed = _status_text(
        "CPUs it may run on, as in 0-3,7.",
        source="/proc/PID/task/TID/status Cpus_allowed_list",
        get=cells.status_text(b"Cpus_allowed_list"),
    )
    voluntary_ctxt_switches = _status_integer(
        "Times it gave up the CPU by waiting.",
        source="/proc/PID/task/TID/status voluntary_ctxt_switches",
        get=cells.status_number(b"voluntary_ctxt_switches"),
    )
    nonvoluntary_ctxt_switches = _status_integer(
        "Times it was made to give up the CPU.",
        source="/proc/PID/task/TID/status nonvoluntary_ctxt_switches",
        get=cells.status_number(b"nonvoluntary_ctxt_switches"),
    )
    cgroup_path = text(
        "Control group of version 2; of the first hierarchy where there is no version 2.",
        source="/proc/PID/task/TID/cgroup",
        get=lambda t: cells.cgroup_path(t.files.get("cgroup", b"")),
        needs=need("cgroup"),
        hidden=True,
    )
    ns_net = integer(
        "Inode of the network namespace, which a thread may change for itself; NULL for zombies "
        "and when it may not be read.",
        source="/proc/PID/task/TID/ns/net",
        get=cells.namespace("net"),
        needs=need("ns/net"),
        hidden=True,
    )
    ns_mnt = integer(
        "Inode of the mount namespace; NULL for zombies and when it may not be read.",
        source="/proc/PID/task/TID/ns/mnt",
        get=cells.namespace("mnt"),
        needs=need("ns/mnt"),
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Thread]:
        return process_threads.read(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        if request.constrained("tid"):
            tids = request.values("tid")
            count = 1.0 if tids is None else float(len(tids))
            return count, count * 60.0
        return process_scan.estimate(request, host, 4.0, 15.0)


TABLE = Threads()
