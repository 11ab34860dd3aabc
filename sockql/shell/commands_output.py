"""Dot commands about how results are shown and where they go."""

from __future__ import annotations

from sockql.command.wrapping import listing, reading_columns, wrap
from sockql.errors import UsageError
from sockql.shell.commands import command, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.shell.session import Shell


def formats() -> dict[str, str]:
    """Our formats by name, with the line of help that their options have."""
    from sockql.command.declarations import OPTIONS
    from sockql.command.declare import SET

    return {
        option.constant: option.help
        for option in OPTIONS
        if option.attribute == "format" and option.kind == SET
    }


def all_formats() -> list[str]:
    """The names of all formats, ours first."""
    from sockql.render.tabulated import formats as tabulated

    ours = formats()
    return [*ours, *[name for name in tabulated() if name not in ours]]


def _say_switch(shell: Shell, name: str, value: bool) -> None:
    shell.say(f"{name} is {'on' if value else 'off'}")


@command(".mode", "[FORMAT]", choices=all_formats)
def mode(shell: Shell, words: list[str]) -> None:
    """Show results as FORMAT, or list the formats.

    On a screen, table and the drawings of tabulate (psql, grid, rounded_outline, ...) are fitted
    to its width: long texts lose their middle, and where a row cannot fit at all every column
    gets a line of its own.  In files nothing is ever shortened, and all other formats are the
    same everywhere.
    """
    settings = shell.settings
    if words:
        from sockql.render.writers import writer_class

        # osquery's and SQLite's names for an aligned table.
        name = {"pretty": "table", "column": "table"}.get(words[0], words[0])
        try:
            writer_class(name)
        except UsageError as error:
            raise UsageError(str(error).removeprefix("--format ")) from None
        if name != "line":
            settings.before_line = name
        settings.mode = name
        return
    room = reading_columns(1)
    marked = {settings.mode: "*"}
    rows = [(f"{marked.get(name, ' ')} {name}", help) for name, help in formats().items()]
    others = [name for name in all_formats() if name not in formats()]
    lines = [f"* {settings.mode}"] if settings.mode in others else []
    lines += [*listing(rows, room), "", *wrap(" ".join(others), room, "tabulate's formats: ", " ")]
    shell.results.text("".join([f"{line}\n" for line in lines]))


@command(".expanded", "[on|off]", aliases=("\\x",))
def expanded(shell: Shell, words: list[str]) -> None:
    """Show one column a line, or a table again."""
    settings = shell.settings
    on = switch(words, settings.mode == "line")
    settings.mode = "line" if on else settings.before_line
    _say_switch(shell, "expanded display", on)


@command(".headers", "[on|off]")
def headers(shell: Shell, words: list[str]) -> None:
    """Show the names of columns, or leave them out."""
    shell.settings.headers = switch(words, shell.settings.headers)
    _say_switch(shell, "headers", shell.settings.headers)


@command(".nullvalue", "[STRING]")
def nullvalue(shell: Shell, words: list[str]) -> None:
    """Show NULL as STRING; without STRING as the format has it.

    A screen shows NULL where nothing else is chosen, and a text that reads the same in quotes.
    In files NULL is empty where nothing else is chosen; in JSON it is always null.
    """
    shell.settings.null = words[0] if words else None


@command(".width", "[WIDTH ...]")
def width(shell: Shell, words: list[str]) -> None:
    """Give the columns of a table these widths on the screen; 0 is as it fits.

    Without a WIDTH all columns are as wide as their cells, if that fits.
    """
    if not all(word.isascii() and word.isdigit() and len(word) <= 4 for word in words):
        raise UsageError("usage: .width [WIDTH ...], each a number of columns of the screen")
    shell.settings.widths = tuple(map(int, words))


@command(".timer", "[on|off]", aliases=("\\timing",))
def timer(shell: Shell, words: list[str]) -> None:
    """Say the number of rows and the seconds after each statement."""
    shell.settings.timer = switch(words, shell.settings.timer)
    _say_switch(shell, "timer", shell.settings.timer)


@command(".resolve", "[on|off]")
def resolve(shell: Shell, words: list[str]) -> None:
    """Show ports with their services and ids with the names of users and groups.

    On the screen only, in tables and lines: 22 (ssh).  Programs always get the number.  Columns
    are known by their names: sport, dport, uid, euid, socket_uid, gid and the like.
    """
    shell.settings.resolve = switch(words, shell.settings.resolve)
    _say_switch(shell, "resolve", shell.settings.resolve)


@command(".pager", "[on|off]")
def pager(shell: Shell, words: list[str]) -> None:
    """Show what is longer than the screen in a pager.

    The pager is $PAGER, or less -SRFX.
    """
    shell.settings.pager = switch(words, shell.settings.pager)
    _say_switch(shell, "pager", shell.settings.pager)


@command(".echo", "[on|off]")
def echo(shell: Shell, words: list[str]) -> None:
    """Say each statement before it runs."""
    shell.settings.echo = switch(words, shell.settings.echo)
    _say_switch(shell, "echo", shell.settings.echo)


@command(".print", "[TEXT]", aliases=("\\echo",))
def print_(shell: Shell, words: list[str]) -> None:
    """Write TEXT where results go."""
    from sockql.command.terminal import escape

    shell.results.text("".join(map(escape, words)) + "\n")


@command(".once", "FILE")
def once(shell: Shell, words: list[str]) -> None:
    """Write the next result to FILE, which appears when it is complete."""
    shell.results.once(words[0])


@command(".output", "[FILE]", aliases=("\\o",))
def output(shell: Shell, words: list[str]) -> None:
    """Write all further results to FILE; without FILE to the screen.

    The file is emptied first, and grows with each result.  When it cannot be written results go
    to the screen again.
    """
    if words and words[0] not in ("-", "stdout"):
        shell.results.to_file(words[0])
    else:
        shell.results.to_screen()
