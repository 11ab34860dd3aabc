"""stat(2) of what processes have open, without waiting for a server that does not answer.

A file on a network or FUSE mount whose server is gone holds up whoever examines it, for good.
Therefore statx(2) is called with AT_STATX_DONT_SYNC, which gives what the kernel knows already:
the attributes as they were when somebody last asked.  Nothing is mounted either
(AT_NO_AUTOMOUNT).  Looking up a path asks the server in any case, so paths that lead over such a
mount are not looked up.
Source: statx(2); fs/fuse/dir.c, fuse_update_get_attr(); fs/nfs/inode.c, nfs_getattr().
"""

from __future__ import annotations

import os
from errno import ENOSYS, EPERM
from struct import Struct

from sockql.proc import libc
from sockql.proc.mount_points import MountPoints, root_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    #: What is known of a file; see the positions below.
    Status: TypeAlias = tuple[int, ...]

# Positions in a Status; a device is two numbers, major and minor.
LINKS: Final = 0
UID: Final = 1
GID: Final = 2
MODE: Final = 3
INODE: Final = 4
SIZE: Final = 5
BLOCKS: Final = 6
RDEV: Final = 7
DEVICE: Final = 9

# Source: include/uapi/linux/stat.h, struct statx, and include/uapi/linux/fcntl.h.
_STATX: Final = Struct("=16x3IH2x3Q72x4I")
_STATX_SIZE: Final = 256
_BASIC_STATS: Final = 0x7FF
_SYMLINK_NOFOLLOW: Final = 0x100
_NO_AUTOMOUNT: Final = 0x800
_DONT_SYNC: Final = 0x4000

_DELETED: Final = " (deleted)"


class Examiner:
    """Examines files the way the host says; see :attr:`sockql.host.Host.stat`."""

    __slots__ = ("_host", "_request", "stat")

    #: ``stat(name, directory, follow)``: what is known of a file; None when nothing may be asked.
    #: Raises OSError as stat(2) does.
    stat: Callable[..., Status | None]

    def __init__(self, request: Request, host: Host) -> None:
        self._request = request
        self._host = host
        self.stat = _never if host.stat == "never" else _ask
        if host.stat == "cached":
            self.stat = _without_waiting() or _ask

    @classmethod
    def of(cls, request: Request, host: Host) -> Examiner:
        """That of the statement."""
        memo = request.snapshot.memo
        found: Examiner | None = memo.get("examiner")
        if found is None:
            found = memo["examiner"] = cls(request, host)
        return found

    def find(
        self, path: str, process: str, directory: int, *, follow: bool = True
    ) -> Status | None:
        """What is at ``path`` below the root of a process.

        ``process`` leads from ``directory`` to /proc/PID, and ends in a slash unless it is empty.

        :raises OSError: when there is nothing, or it cannot be found out: a server would have to
            be asked, or the process has changed its root, below which the kernel's paths do not
            start.
        """
        if root_of(process, directory) not in ("/", None):
            raise PermissionError(EPERM, "the process has another root")
        if self._host.stat == "cached":
            mounts = MountPoints.of(self._request, self._host)
            if mounts.remote(path, directory, process):
                raise PermissionError(EPERM, "a server would have to be asked")
        return self.stat(f"{process}root{path}", directory, follow)

    def unlinked(self, link: str, name: str, process: str, directory: int) -> bool:
        """Whether ``link``, the text of the magic link ``name``, is the path of a deleted file.

        The kernel marks a path that no longer leads to the file with " (deleted)" at its end, but
        that may as well be the end of a file's true name.  A file without any link is deleted; one
        that is left (another hard link) is deleted under this name unless it is found at it.
        Where that cannot be found out the mark is taken at its word.
        Source: fs/d_path.c, d_path().
        """
        if not link.endswith(_DELETED):
            return False
        try:
            status = self.stat(name, directory)
            if status is None or status[LINKS] == 0:
                return True
            there = self.find(link, process, directory)
        except OSError:
            return True
        return there is None or not same(status, there)


def same(one: Status, other: Status) -> bool:
    """Whether both are of one file."""
    return one[INODE] == other[INODE] and one[DEVICE:] == other[DEVICE:]


def device(status: Status, at: int = DEVICE) -> str:
    """The device at a position, DEVICE or RDEV, as major:minor."""
    return f"{status[at]}:{status[at + 1]}"


def _never(_name: str, _directory: int, _follow: bool = True) -> None:
    return None


def _ask(name: str, directory: int, follow: bool = True) -> Status:
    """What stat(2) says, which asks the server."""
    found = os.stat(name, dir_fd=directory, follow_symlinks=follow)
    return (
        *(found.st_nlink, found.st_uid, found.st_gid, found.st_mode, found.st_ino),
        *(found.st_size, found.st_blocks),
        *(os.major(found.st_rdev), os.minor(found.st_rdev)),
        *(os.major(found.st_dev), os.minor(found.st_dev)),
    )


def _without_waiting() -> Callable[..., Status] | None:
    """What calls statx(2); None where there is none (before Linux 4.11 and glibc 2.28)."""
    statx = libc.function("statx")
    if statx is None:
        return None
    buffer = libc.buffer(_STATX_SIZE)
    unpack = _STATX.unpack_from
    flags = _NO_AUTOMOUNT | _DONT_SYNC
    # Some sandboxes refuse what they do not know.
    if statx(-100, b"/", flags, _BASIC_STATS, buffer) < 0 and libc.errno() in (ENOSYS, EPERM):
        return None

    def stat(name: str, directory: int, follow: bool = True) -> Status:
        how = flags if follow else flags | _SYMLINK_NOFOLLOW
        text = name.encode() if name.isascii() else os.fsencode(name)
        if statx(directory, text, how, _BASIC_STATS, buffer) < 0:
            errno = libc.errno()
            raise OSError(errno, os.strerror(errno), name)
        return unpack(buffer)

    return stat
