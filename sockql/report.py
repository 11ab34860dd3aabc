"""What a statement did, for ``sockql plan``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockql.request import Constraint
    from sockql.scan import Scan
    from sockql.statement import Statement


class TablePlan:
    """One scan of one table: what it was asked, how it answered, what that cost.

    ``scans`` counts how often SQLite started it, ``rows`` what its source delivered, ``bytes``
    what netlink sent, ``seconds`` the time in the source; 0 all of them where an earlier scan of
    the statement had collected the same.
    """

    __slots__ = (
        "bytes",
        "columns",
        "constraints",
        "how",
        "requests",
        "rows",
        "scans",
        "seconds",
        "table",
    )

    def __init__(self, statement: Statement, scan: Scan) -> None:
        trace = statement.trace(scan)
        schema = scan.table.schema
        used = statement.analysis.columns[schema.name]
        self.table = schema.name
        self.columns = tuple(column.name for column in schema.columns if column.name in used)
        self.constraints: tuple[Constraint, ...] = trace.constraints
        self.how = statement.how(scan)
        self.requests = list(trace.requests)
        self.scans = trace.scans
        self.rows = trace.rows
        self.bytes = trace.bytes
        self.seconds = trace.seconds


def tree(nodes: Iterable[tuple[int, int, int, str]]) -> list[str]:
    """The lines of EXPLAIN QUERY PLAN, each indented below its parent."""
    depth = {0: 0}
    lines = []
    for id, parent, _, detail in nodes:
        depth[id] = depth.get(parent, 0) + 1
        lines.append("  " * (depth[id] - 1) + detail)
    return lines


class Plan:
    """A statement that was run for its cost; its ``rows`` were counted and thrown away."""

    __slots__ = ("rows", "seconds", "sql", "tables", "tree")

    def __init__(
        self, sql: str, statement: Statement, rows: int, seconds: float, tree: list[str]
    ) -> None:
        self.sql = sql
        self.rows = rows
        self.seconds = seconds
        self.tree = tree
        self.tables = [
            TablePlan(statement, scan) for scan in dict.fromkeys(statement.analysis.scans)
        ]
