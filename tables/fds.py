"""The table ``fds``."""

from __future__ import annotations

import os
from operator import itemgetter

from sockql.proc import costs as process_costs
from sockql.proc import descriptors, examine, fdinfo, fdinfo_kinds, procfs
from sockql.proc.descriptor import (
    DELETED,
    FD,
    FDINFO,
    INODE,
    LINK,
    LSTAT,
    NEED_ANONYMOUS_STAT,
    NEED_DELETED,
    NEED_FDINFO,
    NEED_LINK,
    NEED_LSTAT,
    NEED_PATH_STAT,
    NEED_STAT,
    PID,
    STAT,
    TID,
)
from sockql.proc.examine import BLOCKS, GID, LINKS, MODE, RDEV, SIZE, UID
from sockql.proc.fd_tables import More
from sockql.schema import EQUAL, RANGE, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockql.host import Host
    from sockql.proc.descriptor import Descriptor
    from sockql.proc.examine import Status
    from sockql.request import Request
    from sockql.schema import Getter


def _target(r: Descriptor) -> str | None:
    link: str | None = r[LINK]
    if link is None:
        return None if r[INODE] is None else f"socket:[{r[INODE]}]"
    return link if link.isascii() else procfs.readable_text(os.fsencode(link))


def _type(r: Descriptor) -> str | None:
    if r[INODE] is not None:
        return "socket"
    link, status = r[LINK], r[STAT]
    if link is None or fdinfo.is_path(link):
        return None if status is None else fdinfo.path_type(link, status[MODE], status[LINKS])
    return fdinfo.other_type(link)


def _mode(r: Descriptor) -> str | None:
    if r[FDINFO] is not None:
        return fdinfo.access_mode(fdinfo.head(r[FDINFO])[1])
    if r[LSTAT] is None:
        return None
    # The permissions of the link are those of the open file (fs/proc/fd.c, tid_fd_update_inode).
    return (None, "w", "r", "rw")[r[LSTAT] >> 7 & 3]


def _pos(r: Descriptor) -> int | None:
    if r[FDINFO] is None or r[LINK] is None or not fdinfo.is_path(r[LINK]):
        return None
    return fdinfo.head(r[FDINFO])[0]


def _flags(r: Descriptor) -> str | None:
    return None if r[FDINFO] is None else fdinfo.flag_names(fdinfo.head(r[FDINFO])[1])


def _cloexec(r: Descriptor) -> int | None:
    return None if r[FDINFO] is None else int(bool(fdinfo.head(r[FDINFO])[1] & os.O_CLOEXEC))


def _file_inode(r: Descriptor) -> int | None:
    if r[INODE] is not None:
        return None
    link, status = r[LINK], r[STAT]
    if link is not None and not fdinfo.is_path(link):
        inode = procfs.bracketed(link)
        if inode is not None:
            return inode
    return None if status is None else procfs.fitting(status[examine.INODE])


def _device(r: Descriptor) -> str | None:
    return None if r[STAT] is None else examine.device(r[STAT])


def _of_path(get: Getter) -> Getter:
    """``get`` of the stat of what has a path, None for everything else."""

    def of_path(r: Descriptor) -> Any:
        # The record of a socket may end with its link.
        status = None if r[INODE] is not None else r[STAT]
        if status is None:
            return None
        return get(status) if r[LINK] is None or fdinfo.is_path(r[LINK]) else None

    return of_path


def _size(status: Status) -> int | None:
    # Regular files, directories and symbolic links; the others have none.
    return procfs.fitting(status[SIZE]) if status[MODE] >> 12 in (0o10, 0o4, 0o12) else None


class Columns:
    """The columns of ``select *``, and those that say what is open."""

    pid = integer(
        "Process that has the descriptor.",
        source="/proc/PID",
        get=itemgetter(PID),
        push=EQUAL | RANGE,
        lookup=True,
        exact=True,
    )
    fd = integer(
        "Number of the descriptor.",
        source="/proc/PID/fd",
        get=lambda r: int(r[FD]),
        bulk=lambda records: list(map(int, map(itemgetter(FD), records))),
        push=EQUAL,
        exact=True,
    )
    type = text(
        "Kind of the open file: socket, pipe, fifo, file, dir, chr, blk, link, sockfile (the "
        "place of a unix socket in the file system), memfd, secretmem, dmabuf, ns (a namespace), "
        "or the kernel's name of an anonymous inode: eventfd, epoll, inotify, timerfd, signalfd, "
        "pidfd, io_uring, bpf-map and so on; NULL when it cannot be examined.",
        source="/proc/PID/fd/FD, st_mode",
        get=_type,
        needs=NEED_LINK | NEED_PATH_STAT,
        push=EQUAL,
        usual=(
            *("socket", "pipe", "fifo", "file", "dir", "chr", "blk", "link", "sockfile", "memfd"),
            *(
                "eventfd",
                "epoll",
                "inotify",
                "fanotify",
                "timerfd",
                "signalfd",
                "pidfd",
                "io_uring",
            ),
            *("bpf-map", "bpf-prog", "bpf_link", "perf_event", "userfaultfd", "ns", "dmabuf"),
        ),
    )
    target = text(
        "Text of the link: the path, with ' (deleted)' at its end when the file has none any "
        "more, or the kernel's name for what has no path, as in socket:[56789]; NULL when it may "
        "not be read or is longer than 4095 bytes.",
        source="/proc/PID/fd/FD",
        get=_target,
        needs=NEED_LINK,
    )
    inode = integer(
        "Inode of the socket, as in socket:[N]; NULL for everything that is no socket.",
        source="/proc/PID/fd/FD",
        get=itemgetter(INODE),
        needs=NEED_LINK,
        index=True,
        push=EQUAL,
        exact=True,
    )
    mode = text(
        "Whether it is open for reading (r), writing (w) or both (rw); NULL for neither (O_PATH).",
        source="/proc/PID/fd/FD, st_mode",
        get=_mode,
        needs=NEED_LSTAT,
        values=("r", "w", "rw"),
    )
    flags = text(
        "Flags as named in open(2), joined by commas, without the access mode (see mode) and "
        "O_LARGEFILE (set for all files of 64-bit programs); NULL when fdinfo may not be read.",
        source="/proc/PID/fdinfo/FD flags",
        get=_flags,
        needs=NEED_FDINFO,
    )
    pos = integer(
        "Position in the file; NULL for what has no path, and when fdinfo may not be read.",
        source="/proc/PID/fdinfo/FD pos",
        unit="bytes",
        get=_pos,
        needs=NEED_FDINFO | NEED_LINK,
    )
    tid = integer(
        "Thread whose table the descriptor is in, when it has one of its own or the main thread has "
        "ended; NULL for the table of the process.",
        source="/proc/PID/task/TID/fd",
        get=itemgetter(TID),
        hidden=True,
    )
    cloexec = integer(
        "1 when execve(2) closes it, else 0; NULL when fdinfo may not be read.",
        source="/proc/PID/fdinfo/FD flags",
        get=_cloexec,
        needs=NEED_FDINFO,
        hidden=True,
    )
    mnt_id = integer(
        "Mount it was opened in, the first number of its line in /proc/PID/mountinfo; NULL when "
        "fdinfo may not be read.",
        source="/proc/PID/fdinfo/FD mnt_id",
        get=lambda r: None if r[FDINFO] is None else fdinfo.head(r[FDINFO])[2],
        needs=NEED_FDINFO,
        hidden=True,
    )
    file_inode = integer(
        "Inode of the file, pipe, namespace or pidfd on its device; that of an anonymous inode "
        "is shared by all of them; NULL for sockets (see inode) and when it cannot be examined.",
        source="st_ino",
        get=_file_inode,
        needs=NEED_LINK | NEED_PATH_STAT | NEED_ANONYMOUS_STAT,
        hidden=True,
    )
    dev = text(
        "Device that file_inode (or inode) is on, as major:minor; NULL when it cannot be examined.",
        source="st_dev",
        get=_device,
        needs=NEED_LINK | NEED_STAT,
        hidden=True,
    )
    rdev = text(
        "Device that a device file stands for, as major:minor; NULL for all other types.",
        source="st_rdev",
        get=_of_path(lambda s: examine.device(s, RDEV) if s[MODE] >> 12 in (0o2, 0o6) else None),
        needs=NEED_LINK | NEED_PATH_STAT,
        hidden=True,
    )
    size = integer(
        "Length of a file, directory or symbolic link, where it is on a server as it was when the "
        "kernel last heard of it; NULL for all other types.",
        source="st_size",
        unit="bytes",
        get=_of_path(_size),
        needs=NEED_LINK | NEED_PATH_STAT,
        hidden=True,
    )
    allocated = integer(
        "Room the file takes on its device; NULL for what has no path.",
        source="st_blocks",
        unit="bytes",
        get=_of_path(lambda s: procfs.fitting(s[BLOCKS] * 512)),
        needs=NEED_LINK | NEED_PATH_STAT,
        hidden=True,
    )
    nlink = integer(
        "Names (hard links) the file has; NULL for what has no path.",
        source="st_nlink",
        get=_of_path(itemgetter(LINKS)),
        needs=NEED_LINK | NEED_PATH_STAT,
        hidden=True,
    )
    deleted = integer(
        "1 when the path no longer leads to the file, as is always so for a memfd, else 0; NULL "
        "for what has no path.",
        source="/proc/PID/fd/FD (deleted)",
        get=lambda r: None if r[INODE] is not None else r[DELETED],
        needs=NEED_LINK | NEED_DELETED,
        push=EQUAL,
        hidden=True,
    )
    file_mode = text(
        "Permissions of the file in octal, as chmod(1) takes them; NULL for what has no path.",
        source="st_mode",
        get=_of_path(lambda s: f"{s[MODE] & 0o7777:04o}"),
        needs=NEED_LINK | NEED_PATH_STAT,
        hidden=True,
    )
    file_uid = integer(
        "User who owns the file; NULL for what has no path.",
        source="st_uid",
        get=_of_path(itemgetter(UID)),
        needs=NEED_LINK | NEED_PATH_STAT,
        hidden=True,
    )
    file_gid = integer(
        "Group of the file; NULL for what has no path.",
        source="st_gid",
        get=_of_path(itemgetter(GID)),
        needs=NEED_LINK | NEED_PATH_STAT,
        hidden=True,
    )
    info = text(
        "What fdinfo says of this kind of descriptor alone, as a JSON object with the kernel's "
        'keys, as in {"eventfd-id": 7, …}; numbers are numbers, whatever base the kernel writes '
        "them in, signals (sigmask) and clocks (clockid) have their names, devices (sdev) are "
        "major:minor as in mounts.dev, times (it_value) are seconds; targets of epoll (tfd), inotify and "
        "fanotify are a list of objects, lines below a key a list under that key with List at its "
        "end, as UserFilesList; NULL when there is nothing.",
        source="/proc/PID/fdinfo/FD",
        get=lambda r: None if r[FDINFO] is None else fdinfo_kinds.info(r[FDINFO]),
        needs=NEED_FDINFO,
        hidden=True,
    )
    locks = text(
        "Locks held through it, as a JSON array of objects with class (POSIX, FLOCK, OFDLCK, "
        "LEASE, DELEG), kind, access, pid, dev, inode, start and end; NULL when there are none.",
        source="/proc/PID/fdinfo/FD lock",
        get=lambda r: None if r[FDINFO] is None else fdinfo.locks(r[FDINFO]),
        needs=NEED_FDINFO,
        hidden=True,
    )


class Fds(
    More,
    Columns,
    Table["Descriptor"],
    examples=[
        "select pid, fd, target from fds where inode = 56789",
        "select pid, count(*) from fds group by pid order by 2 desc limit 10",
        "select pid, fd, target, allocated from fds where deleted and type = 'file'",
        "select pid, fd, info ->> 'it_value' from fds where type = 'timerfd'",
    ],
):
    """Open file descriptors, one row for each descriptor of each process.

    Threads share the descriptors of their process. Those of a thread that has a table of its own,
    and of the threads that are left when the main thread has ended, are rows with a tid.
    """

    def records(self, request: Request, host: Host) -> Iterator[Descriptor]:
        return descriptors.read(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return process_costs.fds(request, host)


TABLE = Fds()
