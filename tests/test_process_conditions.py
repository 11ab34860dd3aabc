"""What fds and processes promise of conditions: an exact column is never over-delivered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.host import Host
from sockql.request import Constraint, Request
from sockql.schema import EQUAL, Column, Table
from sockql.snapshot import Snapshot
from sockql.tables import fds, processes
from tests.fakeproc import PROCESSES, Link, proc_tree, rows

EXACT = [
    pytest.param(table, column, id=f"{table.schema.name}.{column.name}")
    for table in (fds.TABLE, processes.TABLE)
    for column in table.schema.columns
    if column.exact
]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    tree = {
        **PROCESSES,
        "42/fd/0": Link("/dev/null"),
        "42/fd/3": Link("socket:[99]"),
        "42/fd/4": Link("pipe:[99]"),
        "43/fd/3": Link("socket:[101]"),
        "43/fd/4": Link("anon_inode:[eventfd]"),
        "44/fd": None,
    }
    host = Host(str(proc_tree(tree, tmp_path)))
    yield host
    host.close()


@pytest.mark.parametrize(("table", "column"), EXACT)
def test_an_exact_column_delivers_what_equals_and_nothing_else(
    host: Host, table: Table[Any], column: Column
) -> None:
    assert column.push & EQUAL
    name = column.name
    everything = rows(table, host, ["pid", name])
    values = {row[1] for row in everything} - {None}
    absent = "absent" if column.type == "TEXT" else 987654
    assert values
    for value in (*values, absent):
        expected = sorted(row for row in everything if row[1] == value)
        equal = Constraint(name, "=", value)
        assert sorted(rows(table, host, ["pid", name], equal)) == expected
        # The engine does not ask for the column when nobody else uses it.
        for columns in ({"pid"}, set[str]()):
            asked = Request(table.schema, Snapshot(), columns=columns, constraints=[equal])
            assert len(list(table.records(asked, host))) == len(expected)
    both = Constraint(name, "in", frozenset({*values, absent}))
    assert len(rows(table, host, [name], both)) == len([r for r in everything if r[1] in values])
