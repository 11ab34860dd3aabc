"""Network namespaces: which there are, and what leads into them.

A namespace is where processes and threads are, where something like ``ip netns`` has mounted it,
or only where a descriptor leads.  Its identity is the inode on nsfs; where a process does not let
us look that up, the number of its file ``net/dev`` tells one namespace from another as well: the
kernel makes the files of /proc/PID/net once for each, and lets everyone look at them.

Source: fs/nsfs.c, fs/proc/proc_net.c; namespaces(7), setns(2).
"""

from __future__ import annotations

import os
from errno import EPERM, ESTALE

from sockql.errors import DataError
from sockql.proc.procfs import GONE, REFUSED, bracketed, is_procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: Where ip-netns(8) has its names; of several names of a namespace these come first.
_NAMED: Final = ("/run/netns/", "/var/run/netns/")
#: Links of a directory /proc/PID/task that has one thread: "." and "..", and the thread.
_ONE_THREAD: Final = 3


class Namespace:
    """One network namespace, and what leads to it.

    ``inode`` is None where it cannot be read; ``file`` then is the number of its ``net/dev``.
    ``members`` are directories of procfs: ``PID`` for processes, ``PID/task/TID`` for threads.
    ``links`` are paths below procfs that open the namespace, beside ``ns/net`` of the members;
    ``mounts`` are the mount points; ``avoided`` says that one of them is no link, since a server
    who may not answer would have to be asked for it; ``id`` is the kernel's, where that listed the
    namespace.
    """

    __slots__ = ("avoided", "file", "id", "inode", "links", "members", "mounts", "own")

    def __init__(self, inode: int | None, file: int | None = None, *, own: bool = False) -> None:
        self.inode = inode
        self.file = file
        self.id: int | None = None
        self.own = own
        self.avoided = False
        self.members: list[str] = []
        self.links: list[str] = []
        self.mounts: list[str] = []

    @property
    def identity(self) -> int | None:
        """What tells the namespace from all others; None for our own."""
        if self.own:
            return None
        return self.inode if self.inode is not None else -(self.file or 0)

    @property
    def name(self) -> str | None:
        """What its mount point is called, as ``ip netns`` shows it; None without one."""
        if not self.mounts:
            return None
        best = min(self.mounts, key=lambda point: (not point.startswith(_NAMED), point))
        return best.rpartition("/")[2] or None

    @property
    def processes(self) -> list[int]:
        """The processes that have a thread in the namespace, as far as they are known."""
        return [*{int(member.partition("/")[0]): None for member in self.members}]

    def called(self, name: str) -> bool:
        """Whether ``name`` is a mount point of the namespace, or the last part of one."""
        return any(name in (point, point.rpartition("/")[2]) for point in self.mounts)

    def open(self, proc: int) -> int | None:
        """A descriptor of the namespace, for setns(2); None when it has gone.

        :raises PermissionError: when nothing that leads there may be opened.
        """
        refused: OSError | None = None
        if self.avoided:
            refused = PermissionError(EPERM, os.strerror(EPERM))
        for path in (*(f"{member}/ns/net" for member in self.members), *self.links):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
            except OSError as error:
                if error.errno in REFUSED:
                    refused = error
                elif error.errno not in GONE:
                    raise
                continue
            # The process may have moved, the mount may be below another one.
            if os.fstat(descriptor).st_ino == self.inode:
                return descriptor
            os.close(descriptor)
        if self.id is not None:
            return self._open_id(self.id)
        if refused is not None:
            raise refused
        return None

    def _open_id(self, id: int) -> int | None:
        from sockql.network.listns import open_id

        try:
            return open_id(id)
        except OSError as error:
            if error.errno == ESTALE:
                return None
            raise


class Survey:
    """The network namespaces as one statement sees them, found step by step."""

    __slots__ = (
        "_all_descriptors",
        "_files",
        "_host",
        "_names",
        "_near",
        "_request",
        "_thorough",
        "by_inode",
        "complete",
        "own",
    )

    def __init__(self, request: Request, host: Host) -> None:
        self._request = request
        self._host = host
        self._near = False
        self._thorough = False
        self._all_descriptors = False
        self._names: list[str] = []
        self.own = Namespace(netns(request, host), own=True)
        self.by_inode: dict[int | None, Namespace] = {self.own.inode: self.own}
        self._files: dict[int, Namespace] = {}
        #: Whether all that could be found have been handed out.
        self.complete = False

    @property
    def every(self) -> list[Namespace]:
        """All that were found until now, our own first."""
        unnamed = [found for found in self._files.values() if found.inode is None]
        return [*self.by_inode.values(), *unnamed]

    # -- one look at each process -----------------------------------------------------------

    def near(self) -> None:
        """Find the namespaces of processes and those mounted where we can see it."""
        if self._near:
            return
        self._near = True
        # Where our own is unknown no other could be told from it.
        if self.own.inode is None:
            return
        host, by_inode = self._host, self.by_inode
        proc, readlink, check = host.proc, os.readlink, host.check
        names = self._names = [name for name in os.listdir(proc) if name.isdecimal()]
        texts = {f"net:[{self.own.inode}]": self.own.members}
        hidden = []
        for name in names:
            try:
                link = readlink(name + "/ns/net", dir_fd=proc)
            except OSError as error:
                if error.errno in REFUSED:
                    hidden.append(name)
                elif error.errno in GONE:
                    self._threads(name)
                continue
            members = texts.get(link)
            if members is None:
                check()
                members = texts[link] = self._at(bracketed(link)).members
            members.append(name)
        by_inode.pop(None, None)
        if hidden:
            self._group(hidden)
        self._mounts("self")

    def _at(self, inode: int | None) -> Namespace:
        """The namespace with this inode."""
        found = self.by_inode.get(inode)
        if found is None:
            found = self.by_inode[inode] = Namespace(inode)
        return found

    def _group(self, members: list[str]) -> None:
        """Sort processes whose links may not be read by the number of their ``net/dev``."""
        if not self._files:
            for namespace in self.by_inode.values():
                for member in ("self", *namespace.members) if namespace.own else namespace.members:
                    number = self._file(member)
                    if number is not None:
                        namespace.file = number
                        self._files[number] = namespace
                        break
        for member in members:
            self._host.check()
            number = self._file(member)
            if number is not None:
                if number not in self._files:
                    self._files[number] = Namespace(None, number)
                self._files[number].members.append(member)

    def _file(self, member: str) -> int | None:
        try:
            return os.stat(f"{member}/net/dev", dir_fd=self._host.proc).st_ino
        except OSError:
            return None

    def _mounts(self, viewer: str) -> None:
        """Find the namespaces that are mounted in the mount namespace of ``viewer``."""
        from sockql.proc.mount_points import asks_a_server, places
        from sockql.proc.mountinfo import unescape
        from sockql.proc.procfs import read_list, readable_text

        try:
            data = read_list(f"{viewer}/mountinfo", self._host.proc)
        except OSError:
            return
        if b" - nsfs " not in data:
            return
        for line in data.split(b"\n"):
            words = line.partition(b" - nsfs ")[0].split(b" ")
            if len(words) < 6 or len(words[0]) == len(line) or not words[3].startswith(b"net:["):
                continue
            inode = bracketed(words[3])
            if inode is None:
                continue
            namespace = self._at(inode)
            point = unescape(words[4])
            shown = readable_text(point)
            if shown not in namespace.mounts:
                namespace.mounts.append(shown)
                if self._host.stat != "fresh" and asks_a_server(shown, places(data)):
                    namespace.avoided = True
                else:
                    namespace.links.append(f"{viewer}/root{os.fsdecode(point)}")

    # -- threads, other mount namespaces, descriptors ---------------------------------------

    def thorough(self, *, descriptors: bool = True) -> None:
        """Find those as well that only a thread, another's mount or a descriptor leads to.

        For the latter it takes a look at each descriptor of the machine, which costs more than
        most statements; without ``descriptors`` they are left out where the kernel does not list
        them itself.
        """
        self.near()
        if self._thorough and (self._all_descriptors or not descriptors):
            return
        self._thorough = True
        self._all_descriptors = descriptors
        proc = self._host.proc
        viewers = {self._mount_namespace("self")}
        # Only since Linux 6.2 the size of the directory tells that it is empty.
        sized = self._size("self/fd") > 0
        for name in self._names:
            self._host.check()
            viewer = self._mount_namespace(name)
            if viewer is not None and viewer not in viewers:
                viewers.add(viewer)
                self._mounts(name)
            try:
                if os.stat(f"{name}/task", dir_fd=proc).st_nlink != _ONE_THREAD:
                    self._threads(name)
            except OSError:
                continue
            if descriptors and (not sized or self._size(f"{name}/fd")):
                self._descriptors(name)
        if not descriptors:
            self._listed()
            # What a walk over descriptors, if the statement made one, has met.
            for link, path in self._request.snapshot.memo.get("leads", {}).items():
                self._at(bracketed(link)).links.append(path)

    def _listed(self) -> None:
        """Find those that the kernel lists."""
        from sockql.network.listns import identifiers, open_id

        # A copy of a procfs has nothing to do with our kernel.
        for id in (identifiers() or ()) if is_procfs(self._host) else ():
            try:
                descriptor = open_id(id)
            except OSError:
                continue  # it has gone, or is not for us
            inode = os.fstat(descriptor).st_ino
            os.close(descriptor)
            self._at(inode).id = id

    def _mount_namespace(self, name: str) -> str | None:
        try:
            return os.readlink(f"{name}/ns/mnt", dir_fd=self._host.proc)
        except OSError:
            return None

    def _size(self, path: str) -> int:
        try:
            return os.stat(path, dir_fd=self._host.proc).st_size
        except OSError:
            return 0

    def _threads(self, name: str) -> None:
        """Find the namespaces of the other threads of a process, whose main one may be dead."""
        proc = self._host.proc
        try:
            task = os.open(f"{name}/task", _DIRECTORY, dir_fd=proc)
        except OSError:
            return
        hidden = []
        main = None
        try:
            for thread in (name, *os.listdir(task)):
                try:
                    link = os.readlink(f"{thread}/ns/net", dir_fd=task)
                except OSError as error:
                    if error.errno in REFUSED and thread != name:
                        hidden.append(f"{name}/task/{thread}")
                    continue
                if thread == name:
                    main = link
                elif link != main:
                    self._at(bracketed(link)).members.append(f"{name}/task/{thread}")
        except OSError:
            pass
        finally:
            os.close(task)
        self._group(hidden)

    def _descriptors(self, name: str) -> None:
        """Find the namespaces that descriptors of a process lead to."""
        try:
            directory = os.open(f"{name}/fd", _DIRECTORY, dir_fd=self._host.proc)
        except OSError:
            return
        readlink = os.readlink
        try:
            for descriptor in os.listdir(directory):
                try:
                    link = readlink(descriptor, dir_fd=directory)
                except OSError:
                    continue
                if link.startswith("net:["):
                    inode = bracketed(link)
                    if inode is not None:
                        self._at(inode).links.append(f"{name}/fd/{descriptor}")
        except OSError:
            pass
        finally:
            os.close(directory)


def netns(request: Request, host: Host) -> int | None:
    """Inode of the network namespace that we are in, None when it cannot be read."""
    memo = request.snapshot.memo
    if "netns" not in memo:
        try:
            link = os.readlink("self/ns/net", dir_fd=host.proc)
        except (OSError, DataError):
            link = ""
        memo["netns"] = bracketed(link) if link.startswith("net:[") else None
    found: int | None = memo["netns"]
    return found


def survey(request: Request, host: Host) -> Survey:
    """The namespaces as ``request``'s statement sees them."""
    memo = request.snapshot.memo
    found = memo.get("namespaces")
    if not isinstance(found, Survey):
        found = memo["namespaces"] = Survey(request, host)
    return found
