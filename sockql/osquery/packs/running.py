"""Running what applies of a pack, and saying of every query what came of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from sockql.errors import (
    DataError,
    Interrupted,
    QueryError,
    SockqlError,
    TimeoutExpired,
    UsageError,
)
from sockql.sqltext import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, Final, TypeAlias

    from sockql.engine import Engine
    from sockql.osquery.packs.pack import Pack, PackFile, PackQuery

    #: What each query runs in: its limit of time, and its line on the terminal.
    Limit: TypeAlias = Callable[[], AbstractContextManager[object]]

# What came of a query.
RAN: Final = "ran"  # what it found is in the outcome
PASSED: Final = "passed"  # a policy that has a row
FAILED: Final = "failed"  # a policy that has none
SKIPPED: Final = "skipped"  # it is not for this host, or needs what sockql does not have
WRONG: Final = "error"  # the file or the SQL is wrong, or the data could not be had

#: How SQLite says that there is no such thing, and what it is.
_MISSING: Final = {"no such table: ": "table", "no such function: ": "function"}


@dataclass
class Outcome:
    """What came of a query; ``reason`` says why it has no rows to show.

    ``status`` is the exit status that it asks for: 0, or what is wrong.  ``missing`` tells a query
    that sockql cannot answer from one that is not for this host.
    """

    pack: Pack
    query: PackQuery
    result: str
    reason: str | None = None
    status: int = 0
    missing: bool = False
    error: SockqlError | None = None
    columns: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    seconds: float | None = None
    notices: list[str] = field(default_factory=list)


def outcomes(engine: Engine, file: PackFile, limited: Limit) -> Iterator[Outcome]:
    """Run what applies of ``file``, query after query, all over one snapshot of the host.

    :func:`make_views` comes first.  At the end the engine's notices tell what all of them together
    lack.

    :raises Interrupted: when the user has had enough.
    """
    skipped = {id(pack): not_here(engine, pack, limited) for pack in file.packs}
    engine.share()
    said: set[str] = set()
    try:
        for pack in file.packs:
            for query in pack.queries if skipped[id(pack)] is None else ():
                if query.skip is None:
                    with suppress(QueryError, DataError):  # it is told when the query is run
                        engine.foresee(query.sql)
        for pack in file.packs:
            for query in pack.queries:
                found = outcome(engine, pack, query, skipped[id(pack)], limited)
                said.update(found.notices)
                yield found
    finally:
        together = engine.shared_notices
        tables = {text.partition(":")[0] for text in together}
        others = [
            text
            for text in engine.notices
            if text not in said or text.partition(":")[0] not in tables
        ]
        engine.notices[:] = dict.fromkeys([*others, *together])
        engine.thaw()


def make_views(engine: Engine, file: PackFile) -> None:
    """Give the queries the views of a configuration; one that cannot be made is a notice."""
    for name, (sql, where) in file.views.items():
        quoted = name.replace('"', '""')
        try:
            if len(statements(sql)) != 1:
                raise QueryError("a view is one SELECT")  # noqa: TRY301  told as SQLite's own are
            engine.query(f'create temp view "{quoted}" as {sql}')
        except QueryError as error:
            file.notices.append(f"{where}: the view {name}: {error}")


def decorations(engine: Engine, file: PackFile, limited: Limit) -> dict[str, Any]:
    """The columns of the first row of each decorator; one that fails is a notice.

    :raises Interrupted: when the user has had enough.
    """
    found: dict[str, Any] = {}
    for sql in file.decorators:
        try:
            with limited():
                for result in engine.execute(sql):
                    found.update(zip(result.columns, next(iter(result), ())))
        except Interrupted:
            raise
        except SockqlError as error:
            file.notices.append(f"the decorator {' '.join(sql.split())}: {error}")
    return found


def not_here(engine: Engine, pack: Pack, limited: Limit) -> str | None:
    """Why a pack does not run here: what its file says, or that a discovery query has no row."""
    if pack.skip is not None:
        return pack.skip
    for sql in pack.discovery:
        said = " ".join(sql.split())
        try:
            with limited():
                found = engine.query(sql)
        except (QueryError, DataError, TimeoutExpired) as error:
            return f"its discovery query failed: {said}: {error}"
        if not found:
            return f"its discovery query has no row: {said}"
    return None


def outcome(
    engine: Engine,
    pack: Pack,
    query: PackQuery,
    not_here: str | None,
    limited: Limit,
) -> Outcome:
    """Run a query, unless it does not apply.

    :raises Interrupted: when the user has had enough.
    """
    reason = not_here or query.skip
    if reason is not None:
        wrong = not_here is None and query.wrong
        return Outcome(pack, query, WRONG if wrong else SKIPPED, reason, 2 if wrong else 0)
    started = perf_counter()
    found = Outcome(pack, query, RAN)
    try:
        with limited():
            for result in engine.execute(query.sql):
                _add_rows(found, result.columns, list(result))
                found.notices += [each for each in result.notices if each not in found.notices]
    except QueryError as error:
        missing = _missing(str(error))
        if missing is not None:
            return Outcome(pack, query, SKIPPED, missing, missing=True)
        reason = f"{query.where}: {error}"
        return Outcome(pack, query, WRONG, reason, error.status, error=error)
    except Interrupted:
        raise
    except SockqlError as error:
        return Outcome(pack, query, WRONG, str(error), error.status, error=error)
    found.seconds = perf_counter() - started
    if query.policy:
        found.result = PASSED if found.rows else FAILED
        found.status = 0 if found.rows else 1
    return found


def _add_rows(found: Outcome, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Add the rows of a statement to those before it, as osquery does; mostly there are none.

    A column that other statements of the query do not have is NULL in their rows.
    """
    if not found.columns or found.columns == columns:
        found.columns = columns
        found.rows += rows
        return
    every = tuple(dict.fromkeys([*found.columns, *columns]))
    more = (None,) * (len(every) - len(found.columns))
    found.rows = [row + more for row in found.rows]
    found.rows += [tuple(map(dict(zip(columns, row)).get, every)) for row in rows]
    found.columns = every


def _missing(message: str) -> str | None:
    """For an error of SQLite: that osquery has a table, or a function, which sockql has not."""
    for start, what in _MISSING.items():
        if message.startswith(start):
            name = message[len(start) :].rpartition(".")[2]
            return f"it needs the {what} {name}, which is not here"
    return None


def find(file: PackFile, name: str) -> tuple[Pack, PackQuery]:
    """The query that is called ``name``, ``PACK/QUERY``, or as osquery's logs would have it.

    :raises UsageError: when there is none, or more than one.
    """
    every = [(pack, query) for pack in file.packs for query in pack.queries]
    found = [
        (pack, query)
        for pack, query in every
        if name in (query.name, f"{pack.name}/{query.name}", query.scheduled)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(f"{pack.name}/{query.name}" for pack, query in found)
        raise UsageError(f"--query {name}: say which: {names}")
    from difflib import get_close_matches

    close = get_close_matches(name, [query.name for _, query in every], 1)
    meant = f"; did you mean {close[0]}?" if close else ""
    raise UsageError(f"--query {name}: there is no such query{meant}")


def worst(file: PackFile, outcomes: Sequence[Outcome], *, strict: bool) -> int:
    """The exit status: of a policy that failed, as audits have it, else of what went wrong.

    That includes the mistakes in the file.  With ``strict`` also of what is not here, or could not
    be read.
    """
    statuses = {outcome.status for outcome in outcomes}
    if file.mistakes:
        statuses.add(2)
    for status in (1, 2, 124, 3):
        if status in statuses:
            return status
    lacking = any(outcome.missing or outcome.notices for outcome in outcomes)
    return 3 if strict and lacking else 0
