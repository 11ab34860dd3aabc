"""osquery's table ``process_namespaces``."""

from __future__ import annotations

from sockql.osquery.columns import like, text
from sockql.proc import costs as process_costs
from sockql.proc import walk as process_walk
from sockql.proc.files import namespace
from sockql.proc.walk import need
from sockql.schema import Table
from sockql.tables.processes import Visible as Ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.proc.files import Process
    from sockql.request import Request
    from sockql.schema import Column


def _namespace(name: str) -> Column:
    get = namespace(name)

    def as_text(process: Process) -> str | None:
        inode = get(process)
        return None if inode is None else str(inode)

    return text(
        f"Inode of its {name} namespace; NULL when it may not be read.",
        source=f"/proc/PID/ns/{name}",
        get=as_text,
        needs=need(f"ns/{name}"),
    )


class ProcessNamespaces(
    Table["Process"],
    examples=[
        "select * from process_namespaces where pid = 1",
        (
            "select net_namespace, count(*) from process_namespaces "
            "group by net_namespace having net_namespace is not null"
        ),
    ],
):
    """Namespaces of processes, one row for each process."""

    pid = like(Ours.pid, unlisted=True)
    cgroup_namespace = _namespace("cgroup")
    ipc_namespace = _namespace("ipc")
    mnt_namespace = _namespace("mnt")
    net_namespace = _namespace("net")
    pid_namespace = _namespace("pid")
    user_namespace = _namespace("user")
    uts_namespace = _namespace("uts")

    def records(self, request: Request, host: Host) -> Iterator[Process]:
        return process_walk.read(request, host, threads=True)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return process_costs.processes(request, host)


TABLE = ProcessNamespaces()
