"""Text to rows: the formats that lists come in.  What is wrong is told with its line."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from sockql.errors import UsageError
from sockql.schema import BLOB, INTEGER, REAL, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from json import JSONDecoder
    from typing import Any

    from sockql.schema import Value

_TYPES: Final = {int: INTEGER, float: REAL, bytes: BLOB}
_QUOTED: Final = 60  # characters of a wrong line in its message


class Rows:
    """The rows of a file: as many cells in each as there are ``columns``, which have ``types``.

    They are read each time they are asked for, from text that has been looked through once: as
    objects they would take ten times the memory of the text.  ``header`` is the line on which the
    columns are named.
    """

    def __init__(
        self,
        columns: list[str],
        types: list[str],
        rows: Callable[[], Iterator[tuple[Value, ...]]],
        *,
        header: int = 1,
    ) -> None:
        self.columns = columns
        self.types = types
        self._rows = rows
        self.header = header

    def __iter__(self) -> Iterator[tuple[Value, ...]]:
        return self._rows()


def csv(path: str, text: str) -> Rows:
    """RFC 4180, with a line of column names; blank lines are passed over."""
    from csv import Error, reader
    from io import StringIO

    def records() -> Iterator[tuple[int, list[str]]]:
        lines = reader(StringIO(text, newline=""), strict=True)
        while True:
            line = lines.line_num + 1
            try:
                record = next(lines, None)
            except Error as error:
                raise UsageError(f"{path}:{line}: {error}") from None
            if record is None:
                return
            yield line, record

    return _delimited(path, records)


#: What ``sockql --tsv`` writes for characters that would break a line.
_ESCAPES: Final = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\\\": "\\"}


def tsv(path: str, text: str) -> Rows:
    r"""Lines of cells with tabs between, ``\t``, ``\n``, ``\r`` and ``\\`` as sockql writes them."""
    import re
    from io import StringIO

    def unescaped(cell: str) -> str:
        return re.sub(r"\\[tnr\\]", lambda found: _ESCAPES[found[0]], cell)

    def records() -> Iterator[tuple[int, list[str]]]:
        for number, line in enumerate(StringIO(text, newline="\n"), 1):
            line = line.removesuffix("\n").removesuffix("\r")
            cells = line.split("\t")
            yield (
                number,
                ([] if not line else list(map(unescaped, cells)) if "\\" in line else cells),
            )

    return _delimited(path, records)


def _delimited(path: str, records: Callable[[], Iterator[tuple[int, list[str]]]]) -> Rows:
    from sockql.loading.types import types

    header, columns = next(((line, record) for line, record in records() if record), (0, []))
    _check_names(path, header, columns)

    def rows() -> Iterator[tuple[Value, ...]]:
        for line, record in records():
            if line == header or not record:
                continue
            if len(record) != len(columns):
                cells = f"{len(record)} cell{'' if len(record) == 1 else 's'}"
                named = f"the header names {len(columns)} columns"
                raise UsageError(f"{path}:{line}: {cells}, but {named}")
            yield tuple([cell or None for cell in record])

    return Rows(columns, types(len(columns), rows()), rows, header=header)


def _check_names(path: str, line: int, columns: Sequence[str]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(columns, 1):
        if not name.strip():
            raise UsageError(f"{path}:{line}: column {number} has no name")
        # SQLite takes names that differ in case for the same.
        if name.lower() in seen:
            raise UsageError(f"{path}:{line}: two columns are called {name}")
        seen.add(name.lower())


def json(path: str, text: str) -> Rows:
    """An array of objects, or one object; values that are arrays or objects become JSON text."""
    return _objects(path, text, lambda: _items(path, text))


def jsonl(path: str, text: str) -> Rows:
    """Objects, one after the other, as a rule one on a line."""
    return _objects(path, text, lambda: _sequence(path, text, 0))


def _items(path: str, text: str) -> Iterator[tuple[int, Any]]:
    start = _blank(text, 0)
    if text[start : start + 1] != "[":
        yield from _sequence(path, text, start)
        return
    at = _blank(text, start + 1)
    if text[at : at + 1] != "]":
        while True:
            place = at
            item, at = _decode(path, text, at)
            yield place, item
            at = _blank(text, at)
            if text[at : at + 1] != ",":
                break
            at = _blank(text, at + 1)
    if text[at : at + 1] != "]":
        raise UsageError(f"{path}:{_line(text, at)}: , or ] is missing here: {_shown(text, at)}")
    rest = _blank(text, at + 1)
    if rest < len(text):
        raise UsageError(f"{path}:{_line(text, rest)}: text after the array: {_shown(text, rest)}")


def _sequence(path: str, text: str, at: int) -> Iterator[tuple[int, Any]]:
    at = _blank(text, at)
    while at < len(text):
        place = at
        item, at = _decode(path, text, at)
        yield place, item
        at = _blank(text, at)


def _decode(path: str, text: str, at: int) -> tuple[Any, int]:
    from json import JSONDecodeError

    try:
        return _decoder().raw_decode(text, at)
    except JSONDecodeError as error:
        raise UsageError(f"{path}:{error.lineno}: {error.msg}: {_shown(text, error.pos)}") from None
    except RecursionError:
        raise UsageError(f"{path}:{_line(text, at)}: nested too deeply") from None


@cache
def _decoder() -> JSONDecoder:
    from json import JSONDecoder

    return JSONDecoder()


def _objects(path: str, text: str, items: Callable[[], Iterator[tuple[int, Any]]]) -> Rows:
    from sqlite_utils.utils import types_for_column_types

    def objects() -> Iterator[tuple[int, dict[str, Value]]]:
        for at, item in items():
            if not isinstance(item, dict):
                line = _line(text, at)
                raise UsageError(f"{path}:{line}: an object is wanted, not {_shown(text, at)}")
            try:
                yield at, {name: _value(value) for name, value in item.items()}
            except ValueError as error:
                raise UsageError(f"{path}:{_line(text, at)}: {error}") from None

    classes: dict[str, set[type]] = {}
    for at, item in objects():
        if not classes.keys() >= item.keys():
            for name in item:
                classes.setdefault(name, set())
            _check_names(path, _line(text, at), list(classes))
        for name, value in item.items():
            if value is not None:
                classes[name].add(type(value))
    suggested = types_for_column_types({name: found or {str} for name, found in classes.items()})
    types = [_TYPES.get(suggested[name], TEXT) for name in classes]

    def rows() -> Iterator[tuple[Value, ...]]:
        for _, item in objects():
            yield tuple([item.get(name) for name in classes])

    return Rows(list(classes), types, rows)


def _value(value: Any) -> Value:
    if isinstance(value, (dict, list)):
        from json import dumps

        return dumps(value, ensure_ascii=False)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} is beyond SQLite's integers")
    if isinstance(value, float) and value != value:  # noqa: PLR0124 (only NaN is not itself)
        raise ValueError("NaN is no number that SQLite has")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{value!r} is not Unicode: half of a surrogate pair") from None
    found: Value = int(value) if isinstance(value, bool) else value
    return found


def _blank(text: str, at: int) -> int:
    """The first place from ``at`` on that is no white space of JSON."""
    while at < len(text) and text[at] in " \t\n\r":
        at += 1
    return at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _shown(text: str, at: int) -> str:
    """What stands at a place, as a message shows it."""
    piece = text[at : at + _QUOTED].split("\n", 1)[0]
    return repr(piece) if piece else "end of file"
