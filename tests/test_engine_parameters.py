"""Columns that tell a source what to read, LIKE as a condition, and rows that OR finds twice."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

import pytest

from sockql.engine import Engine
from sockql.host import Host
from sockql.request import Request
from sockql.schema import EQUAL, LIKE, Table, integer, text

Row = tuple[str, str, int, int]
#: By place: what is there.
PLACES = {"": "home", "a": "alpha", "b": "beta", "c": "gamma"}


class Places(Table[Row], examples=["select name from places"]):
    """The letters of the name of a place, of home when none is asked for."""

    place = text("Place.", source="test", get=itemgetter(0), push=EQUAL | LIKE, parameter=True)
    letter = text("Letter.", source="test", get=itemgetter(1), push=EQUAL)
    n = integer("Number of the letter.", source="test", get=itemgetter(2), push=EQUAL, index=True)
    size = integer("Length of the name.", source="test", get=itemgetter(3))

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def records(self, request: Request, host: Host) -> Iterator[Row]:
        self.requests.append(request)
        places = request.values("place")
        if places is None:
            patterns = request.patterns("place")
            found = [p for p in PLACES if p and p.startswith(patterns[0][0])] if patterns else [""]
        else:
            found = [place for place in PLACES if place in places]
        letters, numbers = request.values("letter"), request.values("n")
        for place in found:
            name = PLACES[place]
            for n, letter in enumerate(name):
                if (letters is None or letter in letters) and (numbers is None or n in numbers):
                    yield place, letter, n, len(name)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        small = request.constrained("letter") or request.constrained("n")
        return (1.0, 1.0) if small else (1000.0, 1e6)


@pytest.fixture
def places() -> Places:
    return Places()


@pytest.fixture
def engine(places: Places, tmp_path: Path) -> Iterator[Engine]:
    with Engine(Host(str(tmp_path))) as made:
        made.add("places", lambda: places)
        yield made


def word(engine: Engine, where: str) -> str:
    return "".join(letter for (letter,) in engine.query(f"select letter from places {where}"))


def test_a_parameter_tells_what_to_read(engine: Engine) -> None:
    assert word(engine, "") == "home"
    assert word(engine, "where place = 'a'") == "alpha"
    assert word(engine, "where place in ('a', 'b', 'z', null)") == "alphabeta"
    assert word(engine, "where place <> 'a'") == "home"
    assert word(engine, "where place = 'z'") == ""


@pytest.mark.parametrize("home", ["", "where n >= 0"])
def test_two_scans_with_different_parameters_share_nothing(engine: Engine, home: str) -> None:
    sql = f"""
        select (select group_concat(letter, '') from places {home}),
            (select group_concat(letter, '') from places where place = 'b'),
            (select count(*) from places h join places b on b.place = 'b' and b.letter = h.letter)
    """
    assert engine.query(sql) == [("home", "beta", 1)]


@pytest.mark.parametrize(
    "sql",
    [
        "select letter from places, p where place = x",
        "select letter from p left join places on place = x where letter is not null",
        "select group_concat(letter, '') from p join places on place = +x",
        "select (select group_concat(letter, '') from places where place = x) from p",
    ],
)
def test_a_parameter_from_another_table_is_asked_for_value_by_value(
    engine: Engine, places: Places, sql: str
) -> None:
    found = engine.query(f"with p(x) as (values ('c'), ('a'), (null), ('z'), ('a')) {sql}")
    assert "".join(letter or "" for (letter,) in found) == "gammaalphaalpha"
    assert len(places.requests) == 3


def test_like_is_handed_over_and_checked_again(engine: Engine, places: Places) -> None:
    assert word(engine, "where place like 'a%'") == "alpha"
    assert word(engine, "where place like 'a' || 'x'") == ""
    assert [request.patterns("place") for request in places.requests] == [("a%",), ("ax",)]
    places.requests.clear()
    assert word(engine, "where place like 'a%' escape '!'") == ""
    assert word(engine, "where place not like 'a%'") == "home"
    assert word(engine, "where place like null") == ""
    assert word(engine, "where place like 5") == ""
    assert [request.patterns("place") for request in places.requests] == [(), (), ()]
    sql = (
        "with p(x) as (values ('b'), ('c')) select letter from p, places where place like x || '%'"
    )
    assert "".join(letter for (letter,) in engine.query(sql)) == "betagamma"


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("place = '' and letter = 'm' or place = '' and n = 2", [(2, "m")]),
        ("place = '' and letter = 'e' or place = '' and n in (0, 3)", [(3, "e"), (0, "h")]),
        ("place = 'a' or place = 'b'", None),
        ("place = 'a' or place like 'a%'", [*enumerate("alpha")]),
    ],
)
def test_a_row_that_meets_both_sides_of_or_is_found_once(
    engine: Engine, where: str, rows: list[tuple[int, str]] | None
) -> None:
    sql = f"select n, letter from places where {where}"
    ((_, _, _, first), *_) = engine.query(f"explain query plan {sql}")
    # OR over one column is IN.
    assert (first == "MULTI-INDEX OR") is (rows is not None)
    assert engine.query(sql) == (rows or [*enumerate("alpha"), *enumerate("beta")])


def test_rows_that_look_alike_are_all_kept(engine: Engine) -> None:
    # Both letters a of alpha, which nothing in use tells apart, meet both conditions.
    sql = (
        "select letter from places where (place = 'a' and letter = 'a') or (place = 'a' and n = 0)"
    )
    assert engine.query(sql) == [("a",), ("a",)]
    sql = "select letter from places where letter = 'm' or letter || '' = 'm' or n = 2"
    assert engine.query(sql) == [("m",)]


def test_rowids_are_numbers_of_rows(engine: Engine) -> None:
    sql = "select rowid, letter, rowid from places where place = 'a'"
    assert engine.query(sql) == [
        (1, "a", 1),
        (2, "l", 2),
        (3, "p", 3),
        (4, "h", 4),
        (5, "a", 5),
    ]
