"""File locks: /proc/locks, and who has the files open that are locked, from fdinfo.

Source: proc_locks(5); fs/locks.c, lock_get_status().
"""

from __future__ import annotations

import os

from sockql.errors import DataError, ParseError
from sockql.proc import procfs
from sockql.proc.maps import device
from sockql.proc.procfs import GONE, REFUSED, number, readable_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.proc.procfs import Refusals
    from sockql.request import Request

#: Of a lock that belongs to an open file the kernel says no process, of none a descriptor.
NEED_HOLDER: Final = 1
NEED_DESCRIPTOR: Final = 2


class Lock:
    """One lock, held or waited for; ``words`` is how /proc/locks and fdinfo both describe it."""

    __slots__ = (
        "access",
        "blocker",
        "device",
        "end",
        "fd",
        "holder",
        "id",
        "inode",
        "kind",
        "link",
        "lock_class",
        "pid",
        "start",
        "waiting",
        "words",
    )

    def __init__(self, line: bytes) -> None:
        """Parse a line of /proc/locks, ``1: POSIX  ADVISORY  WRITE 4711 08:01:1234 0 EOF``.

        :raises ParseError: when it is not laid out like this.
        """
        what = "/proc/locks"
        words = line.split()
        self.waiting = words[1:2] == [b"->"]
        self.words = tuple(words[2 if self.waiting else 1 :])
        if len(self.words) != 7 or words[0][-1:] != b":":
            raise ParseError(f"{what}: {line[:200]!r}: expected eight words")
        lock_class, kind, access, pid, file, start, end = self.words
        self.id = number(words[0][:-1], what) or 0
        self.lock_class = readable_text(lock_class)
        self.kind = readable_text(kind)
        self.access = readable_text(access)
        owner = number(pid, what) or 0
        self.pid = owner if owner > 0 else None
        self.device: str | None = None
        self.inode: int | None = None
        if not file.startswith(b"<none>"):
            numbers, _, inode = file.rpartition(b":")
            self.device = device(numbers, what)
            self.inode = number(inode, what)
        self.start = number(start, what)
        self.end = None if end == b"EOF" else number(end, what)
        self.blocker: int | None = None
        self.holder: int | None = None
        self.fd: int | None = None
        self.link: str | None = None

    def hold(self, pid: int, fd: int, link: str | None) -> None:
        """Note a descriptor through which it is held."""
        self.holder = pid
        self.fd = fd
        self.link = link


def parse(data: bytes) -> list[Lock]:
    """The locks in /proc/locks, in its order: who waits follows what it waits for.

    :raises ParseError: when a line is not laid out as documented.
    """
    return [Lock(line) for line in data.splitlines()]


def read(request: Request, host: Host) -> Iterator[Lock]:
    """All locks, with their holders as far as ``request`` needs them.

    :raises DataError: when /proc/locks cannot be read.
    """
    try:
        locks = parse(procfs.read_list("locks", host.proc))
    except OSError as error:
        raise DataError(f"{host.proc_path}/locks: {error.strerror}") from None
    request.trace.note(f"{host.proc_path}/locks")
    held = [lock for lock in locks if not lock.waiting]
    if request.needs & NEED_DESCRIPTOR:
        # Mostly it is whom the kernel names.
        for lock in held:
            if lock.pid is not None:
                _search([str(lock.pid)], [lock], host, None)
    lost = [
        lock
        for lock in held
        if lock.holder is None and (lock.pid is None or request.needs & NEED_DESCRIPTOR)
    ]
    if lost and request.needs:
        names = sorted(filter(str.isdecimal, os.listdir(host.proc)), key=int)
        procfs.note(request, host, names, False, "fdinfo")
        refusals = procfs.Refusals.of("file_locks", request, names)
        _search(names, lost, host, refusals)
        refusals.report(host)
    holders = {lock.id: lock for lock in held}
    for lock in locks:
        if lock.pid is None:
            lock.pid = lock.holder
        if lock.waiting and lock.id in holders:
            lock.blocker = holders[lock.id].pid
    return iter(locks)


def _search(names: list[str], locks: list[Lock], host: Host, refusals: Refusals | None) -> None:
    """Find descriptors of the processes ``names`` through which ``locks`` are held.

    Locks that look alike (several readers of a file) get one process each as far as there are
    that many.
    """
    sought: dict[tuple[bytes, ...], list[Lock]] = {}
    for lock in locks:
        sought.setdefault(lock.words, []).append(lock)
    spare: dict[tuple[bytes, ...], list[tuple[int, int, str | None]]] = {}
    for name in names:
        if not any(sought.values()):
            return
        host.check()
        try:
            directory = procfs.open_directory(f"{name}/fdinfo", host.proc)
        except OSError as error:
            if refusals is not None and error.errno in REFUSED:
                refusals.add(name, error, host, "fdinfo")
            elif error.errno not in GONE and error.errno not in REFUSED:
                raise procfs.failed(error, host, f"{name}/fdinfo") from None
            continue
        try:
            met: set[tuple[bytes, ...]] = set()
            for fd in sorted(map(int, os.listdir(directory))):
                for words in _held(str(fd), directory):
                    waiting = sought.get(words)
                    if not waiting:
                        continue
                    found = int(name), fd, _link(fd, directory)
                    if words in met:
                        spare.setdefault(words, []).append(found)
                    else:
                        met.add(words)
                        waiting.pop(0).hold(*found)
        except OSError as error:
            if error.errno not in GONE and error.errno not in REFUSED:
                raise procfs.failed(error, host, f"{name}/fdinfo") from None
        finally:
            os.close(directory)
    for words, waiting in sought.items():
        for lock, found in zip(waiting, spare.get(words, ())):
            lock.hold(*found)


def _held(name: str, directory: int) -> list[tuple[bytes, ...]]:
    """The locks that the fdinfo file ``name`` lists, in the words of /proc/locks."""
    try:
        data = procfs.read(name, directory)
    except OSError as error:
        if error.errno in GONE:
            return []
        raise
    if b"\nlock:" not in data:
        return []
    return [tuple(line.split()[2:]) for line in data.splitlines() if line.startswith(b"lock:")]


def _link(fd: int, directory: int) -> str | None:
    try:
        return os.readlink(f"../fd/{fd}", dir_fd=directory)
    except OSError:
        return None
