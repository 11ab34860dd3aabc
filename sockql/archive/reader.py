"""A snapshot in a file, read by the SQLite library that the engine has."""

from __future__ import annotations

from operator import itemgetter
from time import time
from typing import TYPE_CHECKING, Any, Final

import apsw

from sockql import tables
from sockql.archive.capture import ON_REQUEST, not_for_snapshots
from sockql.archive.catalog import Catalog
from sockql.archive.layout import OWN, identify
from sockql.archive.moments import choose
from sockql.dialect import SOCKQL
from sockql.errors import DataError, NotCaptured
from sockql.loading.databases import readable, reason
from sockql.loading.names import quoted
from sockql.request import MAXIMUM, MINIMUM
from sockql.schema import EQUAL, INTEGER, RANGE, Column, Schema, Table, View
from sockql.watch.lines import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sockql.host import Host
    from sockql.request import Request
    from sockql.schema import Value

#: Instructions of SQLite between two looks at the clock.
_PROGRESS: Final = 50_000
#: What a condition on a column whose values few rows share leaves of a table.
_FEW: Final = 4.0


class Archive:
    """One snapshot of the file ``path``: the newest, or the one that ``at`` means; close it.

    :raises UsageError: when the file is no snapshot file, or ``at`` no time.
    :raises DataError: when it has no such snapshot.
    """

    def __init__(self, path: str, at: str = "") -> None:
        identify(path)
        self.path = path
        try:
            with readable(path) as uri:
                self._connection = apsw.Connection(
                    uri, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
                )
            try:
                # A column that somebody took away is an error, not a text of its name; and what
                # somebody put into the schema is not run.
                self._connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
                self._connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
                self._connection.execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
                self._read(at)
            except BaseException:
                self._connection.close(True)
                raise
        except apsw.Error as error:
            raise DataError(f"{path}: {reason(path, error)}") from None

    def _read(self, at: str) -> None:
        self._catalog = Catalog(self.path, self._connection)
        known = self._catalog.snapshots()
        chosen = choose(at or "newest", known, time())
        if chosen is None:
            has = ", ".join(f"#{id} of {timestamp(epoch)}" for id, epoch in known[-3:])
            more = f"; it has {'… ' if len(known) > 3 else ''}{has}" if known else ""
            raise DataError(f"{self.path}: no snapshot {at}".rstrip() + more)
        self.snapshot: int = chosen
        #: The row of ``snapshots``.
        self.facts: dict[str, Any]
        self.notices: list[str]
        self.facts, self.notices = self._catalog.facts(chosen)
        #: Captured columns and number of rows by table.
        self.tables = self._catalog.tables(chosen)

    def columns(self, name: str) -> list[str]:
        """The columns of the table ``name`` that were captured.

        :raises NotCaptured: when the table was not.
        """
        if name not in self.tables:
            raise self.lacks(name)
        return self.tables[name][0]

    def lacks(self, name: str, column: str = "") -> NotCaptured:
        """That the table ``name``, or its ``column``, was not captured, and why that may be."""
        what = f"{name}.{column}" if column else f"the table {name}"
        why = "" if column else f"; {_why_absent(name)}"
        return NotCaptured(
            f"{self.path}: {what} was not captured in the snapshot of {self.facts['time']}{why}"
        )

    def require(self, name: str, columns: Iterable[str]) -> None:
        """Make sure that a statement which reads ``columns`` of the table ``name`` can be answered.

        :raises NotCaptured: when one of them was not captured.
        """
        if name in OWN or name not in self.tables:
            return  # the table itself raises
        missing = sorted(set(columns).difference(self.tables[name][0]))
        if missing:
            raise self.lacks(name, missing[0])

    def table(self, name: str) -> Table[Any]:
        """The table ``name`` as it was; one that was not captured raises when it is read."""
        if name in OWN:
            declared = OWN[name][0]
            own = _placed(name, declared.doc, [_like(c) for c in declared.columns])
            return ArchivedTable(self, own, set(own.by_name), "", 10)
        if name not in self.tables:
            declared = SOCKQL.load(name).schema
            unknown = _placed(name, declared.doc, [_like(c) for c in declared.columns])
            return ArchivedTable(self, unknown, None, "", 0)
        captured, rows = self.tables[name]
        where = f"snapshot = {self.snapshot}"
        return ArchivedTable(self, self._schema(name, captured), set(captured), where, rows)

    def _schema(self, name: str, captured: Sequence[str]) -> Schema:
        """What was captured as the file has it, then what this version has beyond that."""
        declared = None
        if name in tables.NAMES:
            found = tables.load(name)
            declared = None if isinstance(found, View) else found.schema
        by_name = {} if declared is None else declared.by_name
        columns = [
            _like(column, by_name.get(column.name))
            for column in self._catalog.columns(name, captured)
        ]
        there = set(captured)
        for column in by_name.values():
            if column.name not in there:
                columns.append(_like(column))
                columns[-1].hidden = True
        if declared is None:
            return _placed(name, "Result of a query.", columns)
        return _placed(name, declared.doc, columns, declared.key)

    def rows(self, sql: str, values: Sequence[Value], check: Callable[[], None]) -> Iterator[Any]:
        """The rows of a statement of ours; ``check`` is called from time to time.

        :raises DataError: when the file cannot be read.
        """

        def progress() -> bool:
            check()
            return False

        self._connection.set_progress_handler(progress, _PROGRESS)
        try:
            yield from self._connection.execute(sql, values)
        except apsw.Error as error:
            raise DataError(f"{self.path}: {reason(self.path, error)}") from None
        except UnicodeError:
            raise DataError(f"{self.path}: damaged: a text that is not UTF-8") from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close(True)


def _why_absent(name: str) -> str:
    """Why a snapshot does not have the table ``name``, for people."""
    if name in ON_REQUEST:
        return "it may hold what is secret, and is taken when sockql snapshot --tables names it"
    if name in tables.NAMES:
        return "snapshot_tables has those that were"
    return not_for_snapshots(name)


def _like(column: Column, known: Column | None = None) -> Column:
    """``column`` for rows of a file; ``known`` says how it is looked up, as a rule itself."""
    by = known or column
    made = Column(
        column.type,
        column.doc,
        source=column.source,
        unit=column.unit,
        hidden=column.hidden,
        nocase=column.nocase,
        index=by.index,
        lookup=by.lookup,
        push=EQUAL | RANGE if column.type == INTEGER else EQUAL,
        exact=True,
    )
    made.name = column.name
    return made


def _placed(name: str, doc: str, columns: Sequence[Column], key: tuple[str, ...] = ()) -> Schema:
    """A schema of ``columns``, whose cells stand in this order in a record."""
    for position, column in enumerate(columns):
        column.position = position
        column.get = itemgetter(position)
    return Schema(name, doc, tuple(columns), key=key)


class ArchivedTable(Table["tuple[Any, ...]"]):
    """A table of a snapshot: its rows are those of the file that meet the conditions."""

    def __init__(
        self, archive: Archive, schema: Schema, captured: set[str] | None, where: str, rows: int
    ) -> None:
        """``captured`` are the columns that are there, None when the table is not."""
        self.schema = schema  # type: ignore[misc]  # of an instance here
        self._archive = archive
        self._absent = captured is None
        self._captured = captured or set()
        self._where = where
        self._rows = rows

    def records(self, request: Request, host: Host) -> Iterator[tuple[Any, ...]]:
        if self._absent:
            raise self._archive.lacks(self.schema.name)
        missing = sorted(request.columns - self._captured)
        # Whoever wants everything, as for others that are to come, has what there is.
        if missing and len(request.columns) < len(self.schema.columns):
            raise self._archive.lacks(self.schema.name, missing[0])
        self._say(host)
        wanted = request.columns & self._captured
        cells = [quoted(c.name) if c.name in wanted else "NULL" for c in self.schema.columns]
        # Nobody asks for a cell after the last one that is wanted.
        last = max((self.schema.by_name[name].position for name in wanted), default=0)
        listed = ", ".join(cells[: last + 1])
        conditions, values = self._conditions(request)
        sql = f"SELECT {listed} FROM {quoted(self.schema.name)}"  # noqa: S608 (quoted)
        if conditions:
            sql += " WHERE " + " AND ".join(conditions)
        request.trace.note(f"{self._archive.path}: {sql.partition(' FROM ')[2]}")
        return self._archive.rows(sql, values, host.check)

    def _conditions(self, request: Request) -> tuple[list[str], list[Value]]:
        conditions = [self._where] if self._where else []
        values: list[Value] = []
        for column in self.schema.columns:
            if column.name not in self._captured or not request.constrained(column.name):
                continue
            name = quoted(column.name)
            wanted = request.values(column.name)
            if wanted is not None:
                conditions.append(f"{name} IN ({', '.join('?' * len(wanted))})")
                values += wanted
            if column.type == INTEGER:
                low, high = request.bounds(column.name)
                if (low, high) != (MINIMUM, MAXIMUM):
                    conditions.append(f"{name} BETWEEN ? AND ?")
                    values += (low, high)
        return conditions, values

    def _say(self, host: Host) -> None:
        """What the snapshot lacks of this table, or of whatever it was said of."""
        for notice in self._archive.notices:
            about = notice.partition(":")[0]
            if about == self.schema.name or about not in tables.NAMES:
                host.notice(notice)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        if self._absent:  # already when the statement is checked, before it runs
            raise self._archive.lacks(self.schema.name)
        rows = float(max(self._rows, 1))
        for column in self.schema.columns:
            if request.constrained(column.name):
                if column.index or column.lookup or column.name in self.schema.key:
                    return min(rows, _FEW), 20.0
                rows = max(rows / 4, 1.0)
        return rows, 20.0 + self._rows
