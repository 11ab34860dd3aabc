"""Dot commands about the tables: what there is, and what it means."""

from __future__ import annotations

import re

from sockql.command.terminal import escape
from sockql.command.wrapping import listing, reading_columns, reflow, wrap
from sockql.errors import UsageError
from sockql.shell.commands import command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    from sockql.schema import Column, Schema
    from sockql.shell.session import Shell

#: What a description says of NULL: the clause that has the word.
_NULL: Final = re.compile(r"[^.;:()]*\bNULL\b[^.;()]*")

_DESCRIBE_COLUMNS: Final = ("column", "type", "unit", "null", "source", "hidden", "description")


def null_rule(doc: str) -> str | None:
    """When a column is NULL, in the words of its description; None when it never is."""
    found = [match.group().strip() for match in _NULL.finditer(" ".join(doc.split()))]
    return "; ".join(found) or None


def _own(shell: Shell) -> list[tuple[str, str, str]]:
    """Name, kind and SQL of the temporary tables and views of the session."""
    found = shell.engine.query(
        "select name, type, sql from sqlite_temp_master where type in ('table', 'view') order by 1"
    )
    return [(name, type, sql) for name, type, sql in found]


def _matching(names: Iterable[str], words: list[str]) -> list[str]:
    """Those of ``names`` that match the pattern, or begin with it."""
    from fnmatch import fnmatchcase

    if not words:
        return list(names)
    pattern = words[0].lower().replace("%", "*")
    if not set(pattern) & set("*?["):
        pattern += "*"
    return [name for name in names if fnmatchcase(name.lower(), pattern)]


def _schema(shell: Shell, name: str) -> Schema:
    dialect = shell.engine.dialect
    if name.lower() in dialect:
        return dialect.load(name.lower()).schema
    from difflib import get_close_matches

    close = get_close_matches(name.lower(), dialect.names, 1)
    meant = f"did you mean {close[0]}?" if close else ".tables lists them"
    raise UsageError(f"no such table: {name}; {meant}")


@command(".tables", "[PATTERN]", aliases=("\\dt", ".list"))
def tables_(shell: Shell, words: list[str]) -> None:
    """List the tables, or those that begin with PATTERN.

    A PATTERN may have * or % for any characters and ? for one.
    """
    from sockql.command.describe import TABLES_COLUMNS

    names = _matching(shell.engine.dialect.names, words)
    rows = [(name, _schema(shell, name).doc.partition("\n")[0]) for name in names]
    own = {name: f"A {kind} of this session." for name, kind, _ in _own(shell)}
    rows += [(name, own[name]) for name in _matching(own, words)]
    _list(shell, TABLES_COLUMNS, rows)


@command(".schema", "[TABLE ...]")
def schema(shell: Shell, words: list[str]) -> None:
    """Show the columns of tables as CREATE TABLE would have them."""
    from sockql.command.describe import schema_text

    own = {name.lower(): sql for name, _, sql in _own(shell)}
    room = reading_columns(1) if shell.results.on_screen else None
    texts = [f"{escape(own[word.lower()])};\n" for word in words if word.lower() in own]
    names = (
        [word for word in words if word.lower() not in own] if words else shell.engine.dialect.names
    )
    if names:
        texts.append(schema_text([_schema(shell, name) for name in names], room))
    shell.results.text("\n".join(texts))


@command(".describe", "[TABLE]", aliases=("\\d", "\\d+"))
def describe(shell: Shell, words: list[str]) -> None:
    """Explain every column of TABLE; without TABLE list the tables.

    For each column: its type and unit, whether it is hidden (not in select *, there when named),
    what it means, when it is NULL, and which file or field of the kernel it comes from.
    """
    if not words:
        tables_(shell, words)
        return
    schema = _schema(shell, words[0])
    if shell.settings.mode in ("table", "line"):
        shell.results.text(_explained(schema, reading_columns(1)))
    else:
        shell.results.rows(_DESCRIBE_COLUMNS, [_described(column) for column in schema.columns])


def _described(column: Column) -> tuple[Any, ...]:
    return (
        column.name,
        column.type,
        column.unit,
        null_rule(column.doc),
        column.source,
        int(column.hidden),
        " ".join(column.doc.split()),
    )


def _explained(schema: Schema, room: int) -> str:
    from inspect import cleandoc

    lines = [schema.name, "", *reflow(cleandoc(schema.doc), room)]
    for column in schema.columns:
        kind = [column.type, *([column.unit] if column.unit else [])]
        kind += ["without case"] if column.nocase else []
        kind += ["hidden"] if column.hidden else []
        kind += ["never NULL"] if null_rule(column.doc) is None else []
        lines += ["", f"{column.name}  {', '.join(kind)}"]
        for text in (" ".join(column.doc.split()), f"Source: {column.source}", _values(column)):
            if text:
                lines += wrap(text, room, "    ")
    return "\n".join(lines) + "\n"


def _values(column: Column) -> str:
    return f"Values: {', '.join(column.values)}" if column.values else ""


@command(".examples", "TABLE")
def examples(shell: Shell, words: list[str]) -> None:
    """Show queries that TABLE is good for."""
    schema = _schema(shell, words[0])
    shell.results.text("".join([f"{example};\n" for example in schema.examples]))


@command(".all", "TABLE")
def all_(shell: Shell, words: list[str]) -> None:
    """Show every row of TABLE."""
    name = words[0].replace('"', '""')
    shell.run_sql(f'select * from "{name}"')  # noqa: S608  quoted as SQLite wants it


@command(".functions", "[PATTERN]", aliases=("\\df",))
def functions(shell: Shell, words: list[str]) -> None:
    """List sockql's SQL functions, or those that begin with PATTERN.

    SQLite's own are there as well: https://www.sqlite.org/lang_corefunc.html
    """
    known = {function.name: function for function in shell.engine.dialect.functions()}
    found = [known[name] for name in _matching(known, words)]
    rows = [(each.signature, each.doc.partition("\n")[0]) for each in found]
    _list(shell, ("function", "description"), rows)


def _list(shell: Shell, columns: tuple[str, str], rows: list[tuple[str, str]]) -> None:
    """Names with descriptions: for people one below the other, else as a result."""
    if shell.settings.mode in ("table", "line"):
        shell.results.text("".join([f"{line}\n" for line in listing(rows, reading_columns(1))]))
    else:
        shell.results.rows(columns, rows)
