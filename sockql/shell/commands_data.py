"""Dot commands about where data comes from and what a statement asks for."""

from __future__ import annotations

from sockql.command.terminal import columns, escape
from sockql.errors import DataError, UsageError
from sockql.shell.commands import command
from sockql.sqltext import parameters, statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockql.shell.session import Shell


@command(".plan", "SQL")
def plan(shell: Shell, words: list[str]) -> None:
    """Run SQL and show what it asked of the kernel, what that cost, and SQLite's plan.

    The rows are counted and thrown away.
    """
    from sockql.command import describe
    from sockql.command.options import text
    from sockql.command.progress import Progress

    with Progress(shell.engine.host):
        found = shell.engine.plan(text(words[0]), shell.settings.parameters)
    if shell.settings.mode in ("table", "line"):
        shell.results.text(
            describe.plan_text(found, columns(1) if shell.results.on_screen else None)
        )
    else:
        shell.results.rows(describe.PLAN_COLUMNS, describe.plan_rows(found))


@command(".types", "SQL")
def types(shell: Shell, words: list[str]) -> None:
    """Show the columns that SQL would give, their types and units, without running it.

    A column that is computed has no type of its own: each of its cells has one.
    """
    from sockql.command.options import text
    from sockql.prepared import described

    found = statements(text(words[0]))
    if len(found) != 1:
        raise UsageError(f".types takes one statement, not {len(found)}")
    rows = [
        (name, declared, f"{table}.{column}" if table else None, _unit(shell, table, column))
        for name, declared, _database, table, column in described(shell.engine, found[0])
    ]
    shell.results.rows(("column", "type", "origin", "unit"), rows)


def _unit(shell: Shell, table: str | None, column: str | None) -> str | None:
    if table is None or table not in shell.engine.dialect:
        return None
    found = shell.engine.dialect.load(table).schema.by_name.get(column or "")
    return found.unit if found is not None else None


@command(".param", "[set|unset|clear|list] [PARAMETER] [VALUE]", aliases=(".parameter",))
def param(shell: Shell, words: list[str]) -> None:
    """Bind :NAME in statements: .param set NAME VALUE.

    A VALUE that is spelled as a number is one; in single quotes it is a text.
    .param unset NAME takes a value back, .param clear all of them, .param list shows them.
    """
    values = shell.settings.parameters
    action, name, *rest = [*words, "", ""][: max(2, len(words))]
    name = name.lstrip(":@$")
    if action == "set" and name and rest:
        if parameters(f":{name}") != {name}:
            raise UsageError(f":{name}: the name of a parameter has letters, digits, _ and $ only")
        values[name] = _value(rest[0])
    elif action == "unset" and name and not rest:
        if name not in values:
            raise UsageError(f"there is no parameter :{name}")
        del values[name]
    elif action == "clear" and not name:
        values.clear()
    elif action in ("", "list") and not name:
        shell.results.rows(("parameter", "value"), [(f":{n}", v) for n, v in values.items()])
    else:
        raise UsageError("usage: .param set NAME VALUE | unset NAME | clear | list")


def _value(word: str) -> Any:
    from sockql.command.options import text, typed

    if len(word) >= 2 and word[0] == word[-1] == "'":
        return text(word[1:-1].replace("''", "'"))
    return None if word.lower() == "null" else typed(word)


@command(".watch", "[SECONDS] [SQL]", aliases=("\\watch",))
def watch(shell: Shell, words: list[str]) -> None:
    """Run SQL, or the last SQL, every 2 or SECONDS seconds, and show what changes.

    On the screen q ends it, p pauses it, and the arrows scroll.  In the modes jsonl, csv and tsv,
    and into the file of .output, every change is a line; then Ctrl-C ends it.
    """
    from sockql.command.options import Options, text
    from sockql.watch.lines import STREAMS
    from sockql.watch.rounds import watch as run

    options = Options()
    seconds, sql, *_ = [*words, "", ""]
    if seconds:
        options.timeout = seconds
    try:
        interval = options.seconds
    except UsageError:
        raise UsageError(f".watch {seconds}: not a positive number of seconds") from None
    sql = text(sql or shell.sql)
    if not sql:
        raise UsageError("there is no last SQL; .watch [SECONDS] SQL")
    shell.sql = sql
    settings = shell.settings
    with shell.keyboard.cooked():
        try:
            run(
                shell.engine,
                sql,
                settings.parameters,
                interval=interval or 2.0,
                format=settings.mode if settings.mode in STREAMS else None,
                header=settings.headers,
                to=(1, shell.results.lasting),
                say=shell.say,
            )
        except KeyboardInterrupt:
            return


@command(".freeze")
def freeze(shell: Shell, _words: list[str]) -> None:
    """Keep what is there now, for all statements until .thaw.

    Every table is read once, completely.  The prompt shows when that was.
    """
    from sockql.command.progress import Progress

    shell.engine.notices.clear()
    with Progress(shell.engine.host):
        shell.frozen = shell.engine.freeze()
    shell.tell_notices()


@command(".thaw")
def thaw(shell: Shell, _words: list[str]) -> None:
    """See what is there when a statement runs, again."""
    if shell.frozen is None:
        raise UsageError("nothing is frozen; see .help freeze")
    shell.engine.thaw()
    shell.frozen = None


@command(".notices")
def notices(shell: Shell, _words: list[str]) -> None:
    """Say what the last answer lacks.

    The first of each kind in a session is also said after the answer itself.
    """
    found = shell.engine.notices
    for notice in found:
        shell.say(escape(notice))
    if not found:
        shell.say("nothing is known to be missing")


@command(".proc", "[DIR]")
def proc(shell: Shell, words: list[str]) -> None:
    """Read another procfs, such as that of the host mounted in a container.

    Temporary tables of the session are dropped, and a frozen snapshot is let go.
    """
    if not words:
        shell.say(shell.proc)
        return
    from os.path import expanduser

    _move(shell, "proc", expanduser(words[0]))


def _move(shell: Shell, option: str, value: str) -> None:
    """Look at what ``option`` of the command line would say."""
    try:
        shell.move(**{option: value})
    except DataError as error:
        raise DataError(str(error).removeprefix(f"--{option} ")) from None


def _scopes() -> list[str]:
    """The words that ``.netns`` may be given, but for the numbers of processes."""
    import os

    try:
        names = sorted(os.listdir("/run/netns"))
    except OSError:
        names = []
    return ["all", "self", *names]


@command(".netns", "[NETNS]", choices=_scopes)
def netns(shell: Shell, words: list[str]) -> None:
    """Look into these network namespaces: all, self, one by its name, or that of a process.

    Temporary tables of the session are dropped, and a frozen snapshot is let go.
    """
    if not words:
        shell.say(escape(shell.netns))
        return
    _move(shell, "netns", words[0])


@command(".timeout", "[SECONDS]")
def timeout(shell: Shell, words: list[str]) -> None:
    """Give up on a statement after SECONDS; without SECONDS never."""
    from sockql.command.options import Options

    options = Options()
    options.timeout = words[0] if words and words[0] != "off" else None
    try:
        shell.engine.timeout = options.seconds
    except UsageError:
        raise UsageError(f".timeout {words[0]}: not a positive number of seconds") from None
