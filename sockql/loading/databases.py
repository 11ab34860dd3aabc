"""Databases of SQLite as files: whether one is whole, and attaching it for reading."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import apsw

from sockql.errors import UsageError
from sockql.loading.names import check, quoted

if TYPE_CHECKING:
    from sockql.engine import Engine

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100


def attach(engine: Engine, name: str, path: str) -> None:
    """Let queries read the tables of the database ``path`` as ``NAME.TABLE``.

    ``sockets`` and its kin stay sockql's, whatever tables the database has.

    :raises UsageError: for a name that is taken, and a file that is not a whole database.
    """
    check(f"attaching {path}", name)
    examine(path)
    try:
        engine.trusted("ATTACH ? AS " + quoted(name), (uri(path),))
        found = engine.trusted(f"SELECT name FROM {quoted(name)}.sqlite_schema")  # noqa: S608 (quoted)
    except apsw.Error as error:
        reason = str(error).partition(": file:")[0]
        raise UsageError(f"{path}: {reason}") from None
    engine.shadow(str(table) for (table,) in found)


def uri(path: str) -> str:
    """The URI that opens the database ``path`` for reading only."""
    from urllib.parse import quote

    return f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode=ro"


def examine(path: str) -> bytes:
    """The header of the database ``path``, 100 bytes.

    :raises UsageError: when it cannot be read, is no database, or its end is missing.
    """
    try:
        with open(path, "rb") as file:
            header = file.read(_HEADER)
            size = os.fstat(file.fileno()).st_size
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
