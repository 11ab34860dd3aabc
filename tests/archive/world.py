"""A small host for snapshots: processes and files of a tree laid out like /proc."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sockql.archive import capture
from sockql.archive.database import DatabaseFile
from sockql.engine import Engine
from sockql.host import Host
from sockql.schema import Column
from sockql.tables import load

#: Tables that read nothing but /proc of our own network namespace.
FEW = ("processes", "fds", "users", "process_limits")


@contextmanager
def live() -> Iterator[Engine]:
    """An engine over this host, without other network namespaces."""
    with Engine(Host(scope="self")) as engine:
        yield engine


def take(
    path: Path,
    tables: str = ",".join(FEW),
    *,
    append: bool = False,
    results: dict[str, str] | None = None,
    engine: Engine | None = None,
) -> list[str]:
    """A snapshot of this host, or of ``engine``, in a file; the notices."""
    with live() as own:
        using = own if engine is None else engine
        with DatabaseFile(str(path), using.host, append=append) as file:
            return capture.take(using, capture.names(tables), results or {}, [file], required=True)


def columns(table: str) -> tuple[Column, ...]:
    return tuple(c for c in load(table).schema.columns if c.name != "probed_pid")
