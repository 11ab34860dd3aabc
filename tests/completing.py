"""A small catalogue to complete from, and cases as lines of text.

A case is an input, ``|`` the cursor in it, ``↵`` a line end, and behind ``=>`` the names that are
expected: all of them, in this order, unless ``...`` ends the list.  SOCKETS, FDS and PROCESSES
stand for the columns of these tables, COMMANDS for the names of all commands.  A line that begins with blanks goes on with the one above.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sockql.completion.builtins import FUNCTIONS as BUILTINS
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
)
from sockql.completion.suggest import Argument, Catalogue, SavedQuery, Suggestion, suggest
from sockql.functions import FUNCTIONS
from sockql.schema import Column, Schema, Table, integer, text


def nothing(_record: object) -> None:
    return None


class Sockets(Table[object]):
    """Sockets, one row for each. They are found by sock_diag."""

    family = text("Address family.", source="x", get=nothing, values=("inet", "inet6", "unix"))
    state = text(
        "TCP state; NULL where there is none.",
        source="x",
        get=nothing,
        nocase=True,
        values=("ESTABLISHED", "LISTEN", "CLOSE_WAIT"),
    )
    src = text("Own address.", source="x", get=nothing)
    sport = integer("Own port.", source="x", get=nothing)
    recv_queue = integer("Bytes not read yet.", source="x", get=nothing, unit="bytes")
    inode = integer("Inode of the socket; NULL without one.", source="x", get=nothing, index=True)
    cookie = integer("Identity.", source="x", get=nothing, hidden=True, index=True)
    rtt = integer("Round-trip time.", source="x", get=nothing, unit="microseconds", hidden=True)


class Fds(Table[object]):
    """Open descriptors."""

    pid = integer("Process.", source="x", get=nothing, lookup=True)
    fd = integer("Number.", source="x", get=nothing)
    type = text("Kind.", source="x", get=nothing, values=("socket", "pipe", "bpf-map"))
    inode = integer("Inode of the socket; NULL for files.", source="x", get=nothing, index=True)
    tid = integer("Thread.", source="x", get=nothing, hidden=True)


class Processes(Table[object]):
    """Processes."""

    pid = integer("Process.", source="x", get=nothing, lookup=True)
    name = text("Name of the program.", source="x", get=nothing)
    parent = integer("Parent.", source="x", get=nothing)
    resident_usage = integer("Memory in use.", source="x", get=nothing, unit="kibibytes")
    start_time = integer("Start.", source="x", get=nothing, unit="seconds since the epoch")


def schema(name: str, *columns: Column, names: Iterable[str]) -> Schema:
    for position, (each, column_name) in enumerate(zip(columns, names)):
        each.name, each.position = column_name, position
    return Schema(name, "A table.", columns, ())


ODD_NAMES = ("group", "values_", "two words", 'a"b', "1st")
ODD = schema(
    "odd table",
    *(text("Odd.", source="x", get=nothing) for _ in ODD_NAMES),
    names=ODD_NAMES,
)


@dataclass(frozen=True)
class Dot:
    name: str
    arguments: tuple[Argument, ...] = ()
    aliases: tuple[str, ...] = ()
    options: dict[str, Argument | None] = field(default_factory=dict)
    help: str = ""


COMMANDS = (
    Dot(".tables", (Argument("PATTERN", TABLE),), (r"\dt",), help="The tables."),
    Dot(".schema", (Argument("TABLE", TABLE, choices=("all",), repeat=True),)),
    Dot(".describe", (Argument("TABLE", TABLE),), (r"\d",)),
    Dot(".mode", (Argument("FORMAT", CHOICE, ("table", "json", "csv", "tsv")),)),
    Dot(".headers", (Argument("on|off", CHOICE, ("on", "off")),)),
    Dot(".help", (Argument("COMMAND", COMMAND),), (r"\?",)),
    Dot(
        ".read",
        (Argument("FILE", FILE),),
        options={"-f": Argument("FILE", FILE), "-q": None},
    ),
    Dot(".output", (Argument("FILE", FILE),)),
    Dot(".proc", (Argument("DIR", DIRECTORY),)),
    Dot(".run", (Argument("QUERY", QUERY), Argument("NAME=VALUE", BINDING, repeat=True))),
    Dot(".param", (Argument("PARAMETER", PARAMETER), Argument("VALUE", TEXT))),
    Dot(".plan", (Argument("SQL", SQL),)),
    Dot(".timeout", (Argument("SECONDS", NUMBER),)),
    Dot(".watch", (Argument("SECONDS", NUMBER), Argument("SQL", SQL))),
    Dot(".quit", aliases=(".exit",)),
)

FILES = {
    "": [("notes.sql", False), ("my file.sql", False), ("sub", True), (".profile", False)],
    "sub/": [("listen.sql", False), ("bad\x1b[0m", False), ("it's 5\" wide", False)],
    "~/": [("x.csv", False)],
}


def files(directory: str) -> Iterable[tuple[str, bool]]:
    try:
        return FILES[directory]
    except KeyError:
        raise FileNotFoundError(directory) from None


def catalogue(*schemas: Schema) -> Catalogue:
    few = ("count(*)", "count(X)", "lower(X)", "row_number()")
    return Catalogue(
        tables={schema.name: schema for schema in schemas},
        functions=(
            FUNCTIONS["inet_in"],
            *(each for name in few for each in BUILTINS if each.signature == name),
        ),
        queries=(
            SavedQuery("listeners", "Who listens where.", ("port", "address")),
            SavedQuery("deleted-files", "Files that are gone."),
            SavedQuery("odd name", "Needs quotes."),
        ),
        commands=COMMANDS,
        parameters=("port", "pid"),
        files=files,
    )


CATALOGUE = catalogue(Fds.schema, Processes.schema, Sockets.schema)


def answer(line: str, known: Catalogue = CATALOGUE) -> list[Suggestion]:
    cursor = line.index("|")
    return suggest(line[:cursor] + line[cursor + 1 :], cursor, known)


def texts(found: Iterable[Suggestion], *kinds: str) -> list[str]:
    return [each.text for each in found if not kinds or each.kind in kinds]


def check(found: list[str], expected: list[str]) -> None:
    if expected[-1:] == ["..."]:
        expected = expected[:-1]
        found = found[: len(expected)]
    assert found == expected


def cases(block: str) -> list[tuple[str, list[str]]]:
    """Inputs and expected names out of lines of text."""
    lines: list[str] = []
    for line in block.strip().split("\n"):
        if line.startswith("    "):
            lines[-1] += f" {line.strip()}"
        elif not line.startswith("#"):
            lines.append(line)
    found = []
    for line in lines:
        given, arrow, names = line.partition("  =>")
        assert arrow, line
        expected = []
        for name in filter(None, names.strip().split(", ")):
            expected += _STANDING_FOR.get(name, [name])
        found.append((given.replace("↵", "\n"), expected))
    return found


_STANDING_FOR = {
    "COMMANDS": [command.name for command in COMMANDS],
    **{
        table.schema.name.upper(): [
            column.name
            for hidden in (False, True)
            for column in table.schema.columns
            if column.hidden is hidden
        ]
        for table in (Fds, Processes, Sockets)
    },
}
