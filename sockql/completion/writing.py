"""How candidates are written at the cursor, described and ranked."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sockql.completion.builtins import KEYWORDS, RESERVED
from sockql.completion.catalogue import COLUMN
from sockql.completion.match import Candidate
from sockql.completion.tokens import WORD

if TYPE_CHECKING:
    from sockql.completion.sources import Field
    from sockql.completion.tokens import Statement

# Ranks of candidates that fit the typed word equally well.
FIRST: Final = 0  # values, join conditions
LIKELY: Final = 1  # output columns in ORDER BY, the other side of a join, tables that fit
VISIBLE: Final = 2
OUTER: Final = 3  # of the query around
QUALIFIER: Final = 4
HIDDEN: Final = 5
OUTER_HIDDEN: Final = 6
FUNCTION: Final = 7
KEYWORD: Final = 8
COMMAND: Final = 9

_PLAIN: Final = re.compile(r"[^\W\d][\w$]*").fullmatch


class Writer:
    """How names are written at the cursor: quoted or not, in which case."""

    def __init__(self, statement: Statement) -> None:
        self.quote = statement.quote
        self.end = "" if statement.closed else statement.quote
        self.call = statement.call
        self.upper = _is_upper(statement)

    def name(self, name: str) -> str:
        """A name as SQL needs it there, with what is missing of its quotes."""
        if self.quote:
            doubled = name if self.quote == "]" else name.replace(self.quote, self.quote * 2)
            return doubled + self.end
        if _PLAIN(name) and name.lower() not in RESERVED:
            return name
        return '"' + name.replace('"', '""') + '"'

    def keyword(self, keyword: str) -> str:
        """A keyword in the case that the user types keywords in."""
        return keyword.upper() if self.upper else keyword

    def value(self, value: str) -> str:
        """A text as a literal, or the rest of one."""
        text = value.replace("'", "''")
        return text + self.end if self.quote else f"'{text}'"


def _is_upper(statement: Statement) -> bool:
    if statement.partial and not statement.quote:
        return statement.partial.isupper()
    for token in reversed(statement.before):
        if token.kind == WORD and token.word in KEYWORDS:
            return token.text.isupper()
    return False


@lru_cache(maxsize=4096)
def sentence(doc: str) -> str:
    """The first sentence of a description, on one line, without its full stop."""
    line = " ".join(doc.replace("``", "").split())
    return line.partition(". ")[0].removesuffix(".")


def describe(field: Field) -> str:
    """What a column is, its unit, and whether it is hidden.

    A menu has room for what it is; the rest, and when it is NULL, comes behind a semicolon.
    """
    said = sentence(field.doc).partition("; ")[0]
    if field.column is not None and field.column.unit is not None:
        said += f", in {field.column.unit}"
    return f"{said} (hidden)" if field.hidden else said


def column(text: str, field: Field, rank: int) -> Candidate:
    """A column that is written as ``text``."""
    return Candidate(text, text, describe(field), COLUMN, rank, field.name.lower())
