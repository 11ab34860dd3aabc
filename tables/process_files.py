"""The table ``process_files``."""

from __future__ import annotations

import os
from operator import itemgetter

from sockql.proc import fdinfo
from sockql.proc import open_files as process_open
from sockql.proc import scan as process_scan
from sockql.proc.examine import BLOCKS, GID, LINKS, MODE, SIZE, UID
from sockql.proc.open_files import NEED_DELETED, NEED_IDENTITY, NEED_STAT
from sockql.proc.procfs import fitting, readable_text
from sockql.schema import EQUAL, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from sockql.host import Host
    from sockql.proc.examine import Status
    from sockql.proc.open_files import Open
    from sockql.request import Request


def _target(r: Open) -> str:
    return r[2] if r[2].isascii() else readable_text(os.fsencode(r[2]))


def _of_stat(cell: Callable[[Status], Any]) -> Callable[[Open], Any]:
    return lambda r: None if r[5] is None else cell(r[5])


class ProcessFiles(
    Table["Open"],
    examples=[
        "select pid, role, target from process_files where pid = 1",
        "select distinct pid from process_files where role = 'mem' and deleted = 1",
    ],
):
    """Files that processes hold without a descriptor, one row for each role of a file.

    Kernel threads have directories but no executable, zombies have nothing.
    """

    pid = process_scan.pid_column()
    role = text(
        "What the process does with it: cwd (working directory), root (root directory), exe "
        "(executes it) or mem (has mapped it, once for each file, the executable among them).",
        source="/proc/PID/cwd, root, exe, maps",
        get=itemgetter(1),
        push=EQUAL,
        exact=True,
        values=process_open.ROLES,
    )
    target = text(
        "Path of the file, with ' (deleted)' at its end when it has none any more.",
        source="/proc/PID/cwd, root, exe, maps",
        get=_target,
    )
    dev = text(
        "Device that file_inode is on, as major:minor; NULL when it cannot be examined.",
        source="st_dev, /proc/PID/maps dev",
        get=itemgetter(3),
        needs=NEED_IDENTITY,
    )
    file_inode = integer(
        "Inode of the file on its device; NULL when it cannot be examined.",
        source="st_ino, /proc/PID/maps inode",
        get=itemgetter(4),
        needs=NEED_IDENTITY,
        index=True,
    )
    deleted = integer(
        "1 when the path no longer leads to the file, else 0.",
        source="/proc/PID/exe (deleted)",
        get=lambda r: None if r[6] is None else int(r[6]),
        push=EQUAL,
        needs=NEED_DELETED,
    )
    type = text(
        "Kind of the file: file, dir, chr, memfd and so on, as fds has it; NULL when it cannot be "
        "examined, which takes CAP_CHECKPOINT_RESTORE for what is mapped.",
        source="st_mode",
        get=lambda r: None if r[5] is None else fdinfo.path_type(r[2], r[5][MODE], r[5][LINKS]),
        needs=NEED_STAT,
        hidden=True,
    )
    size = integer(
        "Length of the file; NULL when it cannot be examined, as type.",
        source="st_size",
        unit="bytes",
        get=_of_stat(lambda s: fitting(s[SIZE])),
        needs=NEED_STAT,
        hidden=True,
    )
    allocated = integer(
        "Room the file takes on its device; NULL when it cannot be examined, as type.",
        source="st_blocks",
        unit="bytes",
        get=_of_stat(lambda s: fitting(s[BLOCKS] * 512)),
        needs=NEED_STAT,
        hidden=True,
    )
    nlink = integer(
        "Names (hard links) the file has; NULL when it cannot be examined, as type.",
        source="st_nlink",
        get=_of_stat(itemgetter(LINKS)),
        needs=NEED_STAT,
        hidden=True,
    )
    file_mode = text(
        "Permissions of the file in octal, as chmod(1) takes them; NULL when it cannot be "
        "examined, as type.",
        source="st_mode",
        get=_of_stat(lambda s: f"{s[MODE] & 0o7777:04o}"),
        needs=NEED_STAT,
        hidden=True,
    )
    file_uid = integer(
        "User who owns the file; NULL when it cannot be examined, as type.",
        source="st_uid",
        get=_of_stat(itemgetter(UID)),
        needs=NEED_STAT,
        hidden=True,
    )
    file_gid = integer(
        "Group of the file; NULL when it cannot be examined, as type.",
        source="st_gid",
        get=_of_stat(itemgetter(GID)),
        needs=NEED_STAT,
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Open]:
        return process_open.read(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        roles = request.values("role")
        if roles is not None and "mem" not in roles:
            return process_scan.estimate(request, host, float(len(roles)), 5.0)
        return process_scan.estimate(request, host, 15.0, 5.0, 100.0)


TABLE = ProcessFiles()
