"""Files that are replaced as a whole: beside the old one until the new one is complete."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from sockql.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


def refuse_links(path: str) -> os.stat_result | None:
    """The status of the regular file ``path``, None where there is nothing yet.

    :raises UsageError: for a symbolic link, which may lead to somebody else's file, and for what
        is no regular file.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if stat.S_ISLNK(status.st_mode):
        raise UsageError(f"{path}: a symbolic link; name the file itself")
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path}: not a regular file")
    return status


def lock(path: str, waiting: Callable[[], None] = lambda: None) -> int:
    """A descriptor that is the lock of the file ``path``; while there is none, that of its folder.

    Waits for whoever has it, who may have made or replaced the file meanwhile; ``waiting`` is called
    before that.  The lock is flock(2)'s, which knows nothing of those that SQLite takes with
    fcntl(2).  Where a file system has no such locks nobody waits.

    :raises UsageError: when neither the file nor its folder can be opened.
    """
    while True:
        descriptor, there = _open(path)
        try:
            with suppress(OSError):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    waiting()
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                now = os.lstat(path)
                valid = there and os.path.samestat(os.fstat(descriptor), now)
            except FileNotFoundError:
                valid = not there
        except BaseException:
            os.close(descriptor)
            raise
        if valid:
            return descriptor
        os.close(descriptor)


def _open(path: str) -> tuple[int, bool]:
    """A descriptor of the file, or of its folder; whether it is that of the file."""
    folder = os.path.dirname(path) or "."
    try:
        try:
            # NFS lets only those lock who may write.
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), True
        except FileNotFoundError:
            return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), False
        except OSError:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), True
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def refuse_unfinished(path: str) -> None:
    """Refuse a database that has a write-ahead log or a journal beside it.

    They belong to the file that is there, and SQLite would apply them to the one that takes its
    place: a log even if it is still empty, for somebody has it open.
    Source: https://www.sqlite.org/tempfiles.html

    :raises UsageError: when there is one.
    """
    for suffix in ("-wal", "-journal"):
        with suppress(OSError):
            if os.lstat(path + suffix).st_size or suffix == "-wal":
                raise UsageError(
                    f"{path}: somebody writes to it, or has not finished: there is {path}{suffix}; "
                    "open it once with another SQLite program, or name another file"
                )


def replace(temporary: str, path: str, before: os.stat_result | None) -> None:
    """Put ``temporary`` in the place of ``path``, whose mode and owner it takes over.

    After that, and not before, the new content survives a power cut.  Where there was no file
    none is overwritten.

    :raises OSError: when the file system refuses; then the old file is there as it was.
    """
    descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if before is not None:
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            with suppress(PermissionError):  # only root can give files away
                os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if before is None:
        _link(temporary, path)
    else:
        os.rename(temporary, path)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _link(temporary: str, path: str) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        os.rename(temporary, path)  # a file system without links
    else:
        os.unlink(temporary)
