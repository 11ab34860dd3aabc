"""The options of the command, declared once.

:data:`OPTIONS` is read twice.  :func:`parse_plain` takes the command lines that people type, at
the cost of a few dictionary look-ups; argparse, which takes longer to import than SQLite, is
built from the same table (:mod:`sockql.command.option_parser`) for everything else: help, wrong usage,
abbreviations, clustered flags.  Where both understand a command line they understand the same; a test holds them to it.
"""

from __future__ import annotations

from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from sockql.schema import Value

# What an option does with its attribute of Options.
SET: Final = "set"  # the constant, True where there is none; takes no value
TAKE: Final = "take"  # takes a value, the last one counts
ADD: Final = "add"  # takes a value, all of them count


class Option:
    """One option: its spellings, the attribute it sets, and its line of help."""

    __slots__ = ("attribute", "constant", "flags", "group", "help", "kind", "metavar")

    def __init__(
        self,
        *flags: str,
        help: str,
        group: str,
        attribute: str | None = None,
        kind: str = SET,
        constant: Any = True,
        metavar: str | None = None,
    ) -> None:
        self.flags = flags
        self.attribute = attribute or flags[-1].lstrip("-").replace("-", "_")
        self.kind = kind
        self.constant = constant
        self.metavar = metavar
        self.help = help
        self.group = group


class Command:
    """A first word that is not SQL: what may follow it, and its line of help."""

    __slots__ = ("choices", "help", "metavar", "most", "name", "sql")

    def __init__(
        self,
        name: str,
        metavar: str,
        help: str,
        *,
        sql: bool = False,
        most: int | None = 0,
        choices: str = "",
    ) -> None:
        self.name = name
        self.metavar = metavar
        self.help = help
        self.sql = sql  # the words are SQL, which may also come from a file
        self.most = most  # words it takes, None for any number
        self.choices = choices  # what its words are names of, for completion: tables, shells


COMMANDS: Final = {
    command.name: command
    for command in (
        Command("tables", "", "the tables, a line each"),
        Command(
            "schema",
            "[TABLE ...]",
            "columns, types, units and sources of tables",
            most=None,
            choices="tables",
        ),
        Command("plan", '"SQL"', "what a statement asks of the kernel, and its cost", sql=True),
        Command("watch", '"SQL"', "a statement again and again, and what changes", sql=True),
        Command(
            "completion",
            "SHELL",
            "the code that completes sockql's words in bash, zsh or fish",
            most=1,
            choices="shells",
        ),
    )
}

#: The shells that ``sockql completion`` knows.
SHELLS: Final = ("bash", "zsh", "fish")


def _format(name: str, help: str) -> Option:
    return Option(f"--{name}", attribute="format", constant=name, group="output", help=help)


OPTIONS: Final = (
    _format("table", "aligned columns, for people; NULL is empty (the default)"),
    _format("json", "an array of objects, one line each; numbers are numbers, NULL is null"),
    _format("jsonl", "one object a line"),
    _format("csv", "comma-separated, quoted as in RFC 4180, lines end in a newline"),
    _format("tsv", r"tab-separated; tabs, line ends and \ in a cell are \t, \n, \r and \\"),
    _format("line", "one 'column = value' a line"),
    _format("markdown", "a Markdown table"),
    _format("html", "an HTML table"),
    Option(
        "--format",
        kind=TAKE,
        metavar="NAME",
        group="output",
        help="one of these by name, or any format of tabulate (grid, psql, rst, latex, ...)",
    ),
    Option(
        "--no-header",
        attribute="header",
        constant=False,
        group="output",
        help="leave out the line of column names",
    ),
    Option(
        "-o",
        "--output",
        kind=TAKE,
        metavar="FILE",
        group="output",
        help="write to FILE, which appears when it is complete",
    ),
    Option("-f", "--file", kind=TAKE, metavar="FILE", group="input", help="read the SQL from FILE"),
    Option(
        "-p",
        "--parameter",
        attribute="parameters",
        kind=ADD,
        metavar="NAME=VALUE",
        group="input",
        help="bind :NAME; a VALUE spelled as a number is one, NAME:text=VALUE is always text",
    ),
    Option(
        "--proc", kind=TAKE, metavar="DIR", group="input", help="procfs to read instead of /proc"
    ),
    Option(
        "--netns",
        kind=TAKE,
        metavar="all|self|NAME|PID",
        group="input",
        help="network namespaces to look into (default all)",
    ),
    Option(
        "-n",
        "--interval",
        kind=TAKE,
        metavar="SECONDS",
        group="watching",
        help="seconds from one round of watch to the next (default 2)",
    ),
    Option(
        "--count",
        kind=TAKE,
        metavar="ROUNDS",
        group="watching",
        help="end watch after so many rounds",
    ),
    Option(
        "--timeout",
        kind=TAKE,
        metavar="SECONDS",
        group="behaviour",
        help="give up on a statement after SECONDS, with status 124",
    ),
    Option("--strict", group="behaviour", help="status 3 when something could not be read"),
    Option("--timing", group="behaviour", help="say how long each statement took"),
    Option("--debug", group="behaviour", help="show the traceback of an error"),
    Option("--version", group="behaviour", help="show the version"),
    Option("-h", "--help", group="behaviour", help="show this help"),
)

BY_FLAG: Final = {flag: option for option in OPTIONS for flag in option.flags}


class Options:
    """A command line, as far as it can be understood without looking at the machine."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.format: str | None = None
        self.header = True
        self.output: str | None = None
        self.file: str | None = None
        self.parameters: list[str] = []
        self.proc: str | None = None
        self.netns: str | None = None
        self.timeout: str | None = None
        self.interval: str | None = None
        self.count: str | None = None
        self.strict = False
        self.timing = False
        self.debug = False
        self.version = False
        self.help = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Options) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        changed = {k: v for k, v in vars(self).items() if v != getattr(Options(), k)}
        return f"Options({changed})"

    @property
    def command(self) -> Command | None:
        """The command that the first word names; None when it is SQL, or there is none."""
        return COMMANDS.get(self.words[0]) if self.words else None

    @property
    def arguments(self) -> list[str]:
        """The words without the name of the command.

        :raises UsageError: when there are more than it takes.
        """
        command = self.command
        if command is None:
            if len(self.words) > 1:
                raise UsageError(
                    f"the SQL has to be one argument, but there are {len(self.words)}; "
                    "put it in quotes"
                )
            return self.words
        found = self.words[1:]
        if command.sql and len(found) > 1:
            raise UsageError(f"{command.name} takes one SQL argument; put it in quotes")
        if not command.sql and command.most is not None and len(found) > command.most:
            raise UsageError(f"{command.name} takes no argument {found[command.most]!r}")
        return found

    @property
    def seconds(self) -> float | None:
        """``--timeout`` as a number.

        :raises UsageError: when it is not a positive, finite one.
        """
        return None if self.timeout is None else positive("--timeout", self.timeout)

    @property
    def every(self) -> float:
        """``--interval`` as a number, 2 when it is not given.

        :raises UsageError: when it is not a positive, finite one.
        """
        return 2.0 if self.interval is None else positive("--interval", self.interval)

    @property
    def rounds(self) -> int | None:
        """``--count`` as a number, None for no end.

        :raises UsageError: when it is not a positive one.
        """
        if self.count is None:
            return None
        if self.count.isascii() and self.count.isdigit() and 0 < len(self.count) < 19:
            number = int(self.count)
            if number:
                return number
        raise UsageError(f"--count {self.count}: not a positive number of rounds")

    @property
    def bindings(self) -> dict[str, Value]:
        """``-p`` as values by name; of a name given twice the last one counts.

        :raises UsageError: for one that is not NAME=VALUE.
        """
        found: dict[str, Value] = {}
        for parameter in self.parameters:
            name, equals, value = parameter.partition("=")
            name, colon, type = name.lstrip(":@$").partition(":")
            if not equals or not name or (colon and type != "text"):
                raise UsageError(f"-p {parameter}: not NAME=VALUE or NAME:text=VALUE")
            found[name] = text(value) if colon else typed(value)
        return found


def positive(flag: str, argument: str) -> float:
    """Seconds, as ``flag`` takes them.

    :raises UsageError: when ``argument`` is not a positive, finite number.
    """
    try:
        number = float(argument)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise UsageError(f"{flag} {argument}: not a positive number of seconds")
    return number


def text(argument: str) -> str:
    r"""A command line argument as SQL sees it: bytes that are not UTF-8 as ``\xNN``.

    Tables show such bytes of a path or a name in the same way, so that they can be compared.
    """
    try:
        argument.encode()
    except UnicodeEncodeError:
        import os

        return os.fsencode(argument).decode("utf-8", "backslashreplace")
    return argument


def typed(argument: str) -> Value:
    """A parameter's value: a number if it is spelled as one, else text.

    Only the spelling that the number itself would be written in counts (``7``, ``-1.5``; not
    ``007``, ``1.50`` or ``1e3``), so nothing is lost where the value is compared with text.
    """
    if argument[-1:].isdigit() and len(argument) < 32:
        for number in (int, float):
            try:
                value = number(argument)
            except ValueError:
                continue
            if str(value) == argument and (number is float or -(2**63) <= value < 2**63):
                return value
    return text(argument)


def parse(arguments: Sequence[str]) -> Options:
    """The command line without the name of the program.

    :raises UsageError: for an option that does not exist or lacks its value.
    """
    options = parse_plain(arguments)
    if options is None:
        from sockql.command.option_parser import parse_fully

        return parse_fully(arguments)
    return options


def parse_plain(arguments: Sequence[str]) -> Options | None:
    """Options spelled out, values that do not look like options; None for all else."""
    options = Options()
    rest = iter(arguments)
    for word in rest:
        if word[:1] != "-" or word == "-":
            options.words.append(word)
            continue
        flag, equals, value = word.partition("=")
        option = BY_FLAG.get(flag)
        if option is None or (equals and (option.kind == SET or flag[:2] != "--")):
            return None
        if option.kind == SET:
            setattr(options, option.attribute, option.constant)
            continue
        if not equals:
            value = next(rest, "--")
            if value[:1] == "-" and value != "-":
                return None
        if option.kind == TAKE:
            setattr(options, option.attribute, value)
        else:
            getattr(options, option.attribute).append(value)
    return options


STATUSES: Final = """\
exit status:
  0    done
  2    wrong usage, wrong SQL, or output that cannot be written
  3    the data could not be had; with --strict, also when some of it could not
  124  a statement took longer than --timeout
  130  interrupted
"""
