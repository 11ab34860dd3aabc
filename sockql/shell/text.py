"""Where an input ends: at a semicolon, unless that is in a quote or a comment."""

from __future__ import annotations

import re

from sockql.shell.commands import is_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

#: Words that people enter to leave or for help, whatever the program.
WORDS: Final = {"exit": ".quit", "quit": ".quit", "help": ".help"}

_CLOSING: Final = {"'": "'", '"': '"', "`": "`", "[": "]", "/*": "*/"}
_TOKEN: Final = re.compile(r"""--|/\*|['"`\[;]|[-/]|[^\s'"`\[;/-]+""")


class Cutter:
    """Reads SQL line by line, each once.

    ``filled`` says that a statement has begun, ``ended`` that the last one has its semicolon,
    ``open`` is what closes the quote or comment that goes on in the next line.
    Source: https://www.sqlite.org/lang_comment.html, https://www.sqlite.org/lang_keywords.html
    """

    def __init__(self) -> None:
        self.filled = False
        self.ended = False
        self.open: str | None = None

    def feed(self, line: str) -> None:
        """Take the next line, without its end."""
        at = 0
        while True:
            if self.open is not None:
                close = line.find(self.open, at)
                if close < 0:
                    return
                at = close + len(self.open)
                self.open = None
            match = _TOKEN.search(line, at)
            if match is None or match.group() == "--":
                return
            at = match.end()
            token = match.group()
            self.open = _CLOSING.get(token)
            if token != "/*":
                self.ended = token == ";"
                self.filled = self.filled or not self.ended

    @property
    def complete(self) -> bool:
        """Whether what was read can be run, or is nothing but comments."""
        return self.open is None and (self.ended or not self.filled)


def finished(text: str) -> bool:
    """Whether an input is complete: a command, or SQL up to a semicolon."""
    stripped = text.strip()
    if is_command(stripped) or stripped.lower() in WORDS:
        return True
    cutter = Cutter()
    for line in text.split("\n"):
        cutter.feed(line)
    return cutter.complete


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """The commands and statements in the text of a file, with the numbers of their lines."""
    cutter = Cutter()
    pending: list[str] = []
    first = 1
    for number, line in enumerate(text.split("\n"), 1):
        if cutter.open is None and not cutter.filled and is_command(line):
            pending = []
            yield number, line
            continue
        was_filled = cutter.filled
        cutter.feed(line)
        if cutter.filled and not was_filled:
            first = number
        pending.append(line)
        if cutter.open is None and cutter.ended:
            yield first, "\n".join(pending)
            pending, cutter = [], Cutter()
    if cutter.filled:
        yield first, "\n".join(pending)
