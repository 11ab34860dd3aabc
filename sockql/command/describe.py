"""What ``sockql tables``, ``schema`` and ``plan`` say.

Each comes as text for people, as plain data for JSON, and as rows for the other formats.
"""

from __future__ import annotations

from sockql.command.terminal import counted, escape, width
from sockql.command.wrapping import reflow, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Final

    from sockql.report import Plan, TablePlan
    from sockql.schema import Column, Schema

TABLES_COLUMNS: Final = ("table", "description")
SCHEMA_COLUMNS: Final = ("table", "column", "type", "unit", "hidden", "source", "description")
PLAN_COLUMNS: Final = (
    *("table", "how", "columns", "conditions", "requests"),
    *("scans", "rows", "bytes", "seconds"),
)

#: Columns that a remark has at least, however narrow the terminal.
_LEAST: Final = 24


def tables_rows(schemas: Iterable[Schema]) -> list[tuple[Any, ...]]:
    """A row for each table: its name and the first line of its description."""
    return [(schema.name, schema.doc.partition("\n")[0]) for schema in schemas]


# -- schema -------------------------------------------------------------------------------------


def schema_text(schemas: Iterable[Schema], room: int | None = None) -> str:
    """The tables as CREATE TABLE would have them, a line for each column.

    A terminal has ``room`` for so many columns; there a long remark goes on in the next line.
    """
    return "\n".join([_listing(schema, room) for schema in schemas])


def _listing(schema: Schema, room: int | None) -> str:
    from inspect import cleandoc

    doc = cleandoc(schema.doc)
    about = doc.split("\n") if room is None else reflow(doc, room - len("-- "))
    lines = [f"-- {line}".rstrip() for line in about]
    lines.append(f"CREATE TABLE {schema.name} (")
    last = schema.columns[-1] if schema.columns else None
    types = [_type(column) for column in schema.columns]
    names = max((len(column.name) for column in schema.columns), default=0)
    widest = max(map(len, types), default=0) + 1
    for column, type in zip(schema.columns, types):
        declared = type + ("" if column is last else ",")
        start = f"  {column.name:<{names}} {declared:<{widest}} "
        lines += _remarks(start, [_remark(column)], room)
    lines.append(");")
    lines += _remarks("", [f"Example: {example}" for example in schema.examples], room)
    return "\n".join(lines) + "\n"


def _remarks(start: str, texts: Iterable[str], room: int | None) -> list[str]:
    """``texts`` as comments of SQL behind ``start``."""
    first, other = f"{start}-- ", f"{' ' * len(start)}-- "
    lines: list[str] = []
    for text in texts:
        line = f"{first}{text}".rstrip()
        fits = room is None or width(line) <= room
        lines += [line] if fits else wrap(text, max(room or 0, len(first) + _LEAST), first, other)
    return lines


def _type(column: Column) -> str:
    nocase = " COLLATE NOCASE" if column.nocase else ""
    return f"{column.type}{nocase}{' HIDDEN' if column.hidden else ''}"


def _remark(column: Column) -> str:
    more = f"{column.unit}; {column.source}" if column.unit else column.source
    return f"{' '.join(column.doc.split())} [{more}]"


def schema_rows(schemas: Iterable[Schema]) -> list[tuple[Any, ...]]:
    """A row for each column of each table, as :data:`SCHEMA_COLUMNS` names the cells."""
    return [
        (s.name, c.name, c.type, c.unit, int(c.hidden), c.source, " ".join(c.doc.split()))
        for s in schemas
        for c in s.columns
    ]


def schema_data(schemas: Iterable[Schema]) -> list[dict[str, Any]]:
    """The declarations, for programs."""
    from inspect import cleandoc

    return [
        {
            "table": schema.name,
            "description": cleandoc(schema.doc),
            "columns": [
                {
                    "column": column.name,
                    "type": column.type,
                    "hidden": column.hidden,
                    "nocase": column.nocase,
                    "unit": column.unit,
                    "values": column.values,
                    "source": column.source,
                    "description": " ".join(column.doc.split()),
                }
                for column in schema.columns
            ],
            "examples": schema.examples,
        }
        for schema in schemas
    ]


# -- plan ---------------------------------------------------------------------------------------


def plan_text(plan: Plan, room: int | None = None) -> str:
    """What each table was asked and gave, then SQLite's own plan.

    A terminal has ``room`` for so many columns.
    """
    parts = [[f"{table.table}: {table.how}", *_asked(table, room), ""] for table in plan.tables]
    parts.append(["query plan", *[f"  {line}" for line in plan.tree], ""])
    parts.append([f"{counted(plan.rows, 'row')} in {plan.seconds:.4f} s"])
    return "".join([f"{escape(line)}\n" for lines in parts for line in lines])


def _asked(table: TablePlan, room: int | None) -> Iterator[str]:
    """What a table was asked and gave, under the labels of each."""
    for label, values in (
        ("columns", [", ".join(table.columns) or "none"]),
        ("conditions", [repr(c) for c in table.constraints] or ["none"]),
        ("requests", table.requests or ["none"]),
        ("cost", [_cost(table)]),
    ):
        start = f"  {label:<11} "
        for value in values:
            line = start + escape(value)
            yield from [line] if room is None or width(line) <= room else wrap(value, room, start)
            start = " " * len(start)


def _cost(table: TablePlan) -> str:
    parts = [counted(table.scans, "scan"), counted(table.rows, "row") + " delivered"]
    if table.bytes:
        parts.append(f"{counted(table.bytes, 'byte')} received")
    return ", ".join(parts) + f", {table.seconds:.4f} s"


def plan_rows(plan: Plan) -> list[tuple[Any, ...]]:
    """A row for each scan, as :data:`PLAN_COLUMNS` names the cells."""
    return [
        (
            table.table,
            table.how,
            ", ".join(table.columns),
            " and ".join(map(repr, table.constraints)),
            "; ".join(table.requests),
            table.scans,
            table.rows,
            table.bytes,
            table.seconds,
        )
        for table in plan.tables
    ]


def plan_data(plan: Plan) -> dict[str, Any]:
    """The plan, for programs."""
    return {
        "sql": plan.sql,
        "rows": plan.rows,
        "seconds": plan.seconds,
        "tables": [
            {
                "table": table.table,
                "how": table.how,
                "columns": table.columns,
                "conditions": [repr(constraint) for constraint in table.constraints],
                "requests": table.requests,
                "scans": table.scans,
                "rows": table.rows,
                "bytes": table.bytes,
                "seconds": table.seconds,
            }
            for table in plan.tables
        ],
        "plan": plan.tree,
    }
