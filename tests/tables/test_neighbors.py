"""The table neighbors on messages as kernels send them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from struct import pack

import pytest

from sockql.engine import Engine
from tests.rtnetlink import RTM_NEWNEIGH, Answering, Attributes, link, made, u32

DST, LLADDR, CACHEINFO, PROBES = 1, 2, 3, 4
HZ = os.sysconf("SC_CLK_TCK")
COLUMNS = """
    interface, family, address, mac, nud_state, neighbor_flags, ifindex, neighbor_probes,
    confirmed_ago, used_ago, updated_ago, neighbor_references
"""


def neighbor(
    family: int, index: int, attributes: Attributes, *, state: int = 0, flags: int = 0
) -> bytes:
    return made(RTM_NEWNEIGH, pack("=BxxxiHBB", family, index, state, flags, 1), attributes)


class Machine(Answering):
    """Answers requests for proxies with none."""

    def netlink(self, protocol: int, request: bytes) -> Iterator[memoryview]:
        if request[4] == 30 and request[26] == 8:
            return iter(())
        return super().netlink(protocol, request)


V4 = bytes((192, 0, 2, 7))
MESSAGES = [
    link(1, b"wire0"),
    neighbor(
        2,
        1,
        [
            (DST, V4),
            (LLADDR, bytes.fromhex("0200000000ff")),
            (PROBES, u32(3)),
            (CACHEINFO, pack("=4I", HZ, 2 * HZ, 3 * HZ // 2, 4)),
        ],
        state=0x02,
        flags=0x90,
    ),
    neighbor(10, 1, [(DST, bytes(15) + b"\1"), (LLADDR, bytes(range(20)))], state=0x80),
    neighbor(10, 0, [(DST, bytes(15) + b"\2")], flags=0x08),
    neighbor(2, 9, [(DST, b"\1"), (LLADDR, b""), (CACHEINFO, b"\1")], state=0x4000),
    neighbor(7, 1, [(LLADDR, bytes(6))]),  # an entry of a bridge
]
ROWS = [
    (
        *("wire0", "inet", "192.0.2.7", "02:00:00:00:00:ff", "REACHABLE", "extern_learn,router"),
        *(1, 3, 1.0, 2.0, 1.5, 4),
    ),
    (
        *("wire0", "inet6", "::1", bytes(range(20)).hex(":"), "PERMANENT", None),
        *(1, None, None, None, None, None),
    ),
    (None, "inet6", "::2", None, None, "proxy", None, None, None, None, None, None),
    (None, "inet", None, None, "0x4000", None, 9, None, None, None, None, None),
]


def test_neighbours_are_rows(tmp_path: Path) -> None:
    with Engine(Machine(MESSAGES, str(tmp_path))) as engine:
        assert engine.query(f"select {COLUMNS} from neighbors") == ROWS


@pytest.mark.parametrize(
    ("condition", "words", "rows"),
    [
        ("family = 'inet6'", " family=10", ROWS[1:3]),
        ("interface = 'wire0'", " interface=1", ROWS[:2]),
        ("interface = 'wire0' and family = 'inet'", " family=2 interface=1", ROWS[:1]),
        ("ifindex = 9", " interface=9", ROWS[3:]),
        ("mac = '02:00:00:00:00:FF'", "", ROWS[:1]),
    ],
)
def test_the_kernel_is_asked_for_family_and_interface(
    tmp_path: Path, condition: str, words: str, rows: list[object]
) -> None:
    sql = f"select {COLUMNS} from neighbors where {condition}"
    with Engine(Machine(MESSAGES, str(tmp_path))) as engine:
        assert engine.query(sql) == rows
        (table,) = engine.plan(sql).tables
    assert table.requests == ["rtnetlink neighbours" + words, "rtnetlink proxies" + words]
