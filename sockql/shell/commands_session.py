"""Dot commands about the session: help, files of SQL, saved queries, other programs."""

from __future__ import annotations

import os

from sockql.command.terminal import escape
from sockql.command.wrapping import listing, reading_columns, wrap
from sockql.errors import UsageError
from sockql.shell.commands import COMMANDS, command, find, load, switch
from sockql.shell.terminal import foreground

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.shell.session import Shell


@command(".help", "[COMMAND]", aliases=("\\?",))
def help_(shell: Shell, words: list[str]) -> None:
    """List the commands, or explain COMMAND."""
    if words:
        word = words[0] if words[0][:1] in ".\\" else f".{words[0]}"
        shell.results.text(find(word).text(reading_columns(1)))
        return
    room = reading_columns(1)
    lines = listing([(each.signature, each.help) for each in load().values()], room)
    more = (
        "Any prefix of a command will do that no other begins with.  psql's commands do what they"
        f" do there: {' '.join(_backslashes())}.  Everything else is SQL, up to a semicolon."
    )
    shell.results.text("\n".join([*lines, "", *wrap(more, room)]) + "\n")


def _backslashes() -> list[str]:
    spellings = [alias for each in COMMANDS.values() for alias in each.aliases]
    return sorted(alias for alias in spellings if alias[0] == "\\")


@command(".quit", "[STATUS]", aliases=("\\q", ".exit"))
def quit_(shell: Shell, words: list[str]) -> None:
    """Leave, with exit status STATUS; Ctrl-D does as well."""
    status = words[0] if words else "0"
    if not (status.isascii() and status.isdigit() and int(status) < 256):
        raise UsageError(f".quit {status}: an exit status is a number from 0 to 255")
    shell.leaving = int(status)


@command(".version")
def version(shell: Shell, _words: list[str]) -> None:
    """Show the versions of sockql, SQLite, Python and the kernel."""
    import sys

    import apsw

    from sockql import __version__

    kernel = os.uname()
    shell.results.text(
        f"sockql {__version__}\n"
        f"SQLite {apsw.sqlite_lib_version()}, apsw {apsw.apsw_version()}\n"
        f"Python {sys.version.split()[0]}\n"
        f"{kernel.sysname} {kernel.release} {kernel.machine}\n"
    )


@command(".show")
def show(shell: Shell, _words: list[str]) -> None:
    """Show the settings of the session."""
    settings, engine = shell.settings, shell.engine
    shell.results.rows(
        ("setting", "value"),
        [
            ("bail", _word(settings.bail)),
            ("echo", _word(settings.echo)),
            ("headers", _word(settings.headers)),
            ("keys", settings.keys),
            ("mode", settings.mode),
            ("netns", shell.netns),
            ("nullvalue", settings.null),
            ("output", shell.results.name),
            ("pager", _word(settings.pager)),
            ("proc", shell.proc),
            ("resolve", _word(settings.resolve)),
            ("timeout", engine.timeout),
            ("timer", _word(settings.timer)),
            ("width", " ".join(map(str, settings.widths)) or None),
        ],
    )


def _word(value: bool) -> str:
    return "on" if value else "off"


@command(".bail", "[on|off]")
def bail(shell: Shell, words: list[str]) -> None:
    """Stop a file, or an input of several statements, at the first error."""
    shell.settings.bail = switch(words, shell.settings.bail)
    shell.say(f"bail is {_word(shell.settings.bail)}")


@command(".keys", "[emacs|vi]")
def keys(shell: Shell, words: list[str]) -> None:
    """Edit with the keys of Emacs or of vi.

    At first they are what ~/.inputrc says (set editing-mode vi), as for other programs.
    """
    if not words:
        shell.say(f"keys are those of {shell.settings.keys}")
    elif words[0] in ("emacs", "vi"):
        shell.settings.keys = words[0]
    else:
        raise UsageError(f".keys {words[0]}: emacs or vi?")


@command(".read", "FILE", aliases=("\\i",))
def read(shell: Shell, words: list[str]) -> None:
    """Run the commands and statements in FILE.

    An error is said with the number of its line, and the rest is run all the same; see .bail.
    """
    shell.read(words[0])


@command(".shell", "COMMANDLINE", aliases=("\\!", ".system"))
def shell_(shell: Shell, words: list[str]) -> None:
    """Run a command line of the system's shell."""
    with shell.keyboard.cooked():
        status = foreground(["/bin/sh", "-c", words[0]])
    if status:
        shell.say(f"exit status {status}")


@command(".edit", aliases=("\\e",))
def edit(shell: Shell, _words: list[str]) -> None:
    """Edit the last SQL in $VISUAL or $EDITOR; it comes back to the prompt.

    Ctrl-X Ctrl-E does the same with what stands at the prompt.
    """
    from shlex import split
    from tempfile import NamedTemporaryFile

    editor = split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with NamedTemporaryFile(
        "w+", prefix="sockql-", suffix=".sql", encoding="utf-8", errors="backslashreplace"
    ) as file:
        file.write(f"{shell.sql}\n")
        file.flush()
        with shell.keyboard.cooked():
            status = foreground([*editor, file.name])
        if status:
            raise UsageError(f"{editor[0]}: exit status {status}")
        # Editors replace the file instead of writing into it.
        with open(file.name, encoding="utf-8", errors="backslashreplace") as edited:
            shell.draft = edited.read().rstrip()


# -- saved queries ------------------------------------------------------------------------------


@command(".queries", "[TEXT]")
def queries(shell: Shell, words: list[str]) -> None:
    """List the saved queries, or those that speak of all words of TEXT."""
    from sockql.command.terminal import columns
    from sockql.saved.describe import COLUMNS, listed, row
    from sockql.saved.library import Library, selected

    library = Library()
    found = selected(library.all(), words=words[0] if words else "")
    if shell.results.on_screen:
        shell.results.rows(*listed(found, columns(1)))
    else:
        shell.results.rows(COLUMNS, map(row, found))
    for notice in library.notices:
        shell.say(escape(notice))


@command(".run", "QUERY [NAME=VALUE ...]")
def run(shell: Shell, words: list[str]) -> None:
    """Run a saved query, or the one in a file that is named by its path.

    Parameters without a value or a default have the values of .parameter.  `sockql queries show`
    tells what a query is for, docs/queries.md where it is looked for.
    """
    from sockql.saved.binding import bind
    from sockql.saved.library import Library

    library = Library()
    query = library.find(words[0])
    for notice in library.notices:
        shell.say(escape(notice))
    try:
        binding = bind(query, words[1:], shell.settings.parameters)
    except UsageError as error:
        raise UsageError(str(error).replace("-p ", "")) from None
    shell.run_query(query, binding)


@command(".save", "NAME [SQL]", options={"-f": None})
def save(shell: Shell, words: list[str]) -> None:
    """Save the last SQL, or this one, as NAME in ~/.config/sockql/queries.

    A comment before the statement is its title, or a whole header.  -f replaces a query of that
    name.
    """
    from sockql.saved.library import save as save_query

    replace = "-f" in words[:1]
    name, *rest = words[1:] if replace else words
    sql = rest[0] if rest else shell.sql
    if not sql:
        raise UsageError("there is no last SQL; .save NAME SQL saves what is given")
    shell.say(f"saved as {escape(save_query(name, sql, replace=replace))}")
