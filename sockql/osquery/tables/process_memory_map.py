"""osquery's table ``process_memory_map``."""

from __future__ import annotations

from sockql.osquery.columns import bigint, integer, like, text
from sockql.proc import maps
from sockql.proc import scan as process_scan
from sockql.proc.procfs import number, readable_text
from sockql.schema import Table
from sockql.tables.process_maps import TABLE as MAPS
from sockql.tables.process_maps import ProcessMaps as Ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.request import Request
    from sockql.tables.process_maps import Mapped


def _path(r: Mapped) -> str:
    return readable_text(maps.path(r[1]).removesuffix(b" (deleted)"))


class ProcessMemoryMap(
    Table["Mapped"],
    examples=[
        "select start, permissions, path from process_memory_map where pid = 1",
        "select distinct pid, path from process_memory_map where path like '/dev/shm/%'",
    ],
):
    """Memory of processes, one row for each mapping; kernel threads have none."""

    pid = process_scan.pid_column()
    start = like(Ours.start_address)
    end = like(Ours.end_address)
    permissions = like(Ours.permissions)
    offset = bigint(
        "Where in the file it begins.",
        source="/proc/PID/maps offset",
        unit="bytes",
        get=lambda r: number(r[1][maps.OFFSET], "/proc/PID/maps offset", 16),
    )
    device = text(
        "Device of the file, as major:minor in hexadecimal; 00:00 for what is of no file.",
        source="/proc/PID/maps dev",
        get=lambda r: readable_text(r[1][maps.DEVICE]),
    )
    inode = integer(
        "Inode of the file on its device; 0 for what is of no file.",
        source="/proc/PID/maps inode",
        get=lambda r: r[1][maps.INODE],
    )
    path = text(
        "Path of the file, without the mark of a deleted one, or the kernel's name in brackets, "
        "as in [heap]; empty for other memory of no file. osquery ends at the first blank.",
        source="/proc/PID/maps pathname",
        get=_path,
    )
    pseudo = integer(
        "1 when path is no file's, as [heap] is not, else 0.",
        source="/proc/PID/maps pathname",
        get=lambda r: int(bool(r[1][maps.PATH]) and not r[1][maps.INODE]),
    )

    def records(self, request: Request, host: Host) -> Iterator[Mapped]:
        return MAPS.records(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return MAPS.estimate(request, host)


TABLE = ProcessMemoryMap()
