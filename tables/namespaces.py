"""The table ``namespaces``."""

from __future__ import annotations

from functools import partial

from sockql.proc import namespaces as process_namespaces
from sockql.proc.fdinfo import NAMESPACES
from sockql.proc.namespaces import NEED_RELATIVES
from sockql.proc.procfs import readable_text
from sockql.schema import EQUAL, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.proc.namespaces import Namespace
    from sockql.request import Request

_relative = partial(integer, hidden=True, needs=NEED_RELATIVES)


class Namespaces(
    Table["Namespace"],
    key=("ns_inode",),
    examples=[
        "select ns_inode, process_count, pid, mount_point from namespaces where ns_type = 'net'",
        "select ns_type, ns_inode, descriptor_count from namespaces where process_count = 0",
    ],
):
    """Namespaces of all types, one row for each that a process, descriptor or mount keeps.

    Not found are those that only sockets or inner namespaces keep.
    """

    ns_type = text(
        "Type of the namespace: cgroup, ipc, mnt, net, pid, time, user or uts.",
        source="/proc/PID/ns",
        get=lambda n: n.kind,
        push=EQUAL,
        exact=True,
        values=NAMESPACES,
    )
    ns_inode = integer(
        "Inode of the namespace, as in net:[N].",
        source="/proc/PID/ns",
        get=lambda n: n.inode,
        index=True,
    )
    process_count = integer(
        "Number of processes that have a thread in it.",
        source="/proc/PID/ns, /proc/PID/task/TID/ns",
        get=lambda n: n.processes,
    )
    pid = integer(
        "Process with the lowest number of those in it; NULL when there is none.",
        source="/proc/PID/ns",
        get=lambda n: n.pid,
    )
    descriptor_count = integer(
        "Number of descriptors that are open on it.",
        source="/proc/PID/fd/FD",
        get=lambda n: n.descriptors,
    )
    mount_point = text(
        "A path at which it is mounted, as ip-netns(8) and container engines do; NULL when there "
        "is none.",
        source="/proc/PID/mountinfo mount point",
        get=lambda n: None if n.mount is None else readable_text(n.mount),
    )
    owner_ns_inode = _relative(
        "Inode of the user namespace that owns it; NULL when it has no process and when it is "
        "outside of ours.",
        source="NS_GET_USERNS",
        get=lambda n: n.owner,
    )
    parent_ns_inode = _relative(
        "Inode of the pid or user namespace around it; NULL for other types, for the first, when "
        "it has no process and when it is outside of ours.",
        source="NS_GET_PARENT",
        get=lambda n: n.parent,
    )

    def records(self, request: Request, host: Host) -> Iterator[Namespace]:
        return process_namespaces.read(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 20.0, 20000.0


TABLE = Namespaces()
