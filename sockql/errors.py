"""The errors a user can meet, each with the exit status of the command.

One line says what is wrong and what to do; everything else is a bug and keeps its traceback.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.dialect import Dialect


class SockqlError(Exception):
    """Base of all errors that are reported as one line; ``status`` is the exit status."""

    status = 2


class UsageError(SockqlError):
    """Wrong options, parameters or files named by the user (exit status 2)."""


class QueryError(SockqlError):
    """Wrong SQL (exit status 2).

    ``sql`` is the statement's text, ``offset`` the index in it of the first character that is
    wrong (None when SQLite does not say), ``hint`` what was probably meant, ``dialect`` whose
    tables it is about where that is known.
    """

    def __init__(
        self,
        message: str,
        *,
        sql: str = "",
        offset: int | None = None,
        hint: str | None = None,
        dialect: Dialect | None = None,
    ) -> None:
        super().__init__(message)
        self.sql = sql
        self.offset = offset
        self.hint = hint
        self.dialect = dialect


class DataError(SockqlError):
    """The data could not be had: no such procfs, the kernel refused (exit status 3)."""

    status = 3


class NotCaptured(DataError):
    """A snapshot in a file does not have what is asked of it, which is no fault of the question."""


class KernelRefused(DataError):
    """A netlink request that the kernel answered with an error; ``errno`` is positive."""

    def __init__(self, errno: int, request: str) -> None:
        import os

        super().__init__(f"{request}: {os.strerror(errno)}")
        self.errno = errno


class ParseError(DataError):
    """A kernel text or message that is not laid out as documented; quotes what was found."""


class TimeoutExpired(SockqlError):
    """The statement ran longer than ``--timeout`` (exit status 124)."""

    status = 124

    @classmethod
    def of(cls, seconds: float) -> TimeoutExpired:
        """The error of a statement that took longer than it may."""
        return cls(
            f"the statement took longer than {seconds:g} second{'' if seconds == 1 else 's'}"
        )


class Interrupted(SockqlError):
    """The statement was interrupted (exit status 130)."""

    status = 130


class ReaderGone(Interrupted):
    """Nobody reads the answer any more (exit status 141, of which nothing is said)."""

    status = 141
