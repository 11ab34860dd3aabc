"""osquery's table ``file``."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from sockql.osquery import files
from sockql.osquery.columns import bigint, integer, macos, text, windows
from sockql.proc.procfs import REFUSED, readable_text
from sockql.request import MAXIMUM
from sockql.schema import EQUAL, LIKE, Column, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from typing import Any, Final, TypeAlias

    from sockql.host import Host
    from sockql.osquery.files import Found
    from sockql.request import Request

    #: The file, what stat(2) says of it (lstat(2) of a link that leads nowhere), whether it leads
    #: somewhere, the target when it is a link.
    Stated: TypeAlias = tuple[Found, os.stat_result, bool, "bytes | None"]

#: By the four bits of st_mode that tell the type.
_TYPES: Final = {
    0o10: "regular",
    0o4: "directory",
    0o6: "block",
    0o2: "character",
    0o1: "fifo",
    0o14: "socket",
}


def _of_stat(column: partial[Column], field: str, doc: str, **options: Any) -> Column:
    """A number that stat(2) says; times are cut to whole seconds."""

    def get(file: Stated) -> int | None:
        found = int(getattr(file[1], field))
        return found if found <= MAXIMUM else None

    return column(doc, source=field, get=get, **options)


def _type(file: Stated) -> str:
    return _TYPES.get(file[1].st_mode >> 12, "unknown") if file[2] else "unknown"


#: Unlike a condition on any other column, one on these says what to read.
named = partial(text, parameter=True, push=EQUAL | LIKE, index=True)


class File(
    Table["Stated"],
    examples=[
        "select path, mode, uid, size from file where path = '/etc/passwd'",
        "select path, mtime from file where directory = '/etc' order by mtime desc limit 5",
        "select path, type from file where path like '/etc/%.conf'",
        (
            "select name, path, mode from processes join file using (path) "
            "where file.uid <> 0 and processes.uid = 0"
        ),
    ],
):
    """Files that a statement names by path or directory, one row for each that there is.

    `path = '…'` names one, `directory = '…'` what is directly in it. With LIKE, `%` stands for a
    name or a part of one (none that begins with a dot) and `%%` at the end for everything below;
    directories that are found in this way end in a slash.
    """

    whole = False

    path = named(
        "Absolute path; which ones has to be said by a condition on it or on directory.",
        source="path_resolution(7)",
        get=lambda file: readable_text(file[0].path),
    )
    directory = named(
        "Directory that it is in.",
        source="path_resolution(7)",
        get=lambda file: readable_text(file[0].directory),
    )
    filename = text(
        "Last part of the path; . when that ends in a slash.",
        source="basename(3)",
        get=lambda file: readable_text(file[0].name),
    )
    inode = _of_stat(bigint, "st_ino", "Inode, of what a link leads to; NULL beyond 2**63 - 1.")
    uid = _of_stat(bigint, "st_uid", "User who owns it.")
    gid = _of_stat(bigint, "st_gid", "Group that it belongs to.")
    mode = text(
        "Permissions in octal, as chmod(1) takes them.",
        source="st_mode",
        get=lambda file: f"{file[1].st_mode & 0o7777:04o}",
    )
    device = _of_stat(bigint, "st_rdev", "Device that a device file stands for; 0 for others.")
    size = _of_stat(bigint, "st_size", "Length of the file.", unit="bytes")
    block_size = _of_stat(
        integer, "st_blksize", "Size in which it is best read and written.", unit="bytes"
    )
    atime = _of_stat(bigint, "st_atime", "When it was last read.", unit="seconds since the epoch")
    mtime = _of_stat(
        bigint, "st_mtime", "When it was last written to.", unit="seconds since the epoch"
    )
    ctime = _of_stat(
        bigint, "st_ctime", "When its inode last changed.", unit="seconds since the epoch"
    )
    btime = bigint("0: osquery does not ask for it on Linux.", source="none", get=lambda _: 0)
    hard_links = _of_stat(integer, "st_nlink", "Names (hard links) it has.")
    symlink = integer(
        "1 when the path is a symbolic link, else 0.",
        source="lstat(2) S_ISLNK",
        get=lambda file: int(file[3] is not None),
    )
    type = text(
        "Kind of the file, of what a link leads to: regular, directory, block, character, fifo, "
        "socket; unknown for a link that leads nowhere.",
        source="st_mode",
        get=_type,
    )
    symlink_target_path = text(
        "What the link says; NULL when it is none.",
        source="readlink(2)",
        get=lambda file: None if file[3] is None else readable_text(file[3]),
    )
    attributes = windows(text)
    volume_serial = windows(text)
    file_id = windows(text)
    file_version = windows(text, "VERSION")
    product_version = windows(text, "VERSION")
    original_filename = windows(text)
    shortcut_target_path = windows(text)
    shortcut_target_type = windows(text)
    shortcut_target_location = windows(text)
    shortcut_start_in = windows(text)
    shortcut_run = windows(text)
    shortcut_comment = windows(text)
    bsd_flags = macos(text)
    pid_with_namespace = integer(
        "Process below whose root directory the file is; 0 where none was asked for.",
        source="/proc/PID/root",
        get=lambda file: file[0].root.pid,
        push=EQUAL,
        parameter=True,
        hidden=True,
    )
    mount_namespace_id = text(
        "Inode of that process's mount namespace; NULL where none was asked for.",
        source="/proc/PID/ns/mnt",
        get=lambda file: file[0].mount_namespace,
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Stated]:
        for found in files.find(request, host):
            try:
                status, target = found.root.lstat(found.path), None
                leads = status.st_mode >> 12 != 0o12
                if not leads:
                    target = found.root.readlink(found.path)
                    with suppress(OSError):  # else it is the link that is described
                        status, leads = found.root.stat(found.path), True
            except OSError as error:
                if error.errno in REFUSED:
                    found.root.refused.append(found.path)
                continue
            yield found, status, leads, target

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return files.estimate(request, 10.0)


TABLE = File()
