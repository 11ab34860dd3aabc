"""The tables that a saved query takes as parameters, as temporary tables of the connection."""

from __future__ import annotations

from sockql.errors import NotCaptured, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from sockql.engine import Engine
    from sockql.saved.binding import Binding
    from sockql.saved.query import Param, Query


class Tables:
    """A context in which a query runs: its tables are there, each under its parameter's name.

    :raises UsageError: when there is such a temporary table already, or a file cannot be loaded.
    :raises NotCaptured: for a query of the live host over a snapshot, or a copy of a procfs.
    """

    def __init__(self, engine: Engine, query: Query, binding: Binding) -> None:
        self._engine = engine
        self._query = query
        self._binding = binding
        self._made: list[str] = []

    def __enter__(self) -> None:
        if self._query.live:
            self._refuse_what_is_recorded()
        try:
            for name, file in self._binding.tables.items():
                self._make(self._query.params[name], file)
                self._made.append(name)
        except BaseException:
            self._drop()
            raise

    def _refuse_what_is_recorded(self) -> None:
        from sockql.proc.procfs import is_procfs

        said = f"{self._query.name} looks for what only the live host can tell"
        if self._engine.file is not None:
            raise NotCaptured(f"{self._engine.file}: {said}; no snapshot has it")
        if not is_procfs(self._engine.host):
            raise NotCaptured(f"{self._engine.host.proc_path}: {said}; this is a copy of a procfs")

    def _make(self, param: Param, file: str | None) -> None:
        from sockql.loading.lists import create, load

        there = "select 1 from sqlite_temp_master where name = :name collate nocase"
        if self._engine.query(there, {"name": param.name}):
            raise UsageError(f"there is a temporary table {param.name} already")
        if file is not None:
            load(self._engine, param.name, file, param.columns)
            return
        rows = param.default if isinstance(param.default, tuple) else ()
        create(self._engine, param.name, param.columns, [""] * len(param.columns), rows)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._drop()

    def _drop(self) -> None:
        from sockql.loading.names import quoted

        for name in self._made:
            # As a statement of the engine: it ends one that still has rows to give.
            self._engine.query(f"drop table temp.{quoted(name)}")
        self._made.clear()
