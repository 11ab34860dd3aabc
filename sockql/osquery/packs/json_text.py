r"""JSON as osquery reads it: before it is parsed, comments and line ends after ``\`` are taken out.

A text may so go on in the next line; every JSON parser but osquery's refuses its own packs.  What
is left is plain JSON, where a comma before a closing bracket is wrong.
Source: osquery/config/config.cpp, stripConfigComments; RFC 8259
"""

from __future__ import annotations

import re
from bisect import bisect_right
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import TYPE_CHECKING

from sockql.osquery.packs.nodes import Node, PackError

if TYPE_CHECKING:
    from typing import Final, NoReturn

_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: Final = {"true": True, "false": False, "null": None}
_WORD: Final = re.compile(r"\w+")

#: Objects within objects; packs have four.
_DEEPEST: Final = 100


class Stripped:
    """A text without comments and continued lines; :meth:`line` says where a place in it was.

    A comment is a line that begins, after blanks, with ``#`` or ``//``; one that ends in a
    backslash goes on like any other.
    """

    def __init__(self, text: str) -> None:
        parts: list[str] = []
        self._offsets = [0]
        self._lines = [1]
        size = 0
        pieces: list[tuple[int, str]] = []
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            line = line.removesuffix("\r")
            goes_on = line.endswith("\\") and number < len(lines)
            pieces.append((number, line[:-1] if goes_on else line))
            if goes_on:
                continue
            if not "".join([piece for _, piece in pieces]).lstrip().startswith(("#", "//")):
                for there, piece in pieces:
                    self._offsets.append(size)
                    self._lines.append(there)
                    parts.append(piece)
                    size += len(piece)
                parts.append("\n")
                size += 1
            pieces.clear()
        self.text = "".join(parts)

    def line(self, offset: int) -> int:
        """The line of the file, from 1, that the character at ``offset`` of the text was in."""
        return self._lines[bisect_right(self._offsets, offset) - 1]


def parse(text: str, file: str, notices: list[str]) -> Node:
    """The value that ``text`` is; a name that is given twice is said in ``notices``.

    :raises PackError: when it is no JSON.
    """
    return _Parser(Stripped(text), file, notices).document()


class _Parser:
    """One pass over the text; each method takes an offset and returns a node and the next one."""

    def __init__(self, stripped: Stripped, file: str, notices: list[str]) -> None:
        self._text = stripped.text
        self._line = stripped.line
        self._file = file
        self._notices = notices

    def document(self) -> Node:
        node, at = self._value(self._skip(0), 0)
        at = self._skip(at)
        if at < len(self._text):
            self._fail(at, f"{self._shown(at)} after the end of {node.kind}")
        return node

    def _skip(self, at: int) -> int:
        blanks = _BLANKS.match(self._text, at)
        return blanks.end() if blanks else at

    def _fail(self, at: int, message: str) -> NoReturn:
        # Beyond the end nothing is left but the newline that was added to the last line.
        line = self._line(max(0, min(at, len(self._text.rstrip()) - 1)))
        raise PackError(f"{self._file}:{line}: {message}")

    def _shown(self, at: int) -> str:
        """What stands at a place, as a message names it."""
        if at >= len(self._text):
            return "the end of the file"
        word = _WORD.match(self._text, at)
        return repr(word[0][:40] if word else self._text[at])

    def _value(self, at: int, depth: int) -> tuple[Node, int]:
        character = self._text[at : at + 1]
        if depth > _DEEPEST:
            self._fail(at, f"more than {_DEEPEST} brackets are open")
        if character == "{":
            return self._object(at, depth)
        if character == "[":
            return self._list(at, depth)
        if character == '"':
            text, end = self._string(at)
            return Node(text, self._file, self._line(at)), end
        number = _NUMBER.match(self._text, at)
        if number:
            whole = number[0].lstrip("-").isdigit()
            value = int(number[0]) if whole and len(number[0]) < 40 else float(number[0])
            return Node(value, self._file, self._line(at)), number.end()
        word = _WORD.match(self._text, at)
        if word is None or word[0] not in _WORDS:
            self._fail(at, f"a value is expected, not {self._shown(at)}")
        return Node(_WORDS[word[0]], self._file, self._line(at)), word.end()

    def _string(self, at: int) -> tuple[str, int]:
        try:
            text, end = scanstring(self._text, at + 1, True)
        except JSONDecodeError as error:
            ends = "Unterminated" in error.msg or self._text[error.pos : error.pos + 1] == "\n"
            if ends:
                self._fail(
                    at, 'a text is not closed by "; one that goes on needs \\ at the line end'
                )
            self._fail(error.pos, f"{error.msg[:1].lower()}{error.msg[1:].removesuffix(' at')}")
        return text, end

    def _object(self, start: int, depth: int) -> tuple[Node, int]:
        members: dict[str, Node] = {}
        at = self._skip(start + 1)
        if self._text.startswith("}", at):
            return Node(members, self._file, self._line(start)), at + 1
        while True:
            if not self._text.startswith('"', at):
                self._fail(at, f"a name in double quotes is expected, not {self._shown(at)}")
            there = at
            name, at = self._string(at)
            at = self._skip(at)
            if not self._text.startswith(":", at):
                self._fail(at, f"a colon is expected after {name!r}, not {self._shown(at)}")
            value, at = self._value(self._skip(at + 1), depth + 1)
            if name in members:
                line, first = self._line(there), members[name].line
                self._notices.append(
                    f"{self._file}:{line}: {name!r} is there twice; the one in line {first} counts"
                )
            members.setdefault(name, value)
            at, closed = self._next(at, "}")
            if closed:
                return Node(members, self._file, self._line(start)), at

    def _list(self, start: int, depth: int) -> tuple[Node, int]:
        elements: list[Node] = []
        at = self._skip(start + 1)
        if self._text.startswith("]", at):
            return Node(elements, self._file, self._line(start)), at + 1
        while True:
            value, at = self._value(at, depth + 1)
            elements.append(value)
            at, closed = self._next(at, "]")
            if closed:
                return Node(elements, self._file, self._line(start)), at

    def _next(self, at: int, closing: str) -> tuple[int, bool]:
        """Beyond the comma, or the closing bracket, that follows an element."""
        end = at
        at = self._skip(at)
        if self._text.startswith(closing, at):
            return at + 1, True
        if not self._text.startswith(",", at):
            found = self._shown(at)
            # Where it is missing is at the end of the element before, not where the next begins.
            place = at if at >= len(self._text) else end - 1
            self._fail(place, f"a comma or {closing} is expected, not {found}")
        comma = at
        at = self._skip(at + 1)
        if self._text.startswith(closing, at):
            self._fail(comma, f"there is a comma before {closing}, where nothing follows it")
        return at, False
