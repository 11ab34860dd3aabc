"""Text that may be shown: control characters escaped, and how wide it is on a screen.

Names of processes, paths and sockets are chosen by whoever runs them; a terminal would obey the
escape sequences in them, and a newline would forge a row.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

#: Unicode categories that are escaped: control, format (bidi overrides, zero-width characters),
#: surrogates, line and paragraph separators.
ESCAPED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_SHORT: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


class _Escapes(dict[int, str]):
    """What :meth:`str.translate` asks for a character's replacement; it remembers the answers."""

    def __missing__(self, code: int) -> str:
        from unicodedata import category

        character = chr(code)
        replacement = character
        if category(character) in ESCAPED:
            replacement = self.escape(code)
        self[code] = replacement
        return replacement

    def escape(self, code: int) -> str:
        """The escape of a character as Python and C write it."""
        character = chr(code)
        if character in _SHORT:
            return _SHORT[character]
        if code < 0x100:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class _JsonEscapes(_Escapes):
    """The same characters as JSON spells them, so that a reader gets them back."""

    def escape(self, code: int) -> str:
        if code == 0x0A:
            return "\n"  # within JSON text, where it can only stand between the values
        if code < 0x10000:
            return f"\\u{code:04x}"
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


class _Widths(dict[str, int]):
    """Columns of a character; it remembers the answers."""

    def __missing__(self, character: str) -> int:
        from unicodedata import category, east_asian_width

        if category(character) in ("Mn", "Me"):
            columns = 0
        else:
            columns = 2 if east_asian_width(character) in "WF" else 1
        self[character] = columns
        return columns


_WIDTHS: Final = _Widths()
_ESCAPES: Final = _Escapes()
_JSON_ESCAPES: Final = _JsonEscapes()


def escape(text: str) -> str:
    r"""``text`` with what a terminal would obey or reorder by written as ``\x1b``, ``\n``, ``\u202e``.

    A backslash stays as it is: this is for eyes, json and tsv are for programs.
    """
    return text if text.isprintable() else text.translate(_ESCAPES)


def escape_json(text: str) -> str:
    """JSON text with the same characters as JSON escapes: other spelling, same values."""
    return text if text.isprintable() else text.translate(_JSON_ESCAPES)


def display(value: Any) -> str:
    """A cell on one line: NULL empty, bytes in hexadecimal, text escaped."""
    if value.__class__ is str:
        return escape(value)
    if value is None:
        return ""
    if value.__class__ is bytes:
        return value.hex()
    return str(value)


def counted(number: int, thing: str, things: str = "") -> str:
    """``1 row``, ``2,000 rows``; ``things`` where that is more than an s at the end."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def width(text: str) -> int:
    """Columns that ``text``, escaped already, takes on a screen.

    Wide and fullwidth characters take two, combining ones none.
    Source: https://www.unicode.org/reports/tr11/
    """
    return len(text) if text.isascii() else sum(map(_WIDTHS.__getitem__, text))


def screen_columns(descriptor: int) -> int:
    """Width of the terminal behind a descriptor, 80 when it is none or says nothing."""
    import os

    try:
        return os.get_terminal_size(descriptor).columns or 80
    except OSError:
        return 80


def columns(descriptor: int) -> int:
    """Columns for lines of text: what COLUMNS says, else the width of the terminal."""
    import os

    wanted = os.environ.get("COLUMNS", "")
    if wanted.isascii() and wanted.isdigit() and int(wanted[:6]) > 0:
        return int(wanted[:6])
    return screen_columns(descriptor)
