"""argparse's parser, made of :mod:`sockql.command.declarations`."""

from __future__ import annotations

import argparse

from sockql.command.declarations import BY_FLAG, OPTIONS
from sockql.command.declare import ADD, SET, TAKE
from sockql.command.options import Options
from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

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
    """The parser for command lines that :func:`sockql.command.options.parse_plain` leaves."""
    parser = Parser(prog="sockql", add_help=False)
    parser.add_argument("words", nargs="*", metavar="SQL")
    add_options(parser)
    return parser


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
