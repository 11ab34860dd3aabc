"""Namespaces and what keeps them: processes and threads, descriptors, mounts.

Source: namespaces(7), ioctl_nsfs(2).
"""

from __future__ import annotations

import os

from sockql.proc import mountinfo, procfs
from sockql.proc import scan as process_scan
from sockql.proc.fdinfo import NAMESPACES
from sockql.proc.procfs import GONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.proc.procfs import Refusals
    from sockql.request import Request

    #: (type, inode)
    Key: TypeAlias = tuple[str, int]

#: The namespace that owns it and the one around it are asked for.
NEED_RELATIVES: Final = 1

# ioctl_nsfs(2); include/uapi/linux/nsfs.h.
_NS_GET_USERNS: Final = 0xB701
_NS_GET_PARENT: Final = 0xB702
#: Those that a process does not live in itself, but its children will.
_FOR_CHILDREN: Final = {"pid": "pid_for_children", "time": "time_for_children"}


class Namespace:
    """One namespace: ``processes`` that have a thread in it, ``descriptors`` and a mount of it."""

    __slots__ = ("descriptors", "inode", "kind", "mount", "owner", "parent", "pid", "processes")

    def __init__(self, kind: str, inode: int) -> None:
        self.kind = kind
        self.inode = inode
        self.processes = 0
        self.pid: int | None = None
        self.descriptors = 0
        self.mount: bytes | None = None
        self.owner: int | None = None
        self.parent: int | None = None


class Namespaces(dict["Key", Namespace]):
    """Namespaces by type and inode, made when they are first met."""

    __slots__ = ()

    def __missing__(self, key: Key) -> Namespace:
        made = self[key] = Namespace(*key)
        return made


def read(request: Request, host: Host) -> Iterator[Namespace]:
    """The namespaces that may satisfy ``request``, by type and inode.

    :raises DataError: when the host's procfs has no processes, or fails.
    """
    wanted = request.values("ns_type")
    kinds = [kind for kind in NAMESPACES if wanted is None or kind in wanted]
    if request.impossible or not kinds:
        return iter(())
    found = Namespaces()
    for pid, keys, children in _of_processes(kinds, request, host):
        for key in keys:
            namespace = found[key]
            namespace.processes += 1
            if namespace.pid is None:
                namespace.pid = pid
        for key in children:
            found.setdefault(key, Namespace(*key))  # its first process is still to come
    _add_descriptors(found, kinds, request, host)
    for mount in mountinfo.of_all(request, host):
        if mount[mountinfo.TYPE] == b"nsfs":
            link = procfs.readable_text(mount[mountinfo.ROOT])
            mounted = _key(link)
            if mounted and mounted[0] in kinds and found[mounted].mount is None:
                found[mounted].mount = mount[mountinfo.POINT]
    if request.needs & NEED_RELATIVES:
        for namespace in found.values():
            _ask(namespace, host)
    return iter([found[key] for key in sorted(found)])


def _key(link: str) -> Key | None:
    kind, _, _ = link.partition(":")
    inode = procfs.bracketed(link)
    return None if inode is None or kind not in NAMESPACES else (kind, inode)


def _of_processes(
    kinds: list[str], request: Request, host: Host
) -> Iterator[tuple[int, set[Key], set[Key]]]:
    """``(pid, namespaces of its threads, those that its children will be in)``."""

    def of(
        pid: int, directory: int, _refusals: Refusals
    ) -> Iterator[tuple[int, set[Key], set[Key]]]:
        keys = set(_links("ns/", kinds, directory))
        children = set(_links("ns/", [_FOR_CHILDREN.get(k, "") for k in kinds], directory))
        # The links of task are "." and ".." and one for each thread.
        if os.stat("task", dir_fd=directory).st_nlink != 3:
            tasks = procfs.open_directory("task", directory)
            try:
                for tid in filter(str.isdecimal, os.listdir(tasks)):
                    keys.update(_links(f"{tid}/ns/", kinds, tasks))
            finally:
                os.close(tasks)
        yield pid, keys, children - keys

    return process_scan.scan(request, host, "ns", of)


def _links(place: str, kinds: list[str], directory: int) -> Iterator[Key]:
    for kind in kinds:
        if not kind:
            continue
        try:
            key = _key(os.readlink(place + kind, dir_fd=directory))
        except OSError as error:
            # A kind that the kernel does not have, a zombie, a thread that has ended.
            if error.errno in GONE:
                continue
            raise
        if key is not None:
            yield key


def _add_descriptors(found: Namespaces, kinds: list[str], request: Request, host: Host) -> None:
    from sockql.proc import descriptors
    from sockql.proc.descriptor import LINK
    from sockql.request import Constraint
    from sockql.request import Request as Asked
    from sockql.tables.fds import TABLE

    asked = Asked(
        TABLE.schema,
        request.snapshot,
        columns=["target"],
        constraints=[Constraint("type", "=", "ns")],
        trace=request.trace,
    )
    for descriptor in descriptors.read(asked, host):
        key = _key(descriptor[LINK] or "")
        if key is not None and key[0] in kinds:
            found[key].descriptors += 1


def _ask(namespace: Namespace, host: Host) -> None:
    """Ask the kernel for the user namespace that owns it, and for the one around it."""
    if namespace.pid is None:
        return
    from fcntl import ioctl

    place = f"{namespace.pid}/ns/{namespace.kind}"
    try:
        opened = os.open(place, os.O_RDONLY | os.O_CLOEXEC, dir_fd=host.proc)
    except OSError:
        return
    try:
        if os.fstat(opened).st_ino != namespace.inode:
            return  # only another thread of the process is in it, or another process came
        for attribute, request in (("owner", _NS_GET_USERNS), ("parent", _NS_GET_PARENT)):
            if attribute == "parent" and namespace.kind not in ("pid", "user"):
                continue
            try:
                relative = ioctl(opened, request)
            except OSError:
                continue  # outside of our own, or the first one
            try:
                setattr(namespace, attribute, os.fstat(relative).st_ino)
            finally:
                os.close(relative)
    finally:
        os.close(opened)
