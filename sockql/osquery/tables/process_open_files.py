"""osquery's table ``process_open_files``."""

from __future__ import annotations

from sockql.osquery.ask import descriptors, same
from sockql.osquery.columns import like
from sockql.proc import costs as process_costs
from sockql.proc import descriptor
from sockql.proc.fdinfo import PATH_TYPES
from sockql.request import Constraint
from sockql.schema import Table
from sockql.tables.fds import Columns as Ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.proc.descriptor import Descriptor
    from sockql.request import Request

#: All but sockets, pipes and what lives on anon_inodefs.
_TYPES: Final = Constraint("type", "in", PATH_TYPES | {"ns"})
_ANONYMOUS: Final = ("pipe:", "anon_inode:")


class ProcessOpenFiles(
    Table["Descriptor"],
    examples=[
        "select fd, path from process_open_files where pid = 1",
        "select pid, fd, path from process_open_files where path like '%(deleted)'",
    ],
):
    """Descriptors of files, directories, devices, FIFOs and namespaces, one row for each.

    osquery leaves out every path that contains `socket:`, `pipe:` or `anon_inode:`; here only what
    really is a socket, a pipe or anonymous is left out.
    """

    pid = like(Ours.pid, declared="BIGINT")
    fd = like(Ours.fd, declared="BIGINT")
    path = like(
        Ours.target,
        "Path of the file, with ' (deleted)' at its end when it has none any more; of a namespace "
        "its type and inode, as in net:[N].",
    )

    def records(self, request: Request, host: Host) -> Iterator[Descriptor]:
        constraints = [_TYPES, *same(request, "pid", "fd")]
        for record in descriptors(request, host, ["pid", "fd", "target"], constraints):
            link = record[descriptor.LINK]
            if link is not None and not link.startswith(_ANONYMOUS):
                yield record

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return process_costs.fds(request, host)


TABLE = ProcessOpenFiles()
