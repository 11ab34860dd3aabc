"""The engine against plain SQLite: the same rows in a virtual and in an ordinary table."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections.abc import Iterator
from operator import itemgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockql import prepared
from sockql.engine import Engine
from sockql.errors import Interrupted, QueryError, TimeoutExpired
from sockql.host import Host
from sockql.request import MAXIMUM, Request
from sockql.schema import EQUAL, RANGE, Table, integer, real, text

Row = tuple[int | None, int | None, str | None, float | None, int | None, str | None]

ROWS: list[Row] = [
    (0, 10, "One", 0.5, 1, "10"),
    (1, 10, "Two", 1.0, 2, "one"),
    (2, 30, "One", None, 3, "x'y"),
    (3, None, "Two", 3.0, None, None),
    (4, 50, None, 4.25, 5, "\x00\x1b"),
    (5, 60, "Two", 5.0, 6, "é"),
    (MAXIMUM, 70, "One", -1.0, 7, "ONE"),
    (-7, 80, "Two", 1e300, 8, ""),
    (None, 90, "One", 9.0, 9, "9"),
]


class Things(Table[Row], examples=["select n from things"]):
    """Rows of a test."""

    n = integer("N; NULL once.", source="test", get=itemgetter(0), push=EQUAL | RANGE)
    k = integer("Join key; NULL once.", source="test", get=itemgetter(1), index=True)
    word = text(
        "Word.", source="test", get=itemgetter(2), push=EQUAL, nocase=True, values=["One", "Two"]
    )
    r = real("Real; NULL once.", source="test", get=itemgetter(3))
    p = integer("Look-up; NULL once.", source="test", get=itemgetter(4), push=EQUAL, lookup=True)
    free = text("Free; NULL once.", source="test", get=itemgetter(5), push=EQUAL, needs=2)
    secret = text("Hidden.", source="test", get=lambda r: f"s{r[0]}", hidden=True, needs=4)

    def __init__(self, *, lazy: bool = False, tallying: bool = False) -> None:
        self.requests: list[Request] = []
        self.lazy = lazy
        self.tallying = tallying

    def records(self, request: Request, host: Host) -> Iterator[Row]:
        self.requests.append(request)
        n, (low, high) = request.values("n"), request.bounds("n")
        p, words = request.values("p"), request.values("word")
        for row in ROWS:
            host.check()
            if self.lazy:
                yield row
                continue
            if n is not None and row[0] not in n:
                continue
            if (low, high) != (-(2**63), MAXIMUM) and not (
                row[0] is not None and low <= row[0] <= high
            ):
                continue
            if p is not None and row[4] not in p:
                continue
            if words is not None and row[2] not in words:
                continue
            yield row

    def tallies(
        self, request: Request, host: Host, columns: set[str]
    ) -> list[tuple[Row, int]] | None:
        if not self.tallying:
            return None
        alike: dict[tuple[object, ...], list[Row]] = {}
        for row in self.records(request, host):
            key = tuple(self.schema.by_name[name].get(row) for name in sorted(columns))
            alike.setdefault(key, []).append(row)
        return [(rows[0], len(rows)) for rows in alike.values()]

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return (1.0, 5.0) if request.constrained("p") else (9.0, 20.0)


class Others(Things):
    """The same rows once more: a join of two tables is what loops are made of."""


@pytest.fixture
def things() -> Things:
    return Things()


@pytest.fixture
def engine(things: Things) -> Iterator[Engine]:
    with Engine(Host()) as engine:
        engine.add("things", lambda: things)
        yield engine


def with_twin(engine: Engine) -> Engine:
    """The engine with an ordinary table ``twin`` that holds the same rows."""
    engine.query(
        "create temp table twin(n integer, k integer, word text collate nocase, r real,"
        " p integer, free text, secret text)"
    )
    for row in ROWS:
        engine.query(
            "insert into twin values(:a, :b, :c, :d, :e, :f, :g)",
            dict(zip("abcdefg", [*row, f"s{row[0]}"])),
        )
    return engine


VALUES = st.sampled_from(
    ["0", "1", "'1'", "' 1 '", "1.0", "1.5", "'1e0'", "'x'", "null", "''", "'one'", "'ONE'", "'Two'",
     "9223372036854775807", "-8", "x'31'", "10", "'0x10'", "'1_0'", "'inf'", "9e99", "(select 1)"]
)  # fmt: skip
COLUMNS = st.sampled_from(["n", "k", "word", "r", "p", "free", "secret"])
OPERATORS = st.sampled_from(["=", "<", "<=", ">", ">=", "<>", "is", "is not"])


@st.composite
def terms(draw: st.DrawFn, alias: str = "a") -> str:
    column = f"{alias}.{draw(COLUMNS)}"
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return f"{column} in ({', '.join(draw(st.lists(VALUES, max_size=4)))})"
    if kind == 5:
        of = f"z.{draw(COLUMNS)} {draw(OPERATORS)} {draw(st.one_of(VALUES, st.just(column)))}"
        return f"{column} in (select z.{draw(COLUMNS)} from T z where {of})"
    if kind == 1:
        return f"{column} between {draw(VALUES)} and {draw(VALUES)}"
    if kind == 2:
        return f"{column} = {draw(VALUES)} collate binary"
    return f"{column} {draw(OPERATORS)} {draw(VALUES)}"


@st.composite
def queries(draw: st.DrawFn) -> str:
    where = " and ".join(draw(st.lists(terms(), max_size=3))) or "1"
    if draw(st.booleans()):
        where = f"({where}) or {draw(terms())}"
    shape = draw(st.integers(0, 6))
    if shape == 6:
        by, key = f"b.{draw(COLUMNS)}", draw(st.sampled_from(["k", "p", "n", "word"]))
        counted = draw(st.sampled_from(["count(*), {by}", "distinct {by}"])).format(by=by)
        group = f" group by {by}" if "count" in counted else ""
        how, other = draw(st.sampled_from(["", "left ", "right ", "full "])), draw(COLUMNS)
        where = f"{where} and {draw(terms('b'))}"
        join = f"{how}join T b on b.{key} = a.{draw(st.sampled_from([key, other]))}"
        return f"select {counted} from T a {join} where {where}{group}"
    if shape == 0:
        return f"select a.n, a.k, a.word, a.secret from T a where {where}"
    if shape == 1:
        by = ", ".join(f"a.{c}" for c in draw(st.lists(COLUMNS, min_size=1, max_size=3)))
        how = draw(st.sampled_from(["select count(*), {by} from T a where {w} group by {by}",
            "select count(*) from T a where {w}", "select count(*) from T a where {w} group by {by}",
            "select {by}, count(*) from T a where {w} group by {by} order by count(*)",
            "select count(*), count(*), {by}, 7 from T a where {w} group by {by}",
            "select distinct {by} from T a where {w}", "select {by} from T a where {w} order by {by}",
            "select max(a.n), {by} from T a where {w} group by {by}",
            "select distinct {by} from T a where {w} order by {by} desc",
            "select count(distinct a.word), {by} from T a where {w} group by {by}",
            "select {by} from T a where {w} group by {by} having count(*) > 1"]))  # fmt: skip
        return how.format(by=by, w=where)
    if shape == 2:
        left = draw(st.sampled_from(["", "left ", "full "]))
        on = f"a.{draw(COLUMNS)} = b.{draw(COLUMNS)}"
        and_ = draw(st.sampled_from(["", f" and {draw(terms('b'))}"]))
        other = draw(st.sampled_from(["T", "U"]))
        return f"select a.n, b.n, b.free from T a {left}join {other} b on {on} where {where}{and_}"
    if shape == 3:
        keys = draw(st.sampled_from(["k", "p", "n, k", "p, word", "word", "k, p, free"]))
        return f"select a.n, b.r from T a join T b using({keys}) join T c using(p) where {where}"
    if shape == 4:
        return (
            f"select a.n, (select max(b.n) from T b where b.{draw(COLUMNS)} = a.{draw(COLUMNS)}"
            f" and {draw(terms('b'))}) from T a where {where}"
        )
    return f"select a.n from T a where {where} and exists (select 1 from T b where b.p = a.p + 1)"


def ordinary(query: str) -> str:
    """``query`` over the ordinary table."""
    return query.replace("T ", "twin ").replace("U ", "twin ")


def virtual(query: str) -> str:
    """``query`` over the two virtual tables."""
    return query.replace("T ", "things ").replace("U ", "others ")


@settings(max_examples=1500, deadline=None)
@given(query=queries(), lazy=st.booleans(), tallying=st.booleans())
def test_a_virtual_table_answers_as_an_ordinary_one(query: str, lazy: bool, tallying: bool) -> None:
    with Engine(Host()) as engine:
        engine.add("things", lambda: Things(lazy=lazy, tallying=tallying))
        engine.add("others", lambda: Others(lazy=lazy, tallying=tallying))
        with_twin(engine)
        expected = sorted(map(repr, engine.query(ordinary(query))))
        assert sorted(map(repr, engine.query(virtual(query)))) == expected


EMPTY = [
    "select n from T where n in (select n from T where r < -2)",
    "select count(*) from T where p in (select 1 where 0)",
    "select a.n, b.n from T a left join T b on b.word = a.word and b.n in (select k from T where 0)",
    "select n from T where word = 'one' union all select n from T where n in (select 1 limit 0)",
    "select n from T a where n in (select z.n from T z where z.p = a.k / 10 and z.n > 1)",
    "select n from T where p in (1, 2) and n not in (select n from T where 0)",
]


@pytest.mark.parametrize("query", EMPTY)
def test_a_query_in_an_in_may_give_nothing(engine: Engine, query: str) -> None:
    with_twin(engine)
    expected = engine.query(query.replace("T ", "twin "))
    query = query.replace("T ", "things ")
    assert engine.query(query) == expected
    assert list(engine.connection.execute(query)) == expected
    other = iter(engine.connection.execute("select n from things"))
    next(other)
    assert list(engine.connection.execute(query)) == expected
    assert engine.query(query) == expected


def test_the_values_of_a_list_that_cannot_be_empty_are_asked_for_at_once(
    engine: Engine, things: Things
) -> None:
    several = "select free from things where p in (select 5 union all select {})"
    # Whatever was planned for it earlier.
    prepared.columns(engine, "select free from things where p in (1, 1 + 1, :a)")
    engine.query("select free from things where p in (1, 1 + 1, :a)", {"a": 3})
    engine.query(several.format("6"))
    assert asked(things) == [("p in (1, 2, 3)",), ("p in (5, 6)",)]
    assert engine.query(several.format("1 where 0")) == [("\x00\x1b",)]


def test_a_query_in_one_in_leaves_the_list_in_another(engine: Engine, things: Things) -> None:
    engine.query(
        "select n from things where word in ('One', 'Two') and p in (select 5 limit 0)"
        " union all select n from things where word in ('One', 'Two') and p in (select 5 limit 1)"
    )
    assert asked(things) == [("word in ('One', 'Two')", "p = 5")]


GROUPED = [
    "count(*), b.secret from T a join T b using(k) group by b.secret",
    "count(*), b.secret from T a join T b using(p) group by b.secret",
    "distinct b.secret from T a join T b on b.n = a.n",
    "distinct b.word, b.secret from T a full join T b on b.p = a.n",
    "count(*), b.secret from T a full join T b on b.p = a.k group by b.secret",
    "distinct b.secret, b.word from T a right join T b on b.k = a.n and b.p > 3",
    "secret, count(*) from T where n = 2 or p = 5 group by secret",
]


@pytest.mark.parametrize("query", GROUPED)
def test_any_loop_may_be_grouped(engine: Engine, query: str) -> None:
    with_twin(engine)
    expected = sorted(map(repr, engine.query(f"select {query}".replace("T ", "twin "))))
    assert sorted(map(repr, engine.query(f"select {query}".replace("T ", "things ")))) == expected


@pytest.mark.parametrize(
    "select",
    [
        "n, k, word, r, p, free, secret, n",
        "secret from T where word = 'TWO' and n between -10 and 5; select r",
        "free from T where n in (1, 2) and k = 10; select n",
        "word",
    ],
)
def test_rows_that_are_only_copied_are_those_that_sqlite_gives(engine: Engine, select: str) -> None:
    with_twin(engine)
    for query in f"select {select} from T".split("; "):
        expected = engine.query(query.replace("from T", "from twin"))
        assert engine.query(query.replace("from T", "from things")) == expected
        # With an expression in it, a result is not a copy.
        rows = engine.query(query.replace("from T", ", 1+1 from things"))
        assert [row[:-1] for row in rows] == expected


@pytest.mark.parametrize("value", ["2.0", "1.5", "9223372036854775807", "-7", "0.0", "4294967298"])
@pytest.mark.parametrize("column", ["n", "r"])
def test_inner_loops_compare_with_the_numbers_of_the_text(
    engine: Engine, column: str, value: str
) -> None:
    with_twin(engine)
    engine.add("others", Others)
    query = f"select a.n, b.n from T a cross join U b using(k) where b.{column} = {value}"
    expected = engine.query(ordinary(query))
    assert sorted(map(repr, engine.query(virtual(query)))) == sorted(map(repr, expected))


def test_a_copied_result_may_be_left_early(engine: Engine, things: Things) -> None:
    result = next(engine.execute("select n, secret from things"))
    assert next(iter(result)) == (0, "s0")
    result.close()
    assert engine.query("select n from things where p = 3") == [(2,)]


def asked(things: Things) -> list[tuple[str, ...]]:
    return [tuple(map(repr, request.constraints)) for request in things.requests]


def test_conditions_reach_the_table_in_the_columns_type(engine: Engine, things: Things) -> None:
    engine.query(
        "select n from things where n > '1' and n <= 4.0 and word in ('ONE', 'three') and p = '3'"
    )
    assert asked(things) == [("n > 1", "n <= 4", "word = 'One'", "p = 3")]


def test_a_condition_that_no_value_can_meet_asks_nothing(engine: Engine, things: Things) -> None:
    for where in ("word = 'three'", "n = 'x'", "n = null", "n > 5 and n < 3", "n in ()",
                  "free = x'31'", "word in (x'4f6e65', null)"):  # fmt: skip
        assert engine.query(f"select n from things where {where}") == []
    assert asked(things) == []


def test_a_parameter_is_pushed_down(engine: Engine, things: Things) -> None:
    assert engine.query("select n from things where n = :n", {"n": 2}) == [(2,)]
    assert asked(things) == [("n = 2",)]


def test_only_the_columns_in_use_are_asked_for(engine: Engine, things: Things) -> None:
    engine.query("select n from things where r > 1 order by free")
    assert [({*r.columns}, r.needs) for r in things.requests] == [({"n", "r", "free"}, 2)]
    engine.query("select count(*) from things")
    assert [(len(r.columns), r.needs) for r in things.requests[1:]] == [(0, 0)]


def test_limit_and_offset_are_passed_on_when_nothing_else_is_left_to_check(
    engine: Engine, things: Things
) -> None:
    for query, limit in [
        ("select n from things limit 2", 2),
        ("select n from things limit 2 offset 3", 5),
        ("select n from things limit :l", 1),
        ("select n from things limit -1", None),
        ("select n from things where n > 0 limit 2", None),
        ("select n from things where r > 0 limit 2", None),
        ("select n from things order by n limit 2", None),
    ]:
        things.requests.clear()
        engine.query(query, {"l": 1})
        assert [request.limit for request in things.requests] == [limit], query


def test_a_self_join_sees_one_instant(engine: Engine, things: Things) -> None:
    rows = engine.query("select a.n, b.n from things a join things b using(k) order by 1, 2")
    assert rows == sorted(
        ((a[0], b[0]) for a in ROWS for b in ROWS if a[1] is not None and a[1] == b[1]),
        key=lambda row: tuple((v is not None, v) for v in row),
    )
    assert asked(things) == [()]


def test_a_subquery_reuses_what_was_collected(engine: Engine, things: Things) -> None:
    engine.query("select n, (select count(*) from things b where b.n <= a.n) from things a")
    assert asked(things) == [()]


def test_a_join_on_a_column_without_lookup_collects_once(engine: Engine, things: Things) -> None:
    engine.query("select t.n from (values (1), (2), (3)) v join things t on t.n = v.column1")
    assert asked(things) == [("n = ?",)]


def test_values_that_only_look_constant_do_not_ask_again_and_again(
    engine: Engine, things: Things
) -> None:
    rows = engine.query(
        "select v.a, t.n from (select value as a from json_each('[0,1,2,3,4,5,1]')) v"
        " cross join things t on t.n = case when v.a > 1 then v.a else 1 end"
    )
    assert rows == [(0, 1), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (1, 1)]
    assert len(things.requests) <= 4
    rows = engine.query(
        "select v.a, t.n from (select value as a from json_each('[0,1,2,3,4,5,1]')) v"
        " cross join things t on t.n = case when v.a > 1 then v.a else 1 end and t.n > 3"
    )
    assert rows == [(4, 4), (5, 5)]


def test_a_join_on_a_lookup_asks_for_each_value_once(engine: Engine, things: Things) -> None:
    rows = engine.query(
        "select t.n from (values (5), (2), (5)) v cross join things t on t.p = v.column1"
    )
    assert rows == [(4,), (1,), (4,)]
    assert asked(things) == [("p = 5",), ("p = 2",)]


def test_names_that_repeat_are_kept_distinct(engine: Engine) -> None:
    columns = [r.columns for r in engine.execute('select 1 a, 2 a, 3 "a:1", 4 a where 0')]
    assert columns == [("a", "a:2", "a:1", "a:3")]


def test_of_several_keys_one_that_only_sqlite_can_decide_leaves_the_others_to_us(
    engine: Engine,
) -> None:
    rows = engine.query(
        "select a.n, (select max(b.n) from things b where b.free = a.k and b.n = (select 1))"
        " from things a where a.n < 2"
    )
    assert rows == [(0, None), (1, None), (-7, None)]


def test_several_statements_run_in_turn(engine: Engine) -> None:
    script = "create temp table t(a); ; insert into t values(1), (2) -- ;\n; select * from t;"
    assert [list(result) for result in engine.execute(script)] == [[], [], [(1,), (2,)]]


def test_a_result_left_unread_does_not_block_the_next(engine: Engine, things: Things) -> None:
    for result in engine.execute("select n from things; select n from things"):
        assert next(iter(result)) == (0,)
    assert len(things.requests) == 2


@pytest.mark.parametrize(
    ("sql", "message", "offset"),
    [
        ("select é, nope from things", "no such column: é", 7),
        ("select 'é', nope from things", "no such column: nope", 12),
        ("selec 1", 'near "selec": syntax error', 0),
        ("select 'abc", 'unrecognized token: "\'abc"', 7),
        ("select * from thing", "no such table: thing", None),
        ("select :missing", "no value for the parameter :missing", None),
        ("select ?", "parameters need a name: write :name, not ?", None),
        (
            'select "nope" from things',
            'no such column: "nope" - should this be a string literal in single-quotes?',
            7,
        ),
        (
            "select cast(x'ff' as text)",
            "a text in the result is not Unicode; cast it to blob",
            None,
        ),
    ],
)
def test_an_error_says_where(engine: Engine, sql: str, message: str, offset: int | None) -> None:
    with pytest.raises(QueryError) as caught:
        engine.query(sql)
    assert (str(caught.value), caught.value.offset, caught.value.sql) == (message, offset, sql)


ENDLESS = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"


def test_a_timeout_ends_a_query_without_end(engine: Engine) -> None:
    engine.timeout = 0.05
    started = time.monotonic()
    with pytest.raises(TimeoutExpired, match=r"longer than 0\.05 seconds"):
        engine.query(ENDLESS)
    assert time.monotonic() - started < 1
    assert str(TimeoutExpired.of(1.0)) == "the statement took longer than 1 second"
    engine.timeout = None
    assert engine.query("select 1") == [(1,)]


def test_interrupt_ends_a_query_without_end_and_the_engine_lives_on(engine: Engine) -> None:
    timer = threading.Timer(0.05, engine.interrupt)
    timer.start()
    with pytest.raises(Interrupted):
        engine.query(ENDLESS)
    timer.join()
    assert engine.query("select 1") == [(1,)]


def test_a_scan_stops_when_its_time_is_up(engine: Engine, things: Things) -> None:
    class Slow(Things):
        """Never ends."""

        def records(self, request: Request, host: Host) -> Iterator[Row]:
            while True:
                host.check()

    engine.add("slow", Slow)
    engine.timeout = 0.05
    with pytest.raises(TimeoutExpired):
        engine.query("select n from slow")


def test_an_error_in_a_table_passes_through_unchanged(engine: Engine) -> None:
    class Broken(Things):
        """Breaks."""

        def records(self, request: Request, host: Host) -> Iterator[Row]:
            raise ZeroDivisionError("my own")
            yield ROWS[0]

    engine.add("broken", Broken)
    with pytest.raises(ZeroDivisionError, match="my own"):
        engine.query("select n from broken")
    assert engine.query("select 1") == [(1,)]


def test_the_garbage_collector_is_put_back(engine: Engine) -> None:
    for query in ("select n from things", "select nope"):
        with contextlib.suppress(QueryError):
            engine.query(query)
        assert gc.isenabled()


def test_plan_tells_what_each_scan_was_asked_and_gave(engine: Engine) -> None:
    plan = engine.plan(
        "select a.n, b.free from things a join things b using(k) where a.word = 'one'"
    )
    assert plan.rows == 5
    assert [
        (t.table, t.how, t.columns, tuple(map(repr, t.constraints)), t.scans, t.rows)
        for t in plan.tables
    ] == [
        ("things", "collected once", ("n", "k", "word", "free"), ("word = 'One'",), 1, 4),
        ("things", "collected once, indexed on k", ("n", "k", "word", "free"), (), 4, 9),
    ]
    assert len(plan.tree) == 2
    with pytest.raises(QueryError, match="one statement, not 2"):
        engine.plan("select 1; select 2")


def test_a_frozen_engine_sees_one_instant_until_it_thaws(engine: Engine, things: Things) -> None:
    assert abs(engine.freeze() - time.time()) < 60
    rows = engine.query("select n, r, secret from things where n > 1")
    assert rows == [(r[0], r[3], f"s{r[0]}") for r in ROWS if r[0] is not None and r[0] > 1]
    assert engine.query("select b.n from things a join things b on b.p = a.p where a.n = 2") == [
        (2,)
    ]
    assert len(things.requests) == 1
    engine.thaw()
    assert engine.query("select count(*) from things") == [(len(ROWS),)]
    assert len(things.requests) == 2
