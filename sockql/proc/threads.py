"""The threads of processes: /proc/PID/task/TID, whose files are laid out like a process's own."""

from __future__ import annotations

import os

from sockql.proc import procfs
from sockql.proc import scan as process_scan
from sockql.proc.files import Process, boot_time, line
from sockql.proc.procfs import GONE, REFUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.proc.procfs import Refusals
    from sockql.request import Request

_FILES: Final = ("stat", "status", "cgroup", "wchan")
_LINKS: Final = ("ns/net", "ns/mnt")
_BITS: Final = {name: 1 << bit for bit, name in enumerate((*_FILES, *_LINKS, "btime"))}


class Thread(Process):
    """One thread, ``pid`` being that of its process; see :class:`Process`."""

    __slots__ = ("tid",)

    def __init__(self, pid: int, tid: int, boot: int | None) -> None:
        super().__init__(pid)
        self.tid = tid
        self.boot = boot


def need(*names: str) -> int:
    """The bits of ``Column.needs`` for these files and links of a thread, and ``btime``."""
    bits = 0
    for name in names:
        bits |= _BITS[name]
    return bits


def read(request: Request, host: Host) -> Iterator[Thread]:
    """The threads that may satisfy ``request``, process by process, in order of number.

    :raises DataError: when the host's procfs has no processes, or fails.
    """
    tids = request.values("tid")
    only = None
    if tids is not None and request.values("pid") is None and procfs.is_procfs(host):
        only = sorted({pid for tid in tids for pid in _process_of(tid, host)})
    files = [name for name in (*_FILES, *_LINKS) if request.needs & _BITS[name]]
    boot = _boot(request, host) if request.needs & _BITS["btime"] else None

    def of(pid: int, directory: int, refusals: Refusals) -> Iterator[Thread]:
        for tid in _list(directory) if tids is None else sorted(tids):
            thread = Thread(pid, tid, boot)
            if _load(thread, directory, files, host, refusals):
                yield thread

    return process_scan.scan(request, host, "task", of, only)


def _list(directory: int) -> list[int]:
    tasks = procfs.open_directory("task", directory)
    try:
        return sorted(map(int, filter(str.isdecimal, os.listdir(tasks))))
    finally:
        os.close(tasks)


def _process_of(tid: int, host: Host) -> Iterator[int]:
    """The process that the thread is of; none when there is no such thread.

    /proc/TID is there for every thread, though not listed.
    """
    if tid <= 0:
        return
    try:
        found = line(procfs.read(f"{tid}/status", host.proc), b"Tgid")
    except OSError:
        return
    pid = None if found is None else procfs.number(found, "/proc/PID/status Tgid")
    if pid:
        yield pid


def _boot(request: Request, host: Host) -> int | None:
    memo = request.snapshot.memo
    if "btime" not in memo:
        try:
            memo["btime"] = boot_time(procfs.read("stat", host.proc))
        except OSError:
            memo["btime"] = None  # a copy of a procfs need not have it
    found: int | None = memo["btime"]
    return found


def _load(thread: Thread, process: int, files: list[str], host: Host, refusals: Refusals) -> bool:
    """Read ``files`` of the thread; whether it was there."""
    try:
        directory = procfs.open_directory(f"task/{thread.tid}", process)
    except OSError as error:
        if error.errno in GONE:
            return False
        raise
    try:
        missing = False
        for file in files:
            try:
                if file in _LINKS:
                    thread.files[file] = os.readlink(file.encode(), dir_fd=directory)
                else:
                    thread.files[file] = procfs.read(file, directory)
            except OSError as error:
                if error.errno in REFUSED:
                    refusals.add(str(thread.pid), error, host, file, needs=need(file))
                elif error.errno not in GONE:
                    raise
                else:
                    missing = True
        if missing:
            os.stat("stat", dir_fd=directory)
    except OSError as error:
        if error.errno in GONE:
            return False
        raise
    finally:
        os.close(directory)
    return True
