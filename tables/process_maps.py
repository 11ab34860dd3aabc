"""The table ``process_maps``."""

from __future__ import annotations

from functools import partial

from sockql.proc import maps, procfs
from sockql.proc import scan as process_scan
from sockql.proc.procfs import readable_text
from sockql.schema import Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final, TypeAlias

    from sockql.host import Host
    from sockql.proc.procfs import Refusals
    from sockql.request import Request
    from sockql.schema import Column

    #: (pid, mapping, what smaps says of it)
    Mapped: TypeAlias = tuple[int, maps.Mapping, dict[bytes, bytes]]

_SMAPS: Final = 1
_size = partial(integer, hidden=True, needs=_SMAPS, unit="bytes")


def _kibibytes(key: str, doc: str) -> Column:
    name = key.encode()
    return _size(
        f"{doc}; NULL when the kernel does not say.",
        source=f"/proc/PID/smaps {key}",
        get=lambda r: maps.kibibytes(r[2].get(name)),
    )


def _target(r: Mapped) -> str | None:
    return readable_text(maps.path(r[1])) if r[1][maps.PATH] else None


def _vm_flags(r: Mapped) -> str | None:
    found = r[2].get(b"VmFlags")
    return None if found is None else readable_text(found.strip())


def _number(key: bytes) -> Any:
    def get(r: Mapped) -> int | None:
        found = r[2].get(key)
        return None if found is None else procfs.number(found, "/proc/PID/smaps")

    return get


class ProcessMaps(
    Table["Mapped"],
    key=("pid", "start_address"),
    examples=[
        "select start_address, mapped_size, permissions, target from process_maps where pid = 1",
        "select pid, sum(pss) from process_maps where target like '%/libc.so%' group by pid",
    ],
):
    """Memory of processes, one row for each mapping; kernel threads have none.

    The hidden columns are of smaps, which the kernel computes by walking the page tables.
    """

    pid = process_scan.pid_column()
    start_address = text(
        "Address of its first byte, as 0x and hexadecimal digits.",
        source="/proc/PID/maps address",
        get=lambda r: f"0x{readable_text(r[1][maps.START])}",
    )
    end_address = text(
        "Address of the first byte behind it, as 0x and hexadecimal digits.",
        source="/proc/PID/maps address",
        get=lambda r: f"0x{readable_text(r[1][maps.END])}",
    )
    mapped_size = integer(
        "Its length.",
        source="/proc/PID/maps address",
        unit="bytes",
        get=lambda r: maps.size(r[1]),
    )
    permissions = text(
        "What may be done with it: r, w, x or - in their places, then s when it is shared or p "
        "when it is private (copied on write).",
        source="/proc/PID/maps perms",
        get=lambda r: readable_text(r[1][maps.PERMISSIONS]),
    )
    file_offset = integer(
        "Where in the file it begins; NULL for what is of no file.",
        source="/proc/PID/maps offset",
        unit="bytes",
        get=lambda r: procfs.number(r[1][maps.OFFSET], "/proc/PID/maps", 16) if r[1][5] else None,
    )
    dev = text(
        "Device that file_inode is on, as major:minor; NULL for what is of no file.",
        source="/proc/PID/maps dev",
        get=lambda r: maps.device(r[1][maps.DEVICE]) if r[1][maps.INODE] else None,
    )
    file_inode = integer(
        "Inode of the file on its device; NULL for what is of no file.",
        source="/proc/PID/maps inode",
        get=lambda r: r[1][maps.INODE] or None,
    )
    target = text(
        "Path of the file, with ' (deleted)' at its end when it has none any more, or the "
        "kernel's name in brackets, as in [heap], [stack] and [vdso]; NULL for other memory of "
        "no file.",
        source="/proc/PID/maps pathname",
        get=_target,
    )
    rss = _kibibytes("Rss", "Part of it that is in RAM")
    pss = _kibibytes(
        "Pss", "Part in RAM, each page divided by the number of processes that share it"
    )
    pss_dirty = _kibibytes("Pss_Dirty", "Part of pss that was written to")
    shared_clean = _kibibytes("Shared_Clean", "Pages in RAM that others have too, unwritten")
    shared_dirty = _kibibytes("Shared_Dirty", "Pages in RAM that others have too, written to")
    private_clean = _kibibytes("Private_Clean", "Pages in RAM of this process alone, unwritten")
    private_dirty = _kibibytes("Private_Dirty", "Pages in RAM of this process alone, written to")
    referenced = _kibibytes("Referenced", "Pages in RAM marked as accessed")
    anonymous = _kibibytes("Anonymous", "Pages in RAM that no file backs (any more)")
    ksm = _kibibytes("KSM", "Pages merged with others of the same contents")
    lazy_free = _kibibytes("LazyFree", "Pages given up with MADV_FREE that are still there")
    anon_huge_pages = _kibibytes("AnonHugePages", "Memory backed by transparent huge pages")
    shared_hugetlb = _kibibytes("Shared_Hugetlb", "Huge pages of hugetlbfs that others have too")
    private_hugetlb = _kibibytes("Private_Hugetlb", "Huge pages of hugetlbfs of this process alone")
    swapped = _kibibytes("Swap", "Memory of no file that is swapped out")
    swap_pss = _kibibytes(
        "SwapPss", "Swapped out memory, each page divided by the number of processes that share it"
    )
    locked = _kibibytes("Locked", "Part of pss that is locked into RAM")
    kernel_page_size = _kibibytes("KernelPageSize", "Size of the kernel's pages")
    mmu_page_size = _kibibytes("MMUPageSize", "Size of the processor's pages")
    thp_eligible = integer(
        "1 when transparent huge pages may back it, else 0; NULL when the kernel does not say.",
        source="/proc/PID/smaps THPeligible",
        get=_number(b"THPeligible"),
        needs=_SMAPS,
        hidden=True,
    )
    protection_key = integer(
        "Memory protection key, see pkeys(7); NULL on processors without.",
        source="/proc/PID/smaps ProtectionKey",
        get=_number(b"ProtectionKey"),
        needs=_SMAPS,
        hidden=True,
    )
    vm_flags = text(
        "The kernel's flags of the mapping, of two letters each, as in proc_pid_smaps(5); NULL "
        "when the kernel does not say.",
        source="/proc/PID/smaps VmFlags",
        get=_vm_flags,
        needs=_SMAPS,
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Mapped]:
        file = "smaps" if request.needs & _SMAPS else "maps"

        def of(pid: int, directory: int, _refusals: Refusals) -> Iterator[Mapped]:
            for mapping, details in maps.mappings(procfs.read_list(file, directory)):
                yield pid, mapping, details

        return process_scan.scan(request, host, file, of)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        # What has to walk the page tables takes longer.
        opening = 3000.0 if request.needs & _SMAPS else 100.0
        return process_scan.estimate(request, host, 60.0, 2.0, opening)


TABLE = ProcessMaps()
