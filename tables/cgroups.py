"""The table ``cgroups``."""

from __future__ import annotations

from functools import partial

from sockql.proc import cgroup_tree
from sockql.proc.cgroup_tree import need
from sockql.proc.procfs import number
from sockql.schema import Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.proc.cgroup_tree import Group
    from sockql.request import Request

#: PAGE_COUNTER_MAX in pages of 4 KiB, about: what version 1 says when there is no limit.
_NO_LIMIT: Final = 2**63 - 2**16
_hidden = partial(integer, hidden=True)


def _processes(group: Group) -> int | None:
    data = group.files.get("cgroup.procs")
    return None if data is None else data.count(b"\n")


def _number(file: str) -> Callable[[Group], int | None]:
    def get(group: Group) -> int | None:
        data = group.files.get(file, b"max").strip()
        found = None if data == b"max" else number(data, file)
        return None if found is None or found >= _NO_LIMIT else found

    return get


def _cpu_time(group: Group) -> int | None:
    usage = group.files.get("cpuacct.usage")
    if usage is not None:
        nanoseconds = number(usage, "cpuacct.usage")
        return None if nanoseconds is None else nanoseconds // 1000
    for entry in group.files.get("cpu.stat", b"").splitlines():
        key, _, value = entry.partition(b" ")
        if key == b"usage_usec":
            return number(value, "cpu.stat")
    return None


class Cgroups(
    Table["Group"],
    examples=[
        "select cgroup_path, process_count, memory_current from cgroups where process_count > 0",
        "select cgroup_path, state, sport from sockets join cgroups using(cgroup_id)",
    ],
):
    """Control groups, one row for each in every hierarchy that is mounted.

    What a controller counts includes the groups below, and is NULL where it is not enabled.
    """

    cgroup_path = text(
        "Path of the group in its hierarchy, as in /proc/PID/cgroup.",
        source="/sys/fs/cgroup",
        get=lambda g: g.path,
        index=True,
    )
    hierarchy = text(
        "Controllers of a version 1 hierarchy joined by commas, or name=NAME; NULL for version 2.",
        source="/proc/PID/mountinfo super options",
        get=lambda g: g.hierarchy,
    )
    cgroup_id = integer(
        "Id of the group (version 2): the inode of its directory; NULL for version 1.",
        source="/sys/fs/cgroup st_ino",
        get=lambda g: g.id,
        index=True,
    )
    process_count = integer(
        "Number of processes in the group itself; NULL for a group that takes threads alone.",
        source="/sys/fs/cgroup cgroup.procs",
        get=_processes,
        needs=need("cgroup.procs"),
    )
    memory_current = _hidden(
        "Memory it uses; NULL where memory is not counted.",
        source="/sys/fs/cgroup memory.current, memory.usage_in_bytes",
        unit="bytes",
        get=_number("memory.current"),
        needs=need("memory.current"),
    )
    memory_peak = _hidden(
        "Most memory it ever used; NULL where memory is not counted.",
        source="/sys/fs/cgroup memory.peak, memory.max_usage_in_bytes",
        unit="bytes",
        get=_number("memory.peak"),
        needs=need("memory.peak"),
    )
    memory_max = _hidden(
        "Memory it may use; NULL when there is no limit.",
        source="/sys/fs/cgroup memory.max, memory.limit_in_bytes",
        unit="bytes",
        get=_number("memory.max"),
        needs=need("memory.max"),
    )
    swap_current = _hidden(
        "Memory of it that is swapped out; NULL where that is not counted.",
        source="/sys/fs/cgroup memory.swap.current",
        unit="bytes",
        get=_number("memory.swap.current"),
        needs=need("memory.swap.current"),
    )
    cpu_time = _hidden(
        "CPU time it used; NULL where it is not counted.",
        source="/sys/fs/cgroup cpu.stat usage_usec, cpuacct.usage",
        unit="microseconds",
        get=_cpu_time,
        needs=need("cpu.stat", "cpuacct.usage"),
    )
    pids_current = _hidden(
        "Number of processes and threads; NULL where they are not counted.",
        source="/sys/fs/cgroup pids.current",
        get=_number("pids.current"),
        needs=need("pids.current"),
    )
    pids_max = _hidden(
        "How many processes and threads there may be; NULL when there is no limit.",
        source="/sys/fs/cgroup pids.max",
        get=_number("pids.max"),
        needs=need("pids.max"),
    )
    frozen = _hidden(
        "1 when its processes are to be stopped, else 0; NULL for version 1 and for the root.",
        source="/sys/fs/cgroup cgroup.freeze",
        get=_number("cgroup.freeze"),
        needs=need("cgroup.freeze"),
    )

    def records(self, request: Request, host: Host) -> Iterator[Group]:
        return cgroup_tree.read(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 200.0, 200.0 * (20.0 + 15.0 * request.needs.bit_count())


TABLE = Cgroups()
