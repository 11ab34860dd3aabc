"""A connection in which osquery's names are osquery's tables."""

from __future__ import annotations

from typing import Any

from sockql.dialect import OSQUERY
from sockql.engine import Engine
from sockql.host import Host


def connected(host: Host) -> Engine:
    """A connection to ``host``."""
    return Engine(host, OSQUERY)


def ask(host: Host, sql: str) -> list[tuple[Any, ...]]:
    """The rows of ``sql`` on ``host``, which is closed."""
    with connected(host) as engine:
        return engine.query(sql)
