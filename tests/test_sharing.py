"""Statements that share a snapshot: the same rows as alone, from one collection of each table."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockql.engine import Engine
from sockql.errors import DataError, QueryError, TimeoutExpired
from sockql.host import Host
from sockql.request import MAXIMUM, Request
from sockql.schema import EQUAL, text
from tests.test_engine import (
    ENDLESS,
    ROWS,
    Others,
    Row,
    Things,
    asked,
    ordinary,
    queries,
    virtual,
    with_twin,
)


@pytest.fixture
def things() -> Things:
    return Things()


@pytest.fixture
def engine(things: Things) -> Iterator[Engine]:
    with Engine(Host()) as engine:
        engine.add("things", lambda: things)
        yield engine


def share(engine: Engine, *statements: str) -> list[list[tuple[object, ...]]]:
    engine.share()
    for statement in statements:
        engine.foresee(statement)
    return [engine.query(statement) for statement in statements]


@settings(max_examples=300, deadline=None)
@given(several=st.lists(queries(), min_size=2, max_size=4), lazy=st.booleans())
def test_statements_that_share_answer_as_they_do_alone(several: list[str], lazy: bool) -> None:
    with Engine(Host()) as engine:
        engine.add("things", lambda: Things(lazy=lazy))
        engine.add("others", lambda: Others(lazy=lazy))
        with_twin(engine)
        expected = [engine.query(ordinary(query)) for query in several]
        found = share(engine, *map(virtual, several))
        assert [sorted(map(repr, rows)) for rows in found] == [
            sorted(map(repr, rows)) for rows in expected
        ]


def test_a_table_is_collected_once_with_the_columns_that_any_statement_uses(
    engine: Engine, things: Things
) -> None:
    found = share(
        engine,
        "select n from things where r > 1",
        "select count(*) from things where word = 'one' and n > 1",
        "select a.n, b.free from things a join things b on b.p = a.k / 10 where a.n = 2",
    )
    assert found == [[(3,), (4,), (5,), (-7,), (None,)], [(2,)], [(2, "x'y")]]
    assert [(tuple(map(repr, r.constraints)), sorted(r.columns)) for r in things.requests] == [
        ((), ["free", "k", "n", "p", "r", "word"])
    ]


def test_what_all_statements_ask_for_is_asked_of_the_source(engine: Engine, things: Things) -> None:
    found = share(
        engine,
        "select n from things where word = 'one' and n > 1",
        "select n from things where word = 'TWO' and n = 5 and free = 'é'",
        "select n, k from things where word in ('One') and n < 5 and k = 10",
    )
    assert found == [[(2,), (MAXIMUM,)], [(5,)], [(0, 10)]]
    assert asked(things) == [("n = ?", "word in ('One', 'Two')")]


def test_where_all_statements_look_up_the_look_ups_are_shared(
    engine: Engine, things: Things
) -> None:
    found = share(
        engine,
        "select free from things where p = 3",
        "select t.secret from (values (3), (5)) v cross join things t on t.p = v.column1",
        "select t.n from (values (5), (6)) v cross join things t on t.p = v.column1",
    )
    assert found == [[("x'y",)], [("s2",), ("s4",)], [(4,), (5,)]]
    assert [(tuple(map(repr, r.constraints)), sorted(r.columns)) for r in things.requests] == [
        (("p = 3",), ["free", "n", "p", "secret"]),
        (("p = 5",), ["free", "n", "p", "secret"]),
        (("p = 6",), ["free", "n", "p", "secret"]),
    ]


def test_a_look_up_stays_one_where_it_would_make_the_collection_dearer(engine: Engine) -> None:
    class Dear(Things):
        """Its hidden column takes long."""

        def estimate(self, request: Request, host: Host) -> tuple[float, float]:
            rows, cost = super().estimate(request, host)
            return rows, cost * (10 if request.needs & 4 else 1)

    dear = Dear()
    engine.add("dear", lambda: dear)
    found = share(
        engine,
        "select count(*) from dear where r > 1",
        "select secret from dear where p = 3",
        "select free from dear where p = 5",
    )
    assert found == [[(5,)], [("s2",)], [("\x00\x1b",)]]
    assert [(tuple(map(repr, r.constraints)), sorted(r.columns)) for r in dear.requests] == [
        ((), ["r"]),
        (("p = 3",), ["free", "p", "secret"]),
        (("p = 5",), ["free", "p", "secret"]),
    ]


def test_a_statement_that_was_not_foreseen_sees_the_host_if_it_has_to(
    engine: Engine, things: Things
) -> None:
    engine.share()
    engine.foresee("select n from things")
    assert engine.query("select n from things where n > 4 and n < 9") == [(5,)]
    assert engine.query("select secret from things where n = 5") == [("s5",)]
    assert engine.query("select secret from things where n = 5") == [("s5",)]
    assert asked(things) == [(), ("n = 5",)]


def test_statements_that_share_may_run_beside_those_of_the_connection(engine: Engine) -> None:
    beside = iter(engine.connection.execute("select n from things"))
    assert next(beside) == (0,)
    assert share(engine, "select n from things where r > 4", "select count(*) from things") == [
        [(4,), (5,), (-7,), (None,)],
        [(len(ROWS),)],
    ]
    assert len(list(beside)) == len(ROWS) - 1


def test_a_statement_that_is_wrong_is_not_counted_in(engine: Engine, things: Things) -> None:
    engine.share()
    with pytest.raises(QueryError, match="no such column: nope"):
        engine.foresee("select nope from things")
    with pytest.raises(QueryError, match="no value for the parameter :n"):
        engine.foresee("select n from things where n = :n")
    engine.foresee("select n from things where n = :n", {"n": 2})
    assert engine.query("select n from things where n = :n", {"n": 2}) == [(2,)]
    assert len(things.requests) == 1


class Partial(Things):
    """Some of it cannot be read."""

    def records(self, request: Request, host: Host) -> Iterator[Row]:
        if request.columns & {"secret"}:
            host.notice("partial: secrets are missing")
        return super().records(request, host)


def test_each_statement_says_what_its_own_answer_lacks(engine: Engine) -> None:
    engine.add("partial", Partial)
    texts = [
        "select secret from partial",
        "select count(*) from things",
        "select n from partial",
        "select n, (select count(*) from partial) from things where n = 1",
    ]
    engine.share()
    for query in texts:
        engine.foresee(query)
    lacking = []
    for query in texts:
        for result in engine.execute(query):
            list(result)
            lacking.append(result.notices)
    said = ["partial: secrets are missing"]
    assert lacking == [said, [], said, said]
    assert engine.notices == said


def test_what_cannot_be_read_is_not_tried_again(engine: Engine) -> None:
    class Broken(Things):
        """Breaks."""

        def records(self, request: Request, host: Host) -> Iterator[Row]:
            self.requests.append(request)
            raise DataError("no such thing")

    broken = Broken()
    engine.add("broken", lambda: broken)
    several = ["select n from broken", "select free from broken"]
    engine.share()
    for statement in several:
        engine.foresee(statement)
    for statement in several:
        with pytest.raises(DataError, match="no such thing"):
            engine.query(statement)
    assert len(broken.requests) == 1
    engine.thaw()
    with pytest.raises(DataError, match="no such thing"):
        engine.query("select n from broken")
    assert len(broken.requests) == 2


class Slow(Things):
    """Takes its time."""

    def records(self, request: Request, host: Host) -> Iterator[Row]:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            host.check()
        return super().records(request, host)


def test_the_time_to_collect_for_all_is_not_that_of_one_statement(engine: Engine) -> None:
    engine.add("slow", Slow)
    engine.timeout = 0.1
    with pytest.raises(TimeoutExpired, match=r"longer than 0\.1 seconds"):
        engine.query("select n from slow")
    assert share(engine, "select count(*) from slow", "select n from slow where n = 2") == [
        [(len(ROWS),)],
        [(2,)],
    ]
    with pytest.raises(TimeoutExpired, match=r"longer than 0\.1 seconds"):
        engine.query(ENDLESS)


def test_all_statements_together_have_to_end_in_time(engine: Engine) -> None:
    engine.add("slow", Slow)
    engine.share()
    engine.foresee("select n from slow")
    engine.deadline = time.perf_counter() + 0.05
    with pytest.raises(TimeoutExpired, match="the time for all statements is over"):
        engine.query("select n from slow")
    engine.deadline = None
    assert engine.query("select n from slow where n = 2") == [(2,)]


def test_what_a_parameter_says_is_read_for_it_alone(engine: Engine) -> None:
    class Rooted(Things):
        """Reads what root says."""

        root = text(
            "Root; NULL unless given.",
            source="test",
            get=lambda r: r[6] if len(r) > 6 else None,
            push=EQUAL,
            parameter=True,
        )

        def records(self, request: Request, host: Host) -> Iterator[Row]:
            roots = request.values("root")
            for row in super().records(request, host):
                yield row if roots is None else (*row, *roots)

    rooted = Rooted()
    engine.add("rooted", lambda: rooted)
    found = share(
        engine,
        "select n, root from rooted where n = 2",
        "select n, root from rooted where root = 'a' and n = 3",
        "select n, root from rooted where root = 'b' and n = 3",
        "select free, root from rooted where n = 4",
        "select n, root from rooted where root = 'a' and n = 3",
    )
    assert found == [
        [(2, None)],
        [(3, "a")],
        [(3, "b")],
        [("\x00\x1b", None)],
        [(3, "a")],
    ]
    assert asked(rooted) == [("n in (2, 4)",), ("n = 3", "root = 'a'"), ("n = 3", "root = 'b'")]


def test_only_who_wants_a_row_needs_its_columns(engine: Engine, things: Things) -> None:
    """The collection for all is no answer to a statement that wants more of other rows."""
    engine.share()
    engine.foresee("select n, free from things where word = 'one'")
    engine.foresee("select n from things where n > 1")
    rows = engine.query("select n from things where n > 1 and n < 9")
    assert rows == [(2,), (3,), (4,), (5,)]
    (request,) = things.requests
    assert [(sorted(part.columns), str(part.constraints)) for part in request.parts] == [
        (["free", "n", "word"], "(word in ('One'),)"),
        (["n"], "(n = ?,)"),
    ]
    assert engine.query("select n, free from things where word = 'one' and n > 3") == [
        (MAXIMUM, "ONE")
    ]
    assert len(things.requests) == 1
    assert engine.query("select n, free from things where word = 'two' and n > 3") == [(5, "é")]
    assert len(things.requests) == 2


@pytest.mark.parametrize(
    ("where", "asked_for"),
    [
        ("word in ('One', 'two') and n in (2, 3)", ("n in (2, 3, 5)", "word in ('One', 'Two')")),
        ("word in ('One', lower('TWO')) and n in (2, 3)", ("n in (2, 3, 5)", "word = ?")),
        ("word in (select lower('ONE')) and n in (2, '3')", ("n in (2, 3, 5)", "word = ?")),
        ("word in ('three', 4) and n in (2, 7)", ("n in (2, 5, 7)",)),
        ("word = 'One' and n in (:n, 2)", ("n = ?", "word in ('One', 'Two')")),
    ],
)
def test_what_a_list_of_literals_asks_for_is_known_before(
    engine: Engine, things: Things, where: str, asked_for: tuple[str, ...]
) -> None:
    params = {"n": 3}
    engine.share()
    texts = [
        f"select n from things where {where}",
        "select n from things where n = 5 and word = 'two'",
    ]
    for query in texts:
        engine.foresee(query, params)
    with_twin(engine)
    for query in texts:
        expected = engine.query(query.replace("things", "twin"), params)
        assert engine.query(query, params) == expected
    assert asked(things)[0] == asked_for
