"""What options and commands are declared with."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

# What an option does with its attribute of Options.
SET: Final = "set"  # the constant, True where there is none; takes no value
TAKE: Final = "take"  # takes a value, the last one counts
ADD: Final = "add"  # takes a value, all of them count


class Option:
    """One option: its spellings, the attribute it sets, and its line of help.

    ``commands`` are the commands that have it; empty for one that goes with all of them, and with
    SQL.
    """

    __slots__ = (
        *("attribute", "commands", "constant", "flags", "group", "help", "kind", "metavar"),
    )

    def __init__(
        self,
        *flags: str,
        help: str,
        group: str,
        attribute: str | None = None,
        kind: str = SET,
        constant: Any = True,
        metavar: str | None = None,
        commands: tuple[str, ...] = (),
    ) -> None:
        self.flags = flags
        self.attribute = attribute or flags[-1].lstrip("-").replace("-", "_")
        self.kind = kind
        self.constant = constant
        self.metavar = metavar
        self.help = help
        self.group = group
        self.commands = commands

    @property
    def default(self) -> Any:
        """What the attribute is when the option is not given."""
        if self.kind == ADD:
            return []
        return None if self.kind == TAKE or self.attribute == "format" else not self.constant


class Command:
    """A first word that is not SQL: what may follow it, its line of help, and where it is done."""

    __slots__ = ("choices", "help", "metavar", "module", "most", "name", "sql")

    def __init__(
        self,
        name: str,
        metavar: str,
        help: str,
        module: str,
        *,
        sql: bool = False,
        most: int | None = 0,
        choices: str = "",
    ) -> None:
        self.name = name
        self.metavar = metavar
        self.help = help
        self.module = module  # its function run(options) returns the exit status
        self.sql = sql  # the words are SQL, which may also come from a file
        self.most = most  # words it takes, None for any number
        # What its words are, for completion: names of tables, shells, queries, files, or one of several
        # words; for each word of its own, the last one for all that follow.
        self.choices = choices.split()
