"""Mounts of processes: where one is, by the number that fdinfo says, and what leads to servers."""

from __future__ import annotations

import os

from sockql.proc import mountinfo, procfs
from sockql.proc.procfs import readable_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    #: (mount point, root of the mount in its file system, type of the file system)
    Place: TypeAlias = tuple[str, str, str]

# Types of file systems, but for fuse.SUBTYPE, on which looking up a path asks a server or a
# program, which may not answer.
_REMOTE: Final = frozenset(
    (
        *("9p", "afs", "autofs", "beegfs", "ceph", "cifs", "coda", "fuse", "fuseblk", "gfs2"),
        *("gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2"),
        *("smb3", "smbfs", "vboxsf", "virtiofs"),
    )
)


class MountPoints:
    """Mount points by mnt_id, read once in a statement for each mount namespace.

    Below another root than the namespace's only some mounts are to be seen.  A mount has one number in the whole system.  It is looked for in the namespace of the process
    first, and in all others when a descriptor came from there.
    """

    __slots__ = ("_all", "_by_namespace", "_host", "_request")

    def __init__(self, request: Request, host: Host) -> None:
        self._request = request
        self._host = host
        self._by_namespace: dict[str, dict[int, Place]] = {}
        self._all: dict[int, Place] | None = None

    @classmethod
    def of(cls, request: Request, host: Host) -> MountPoints:
        """Those of the statement."""
        found: MountPoints = request.snapshot.memo.setdefault("mounts", cls(request, host))
        return found

    def find(self, mount: int, directory: int, *, everywhere: bool) -> Place | None:
        """Where ``mount`` is; None for those that the kernel keeps to itself (pipes, sockets).

        ``directory`` is a descriptor of /proc/PID/fd; ``everywhere`` asks for other namespaces
        as well.
        """
        place = self._of(directory, "../").get(mount)
        if place is None and everywhere:
            if self._all is None:
                self._all = _places(mountinfo.of_all(self._request, self._host))
            place = self._all.get(mount)
        return place

    def remote(self, path: str, directory: int, process: str) -> bool:
        """Whether looking up ``path`` below the root of a process may have to ask a server.

        ``process`` leads from ``directory`` to /proc/PID.
        """
        text = path if path.isascii() else readable_text(os.fsencode(path))
        return asks_a_server(text, self._of(directory, process).values())

    def _of(self, directory: int, process: str) -> dict[int, Place]:
        """The mounts of the namespace that a process is in."""
        try:
            namespace = os.readlink(f"{process}ns/mnt", dir_fd=directory)
        except OSError:
            namespace = ""
        seen = namespace and f"{namespace} {root_of(process, directory)}"
        mounts = self._by_namespace.get(seen)
        if mounts is None or not seen:
            try:
                data = procfs.read_list(f"{process}mountinfo", directory)
                mounts = _places(mountinfo.parse(data))
            except OSError:
                mounts = {}
            self._by_namespace[seen] = mounts
        return mounts


def root_of(process: str, directory: int) -> str | None:
    """The root directory of a process, as seen from that of its mount namespace.

    None when it cannot be read, or is no link (in a copy of a procfs).
    """
    try:
        return os.readlink(f"{process}root", dir_fd=directory)
    except OSError:
        return None


def asks_a_server(path: str, places: Iterable[Place]) -> bool:
    """Whether looking up ``path`` may have to ask a server, by the mounts that it leads over.

    ``path`` is readable text, as those of the mounts are.
    """
    return any(
        (type in _REMOTE or type.startswith("fuse."))
        and (path == point or path.startswith(f"{point.rstrip('/')}/"))
        for point, _, type in places
    )


def places(data: bytes) -> Iterable[Place]:
    """The mounts in a mountinfo file.

    :raises ParseError: when a line is not laid out as documented.
    """
    return _places(mountinfo.parse(data)).values()


def _places(mounts: Iterator[mountinfo.Mount]) -> dict[int, Place]:
    return {
        mount[mountinfo.ID]: (
            readable_text(mount[mountinfo.POINT]),
            readable_text(mount[mountinfo.ROOT]),
            readable_text(mount[mountinfo.TYPE]),
        )
        for mount in mounts
    }
