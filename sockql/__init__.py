"""sockql: SQL over the live sockets, processes and file descriptors of a Linux host.

>>> import sockql
>>> sockql.query("select pid, sport from sockets join fds using(inode) where sport = :port", {"port": 22})
[{'pid': 812, 'sport': 22}]
>>> with sockql.connect() as db:
...     for row in db.query("select pid, sport from sockets join fds using(inode)"):
...         print(row)
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Iterable, Mapping
    from typing import Any

    import sqlite_utils

    from sockql.engine import Engine
    from sockql.errors import DataError, Interrupted, QueryError, TimeoutExpired, UsageError
    from sockql.errors import SockqlError as Error
    from sockql.host import Stat
    from sockql.schema import Value

__all__ = [
    "DataError",
    "Error",
    "Interrupted",
    "QueryError",
    "TimeoutExpired",
    "UsageError",
    "connect",
    "materialise",
    "query",
]


def __getattr__(name: str) -> Any:
    """The errors, which are imported when a program names one."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import sockql.errors

    return getattr(sockql.errors, "SockqlError" if name == "Error" else name)


def connect(
    proc: str = "/proc",
    *,
    netns: str = "",
    stat: Stat = "cached",
    osquery: bool = False,
    snapshot: str | os.PathLike[str] | None = None,
    at: str = "",
) -> Engine:
    """An engine over the host whose procfs is mounted at ``proc``; close it when done.

    ``netns`` says which network namespaces its tables are about: ``self``, the name of one, the
    number of a process that is in it, or ``all``; empty for all but those that only a descriptor
    leads to.  ``stat`` says what may be asked about files: what the kernel knows already
    (``cached``), what a server says who may not answer (``fresh``), or nothing (``never``).
    ``osquery`` is the option of that name: osquery's tables, functions and quotes.

    With ``snapshot``, a file that ``sockql snapshot`` has written, the tables are those of the
    newest snapshot in it, or of the one that ``at`` means, as ``--at`` takes it.

    :raises sockql.UsageError: for a file that holds no snapshots, and what is no time.
    :raises sockql.DataError: for a snapshot that is not in the file.
    """
    if snapshot is not None:
        from os import fsdecode

        if (proc, netns, stat, osquery) != ("/proc", "", "cached", False):
            from sockql.errors import UsageError

            raise UsageError(
                "a snapshot is of a file: there is no proc, netns, stat or osquery to it"
            )
        from sockql.archive.replay import Replay

        return Replay(fsdecode(snapshot), at)
    if at:
        from sockql.errors import UsageError

        raise UsageError("at picks a snapshot: snapshot says of which file")
    if stat not in ("cached", "fresh", "never"):
        from sockql.errors import UsageError

        raise UsageError(f"stat is cached, fresh or never, not {stat!r}")
    from sockql.dialect import OSQUERY, SOCKQL
    from sockql.engine import Engine
    from sockql.host import Host

    dialect = OSQUERY if osquery else SOCKQL
    return Engine(Host(proc, scope=netns, stat=stat), dialect)


def query(
    sql: str,
    params: Mapping[str, Value] | None = None,
    *,
    proc: str = "/proc",
    netns: str = "",
    snapshot: str | os.PathLike[str] | None = None,
    at: str = "",
) -> list[dict[str, Any]]:
    """The rows of the last statement of ``sql``, by the names of its columns.

    ``params`` are the values of ``:name``; the rest is as :func:`connect` has it.  A column name
    that comes twice is told apart: ``pid``, ``pid:1``.

    :raises sockql.QueryError: wrong SQL, a parameter without a value.
    :raises sockql.DataError: a source that cannot be read at all.
    """
    with connect(proc, netns=netns, snapshot=snapshot, at=at) as engine:
        rows: list[dict[str, Any]] = []
        for result in engine.execute(sql, params):
            rows = [dict(zip(result.columns, row)) for row in result]
        return rows


def materialise(
    target: sqlite3.Connection | sqlite_utils.Database,
    tables: Iterable[str] = ("processes", "sockets", "fds"),
    *,
    queries: Mapping[str, str] | None = None,
    replace: bool = False,
    source: Engine | None = None,
) -> list[str]:
    """Write ``tables`` as they are now into a database of the standard library's ``sqlite3``.

    Each becomes a table of the same name with all its columns, hidden ones too, its key, a foreign
    key to ``processes`` (but where ``target`` enforces them) and indexes; ``queries`` are further
    ones, SQL by name.  All of them are of one instant, and all of them are written or none; a
    transaction of the program stays open.  ``replace`` takes tables of these names away first.
    ``source`` is the engine to ask, by default one over this host.  Returns what could not be seen,
    a line each.

    :raises sockql.UsageError: for tables that there are not, or that ``target`` has already, and
        when ``target`` cannot be written; then ``__cause__`` is the error of sqlite3.
    :raises sockql.QueryError: wrong SQL of a query.
    :raises sockql.DataError: a source that cannot be read at all.
    """
    from sockql.archive.materialise import write

    if source is not None:
        return write(target, tables, queries or {}, source, replace=replace)
    with connect() as engine:
        return write(target, tables, queries or {}, engine, replace=replace)
