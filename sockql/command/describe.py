"""What ``sockql tables``, ``schema`` and ``plan`` say.

Each comes as text for people, as plain data for JSON, and as rows for the other formats.
"""

from __future__ import annotations

from sockql.command.terminal import counted, escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Final

    from sockql.report import Plan, TablePlan
    from sockql.schema import Column, Schema

TABLES_COLUMNS: Final = ("table", "description")
SCHEMA_COLUMNS: Final = ("table", "column", "type", "unit", "hidden", "source", "description")
PLAN_COLUMNS: Final = (
    *("table", "how", "columns", "conditions", "requests"),
    *("scans", "rows", "bytes", "seconds"),
)


def tables_rows(schemas: Iterable[Schema]) -> list[tuple[Any, ...]]:
    """A row for each table: its name and the first line of its description."""
    return [(schema.name, schema.doc.partition("\n")[0]) for schema in schemas]


# -- schema -------------------------------------------------------------------------------------


def schema_text(schemas: Iterable[Schema]) -> str:
    """The tables as CREATE TABLE would have them, a line for each column."""
    return "\n".join(map(_listing, schemas))


def _listing(schema: Schema) -> str:
    lines = [f"-- {line}".rstrip() for line in _unindented(schema.doc)]
    lines.append(f"CREATE TABLE {schema.name} (")
    last = schema.columns[-1] if schema.columns else None
    types = [_type(column) for column in schema.columns]
    names = max((len(column.name) for column in schema.columns), default=0)
    widest = max(map(len, types), default=0) + 1
    for column, type in zip(schema.columns, types):
        declared = type + ("" if column is last else ",")
        lines.append(f"  {column.name:<{names}} {declared:<{widest}} -- {_remark(column)}")
    lines.append(");")
    lines += [f"-- Example: {example}" for example in schema.examples]
    return "\n".join(lines) + "\n"


def _type(column: Column) -> str:
    nocase = " COLLATE NOCASE" if column.nocase else ""
    return f"{column.type}{nocase}{' HIDDEN' if column.hidden else ''}"


def _remark(column: Column) -> str:
    more = f"{column.unit}; {column.source}" if column.unit else column.source
    return f"{' '.join(column.doc.split())} [{more}]"


def _unindented(doc: str) -> list[str]:
    from inspect import cleandoc

    return cleandoc(doc).split("\n")


def schema_rows(schemas: Iterable[Schema]) -> list[tuple[Any, ...]]:
    """A row for each column of each table, as :data:`SCHEMA_COLUMNS` names the cells."""
    return [
        (s.name, c.name, c.type, c.unit, int(c.hidden), c.source, " ".join(c.doc.split()))
        for s in schemas
        for c in s.columns
    ]


def schema_data(schemas: Iterable[Schema]) -> list[dict[str, Any]]:
    """The declarations, for programs."""
    return [
        {
            "table": schema.name,
            "description": "\n".join(_unindented(schema.doc)),
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


def plan_text(plan: Plan) -> str:
    """What each table was asked and gave, then SQLite's own plan."""
    lines = []
    for table in plan.tables:
        lines.append(f"{table.table}: {table.how}")
        lines += _labelled("columns", [", ".join(table.columns) or "none"])
        lines += _labelled("conditions", [repr(c) for c in table.constraints] or ["none"])
        lines += _labelled("requests", table.requests or ["none"])
        lines += _labelled("cost", [_cost(table)])
        lines.append("")
    lines.append("query plan")
    lines += [f"  {line}" for line in plan.tree]
    lines += ["", f"{counted(plan.rows, 'row')} in {plan.seconds:.4f} s"]
    return "\n".join(map(escape, lines)) + "\n"


def _labelled(label: str, values: Sequence[str]) -> list[str]:
    return [f"  {label if i == 0 else '':<11} {value}" for i, value in enumerate(values)]


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
