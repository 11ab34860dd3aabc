"""A table of sockql written as an ordinary table, over the connection of the standard library.

Columns join the table when a row has something in them: the fifth of ``sockets`` that the sockets
of a host use is stored as if the others did not exist, which halves time and space.  In the end
all are there, NULL.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

from sockql.archive.layout import UNTYPED
from sockql.errors import DataError, UsageError
from sockql.loading.names import quoted
from sockql.schema import BLOB, TEXT

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from typing import Any

    from sockql.render.writers import Row
    from sockql.schema import Column, Schema

#: The table that others name processes of, and by which column.
PARENT: Final = ("processes", "pid")


class TableWriter:
    """Writes the rows of one table; ``snapshot`` is the id that stands before each, if any.

    ``parent`` says that the rows of ``processes`` are there for a foreign key.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        schema: Schema,
        *,
        snapshot: int | None = None,
        parent: bool = False,
    ) -> None:
        self.schema = schema
        self.rows = 0
        self.repeated = 0
        self._connection = connection
        self._snapshot = snapshot
        # A temporary table of the same name is another one.
        self._name = f"main.{quoted(schema.name)}"
        #: The type that each column has in the database, by its name in lower case.
        self.types = {} if snapshot is None else self._find()
        if not self.types:
            self._create(parent)
        self._present = [c for c in schema.columns if c.name.lower() in self.types]
        self._absent = [c for c in schema.columns if c.name.lower() not in self.types]
        self._prepare()

    def _find(self) -> dict[str, str]:
        """The types of the columns of the table in the file; none when there is no such table."""
        name = self.schema.name
        sql = "SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE"
        for (type,) in self._connection.execute(sql, (name,)).fetchall():
            if type != "table":
                raise UsageError(f"{name}: a {type} of that name is in the file")
        found = self._connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
        types = {row[1].lower(): row[2].upper() for row in found}
        if types and "snapshot" not in types:
            raise UsageError(f"{name}: a table of that name is in the file, and is no snapshot's")
        if (
            types
            and self._connection.execute(
                f"SELECT 1 FROM {quoted(name)} WHERE snapshot = ? LIMIT 1",  # noqa: S608 (quoted)
                (self._snapshot,),
            ).fetchone()
        ):
            raise UsageError(f"damaged: {name} has rows that are of no snapshot")
        for column in self.schema.columns:
            # SQLite would make numbers of texts, or texts of numbers.
            there = types.get(column.name.lower(), column.type)
            both = {there, column.type}
            if TEXT in both and len(both) > 1 and both.isdisjoint((BLOB, UNTYPED)):
                raise UsageError(
                    f"{name}.{column.name} is {there} in the file, and would be {column.type} now; "
                    "there is CAST"
                )
        return types

    def _create(self, parent: bool) -> None:
        """Make the table with its key and the columns of ``select *``."""
        schema = self.schema
        first = [c for c in schema.columns if c.name in schema.key or not c.hidden]
        before = [] if self._snapshot is None else ["snapshot"]
        lines = [_definition(column) for column in first]
        if before:
            lines.insert(0, "snapshot INTEGER NOT NULL REFERENCES snapshots(id)")
        if schema.key:
            lines.append(f"PRIMARY KEY ({_listed([*before, *schema.key])})")
        table, pid = PARENT
        if parent and schema.name != table and pid in schema.by_name:
            names = _listed([*before, pid])
            lines.append(f"FOREIGN KEY ({names}) REFERENCES {quoted(table)}({names})")
        self._connection.execute(f"CREATE TABLE {self._name} (\n  " + ",\n  ".join(lines) + "\n)")
        self.types = {column.name.lower(): column.type for column in first}

    def _prepare(self) -> None:
        names = [column.name for column in self._present]
        places = ["?"] * len(names)
        if self._snapshot is not None:
            names.insert(0, "snapshot")
            places.insert(0, str(self._snapshot))
        # The same thing seen twice in one pass is kept once.
        self._insert = (
            f"INSERT OR IGNORE INTO {self._name} ({_listed(names)}) VALUES ({', '.join(places)})"  # noqa: S608 (quoted)
        )
        self._pick = _picker([column.position for column in self._present])

    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows, at least one; their cells in the order of the schema's columns."""
        if self._absent:
            cells = list(zip(*rows))
            joining = [c for c in self._absent if cells[c.position].count(None) != len(rows)]
            if joining:
                self._add(joining)
                self._prepare()
        before = self._connection.total_changes
        try:
            self._connection.executemany(self._insert, map(self._pick, rows))
        except OverflowError:
            raise DataError(f"{self.schema.name}: a number beyond SQLite's integers") from None
        written = self._connection.total_changes - before
        self.rows += written
        self.repeated += len(rows) - written

    def _add(self, columns: Sequence[Column]) -> None:
        for column in columns:
            self._connection.execute(f"ALTER TABLE {self._name} ADD COLUMN {_definition(column)}")
            self.types[column.name.lower()] = column.type
        self._present += columns
        self._absent = [column for column in self._absent if column not in columns]

    def finish(self) -> None:
        """Add the columns that no row has a value in, and the indexes."""
        self._add(self._absent)
        before = [] if self._snapshot is None else ["snapshot"]
        name = self.schema.name
        if before and not self.schema.key:
            self._index(f"{name}_snapshot", before, "")
        for column in self.schema.columns:
            if (column.index or column.lookup) and self.schema.key[:1] != (column.name,):
                # NULL is looked up by nobody.
                known = f" WHERE {quoted(column.name)} IS NOT NULL"
                self._index(f"{name}_{column.name}", [*before, column.name], known)

    def _index(self, name: str, columns: Sequence[str], where: str) -> None:
        self._connection.execute(
            f"CREATE INDEX IF NOT EXISTS main.{quoted(name)} ON {quoted(self.schema.name)}"
            f" ({_listed(columns)}){where}"
        )


def _definition(column: Column) -> str:
    return f"{quoted(column.name)} {column.type}{' COLLATE NOCASE' if column.nocase else ''}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names))


def _picker(positions: Sequence[int]) -> Callable[[Row], Any]:
    """What takes the cells at ``positions`` out of a row, as a row."""
    if not positions:
        return lambda _row: ()
    if len(positions) == 1:
        (only,) = positions
        return lambda row: (row[only],)
    return itemgetter(*positions)
