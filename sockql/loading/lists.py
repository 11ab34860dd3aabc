"""Lists as tables: CSV, TSV, JSON and JSON Lines become temporary tables of the connection.

A column of whole numbers is INTEGER, of numbers REAL, all else TEXT (:mod:`sockql.loading.types`,
sqlite-utils for JSON).  An empty cell of CSV or TSV is NULL, as it is where sockql writes them.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from typing import TYPE_CHECKING, Final

import apsw

from sockql.errors import UsageError
from sockql.loading.names import check, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeAlias

    from sockql.engine import Engine
    from sockql.loading.rows import Rows
    from sockql.schema import Value

    Reader: TypeAlias = Callable[[str, str], Rows]

#: What the end of a name says of the content.
_FORMATS: Final = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


def load(engine: Engine, name: str, path: str, columns: Sequence[str] = ()) -> None:
    """Make the list in the file ``path`` known to queries as the temporary table ``name``.

    ``columns`` are those that it must have; it may have more.

    :raises UsageError: for a name that is taken, a file that cannot be read or is not laid out as
        its format wants, with the number of the line, and one that lacks a column.
    """
    check(f"loading {path}", name)
    if name.lower() in map(str.lower, engine.loaders):
        raise UsageError(f"loading {path}: there is a table {name} already; take another name")
    found = read(path)
    if not found.columns:
        found.columns, found.types = list(columns), ["TEXT"] * len(columns)
    if not found.columns:
        raise UsageError(f"{path}: no rows and no header, so there are no columns")
    lacking = [column for column in columns if column not in found.columns]
    if lacking:
        has = ", ".join(found.columns)
        raise UsageError(f"{path}:{found.header}: no column {lacking[0]}; it has {has}")
    try:
        create(engine, name, found.columns, found.types, found)
    except apsw.SQLError as error:
        raise UsageError(f"loading {path} as {name}: {error}") from None


def read(path: str) -> Rows:
    """The rows of the file ``path``, its format told by the end of its name, or its content.

    ``-`` is standard input.  UTF-16 is known by its byte order mark, all else is UTF-8.

    :raises UsageError: when it cannot be read, or is not laid out as the format wants.
    """
    from sockql.loading import rows

    try:
        with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
            data = file.read()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    path = "standard input" if path == "-" else path
    wide = data[:2] in (BOM_UTF16_LE, BOM_UTF16_BE)
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        if wide:
            raise UsageError(f"{path}: not UTF-16 text, though it begins as such") from None
        line = data.count(b"\n", 0, error.start) + 1
        wrong = f"byte 0x{data[error.start]:02x}"
        raise UsageError(f"{path}:{line}: not UTF-8 text ({wrong}); convert it first") from None
    nul = text.find("\0")
    if nul >= 0:
        raise UsageError(f"{path}:{text.count(chr(10), 0, nul) + 1}: a NUL character in the text")
    format = _FORMATS.get(os.path.splitext(path)[1].lower()) or _guess(text)
    reader: Reader = getattr(rows, format)
    return reader(path, text)


def _guess(text: str) -> str:
    start = text.lstrip()
    if start[:1] in ("[", "{"):
        return "json" if start[0] == "[" else "jsonl"
    return "tsv" if "\t" in text.split("\n", 1)[0] else "csv"


def create(
    engine: Engine,
    name: str,
    columns: Sequence[str],
    types: Sequence[str],
    rows: Iterable[Sequence[Value]],
) -> None:
    """Make the temporary table ``name`` of ``rows``; a type may be empty."""
    # The affinity of a column makes numbers of the texts that are some, and of no others.
    declared = ", ".join(f"{quoted(column)} {type}" for column, type in zip(columns, types))
    places = ", ".join("?" * len(columns))
    cursor = engine.cursor()
    cursor.execute(f"CREATE TEMP TABLE {quoted(name)} ({declared})")
    cursor.executemany(f"INSERT INTO temp.{quoted(name)} VALUES ({places})", rows)  # noqa: S608 (quoted)
