"""A connection in which osquery's names are osquery's tables."""

from __future__ import annotations

from functools import partial
from typing import Any

from sockql import osquery
from sockql.engine import Engine
from sockql.host import Host


def connected(host: Host) -> Engine:
    """A connection to ``host``."""
    engine = Engine(host)
    engine.connection.authorizer = None
    for name in osquery.NAMES:
        engine.add(name, partial(osquery.load, name))
    engine.connection.create_collation("VERSION", lambda a, b: (a > b) - (a < b))
    return engine


def ask(host: Host, sql: str) -> list[tuple[Any, ...]]:
    """The rows of ``sql`` on ``host``, which is closed."""
    with connected(host) as engine:
        return engine.query(sql)
