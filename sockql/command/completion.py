"""``sockql completion SHELL``: the code that completes our words, made by shtab.

shtab reads a parser of argparse.  Ours takes any words; this one is for completion only: its
subcommands are the :data:`COMMANDS`, each with its options, for they may stand anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sockql.command.commands import COMMANDS, SHELLS
from sockql.command.declarations import OPTIONS, STAT
from sockql.command.declare import SET
from sockql.command.helptext import DESCRIPTION
from sockql.command.option_parser import Parser, add_options
from sockql.command.running import open_out
from sockql.errors import UsageError
from sockql.saved.query import SEVERITIES

if TYPE_CHECKING:
    from sockql.command.options import Options

#: By the metavar of an option, what completes its value.
_FILES: Final = {"FILE": "file", "DIR": "directory"}

#: The names of saved queries, which change after the code has been made.  They have letters,
#: digits, _, - and dots only, so that no shell takes one for something else.
_QUERIES: Final = "sockql queries --tsv --no-header 2>/dev/null | cut -f1"


def run(options: Options) -> int:
    """``completion``: write the code for a shell; the exit status."""
    if not options.arguments:
        raise UsageError(f"completion: for which shell? {', '.join(SHELLS)}")
    text = script(options.arguments[0])
    with open_out(options) as out:
        out.write(text)
    return 0


def script(shell: str) -> str:
    """The code for a shell, to be evaluated or installed.

    :raises UsageError: for a shell that is not one of :data:`SHELLS`, and without shtab.
    """
    if shell not in SHELLS:
        raise UsageError(f"completion has no shell {shell!r}; there are {', '.join(SHELLS)}")
    try:
        import shtab
    except ImportError:
        raise UsageError("completion needs the Python package shtab: pip install shtab") from None
    text: str = shtab.complete(_parser(shtab), shell)
    return text if text.endswith("\n") else text + "\n"


def _parser(shtab: Any) -> Parser:
    functions = shtab.CHOICE_FUNCTIONS
    parser = Parser(prog="sockql", description=DESCRIPTION, add_help=False)
    _give_options(parser, None, functions)
    commands = parser.add_subparsers(dest="command")
    for command in COMMANDS.values():
        one = commands.add_parser(command.name, help=command.help, add_help=False)
        _give_options(one, command.name, functions)
        for position, names in enumerate(command.choices, 1):
            several = "*" if command.most is None and position == len(command.choices) else None
            word = one.add_argument(f"words{position}", nargs=several, metavar=command.metavar)
            if names == "queries":
                word.complete = shtab.cmd(_QUERIES)  # type: ignore[attr-defined]
            elif names == "files":
                word.complete = functions["file"]  # type: ignore[attr-defined]
            else:
                word.choices = _choices(names)
    return parser


def _give_options(parser: Parser, command: str | None, functions: Any) -> None:
    add_options(parser, command)
    for action in parser._actions:  # noqa: SLF001  argparse has no other way to them
        if action.metavar in _FILES:
            action.complete = functions[_FILES[action.metavar]]  # type: ignore[attr-defined]
        elif action.metavar == "SEVERITY":
            action.choices = SEVERITIES
        elif action.dest == "format" and action.metavar is not None:
            action.choices = _formats()
        elif action.dest == "stat":
            action.choices = STAT


def _choices(names: str) -> tuple[str, ...]:
    if names == "tables":
        from sockql.dialect import SOCKQL

        return SOCKQL.names
    return SHELLS if names == "shells" else tuple(names.split("|"))


def _formats() -> list[str]:
    from sockql.render.tabulated import formats

    ours = [str(o.constant) for o in OPTIONS if o.attribute == "format" and o.kind == SET]
    return list(dict.fromkeys([*ours, *formats()]))
