"""The network namespaces that the kernel lists itself, whoever holds them.

listns(2) came with Linux kernel commit 76b6f5dfb3fd ("nstree: add listns()") (in v6.19).  It tells
the ids of namespaces, and a handle made of an id opens one.

Source: kernel/nstree.c, fs/nsfs.c; include/uapi/linux/nsfs.h.
"""

from __future__ import annotations

import os
from errno import ENOSYS
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    #: Gives ids, at most so many, for a packed struct ns_id_req.
    Call = Callable[[bytes, int], "list[int]"]

#: The same on all architectures but one.
_NR_LISTNS: Final = 470
_CLONE_NEWNET: Final = 0x40000000
#: struct ns_id_req: size, (spare), the id after which to go on, type, (spare), user namespace.
_REQUEST: Final = Struct("=I4xQI4xQ")
#: struct file_handle with struct nsfs_file_handle: handle_bytes, handle_type; ns_id, then type and
#: inode, which may be left open.
_HANDLE: Final = Struct("=IiQII")
_FILEID_NSFS: Final = 0xF1
_FD_NSFS_ROOT: Final = -10003
#: _IOR(0xb7, 13, __u64)
_NS_GET_ID: Final = 2 << 30 | 8 << 16 | 0xB7 << 8 | 13
_ROOM: Final = 512  # ids in one call


def _library() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _failed() -> OSError:
    import ctypes

    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _has_ids() -> bool:
    """Whether namespaces have ids at all, which came one release before they were listed.

    Asking for one costs a tenth of importing ctypes, so that most kernels cost no more.
    """
    from fcntl import ioctl

    try:
        with open("/proc/self/ns/net", "rb") as file:
            ioctl(file, _NS_GET_ID, bytearray(8))
    except OSError:
        return False
    return True


def _listns(request: bytes, room: int) -> list[int]:
    if not _has_ids() or os.uname().machine == "alpha":
        raise OSError(ENOSYS, os.strerror(ENOSYS))
    import ctypes

    ids = (ctypes.c_uint64 * room)()
    count = _library().syscall(
        ctypes.c_long(_NR_LISTNS), request, ids, ctypes.c_size_t(room), ctypes.c_uint(0)
    )
    if count < 0:
        raise _failed()
    return list(ids[:count])


def identifiers(call: Call = _listns, room: int = _ROOM) -> list[int] | None:
    """The ids of all network namespaces that we may see; None where the kernel does not list them.

    A kernel without the call says ENOSYS, a filter of system calls mostly EPERM.
    """
    found: list[int] = []
    last = 0
    while True:
        try:
            ids = call(_REQUEST.pack(_REQUEST.size, last, _CLONE_NEWNET, 0), room)
        except OSError:
            return None
        found += ids
        if len(ids) < room:
            return found
        last = ids[-1]


def open_id(id: int, type: int = 0, inode: int = 0) -> int:
    """A descriptor of the namespace with this id.

    :raises OSError: ESTALE when it has gone, EPERM when it is not for us, ENOSYS where the C
        library lacks open_by_handle_at(2).
    """
    import ctypes

    handle = ctypes.create_string_buffer(
        _HANDLE.pack(_HANDLE.size - 8, _FILEID_NSFS, id, type, inode), _HANDLE.size
    )
    try:
        function = _library().open_by_handle_at
    except AttributeError:
        raise OSError(ENOSYS, os.strerror(ENOSYS)) from None
    descriptor: int = function(_FD_NSFS_ROOT, handle, os.O_RDONLY | os.O_CLOEXEC)
    if descriptor < 0:
        raise _failed()
    return descriptor
