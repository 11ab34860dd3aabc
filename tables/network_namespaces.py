"""The table ``network_namespaces``."""

from __future__ import annotations

from errno import errorcode

from sockql.network.namespaces import survey
from sockql.schema import Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.network.namespaces import Namespace
    from sockql.request import Request

    #: The namespace, and the errno when it could not be entered; 0 when it could.
    NetworkNamespace: TypeAlias = tuple[Namespace, int]

_NAMESPACE: Final = 0
_ERRNO: Final = 1


def _process_count(r: NetworkNamespace) -> int | None:
    namespace = r[_NAMESPACE]
    # Where our own namespace is unknown nobody is compared with it.
    return None if namespace.own and namespace.inode is None else len(namespace.processes)


class NetworkNamespaces(
    Table["NetworkNamespace"],
    key=("netns",),
    examples=[
        "select netns, netns_name, process_count from network_namespaces",
        "select n.netns, p.name from network_namespaces n join processes p using(pid)",
        "select netns, entry_error from network_namespaces where not entered",
    ],
):
    """Network namespaces, one row for each that a process, thread, mount or descriptor leads to.

    Not found are those that only sockets keep. Where the inodes of other users' namespaces cannot
    be read, they are told from one another by their files in /proc/PID/net.
    """

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="/proc/PID/ns/net",
        get=lambda r: r[_NAMESPACE].inode,
    )
    netns_name = text(
        "Last part of the path at which it is mounted, which is the name that ip-netns(8) knows; "
        "NULL when it is not mounted.",
        source="/proc/PID/mountinfo mount point",
        get=lambda r: r[_NAMESPACE].name,
    )
    pid = integer(
        "Process with the lowest number of those in it; NULL when there is none.",
        source="/proc/PID/ns",
        get=lambda r: min(r[_NAMESPACE].processes, default=None),
    )
    process_count = integer(
        "Number of processes that have a thread in it; NULL when it cannot be told.",
        source="/proc/PID/ns, /proc/PID/task/TID/ns",
        get=_process_count,
    )
    entered = integer(
        "1 when it could be entered, so that its sockets are known as the kernel tells them; 0 "
        "when only text files can be read, or nothing.",
        source="setns(2)",
        get=lambda r: int(not r[_ERRNO]),
    )
    entry_error = text(
        "Name of the error when it could not be entered (EPERM, EACCES); NULL when it could.",
        source="setns(2)",
        get=lambda r: errorcode.get(r[_ERRNO], str(r[_ERRNO])) if r[_ERRNO] else None,
    )

    def records(self, request: Request, host: Host) -> Iterator[NetworkNamespace]:
        found = survey(request, host)
        found.thorough()
        request.trace.note(f"{host.proc_path}/*/ns/net, mountinfo, task, fd")
        enter = not request.columns.isdisjoint(("entered", "entry_error"))
        for namespace in found.every:
            host.check()
            errno = 0
            if enter and not namespace.own:
                from sockql.network.inside import Inside

                inside = Inside(host, namespace)
                try:
                    if not inside.enter():
                        continue  # it has gone meanwhile
                except OSError as error:
                    errno = error.errno or 0
                finally:
                    inside.close()
            yield namespace, errno

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 4.0, 10000.0


TABLE = NetworkNamespaces()
