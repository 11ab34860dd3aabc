"""Declarations: what a table is, what a column is, and what SQLite asks of them.

A table is one class in one file under ``tables/``.  Its class attributes are its columns, in the
order users see them, and the class is at once the schema, the documentation, the completion and
the contract test; nothing about a row is spelled twice::

    class Sockets(Table[SocketRecord], examples=["select src, sport from sockets"]):
        '''Sockets, one row for each.'''

        inode = integer("Inode of the socket; NULL when no descriptor refers to it.",
                        source="idiag_inode", get=lambda r: r[INODE] or None, index=True)

        def records(self, request, host): ...

The modules on the path of a one-shot query are imported on every start, so they import little:
``typing`` alone would cost as much as SQLite.
"""

from __future__ import annotations

from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

    from sockql.host import Host
    from sockql.request import Request

    Value: TypeAlias = int | float | str | bytes | None
    Getter: TypeAlias = Callable[[Any], Value]
    Bulk: TypeAlias = Callable[[Sequence[Any]], list[Any]]
    Record = TypeVar("Record")

    class _Records(Generic[Record]):
        """What ``Table[Record]`` means to a type checker."""
else:
    Record = None

    class _Records:
        """At run time ``Table[Record]`` is ``Table``; importing ``typing`` is not worth it."""

        def __class_getitem__(cls, record: object) -> type:
            return cls


INTEGER: Final = "INTEGER"
REAL: Final = "REAL"
TEXT: Final = "TEXT"
BLOB: Final = "BLOB"

# What a column's conditions may be turned into by its table (``Column.push``).
EQUAL: Final = 1  # = and IN
RANGE: Final = 2  # < <= > >= and BETWEEN
CIDR: Final = 4  # inet_in(column, 'prefix')
LIKE: Final = 8  # LIKE without ESCAPE

#: The closed set of units a column may name.
UNITS: Final = frozenset(
    {
        "bytes",
        "bytes/second",
        "connections",
        "kibibytes",
        "microseconds",
        "milliseconds",
        "packets",
        "seconds",
        "seconds since the epoch",
        "segments",
    }
)


def _no_record(_record: Any) -> Value:
    """The getter of a view's column, which SQLite computes."""
    raise TypeError("a view has no records")


class Column:
    """One column: what it says, where the kernel says it, and how a record gives it.

    ``collation`` is one that is not SQLite's own; such a column's conditions are SQLite's alone.
    ``declared`` is how CREATE TABLE spells the type where that is not ``type`` itself: BIGINT has
    the affinity of INTEGER.  ``get`` takes the table's record and returns the cell; it is called
    only for cells that SQLite asks for.  ``bulk`` gives the cells of many records at less cost
    than ``get`` for each; where there is none :meth:`cells` does without.  ``push``
    (``EQUAL | RANGE | CIDR | LIKE``) names the conditions that the table
    understands in its :class:`Request`; it may still over-deliver, every row is checked again
    unless ``exact`` promises that the table never does for an ``=`` on this column.
    ``lookup`` says that the source finds the rows of one value without reading the others, so
    that an inner loop may ask for value after value (``pid``: straight to /proc/N); a join on any
    other column is answered from an index that the engine builds once in a statement.
    ``parameter`` says that a condition on it tells the source what to read: its rows are not
    among those of a request without it (a path, another root directory).  ``unlisted`` says so of
    some of its rows only: what has the value is found by it, though no listing may have it (the
    number of a thread in /proc).  ``late`` says that the cell is read only when it is asked for, so
    that its conditions are left to SQLite, after all others.  ``index``
    says that a value of the column is shared by few rows.  ``needs`` is a bit set
    with a meaning of the table's own (attributes to request, files to read); the request carries
    the union over the columns in use.  ``values`` is the closed set of texts, where there is one;
    ``usual`` are the common ones of an open set, for completion.
    """

    __slots__ = (
        "bulk",
        "collation",
        "declared",
        "doc",
        "exact",
        "get",
        "hidden",
        "index",
        "late",
        "lookup",
        "name",
        "needs",
        "nocase",
        "parameter",
        "position",
        "push",
        "source",
        "type",
        "unit",
        "unlisted",
        "usual",
        "values",
    )

    name: str
    position: int

    def __init__(
        self,
        type: str,
        doc: str,
        *,
        source: str,
        get: Getter = _no_record,
        bulk: Bulk | None = None,
        collation: str | None = None,
        declared: str | None = None,
        exact: bool = False,
        hidden: bool = False,
        index: bool = False,
        late: bool = False,
        lookup: bool = False,
        needs: int = 0,
        nocase: bool = False,
        parameter: bool = False,
        push: int = 0,
        unit: str | None = None,
        unlisted: bool = False,
        usual: Sequence[str] = (),
        values: Sequence[str] | None = None,
    ) -> None:
        self.type = type
        self.collation = collation
        self.declared = declared or type
        self.doc = doc
        self.source = source
        self.get = get
        self.bulk = bulk
        self.exact = exact
        self.hidden = hidden
        self.index = index
        self.late = late
        self.lookup = lookup or parameter
        self.unlisted = unlisted
        self.needs = needs
        self.nocase = nocase
        self.parameter = parameter or unlisted
        self.push = push
        self.unit = unit
        self.usual = tuple(usual)
        self.values = tuple(values) if values is not None else None

    def cells(self, records: Sequence[Any]) -> list[Any]:
        """The cells of ``records``."""
        bulk = self.bulk
        return list(map(self.get, records)) if bulk is None else bulk(records)

    def ddl(self) -> str:
        """The column as CREATE TABLE spells it."""
        collation = "NOCASE" if self.nocase else self.collation
        collate = f" COLLATE {collation}" if collation else ""
        hidden = " HIDDEN" if self.hidden else ""
        return f'"{self.name}" {self.declared}{hidden}{collate}'


integer = partial(Column, INTEGER)
real = partial(Column, REAL)
text = partial(Column, TEXT)
blob = partial(Column, BLOB)


class Schema:
    """Name, documentation and columns of a table, as collected from its class."""

    __slots__ = ("by_name", "columns", "doc", "examples", "key", "name", "parameters")

    def __init__(
        self,
        name: str,
        doc: str,
        columns: tuple[Column, ...],
        examples: tuple[str, ...] = (),
        key: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        #: Columns that no two rows have in common, NULL in none but a few odd rows; may be none.
        self.key = key
        self.doc = doc
        self.columns = columns
        self.examples = examples
        self.by_name = {column.name: column for column in columns}
        #: Whether a column tells the source what to read.
        self.parameters = any(column.parameter and not column.unlisted for column in columns)

    @property
    def visible(self) -> tuple[Column, ...]:
        """The columns of ``select *``."""
        return tuple(column for column in self.columns if not column.hidden)

    def ddl(self) -> str:
        """``CREATE TABLE`` for :c:func:`sqlite3_declare_vtab`, hidden columns marked."""
        body = ", ".join(column.ddl() for column in self.columns)
        return f'CREATE TABLE "{self.name}"({body})'


class Declared:
    """What tables and views have in common: columns as class attributes.

    The name in SQL is that of the class in snake case: ``ProcessFiles`` is ``process_files``.
    """

    schema: ClassVar[Schema]

    def __init_subclass__(
        cls, *, examples: Sequence[str] = (), key: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        columns: list[Column] = []
        for base in reversed(cls.__mro__):
            for attribute, column in vars(base).items():
                if isinstance(column, Column):
                    column.name = attribute
                    column.position = len(columns)
                    columns.append(column)
        name = "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("_")
        doc = (cls.__doc__ or "").strip()
        cls.schema = Schema(name, doc, tuple(columns), tuple(examples), tuple(key))


class View(Declared):
    """A SELECT under a name; its columns are declared for what they mean, not how to get them.

    They are declared in the order of the SELECT, without ``get``, and none of them is hidden.
    Conditions reach the tables below as if they stood in the SELECT.
    """

    #: The SELECT.
    sql: ClassVar[str]


class Table(_Records[Record], Declared):
    """A virtual table: columns as class attributes and a generator of records.

    Subclasses name their record type, declare columns, and implement :meth:`records`; they hold
    no state, one instance serves every statement.
    """

    #: Whether it can be asked for all its rows: not where only a condition says what to read.
    whole: ClassVar[bool] = True

    def records(self, request: Request, host: Host) -> Iterable[Record]:
        """Yield one record for each row that may satisfy ``request``.

        :raises sockql.errors.DataError: when the source cannot be read at all; what is only
            partly unreadable is said through ``host.notice()``.
        """
        raise NotImplementedError

    def tallies(
        self, request: Request, host: Host, columns: set[str]
    ) -> Iterable[tuple[Record, int]] | None:
        """Records for ``request``, each with the number of rows that it stands for.

        Rows are told apart by ``columns`` alone, so that one record may stand for many; None
        when that is no less work than :meth:`records`.
        """
        return None

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        """``(rows, cost)`` of :meth:`records` for ``request``, in rows and in microseconds.

        Called while SQLite plans, several times in a statement: must be cheap, must not collect.
        Values of conditions may be unknown then; see :meth:`Request.values`.
        """
        raise NotImplementedError
