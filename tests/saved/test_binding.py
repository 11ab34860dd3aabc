"""Values for parameters are held to the types that the header declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.errors import UsageError
from sockql.saved.binding import bind
from sockql.saved.query import parse

if TYPE_CHECKING:
    from sockql.schema import Value

QUERY = parse(
    """\
-- title: T
-- params:
--   count: {type: integer, default: 3}
--   port: {type: integer}
--   share: {type: real}
--   name: {type: text}
--   allowed: {type: table, columns: [port]}
--   known: {type: table, columns: [a], default: []}
--   none: {type: text, default: null}
select :count, :port, :share, :name, :none, :more from allowed, known
""",
    "q.sql",
)
GIVEN = ("port=22", "share=1", "name=7", "allowed=a b.csv", "more=8")


def test_values_have_the_declared_types() -> None:
    binding = bind(QUERY, [*GIVEN, "port=-1", ":port=0023"])
    assert binding.values == {
        "count": 3,
        "port": 23,
        "share": 1.0,
        "name": "7",
        "none": None,
        "more": 8,
    }
    assert binding.tables == {"allowed": "a b.csv", "known": None}


@pytest.mark.parametrize(
    ("given", "values"),
    [
        (["count=+5"], {"count": 5}),
        (["share=-.5e2"], {"share": -50.0}),
        (["more:text=8"], {"more": "8"}),
        (["name:text=8", "name="], {"name": ""}),
        (["name=a=b"], {"name": "a=b"}),
        (["more=x\udcff"], {"more": "x\\xff"}),
    ],
)
def test_a_value_is_read_as_its_type_wants(given: list[str], values: dict[str, object]) -> None:
    found = bind(QUERY, [*GIVEN, *given]).values
    assert {name: found[name] for name in values} == values


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["port=http"], "q: port: an integer is wanted, not 'http'"),
        (["port=1.0"], "q: port: an integer is wanted, not '1.0'"),
        (["port="], "q: port: an integer is wanted, not ''"),
        (["port=1_000"], "q: port: an integer is wanted, not '1_000'"),
        (["port=٣"], "q: port: an integer is wanted, not '٣'"),
        ([f"port={2**63}"], f"q: port: an integer is wanted, not '{2**63}'"),
        (["port=" + "9" * 5000], "q: port: an integer is wanted, not '999"),
        (["port:text=22"], "q: port: an integer is wanted, not text"),
        (["share=half"], "q: share: a number is wanted, not 'half'"),
        (["share=nan"], "q: share: a number is wanted, not 'nan'"),
        (["share=1e999"], "q: share: a number is wanted, not '1e999'"),
        (["allowed:text=x"], "q: allowed: a file is wanted, not text"),
        (["prot=22"], "q has no parameter prot; did you mean port?"),
        (["xyz=22"], "q has no parameter xyz; it has count, port, share, name, allowed, known,"),
        (["port"], "-p port: not NAME=VALUE or NAME:text=VALUE"),
        (["=1"], "-p =1: not NAME=VALUE or NAME:text=VALUE"),
    ],
)
def test_a_wrong_value_is_one_line(given: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        bind(QUERY, [*GIVEN, *given])
    assert str(caught.value).startswith(message)


def test_what_is_missing_is_named_with_what_to_give() -> None:
    with pytest.raises(UsageError) as caught:
        bind(QUERY, ["name=x"])
    assert str(caught.value) == (
        "q needs a value for port, share, allowed, more: "
        "-p port=INTEGER -p share=NUMBER -p allowed=FILE -p more=VALUE"
    )


def test_known_values_are_taken_where_there_is_no_other() -> None:
    known: dict[str, Value] = {
        "count": 9,
        "port": 80,
        "share": 2,
        "name": "n",
        "allowed": "x",
        "more": b"",
        "y": 1,
    }
    binding = bind(QUERY, ["allowed=x.csv", "share=1"], known)
    assert binding.values == {
        "count": 3,
        "port": 80,
        "share": 1.0,
        "name": "n",
        "none": None,
        "more": b"",
    }
    with pytest.raises(UsageError, match=r"^q needs a value for port, allowed: "):
        bind(QUERY, ["share=1"], {**known, "port": "80"})


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_is_bound_as_it_is(number: int, real: float) -> None:
    found = bind(QUERY, [*GIVEN, f"port={number}", f"share={real!r}"]).values
    assert (found["port"], found["share"]) == (number, real)


@given(st.text())
def test_every_text_is_bound_as_it_is(value: str) -> None:
    assert bind(QUERY, [*GIVEN, f"name={value}"]).values["name"] == value
