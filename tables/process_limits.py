"""The table ``process_limits``."""

from __future__ import annotations

from operator import itemgetter

from sockql.proc import limits as process_limits
from sockql.proc import scan as process_scan
from sockql.schema import Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    Limit: TypeAlias = tuple[int, str, "int | None", "int | None", "str | None"]


class ProcessLimits(
    Table["Limit"],
    key=("pid", "resource"),
    examples=[
        "select resource, soft_limit, hard_limit from process_limits where pid = 1",
        "select pid, resource from process_limits where soft_limit is null",
    ],
):
    """Resource limits of processes, one row for each resource of a process."""

    pid = process_scan.pid_column()
    resource = text(
        "What is limited, named as in limits.conf(5) and getrlimit(2): nofile for RLIMIT_NOFILE.",
        source="/proc/PID/limits Limit",
        get=itemgetter(1),
    )
    soft_limit = integer(
        "Limit that is in force; NULL when there is none.",
        source="/proc/PID/limits Soft Limit",
        get=itemgetter(2),
    )
    hard_limit = integer(
        "How far the process may raise soft_limit by itself; NULL when there is no limit.",
        source="/proc/PID/limits Hard Limit",
        get=itemgetter(3),
    )
    limit_unit = text(
        "What the limits count: bytes, seconds, us (microseconds), files, locks, processes, "
        "signals; NULL for priorities.",
        source="/proc/PID/limits Units",
        get=itemgetter(4),
    )

    def records(self, request: Request, host: Host) -> Iterator[Limit]:
        return process_scan.of_file(request, host, "limits", process_limits.parse)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return process_scan.estimate(request, host, 16.0, 1.0)


TABLE = ProcessLimits()
