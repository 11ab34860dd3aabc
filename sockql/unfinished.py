"""Files and folders that are being written: under a name of their own beside their place.

SQLite opens a database by its name, and linkat(2) puts a file without one (O_TMPFILE) in no place
that is taken.  So what is unfinished has a name, which a process that is killed leaves behind.
Therefore whoever writes holds a lock of flock(2) on it: what nobody holds is a dead one's, and the
next that writes into the folder takes it away.  Where a file system has no locks nothing is taken.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_START: Final = ".sockql-"
_END: Final = ".tmp"


def name(folder: str) -> str:
    """A name for something unfinished in ``folder``.

    Known before it is made, so that a signal in between leaves nothing behind.
    """
    return os.path.join(folder, f"{_START}{os.urandom(6).hex()}{_END}")


def make_file(path: str, mode: int) -> int:
    """Make the file ``path``, as :func:`name` called it; a descriptor that is its lock.

    :raises OSError: when it cannot be made.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        if _hold(descriptor, path):
            return descriptor


def make_folder(path: str) -> int:
    """Make the folder ``path`` for its owner only; a descriptor that is its lock.

    :raises OSError: when it cannot be made.
    """
    while True:
        os.mkdir(path, 0o700)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if _hold(descriptor, path):
            return descriptor


def _hold(descriptor: int, path: str) -> bool:
    """Lock what was just made; False, closed again, when somebody swept it away before that."""
    from fcntl import LOCK_EX, flock

    try:
        flock(descriptor, LOCK_EX)
    except OSError:
        return True  # no locks here, so nobody sweeps either
    try:
        if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            return True
    except FileNotFoundError:
        pass
    os.close(descriptor)
    return False


def discard(path: str) -> None:
    """Take an unfinished file away, if it is there."""
    try:
        os.unlink(path)
    except OSError:
        return  # its folder is gone, or read-only by now: what went wrong first is told


def sweep(folder: str) -> None:
    """Take away what processes that are no more have left unfinished in ``folder``."""
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return
    for found in names:
        if found.startswith(_START) and found.endswith(_END):
            _sweep(os.path.join(folder, found))


def _sweep(path: str) -> None:
    from fcntl import LOCK_EX, LOCK_NB, flock

    # Not through a link, and without waiting for the other end of a FIFO of that name.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        status = os.fstat(descriptor)
        flock(descriptor, LOCK_EX | LOCK_NB)
        if stat.S_ISREG(status.st_mode) and os.geteuid() in (status.st_uid, 0):
            os.unlink(path)
            discard(f"{path}-journal")  # SQLite's, of a database in the middle of a transaction
        elif stat.S_ISDIR(status.st_mode) and os.geteuid() == status.st_uid:
            from shutil import rmtree

            rmtree(path, ignore_errors=True)
    except OSError:
        return  # it is being written, or it is not ours to take
    finally:
        os.close(descriptor)
