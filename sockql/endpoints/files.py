"""Pipes, FIFOs, message queues, terminals and eventfds: what their ends have in common.

Source: pipe(7), fifo(7), mq_overview(7), pty(7), eventfd(2); fs/devpts/inode.c, ipc/mqueue.c.
"""

from __future__ import annotations

import os

from sockql.proc import procfs
from sockql.proc.examine import Examiner, device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Final

    from sockql.endpoints.walk import End
    from sockql.host import Host
    from sockql.request import Request

# Documentation/admin-guide/devices.txt: /dev/ptmx, and the majors of the slaves (only the first
# is used since minors have 20 bits).
_MASTER: Final = "5:2"
_SLAVES: Final = "136:"
_MASTER_SIDE: Final = "master"
_SLAVE_SIDE: Final = "slave"
#: Every message queue says it is as long as this (ipc/mqueue.c, FILENT_SIZE).
_QUEUE_SIZE: Final = 80
#: PIDFD_THREAD of include/uapi/linux/pidfd.h is O_EXCL, which fdinfo keeps.
_PIDFD_THREAD: Final = f"0{os.O_EXCL:o}"


# -- pairs ----------------------------------------------------------------------------------


def flow(mode: str | None, other: str | None) -> str | None:
    """Which way data can go between two open modes, seen from the first; None for none.

    >>> flow("r", "rw"), flow("rw", "rw"), flow("w", "w")
    ('r', 'rw', None)
    """
    if mode is None or other is None:
        return None
    reads = "r" if "r" in mode and "w" in other else ""
    return reads + ("w" if "w" in mode and "r" in other else "") or None


def others(kind: str, end: End, ends: Iterable[End]) -> Iterator[tuple[End, str | None]]:
    """Those of ``ends`` that are at the other end of ``end``, and which way data can go.

    A pipe's other end is whoever writes what we read, or reads what we write; with a terminal it
    is the other side; with an eventfd everybody else.
    """
    pid, fd, mode, _, side = end
    for other in ends:
        if other[1] == fd and other[0] == pid:
            continue
        way = flow(mode, other[2])
        if (side != other[4]) if kind == "pty" else (way is not None or kind == "eventfd"):
            yield other, way


# -- what a descriptor is an end of -----------------------------------------------------------


def is_pty(rdev: str | None) -> bool:
    """Whether a device file is one side of a pseudoterminal."""
    return rdev is not None and (rdev == _MASTER or rdev.startswith(_SLAVES))


def may_be_mqueue(path: str | None) -> bool:
    """Whether a regular file with this path may be a message queue: those have no directories.

    One that was opened by mq_open(3) has no mount either, so its path is its name; else it is in
    the directory of the mount, mostly /dev/mqueue.
    """
    if path is None:
        return False
    directory = path.rpartition("/")[0]
    return not directory or directory.endswith("/mqueue")


class Facts:
    """What has to be looked up in a process to tell which end it has: mounts, terminals."""

    __slots__ = ("_examiner", "_host", "_mounts", "_terminals")

    def __init__(self, request: Request, host: Host) -> None:
        self._examiner = Examiner.of(request, host)
        self._host = host
        self._mounts: dict[int, dict[int, str]] = {}
        self._terminals: dict[tuple[int, str], str | None] = {}

    def is_mqueue(
        self,
        pid: int,
        path: str | None,
        dev: str | None,
        mount: int | None,
        sizes: tuple[int | None, int | None],
    ) -> bool:
        """Whether a regular file is a message queue; ``sizes`` are st_size and what it takes.

        Where the mount cannot be seen, as is that of a namespace that never mounted it, its
        device without number and the length that all queues have must do.
        """
        if not may_be_mqueue(path) or dev is None or not dev.startswith("0:"):
            return False
        if pid not in self._mounts:
            try:
                data = procfs.read_list(f"{pid}/mountinfo", self._host.proc)
            except OSError:
                data = b""
            self._mounts[pid] = _filesystems(data)
        known = self._mounts[pid].get(-1 if mount is None else mount)
        return known == "mqueue" if known is not None else sizes == (_QUEUE_SIZE, 0)

    def pty(
        self,
        pid: int,
        fd: int,
        path: str | None,
        rdev: str | None,
        dev: str | None,
        info: Mapping[str, Any],
    ) -> tuple[tuple[str, str] | None, str]:
        """``((device of the devpts, number), side)`` of a terminal; None when it is not known."""
        if rdev is None or dev is None:
            return None, ""
        if rdev.startswith(_SLAVES):
            return (dev, rdev[len(_SLAVES) :]), _SLAVE_SIDE
        index = info.get("tty-index")
        if rdev != _MASTER or index is None:
            return None, ""
        place = (pid, path or "")
        if place not in self._terminals:
            self._terminals[place] = self._devpts(pid, fd, path)
        return (self._terminals[place] or dev, str(index)), _MASTER_SIDE

    def _devpts(self, pid: int, fd: int, path: str | None) -> str | None:
        """The devpts that belongs to this ptmx; None when it is part of it.

        The kernel takes the devpts mounted as ``pts`` next to a ptmx on another file system
        (fs/namei.c, path_pts()).
        """
        if path is None or path[:1] != "/":
            return None
        try:
            directory = procfs.open_directory(f"{pid}/fd", self._host.proc)
        except OSError:
            return None
        try:
            # Both of one process, even when the one we met has ended meanwhile.
            if os.readlink(str(fd), dir_fd=directory) != path:
                return None
            pts = f"{path.rpartition('/')[0]}/pts"
            found = self._examiner.find(pts, "../", directory, follow=False)
        except OSError:
            return None
        finally:
            os.close(directory)
        return None if found is None else device(found)

    def process(self, number: int | None, flags: str | None) -> int | None:
        """The process of a pidfd; None when it has ended (-1) or is not in our pid namespace (0)."""
        if number is None or number <= 0:
            return None
        if flags is not None and _PIDFD_THREAD in flags.split(","):
            try:
                status = procfs.read(f"{number}/status", self._host.proc)
            except OSError:
                return None
            return int(status.partition(b"\nTgid:")[2].split(None, 1)[0])
        return number


def _filesystems(mountinfo: bytes) -> dict[int, str]:
    """Type of the file system by mount id, from /proc/PID/mountinfo."""
    found = {}
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(b" - ")
        if tail:
            found[int(head.split(None, 1)[0])] = tail.split(None, 1)[0].decode("ascii", "replace")
    return found
