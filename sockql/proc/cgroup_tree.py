"""The directories of control groups, in every hierarchy that is mounted.

Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/cgroups.rst; cgroups(7).
"""

from __future__ import annotations

import os

from sockql.proc import mountinfo, procfs
from sockql.proc.procfs import readable_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request

#: Options of a version 1 hierarchy that are no controllers.
_OPTIONS: Final = frozenset(
    {"rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "favordynmods"}
)

#: Names of files in version 2 and what they are called in version 1, if there is such a thing.
FILES: Final = {
    "cgroup.procs": "cgroup.procs",
    "cgroup.freeze": None,
    "cpu.stat": None,
    "cpuacct.usage": "cpuacct.usage",
    "memory.current": "memory.usage_in_bytes",
    "memory.max": "memory.limit_in_bytes",
    "memory.peak": "memory.max_usage_in_bytes",
    "memory.swap.current": None,
    "pids.current": "pids.current",
    "pids.max": "pids.max",
}
_BITS: Final = {name: 1 << bit for bit, name in enumerate(FILES)}


class Group:
    """One control group: ``files`` has what was read of it, by the names of version 2."""

    __slots__ = ("files", "hierarchy", "id", "path")

    def __init__(self, hierarchy: str | None, path: str, id: int | None) -> None:
        self.hierarchy = hierarchy
        self.path = path
        self.id = id
        self.files: dict[str, bytes] = {}


def need(*names: str) -> int:
    """The bits of ``Column.needs`` for these files."""
    bits = 0
    for name in names:
        bits |= _BITS[name]
    return bits


def hierarchies(data: bytes) -> dict[str | None, tuple[str, str]]:
    """``(mount point, root)`` of each hierarchy in /proc/PID/mountinfo, None for version 2.

    ``root`` is the group that the mount point shows; of several mounts the one that shows most.
    A hierarchy of version 1 is named by its controllers, or ``name=NAME``.
    """
    found: dict[str | None, tuple[str, str]] = {}
    for mount in mountinfo.parse(data):
        if mount[mountinfo.TYPE] not in (b"cgroup", b"cgroup2"):
            continue
        name = None
        if mount[mountinfo.TYPE] == b"cgroup":
            options = readable_text(mount[mountinfo.SUPER_OPTIONS]).split(",")
            name = ",".join(
                option
                for option in options
                if option not in _OPTIONS and not option.startswith("release_agent=")
            )
        point, root = os.fsdecode(mount[mountinfo.POINT]), os.fsdecode(mount[mountinfo.ROOT])
        if name not in found or len(root) < len(found[name][1]):
            found[name] = point, root
    return found


def read(request: Request, host: Host) -> Iterator[Group]:
    """All groups, each before those in it, with the files that ``request`` needs."""
    try:
        data = procfs.read_list("self/mountinfo", host.proc)
    except OSError:
        return  # a copy of a procfs need not have it
    files = [name for name in FILES if request.needs & _BITS[name]]
    for name, (point, root) in hierarchies(data).items():
        request.trace.note(point)
        # As the process that reads sees it, through its procfs.
        pending = [("self/root" + point.rstrip("/"), root)]
        while pending:
            host.check()
            place, path = pending.pop()
            try:
                directory = procfs.open_directory(place, host.proc)
            except OSError:
                continue  # removed meanwhile
            try:
                inode = os.fstat(directory).st_ino
                group = Group(name, _text(path), inode if name is None else None)
                _load(group, files, directory)
                with os.scandir(directory) as entries:
                    below = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
            except OSError:
                continue
            finally:
                os.close(directory)
            yield group
            inside = path.rstrip("/")
            pending += [(f"{place}/{n}", f"{inside}/{n}") for n in sorted(below, reverse=True)]


def _load(group: Group, files: list[str], directory: int) -> None:
    for file in files:
        name = file if group.hierarchy is None else FILES[file]
        if name is None:
            continue
        try:
            group.files[file] = procfs.read_list(name, directory)
        except OSError:
            continue  # its controller is not enabled here, or it has threads only


def _text(path: str) -> str:
    return readable_text(os.fsencode(path))
