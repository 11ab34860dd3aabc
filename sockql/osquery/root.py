"""Files by path, as the host or one of its processes sees them.

The host is the one that the procfs belongs to: for our own /proc our own root directory, for
another one (``--proc``) that of its first process.  Below a root directory that is not ours every
link stays below it, as it would for a process that has it as its root: openat2(2) with
RESOLVE_IN_ROOT, which no race between looking and opening can lead out of there.
"""

from __future__ import annotations

import os
from errno import ENOSYS, errorcode

from sockql.errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host

#: include/uapi/linux/openat2.h; the number is the same on all machines but Alpha.
_OPENAT2: Final = 437
_RESOLVE_IN_ROOT: Final = 0x10
_O_PATH: Final = os.O_PATH | os.O_CLOEXEC


class Root:
    """A root directory, and the files below it; paths are absolute.

    Methods raise OSError as the calls of ``os`` do that they are named after.
    """

    __slots__ = ("_directory", "pid", "refused")

    def __init__(self, host: Host, pid: int = 0) -> None:
        """That of the process ``pid``, of the host for 0.

        :raises OSError: when there is no such process, or it does not let us look.
        """
        self.pid = pid
        #: Paths that we were not let look at, for whoever looks to add to and to say.
        self.refused: list[bytes] = []
        self._directory: int | None = None
        if pid or host.proc_path != "/proc":
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            self._directory = os.open(f"{pid or 1}/root", flags, dir_fd=host.proc)

    def __enter__(self) -> Root:
        return self

    def __exit__(self, *_: object) -> None:
        if self._directory is not None:
            os.close(self._directory)

    def open(self, path: bytes, flags: int) -> int:
        """A descriptor of ``path``; the caller closes it."""
        if self._directory is None:
            return os.open(path, flags)
        return _openat2(self._directory, path, flags)

    def stat(self, path: bytes) -> os.stat_result:
        """The status of what ``path`` leads to."""
        if self._directory is None:
            return os.stat(path)
        with _Opened(self.open(path, _O_PATH)) as file:
            return os.fstat(file)

    def lstat(self, path: bytes) -> os.stat_result:
        """The status of what is at ``path``, be it a link."""
        if self._directory is None:
            return os.lstat(path)
        with _Opened(self.open(path, _O_PATH | os.O_NOFOLLOW)) as file:
            return os.fstat(file)

    def readlink(self, path: bytes) -> bytes:
        """What a symbolic link says."""
        if self._directory is None:
            return os.readlink(path)
        with _Opened(self.open(path, _O_PATH | os.O_NOFOLLOW)) as file:
            return os.readlink(b"", dir_fd=file)

    def statvfs(self, path: bytes) -> os.statvfs_result:
        """The status of the file system that ``path`` leads to."""
        if self._directory is None:
            return os.statvfs(path)
        with _Opened(self.open(path, _O_PATH)) as file:
            return os.statvfs(file)

    def scandir(self, path: bytes) -> list[tuple[bytes, bool, bool]]:
        """``(name, leads to a directory, is a link)`` of what is in ``path``, by name."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        with _Opened(self.open(path, flags)) as directory, os.scandir(directory) as entries:
            found = [
                (os.fsencode(e.name), e.is_dir(follow_symlinks=False), e.is_symlink())
                for e in entries
            ]
        return sorted(
            (name, self._is_directory(path, name) if link else directory, link)
            for name, directory, link in found
        )

    def _is_directory(self, path: bytes, name: bytes) -> bool:
        try:
            return self.stat(path.rstrip(b"/") + b"/" + name).st_mode >> 12 == 0o4
        except OSError:
            return False

    def read(self, path: bytes) -> bytes:
        """The whole file."""
        return b"".join(self.parts(path))

    def parts(self, path: bytes) -> Iterator[bytes]:
        """The whole file, a piece at a time."""
        with _Opened(self.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)) as file:
            while data := os.read(file, 1 << 17):
                yield data


class _Opened:
    """Closes a descriptor."""

    __slots__ = ("_file",)

    def __init__(self, file: int) -> None:
        self._file = file

    def __enter__(self) -> int:
        return self._file

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def _openat2(directory: int, path: bytes, flags: int) -> int:
    """openat2(2) below ``directory``, which no link leads out of.

    :raises OSError: as open(2) does.
    :raises DataError: before Linux kernel commit fddb5d430ad9 ("open: introduce openat2(2)
        syscall") (in v5.6).
    """
    import ctypes
    from struct import pack

    # struct open_how: flags, mode, resolve.
    how = pack("=QQQ", flags, 0, _RESOLVE_IN_ROOT)
    libc = ctypes.CDLL(None, use_errno=True)
    found: int = libc.syscall(
        *(ctypes.c_long(_OPENAT2), ctypes.c_long(directory)),
        *(ctypes.c_char_p(path), how, ctypes.c_size_t(len(how))),
    )
    if found >= 0:
        return found
    errno = ctypes.get_errno()
    if errno == ENOSYS:
        raise DataError(f"openat2(2): {errorcode[errno]}: another root directory takes Linux 5.6")
    raise OSError(errno, os.strerror(errno), path)
