"""Where the mounts are that descriptors were opened in, by the number that fdinfo says."""

from __future__ import annotations

import os

from sockql.proc import mountinfo, procfs
from sockql.proc.procfs import readable_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    #: (mount point, root of the mount in its file system)
    Place: TypeAlias = tuple[str, str]


class MountPoints:
    """Mount points by mnt_id, read once for each mount namespace of a statement.

    A mount has one number in the whole system.  It is looked for in the namespace of the process
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
        try:
            namespace = os.readlink("../ns/mnt", dir_fd=directory)
        except OSError:
            namespace = ""
        mounts = self._by_namespace.get(namespace)
        if mounts is None or not namespace:
            try:
                mounts = _places(mountinfo.parse(procfs.read_list("../mountinfo", directory)))
            except OSError:
                mounts = {}
            self._by_namespace[namespace] = mounts
        place = mounts.get(mount)
        if place is None and everywhere:
            if self._all is None:
                self._all = _places(mountinfo.of_all(self._request, self._host))
            place = self._all.get(mount)
        return place


def _places(mounts: Iterator[mountinfo.Mount]) -> dict[int, Place]:
    return {
        mount[mountinfo.ID]: (
            readable_text(mount[mountinfo.POINT]),
            readable_text(mount[mountinfo.ROOT]),
        )
        for mount in mounts
    }
