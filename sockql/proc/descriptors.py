"""The walk over the file descriptors of processes: /proc/PID/fd and /proc/PID/fdinfo.

A table of descriptors is read through one descriptor of its ``fd`` directory, the files next to
it as ``../stat`` and ``../fdinfo``, so that everything is of one process (see
:mod:`sockql.proc.procfs`).  What is read of each descriptor is :mod:`sockql.proc.descriptor`'s.
"""

from __future__ import annotations

import os
from errno import ENAMETOOLONG
from itertools import repeat

from sockql.proc import procfs
from sockql.proc import tables as process_tables
from sockql.proc.descriptor import (
    NEED_ANONYMOUS_STAT,
    NEED_DELETED,
    NEED_FDINFO,
    NEED_LATE,
    NEED_LINK,
    NEED_LSTAT,
    NEED_PATH_STAT,
    NEED_STAT,
    Reader,
)
from sockql.proc.fd_table import OpenTable, numbers
from sockql.proc.fdinfo import socket_inode
from sockql.proc.procfs import GONE, REFUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.proc.descriptor import Descriptor
    from sockql.proc.fd_table import Links
    from sockql.request import Request

#: Descriptors between two looks at whether to stop.
_BATCH: Final = 8192


def read(request: Request, host: Host) -> Iterator[Descriptor]:
    """The descriptors that may satisfy ``request``, process by process, in order of number.

    :raises DataError: when the host's procfs has no processes, or fails.
    """
    types = request.values("type")
    if request.impossible or (
        # A condition on inode, be its value known or not, excludes what is no socket.
        types is not None and "socket" not in types and request.constrained("inode")
    ):
        return iter(())
    return _Walk(request, host).processes()


class _Walk:
    """One scan: which processes are met, which tables they have, and who was refused."""

    __slots__ = ("counting", "genuine", "host", "links", "numbers", "reader", "refusals", "request")

    refusals: procfs.Refusals

    def __init__(self, request: Request, host: Host) -> None:
        self.request = request
        self.host = host
        self.reader = Reader(request, host, self._failed)
        given = request.values("fd")
        self.numbers = None if given is None else [str(n) for n in sorted(given) if n >= 0]
        self.genuine = procfs.is_procfs(host)
        needs = self.reader.needs
        self.counting = not needs and given is None and request.columns <= {"pid"} and self.genuine
        if not needs and given is not None:
            self.reader.needs = NEED_LSTAT  # to see whether it is there
        #: The links of whole tables, by process and thread, each read once for all statements
        #: that share a snapshot; None for one that is alone.
        self.links: dict[tuple[str, int | None], Links] | None = None
        if request.snapshot.sharing is not None:
            self.links = request.snapshot.memo.setdefault("links", {})

    def processes(self) -> Iterator[Descriptor]:
        request, host = self.request, self.host
        names, given = procfs.pids(request, host)
        procfs.note(request, host, names, given, "fd")
        if self.reader.needs & NEED_FDINFO:
            procfs.note(request, host, names, given, "fdinfo")
        self.refusals = self.reader.refusals = procfs.Refusals.of("fds", request, names)
        self.refusals.needs = NEED_STAT | NEED_PATH_STAT | NEED_ANONYMOUS_STAT | NEED_DELETED
        verify = given or request.snapshot.shared
        for done, name in enumerate(names):
            host.check()
            if host.progress is not None:
                host.progress("fds", done, len(names))
            try:
                directory = procfs.open_directory(f"{name}/fd", host.proc)
            except OSError as error:
                if error.errno in REFUSED:
                    yield from self._refused(error, name)
                else:
                    self._failed(error, name, "fd")
                    self.refusals.absent(name)
                continue
            try:
                if verify:
                    _, fields = procfs.parse_stat(procfs.read("../stat", directory))
                    if not procfs.is_row(int(name), fields, request):
                        self.refusals.absent(name)
                        continue
                yield from self._process(name, directory)
            except OSError as error:
                # What goes wrong with one descriptor alone is dealt with there.
                self._failed(error, name, "fd")
            finally:
                os.close(directory)
        self.refusals.report(host)
        if self.reader.leads:
            from sockql.network.scope import say_what_was_missed

            say_what_was_missed(request, host)

    def _failed(self, error: OSError, name: str, file: str) -> None:
        """Nothing when the process has gone, a count when we are refused, else an error."""
        if error.errno in REFUSED:
            needs = NEED_FDINFO | NEED_LATE if file == "fdinfo" else 0
            self.refusals.add(name, error, self.host, needs=needs)
        elif error.errno not in GONE:
            raise procfs.failed(error, self.host, f"{name}/{file}") from None

    def _process(self, name: str, directory: int) -> Iterator[Descriptor]:
        # How many there are, no need to list them; 0 before Linux kernel commit f1f1f2569901
        # ("proc: report open files as size in stat() for /proc/pid/fd").
        size = os.fstat(directory).st_size if self.counting else 0
        if size:
            yield from repeat((int(name),), size)
        else:
            yield from self._table(name, directory, None)
        # The links of task are "." and ".." and one for each thread.
        if os.stat("../task", dir_fd=directory).st_nlink == 3:
            return
        tasks = procfs.open_directory("../task", directory)
        try:
            yield from self._threads(name, tasks, leader=True)
        finally:
            os.close(tasks)

    def _refused(self, error: OSError, name: str) -> Iterator[Descriptor]:
        """The descriptors of a process whose directory is refused with ``error``, mostly none.

        That of a dead main thread belongs to root, those of the other threads to their user.
        """
        try:
            tasks = procfs.open_directory(f"{name}/task", self.host.proc)
        except OSError:
            self._failed(error, name, "fd")
            return
        try:
            _, fields = procfs.parse_stat(procfs.read("../stat", tasks))
            if fields[procfs.STATE] != b"Z" or procfs.has_nothing(fields):
                self.refusals.add(name, error, self.host, fields=fields)
            elif procfs.is_row(int(name), fields, self.request):
                yield from self._threads(name, tasks, leader=False)
        except OSError as gone:
            self._failed(gone, name, "task")
        finally:
            os.close(tasks)

    def _threads(self, name: str, tasks: int, *, leader: bool) -> Iterator[Descriptor]:
        """Those of threads in the directory ``tasks`` with a table of their own; see own()."""

        def failed(error: OSError, file: str) -> None:
            self._failed(error, name, file)

        compare = process_tables.comparison(self.request, self.host)
        for tid, table in process_tables.own(int(name), tasks, compare, failed, leader=leader):
            yield from self._table(name, table, tid)

    def _numbers(self, directory: int, known: Links | None) -> list[str]:
        """The numbers to look at; each is looked at unless it is all that is needed."""
        if self.numbers is not None:
            return [n for n in self.numbers if known is None or n in known]
        if known is not None:
            return list(known)
        sure = not self.reader.needs or not self.genuine
        return os.listdir(directory) if sure else numbers(directory)

    def _table(self, name: str, directory: int, tid: int | None) -> Iterator[Descriptor]:
        """The descriptors of one table, whose directory is ``directory``."""
        pid, reader = int(name), self.reader
        known = None if self.links is None else self.links.get((name, tid))
        numbers = self._numbers(directory, known)
        if not reader.needs:
            for number in numbers:
                yield pid, number, None, tid
            return
        table = OpenTable(name, pid, directory, tid, known)
        kept = self.links if reader.needs & NEED_LINK and known is None else None
        links = table.links = known if kept is None else {}
        one: Callable[[OpenTable, list[str]], Iterable[Descriptor]] = self._all
        if reader.sockets_only and reader.needs == NEED_LINK and kept is None:
            one = self._sockets if known is None else self._known_sockets
        try:
            if reader.needs & NEED_FDINFO:
                reader.open_fdinfo(table)
            for start in range(0, len(numbers), _BATCH):
                if start:
                    self.host.check()
                batch = numbers[start : start + _BATCH] if len(numbers) > _BATCH else numbers
                yield from one(table, batch)
        finally:
            if table.fdinfo is not None:
                os.close(table.fdinfo)
        if kept is not None and links is not None and self.numbers is None and not table.closed:
            kept[name, tid] = links

    def _sockets(self, table: OpenTable, numbers: list[str]) -> Iterable[Descriptor]:
        """Those of ``numbers`` that are sockets, known by their links alone."""
        readlink = os.readlink
        wanted = self.reader.socket_links
        name, pid, directory, tid = table.name, table.pid, table.directory, table.tid
        found = []
        for number in numbers:
            try:
                link = readlink(number, dir_fd=directory)
                if link[:8] == "socket:[" and (wanted is None or link in wanted):
                    found.append((pid, number, int(link[8:-1]), tid, None))
                elif link[:5] == "net:[":
                    self.reader.leads[link] = f"{name}/fd/{number}"
            except OSError as error:
                if error.errno in GONE or error.errno == ENAMETOOLONG:
                    continue
                self._failed(error, name, f"fd/{number}")
                break
            except ValueError:
                socket_inode(name, number, link)
        return found

    def _known_sockets(self, table: OpenTable, numbers: list[str]) -> Iterable[Descriptor]:
        """The same of a table whose links are known."""
        wanted = self.reader.socket_links
        links = table.links or {}
        for number in numbers:
            link = links[number]
            if link and link[:8] == "socket:[" and (wanted is None or link in wanted):
                yield table.pid, number, socket_inode(table.name, number, link), table.tid, None

    def _all(self, table: OpenTable, numbers: list[str]) -> Iterator[Descriptor]:
        """Those of ``numbers`` that are of a wanted type, with all that is needed."""
        read = self.reader.read
        for number in numbers:
            try:
                found = read(table, number)
            except OSError as error:
                # A closed descriptor is as normal as an ended process.
                if error.errno not in GONE:
                    raise procfs.failed(error, self.host, f"{table.name}/fd/{number}") from None
            else:
                if found is not None:
                    yield found
