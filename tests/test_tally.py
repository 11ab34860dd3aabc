"""Sockets counted by state from the bytes of a datagram, against the records of the same bytes."""

from __future__ import annotations

import struct
from _socket import AF_INET, AF_INET6
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.diag.inet import SOCK_DIAG_BY_FAMILY, decode
from sockql.sockets.record import CLOSE, COOKIE, LISTEN, STATE, Origin
from sockql.sockets.tally import tally, weight

ORIGINS = {
    AF_INET: Origin("inet", "tcp", "stream"),
    AF_INET6: Origin("inet6", "tcp", "stream"),
}


def socket_message(state: int, cookie: int, *, family: int = AF_INET, extra: int = 8) -> bytes:
    """A message of sock_diag: struct nlmsghdr, struct inet_diag_msg, ``extra`` bytes after it."""
    body = struct.pack("=BBBB", family, state, 0, 0) + struct.pack(">HH", 1, 2) + bytes(32)
    body += struct.pack("=IQIIIII", 0, cookie, 0, 0, 0, 0, 9) + bytes(extra)
    return struct.pack("=IHHII", 16 + len(body), SOCK_DIAG_BY_FAMILY, 2, 0, 0) + body


def both(datagram: bytes) -> tuple[Counter[int] | None, Counter[int], set[int] | None, set[int]]:
    """States counted in the two ways, and the cookies."""
    view = memoryview(datagram)
    records = list(decode(view, SOCK_DIAG_BY_FAMILY, ORIGINS, "test"))
    slow = Counter(record[STATE] for record in records)
    cookies = {record[COOKIE] for record in records}
    found = tally(view, SOCK_DIAG_BY_FAMILY, ORIGINS, "test")
    if found is None:
        return None, slow, None, cookies
    fast: Counter[int] = Counter()
    for record in found[1]:
        fast[record[STATE]] += weight(record)
        assert record in records
    return fast, slow, found[0], cookies


@given(st.lists(st.sampled_from([1, 2, 4, 5, 8, 9, 11]), min_size=1, max_size=300))
def test_states_are_counted_as_the_records_have_them(states: list[int]) -> None:
    datagram = b"".join(socket_message(state, 7 + i) for i, state in enumerate(states))
    fast, slow, some, cookies = both(datagram)
    assert (fast, some) == (slow, cookies)


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(socket_message(1, 1) + socket_message(1, 2, extra=12), id="lengths"),
        pytest.param(socket_message(1, 1) + socket_message(1, 2, family=AF_INET6), id="families"),
        pytest.param(socket_message(1, 1) + socket_message(1, 1), id="the same cookie"),
        pytest.param(socket_message(1, 1) + socket_message(1, 1 << 40), id="a long cookie"),
        pytest.param(socket_message(1, 1) + socket_message(CLOSE, 2), id="closed"),
        pytest.param(socket_message(LISTEN, 1) + socket_message(1, 2), id="listening"),
    ],
)
def test_what_needs_a_closer_look_is_not_counted(datagram: bytes) -> None:
    fast, slow, _, _ = both(datagram)
    assert fast is None
    assert slow.total() == 2


def test_a_record_stands_for_itself() -> None:
    (record,) = decode(memoryview(socket_message(1, 1)), SOCK_DIAG_BY_FAMILY, ORIGINS, "test")
    assert weight(record) == 1
