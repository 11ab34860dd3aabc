"""The connection itself: statements that run on it without the engine, one by one and side by side."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import apsw
import pytest

from sockql.engine import Engine
from sockql.errors import QueryError, TimeoutExpired
from sockql.host import Host
from tests.test_engine import ENDLESS, ROWS, Things

NUMBERS = [(row[0],) for row in ROWS]


@pytest.fixture
def things() -> Things:
    return Things()


@pytest.fixture
def engine(things: Things) -> Iterator[Engine]:
    with Engine(Host()) as engine:
        engine.add("things", lambda: things)
        yield engine


def test_each_statement_asks_anew_and_for_what_it_uses(engine: Engine, things: Things) -> None:
    assert list(engine.connection.execute("select n from things")) == NUMBERS
    assert list(engine.connection.execute("select free from things where p = ?", (3,))) == [
        ("x'y",)
    ]
    assert [request.columns for request in things.requests] == [{"n"}, {"free", "p"}]
    assert [request.values("p") for request in things.requests] == [None, {3}]


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from things",
        "select word, count(*) from things group by word",
        "select n from things",
        "select a.n, b.n from things a join things b using(p)",
    ],
)
def test_rows_are_those_of_the_engine(engine: Engine, sql: str) -> None:
    rows = engine.query(sql)
    assert rows
    assert list(engine.connection.execute(sql)) == rows


def test_several_statements_are_one_after_the_other(engine: Engine, things: Things) -> None:
    cursor = engine.connection.cursor()
    found = list(cursor.execute("select count(*) from things; select max(k) from things"))
    assert found == [(9,), (90,)]
    assert len(things.requests) == 2


def test_one_statement_sees_one_instant(engine: Engine, things: Things) -> None:
    sql = "select count(*) from things a join things b using (k)"
    assert list(engine.connection.execute(sql)) == [(10,)] == engine.query(sql)
    assert len(things.requests) == 2


def test_statements_side_by_side_see_their_own_columns(engine: Engine) -> None:
    first = engine.connection.execute("select n from things")
    assert next(first) == (0,)
    second = engine.connection.execute("select secret, r from things order by k desc")
    assert next(second) == ("sNone", 9.0)
    # A result of the engine, beside both.
    assert engine.query("select word from things where p = 2") == [("Two",)]
    assert list(first) == NUMBERS[1:]
    assert len(list(second)) == 8
    joined = "select a.n, b.secret from things a join things b on b.k = a.k and b.k > 10"
    result = next(engine.execute(joined))
    third = engine.connection.execute("select free from things where p = 1")
    assert list(third) == [("10",)]
    assert list(result) == [(r[0], f"s{r[0]}") for r in ROWS if r[1] is not None and r[1] > 10]


def test_a_subquery_that_begins_late_has_its_columns(engine: Engine) -> None:
    sql = "select n, (select max(b.secret) from things b where b.k >= a.k) from things a"
    whole = engine.query(sql)
    late = engine.connection.execute(sql)
    rows = [next(late)]
    assert engine.query("select n from things limit 1") == [(0,)]
    engine.connection.execute("select n from things").fetchone()
    assert [*rows, *late] == whole


def test_a_tracer_of_the_program_stays(engine: Engine) -> None:
    seen = []

    def tracer(_cursor: apsw.Cursor, sql: str, _values: object) -> bool:
        seen.append(sql)
        return True

    cursor = engine.connection.cursor()
    cursor.exec_trace = tracer
    assert list(cursor.execute("select n from things where k = 90")) == [(None,)]
    assert seen == ["select n from things where k = 90"]


def test_views_are_there(engine: Engine) -> None:
    sql = "select pid, name from process_tree where pid = ?"
    (found,) = engine.connection.execute(sql, (os.getpid(),))
    assert found[0] == os.getpid()


def test_what_is_refused_stays_refused(engine: Engine) -> None:
    with pytest.raises(apsw.AuthError):
        engine.connection.execute("attach ':memory:' as other")
    with pytest.raises(apsw.AuthError):
        engine.connection.execute("create virtual table temp.mine using things")


def test_errors_are_those_of_apsw_and_ours(engine: Engine) -> None:
    with pytest.raises(apsw.SQLError, match="no such column: nope"):
        engine.connection.execute("select nope from things")
    with pytest.raises(QueryError, match="is not an address"):
        list(engine.connection.execute("select inet_in('1.2.3.4', 'x')"))
    engine.timeout = 0.05
    with pytest.raises(TimeoutExpired):
        list(engine.connection.execute(ENDLESS))
    engine.timeout = None
    timer = threading.Timer(0.05, engine.interrupt)
    timer.start()
    with pytest.raises(Exception, match="interrupt"):
        list(engine.connection.execute(ENDLESS))
    timer.join()
    assert list(engine.connection.execute("select count(*) from things")) == [(9,)]


def test_a_cursor_that_is_closed_half_way_is_forgotten(engine: Engine, things: Things) -> None:
    cursor = engine.connection.execute("select n from things")
    assert cursor.fetchone() == (0,)
    cursor.close()
    things.requests.clear()
    assert list(engine.connection.execute("select n from things")) == NUMBERS
    assert things.requests[0].columns == {"n"}
