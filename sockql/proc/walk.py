"""The walk over processes: reads of each the files that the columns in use need."""

from __future__ import annotations

import os
from errno import EINVAL, ENAMETOOLONG
from functools import lru_cache

from sockql.proc import procfs
from sockql.proc.examine import Examiner
from sockql.proc.fdinfo import NAMESPACES
from sockql.proc.files import Process, boot_time, memory_size, up_time
from sockql.proc.procfs import GONE, REFUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

    from sockql.host import Host
    from sockql.request import Request
    from sockql.schema import Getter

_READ: Final = (
    "stat",
    "status",
    "cmdline",
    "io",
    "cgroup",
    "loginuid",
    "oom_score",
    "oom_score_adj",
    "wchan",
    "limits",
    "smaps_rollup",
    "autogroup",
    "attr/current",
)
_LINKS: Final = ("exe", "cwd", "root", *(f"ns/{name}" for name in NAMESPACES))
#: A link is longer than a page; no security module has a label to give (attr/current).
_NOTHING: Final = (ENAMETOOLONG, EINVAL)
#: Not of the process: the host's, once in a statement; and the size of the directory fd.
_OTHERS: Final = ("btime", "uptime", "memory", "fd")
_OF_HOST: Final = {
    "btime": ("stat", boot_time),
    "uptime": ("uptime", up_time),
    "memory": ("meminfo", memory_size),
}
_BITS: Final = {name: 1 << bit for bit, name in enumerate((*_READ, *_LINKS, *_OTHERS))}


def need(*names: str) -> int:
    """The bits of ``Column.needs`` for these files and links of a process.

    ``btime``, ``uptime`` and ``memory`` are of /proc/stat, /proc/uptime and /proc/meminfo, ``fd``
    is the number of descriptors.
    """
    bits = 0
    for name in names:
        bits |= _BITS[name]
    return bits


def read(request: Request, host: Host, *, threads: bool = False) -> Iterator[Process]:
    """The processes that may satisfy ``request``, in order of pid.

    With ``threads`` also the threads whose numbers it asks for, which no listing has.

    :raises DataError: when the host's procfs has no processes, or fails.
    """
    if request.impossible:
        return iter(())
    return _Walk(request, host, threads).processes()


class _Walk:
    """One scan: what of each process is wanted, and who was refused."""

    __slots__ = (
        "filters",
        "first",
        "host",
        "names",
        "refusals",
        "request",
        "rest",
        "threads",
        "verify",
    )

    def __init__(self, request: Request, host: Host, threads: bool) -> None:
        self.request = request
        self.host = host
        self.threads = threads
        self.names, given = procfs.pids(request, host)
        self.verify = given or request.snapshot.shared
        self.refusals = procfs.Refusals.of("processes", request, self.names)
        needs = request.needs
        # What decides whether a process is a row is read first, the rest of those that are.
        self.filters: list[tuple[Getter, frozenset[Any]]] = []
        deciding = need("stat") if self.verify else 0
        for name in {constraint.column for constraint in request.constraints}:
            column = request.schema.by_name[name]
            values = request.values(name)
            if column.needs and values is not None:
                self.filters.append((column.get, values))
                deciding |= column.needs
        self.first = _files(deciding)
        self.rest = _files(needs & ~deciding)
        if self.first or self.rest:
            procfs.note(request, host, self.names, given, _noted(needs | deciding))

    def processes(self) -> Iterator[Process]:
        host = self.host
        boot, uptime, memory = (self._of_host(what) for what in _OF_HOST)
        reading = bool(self.first or self.rest)
        for done, name in enumerate(self.names):
            host.check()
            if host.progress is not None:
                host.progress("processes", done, len(self.names))
            process = self._process(name) if reading else Process(int(name))
            if process is not None:
                process.boot = boot
                process.uptime = uptime
                process.memory = memory
                yield process
        self.refusals.report(host)

    def _of_host(self, what: str) -> Any:
        """btime, uptime or memory, read once in a statement; None when no column needs it."""
        if not self.request.needs & _BITS[what]:
            return None
        memo = self.request.snapshot.memo
        if what not in memo:
            file, parse = _OF_HOST[what]
            try:
                memo[what] = parse(procfs.read(file, self.host.proc))
            except OSError:
                memo[what] = None  # a copy of a procfs need not have it
        return memo[what]

    def _process(self, name: str) -> Process | None:
        """The process, None when it has gone or is no row."""
        process = Process(int(name))
        try:
            directory = procfs.open_directory(name, self.host.proc)
        except OSError as error:
            if error.errno in GONE:
                self.refusals.absent(name)
                return None
            if error.errno not in REFUSED:
                raise procfs.failed(error, self.host, name) from None
            self.refusals.add(name, error, self.host)
            return None if self.filters else process
        try:
            if not self._load(process, name, directory, self.first):
                return None
            if self.verify:
                stat = process.stat
                if stat is not None and not procfs.is_row(
                    process.pid, stat[1], self.request, threads=self.threads
                ):
                    self.refusals.absent(name)
                    return None
            for get, values in self.filters:
                if get(process) not in values:
                    return None
            return process if self._load(process, name, directory, self.rest) else None
        finally:
            os.close(directory)

    def _load(self, process: Process, name: str, directory: int, files: tuple[str, ...]) -> bool:
        """Read ``files``; whether the process was there all the time.

        What is refused, or what this kind of process does not have (kernel threads, zombies), is
        left out of the record.
        """
        missing = False
        for file in files:
            try:
                if file == "fd":
                    process.descriptors = self._descriptors(directory)
                elif file in _LINKS:
                    process.files[file] = os.readlink(file.encode(), dir_fd=directory)
                    if file == "exe":
                        self._look_for_exe(process, directory)
                else:
                    process.files[file] = procfs.read(file, directory)
            except OSError as error:
                if error.errno in GONE:
                    missing = True
                elif error.errno in REFUSED:
                    fields = process.stat[1] if process.stat is not None else None
                    self.refusals.add(name, error, self.host, file, fields, need(file))
                elif error.errno not in _NOTHING:
                    raise procfs.failed(error, self.host, f"{name}/{file}") from None
        if missing:
            try:
                os.stat("stat", dir_fd=directory)
            except OSError:
                return False
        return True

    def _look_for_exe(self, process: Process, directory: int) -> None:
        """Find out whether the executable is still where it was."""
        link = os.fsdecode(process.files["exe"])
        examiner = Examiner.of(self.request, self.host)
        process.exe_deleted = examiner.unlinked(link, "exe", "", directory)
        process.on_disk = True
        if process.exe_deleted:
            try:
                there = examiner.find(link.removesuffix(" (deleted)"), "", directory)
                process.on_disk = None if there is None else True
            except OSError as error:
                process.on_disk = None if error.errno in REFUSED else False

    def _descriptors(self, directory: int) -> int | None:
        """How many descriptors the process has, as the kernel says since 6.2, else None.

        Linux kernel commit f1f1f2569901 ("proc: report open files as size in stat() for
        /proc/pid/fd"); before it, the size is 0 for everyone, us included.
        """
        if not procfs.is_procfs(self.host):
            return None
        size = os.stat("fd", dir_fd=directory).st_size
        memo = self.request.snapshot.memo
        if size == 0 and "sizes" not in memo:
            try:
                memo["sizes"] = os.stat("self/fd", dir_fd=self.host.proc).st_size > 0
            except OSError:
                memo["sizes"] = False  # we are not in this pid namespace
        return size if size or memo["sizes"] else None


@lru_cache
def _files(needs: int) -> tuple[str, ...]:
    return tuple(name for name, bit in _BITS.items() if needs & bit and name not in _OF_HOST)


@lru_cache
def _noted(needs: int) -> str:
    files = _files(needs)
    return files[0] if len(files) == 1 else "{" + ",".join(sorted(files)) + "}"
