"""Pieces of a text: ``split``, ``regex_split`` and ``regex_match``.

Source: osquery/sql/sqlite_string.cpp, osquery/utils/conversions/split.cpp
"""

from __future__ import annotations

from functools import lru_cache

from sockql.errors import QueryError
from sockql.functions import declaring
from sockql.osquery.functions.values import as_integer, as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Final

    from sockql.functions import Function
    from sockql.schema import Value

FUNCTIONS: Final[dict[str, Function]] = {}

_function = declaring(FUNCTIONS)


@_function("select split('192.168.0.1', '.', 1)", "168")
def split(text: Value, characters: Value, index: Value) -> str | None:
    """The piece number ``index``, from 0, of what lies between any of the characters.

    Empty pieces do not count, and blanks around a piece are taken off.  NULL when an argument is
    NULL, and when there is no such piece; no characters at all are an error.
    """
    if text is None or characters is None or index is None:
        return None
    separators = as_text(characters)
    if not separators:
        raise QueryError("split: there are no characters to split at")
    pieces = as_text(text).translate({ord(each): "\0" for each in separators}).split("\0")
    return _piece([piece.strip(_BLANKS) for piece in pieces if piece], as_integer(index))


@_function(r"select regex_split('a1b22c', '\d+', 2)", "c")
def regex_split(text: Value, pattern: Value, index: Value) -> str | None:
    """The piece number ``index``, from 0, of what lies between matches of the expression.

    Empty pieces count but for one at the end.  NULL when an argument is NULL, and when there is
    no such piece; an empty or wrong expression is an error.
    """
    if text is None or pattern is None or index is None:
        return None
    whole = as_text(text)
    pieces: list[str] = []
    start = 0
    for match in _compile(as_text(pattern), "regex_split").finditer(whole):
        pieces.append(whole[start : match.start()])
        start = match.end()
    if start < len(whole) or not pieces:
        pieces.append(whole[start:])
    return _piece(pieces, as_integer(index))


@_function(r"select regex_match('sshd: alice [priv]', 'sshd: (\w+)', 1)", "alice")
def regex_match(text: Value, pattern: Value, group: Value) -> str | None:
    """What a group of the expression matches where it is first found; group 0 is all of it.

    NULL when an argument is NULL, when nothing is found, and when there is no such group; a group
    that takes no part in the match is empty.  A wrong expression is an error.
    """
    if text is None or pattern is None or group is None:
        return None
    found = _compile(as_text(pattern), "regex_match").search(as_text(text))
    if found is None:
        return None
    return _piece([found[0], *found.groups("")], as_integer(group))


_BLANKS: Final = " \t\n\v\f\r"


def _piece(pieces: list[str], index: int) -> str | None:
    return pieces[index] if 0 <= index < len(pieces) else None


# -- regular expressions ------------------------------------------------------------------------

#: The classes of POSIX that ECMAScript's std::regex knows in brackets, as Python writes them.
_CLASSES: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "d": "0-9",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "s": r"\s",
    "space": r"\s",
    "upper": "A-Z",
    "w": r"\w",
    "xdigit": "0-9a-fA-F",
}


@lru_cache(maxsize=256)
def _compile(pattern: str, function: str) -> re.Pattern[str]:
    """The expression as Python's ``re`` has it; osquery's is std::regex in ECMAScript's grammar.

    :raises QueryError: when it is none.
    """
    import re
    import warnings

    try:
        if not pattern and function == "regex_split":
            raise re.error("nothing to split at")  # noqa: TRY301  one message for all that is wrong
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python may take differently one day
            return re.compile(_translated(pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        what = getattr(error, "msg", error)
        raise QueryError(f"{function}: {what} in the regular expression {pattern!r}") from None


def _translated(pattern: str) -> str:
    """``[[:alpha:]]`` spelled out, and ``$`` the very end: Python's also precedes a newline."""
    parts = []
    at, inside = 0, False
    while at < len(pattern):
        part = said = pattern[at]
        if part == "\\":
            part = said = pattern[at : at + 2]
        elif inside and pattern.startswith("[:", at):
            name, closing, _ = pattern[at + 2 :].partition(":]")
            if closing and name in _CLASSES:
                part, said = f"[:{name}:]", _CLASSES[name]
        elif part in "[]":
            inside = part == "["
        elif part == "$" and not inside:
            said = r"\Z"
        parts.append(said)
        at += len(part)
    return "".join(parts)
