"""The formats of tabulate, for ``--format``."""

from __future__ import annotations

from sockql.command.terminal import display
from sockql.render.writers import Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockql.render.writers import Row


def formats() -> list[str]:
    """The names that tabulate knows."""
    from tabulate import tabulate_formats

    return list(tabulate_formats)


def tabulated(name: str) -> type[Writer]:
    """tabulate's format ``name``; it sees all rows before it writes the first."""

    class Tabulated(Writer):
        lookahead = None

        def head(self, rows: Sequence[Row]) -> str:
            from tabulate import tabulate

            from sockql.render.aligned import numeric

            text: str = tabulate(
                [[display(cell) for cell in row] for row in rows],
                headers=[display(column) for column in self.columns] if self.header else (),
                tablefmt=name,
                # Numbers stay as SQLite gave them; tabulate would round and regroup them.
                disable_numparse=True,
                colalign=["right" if numeric(column) else "left" for column in zip(*rows)] or None,
            )
            return text + "\n" if text else ""

        def body(self, rows: Sequence[Row]) -> str:
            return ""

    return Tabulated
