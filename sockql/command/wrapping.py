"""Text in lines that end where a blank was: helps, messages, and lists of names.

Names, options and paths stay whole, so that they can be copied and searched for.  What a terminal
would obey is escaped.
"""

from __future__ import annotations

from sockql.command.terminal import columns, escape, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

#: The longest line that is read with ease.
_EASY: Final = 100
#: A longer name of a listing does not push all its texts to the right, and this much is left for them.
_WIDEST: Final = 22
_LEAST: Final = 28


def reading_columns(descriptor: int) -> int:
    """The same for paragraphs, whose lines are read with ease up to a hundred columns."""
    return min(columns(descriptor), _EASY)


def wrap(text: str, room: int, first: str = "", other: str | None = None) -> list[str]:
    """One paragraph in lines of at most ``room`` columns.

    Lines end where a blank was, so that names, options and paths stay whole; one that is longer
    than a line sticks out of it.  The first line begins with ``first``, the others with ``other``,
    or blanks that are as wide.
    """
    other = " " * width(first) if other is None else other
    lines = []
    line, empty = first, True
    taken = width(first)
    for word in map(escape, text.split()):
        more = width(word)
        if not empty and taken + 1 + more > room:
            lines.append(line)
            line, empty, taken = other, True, width(other)
        line += word if empty else f" {word}"
        taken += more if empty else 1 + more
        empty = False
    return [*lines, line.rstrip()]


def reflow(text: str, room: int, indent: str = "") -> list[str]:
    """Paragraphs as lines of at most ``room`` columns; what is indented, an example, stays as it is."""
    lines: list[str] = []
    for block in text.split("\n\n"):
        lines += [""] if lines else []
        if block[:1] == " ":
            lines += [f"{indent}{escape(line)}".rstrip() for line in block.split("\n")]
        else:
            lines += wrap(block, room, indent)
    return lines


def fit(text: str, descriptor: int) -> str:
    """A message, lines that a terminal would break within a word broken at blanks.

    What goes elsewhere stays as it is: there a message is a line.
    """
    import os

    if not os.isatty(descriptor):
        return text
    room = columns(descriptor)
    lines: list[str] = []
    for line in text.split("\n"):
        start = line[: len(line) - len(line.lstrip(" "))]
        lines += [line] if width(line) <= room else wrap(line, room, start, start + "  ")
    return "\n".join(lines)


def listing(pairs: Iterable[tuple[str, str]], room: int, indent: str = "") -> list[str]:
    """Names and what they are, side by side; a long name has a line of its own."""
    pairs = [(escape(name), text) for name, text in pairs]
    names = [width(name) for name, _ in pairs]
    widest = max((columns for columns in names if columns <= _WIDEST), default=_WIDEST)
    blanks = indent + " " * (widest + 2)
    room = max(room, len(blanks) + _LEAST)
    lines: list[str] = []
    for taken, (name, text) in zip(names, pairs):
        start = f"{indent}{name}{' ' * (widest - taken)}  "
        if taken > widest:
            lines.append(f"{indent}{name}")
            start = blanks
        lines += wrap(text, room, start)
    return lines
