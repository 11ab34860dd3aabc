"""SQL as text: cutting it into statements, and SQLite's byte offsets into characters."""

from __future__ import annotations

from sockql.errors import QueryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_QUOTES = {"'": "'", '"': '"', "`": "`", "[": "]"}


def tokens(sql: str) -> Iterator[tuple[int, str]]:
    """``(offset, token)`` for quoted texts, words and single punctuation characters.

    Blanks and comments are passed over.  An unfinished quote or comment runs to the end, where
    SQLite will complain about it better than we could.
    Source: https://www.sqlite.org/lang_comment.html, https://www.sqlite.org/lang_keywords.html
    """
    at, end = 0, len(sql)
    while at < end:
        character = sql[at]
        start = at
        if character in _QUOTES:
            close = _QUOTES[character]
            at = sql.find(close, at + 1)
            # A doubled quote inside starts another token at once, which changes nothing here.
            at = end if at < 0 else at + 1
        elif sql.startswith("--", at):
            at = sql.find("\n", at)
            at = end if at < 0 else at + 1
            continue
        elif sql.startswith("/*", at):
            at = sql.find("*/", at + 2)
            at = end if at < 0 else at + 2
            continue
        elif character.isalnum() or character in "_$:@?":
            at += 1
            while at < end and (sql[at].isalnum() or sql[at] in "_$"):
                at += 1
        else:
            at += 1
            if character.isspace():
                continue
        yield start, sql[start:at]


def statements(sql: str) -> list[str]:
    """The statements of ``sql`` without their semicolons; empty ones are left out.

    CREATE TRIGGER bodies, the one place where a semicolon does not end a statement, are cut:
    triggers are not authorized anyway.

    :raises QueryError: for a NUL character, at which SQLite would take the text to end.
    """
    if "\0" in sql:
        raise QueryError("the SQL has a NUL character in it")
    found: list[str] = []
    start = 0
    filled = False
    for offset, token in tokens(sql):
        if token == ";":
            if filled:
                found.append(sql[start:offset])
            start = offset + 1
            filled = False
        else:
            filled = True
    if filled:
        found.append(sql[start:])
    return found


def character_offset(sql: str, byte_offset: int) -> int | None:
    """The index in ``sql`` of SQLite's offset, which counts UTF-8 bytes; None for -1."""
    if byte_offset < 0:
        return None
    return len(sql.encode("utf-8", "surrogatepass")[:byte_offset].decode("utf-8", "ignore"))


def parameters(sql: str) -> set[str]:
    """The names of the parameters in ``sql``: ``:name``, ``@name`` and ``$name``."""
    return {token[1:] for _, token in tokens(sql) if token[0] in ":@$" and len(token) > 1}


def distinct(names: list[str]) -> tuple[str, ...]:
    """Column names as the query gives them, a repeated one with its number: pid, pid:1."""
    taken = set(names)
    seen: set[str] = set()
    result = []
    for name in names:
        unique, number = name, 0
        while unique in seen or (number and unique in taken):
            number += 1
            unique = f"{name}:{number}"
        seen.add(unique)
        result.append(unique)
    return tuple(result)
