"""argparse's parser, made of :mod:`sockql.command.declarations`."""

from __future__ import annotations

import argparse

from sockql.command.declarations import BY_FLAG, COMMANDS, OPTIONS, STATUSES
from sockql.command.declare import ADD, SET, TAKE
from sockql.command.options import Options
from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from sockql.command.declare import Command

USAGE: Final = 'sockql [options] "SQL"\n       sockql [options] COMMAND ...'
DESCRIPTION: Final = "SQL over the live sockets, processes and file descriptors of this host."
SQL_HELP: Final = (
    "one statement or several; standard input when there is none, or for -; on a terminal "
    "without SQL the interactive shell"
)

#: Where argparse begins what it says of an option.
_COLUMN: Final = 24

_ACTIONS: Final = {SET: "store_const", TAKE: "store", ADD: "append"}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours."""

    def error(self, message: str) -> Any:
        raise UsageError(f"{message}; see sockql --help")


def parse_fully(arguments: Sequence[str]) -> Options:
    """The same with argparse.

    :raises UsageError: with argparse's words, and what was probably meant.
    """
    options = Options()
    # Versions of argparse differ in what they make of "--" between words.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    found, unknown = build_parser().parse_known_intermixed_args(list(arguments[:end]))
    if unknown:
        raise UsageError(f"unknown option {unknown[0]}{_meant(unknown[0])}; see sockql --help")
    for attribute, value in vars(found).items():
        setattr(options, attribute, value)
    options.words += arguments[end + 1 :]
    return options


def _meant(flag: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(flag.partition("=")[0], BY_FLAG, 1)
    return f", did you mean {close[0]}?" if close else ""


def build_parser() -> Parser:
    """The parser for command lines that :func:`sockql.command.options.parse_plain` leaves, and for help."""
    epilog = "commands:\n" + "".join(map(_line, COMMANDS.values()))
    parser = Parser(
        prog="sockql",
        usage=USAGE,
        description=DESCRIPTION,
        epilog=epilog + "\n" + STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("words", nargs="*", metavar="SQL", help=SQL_HELP)
    add_options(parser)
    return parser


def _line(command: Command) -> str:
    """What the help says of a command; what takes more than its column has a line to itself."""
    words = f"  {command.name} {command.metavar}".rstrip()
    if len(words) > _COLUMN - 2:
        return f"{words}\n{' ' * _COLUMN}{command.help}\n"
    return f"{words:<{_COLUMN}}{command.help}\n"


def add_options(parser: Parser, command: str | None = None) -> None:
    """Give ``parser`` the options, in their groups; with ``command`` those that go with it."""
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        if option.commands and command is not None and command not in option.commands:
            continue
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        more: dict[str, Any] = (
            {"const": option.constant} if option.kind == SET else {"metavar": option.metavar}
        )
        groups[option.group].add_argument(
            *option.flags,
            dest=option.attribute,
            action=_ACTIONS[option.kind],
            default=argparse.SUPPRESS,
            help=option.help.replace("%", "%%"),
            **more,
        )
