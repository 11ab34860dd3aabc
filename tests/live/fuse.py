"""A FUSE mount whose server answers until it is stopped, written for /dev/fuse itself.

Source: include/uapi/linux/fuse.h; Documentation/filesystems/fuse/fuse.rst.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)

_HEAD = struct.Struct("=IIQQIIII")  # fuse_in_header
_ATTRIBUTES = struct.Struct("=6Q10I")  # fuse_attr
_LOOKUP, _GETATTR, _OPEN, _INIT, _OPENDIR = 1, 3, 14, 26, 27
_FORGET, _BATCH_FORGET, _INTERRUPT = 2, 42, 36  # these are not answered
_ENOSYS = 38

#: Every file of the mount: number, length, blocks, links, user and group.
FILE = {"ino": 2, "size": 12345, "blocks": 24, "nlink": 2, "uid": 3, "gid": 4}


def _attributes(node: int, inode: int) -> bytes:
    times = (0,) * 3
    if node == 1:
        return _ATTRIBUTES.pack(1, 0, 0, *times, *times, 0o40755, 2, 0, 0, 0, 4096, 0)
    owner = FILE["uid"], FILE["gid"]
    return _ATTRIBUTES.pack(
        *(inode, FILE["size"], FILE["blocks"], *times, *times),
        *(0o100644, FILE["nlink"], *owner, 0, 4096, 0),
    )


def _answer(operation: int, node: int, inode: int) -> bytes | None:
    """What the server says; None for what it does not know.  Nothing may be cached."""
    if operation == _INIT:
        return struct.pack("=4I2H2I2HI28x", 7, 31, 65536, 0, 0, 0, 65536, 1, 0, 0, 0)
    if operation == _LOOKUP:
        return struct.pack("=4Q2I", 2, 0, 0, 0, 0, 0) + _attributes(2, inode)
    if operation == _GETATTR:
        return struct.pack("=Q2I", 0, 0, 0) + _attributes(node, inode)
    if operation in (_OPEN, _OPENDIR):
        return struct.pack("=Q2I", 1, 0, 0)
    return None


def _serve(device: int, inode: int) -> None:
    while True:
        request = os.read(device, 1 << 17)
        _, operation, unique, node, *_ = _HEAD.unpack_from(request)
        if operation in (_FORGET, _BATCH_FORGET, _INTERRUPT):
            continue
        answer = _answer(operation, node, inode)
        body = b"" if answer is None else answer
        head = struct.pack("=IiQ", 16 + len(body), -_ENOSYS if answer is None else 0, unique)
        os.write(device, head + body)


class Server:
    """The program that answers for the mount; ends with the process that made it."""

    def __init__(self, device: int, inode: int) -> None:
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
                if os.getppid() == parent:
                    os.closerange(0, device)
                    os.closerange(device + 1, 4096)
                    _serve(device, inode)
            finally:
                os._exit(0)

    def stop(self) -> None:
        """From now on nobody answers.

        It has to be killed before the processes that have something open on the mount: closing
        that, as a process does when it is killed, waits for an answer as well.
        """
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)


def mount(point: Path, inode: int = FILE["ino"]) -> Server:
    """Mount one at ``point``, in a mount namespace that only this process is in.

    Its files all have the number ``inode``.

    :raises OSError: where that is not allowed, or the kernel has no FUSE.
    """
    if libc.unshare(0x20000):  # CLONE_NEWNS
        raise OSError(ctypes.get_errno(), "unshare")
    if libc.mount(b"none", b"/", None, 0x44000, None):  # MS_REC | MS_PRIVATE
        raise OSError(ctypes.get_errno(), "mount --make-rprivate")
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"test", bytes(point), b"fuse.test", 0, options):
        raise OSError(ctypes.get_errno(), "mount")
    server = Server(device, inode)
    os.close(device)
    return server
