"""Databases of SQLite as files: whether one is whole, and reading it without a trace.

Of a database with a write-ahead log SQLite makes the log and its index, and leaves them beside the
file, when it opens one for reading only, or cannot open it where nothing can be made.  So unless
both are there, for somebody has the database open, a copy is read, the log included.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import apsw

from sockql.errors import UsageError
from sockql.loading.names import check, quoted
from sockql.schema import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.engine import Engine

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
#: How often a copy is begun anew because somebody has written meanwhile.
_TRIES: Final = 5


def attach(engine: Engine, name: str, path: str) -> None:
    """Let queries read the tables of the database ``path`` as ``NAME.TABLE``.

    ``sockets`` and its kin stay sockql's, whatever tables the database has.

    :raises UsageError: for a name that is taken, and a file that is not a whole database.
    """
    check(f"attaching {path}", name)
    examine(path)
    try:
        with readable(path) as uri:
            engine.trusted("ATTACH ? AS " + quoted(name), (uri,))
            found = engine.trusted(f"SELECT name FROM {quoted(name)}.sqlite_schema")  # noqa: S608 (quoted)
    except apsw.Error as error:
        raise UsageError(f"{path}: {reason(path, error)}") from None
    _shadow(engine, {str(table).lower() for (table,) in found})


def _shadow(engine: Engine, names: set[str]) -> None:
    """Keep tables sockql's whose ``names`` an attached database has as well.

    SQLite looks for a table in every database before it thinks of eponymous ones.  In temp, where
    it looks first, a view is made when a statement names it.
    """
    for name, load in engine.loaders.items():
        if name.lower() in names and isinstance(load(), Table):
            called = quoted(name)
            engine.trusted(f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.{called} USING {called}")


@contextmanager
def readable(path: str) -> Iterator[str]:
    """A URI that opens the database ``path``, or a copy of it, for reading only, within the context.

    Nothing is made or changed beside the file.  What is open stays readable after the context.

    :raises UsageError: when the file cannot be copied, or is written to all the time.
    """
    if not _logs(path) or (os.path.exists(path + "-wal") and os.path.exists(path + "-shm")):
        yield _uri(path)
        return
    import shutil
    import tempfile

    from sockql import unfinished

    folder = tempfile.gettempdir()
    unfinished.sweep(folder)
    temporary = unfinished.name(folder)
    lock = -1
    try:
        try:
            lock = unfinished.make_folder(temporary)
            copy = _copy(path, temporary)
        except OSError as error:
            raise UsageError(f"{path}: copying it to {folder}: {error.strerror}") from None
        connection = apsw.Connection(copy, apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.execute("PRAGMA journal_mode = DELETE")  # takes over what is in the log
        finally:
            connection.close()
        yield _uri(copy)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if lock >= 0:
            os.close(lock)


def _logs(path: str) -> bool:
    """Whether the database ``path`` has a write-ahead log."""
    with open(path, "rb") as file:
        return file.read(_HEADER)[18:20] == b"\2\2"


def _copy(path: str, folder: str) -> str:
    """A copy of the database ``path`` and its log in ``folder``, as they are at one instant.

    :raises OSError: when that does not work.
    :raises UsageError: when somebody writes to it all the time.
    """
    from shutil import copyfile

    def stamps() -> list[tuple[int, int, int] | None]:
        return [_stamp(path), _stamp(path + "-wal")]

    copy = os.path.join(folder, "copy.db")
    for _ in range(_TRIES):
        before = stamps()
        copyfile(path, copy)
        if before[1] is not None:
            copyfile(path + "-wal", copy + "-wal")
        if stamps() == before:
            return copy
    raise UsageError(f"{path}: somebody writes to it all the time")


def _stamp(path: str) -> tuple[int, int, int] | None:
    """What tells two states of a file apart; None where there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def reason(path: str, error: apsw.Error) -> str:
    """Why a database cannot be read: what SQLite does not say, else what it says, without its URI."""
    for beside in (path + "-wal", path + "-shm"):
        if os.path.exists(beside) and not os.access(beside, os.R_OK):
            return f"its log {beside} may not be read"
    with suppress(OSError):
        if os.stat(path + "-journal").st_size and not isinstance(error, apsw.CorruptError):
            return (
                f"a program that wrote to it has not finished: there is {path}-journal; "
                "open it once with another SQLite program"
            )
    return " ".join(str(error).partition(": file:")[0].split())  # it may quote a schema


def _uri(path: str) -> str:
    from urllib.parse import quote

    return f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode=ro"


def examine(path: str) -> bytes:
    """The header of the database ``path``, 100 bytes.

    :raises UsageError: when it cannot be read, is no database, or its end is missing.
    """
    try:
        # A FIFO without a writer would be waited for.
        with open(
            path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)
        ) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{path}: not a regular file")
            header = file.read(_HEADER)
            size = status.st_size
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if header[: len(_MAGIC)] != _MAGIC or len(header) < _HEADER:
        raise UsageError(f"{path}: not a database of SQLite")
    # https://www.sqlite.org/fileformat2.html, section 1.3: 16, size of a page, 1 for 65,536;
    # 28, pages, which count if 24 and 92 agree; 18 and 19 are 2 where a write-ahead log is in use,
    # which may hold pages that are not here yet.
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32], "big")
    if header[24:28] == header[92:96] and header[19] == 1 and size < page * pages:
        raise UsageError(f"{path}: truncated, {size:,} of {page * pages:,} bytes are there")
    return header
