"""Text to rows: the formats that lists come in.  What is wrong is told with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sockql.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from sockql.schema import Value

_QUOTED: Final = 60  # characters of a wrong line in its message


class Rows:
    """The rows of a file: as many cells in each as there are ``columns``.

    ``typed`` says that the cells have types of their own; without them every cell is a text or
    None.  ``header`` is the line on which the columns are named.
    """

    def __init__(
        self,
        columns: list[str],
        rows: list[tuple[Value, ...]],
        *,
        typed: bool,
        header: int = 1,
    ) -> None:
        self.columns = columns
        self.rows = rows
        self.typed = typed
        self.header = header


def csv(path: str, text: str) -> Rows:
    """RFC 4180, with a line of column names; blank lines are passed over."""
    from csv import Error, reader
    from io import StringIO

    lines = reader(StringIO(text, newline=""), strict=True)

    def records() -> Iterator[tuple[int, list[str]]]:
        while True:
            line = lines.line_num + 1
            try:
                record = next(lines, None)
            except Error as error:
                raise UsageError(f"{path}:{line}: {error}") from None
            if record is None:
                return
            yield line, record

    return _delimited(path, records())


#: What ``sockql --tsv`` writes for characters that would break a line.
_ESCAPES: Final = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\\\": "\\"}


def tsv(path: str, text: str) -> Rows:
    r"""Lines of cells with tabs between, ``\t``, ``\n``, ``\r`` and ``\\`` as sockql writes them."""
    import re

    def unescaped(cell: str) -> str:
        return re.sub(r"\\[tnr\\]", lambda found: _ESCAPES[found[0]], cell)

    lines = [line.removesuffix("\r") for line in text.split("\n")]
    records = ([unescaped(cell) for cell in line.split("\t")] if line else [] for line in lines)
    return _delimited(path, enumerate(records, 1))


def _delimited(path: str, records: Iterable[tuple[int, list[str]]]) -> Rows:
    columns: list[str] = []
    header = 0
    rows: list[tuple[Value, ...]] = []
    for line, record in records:
        if not record:
            continue
        if not columns:
            columns, header = record, line
            _check_names(path, line, columns)
        elif len(record) != len(columns):
            cells = f"{len(record)} cell{'' if len(record) == 1 else 's'}"
            raise UsageError(f"{path}:{line}: {cells}, but the header names {len(columns)} columns")
        else:
            rows.append(tuple([cell or None for cell in record]))
    return Rows(columns, rows, typed=False, header=header)


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
    return _objects(path, text, _items(path, text))


def jsonl(path: str, text: str) -> Rows:
    """Objects, one after the other, as a rule one on a line."""
    return _objects(path, text, _sequence(path, text, 0))


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
    from json import JSONDecodeError, JSONDecoder

    try:
        return JSONDecoder().raw_decode(text, at)
    except JSONDecodeError as error:
        raise UsageError(f"{path}:{error.lineno}: {error.msg}: {_shown(text, error.pos)}") from None
    except RecursionError:
        raise UsageError(f"{path}:{_line(text, at)}: nested too deeply") from None


def _objects(path: str, text: str, items: Iterable[tuple[int, Any]]) -> Rows:
    found: list[dict[str, Value]] = []
    columns: dict[str, None] = {}
    for at, item in items:
        if not isinstance(item, dict):
            line = _line(text, at)
            raise UsageError(f"{path}:{line}: an object is wanted, not {_shown(text, at)}")
        try:
            found.append({name: _value(value) for name, value in item.items()})
        except ValueError as error:
            raise UsageError(f"{path}:{_line(text, at)}: {error}") from None
        if not columns.keys() >= item.keys():
            columns.update(dict.fromkeys(item))
            _check_names(path, _line(text, at), list(columns))
    rows = [tuple([row.get(name) for name in columns]) for row in found]
    return Rows(list(columns), rows, typed=True)


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
