"""What the user of a session has chosen."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.command.options import Options
    from sockql.schema import Value


class Settings:
    """The choices of a session; each has a dot command that changes it.

    ``null`` is the text for NULL: None for what the format has.  ``widths`` are widths of columns
    on the screen, 0 for as it fits.  ``keys`` is "emacs" or "vi".
    """

    def __init__(self, options: Options) -> None:
        self.mode = options.format or "table"
        self.before_line = "table" if self.mode == "line" else self.mode
        self.headers = options.header
        self.timer = options.timing
        self.null: str | None = None
        self.widths: tuple[int, ...] = ()
        self.resolve = False
        self.pager = True
        self.bail = False
        self.echo = False
        self.keys = editing_mode()
        self.parameters: dict[str, Value] = options.bindings


def editing_mode() -> str:
    """Either "vi", when readline's own configuration says so, or "emacs".

    Source: readline(3), editing-mode.
    """
    own = os.environ.get("INPUTRC") or os.path.expanduser("~/.inputrc")
    for path in (own, "/etc/inputrc"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = [line.lower().split() for line in file]
        except OSError:
            continue
        return "vi" if ["set", "editing-mode", "vi"] in lines else "emacs"
    return "emacs"
