"""One file descriptor: what is wanted of it, and reading that.

Only what the columns in use need is read; most of the time goes into readlink(2), 3 µs each.
"""

from __future__ import annotations

import os
from errno import ENAMETOOLONG, errorcode

from sockql.proc import devices, extended, procfs
from sockql.proc.descriptor_kinds import may_be_socket, needs_by_kind, socket_inodes
from sockql.proc.examine import Examiner
from sockql.proc.fdinfo import PATH_TYPES, head, is_path, number_of, socket_inode
from sockql.proc.mount_points import MountPoints
from sockql.proc.procfs import GONE, REFUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, TypeAlias

    from sockql.host import Host
    from sockql.proc.examine import Status
    from sockql.proc.fd_table import OpenTable
    from sockql.proc.mount_points import Place
    from sockql.request import Request

    #: (pid, fd as listed, inode, tid, link, st_mode of the link, fdinfo, stat, deleted, mount,
    #: extended attribute or name of the device by its name, what gives scm_fds of the record);
    #: shorter where the columns in use need less.  The link of a socket is left out, inode says it
    #: all.
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
LATE: Final = 11

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
NEED_LATE: Final = 2048  # what reads the fdinfo of a socket, for those that are asked for

_NAMED: Final = NEED_PROTOCOL | NEED_LABEL | NEED_DEVICE
_REST: Final = _NAMED | NEED_MOUNT | NEED_LATE


class Reader:
    """What a scan wants of each descriptor.

    ``failed`` is told what is refused: the error, the process, the file.
    """

    __slots__ = (
        *("counts", "deleted_only", "examiner", "failed", "host", "leads", "needs"),
        *("needs_of_others", "needs_of_sockets", "refusals", "request", "socket_links"),
        *("sockets_only", "typed", "want_others", "want_paths", "want_sockets"),
    )

    refusals: procfs.Refusals

    def __init__(
        self, request: Request, host: Host, failed: Callable[[OSError, str, str], None]
    ) -> None:
        self.request = request
        self.host = host
        self.failed = failed
        self.examiner = Examiner.of(request, host)
        #: Links to network namespaces, and where they are: see sockql.network.scope.
        self.leads: dict[str, str] = request.snapshot.memo.setdefault("leads", {})
        types, inodes = request.values("type"), socket_inodes(request)
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
        self.needs = needs
        #: The numbers of scm_fds that were asked for.
        self.counts: dict[tuple[Any, ...], int | None] = {}

    def read(self, table: OpenTable, number: str) -> Descriptor | None:
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
                self.failed(error, table.name, f"fdinfo/{number}")
        if needs & NEED_LSTAT and data is None:
            mode = os.lstat(number, dir_fd=directory).st_mode
        found = (table.pid, number, inode, table.tid, link, mode, data, status, deleted)
        place = attributes = late = None
        if needs & _REST and not table.closed:
            # What has no path is on a mount that is nowhere to be seen.
            if needs & NEED_MOUNT and inode is None and (link is None or is_path(link)):
                place = self._mount(table, link, data)
            if needs & _NAMED:
                attributes = self._attributes(needs, table, number, link, status)
            late = self.scm_fds
        if table.known and needs & ~(NEED_LINK | NEED_LATE):
            assert table.links is not None
            then, now = table.links[number], self._read_link(table, number)
            if now != then:
                # Of an open file only the path may be another one by now.
                if table.closed or not (_may_be_path(then) and _may_be_path(now)):
                    return None
                table.links[number] = now
                return self.read(table, number)
        return *found, place, attributes, late

    def scm_fds(self, r: Descriptor) -> int | None:
        """The descriptors under way to a socket; None when it is not the one of the record now.

        Most sockets are not of the kind that has a number, and fdinfo costs more than the link.
        SQLite may ask more than once, and has to be told the same.
        """
        identity = r[:LINK]
        if identity not in self.counts:
            self.counts[identity] = self._scm_fds(r)
        return self.counts[identity]

    def _scm_fds(self, r: Descriptor) -> int | None:
        place = f"{r[PID]}" if r[TID] is None else f"{r[PID]}/task/{r[TID]}"
        try:
            directory = procfs.open_directory(place, self.host.proc)
        except OSError:
            return None
        try:
            data = procfs.read(f"fdinfo/{r[FD]}", directory)
            same = os.readlink(f"fd/{r[FD]}", dir_fd=directory) == f"socket:[{r[INODE]}]"
            return number_of(data, b"scm_fds") if same else None
        except OSError as error:
            self.failed(error, str(r[PID]), "fdinfo")
            if self.request.snapshot.sharing is None:
                self.refusals.report(self.host)
            return None
        finally:
            os.close(directory)

    def _mount(self, table: OpenTable, link: str | None, data: bytes | None) -> Place | None:
        """Where the mount is that fdinfo names."""
        mount = None if data is None else head(data)[2]
        if mount is None:
            return None
        mounts = MountPoints.of(self.request, self.host)
        return mounts.find(mount, table.directory, everywhere=link is not None)

    def _attributes(
        self, needs: int, table: OpenTable, number: str, link: str | None, status: Status | None
    ) -> dict[str, bytes]:
        """What few ask for: extended attributes, and what the device is called."""
        names = []
        if needs & NEED_PROTOCOL and link is None:
            names.append(extended.PROTOCOL)
        if needs & NEED_LABEL and extended.has_labels(self.request, self.host):
            names.append(extended.LABEL)
        attributes = extended.read(names, number, table.directory)
        if needs & NEED_DEVICE:
            attributes.update(devices.of(status, self.request, self.host))
        return attributes

    def _link(self, table: OpenTable, number: str) -> str | None:
        """The link, of a table whose links are kept read only once."""
        links = table.links
        if links is not None and (table.known or number in links):
            return links[number]
        link = self._read_link(table, number)
        if links is not None:
            links[number] = link
        return link

    def _read_link(self, table: OpenTable, number: str) -> str | None:
        try:
            return os.readlink(number, dir_fd=table.directory)
        except OSError as error:
            if error.errno in REFUSED:
                self.failed(error, table.name, f"fd/{number}")
                table.closed = True
            elif error.errno != ENAMETOOLONG:
                # d_path() has a page; a descriptor with a longer path is there all the same.
                raise
            return None

    def open_fdinfo(self, table: OpenTable) -> None:
        try:
            table.fdinfo = procfs.open_directory("../fdinfo", table.directory)
        except OSError as error:
            self.failed(error, table.name, "fdinfo")

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


def _may_be_path(link: str | None) -> bool:
    return link is None or is_path(link)
