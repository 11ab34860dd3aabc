"""What ``sockql --help`` shows, and ``sockql COMMAND --help``, made of the declarations.

The first has what goes with every statement, each of the others what a command has of its own too.
"""

from __future__ import annotations

from sockql.command.commands import COMMANDS
from sockql.command.declarations import OPTIONS, STATUSES
from sockql.command.wrapping import listing, reading_columns, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.command.declare import Command, Option

DESCRIPTION: Final = "SQL over the live sockets, processes and file descriptors of this host."
SQL_HELP: Final = (
    "one statement or several; standard input when there is none, or for -; on a terminal "
    "without SQL the interactive shell"
)


def help_text(command: Command | None, room: int | None = None) -> str:
    """The help for ``command``, for sockql itself when it is None.

    Its lines have ``room`` columns, by default as many as are read with ease on standard output.
    """
    room = room or reading_columns(1)
    parts = list(_about(room) if command is None else _about_command(command, room))
    options = [each for each in OPTIONS if not each.commands]
    if command is not None:  # what it has of its own comes first
        options = [each for each in OPTIONS if command.name in each.commands] + options
    for group in dict.fromkeys(option.group for option in options):
        rows = [(_flags(option), option.help) for option in options if option.group == group]
        parts.append([f"{group}:", *listing(rows, room, "  ")])
    statuses = [(str(status), meaning) for status, meaning in STATUSES]
    parts.append(["exit status:", *listing(statuses, room, "  ")])
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _about(room: int) -> Iterator[list[str]]:
    yield ['usage: sockql [options] "SQL"', "       sockql [options] COMMAND ..."]
    yield wrap(DESCRIPTION, room)
    yield wrap(f"SQL is {SQL_HELP}.", room)
    rows = [(f"{each.name} {each.metavar}".rstrip(), each.help) for each in COMMANDS.values()]
    more = "What a command has of its own: sockql COMMAND --help."
    yield ["commands:", *listing(rows, room, "  "), *wrap(more, room, "  ")]


def _about_command(command: Command, room: int) -> Iterator[list[str]]:
    yield wrap(f"usage: sockql {command.name} [options] {command.metavar}", room, other=" " * 7)
    yield wrap(f"{command.help[:1].upper()}{command.help[1:]}.", room)


def _flags(option: Option) -> str:
    value = f" {option.metavar}" if option.metavar else ""
    return f"{', '.join(option.flags)}{value}"
