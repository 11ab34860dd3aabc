"""Virtual tables: what apsw calls while SQLite plans and runs a statement.

These methods run once or more for each row and each cell, so they do as little as can be done;
everything that is decided once in a scan is decided in :mod:`sockql.scan` and
:mod:`sockql.statement`.
"""

from __future__ import annotations

from sockql.errors import QueryError
from sockql.grouping import CELLS
from sockql.scan import INET_IN, plan
from sockql.schema import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    import apsw

    from sockql.engine import Engine
    from sockql.schema import Getter, Table, Value

_NOTHING: Iterator[Any] = iter(())


class Module:
    """The module of one table: SQLite connects it when a statement first names the table.

    Only then is the table's own Python module imported; a hundred registered tables cost a
    one-shot query nothing.
    """

    def __init__(self, engine: Engine, load: Callable[[], Table[Any]]) -> None:
        self.engine = engine
        self.load = load

    def Connect(  # noqa: N802 (apsw's name)
        self, _connection: apsw.Connection, _module: str, _database: str, _table: str, *_: str
    ) -> tuple[str, VirtualTable]:
        table = self.load()
        if self.engine.dialect.as_osquery and isinstance(table, View):
            # Its SELECT would mean osquery's tables, so it was not made.
            name = table.schema.name
            raise QueryError(f"{name} is a view of sockql's own tables; leave out --osquery")
        return table.schema.ddl(), VirtualTable(self.engine, table)

    Create = Connect


class VirtualTable:
    """One connected table."""

    def __init__(self, engine: Engine, table: Table[Any]) -> None:
        self.engine = engine
        self.table = table
        self.getters: tuple[Getter, ...] = tuple(column.get for column in table.schema.columns)

    def BestIndexObject(self, info: apsw.IndexInfo) -> bool:  # noqa: N802
        """Choose the conditions to take over; called several times for a statement."""
        plan(self.table, info, self.engine.scans, self.engine.estimating(self.table))
        return True

    def FindFunction(  # noqa: N802
        self, name: str, arguments: int
    ) -> tuple[int, Callable[..., Value]] | None:
        """Take ``inet_in(column, prefix)`` as a condition that may be pushed down."""
        if name == "inet_in" and arguments == 2:
            from sockql.functions import inet_in

            return INET_IN, inet_in
        return None

    def Open(self) -> Cursor:  # noqa: N802
        return Cursor(self)

    def Disconnect(self) -> None:  # noqa: N802
        """Nothing is held."""

    Destroy = Disconnect


class Cursor:
    """A scan that is running: the record SQLite looks at, and where the next one comes from."""

    __slots__ = ("engine", "getters", "iterator", "number", "record", "rowid", "run", "table")

    def __init__(self, table: VirtualTable) -> None:
        self.engine = table.engine
        self.table = table
        self.getters = table.getters
        self.number = -1
        #: The scan that the last xFilter began; a cursor lives no longer than its statement.
        self.run: Callable[[tuple[Any, ...]], Iterator[Any]] | None = None
        self.iterator = _NOTHING
        self.record: Any = None
        self.rowid = 0

    def Filter(self, number: int, _name: str, values: tuple[Any, ...]) -> None:  # noqa: N802
        run = self.run
        if run is None or number != self.number:
            scan = self.engine.scans[number]
            # The two passes of a FULL JOIN are two scans of one cursor.
            grouped = self.engine.statement.run(scan).grouped
            self.getters = CELLS if grouped else self.table.getters
            self.number = number
            run = self.run = self.engine.statement.filter(scan)
        self.iterator = run(values)
        if number in self.engine.statement.analysis.numbered:
            self.iterator = self._numbered(self.iterator)
        self.record = next(self.iterator, None)

    def _numbered(self, records: Iterator[Any]) -> Iterator[Any]:
        """``records``, the rowid of each set before it is given."""
        statement = self.engine.statement
        table = self.engine.scans[self.number].table.schema
        used = statement.analysis.columns[table.name]
        getters = [self.getters[column.position] for column in table.columns if column.name in used]
        seen: dict[tuple[Value, ...], int] = {}
        for record in records:
            cells = tuple([get(record) for get in getters])
            same = seen[cells] = seen.get(cells, -1) + 1
            self.rowid = statement.rowids.setdefault(
                (table.name, cells, same), len(statement.rowids) + 1
            )
            yield record

    def Next(self) -> None:  # noqa: N802
        self.record = next(self.iterator, None)

    def Eof(self) -> bool:  # noqa: N802
        return self.record is None

    def Column(self, position: int) -> Value:  # noqa: N802
        return self.getters[position](self.record)

    def Rowid(self) -> int:  # noqa: N802
        """The number of the row, see :attr:`Statement.rowids`; any where nobody foresaw that."""
        return self.rowid or id(self.record)

    def Close(self) -> None:  # noqa: N802
        self.iterator = _NOTHING
        self.record = None
