"""JSON: numbers are numbers, NULL is null, bytes are hexadecimal text, the order is the query's.

A cell reads back exactly as SQLite gave it.  Infinity, which JSON cannot name, is ``1e999``: a
number that every reader takes for it.
"""

from __future__ import annotations

from sockql.command.terminal import escape_json
from sockql.render.writers import Writer

try:
    # The C function without the package, whose regular expressions cost more than a query.
    from _json import encode_basestring as quote
except ImportError:  # pragma: no cover
    from json.encoder import encode_basestring as quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sockql.render.writers import Row


class JsonLines(Writer):
    """An object on each line, with nothing around them."""

    separator = "\n"
    end = "\n"

    def __init__(self, columns: Sequence[str], *, header: bool, terminal: bool) -> None:
        super().__init__(columns, header=header, terminal=terminal)
        self.between = ""
        pairs = [quote(name).replace("%", "%%") + ": %s" for name in columns]
        self._template = "{" + ", ".join(pairs) + "}"

    def body(self, rows: Sequence[Row]) -> str:
        template = self._template
        text = self.separator.join(
            [
                template
                % tuple(
                    [
                        quote(cell)
                        if cell.__class__ is str
                        else "null"
                        if cell is None
                        else cell
                        if cell.__class__ is int
                        else _rare(cell)
                        for cell in row
                    ]
                )
                for row in rows
            ]
        )
        if self.terminal:
            text = escape_json(text)
        return text + self.end


class Json(JsonLines):
    """An array with an object on each line."""

    separator = ",\n"
    end = ""

    def __init__(self, columns: Sequence[str], *, header: bool, terminal: bool) -> None:
        super().__init__(columns, header=header, terminal=terminal)
        self._before = "[\n"

    def body(self, rows: Sequence[Row]) -> str:
        text = self._before + super().body(rows)
        self._before = ",\n"
        return text

    def tail(self) -> str:
        return "[]\n" if self._before == "[\n" else "\n]\n"


def _rare(cell: Any) -> str:
    if cell.__class__ is bytes:
        return f'"{cell.hex()}"'
    text = repr(cell)
    return {"inf": "1e999", "-inf": "-1e999"}.get(text, text)
