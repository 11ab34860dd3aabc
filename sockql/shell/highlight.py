"""Colours for SQL and dot commands at the prompt, as Pygments understands them.

Pygments' own SQL lexer takes ``state``, ``type`` and ``mode`` for keywords and knows comments that
nest; this one reads what completion reads.  For prompt_toolkit::

    if colours_wanted(os.environ):
        lexer = PygmentsLexer(lexer_class(catalogue))
        style = style_from_pygments_cls(style_class())

Pygments is imported when one of the two is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sockql.completion.builtins import KEYWORDS, RESERVED, TABLE_FUNCTIONS
from sockql.completion.commands import resolve, takes_sql
from sockql.completion.tokens import (
    COMMENT,
    NAME,
    NUMBER,
    OPERATOR,
    PARAMETER,
    STRING,
    WORD,
    segments,
    tokenize,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, TypeAlias

    from pygments.lexer import Lexer
    from pygments.style import Style

    from sockql.completion.catalogue import Catalogue
    from sockql.completion.tokens import Token

    Piece: TypeAlias = tuple[int, Any, str]

#: Longer input is left as it is: an editor asks again at every key.
_MOST: Final = 100_000

_PUNCTUATION: Final = frozenset("(),;.")


def colours_wanted(environment: Mapping[str, str]) -> bool:
    """Whether a terminal should see colours: not with NO_COLOR or a terminal that is dumb.

    Source: https://no-color.org, where an empty NO_COLOR counts as none.
    """
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def lexer_class(catalogue: Callable[[], Catalogue | None]) -> type[Lexer]:
    """A Pygments lexer for input at the prompt.

    ``catalogue`` is called each time and should be cheap; while it gives None only what needs no
    names is told apart.  The lexer gives back every character of its input, whatever that is.
    """
    from pygments.lexer import Lexer as PygmentsLexer
    from pygments.token import Text

    class InputLexer(PygmentsLexer):
        """SQL and dot commands of sockql."""

        name = "sockql"

        def get_tokens_unprocessed(self, text: str) -> Iterator[Piece]:
            if len(text) > _MOST:
                yield 0, Text, text
                return
            yield from _Reader(catalogue()).read(text)

    return InputLexer


class _Reader:
    """Tells the names of one catalogue apart."""

    def __init__(self, catalogue: Catalogue | None) -> None:
        from pygments import token

        self.catalogue = catalogue
        self.tables: set[str] = set(TABLE_FUNCTIONS)
        self.columns: set[str] = set()
        self.functions: set[str] = set()
        if catalogue is not None:
            self.tables.update(name.lower() for name in catalogue.tables)
            for schema in catalogue.tables.values():
                self.columns.update(column.name.lower() for column in schema.columns)
            self.functions.update(function.name.lower() for function in catalogue.functions)
        self.blank = token.Whitespace
        self.text = token.Text
        self.command = token.Name.Builtin
        self.unknown = token.Error
        self.keyword = token.Keyword
        self.table = token.Name.Class
        self.column = token.Name.Attribute
        self.function = token.Name.Function
        self.name = token.Name
        self.punctuation = token.Punctuation
        self.kinds = {
            COMMENT: token.Comment,
            NAME: token.String.Symbol,
            NUMBER: token.Number,
            OPERATOR: token.Operator,
            PARAMETER: token.Name.Variable,
            STRING: token.String.Single,
        }

    def read(self, text: str) -> Iterator[Piece]:
        """Index, Pygments' type and text of every piece of ``text``."""
        for segment in segments(text, len(text), self._takes_sql):
            if not segment.is_command:
                yield from self._sql(text, segment.start, segment.end)
                continue
            yield from self._sql(text, segment.start, segment.first)
            word = text[segment.first : segment.end].split(None, 1)[0]
            after = segment.first + len(word)
            known = self.catalogue is None or resolve(self.catalogue, word) is not None
            yield segment.first, self.command if known else self.unknown, word
            if self._takes_sql(word):
                yield from self._sql(text, after, segment.end)
            elif after < segment.end:
                yield after, self.text, text[after : segment.end]

    def _takes_sql(self, word: str) -> bool:
        return self.catalogue is not None and takes_sql(self.catalogue, word)

    def _sql(self, text: str, start: int, end: int) -> Iterator[Piece]:
        at = start
        tokens = tokenize(text, start, end)
        for i, token in enumerate(tokens):
            if token.start > at:
                yield at, self.blank, text[at : token.start]
            before = tokens[i - 1].word if i else ""
            after = tokens[i + 1].word if i + 1 < len(tokens) else ""
            yield token.start, self._type(token, before, after), token.text
            at = token.end
        if at < end:
            yield at, self.blank, text[at:end]

    def _type(self, token: Token, before: str, after: str) -> Any:
        word = token.word
        if token.kind != WORD:
            return self.punctuation if word in _PUNCTUATION else self.kinds[token.kind]
        if word in RESERVED and before != "." and not (after == "(" and word in self.functions):
            return self.keyword
        if after == "(" and word in self.functions:
            return self.function
        if word in self.tables and (before != "." or word not in self.columns):
            return self.table
        if word in self.columns:
            return self.column
        return self.keyword if word in KEYWORDS and before != "." else self.name


def style_class() -> type[Style]:
    """A Pygments style that can be read on black, on white and on what is between.

    The colours are of the 256 that terminals have, and stand out equally from both (a contrast of
    4.3 and more, as WCAG counts it), which leaves few to choose from.
    """
    from pygments.style import Style as PygmentsStyle
    from pygments.token import (
        Comment,
        Error,
        Keyword,
        Name,
        Number,
        Operator,
        Punctuation,
        String,
        Text,
    )

    class InputStyle(PygmentsStyle):
        """Colours for :func:`lexer_class`."""

        name = "sockql"
        background_color = ""
        styles = {  # noqa: RUF012
            Comment: "italic #767676",
            Error: "underline",
            Keyword: "bold #5f5fff",
            Name: "",
            Name.Attribute: "#008787",
            Name.Builtin: "bold #d700af",
            Name.Class: "#d700af",
            Name.Function: "#af5f5f",
            Name.Variable: "#875fd7",
            Number: "#af5f00",
            Operator: "",
            Punctuation: "",
            String: "#008700",
            String.Symbol: "#008787",
            Text: "",
        }

    return InputStyle
