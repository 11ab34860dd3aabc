"""What processes hold open without a descriptor: directories, the executable, mapped files."""

from __future__ import annotations

import os
from errno import ENAMETOOLONG

from sockql.proc import maps as process_maps
from sockql.proc import procfs
from sockql.proc import scan as process_scan
from sockql.proc.examine import INODE, LINKS, Examiner, device, same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.proc.examine import Status
    from sockql.proc.procfs import Refusals
    from sockql.request import Request

    #: (pid, role, link, device, inode, stat, deleted); device, inode and stat are None when they
    #: are unknown or were not asked for, deleted when it was not.
    Open: TypeAlias = tuple[
        int, str, str, "str | None", "int | None", "Status | None", "bool | None"
    ]

_DELETED: Final = " (deleted)"

ROLES: Final = ("cwd", "root", "exe", "mem")

# What has to be found out for a column.
NEED_IDENTITY: Final = 1  # device and inode; maps says them of what is mapped
NEED_STAT: Final = 2
NEED_DELETED: Final = 4


def read(request: Request, host: Host) -> Iterator[Open]:
    """What of it may satisfy ``request``, process by process.

    :raises DataError: when the host's procfs has no processes, or fails.
    """
    wanted = request.values("role")
    roles = [role for role in ROLES if wanted is None or role in wanted]
    alive = request.values("deleted") != frozenset((1,))
    links = [role for role in roles if role != "mem"]
    needs = request.needs
    examiner = Examiner.of(request, host)

    def of(pid: int, directory: int, _refusals: Refusals) -> Iterator[Open]:
        for role in links:
            found = _link(pid, role, directory, needs, examiner, alive=alive)
            if found is not None:
                yield found
        if "mem" in roles:
            yield from _mapped(pid, directory, needs, examiner, alive=alive)

    files = [*links, *(["maps"] if "mem" in roles else [])]
    name = files[0] if len(files) == 1 else "{" + ",".join(files) + "}"
    return process_scan.scan(request, host, name, of)


def _link(
    pid: int, role: str, directory: int, needs: int, examiner: Examiner, *, alive: bool
) -> Open | None:
    """What the link ``role`` of a process leads to, None when it has none (zombies).

    Also None unless ``alive`` when it cannot be the path of a deleted file.
    """
    try:
        link = os.readlink(role, dir_fd=directory)
    except OSError as error:
        if error.errno in procfs.GONE or error.errno == ENAMETOOLONG:
            return None
        raise
    if not alive and not link.endswith(_DELETED):
        return None
    status = place = inode = deleted = None
    if needs & (NEED_IDENTITY | NEED_STAT):
        status = _stat(role, directory, examiner)
        if status is not None:
            place, inode = device(status), procfs.fitting(status[INODE])
    if needs & NEED_DELETED:
        deleted = examiner.unlinked(link, role, "", directory)
    return pid, role, link, place, inode, status, deleted


def _mapped(
    pid: int, directory: int, needs: int, examiner: Examiner, *, alive: bool
) -> Iterator[Open]:
    """The files that a process has mapped, each once however many mappings it has.

    Unless ``alive`` only those that may be deleted.
    """
    seen = set()
    for mapping, _ in process_maps.mappings(procfs.read_list("maps", directory)):
        file = mapping[process_maps.DEVICE :]
        if not mapping[process_maps.INODE] or file in seen:
            continue
        if not alive and not mapping[process_maps.PATH].endswith(_DELETED.encode()):
            continue
        seen.add(file)
        place = _place(mapping)
        link = _path(mapping, place, directory)
        status = deleted = None
        if needs & NEED_STAT:
            status = _stat(place, directory, examiner)
        if needs & NEED_DELETED:
            deleted = link.endswith(_DELETED) and _is_deleted(
                link, mapping[process_maps.INODE], place, directory, examiner
            )
        dev = process_maps.device(mapping[process_maps.DEVICE])
        yield pid, "mem", link, dev, mapping[process_maps.INODE], status, deleted


def _place(mapping: process_maps.Mapping) -> str:
    """The link to the file of a mapping."""
    start, end = mapping[process_maps.START], mapping[process_maps.END]
    return f"map_files/{int(start, 16):x}-{int(end, 16):x}"


def _path(mapping: process_maps.Mapping, place: str, directory: int) -> str:
    if b"\\012" in mapping[process_maps.PATH]:
        # Either a newline, or a backslash and digits; the link says which, if we may read it.
        try:
            return os.readlink(place, dir_fd=directory)
        except OSError:
            pass
    return os.fsdecode(process_maps.path(mapping))


def _stat(place: str, directory: int, examiner: Examiner) -> Status | None:
    """What is known of a file; None when its file system does not say, or we may not look.

    Without CAP_CHECKPOINT_RESTORE the kernel keeps map_files closed.
    """
    try:
        return examiner.stat(place, directory)
    except OSError:
        return None


def _is_deleted(link: str, inode: int, place: str, directory: int, examiner: Examiner) -> bool:
    """Whether the path of a mapped file that ends in " (deleted)" says just that.

    See :meth:`sockql.proc.examine.Examiner.unlinked`.
    """
    status = _stat(place, directory, examiner)
    if status is not None and status[LINKS] == 0:
        return True
    try:
        there = examiner.find(link, "", directory)
    except OSError:
        return True
    if there is None:
        return True
    return there[INODE] != inode if status is None else not same(there, status)
