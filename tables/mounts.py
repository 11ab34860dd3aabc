"""The table ``mounts``."""

from __future__ import annotations

from operator import itemgetter

from sockql.proc import mountinfo
from sockql.proc.procfs import readable_text
from sockql.schema import EQUAL, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockql.host import Host
    from sockql.proc.mountinfo import Mount
    from sockql.request import Request


def _text(field: int) -> Callable[[Mount], str | None]:
    def get(mount: Mount) -> str | None:
        data = mount[field]
        return readable_text(data) if data and isinstance(data, bytes) else None

    return get


def _source(mount: Mount) -> str | None:
    data = mount[mountinfo.SOURCE]
    return readable_text(data) if data not in (b"", b"none") else None


class Mounts(
    Table["Mount"],
    examples=[
        "select mount_point, fstype, mount_source from mounts where fstype like 'nfs%'",
        "select pid, fd, target, fstype from fds join mounts using(mnt_id) where pid = 1",
    ],
):
    """Mounts of all mount namespaces that processes are in, one row for each.

    Each namespace is seen through one process that has its root as its own, if there is one.
    """

    mnt_id = integer(
        "Number of the mount, which no other mount has in any namespace.",
        source="/proc/PID/mountinfo mount ID",
        get=itemgetter(mountinfo.ID),
        index=True,
    )
    mount_point = text(
        "Where it is mounted, as processes of the namespace see it.",
        source="/proc/PID/mountinfo mount point",
        get=_text(mountinfo.POINT),
    )
    fstype = text(
        "Type of the file system, with a subtype behind a dot, as in fuse.sshfs.",
        source="/proc/PID/mountinfo filesystem type",
        get=_text(mountinfo.TYPE),
    )
    mount_source = text(
        "What is mounted: a device, a server's directory, or any word; NULL when there is none.",
        source="/proc/PID/mountinfo mount source",
        get=_source,
    )
    mount_options = text(
        "Options of the mount, joined by commas.",
        source="/proc/PID/mountinfo mount options",
        get=_text(mountinfo.OPTIONS),
    )
    dev = text(
        "Device that the inodes of its files are on, as major:minor.",
        source="/proc/PID/mountinfo major:minor",
        get=_text(mountinfo.DEVICE),
    )
    ns_mnt = integer(
        "Inode of the mount namespace; NULL when it may not be read.",
        source="/proc/PID/ns/mnt",
        get=itemgetter(mountinfo.NAMESPACE),
        push=EQUAL,
        exact=True,
    )
    mount_root = text(
        "Directory of the file system that is mounted; / unless it is a part of it (bind mount).",
        source="/proc/PID/mountinfo root",
        get=_text(mountinfo.ROOT),
        hidden=True,
    )
    parent_mnt_id = integer(
        "Number of the mount that it is mounted on; its own for the topmost.",
        source="/proc/PID/mountinfo parent ID",
        get=itemgetter(mountinfo.PARENT),
        hidden=True,
    )
    propagation = text(
        "How mounts below it spread: shared:N, master:N, propagate_from:N, unbindable, joined by "
        "blanks; NULL when it is private.",
        source="/proc/PID/mountinfo optional fields",
        get=_text(mountinfo.PROPAGATION),
        hidden=True,
    )
    super_options = text(
        "Options of the file system, the same for all of its mounts, joined by commas; NULL when "
        "there are none.",
        source="/proc/PID/mountinfo super options",
        get=_text(mountinfo.SUPER_OPTIONS),
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Mount]:
        return mountinfo.read(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 60.0, 1000.0


TABLE = Mounts()
