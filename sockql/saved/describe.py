"""What a saved query is for: as a row, as plain data for JSON, and as text for people."""

from __future__ import annotations

from sockql.command.terminal import counted
from sockql.command.wrapping import wrap
from sockql.saved.query import AUDIT, TABLE
from sockql.sqltext import tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Final

    from sockql.saved.query import Param, Query

#: The columns of the list.
COLUMNS: Final = ("query", "kind", "severity", "title", "tags", "parameters", "file")
#: Those that people get; the rest is in ``show``.
_SHOWN: Final = ("query", "kind", "severity", "title", "tags")
#: What can be done without on a narrow terminal: a report has no severity in most cases.
_SPARED: Final = ("tags", "kind")


def row(query: Query) -> tuple[Any, ...]:
    """The query as a row of the list; see :data:`COLUMNS`."""
    return (
        query.name,
        query.kind,
        query.severity,
        query.title or None,
        ", ".join(query.tags) or None,
        ", ".join(query.params) or None,
        query.path,
    )


def listed(
    queries: Sequence[Query], room: int | None
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The list for people: its columns, and rows that fit lines of ``room``; None for no limit."""
    from sockql.render.fitted import fits, fitted

    names = list(_SHOWN)
    rows = [row(query)[: len(_SHOWN)] for query in queries]
    for spared in _SPARED:
        if room is None or fits(names, rows, room):
            break
        place = names.index(spared)
        del names[place]
        rows = [each[:place] + each[place + 1 :] for each in rows]
    return fitted(names, rows, room) if room is not None else (tuple(names), rows)


def data(query: Query) -> dict[str, Any]:
    """Everything that the header says, and what it means where it says nothing."""
    return {
        "query": query.name,
        "file": query.path,
        "title": query.title or None,
        "description": query.description or None,
        "tags": query.tags,
        "severity": query.severity,
        "kind": query.kind,
        "expect": query.expect if query.kind == AUDIT else None,
        "parameters": [_parameter(param) for param in query.params.values()],
        "keys": query.keys,
        "references": query.references,
        "false positives": query.false_positives,
        "live": query.live,
        "timeout": query.timeout,
    }


def _parameter(param: Param) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": param.name,
        "type": param.type,
        "required": param.required,
        "default": param.default,
        "description": param.description or None,
    }
    if param.type == TABLE:
        found["columns"] = param.columns
    return found


def text(query: Query, width: int) -> str:
    """The same for people, in lines of ``width`` columns, and the statement; ends in a newline."""
    lines = [f"{query.name}: {query.title}" if query.title else query.name]
    facts = [fact for fact in _facts(query) if fact[1]]
    widest = max(len(label) for label, _ in facts)
    for label, values in facts:
        start = f"  {label:<{widest}}  "
        for value in values:
            lines += wrap(value, max(width, len(start) + 20), start)
            start = " " * len(start)
    for paragraph in query.description.split("\n\n") if query.description else ():
        lines += ["", *wrap(paragraph, width, "  ")]
    return "\n".join([*lines, "", statement(query)]) + "\n"


def _facts(query: Query) -> Iterator[tuple[str, list[str]]]:
    kind = query.kind if query.severity is None else f"{query.kind}, {query.severity}"
    yield "kind", [f"{kind}; expects {query.expect}" if query.kind == AUDIT else kind]
    yield "tags", [", ".join(query.tags)] if query.tags else []
    yield "parameters", [parameter(param) for param in query.params.values()]
    yield "keys", [", ".join(query.keys)] if query.keys else []
    yield "live", ["only the host itself can answer, no snapshot"] if query.live else []
    yield "timeout", [] if query.timeout is None else [f"{query.timeout:g} seconds"]
    yield "false positives", list(query.false_positives)
    yield "references", list(query.references)
    yield "file", [query.path]


def parameter(param: Param) -> str:
    """A parameter for people: `name (type, default): description`."""
    said = f"{param.name} ({param.type}"
    if param.type == TABLE:
        said += f" of {', '.join(param.columns)}"
    if not param.required:
        said += f", {_default(param)}"
    words = [param.description] if param.description else []
    if isinstance(param.default, tuple) and len(param.columns) == 1 and param.default:
        cells = ", ".join("NULL" if cell is None else str(cell) for (cell,) in param.default)
        words.append(f"By default: {cells}.")
    return f"{said}){': ' if words else ''}{' '.join(words)}"


def _default(param: Param) -> str:
    if isinstance(param.default, tuple):
        return f"{counted(len(param.default), 'row')} unless given"
    value = "NULL" if param.default is None else repr(param.default)
    return f"{value} unless given"


def statement(query: Query) -> str:
    """The SQL without the comments before it and the semicolon after it."""
    first = next(offset for offset, token in tokens(query.sql) if token != ";")
    return query.sql[first:].replace("\r\n", "\n").strip().rstrip(";").rstrip()
