"""Hidden columns of ``fds`` that few ask for: mounts, namespaces, terminals, labels."""

from __future__ import annotations

from sockql.proc import devices, examine, extended, fdinfo, procfs
from sockql.proc.descriptor import (
    ATTRIBUTES,
    FDINFO,
    INODE,
    LATE,
    LINK,
    MOUNT,
    NEED_DEVICE,
    NEED_FDINFO,
    NEED_LABEL,
    NEED_LATE,
    NEED_LINK,
    NEED_MOUNT,
    NEED_PATH_STAT,
    NEED_PROTOCOL,
    STAT,
)
from sockql.schema import integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockql.proc.descriptor import Descriptor
    from sockql.proc.examine import Status


def _namespace(r: Descriptor) -> tuple[str, int] | None:
    link = r[LINK]
    if link is None:
        return None
    if fdinfo.is_path(link):
        # A namespace that is mounted somewhere and was opened there.
        link = "" if r[MOUNT] is None else r[MOUNT][1]
    kind, inode = link.partition(":")[0], procfs.bracketed(link)
    return None if inode is None or kind not in fdinfo.NAMESPACES else (kind, inode)


def _tty_index(r: Descriptor) -> int | None:
    index = None if r[FDINFO] is None else fdinfo.number_of(r[FDINFO], b"tty-index")
    status: Status | None = r[STAT]
    if index is not None or status is None or status[examine.MODE] >> 12 != 0o2:
        return index
    # UNIX98_PTY_SLAVE_MAJOR of include/uapi/linux/major.h, and those that follow it.
    major, minor = status[examine.RDEV : examine.RDEV + 2]
    return minor + (major - 136) * 256 if 136 <= major <= 143 else None


def _attribute(name: str) -> Callable[[Descriptor], str | None]:
    def get(r: Descriptor) -> str | None:
        value = None if r[ATTRIBUTES] is None else r[ATTRIBUTES].get(name)
        return None if value is None else procfs.readable_text(value.rstrip(b"\0")) or None

    return get


class More:
    """Hidden columns."""

    mount_point = text(
        "Where the mount is that it was opened in, as processes of its namespace see it; NULL for "
        "what has no path, for a mount that is gone, and when fdinfo may not be read.",
        source="/proc/PID/mountinfo mount point",
        get=lambda r: None if r[MOUNT] is None else r[MOUNT][0],
        needs=NEED_LINK | NEED_FDINFO | NEED_MOUNT,
        hidden=True,
    )
    ns_type = text(
        "Type of the namespace: cgroup, ipc, mnt, net, pid, time, user or uts; NULL for what is no "
        "namespace.",
        source="/proc/PID/fd/FD, /proc/PID/mountinfo root",
        get=lambda r: namespace[0] if (namespace := _namespace(r)) else None,
        needs=NEED_LINK | NEED_FDINFO | NEED_MOUNT,
        values=fdinfo.NAMESPACES,
        hidden=True,
    )
    ns_inode = integer(
        "Inode of the namespace, as in net:[N], also when it was opened at a path at which it is "
        "mounted; NULL for what is no namespace.",
        source="/proc/PID/fd/FD, /proc/PID/mountinfo root",
        get=lambda r: namespace[1] if (namespace := _namespace(r)) else None,
        needs=NEED_LINK | NEED_FDINFO | NEED_MOUNT,
        index=True,
        hidden=True,
    )
    tty_index = integer(
        "Number of the pseudo-terminal, the same for both ends in one mount of devpts; NULL for "
        "everything else.",
        source="/proc/PID/fdinfo/FD tty-index, st_rdev",
        get=_tty_index,
        needs=NEED_LINK | NEED_FDINFO | NEED_PATH_STAT,
        hidden=True,
    )
    scm_fds = integer(
        "Number of descriptors on their way to a unix socket, sent and not yet received; NULL for "
        "everything else, and before Linux 5.11.",
        source="/proc/PID/fdinfo/FD scm_fds",
        get=lambda r: None if r[INODE] is None else r[LATE](r),
        needs=NEED_LINK | NEED_LATE,
        late=True,
        hidden=True,
    )
    sock_protoname = text(
        "The kernel's name for the protocol of a socket, as in /proc/net/protocols; NULL for all "
        "other types.",
        source="xattr system.sockprotoname",
        get=_attribute(extended.PROTOCOL),
        needs=NEED_LINK | NEED_PROTOCOL,
        hidden=True,
    )
    selinux = text(
        "SELinux label of the file; NULL where the kernel has no SELinux.",
        source="xattr security.selinux",
        get=_attribute(extended.LABEL),
        needs=NEED_LABEL,
        hidden=True,
    )
    driver = text(
        "Driver of the device that a device file stands for; NULL for all other types, and when "
        "the kernel has none for it.",
        source="/proc/devices",
        get=_attribute(devices.DRIVER),
        needs=NEED_LINK | NEED_PATH_STAT | NEED_DEVICE,
        hidden=True,
    )
    device = text(
        "The kernel's name of a block device (vda1) or of one of the small drivers that share a "
        "number (kvm, fuse); NULL for all others.",
        source="/proc/partitions, /proc/misc",
        get=_attribute(devices.NAME),
        needs=NEED_LINK | NEED_PATH_STAT | NEED_DEVICE,
        hidden=True,
    )
