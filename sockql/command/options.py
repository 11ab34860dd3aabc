"""A command line, as far as it can be understood without looking at the machine."""

from __future__ import annotations

from sockql.command.commands import COMMANDS
from sockql.command.declarations import BY_FLAG, OPTIONS, STAT
from sockql.command.declare import SET, TAKE
from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockql.command.declare import Command
    from sockql.dialect import Dialect
    from sockql.host import Stat
    from sockql.schema import Value


class Options:
    """A command line, as far as it can be understood without looking at the machine."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.format: str | None = None
        self.header = True
        self.output: str | None = None
        self.file: str | None = None
        self.parameters: list[str] = []
        self.query: str | None = None
        self.proc: str | None = None
        self.netns: str | None = None
        self.archive: str | None = None
        self.at: str | None = None
        self.load: list[str] = []
        self.attach: list[str] = []
        self.stat: str | None = None
        self.timeout: str | None = None
        self.interval: str | None = None
        self.count: str | None = None
        self.tags: list[str] = []
        self.severity: str | None = None
        self.search: str | None = None
        self.fail_on: str | None = None
        self.budget: str | None = None
        self.baseline: str | None = None
        self.update_baseline = False
        self.reason: str | None = None
        self.junit: str | None = None
        self.sarif: str | None = None
        self.osquery = False
        self.tables: str | None = None
        self.statements: list[str] = []
        self.names: list[str] = []
        self.append = False
        self.parquet: str | None = None
        self.hidden = False
        self.ignore: str | None = None
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

    def check(self) -> None:
        """Refuse the options that other commands have.

        :raises UsageError: for one that was given.
        """
        name = self.words[0] if self.words else ""
        for option in OPTIONS:
            if option.commands and name not in option.commands:
                given = getattr(self, option.attribute)
                if given != option.default:
                    where = " and ".join(f"sockql {command}" for command in option.commands)
                    raise UsageError(f"{option.flags[-1]} is an option of {where}")

    @property
    def dialect(self) -> Dialect:
        """Whose tables SQL is about: osquery's with ``--osquery`` and for packs."""
        from sockql.dialect import OSQUERY, SOCKQL

        return OSQUERY if self.osquery else SOCKQL

    @property
    def seconds(self) -> float | None:
        """``--timeout`` as a number.

        :raises UsageError: when it is not a positive, finite one.
        """
        return None if self.timeout is None else positive("--timeout", self.timeout)

    @property
    def examination(self) -> Stat:
        """``--stat``, ``cached`` when it is not given.

        :raises UsageError: for another word.
        """
        if self.stat is None:
            return "cached"
        if self.stat not in STAT:
            raise UsageError(f"--stat {self.stat}: not one of {', '.join(STAT)}")
        return self.stat  # type: ignore[return-value]

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
            name, as_text, value = named(parameter)
            found[name] = text(value) if as_text else typed(value)
        return found


def named(parameter: str) -> tuple[str, bool, str]:
    """The name that ``-p`` gives a value, whether it is to be a text, and the value as it stands.

    :raises UsageError: for one that is not NAME=VALUE or NAME:text=VALUE.
    """
    name, equals, value = parameter.partition("=")
    name, colon, type = name.lstrip(":@$").partition(":")
    if not equals or not name or (colon and type != "text"):
        raise UsageError(f"-p {parameter}: not NAME=VALUE or NAME:text=VALUE")
    return name, bool(colon), value


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
