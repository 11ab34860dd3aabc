"""Paths of cgroups by their id, which is the inode of their directory in the cgroup2 file system.

Source: cgroup_id() is kernfs_node.id, as st_ino there; Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request

_ESCAPES: Final = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


def find_mount(mountinfo: str) -> tuple[str, str] | None:
    """``(mount point, root)`` of the cgroup2 hierarchy from /proc/PID/mountinfo.

    ``root`` is the cgroup that the mount point shows; of several mounts the one that shows most.
    None where there is none.  Source: proc(5).
    """
    best: tuple[str, str] | None = None
    for line in mountinfo.split("\n"):
        fields, dash, file_system = line.partition(" - ")
        if not dash or not file_system.startswith("cgroup2 "):
            continue
        words = fields.split(" ")
        if len(words) < 5:
            continue
        root, point = _unescape(words[3]), _unescape(words[4])
        if best is None or len(root) < len(best[1]):
            best = point, root
    return best


def _unescape(text: str) -> str:
    for escape, character in _ESCAPES:
        text = text.replace(escape, character)
    return text


class Cgroups(dict[int, "str | None"]):
    """Paths as in /proc/PID/cgroup by id, found by one walk when the first one is asked for.

    None for a cgroup that is not there: removed, or outside of what the mount shows.
    """

    __slots__ = ("_host", "_mount", "_read")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._read = False
        self._mount: tuple[str, str] | None = None
        try:
            descriptor = os.open("self/mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=host.proc)
        except OSError:
            return
        with open(descriptor, encoding="utf-8", errors="surrogateescape") as file:
            self._mount = find_mount(file.read())

    def __missing__(self, id: int) -> str | None:
        if not self._read:
            self._read = True
            self._walk()
        return self.setdefault(id, None)

    def ids(self, paths: frozenset[str]) -> list[int] | None:
        """The ids of the cgroups at ``paths``; None when one of them cannot be found."""
        if self._mount is None:
            return None
        point, root = self._mount
        found = []
        for path in paths:
            if path != root and not path.startswith(root.rstrip("/") + "/"):
                return None
            try:
                place = self._below(point) + "/" + path[len(root) :].strip("/")
                found.append(os.stat(place, dir_fd=self._host.proc).st_ino)
            except OSError:
                return None
        return found

    @staticmethod
    def _below(point: str) -> str:
        """``point`` as the process that reads sees it, through its procfs."""
        return "self/root" + point.rstrip("/")

    def _walk(self) -> None:
        if self._mount is None:
            return
        point, root = self._mount
        # Depth first; a directory that goes away meanwhile is none.
        pending = [(self._below(point), root)]
        try:
            self[os.stat(pending[0][0], dir_fd=self._host.proc).st_ino] = _text(root)
        except OSError:
            return
        while pending:
            self._host.check()
            place, path = pending.pop()
            try:
                descriptor = os.open(
                    place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._host.proc
                )
            except OSError:
                continue
            try:
                with os.scandir(descriptor) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            below = f"{path.rstrip('/')}/{entry.name}"
                            self[entry.inode()] = _text(below)
                            pending.append((f"{place}/{entry.name}", below))
            except OSError:
                pass
            finally:
                os.close(descriptor)


def _text(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def cgroups(request: Request, host: Host) -> Cgroups:
    """The cgroups as ``request``'s statement sees them."""
    memo = request.snapshot.memo
    found = memo.get("cgroups")
    if not isinstance(found, Cgroups):
        found = memo["cgroups"] = Cgroups(host)
    return found
