"""SQL as it is while somebody types it: tokens, the statement at the cursor, the word before it.

Unlike :mod:`sockql.sqltext` this says what is unfinished, and it stays cheap on long input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Kinds of tokens: ``Token.kind``.
WORD: Final = "word"
COMMENT: Final = "comment"
STRING: Final = "string"
NAME: Final = "name"  # quoted, in any of the ways SQLite knows
NUMBER: Final = "number"
PARAMETER: Final = "parameter"
OPERATOR: Final = "operator"

#: Every branch ends in a quote or at the end of the text, none can fail halfway and be tried
#: again: the time is linear in the length.  Comments do not nest in SQLite.
_QUOTED: Final = r"""
    (?P<string> '[^']*(?:''[^']*)*(?:'|\Z) )
  | (?P<name> "[^"]*(?:""[^"]*)*(?:"|\Z) | `[^`]*(?:``[^`]*)*(?:`|\Z) | \[[^]]*(?:]|\Z) )
  | (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
"""
#: One match a token and none for blanks: a statement of 10 KB is read again at every key.  The end
#: of the text is a match as well, or blanks before it would be tried from each of them.
_TOKEN: Final = re.compile(
    rf"""\s*(?:
    (?P<word> [^\W\d][\w$]* )
  | (?P<punctuation> [(),;*] )
  | {_QUOTED}
  | (?P<number> \d[\w.]* | \.\d\w* )
  | (?P<parameter> [:@$][\w$:]+ | \?\d* )
  | (?P<operator> ->>? | \|\| | <> | [!<>=]= | << | >> | \S )
  | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS: Final = {number: kind for kind, number in _TOKEN.groupindex.items()}
_KINDS[_TOKEN.groupindex["punctuation"]] = OPERATOR
_BREAK: Final = re.compile(rf"{_QUOTED} | (?P<operator> ; )", re.VERBOSE | re.DOTALL)
_NOTHING: Final = re.compile(r"(?:[\s;]+|(--[^\n]*|/\*.*?(?:\*/|\Z)))*", re.DOTALL)
_END_OF_LITERAL: Final = {quote: re.compile(rf"[\w./:-]*{re.escape(quote)}") for quote in "'\"`]"}
_SIGILS: Final = frozenset(":@$")
_END_OF_WORD: Final = re.compile(r"[\w$]*")
_COMMAND: Final = re.compile(r"[.\\](?!\d)\S*")

# What is looked at: more than a person writes, and still answered between two keystrokes.
_MOST_BEFORE: Final = 250_000  # characters from the start of the input to the cursor
_MOST_STATEMENTS: Final = 20_000
_LONGEST: Final = 65_536  # characters of one statement before the cursor
_LONGEST_WORD: Final = 128
_MOST_AFTER: Final = 10_000


class Token(NamedTuple):
    """A piece of SQL: what it is, its text, where it starts and ends.

    ``word`` is an operator, or a word without quotes in lower case, and empty for all else: what
    is compared with keywords.
    """

    kind: str
    text: str
    start: int
    end: int
    word: str

    @property
    def name(self) -> str:
        """The name that a word or a quoted name stands for."""
        if self.kind != NAME:
            return self.text
        quote = self.text[0]
        if quote == "[":
            return self.text[1:].removesuffix("]")
        inner = self.text[1:-1] if self.closed else self.text[1:]
        return inner.replace(quote * 2, quote)

    @property
    def closed(self) -> bool:
        """Whether the closing quote, or the end of the comment, is there."""
        if self.kind == COMMENT:
            return self.text[:2] == "/*" and len(self.text) >= 4 and self.text[-2:] == "*/"
        if self.kind in (STRING, NAME):
            quote = self.text[0]
            return self.text[-1] == "]" if quote == "[" else self.text.count(quote) % 2 == 0
        return True


def tokenize(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """Everything in ``text[start:end]`` but blanks; comments too.

    What is unfinished reaches to the end and is not ``closed``.
    """
    found = []
    make = tuple.__new__
    for match in _TOKEN.finditer(text, start, len(text) if end is None else end):
        group = match.lastindex
        if group is None:
            break
        kind, piece = _KINDS[group], match[group]
        first, last = match.span(group)
        word = piece.lower() if kind == WORD else piece if kind == OPERATOR else ""
        found.append(make(Token, (kind, piece, first, last, word)))
    return found


class Statement:
    """The statement at the cursor, cut in two there, without blanks and comments.

    ``partial`` is what has been typed of the name that is to be completed, ``start`` its index in
    the text.  ``quote`` is the closing quote that its literal or quoted name will need, ``closed``
    whether it is there already, behind the cursor.  ``sigil`` is the character before the name of
    a parameter.  ``call`` says that a parenthesis follows.
    """

    __slots__ = ("after", "before", "call", "closed", "partial", "quote", "sigil", "start")

    def __init__(self, before: list[Token], after: list[Token], partial: str, start: int) -> None:
        self.before = before
        self.after = after
        self.partial = partial
        self.start = start
        self.quote = ""
        self.closed = False
        self.sigil = ""
        self.call = False


def cut(text: str, start: int, cursor: int) -> Statement | None:
    """The statement that begins at ``start``; None where nothing can be completed.

    That is within comments, numbers and finished quotes, and in a statement that is too long.
    """
    if cursor - start > _LONGEST:
        return None
    before = tokenize(text, start, cursor)
    last = before[-1] if before and before[-1].end == cursor else None
    found = Statement(before, [], "", cursor)
    tail = cursor
    if last is not None:
        if last.kind in (STRING, NAME) and not last.closed:
            found.partial = last.text[1:] if last.kind == STRING else last.name
            found.quote = "]" if last.text[0] == "[" else last.text[0]
            found.start = last.start + 1
            # A quote that ends the word at the cursor closes this literal; any other one further
            # on opens the next, and ours has been left open.
            match = _END_OF_LITERAL[found.quote].match(text, cursor)
            found.closed = match is not None
            tail = match.end() if match else cursor
        elif last.kind == WORD:
            found.partial, found.start = last.text, last.start
        elif last.kind == PARAMETER or last.word in _SIGILS:
            found.sigil, found.partial, found.start = last.text[0], last.text[1:], last.start + 1
        elif last.kind != OPERATOR and not (last.kind == COMMENT and last.closed):
            return None
        if len(found.partial) > _LONGEST_WORD:
            return None
        if found.start < cursor or found.quote or found.sigil:
            before.pop()
        if found.partial and not found.quote:
            match = _END_OF_WORD.match(text, cursor)
            tail = match.end() if match else cursor
    found.before = [token for token in before if token.kind != COMMENT]
    for token in tokenize(text, tail, min(tail + _MOST_AFTER, len(text))):
        if token.word == ";":
            break
        if token.kind != COMMENT:
            found.after.append(token)
    found.call = bool(found.after) and found.after[0].word == "("
    return found


class Segment(NamedTuple):
    """A statement or a dot command: from its leading blanks, from its first character, its end."""

    start: int
    first: int
    end: int
    is_command: bool


def segments(text: str, end: int, takes_sql: Callable[[str], bool]) -> Iterator[Segment]:
    r"""``text[:end]`` cut into statements and dot commands; the last one has no end yet.

    A dot command is a line between statements that begins with a dot or a backslash; it ends with
    its line, unless ``takes_sql(word)`` says that it goes on to a semicolon.
    """
    at = 0
    while True:
        start = at
        match = _NOTHING.match(text, at, end)
        assert match is not None
        first = match.end()
        if first == end:
            break
        command = _COMMAND.match(text, first, end) if _begins_line(text, first) else None
        if command and not takes_sql(command.group()):
            at = text.find("\n", first, end) + 1
        else:
            at = 0
            for found in _BREAK.finditer(text, first, end):
                if found.lastgroup == OPERATOR:
                    at = found.end()
                    break
        if not at:
            yield Segment(start, first, end, command is not None)
            return
        yield Segment(start, first, at, command is not None)
    # Nothing yet, but perhaps a comment that the end is in.
    yield Segment(start, match.start(1) if match.end(1) == end else end, end, is_command=False)


def locate(text: str, cursor: int, takes_sql: Callable[[str], bool]) -> Segment | None:
    """The statement or the dot command before the cursor, None when there is too much text."""
    if cursor > _MOST_BEFORE:
        return None
    found = None
    for count, segment in enumerate(segments(text, cursor, takes_sql)):
        if count == _MOST_STATEMENTS:
            return None
        found = segment
    return found


def _begins_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()
