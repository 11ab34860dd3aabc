"""A saved query: one statement in a file, after a header that says what it is for.

The header is a comment, so that the file is SQL for every program.  With the dashes taken off it
is YAML; :mod:`sockql.saved.header` reads it::

    -- title: Sockets that listen on a port
    -- tags: [network, listening]
    -- params:
    --   port: {type: integer, default: 22, description: Port to look for}
    select src, sport, inode from sockets where state = 'LISTEN' and sport = :port

A file without a header runs as well: it is a report, and the first line of its comment the title.
"""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISREG

from sockql.errors import UsageError
from sockql.sqltext import tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from sockql.schema import Value

REPORT: Final = "report"
AUDIT: Final = "audit"
KINDS: Final = (REPORT, AUDIT)

#: From the least to the most severe.
SEVERITIES: Final = ("info", "low", "medium", "high", "critical")

# What an audit expects of its result when all is well.
NO_ROWS: Final = "no rows"
ROWS: Final = "rows"
EXPECTATIONS: Final = (NO_ROWS, ROWS)

INTEGER: Final = "integer"
REAL: Final = "real"
TEXT: Final = "text"
TABLE: Final = "table"
#: The types that a header can declare.
TYPES: Final = (INTEGER, REAL, TEXT, TABLE)
#: The type of a parameter that only the SQL names: a value as ``-p`` understands it.
ANY: Final = "any"

#: The keys of a header, each an attribute of :class:`Query` (with ``_`` for the blank), and what
#: they say; docs/queries.md is made from this.
KEYS: Final = {
    "title": "What the query finds, in one line. The only key that a header must have.",
    "description": "Why one asks, and what to make of the answer.",
    "tags": "A list of words to select queries by: small letters, digits, `.`, `_`, `-`.",
    "severity": "`info`, `low`, `medium`, `high` or `critical`. An audit must have one.",
    "kind": "`report`, which tells something, or `audit`, which finds fault; a report unless said.",
    "params": "The parameters by name; see below.",
    "expect": "What an audit expects when all is well: `no rows`, unless it says `rows`.",
    "references": "A list of texts, such as addresses of pages, or one text.",
    "false positives": "A list of texts, or one text: what is found although it is all right.",
    "keys": "A list of the columns that identify a row, to know a finding again.",
    "live": "`true` for a query that neither a snapshot (`--from`) nor a copy of `/proc` can answer.",
    "timeout": "Seconds after which the query is given up, unless `--timeout` says otherwise.",
}

#: Files that are longer are no queries.
_MOST: Final = 1 << 20

#: What a statement that only reads begins with, perhaps after ``WITH``; and one that writes.
_READS: Final = ("select", "values")
_WRITES: Final = ("delete", "insert", "replace", "update")


class HeaderError(UsageError):
    """A query file that cannot be used: ``path:line: message``."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        self.message = message


class Param:
    """A parameter: ``:name`` in the SQL, or a table called ``name`` when ``type`` is ``table``.

    ``default`` is the value where none is given, for a table a tuple of rows; it counts unless
    ``required`` is set.  ``columns`` are those that a table has to have.  ``line`` is where it is
    declared, 0 for a parameter that only the SQL names.
    """

    __slots__ = ("columns", "default", "description", "line", "name", "required", "type")

    def __init__(
        self,
        name: str,
        type: str = ANY,
        default: Value | tuple[tuple[Value, ...], ...] = None,
        description: str = "",
        *,
        required: bool = True,
        columns: Sequence[str] = (),
        line: int = 0,
    ) -> None:
        self.name = name
        self.type = type
        self.default = default
        self.description = description
        self.required = required
        self.columns = tuple(columns)
        self.line = line

    def __repr__(self) -> str:
        return f"Param({self.name}: {self.type})"


class Query:
    """A saved query.

    ``name`` is what it is called by, ``path`` the file it is from, ``sql`` the text of the whole
    file.  ``params`` has the declared parameters and then those that only the SQL names, which
    are of the type ``any``.  ``severity`` is None for a report that has none.  ``keys`` are the
    columns of the result that identify a row, ``live`` says that only the live host can answer,
    ``timeout`` is the seconds it may take, None for no limit of its own.  ``lines`` has the lines of the header's keys; without a header it is empty.
    """

    def __init__(
        self,
        name: str,
        path: str,
        sql: str,
        *,
        title: str = "",
        description: str = "",
        tags: Sequence[str] = (),
        severity: str | None = None,
        kind: str = REPORT,
        params: Mapping[str, Param] | None = None,
        expect: str = NO_ROWS,
        references: Sequence[str] = (),
        false_positives: Sequence[str] = (),
        keys: Sequence[str] = (),
        live: bool = False,
        timeout: float | None = None,
        lines: Mapping[str, int] | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.sql = sql
        self.title = title
        self.description = description
        self.tags = tuple(tags)
        self.severity = severity
        self.kind = kind
        self.params = dict(params or {})
        self.expect = expect
        self.references = tuple(references)
        self.false_positives = tuple(false_positives)
        self.keys = tuple(keys)
        self.live = live
        self.timeout = timeout
        self.lines = dict(lines or {})

    def __repr__(self) -> str:
        return f"Query({self.name}, {self.path})"


def name_of(path: str) -> str:
    """What the query in the file ``path`` is called by."""
    return os.path.basename(path).removesuffix(".sql")


def read(path: str) -> Query:
    """The query in the file ``path``.

    :raises UsageError: when it cannot be read; :class:`HeaderError` when it is no query.
    """
    try:
        mode = os.stat(path).st_mode
        # Reading a FIFO that nobody writes to would never end; what the shell has opened for us
        # (``<(…)``, ``/dev/stdin``) is there to be read.
        regular = S_ISREG(mode) or S_ISDIR(mode)
        if not regular and not path.startswith(("/dev/fd/", "/proc/self/fd/", "/dev/stdin")):
            raise UsageError(f"{path}: not a regular file")
        with open(path, "rb") as file:
            data = file.read(_MOST + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"{path!r}: {error}") from None
    if len(data) > _MOST:
        raise HeaderError(path, 1, f"more than {_MOST:,} bytes are no saved query")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise HeaderError(path, line, "not UTF-8 text") from None
    return parse(text, path)


def parse(text: str, path: str) -> Query:
    """The query in the text of the file ``path``, which is not read.

    :raises HeaderError: when the header is wrong, or the SQL is not one statement that reads.
    """
    position = text.find("\0")
    if position >= 0:
        raise HeaderError(path, line_at(text, position), "there is a NUL character")
    used = _parameters(text, path)
    comments = _comments(text)
    query = Query(name_of(path), path, text, title=_first(comments))
    for first, lines in comments:
        keyed = next((i for i, line in enumerate(lines) if _has_key(line)), None)
        if keyed is None:
            _refuse_misspelt(path, first, lines)
            continue
        if query.lines:
            message = "the header ends at an empty line before this; begin that line with --"
            raise HeaderError(path, first + keyed, message)
        from sockql.saved.header import fill

        fill(query, lines, first)
    for name in used:
        query.params.setdefault(name, Param(name))
    return query


def _has_key(line: str) -> bool:
    """Whether a line of a comment has a key of a header, perhaps in capitals, which is an error."""
    key, colon, _ = line.partition(":")
    return bool(colon) and key.rstrip().lower() in KEYS


def _refuse_misspelt(path: str, first: int, lines: Sequence[str]) -> None:
    """Refuse a comment that was to be a header: it only has keys, and the first nearly is one.

    :raises HeaderError: with what was probably meant.
    """
    keys = [line.partition(":") for line in lines if line.strip() and line[0] not in " #"]
    if not keys or not all(colon and (not value or value[0] == " ") for _, colon, value in keys):
        return
    from difflib import get_close_matches

    key = keys[0][0].rstrip()
    close = get_close_matches(key.lower(), KEYS, 1, 0.8)
    if close:
        line = first + next(i for i, line in enumerate(lines) if line.startswith(key))
        message = f"the header has no key {key!r}; did you mean {close[0]}?"
        raise HeaderError(path, line, message)


def _comments(text: str) -> list[tuple[int, list[str]]]:
    """The blocks of ``--`` lines before the statement: number of the first line, and the lines.

    The dashes and a blank after them are taken off.
    """
    blocks: list[tuple[int, list[str]]] = []
    fresh = True
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line.startswith("--"):
            if fresh:
                blocks.append((number, []))
            blocks[-1][1].append(line[2:].removeprefix(" "))
            fresh = False
        elif line:
            break
        else:
            fresh = True
    return blocks


def _first(comments: list[tuple[int, list[str]]]) -> str:
    """The first line of the comments that says something."""
    lines = (line.strip("- ") for _, block in comments for line in block)
    return next((line for line in lines if line), "")


def _parameters(text: str, path: str) -> list[str]:
    """The names of the parameters of the one statement, in the order they come.

    :raises HeaderError: when it is not one, when it writes, and for parameters without a name.
    """
    found: dict[str, None] = {}
    outer: list[tuple[int, str]] = []  # what is not in parentheses
    depth = 0
    ended = False
    for offset, token in tokens(text):
        if token == ";":
            ended = bool(outer)
            continue
        if ended:
            message = "a second statement; a saved query is one"
            raise HeaderError(path, line_at(text, offset), message)
        if token == "?" or (token[0] == "?" and token[1:].isdigit()):
            message = f"parameters need a name: write :name, not {token}"
            raise HeaderError(path, line_at(text, offset), message)
        if token[0] in ":@$" and len(token) > 1:
            found[token[1:]] = None
        depth -= token == ")"
        if depth <= 0:
            outer.append((offset, token))
        depth += token == "("
    if not outer:
        raise HeaderError(path, 1, "there is no statement in it")
    offset, verb = _verb(outer)
    if verb.lower() not in _READS:
        word = verb.split(maxsplit=1)[0][:20]  # a quoted name may be any text
        message = f"{word}: a saved query only reads: it begins with SELECT, VALUES or WITH"
        raise HeaderError(path, line_at(text, offset), message)
    return list(found)


def _verb(outer: list[tuple[int, str]]) -> tuple[int, str]:
    """What a statement does: its first word, or the one after the common table expressions."""
    if outer[0][1].lower() != "with":
        return outer[0]
    for i, (offset, token) in enumerate(outer):
        following = outer[i + 1][1].lower() if i + 1 < len(outer) else ""
        # A common table expression may be called replace; then one of these comes next.
        writes = token.lower() in _WRITES and following not in ("as", "(")
        if writes or token.lower() in _READS:
            return offset, token
    return outer[0][0], _READS[0]  # not finished, which SQLite will say better


def line_at(text: str, offset: int) -> int:
    """The number of the line of ``text`` that the character at ``offset`` is in."""
    return text.count("\n", 0, offset) + 1
