"""osquery's table ``uptime``."""

from __future__ import annotations

from math import ceil

from sockql.osquery.columns import bigint, integer
from sockql.osquery.machine import read_proc
from sockql.proc.files import up_time
from sockql.schema import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.request import Request


class Uptime(
    Table["int"], examples=["select days, hours from uptime", "select total_seconds from uptime"]
):
    """The time since the system started, that asleep included, one row.

    Seconds that have begun count, as in sysinfo(2).
    """

    days = integer("Whole days.", source="/proc/uptime", get=lambda seconds: seconds // 86400)
    hours = integer(
        "Whole hours beyond the days.",
        source="/proc/uptime",
        get=lambda seconds: seconds // 3600 % 24,
    )
    minutes = integer(
        "Whole minutes beyond the hours.",
        source="/proc/uptime",
        get=lambda seconds: seconds // 60 % 60,
    )
    seconds = integer(
        "Seconds beyond the minutes.",
        source="/proc/uptime",
        unit="seconds",
        get=lambda seconds: seconds % 60,
    )
    total_seconds = bigint(
        "All of it.", source="/proc/uptime", unit="seconds", get=lambda seconds: seconds
    )

    def records(self, request: Request, host: Host) -> Iterator[int]:
        yield ceil(up_time(read_proc(host, "uptime").encode()) or 0)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 1.0, 30.0


TABLE = Uptime()
