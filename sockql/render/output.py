"""Where the rendered text goes: standard output, a device or a pipe, or a file made whole."""

from __future__ import annotations

import os

from sockql.errors import ReaderGone, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class Output:
    r"""A descriptor that takes text; a context manager that closes it.

    What cannot be encoded, a lone surrogate, is written as ``\udc80``; in JSON that is the
    character itself.  A reader that has gone away raises :class:`BrokenPipeError`.
    """

    def __init__(self, descriptor: int, name: str, *, owned: bool = False) -> None:
        self.name = name
        self.terminal = os.isatty(descriptor)
        self._descriptor = descriptor
        self._owned = owned

    def write(self, text: str) -> None:
        """Write all of ``text``, now.

        :raises UsageError: when the file system or the device refuses.
        """
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:
                    self._wait()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(f"{self.name}: {error.strerror}") from None

    def attend(self) -> None:
        """Make sure that there is somebody who reads; see :func:`attend`."""
        attend(self._descriptor)

    def _wait(self) -> None:
        """Wait for room: a terminal shared with an ssh or a shell may have been made non-blocking."""
        from select import POLLOUT, poll

        poller = poll()
        poller.register(self._descriptor, POLLOUT)
        poller.poll()

    def finish(self) -> None:
        """All has been written; make it visible."""
        if self._owned:
            self._owned = False
            try:
                os.close(self._descriptor)
            except OSError as error:  # NFS and quotas refuse late
                raise UsageError(f"{self.name}: {error.strerror}") from None

    def abandon(self) -> None:
        """It went wrong; leave nothing half-written behind."""
        if self._owned:
            self._owned = False
            os.close(self._descriptor)

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.abandon()


def attend(descriptor: int, seconds: float = 0.0) -> None:
    """Look for so many seconds whether somebody reads what ``descriptor`` is given.

    A file is read by somebody, now or later.

    :raises ReaderGone: when the other end of a pipe or socket was closed, or a terminal hung up.
    """
    from select import poll

    poller = poll()
    poller.register(descriptor, 0)  # POLLERR and POLLHUP are always told
    # poll(2) takes its milliseconds as an int.
    if poller.poll(min(seconds, 86400.0) * 1000):
        raise ReaderGone


def standard_output() -> Output:
    """Descriptor 1.

    :raises UsageError: when it was closed before the start.
    """
    import sys

    if sys.stdout is None:
        raise UsageError("standard output is closed")
    return Output(1, "standard output")


def open_output(path: str, what: str = "-o") -> Output:
    """The output for ``what``, an option with the name of a file; ``-`` is standard output.

    :raises UsageError: when it cannot be written, for a symbolic link, which somebody else may
        have laid there, and for a database.
    """
    import stat

    if not path:
        raise UsageError(f"{what}: the name of the file is empty")
    inherited = _inherited(path)
    try:
        if inherited is not None:
            return Output(os.dup(inherited), path, owned=True)
        target = os.path.realpath(path)
        try:
            before = os.lstat(path)
        except FileNotFoundError:
            before = None
        if before is not None and stat.S_ISLNK(before.st_mode):
            raise UsageError(f"{path}: a symbolic link; name the file itself")
        straight = os.O_WRONLY | os.O_CLOEXEC
        if before is not None:
            if not stat.S_ISREG(before.st_mode):
                return Output(os.open(target, straight), path, owned=True)
            # A rename would replace a file that may not be written.
            os.close(os.open(target, straight))
            if _is_database(target):
                raise UsageError(f"{path}: a database of SQLite; take another file for text")
        from sockql.render.whole import WholeFile

        return WholeFile(path, target, before)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _is_database(path: str) -> bool:
    """Whether ``path`` is a database, such as the snapshot that is asked: no text replaces it."""
    try:
        with open(path, "rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except PermissionError:
        return False


def is_standard_output(path: str) -> bool:
    """Whether what is written to ``path`` goes where the command's own answer goes."""
    return _inherited(path) == 1


def _inherited(path: str) -> int | None:
    """The descriptor that a path like /dev/fd/3 stands for.

    Opening such a path again would start a file anew that the shell has opened for appending.
    """
    if path in ("-", "/dev/stdout"):
        return 1
    if path == "/dev/stderr":
        return 2
    for directory in ("/dev/fd/", "/proc/self/fd/"):
        number = path[len(directory) :]
        if path.startswith(directory) and number.isascii() and number.isdigit():
            return int(number)
    return None
