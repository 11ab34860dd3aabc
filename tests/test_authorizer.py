"""What SQL may not do, tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql.engine import Engine
from sockql.errors import QueryError
from sockql.host import Host


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(Host()) as engine:
        yield engine


@pytest.mark.parametrize(
    "sql",
    [
        "attach '{file}' as other",
        "detach main",
        "vacuum into '{file}'",
        "create table t(a)",
        "create view v as select 1",
        "create virtual table v using fts5(a)",
        "create temp trigger g after insert on t begin select 1; end",
        "create virtual table temp.v using sockets",
        "select load_extension('{file}')",
        "pragma journal_mode = wal",
        "pragma temp_store_directory = '/tmp'",
        "pragma writable_schema = 1",
        "pragma trusted_schema = 1",
        "pragma hard_heap_limit = 1",
        "pragma data_version",
        "insert into sqlite_master values(1, 2, 3, 4, 5)",
        "delete from sqlite_temp_master",
        "insert into sockets(src) values('x')",
        "delete from sockets",
        "analyze",
    ],
)
def test_a_statement_that_could_do_more_than_read_is_refused(
    engine: Engine, tmp_path: Path, sql: str
) -> None:
    file = tmp_path / "made"
    engine.query("create temp table t(a)")
    with pytest.raises(QueryError):
        engine.query(sql.format(file=file))
    assert not file.exists()


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("create temp table x(a); insert into x values(1); update x set a = 2; select a from x", [(2,)]),
        ("create temp view v as select 7 as a; select a from v", [(7,)]),
        ("create temp table x(a); create index temp.i on x(a); drop index i; drop table x", []),
        ("create temp table x(a); delete from x; select * from x", []),
        ("begin; select 1; rollback", []),
        ("with recursive c(x) as (select 1 union all select x+1 from c where x<3) select max(x) from c", [(3,)]),
        ("select name from pragma_table_info('sockets') limit 1", [("netns",)]),
        ("pragma encoding", [("UTF-8",)]),
    ],
)  # fmt: skip
def test_temporary_tables_and_reading_are_allowed(
    engine: Engine, sql: str, rows: list[tuple[object, ...]]
) -> None:
    assert engine.query(sql) == rows
