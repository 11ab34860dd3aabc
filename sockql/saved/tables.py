"""The tables that a saved query takes as parameters, as temporary tables of the connection."""

from __future__ import annotations

from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from sockql.engine import Engine
    from sockql.saved.binding import Binding
    from sockql.saved.query import Query
    from sockql.schema import Value


class Tables:
    """A context in which the tables of a binding are there, each under its parameter's name.

    :raises UsageError: when there is such a temporary table already, or a file cannot be loaded.
    """

    def __init__(self, engine: Engine, query: Query, binding: Binding) -> None:
        self._engine = engine
        self._query = query
        self._binding = binding
        self._made: list[str] = []

    def __enter__(self) -> None:
        try:
            for name, file in self._binding.tables.items():
                self._make(name, file)
        except BaseException:
            self._drop()
            raise

    def _make(self, name: str, file: str | None) -> None:
        param = self._query.params[name]
        rows = param.default if isinstance(param.default, tuple) else ()
        create(self._engine, name, param.columns, rows)
        self._made.append(name)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._drop()

    def _drop(self) -> None:
        for name in self._made:
            self._engine.connection.execute(f"DROP TABLE temp.{quoted(name)}")
        self._made.clear()


def create(
    engine: Engine, name: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]
) -> None:
    """Make a temporary table of ``rows``; its columns have no affinity.

    :raises UsageError: when there is one of that name already.
    """
    connection = engine.connection
    there = "select 1 from sqlite_temp_master where name = :name collate nocase"
    if engine.query(there, {"name": name}):
        raise UsageError(f"there is a temporary table {name} already")
    names = ", ".join(map(quoted, columns))
    connection.execute(f"CREATE TEMP TABLE {quoted(name)} ({names})")
    places = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT INTO temp.{quoted(name)} VALUES ({places})", rows)  # noqa: S608 (quoted)


def quoted(name: str) -> str:
    """``name`` as SQL has it, whatever characters are in it."""
    return '"' + name.replace('"', '""') + '"'
