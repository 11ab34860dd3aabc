"""HTML, for a report or a mail."""

from __future__ import annotations

from sockql.command.terminal import display
from sockql.render.writers import Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from sockql.render.writers import Row

_MARKUP: Final = {38: "&amp;", 60: "&lt;", 62: "&gt;", 34: "&quot;"}


class Html(Writer):
    """A ``table`` element, a line for each row; control characters are escaped as on a terminal."""

    def head(self, rows: Sequence[Row]) -> str:
        if not self.header:
            return "<table>\n<tbody>\n"
        names = "".join([f"<th>{self._cell(name)}</th>" for name in self.columns])
        return f"<table>\n<thead>\n<tr>{names}</tr>\n</thead>\n<tbody>\n"

    def body(self, rows: Sequence[Row]) -> str:
        cell = self._cell
        return "".join(
            ["<tr>" + "".join([f"<td>{cell(c)}</td>" for c in row]) + "</tr>\n" for row in rows]
        )

    def tail(self) -> str:
        return "</tbody>\n</table>\n"

    def _cell(self, value: Any) -> str:
        return display(value).translate(_MARKUP)
