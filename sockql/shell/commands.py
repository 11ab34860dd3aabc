r"""Dot commands: how they are declared, found and given their words.

A command is a function with a decorator that spells its arguments; its docstring is the help, the
first line of it the line in ``.help``.  Completion reads the same declaration::

    @command(".mode", "[FORMAT]")
    def mode(shell, words):
        '''Show results as FORMAT, or list the formats.

        ...'''
"""

from __future__ import annotations

import re
from inspect import cleandoc

from sockql.command.wrapping import reflow, wrap
from sockql.completion.catalogue import (
    BINDING,
    CHOICE,
    COMMAND,
    DIRECTORY,
    FILE,
    NUMBER,
    PARAMETER,
    QUERY,
    SQL,
    TABLE,
    TEXT,
    Argument,
)
from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Final, TypeAlias

    from sockql.shell.session import Shell

    Call: TypeAlias = Callable[[Shell, list[str]], None]

#: What the arguments take, by their names in a declaration; other names take any text.
_KINDS: Final = {
    "COMMAND": COMMAND,
    "DIR": DIRECTORY,
    "FILE": FILE,
    "FORMAT": CHOICE,
    "NETNS": CHOICE,
    "NAME=VALUE": BINDING,
    "PARAMETER": PARAMETER,
    "QUERY": QUERY,
    "SECONDS": NUMBER,
    "SQL": SQL,
    "TABLE": TABLE,
    "WIDTH": NUMBER,
}

#: These take the rest of the line as it is.
_RESTS: Final = frozenset({"COMMANDLINE", "SQL", "TEXT", "VALUE"})

_WORD: Final = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+(?=\s|$)""")
_QUOTED: Final = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_ARGUMENT: Final = re.compile(r"\[([^]]*)\]|(\S+)")


class Command:
    r"""A dot command.

    ``name`` begins with its dot, ``aliases`` are other spellings (``\dt``), ``usage`` are its
    arguments as the help shows them, ``help`` is its one line and ``details`` the rest.
    ``options`` are the flags that may stand before the arguments.
    """

    def __init__(
        self,
        name: str,
        usage: str,
        call: Call,
        aliases: Sequence[str] = (),
        options: Mapping[str, Argument | None] | None = None,
        choices: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.name = name
        self.usage = usage
        self.call = call
        self.aliases = tuple(aliases)
        self.options = options or {}
        self._choices = choices
        doc = cleandoc(call.__doc__ or "")
        self.help, _, details = doc.partition("\n")
        self.details = details.strip()
        spelled = _ARGUMENT.findall(usage)
        self.least = sum(bool(needed) for _, needed in spelled)
        self.repeat = usage.endswith(" ...]")
        self._names = [(optional or needed).partition(" ")[0] for optional, needed in spelled]

    @property
    def arguments(self) -> list[Argument]:
        """What completion may offer after the command."""
        found = []
        for i, name in enumerate(self._names):
            last = i == len(self._names) - 1
            choices = tuple(name.split("|")) if "|" in name else ()
            kind = CHOICE if choices else _KINDS.get(name, TEXT)
            if kind == CHOICE and not choices:
                choices = tuple(self._choices())
            found.append(Argument(name, kind, choices, repeat=self.repeat and last))
        return found

    def words(self, text: str) -> list[str]:
        """The arguments in ``text``: words, in quotes where they have blanks in them.

        :raises UsageError: for too few or too many, or an unfinished quote.
        """
        found: list[str] = []
        rest = text.strip()
        while rest:
            at = len([word for word in found if word not in self.options])
            if at < len(self._names) and self._names[at] in _RESTS:
                found.append(rest)
                break
            if self._left_out(at, rest):
                found.append("")
                continue
            match = _WORD.match(rest)
            if match is None:
                raise UsageError(f"{self.name}: a quote is not closed")
            found.append(_QUOTED.sub(r"\1\2", match.group()))
            rest = rest[match.end() :].lstrip()
        given = len([word for word in found if word not in self.options])
        if given < self.least or (given > len(self._names) and not self.repeat):
            raise UsageError(f"usage: {self.signature}")
        return found

    def _left_out(self, at: int, rest: str) -> bool:
        """Whether an argument before SQL is a number, and ``rest`` does not begin with one."""
        if self._names[at : at + 2] != ["SECONDS", "SQL"]:
            return False
        try:
            float(rest.split(None, 1)[0])
        except ValueError:
            return True
        return False

    @property
    def signature(self) -> str:
        """The command as one enters it: ``.mode [FORMAT]``."""
        flags = "".join([f" [{flag}]" for flag in self.options])
        return f"{self.name}{flags} {self.usage}".rstrip()

    def text(self, room: int) -> str:
        """The whole help, in lines of ``room`` columns."""
        lines = [self.signature]
        if self.aliases:
            lines[0] += f"    also {' '.join(self.aliases)}"
        lines += wrap(self.help, room, "  ")
        if self.details:
            lines += ["", *reflow(self.details, room, "  ")]
        return "\n".join(lines) + "\n"


#: Every command, by its name.
COMMANDS: Final[dict[str, Command]] = {}


def command(
    name: str,
    usage: str = "",
    *,
    aliases: Sequence[str] = (),
    options: Mapping[str, Argument | None] | None = None,
    choices: Callable[[], Sequence[str]] = tuple,
) -> Callable[[Call], Call]:
    """Declare the function a command."""

    def declare(call: Call) -> Call:
        COMMANDS[name] = Command(name, usage, call, aliases, options, choices)
        return call

    return declare


def load() -> Mapping[str, Command]:
    """Every command, in alphabetical order."""
    from sockql.shell import (  # noqa: F401
        commands_data,
        commands_output,
        commands_session,
        commands_tables,
    )

    return dict(sorted(COMMANDS.items()))


def find(word: str) -> Command:
    """The command that ``word`` names, in full, by an alias, or by a prefix of its own.

    :raises UsageError: when there is none, or more than one.
    """
    commands = load()
    found = commands.get(word.lower())
    if found is not None:
        return found
    for each in commands.values():
        if word in each.aliases:
            return each
    starting = [name for name in commands if len(word) > 1 and name.startswith(word.lower())]
    if len(starting) == 1:
        return commands[starting[0]]
    if starting:
        raise UsageError(f"{word} may be {', '.join(starting[:-1])} or {starting[-1]}")
    from difflib import get_close_matches

    spellings = [*commands, *[alias for each in commands.values() for alias in each.aliases]]
    close = get_close_matches(word.lower(), spellings, 1)
    meant = f"did you mean {close[0]}?" if close else ".help lists them"
    raise UsageError(f"no such command: {word}; {meant}")


def is_command(text: str) -> bool:
    r"""Whether ``text`` is a dot command (or psql's, with a backslash) and not SQL."""
    text = text.lstrip()
    return text[:1] == "\\" or (text[:1] == "." and not text[1:2].isdigit())


def switch(words: Sequence[str], before: bool) -> bool:
    """What ``[on|off]`` means: without it the other of the two.

    :raises UsageError: for any other word.
    """
    if not words:
        return not before
    word = words[0].lower()
    if word in ("on", "yes", "true", "1"):
        return True
    if word in ("off", "no", "false", "0"):
        return False
    raise UsageError(f"{words[0]}: on or off?")
