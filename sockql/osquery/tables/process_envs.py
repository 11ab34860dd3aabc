"""osquery's table ``process_envs``."""

from __future__ import annotations

from sockql.osquery.columns import text
from sockql.proc import scan as process_scan
from sockql.proc.procfs import readable_text
from sockql.schema import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    Variable: TypeAlias = tuple[int, bytes, bytes]


def variables(data: bytes) -> list[tuple[bytes, bytes]]:
    r"""``(key, value)`` of what is in /proc/PID/environ; without an equals sign it is both.

    >>> variables(b"A=1\0\0B=\0nothing\0")
    [(b'A', b'1'), (b'B', b''), (b'nothing', b'nothing')]
    """
    found = []
    for entry in data.split(b"\0"):
        if entry:
            key, equals, value = entry.partition(b"=")
            found.append((key, value if equals else entry))
    return found


class ProcessEnvs(
    Table["Variable"],
    examples=[
        "select key, value from process_envs where pid = 1",
        "select pid, value from process_envs where key = 'LD_PRELOAD'",
    ],
):
    """Environment variables of processes as they were when it started, one row for each.

    osquery ends at the first empty variable, and at the first that does not begin with ASCII;
    here those behind it are rows as well.
    """

    pid = process_scan.pid_column()
    key = text(
        "Name of the variable; the whole text where there is no equals sign.",
        source="/proc/PID/environ",
        get=lambda r: readable_text(r[1]),
    )
    value = text(
        "Value of the variable, which may be empty; the whole text where there is no equals sign.",
        source="/proc/PID/environ",
        get=lambda r: readable_text(r[2]),
    )

    def records(self, request: Request, host: Host) -> Iterator[Variable]:
        return process_scan.of_file(request, host, "environ", variables)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return process_scan.estimate(request, host, 20.0, 1.0)


TABLE = ProcessEnvs()
