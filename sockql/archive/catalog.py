"""What a snapshot file says of itself, held to what its layout promises.

Others may have written to the file, or a disk may have lost a part of it: whatever does not fit is an
error that names the file and the cell, before anything is made of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import apsw

from sockql.archive.layout import OWN, UNTYPED
from sockql.errors import DataError
from sockql.loading.databases import reason
from sockql.schema import BLOB, INTEGER, REAL, TEXT, Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockql.schema import Value

_CLASSES: Final[dict[str, tuple[type, ...]]] = {INTEGER: (int,), REAL: (int, float), TEXT: (str,)}
#: The columns that may be NULL.
_NULLABLE: Final = frozenset(
    {"host", "boot_id", "kernel", "capabilities", "duration", "query", "unit"}
)
#: The first second of the year 10000, which no clock shows.
_END_OF_TIME: Final = 253402300800.0
#: More rows than any table has.
_ROWS: Final = 2**53
_QUOTED: Final = 40  # characters of a wrong cell in its message


class Catalog:
    """The three tables of the file ``path`` that say what is in it.

    Everything raises :class:`DataError` for what cannot be read and for what is not as it should be.
    """

    def __init__(self, path: str, connection: apsw.Connection) -> None:
        self._path = path
        self._connection = connection

    def snapshots(self) -> list[tuple[int, float]]:
        """The id of each snapshot, and when it was taken, in seconds since the epoch."""
        rows = self._rows("snapshots", "true", (), ("id", "epoch"))
        return [(row["id"], row["epoch"]) for row in rows]

    def facts(self, snapshot: int) -> tuple[dict[str, Any], list[str]]:
        """The row of ``snapshots``, and its notices."""
        (row,) = self._rows("snapshots", "id = ?", (snapshot,))
        return row, self._texts("snapshots.notices", row["notices"])

    def tables(self, snapshot: int) -> dict[str, tuple[list[str], int]]:
        """Captured columns and number of rows by table."""
        return {
            row["table_name"]: (
                self._texts("snapshot_tables.captured", row["captured"]),
                row["row_count"],
            )
            for row in self._rows("snapshot_tables", "snapshot = ?", (snapshot,))
        }

    def columns(self, table: str, captured: Sequence[str]) -> list[Column]:
        """The columns ``captured`` of a table, in their order."""
        found: dict[str, Column] = {}
        for row in self._rows("snapshot_columns", "table_name = ? ORDER BY position", (table,)):
            name = row["column_name"]
            if name not in captured:
                continue
            if name.lower() in found:
                raise self._damaged("snapshot_columns.column_name", name)
            if row["type"] not in (INTEGER, REAL, TEXT, BLOB, UNTYPED):
                raise self._damaged("snapshot_columns.type", row["type"])
            made = Column(
                row["type"],
                row["description"],
                source=row["source"],
                unit=row["unit"],
                hidden=bool(row["hidden"]),
                nocase=bool(row["nocase"]),
            )
            made.name = name
            found[name.lower()] = made
        if len(found) < len(captured) or not found:
            there = {column.name for column in found.values()}
            absent = next((name for name in captured if name not in there), captured)
            raise self._damaged("snapshot_tables.captured", absent)
        return list(found.values())

    def _rows(
        self, table: str, where: str, values: Sequence[Value], names: Sequence[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """The rows of one of the tables by the names of columns, all or those of ``names``."""
        schema, _ = OWN[table]
        columns = [column for column in schema.columns if not names or column.name in names]
        listed = ", ".join(column.name for column in columns)
        sql = f"SELECT {listed} FROM {table} WHERE {where}"  # noqa: S608 (our names)
        try:
            found = list(self._connection.execute(sql, values))
        except apsw.Error as error:
            raise DataError(f"{self._path}: {reason(self._path, error)}") from None
        except UnicodeError:
            raise DataError(
                f"{self._path}: damaged: {table} has a text that is not UTF-8"
            ) from None
        for cells in found:
            for column, cell in zip(columns, cells):
                if not _sound(column, cell):
                    raise self._damaged(f"{table}.{column.name}", cell)
            yield {column.name: cell for column, cell in zip(columns, cells)}

    def _texts(self, what: str, text: str) -> list[str]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise self._damaged(what, text) from None
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self._damaged(what, text)
        return found

    def _damaged(self, what: str, value: object) -> DataError:
        said = repr(value)
        said = said if len(said) <= _QUOTED else said[:_QUOTED] + "…"
        return DataError(f"{self._path}: damaged: {what} is {said}")


def _sound(column: Column, value: Value) -> bool:
    """Whether ``value`` can stand in a column of our own tables."""
    if value is None:
        return column.name in _NULLABLE
    if not isinstance(value, _CLASSES[column.type]):
        return False
    if column.name == "epoch":
        return isinstance(value, (int, float)) and 0 <= value < _END_OF_TIME
    if column.name == "row_count":
        return isinstance(value, int) and 0 <= value < _ROWS
    if column.name in ("table_name", "column_name"):
        return isinstance(value, str) and "\0" not in value and bool(value)
    return True
