"""The table ``processes``."""

from __future__ import annotations

from sockql.proc import costs as process_costs
from sockql.proc import files as cells
from sockql.proc import walk as process_walk
from sockql.proc.details import Details
from sockql.proc.more import More
from sockql.proc.procfs import readable_text
from sockql.proc.status import StatusDetails
from sockql.proc.walk import need
from sockql.schema import EQUAL, RANGE, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.proc.files import Process
    from sockql.request import Request


def _name(process: Process) -> str | None:
    return None if process.stat is None else readable_text(process.stat[0])


def _status(process: Process) -> str | None:
    return None if process.stat is None else readable_text(process.stat[1][0])


def _path(process: Process) -> str | None:
    data = process.files.get("exe")
    if data is None:
        return None
    return readable_text(data.removesuffix(b" (deleted)") if process.exe_deleted else data)


def _written(process: Process) -> int | None:
    written = cells.status_number(b"write_bytes", file="io")(process)
    cancelled = cells.status_number(b"cancelled_write_bytes", file="io")(process)
    if not isinstance(written, int) or not isinstance(cancelled, int):
        return None
    # Who truncates what others wrote cancels more than it wrote itself.
    return max(written - cancelled, 0)


class Visible:
    """The columns of ``select *``: those of osquery's table of this name, in its units."""

    pid = integer(
        "Number of the process.",
        source="/proc/PID",
        get=lambda p: p.pid,
        push=EQUAL | RANGE,
        lookup=True,
        exact=True,
    )
    name = text(
        "Name the process, or its executable, gave itself: up to 15 bytes of any kind.",
        source="/proc/PID/stat comm",
        get=_name,
        needs=need("stat"),
        push=EQUAL,
        exact=True,
    )
    path = text(
        "Path of the executable; NULL for kernel threads and zombies, and when it may not be read.",
        source="/proc/PID/exe",
        get=_path,
        needs=need("exe"),
    )
    cmdline = text(
        "Arguments joined by blanks (exactly: argv); NULL for kernel threads and zombies, which "
        "have none.",
        source="/proc/PID/cmdline",
        get=lambda p: cells.command_line(p.files.get("cmdline", b"")),
        needs=need("cmdline"),
    )
    status = text(
        "Run state: R running, S sleeping, D in uninterruptible sleep, T stopped, t stopped by a "
        "tracer, I idle, Z zombie, X dead, P parked.",
        source="/proc/PID/stat state",
        get=_status,
        needs=need("stat"),
        push=EQUAL,
        exact=True,
        values=("R", "S", "D", "T", "t", "I", "Z", "X", "P"),
    )
    cwd = text(
        "Working directory; NULL for zombies and when it may not be read.",
        source="/proc/PID/cwd",
        get=cells.link("cwd"),
        needs=need("cwd"),
    )
    root = text(
        "Root directory; NULL for zombies and when it may not be read.",
        source="/proc/PID/root",
        get=cells.link("root"),
        needs=need("root"),
    )
    uid = integer(
        "Real user id.",
        source="/proc/PID/status Uid",
        get=cells.status_number(b"Uid"),
        needs=need("status"),
        push=EQUAL,
        exact=True,
    )
    gid = integer(
        "Real group id.",
        source="/proc/PID/status Gid",
        get=cells.status_number(b"Gid"),
        needs=need("status"),
        push=EQUAL,
        exact=True,
    )
    euid = integer(
        "Effective user id.",
        source="/proc/PID/status Uid",
        get=cells.status_number(b"Uid", 1),
        needs=need("status"),
        push=EQUAL,
        exact=True,
    )
    egid = integer(
        "Effective group id.",
        source="/proc/PID/status Gid",
        get=cells.status_number(b"Gid", 1),
        needs=need("status"),
        push=EQUAL,
        exact=True,
    )
    suid = integer(
        "Saved set-user-id.",
        source="/proc/PID/status Uid",
        get=cells.status_number(b"Uid", 2),
        needs=need("status"),
    )
    sgid = integer(
        "Saved set-group-id.",
        source="/proc/PID/status Gid",
        get=cells.status_number(b"Gid", 2),
        needs=need("status"),
    )
    on_disk = integer(
        "1 when there is a file at the path of the executable, below the process's own root, else "
        "0; NULL without a path, and when it cannot be found out (a server would have to be asked). "
        "When the file there is another one, exe_deleted is 1.",
        source="/proc/PID/exe (deleted)",
        get=lambda p: None if p.on_disk is None else int(p.on_disk),
        needs=need("exe"),
    )
    # Not rss of stat: it may lag behind by some pages for each CPU.
    # Linux kernel commit 82241a83cd15 ("mm: fix the inaccurate memory statistics issue for
    # users") made only status and statm exact.
    resident_size = integer(
        "Memory in use that is in RAM; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmRSS",
        unit="bytes",
        get=cells.status_size(b"VmRSS"),
        needs=need("status"),
    )
    total_size = integer(
        "Virtual memory; NULL for kernel threads and zombies.",
        source="/proc/PID/stat vsize",
        unit="bytes",
        get=cells.stat_number(23, unset=0),
        needs=need("stat"),
    )
    user_time = integer(
        "CPU time in user mode.",
        source="/proc/PID/stat utime",
        unit="milliseconds",
        get=cells.stat_number(14, cells.milliseconds),
        needs=need("stat"),
    )
    system_time = integer(
        "CPU time in the kernel.",
        source="/proc/PID/stat stime",
        unit="milliseconds",
        get=cells.stat_number(15, cells.milliseconds),
        needs=need("stat"),
    )
    disk_bytes_read = integer(
        "Bytes it caused to be read from storage; NULL when it may not be read.",
        source="/proc/PID/io read_bytes",
        unit="bytes",
        get=cells.status_number(b"read_bytes", file="io"),
        needs=need("io"),
    )
    disk_bytes_written = integer(
        "Bytes it caused to be written to storage, less those cancelled by truncating a file; "
        "NULL when it may not be read.",
        source="/proc/PID/io write_bytes",
        unit="bytes",
        get=_written,
        needs=need("io"),
    )
    start_time = integer(
        "When it started, in whole seconds.",
        source="/proc/PID/stat starttime, /proc/stat btime",
        unit="seconds since the epoch",
        get=cells.start_time,
        needs=need("stat", "btime"),
    )
    parent = integer(
        "Process that it is a child of; NULL for the first process, the first kernel thread, and "
        "when the parent is in an outer pid namespace.",
        source="/proc/PID/stat ppid",
        get=cells.stat_number(4, unset=0),
        needs=need("stat"),
        push=EQUAL,
        exact=True,
        index=True,
    )
    pgroup = integer(
        "Process group; NULL for kernel threads and when its leader is in an outer pid namespace.",
        source="/proc/PID/stat pgrp",
        get=cells.stat_number(5, unset=0),
        needs=need("stat"),
        push=EQUAL,
        exact=True,
        index=True,
    )
    threads = integer(
        "Number of threads.",
        source="/proc/PID/stat num_threads",
        get=cells.stat_number(20),
        needs=need("stat"),
    )
    nice = integer(
        "Nice value, from 19 (gives way to others) to -20.",
        source="/proc/PID/stat nice",
        get=cells.stat_number(19),
        needs=need("stat"),
    )


class Processes(
    More,
    Details,
    StatusDetails,
    Visible,
    Table["Process"],
    key=("pid",),
    examples=[
        "select pid, name, cmdline from processes order by resident_size desc limit 10",
        "select pid, path from processes where on_disk = 0",
        "select p.pid, p.name, q.name from processes p join processes q on q.pid = p.parent",
    ],
):
    """Processes, one row for each; threads other than the main one are no rows.

    What the reader may not see is NULL, and a notice says of how many processes.
    """

    def records(self, request: Request, host: Host) -> Iterator[Process]:
        return process_walk.read(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return process_costs.processes(request, host)


TABLE = Processes()
