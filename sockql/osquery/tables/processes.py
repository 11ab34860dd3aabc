"""osquery's table ``processes``."""

from __future__ import annotations

from sockql.osquery.columns import (
    bigint,
    integer,
    like,
    macos,
    or_empty,
    or_zero,
    text,
    windows,
)
from sockql.proc import costs as process_costs
from sockql.proc import walk as process_walk
from sockql.proc.procfs import readable_text
from sockql.proc.walk import need
from sockql.schema import Table
from sockql.tables.processes import Visible as Ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.proc.files import Process
    from sockql.request import Request


def _on_disk(process: Process) -> int:
    return -1 if process.on_disk is None else int(process.on_disk)


def _start_time(process: Process) -> object:
    found = Ours.start_time.get(process)
    return -1 if found is None else found


def _cgroup_path(process: Process) -> str:
    """The path in the first line, ID:CONTROLLERS:PATH."""
    first = process.files.get("cgroup", b"").split(b"\n", 1)[0]
    return readable_text(first.split(b":", 2)[-1])


class Processes(
    Table["Process"],
    examples=[
        "select pid, name, path, cmdline from processes where on_disk = 0",
        "select p.pid, p.name, q.name from processes p join processes q on q.pid = p.parent",
    ],
):
    """Processes, one row for each.

    Threads other than the main one are no rows, unless a statement asks for one by its number:
    /proc has a directory for it, though no listing of /proc does.
    """

    pid = like(Ours.pid, declared="BIGINT", unlisted=True)
    name = like(Ours.name)
    path = like(
        Ours.path,
        "Path of the executable, without the mark of a deleted one; empty for kernel threads and "
        "zombies, and when it may not be read.",
        get=or_empty(Ours.path.get),
    )
    cmdline = like(
        Ours.cmdline,
        "Arguments joined by blanks; empty for kernel threads and zombies.",
        get=or_empty(Ours.cmdline.get),
    )
    state = like(Ours.status)
    cwd = like(
        Ours.cwd,
        "Working directory; empty for zombies and when it may not be read.",
        get=or_empty(Ours.cwd.get),
    )
    root = like(
        Ours.root,
        "Root directory; empty for zombies and when it may not be read.",
        get=or_empty(Ours.root.get),
    )
    uid = like(Ours.uid, declared="BIGINT")
    gid = like(Ours.gid, declared="BIGINT")
    euid = like(Ours.euid, declared="BIGINT")
    egid = like(Ours.egid, declared="BIGINT")
    suid = like(Ours.suid, declared="BIGINT")
    sgid = like(Ours.sgid, declared="BIGINT")
    on_disk = like(
        Ours.on_disk,
        "1 when there is a file at the path of the executable, below the process's own root, else "
        "0; -1 without a path.",
        get=_on_disk,
    )
    wired_size = bigint(
        "0: Linux does not count memory that cannot be paged out.", source="none", get=lambda _: 0
    )
    resident_size = like(Ours.resident_size, declared="BIGINT")
    total_size = like(
        Ours.total_size,
        "Virtual memory; NULL for kernel threads and zombies.",
        declared="BIGINT",
    )
    user_time = like(Ours.user_time, declared="BIGINT")
    system_time = like(Ours.system_time, declared="BIGINT")
    disk_bytes_read = like(Ours.disk_bytes_read, declared="BIGINT")
    disk_bytes_written = like(Ours.disk_bytes_written, declared="BIGINT")
    start_time = like(
        Ours.start_time,
        "When it started, in whole seconds; -1 when the time of the boot is not known.",
        declared="BIGINT",
        get=_start_time,
    )
    parent = like(
        Ours.parent,
        "Process that it is a child of; 0 for the first process, the first kernel thread, and when "
        "the parent is in an outer pid namespace.",
        declared="BIGINT",
        get=or_zero(Ours.parent.get),
    )
    pgroup = like(
        Ours.pgroup,
        "Process group; 0 for kernel threads and when its leader is in an outer pid namespace.",
        declared="BIGINT",
        get=or_zero(Ours.pgroup.get),
    )
    threads = like(Ours.threads)
    nice = like(Ours.nice)
    elevated_token = windows(integer)
    secure_process = windows(integer)
    protection_type = windows(text)
    virtual_process = windows(integer)
    elapsed_time = windows(bigint)
    handle_count = windows(bigint)
    percent_processor_time = windows(bigint)
    upid = macos(bigint)
    uppid = macos(bigint)
    cpu_type = macos(integer)
    cpu_subtype = macos(integer)
    translated = macos(integer)
    cgroup_path = text(
        "Control group as the first line of the file has it: that of version 2 where there is no "
        "other; empty when it may not be read.",
        source="/proc/PID/cgroup",
        get=_cgroup_path,
        needs=need("cgroup"),
    )

    def records(self, request: Request, host: Host) -> Iterator[Process]:
        return process_walk.read(request, host, threads=True)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return process_costs.processes(request, host)


TABLE = Processes()
