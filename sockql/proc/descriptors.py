"""The walk over the file descriptors of processes: /proc/PID/fd and /proc/PID/fdinfo.

A table of descriptors is read through one descriptor of its ``fd`` directory, the files next to
it as ``../stat`` and ``../fdinfo``, so that everything is of one process (see
:mod:`sockql.proc.procfs`).  Only what the columns in use need is read; most of the time goes into
readlink(2), 3 µs each.
"""

from __future__ import annotations

import os
from errno import ENAMETOOLONG, errorcode
from itertools import repeat

from sockql.proc import devices, extended, procfs
from sockql.proc import tables as process_tables
from sockql.proc.descriptor_kinds import may_be_socket, needs_by_kind
from sockql.proc.examine import Examiner
from sockql.proc.fd_table import OpenTable, numbers
from sockql.proc.fdinfo import PATH_TYPES, head, is_path, socket_inode
from sockql.proc.mount_points import MountPoints
from sockql.proc.procfs import GONE, REFUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Final, TypeAlias

    from sockql.host import Host
    from sockql.proc.examine import Status
    from sockql.proc.mount_points import Place
    from sockql.request import Request

    #: (pid, fd as listed, inode, tid, link, st_mode of the link, fdinfo, stat, deleted, mount,
    #: extended attribute or name of the device by its name); shorter where the columns in use need less.  The link of a socket is left out, inode says it all.
    Descriptor: TypeAlias = tuple[Any, ...]

# Fields of a Descriptor.
PID: Final = 0
FD: Final = 1
INODE: Final = 2
TID: Final = 3
LINK: Final = 4
LSTAT: Final = 5
FDINFO: Final = 6
STAT: Final = 7
DELETED: Final = 8
MOUNT: Final = 9
ATTRIBUTES: Final = 10

# What has to be read for a column.
NEED_LINK: Final = 1  # readlink
NEED_PATH_STAT: Final = 2  # stat through the link, of what has a path
NEED_ANONYMOUS_STAT: Final = 4  # and of what has neither a path nor a number in its link
NEED_STAT: Final = 8  # and of everything
NEED_LSTAT: Final = 16  # lstat of the link
NEED_FDINFO: Final = 32
NEED_DELETED: Final = 64  # whether " (deleted)" in the link means just that
NEED_MOUNT: Final = 128  # where the mount is that fdinfo names
NEED_PROTOCOL: Final = 256  # extended attributes: of sockets,
NEED_LABEL: Final = 512  # and of everything
NEED_DEVICE: Final = 1024  # the driver and the name of a device

_REST: Final = NEED_MOUNT | NEED_PROTOCOL | NEED_LABEL | NEED_DEVICE

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
    """One scan: what of each descriptor is wanted, and who was refused."""

    __slots__ = (
        *("counting", "deleted_only", "examiner", "genuine", "host", "leads", "needs"),
        *("needs_of_others", "needs_of_sockets", "numbers", "refusals", "request"),
        *("socket_links", "sockets_only", "typed", "want_others", "want_paths", "want_sockets"),
    )

    refusals: procfs.Refusals

    def __init__(self, request: Request, host: Host) -> None:
        self.request = request
        self.host = host
        self.examiner = Examiner.of(request, host)
        #: Links to network namespaces, and where they are: see sockql.network.scope.
        self.leads: dict[str, str] = request.snapshot.memo.setdefault("leads", {})
        types, inodes, given = map(request.values, ("type", "inode", "fd"))
        self.numbers = None if given is None else [str(n) for n in sorted(given) if n >= 0]
        self.sockets_only = request.constrained("inode") or types == frozenset(("socket",))
        self.socket_links = None if inodes is None else {f"socket:[{inode}]" for inode in inodes}
        self.deleted_only = request.values("deleted") == frozenset((1,))
        self.typed = types is not None or self.sockets_only or self.deleted_only
        self.want_sockets = may_be_socket(request)
        self.want_paths = not self.sockets_only and (
            types is None or not types.isdisjoint(PATH_TYPES)
        )
        # Few anonymous inodes, so which of them is left to SQLite.
        self.want_others = not (self.sockets_only or self.deleted_only) and (
            types is None or not types <= PATH_TYPES | {"socket"}
        )
        needs = request.needs
        #: What is needed of a socket, and of anything else.
        self.needs_of_sockets, self.needs_of_others = needs_by_kind(request)
        if self.typed:
            needs |= NEED_LINK
        if not self.want_paths:
            needs &= ~(NEED_PATH_STAT | NEED_DELETED)
        if not self.want_others:
            needs &= ~NEED_ANONYMOUS_STAT
        self.genuine = procfs.is_procfs(host)
        self.counting = not needs and given is None and request.columns <= {"pid"} and self.genuine
        if not needs and given is not None:
            needs = NEED_LSTAT  # to see whether it is there
        self.needs = needs

    def processes(self) -> Iterator[Descriptor]:
        request, host = self.request, self.host
        names, given = procfs.pids(request, host)
        procfs.note(request, host, names, given, "fd")
        if self.needs & NEED_FDINFO:
            procfs.note(request, host, names, given, "fdinfo")
        self.refusals = procfs.Refusals.of("fds", request, names)
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
                continue
            try:
                if verify:
                    _, fields = procfs.parse_stat(procfs.read("../stat", directory))
                    if not procfs.is_row(int(name), fields, request):
                        continue
                yield from self._process(name, directory)
            except OSError as error:
                # What goes wrong with one descriptor alone is dealt with there.
                self._failed(error, name, "fd")
            finally:
                os.close(directory)
        self.refusals.report(host)
        if self.leads:
            from sockql.network.scope import say_what_was_missed

            say_what_was_missed(request, host)

    def _failed(self, error: OSError, name: str, file: str) -> None:
        """Nothing when the process has gone, a count when we are refused, else an error."""
        if error.errno in REFUSED:
            needs = NEED_FDINFO if file == "fdinfo" else 0
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
            yield from self._table(name, directory, None, self._numbers(directory))
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
            yield from self._table(name, table, tid, self._numbers(table))

    def _numbers(self, directory: int) -> list[str]:
        """The numbers to look at; each is looked at unless it is all that is needed."""
        if self.numbers is not None:
            return self.numbers
        sure = not self.needs or not self.genuine
        return os.listdir(directory) if sure else numbers(directory)

    def _table(
        self, name: str, directory: int, tid: int | None, numbers: list[str]
    ) -> Iterator[Descriptor]:
        """The descriptors ``numbers`` of one table, whose directory is ``directory``."""
        pid = int(name)
        if not self.needs:
            for number in numbers:
                yield pid, number, None, tid
            return
        one = self._sockets if self.sockets_only and self.needs == NEED_LINK else self._all
        for start in range(0, len(numbers), _BATCH):
            if start:
                self.host.check()
            batch = numbers[start : start + _BATCH] if len(numbers) > _BATCH else numbers
            yield from one(name, pid, directory, tid, batch)

    def _sockets(
        self, name: str, pid: int, directory: int, tid: int | None, numbers: list[str]
    ) -> Iterable[Descriptor]:
        """Those of ``numbers`` that are sockets, known by their links alone."""
        readlink = os.readlink
        wanted = self.socket_links
        found = []
        for number in numbers:
            try:
                link = readlink(number, dir_fd=directory)
                if link[:8] == "socket:[" and (wanted is None or link in wanted):
                    found.append((pid, number, int(link[8:-1]), tid, None))
                elif link[:5] == "net:[":
                    self.leads[link] = f"{name}/fd/{number}"
            except OSError as error:
                if error.errno in GONE or error.errno == ENAMETOOLONG:
                    continue
                self._failed(error, name, f"fd/{number}")
                break
            except ValueError:
                socket_inode(name, number, link)
        return found

    def _all(
        self, name: str, pid: int, directory: int, tid: int | None, numbers: list[str]
    ) -> Iterator[Descriptor]:
        """Those of ``numbers`` that are of a wanted type, with all that is needed."""
        table = OpenTable(name, pid, directory, tid)
        try:
            if self.needs & NEED_FDINFO:
                self._open_fdinfo(table)
            for number in numbers:
                try:
                    found = self._descriptor(table, number)
                except OSError as error:
                    # A closed descriptor is as normal as an ended process.
                    if error.errno not in GONE:
                        raise procfs.failed(error, self.host, f"{name}/fd/{number}") from None
                else:
                    if found is not None:
                        yield found
        finally:
            if table.fdinfo is not None:
                os.close(table.fdinfo)

    def _descriptor(self, table: OpenTable, number: str) -> Descriptor | None:
        """One descriptor, None when its type is not wanted.

        :raises OSError: ENOENT when it has been closed.
        """
        needs, directory = self.needs, table.directory
        inode = mode = data = status = deleted = None
        link = self._link(table, number) if needs & NEED_LINK and not table.closed else None
        anonymous = 0
        if link is None:
            if self.typed and (table.closed or not self.want_paths):
                return None
            if table.closed:
                os.lstat(number, dir_fd=directory)  # the number may be a guess
        elif link[:8] == "socket:[":
            if not self.want_sockets or (
                self.socket_links is not None and link not in self.socket_links
            ):
                return None
            inode = socket_inode(table.name, number, link)
            link = None
            needs = self.needs_of_sockets & ~NEED_PATH_STAT
        elif is_path(link):
            if not self.want_paths or (self.deleted_only and link[-10:] != " (deleted)"):
                return None
            needs &= self.needs_of_others
            if needs & NEED_DELETED:
                deleted = int(self.examiner.unlinked(link, number, "../", directory))
        else:
            if link[:5] == "net:[":
                self.leads[link] = f"{table.name}/fd/{number}"
            if not self.want_others:
                return None
            needs &= self.needs_of_others
            needs &= ~NEED_PATH_STAT
            anonymous = 0 if procfs.bracketed(link) is not None else NEED_ANONYMOUS_STAT
        if needs & (NEED_STAT | NEED_PATH_STAT | anonymous) and not table.closed:
            status = self._stat(table, number)
        if table.fdinfo is not None and needs & NEED_FDINFO:
            try:
                data = procfs.read(number, table.fdinfo)
            except OSError as error:
                if error.errno not in REFUSED:
                    raise
                self._failed(error, table.name, f"fdinfo/{number}")
        if needs & NEED_LSTAT and data is None:
            mode = os.lstat(number, dir_fd=directory).st_mode
        found = (table.pid, number, inode, table.tid, link, mode, data, status, deleted)
        if needs & _REST and not table.closed:
            return *found, *self._rest(table, number, link, data, status)
        return *found, None, None

    def _rest(
        self,
        table: OpenTable,
        number: str,
        link: str | None,
        data: bytes | None,
        status: Status | None,
    ) -> tuple[Place | None, dict[str, bytes]]:
        """What few ask for: where its mount is; its extended attributes, and its device."""
        place = None
        if self.needs & NEED_MOUNT and data is not None:
            mount = head(data)[2]
            if mount is not None:
                # What has no path is on a mount that is nowhere to be seen.
                mounts = MountPoints.of(self.request, self.host)
                path = link is not None and is_path(link)
                place = mounts.find(mount, table.directory, everywhere=path)
        names = []
        if self.needs & NEED_PROTOCOL and link is None:
            names.append(extended.PROTOCOL)
        if self.needs & NEED_LABEL and extended.has_labels(self.request, self.host):
            names.append(extended.LABEL)
        attributes = extended.read(names, number, table.directory)
        if self.needs & NEED_DEVICE:
            attributes.update(devices.of(status, self.request, self.host))
        return place, attributes

    def _link(self, table: OpenTable, number: str) -> str | None:
        try:
            return os.readlink(number, dir_fd=table.directory)
        except OSError as error:
            if error.errno in REFUSED:
                self._failed(error, table.name, f"fd/{number}")
                table.closed = True
            elif error.errno != ENAMETOOLONG:
                # d_path() has a page; a descriptor with a longer path is there all the same.
                raise
            return None

    def _open_fdinfo(self, table: OpenTable) -> None:
        try:
            table.fdinfo = procfs.open_directory("../fdinfo", table.directory)
        except OSError as error:
            self._failed(error, table.name, "fdinfo")

    def _stat(self, table: OpenTable, number: str) -> Status | None:
        """stat through the link; None when the file system of the file does not say."""
        try:
            return self.examiner.stat(number, table.directory)
        except OSError as error:
            if error.errno in GONE:
                # Either the descriptor, which ends this one, or the file on its server.
                os.lstat(number, dir_fd=table.directory)
            reason = errorcode.get(error.errno or 0, "?")
            self.refusals.unexamined[table.pid, number] = reason
            return None
