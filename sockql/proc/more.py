"""Hidden columns of ``processes``: where one belongs, its limits, what it takes of the machine."""

from __future__ import annotations

from functools import partial

from sockql.proc import containers
from sockql.proc import files as cells
from sockql.proc import limits as process_limits
from sockql.proc.maps import kibibytes
from sockql.proc.procfs import number, readable_text
from sockql.proc.walk import need
from sockql.schema import EQUAL, integer, real, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockql.proc.files import Process
    from sockql.schema import Column

_of_cgroup = partial(text, hidden=True, source="/proc/PID/cgroup", needs=need("cgroup"))
_memory = partial(integer, hidden=True, unit="bytes", needs=need("smaps_rollup"))


def _container_id(process: Process) -> str | None:
    found = containers.container(process.files.get("cgroup", b""))
    return None if found is None else found[1]


def _container_runtime(process: Process) -> str | None:
    found = containers.container(process.files.get("cgroup", b""))
    return None if found is None else found[0]


def _unit(index: int) -> Callable[[Process], str | None]:
    return lambda process: containers.unit(process.files.get("cgroup", b""))[index]


def _rollup(*keys: bytes) -> Callable[[Process], int | None]:
    """The sum of lines of smaps_rollup; None when there are none of them."""

    def get(process: Process) -> int | None:
        data = process.files.get("smaps_rollup", b"")
        sizes = [kibibytes(found) for key in keys if (found := cells.line(data, key)) is not None]
        return sum(size or 0 for size in sizes) if sizes else None

    return get


def _cpu_percent(process: Process) -> float | None:
    user, system = cells.stat_number(14)(process), cells.stat_number(15)(process)
    elapsed = cells.elapsed_time(process)
    if not isinstance(elapsed, float) or elapsed <= 0 or user is None or system is None:
        return None
    return 100.0 * (int(user) + int(system)) / cells.TICKS / elapsed


def _memory_percent(process: Process) -> float | None:
    resident = cells.status_size(b"VmRSS")(process)
    if not isinstance(resident, int) or not process.memory:
        return None
    return 100.0 * resident / process.memory


def _security_label(process: Process) -> str | None:
    return readable_text(process.files.get("attr/current", b"").rstrip(b"\0\n")) or None


def _autogroup(word: int, after: bytes) -> Callable[[Process], int | None]:
    def get(process: Process) -> int | None:
        # /autogroup-116 nice 0
        words = process.files.get("autogroup", b"").split()
        if len(words) < 3:
            return None
        return number(words[word].removeprefix(after), "/proc/PID/autogroup")

    return get


def _limit(resource: str, what: str, unit: str | None = None) -> Column:
    def get(process: Process) -> int | None:
        for name, soft, _, _ in process_limits.parse(process.files.get("limits", b"")):
            if name == resource:
                return soft
        return None

    return integer(
        f"Soft limit of {what} (see process_limits for all); NULL when there is none.",
        source="/proc/PID/limits",
        unit=unit,
        get=get,
        needs=need("limits"),
        hidden=True,
    )


class More:
    """Hidden columns."""

    container_id = _of_cgroup(
        "Id of the innermost container it is in, as the container engine gave it, or name of the "
        "machine; NULL outside of any.",
        get=_container_id,
    )
    container_runtime = _of_cgroup(
        "What runs the container: docker, containerd, podman, crio, systemd-nspawn, lxc, or "
        "kubernetes when no more can be told; NULL outside of any, and when it cannot be told.",
        get=_container_runtime,
        values=containers.RUNTIMES,
    )
    pod_uid = _of_cgroup(
        "Uid of the Kubernetes pod it is in; NULL outside of any.",
        get=lambda p: containers.pod(p.files.get("cgroup", b"")),
    )
    systemd_unit = _of_cgroup(
        "Unit of the system's systemd that it belongs to; NULL without one.",
        get=_unit(0),
    )
    systemd_user_unit = _of_cgroup(
        "Unit of a user's systemd that it belongs to; NULL without one.",
        get=_unit(1),
    )
    systemd_slice = _of_cgroup(
        "Innermost slice of systemd that it is in; NULL without one.",
        get=_unit(2),
    )
    pss = _memory(
        "Memory in RAM, each page divided by the number of processes that share it; NULL for "
        "kernel threads and zombies, and when it may not be read.",
        source="/proc/PID/smaps_rollup Pss",
        get=_rollup(b"Pss"),
    )
    uss = _memory(
        "Memory in RAM that is of this process alone and would become free with it; NULL for "
        "kernel threads and zombies, and when it may not be read.",
        source="/proc/PID/smaps_rollup Private_Clean, Private_Dirty, Private_Hugetlb",
        get=_rollup(b"Private_Clean", b"Private_Dirty", b"Private_Hugetlb"),
    )
    swap = _memory(
        "Memory that is swapped out, shared memory too; NULL for kernel threads and zombies, and "
        "when it may not be read.",
        source="/proc/PID/smaps_rollup Swap",
        get=_rollup(b"Swap"),
    )
    security_label = text(
        "Label of the security module, as of SELinux or AppArmor; NULL without one.",
        source="/proc/PID/attr/current",
        get=_security_label,
        needs=need("attr/current"),
        hidden=True,
    )
    autogroup = integer(
        "Number of the scheduling group that the kernel made of its session; NULL when the kernel "
        "makes none.",
        source="/proc/PID/autogroup",
        get=_autogroup(0, b"/autogroup-"),
        needs=need("autogroup"),
        hidden=True,
    )
    autogroup_nice = integer(
        "Nice value of that group; NULL when the kernel makes none.",
        source="/proc/PID/autogroup",
        get=_autogroup(2, b""),
        needs=need("autogroup"),
        hidden=True,
    )
    limit_nofile = _limit("nofile", "open descriptors")
    limit_nproc = _limit("nproc", "processes and threads of its user")
    limit_core = _limit("core", "a core file's size", "bytes")
    limit_memlock = _limit("memlock", "memory that it locks into RAM", "bytes")
    task_flags = integer(
        "The kernel's flags of the process, PF_KTHREAD and so on, as a number.",
        source="/proc/PID/stat flags",
        get=cells.stat_number(9),
        needs=need("stat"),
        hidden=True,
    )
    cpu_percent = real(
        "CPU time it took since it started, in the kernel too, in per cent of what one CPU had to "
        "give; more than 100 when its threads ran at once. NULL when it has only just started.",
        source="/proc/PID/stat utime, stime, starttime, /proc/uptime",
        get=_cpu_percent,
        needs=need("stat", "uptime"),
        hidden=True,
    )
    memory_percent = real(
        "Memory in RAM (resident_size) in per cent of the host's; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmRSS, /proc/meminfo MemTotal",
        get=_memory_percent,
        needs=need("status", "memory"),
        hidden=True,
    )
    probed_pid = integer(
        "The same number as pid. A condition on it has each number tried, be it in the listing of "
        "processes or not, which a rootkit may keep it out of.",
        source="/proc/PID",
        get=lambda p: p.pid,
        push=EQUAL,
        exact=True,
        lookup=True,
        unlisted=True,
        hidden=True,
    )
