"""Extended attributes of what is open: the protocol of a socket, the SELinux label of a file."""

from __future__ import annotations

import os

from sockql.proc import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request

PROTOCOL: Final = "system.sockprotoname"
LABEL: Final = "security.selinux"


def read(names: Iterable[str], number: str, directory: int) -> dict[str, bytes]:
    """Those of the descriptor ``number`` in a directory /proc/PID/fd that it has, by name."""
    found = {}
    for name in names:
        try:
            # There is no call for a name in a directory before Linux 6.13.
            found[name] = os.getxattr(f"/proc/self/fd/{directory}/{number}", name)
        except OSError:
            continue  # it has none
    return found


def has_labels(request: Request, host: Host) -> bool:
    """Whether the kernel has SELinux, which then knows the label of every file that is open.

    Without it the file system would be asked, a server perhaps that does not answer.
    Source: security/selinux/hooks.c, selinux_inode_getsecurity(); fs/xattr.c, vfs_getxattr().
    """
    memo = request.snapshot.memo
    if "selinux" not in memo:
        try:
            memo["selinux"] = b"\tselinuxfs\n" in procfs.read("filesystems", host.proc)
        except OSError:
            memo["selinux"] = False
    found: bool = memo["selinux"]
    return found
