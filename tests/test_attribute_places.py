"""Finding one attribute among others without taking all of them apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.diag.attribute_places import Places, nowhere
from sockql.diag.netlink import attributes
from sockql.errors import ParseError
from tests.sockmessages import attribute

WANTED = 2
items = st.lists(st.tuples(st.integers(0, 8), st.binary(max_size=12)), max_size=6)


def packed(found: list[tuple[int, bytes]]) -> bytes:
    return b"".join(attribute(number, payload) for number, payload in found)


@given(st.lists(items, min_size=1, max_size=8))
def test_the_place_is_that_of_the_first_such_attribute(
    sockets: list[list[tuple[int, bytes]]],
) -> None:
    """Whatever came before: the layouts that were learned never mislead."""
    places = Places(WANTED)
    for found in sockets:
        raw = packed(found)
        start, length = places.find(raw)
        payloads = [payload for number, payload in found if number == WANTED]
        if payloads:
            assert raw[start : start + length] == payloads[0]
        else:
            assert (start, length) == (0, 0)


def test_a_payload_that_looks_like_the_header_is_not_taken_for_it() -> None:
    places = Places(WANTED)
    header = attribute(WANTED, b"real")
    assert places.find(packed([(1, b"12345678")]) + header) == (16, 4)
    forged = attribute(15, bytes(8) + header)
    assert len(forged) == 20
    raw = attribute(15, header)
    assert places.find(packed([(1, b"")]) + raw + attribute(3, b"")) == (0, 0)


def test_flags_of_the_type_are_not_part_of_it() -> None:
    assert Places(WANTED).find(attribute(0x8000 | WANTED, b"nest")) == (4, 4)


def test_nothing_is_nowhere() -> None:
    assert Places(WANTED).find(b"") == (0, 0)
    assert nowhere(attribute(WANTED, b"1")) == (0, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"\1",
        b"\4\0\1",
        b"\3\0\1\0",
        b"\xff\0\2\0data",
        attribute(1, b"1234") + b"\0\0\0\0",
    ],
)
def test_broken_attributes_are_an_error_as_everywhere(raw: bytes) -> None:
    with pytest.raises(ParseError, match="netlink attribute at offset"):
        attributes(raw)
    with pytest.raises(ParseError, match="netlink attribute at offset"):
        Places(WANTED).find(raw)
