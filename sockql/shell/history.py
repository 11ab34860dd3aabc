"""What was entered, kept in a file that several shells add to at once.

The format is that of prompt-toolkit's FileHistory: a comment with the time, then the lines of the
entry, a ``+`` before each.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

#: Bytes that the file may grow to before the older half of its entries is dropped.
LIMIT: Final = 4 << 20

#: Seconds to wait for another shell that is writing; it needs microseconds.
_PATIENCE: Final = 0.5


def state_file() -> str:
    """``history`` in the state directory of sockql.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # to be ignored, says the specification
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "sockql", "history")


class History:
    """The entries in the file ``path``, readable by their owner only.

    Each entry is one write(2) to the end of the file, so that neither another shell nor the end
    of this one can tear it.  ``problem`` says why entries cannot be kept, if they cannot.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.problem: str | None = None
        self._told = False

    def load(self) -> list[str]:
        """The entries, the oldest first."""
        try:
            with self._locked(os.O_RDONLY) as descriptor:
                data = _read(descriptor)
                if len(data) > LIMIT:
                    data = _newest(data, LIMIT // 2)
                    with suppress(OSError):  # then it is shortened another time
                        self._replace(data)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._give_up(error)
            return []
        return parse(data)

    def append(self, entry: str) -> None:
        """Add ``entry``, unless it begins with a blank or is empty."""
        if not entry or entry[0].isspace() or self.problem is not None:
            return
        lines = entry.encode("utf-8", "backslashreplace").split(b"\n")
        when = time.strftime("%Y-%m-%d %H:%M:%S").encode()
        data = b"\n# %b\n" % when + b"".join([b"+%b\n" % line for line in lines])
        try:
            _make_directory(os.path.dirname(self.path))
            with self._locked(os.O_WRONLY | os.O_APPEND | os.O_CREAT) as descriptor:
                _append_whole(descriptor, data)
        except OSError as error:
            self._give_up(error)

    def tell(self, say: Callable[[str], None]) -> None:
        """Say why entries cannot be kept, once."""
        if self.problem is not None and not self._told:
            self._told = True
            say(self.problem)

    def _give_up(self, error: OSError) -> None:
        self.problem = f"the history is not kept: {error.filename or self.path}: {error.strerror}"

    @contextmanager
    def _locked(self, flags: int) -> Iterator[int]:
        """The file, no other shell adding to it or replacing it."""
        while True:
            # Never through a link, never into a device: the directory may be another user's.
            flags |= os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(self.path, flags, 0o600)
            try:
                _lock(descriptor)
                mine = os.fstat(descriptor)
                try:
                    there = os.stat(self.path, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
                    continue  # another shell has just replaced it
                self._protect(descriptor, mine)
                yield descriptor
                return
            finally:
                os.close(descriptor)

    def _protect(self, descriptor: int, status: os.stat_result) -> None:
        """See to it that the file is private.

        :raises OSError: when it is not a file of ours.
        """
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", self.path)
        own, owner = os.geteuid(), os.stat(os.path.dirname(self.path)).st_uid
        if own == 0 and status.st_uid == 0 and owner != 0 and not status.st_size:
            # sudo may leave HOME alone; the user whose it is wants to use the file as well.
            os.fchown(descriptor, owner, -1)
        elif status.st_uid not in (own, owner):
            raise OSError(errno.EPERM, "belongs to another user", self.path)
        if status.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)

    def _replace(self, data: bytes) -> None:
        """Put a file with ``data`` in the place of this one, which is locked."""
        temporary = f"{self.path}.new"
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # of a shell that was killed: nobody else writes it meanwhile
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                self._protect(file.fileno(), os.fstat(file.fileno()))
            os.rename(temporary, self.path)
        except BaseException:
            os.unlink(temporary)
            raise


def parse(data: bytes) -> list[str]:
    """The entries in the content of a file of history; what is no entry is passed over."""
    entries: list[str] = []
    lines: list[bytes] = []
    for line in data.split(b"\n"):
        if line[:1] == b"+":
            lines.append(line[1:])
        elif lines:
            entries.append(b"\n".join(lines).decode("utf-8", "surrogateescape"))
            lines = []
    if lines:
        entries.append(b"\n".join(lines).decode("utf-8", "surrogateescape"))
    return entries


def _newest(data: bytes, limit: int) -> bytes:
    """The entries at the end of ``data`` that take at most ``limit`` bytes."""
    start = data.find(b"\n\n# ", len(data) - limit)
    if start < 0:  # the last one alone is longer
        start = data.rfind(b"\n\n# ")
    return data[start + 1 :]


def _read(descriptor: int) -> bytes:
    pieces = []
    while piece := os.read(descriptor, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def _append_whole(descriptor: int, data: bytes) -> None:
    """Append ``data`` or nothing.

    :raises OSError: when there is no room.
    """
    before = os.fstat(descriptor).st_size
    if os.write(descriptor, data) != len(data):
        os.ftruncate(descriptor, before)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _lock(descriptor: int) -> None:
    """Lock the file, or go on without: an append in one piece is safe all the same."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.005)
        except OSError:  # a file system without locks
            return
        else:
            return


def _make_directory(path: str) -> None:
    """Make ``path`` and what is missing above it, private, for the owner of what is there."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    _make_directory(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    owner = os.stat(above)
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
