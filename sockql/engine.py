"""The engine: SQL text in, rows out.

One in-memory SQLite connection whose tables are virtual; one :class:`Snapshot` for each
statement.  ARCHITECTURE.md tells the way from the text to the rows.
"""

from __future__ import annotations

import gc
from functools import partial
from time import perf_counter, time

import apsw

from sockql.analysis import Analysis, analyse
from sockql.authorizer import authorize
from sockql.dialect import SOCKQL
from sockql.errors import QueryError, SockqlError
from sockql.named import Named
from sockql.request import Request
from sockql.result import Result
from sockql.scan import Scans
from sockql.schema import Table
from sockql.snapshot import Snapshot
from sockql.sqltext import distinct, statements
from sockql.statement import Statement
from sockql.stopping import Stopping
from sockql.vtab import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Final

    from sockql.dialect import Dialect
    from sockql.direct import DirectCursors
    from sockql.host import Host
    from sockql.report import Plan
    from sockql.request import Constraint
    from sockql.schema import Value

#: Virtual machine instructions between two looks at the clock and at pending signals; about 2 ms.
_PROGRESS: Final = 50_000


class Engine:
    """A connection to the virtual tables of one :class:`~sockql.host.Host`.

    Its tables are those of ``dialect``.  In osquery's, functions of SQLite do what osquery's do,
    and a text may stand in double quotes, as it does in many a published query.

    Not for use by several threads at once; :meth:`interrupt` may be called from any.
    """

    #: The snapshot file that the rows are from; None where they are those of a live host.
    file: str | None = None
    #: When that snapshot was taken, in UTC.
    taken: str | None = None

    def __init__(self, host: Host, dialect: Dialect = SOCKQL) -> None:
        self.host = host
        self.dialect = dialect
        #: Seconds that one statement may run, None for no limit.
        self.timeout: float | None = None
        #: When all statements have to end, in seconds of time.perf_counter(); None for no limit.
        self.deadline: float | None = None
        #: Called now and then while a statement runs, to raise when nobody reads what it gives.
        self.reader: Callable[[], None] | None = None
        self.scans = Scans()
        self.statement = Statement(host, Analysis())
        self._result: Result | None = None
        self._gc = False
        self._shared: Snapshot | None = None
        self._said: list[str] = []
        self._stopping = Stopping(self)
        host.check = self._stopping.check
        #: The connection itself, for programs: its cursors may be used as apsw has them, and run
        #: side by side with those of :meth:`execute`.
        self.connection = apsw.Connection(
            ":memory:",
            apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI,
            statementcachesize=0,  # a statement runs as it was analysed, not as it was once planned
        )
        # Sorting must not spill into files, and what a view says must not run as code.
        self.connection.execute("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF")
        self.connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        # A misspelled name in double quotes is an error, not a text that equals nothing.
        self.connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, int(dialect.as_osquery))
        self.connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, int(dialect.as_osquery))
        self.connection.set_progress_handler(self._stopping.progress, _PROGRESS)
        #: Views, functions and collations that it gets when a statement names them.
        self.named = Named(self)
        self.connection.collation_needed(self.named.collation)
        #: What gives each table or view, by its name.
        self.loaders: dict[str, Callable[[], Any]] = {}
        for name in (*dialect.names, *dialect.others):
            self.add(name, partial(dialect.load, name))
        self.connection.authorizer = authorize
        self._direct: DirectCursors | None = None
        self.connection.cursor_factory = self._directly

    def add(self, name: str, load: Callable[[], Any]) -> None:
        """Make a table known as ``name``; ``load`` is called when a statement first names it."""
        self.loaders[name] = load
        # apsw's protocol asks for methods that only writable tables need.
        module: Any = Module(self, load)
        self.connection.create_module(
            name,
            module,
            use_bestindex_object=True,
            eponymous=True,
            read_only=True,
        )

    def cursor(self) -> apsw.Cursor:
        """A plain cursor of the connection, whose statements are none that anybody tracks."""
        try:
            self.connection.cursor_factory = apsw.Cursor
            cursor = self.connection.cursor()
            self.connection.cursor_factory = self._directly
        except apsw.ConnectionClosedError as error:
            raise self.explain_error(error, "") from None
        return cursor

    def _directly(self, connection: apsw.Connection) -> apsw.Cursor:
        """A cursor for a program, whose statements are tracked."""
        if self._direct is None:
            from sockql.direct import DirectCursors

            self._direct = DirectCursors(self)
        return self._direct(connection)

    def trusted(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run SQL of our own, which may do more than that of users; its rows."""
        self.connection.authorizer = None
        try:
            return list(self.cursor().execute(sql, values))
        finally:
            self.connection.authorizer = authorize

    # -- running --------------------------------------------------------------------------

    def execute(self, sql: str, params: Mapping[str, Value] | None = None) -> Iterator[Result]:
        """Run each statement of ``sql`` in turn, with ``:name`` bound from ``params``.

        A result has to be read (or closed) before the next one is taken.

        :raises UsageError: when the engine is closed.
        :raises QueryError: wrong SQL, a parameter without a value, or of a value that SQLite does
            not have.
        :raises DataError: a source that cannot be read at all.
        """
        if params or not isinstance(sql, str):
            from sockql.explain import refuse

            refuse(sql, params)
        for statement in statements(sql):
            result = self._run(statement, params or {}, tracing=False)
            yield result
            result.close()

    def query(self, sql: str, params: Mapping[str, Value] | None = None) -> list[tuple[Any, ...]]:
        """Run all statements; the rows of the last."""
        rows: list[tuple[Any, ...]] = []
        for result in self.execute(sql, params):
            rows = list(result)
        return rows

    def plan(self, sql: str, params: Mapping[str, Value] | None = None) -> Plan:
        """Run one statement, throw its rows away, and say what each table was asked and gave.

        :raises QueryError: also when ``sql`` is not exactly one statement.
        """
        from sockql.report import Plan, tree

        found = statements(sql)
        if len(found) != 1:
            raise QueryError(f"plan takes one statement, not {len(found)}", sql=sql)
        params = params or {}
        started = perf_counter()
        result = self._run(found[0], params, tracing=True)
        statement = self.statement
        rows = sum(1 for _ in result)
        seconds = perf_counter() - started
        nodes = self.cursor().execute(found[0], params, explain=2)
        return Plan(found[0], statement, rows, seconds, tree(nodes))

    def freeze(self) -> float:
        """Collect every table of the dialect whole, and answer from that until :meth:`thaw`.

        Returns when, in seconds since the epoch.
        """
        from sockql.sharing import Everything

        self._shared = Snapshot(sharing=Everything())
        now = time()
        try:
            for name, load in self.loaders.items():
                table = None if name in self.dialect.others else load()
                if isinstance(table, Table) and table.whole:
                    self.query(f'select count(*) from main."{name}"')  # noqa: S608 (our names)
        except BaseException:
            self._shared = None
            raise
        return now

    def share(self) -> None:
        """Let the statements that :meth:`foresee` is told of see one instant, until :meth:`thaw`.

        Each table is collected once, when a statement first asks for it: with the columns that
        any of them uses, and the rows that any of them may want.  Others may be run in between;
        they see what was collected if that is enough, else the live host.
        """
        from sockql.sharing import Sharing

        self._shared = Snapshot(sharing=Sharing())

    def foresee(self, sql: str, params: Mapping[str, Value] | None = None) -> None:
        """Count in a statement that will be run, before any of them is.

        :raises QueryError: wrong SQL, a parameter without a value.
        """
        assert self._shared is not None, "share() comes first"
        assert self._shared.sharing is not None
        # Estimates are made from what is in the snapshot.
        self.statement = Statement(self.host, Analysis(), snapshot=self._shared)
        for statement in statements(sql):
            try:
                self.named.make(statement)
                self._shared.sharing.add(self._analyse(statement, params or {}))
            except (apsw.Error, KeyError, UnicodeError) as error:
                raise self.explain_error(error, statement) from None

    @property
    def shared_seconds(self) -> float:
        """How long it took to collect what the statements share."""
        return self._shared.seconds() if self._shared else 0.0

    @property
    def shared_notices(self) -> list[str]:
        """What lacks of all that the statements share, where each says what its answer lacks."""
        return self._shared.notices() if self._shared else []

    def thaw(self) -> None:
        """Let the shared snapshot go: statements see the live host again."""
        self._shared = None

    @property
    def notices(self) -> list[str]:
        """What the answers so far lack, a line each."""
        return self.host.notices

    def interrupt(self) -> None:
        """Stop the running statement: it raises :class:`Interrupted` within milliseconds."""
        self._stopping.interrupt()
        self.connection.interrupt()

    def close(self) -> None:
        """Close the connection and the host."""
        if self._result is not None:
            self._result.close()
        self.connection.close(True)
        self.host.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- one statement --------------------------------------------------------------------

    def _run(self, sql: str, params: Mapping[str, Value], *, tracing: bool) -> Result:
        if self._result is not None:
            self._result.close()
        self._stopping.begin()
        if self._shared is not None:
            self._said, self.host.notices = self.host.notices, []
        self.statement = Statement(self.host, Analysis(), snapshot=self._shared)
        beside = self._direct is not None and self._direct.running()
        cursor = self.cursor()
        columns: list[str] = []
        parameters: list[Value] = []

        def prepared(cursor: apsw.Cursor, _sql: str, _bindings: object) -> bool:
            """A completed cursor has no description any more, so take it before the first step."""
            columns.extend(name for name, *_ in cursor.description)
            parameters.extend(params[name] for name in cursor.bindings_names if name is not None)
            return True

        cursor.exec_trace = prepared
        # Short-lived records by the hundred thousand and no cycles: nothing for it to find.
        self._gc = gc.isenabled()
        gc.disable()
        try:
            self.named.make(sql)
            self.scans.queried = None
            analysis = Analysis() if beside else self._analyse(sql, params)
            self.statement = Statement(self.host, analysis, tracing=tracing, snapshot=self._shared)
            cursor.execute(sql, params, prepare_flags=0)
        except BaseException as error:
            cursor.close(True)
            self.finish(None)
            if isinstance(error, (apsw.Error, KeyError, UnicodeError)):
                raise self.explain_error(error, sql) from None
            raise
        self._result = Result(self, self.statement, sql, cursor, distinct(columns), parameters)
        return self._result

    def begin(self, sql: str, values: Any = (), *, alone: bool = False) -> None:
        """A cursor of the connection is about to run ``sql``, ``alone`` or beside another one.

        A scan learns what is wanted of it when it begins, which may be late in its statement.  So
        where several run side by side each scan is answered with all columns.
        """
        self.named.make(sql)
        analysis = Analysis()
        self.scans.queried = None
        if alone and self._result is None:
            try:
                analysis = self._analyse(sql, values)
            except (apsw.Error, SockqlError, KeyError, TypeError):
                analysis = Analysis()  # it fails by itself
            analysis.counts = analysis.loops = None  # whose rows SQLite would not see
        self._stopping.begin()
        self.statement = Statement(self.host, analysis, snapshot=self._shared)

    def _analyse(self, sql: str, params: Mapping[str, Value]) -> Analysis:
        def explain(mode: int) -> Iterator[Any]:
            # A cursor of its own: EXPLAIN rows are not the statement's.
            return iter(self.cursor().execute(sql, params, explain=mode))

        queried: set[tuple[str, str]] = set()
        self.scans.queried = queried
        try:
            while True:
                found = analyse(explain(1), lambda: explain(2), self.scans)
                if found.queried <= queried:
                    return found
                queried |= found.queried
        except BaseException:
            self.scans.queried = None
            raise

    def estimating(self, table: Table[Any]) -> Callable[[list[Constraint]], tuple[Request, Host]]:
        """What :func:`sockql.scan.plan` needs to ask ``table`` for its estimate."""
        snapshot = self.statement.snapshot
        return lambda known: (Request(table.schema, snapshot, constraints=known), self.host)

    def finish(self, result: Result | None) -> None:
        """Let the snapshot of ``result`` go; called by the result itself."""
        if result is self._result:
            if self._shared is not None:
                lacking = [*self.statement.notices(), *self.host.notices]
                self.host.notices = self._said
                for notice in lacking:
                    self.host.notice(notice)
                if result is not None:
                    result.notices = lacking
            self._result = None
            self.statement = Statement(self.host, Analysis())
            if self._gc:
                gc.enable()

    def explain_error(self, error: BaseException, sql: str) -> SockqlError:
        """SQLite's error as ours."""
        from sockql.explain import explained

        return explained(error, sql, self.dialect)
