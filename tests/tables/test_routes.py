"""The table routes on messages as kernels send them."""

from __future__ import annotations

import os
from pathlib import Path
from struct import pack

import pytest

from sockql.diag.netlink import attribute
from sockql.engine import Engine
from tests.rtnetlink import RTM_NEWROUTE, Answering, Attributes, link, made, u32

DST, SRC, OIF, GATEWAY, PRIORITY, PREFSRC, METRICS, MULTIPATH = 1, 2, 4, 5, 6, 7, 8, 9
CACHEINFO, TABLE, VIA, PREF, NH_ID = 12, 15, 18, 20, 30
HZ = os.sysconf("SC_CLK_TCK")
COLUMNS = """
    family, table_name, route_type, destination, prefix_length, gateway, interface, metric,
    preferred_source, route_protocol, scope, route_flags, table_id, ifindex, hop, weight,
    nexthop_id, from_prefix, route_tos, preference, expires, mtu, route_rtt, route_congestion
"""


def route(
    family: int,
    attributes: Attributes = (),
    *,
    length: int = 0,
    src: int = 0,
    tos: int = 0,
    table: int = 254,
    protocol: int = 3,
    scope: int = 0,
    type: int = 1,
    flags: int = 0,
) -> bytes:
    header = pack("=8BI", family, length, src, tos, table, protocol, scope, type, flags)
    return made(RTM_NEWROUTE, header, attributes)


def hop(index: int, gateway: bytes, *, weight: int, flags: int = 0) -> bytes:
    details = attribute(GATEWAY, gateway)
    return pack("=HBBi", 8 + len(details), flags, weight - 1, index) + details


def v4(last: int) -> bytes:
    return bytes((192, 0, 2, last))


V6 = bytes.fromhex("20010db8") + bytes(11) + b"\1"
NOTHING = (None,) * 8

MESSAGES = [
    link(1, b"lo"),
    link(2, b"wire0"),
    route(2, [(GATEWAY, v4(7)), (OIF, u32(2)), (TABLE, u32(254))]),
    route(
        2,
        [
            (DST, v4(0)),
            (MULTIPATH, hop(2, v4(7), weight=3) + hop(1, v4(8), weight=256, flags=0x10)),
            (METRICS, attribute(2, u32(1300)) + attribute(4, u32(160)) + attribute(16, b"reno\0")),
            (PRIORITY, u32(4000000000)),
        ],
        length=25,
        flags=0x4000,
    ),
    route(
        10,
        [
            (DST, V6),
            (SRC, V6),
            (OIF, u32(9)),
            (PREF, b"\1"),
            (NH_ID, u32(5)),
            (CACHEINFO, pack("=IIiIIIII", 0, 0, 10 * HZ, 0, 0, 0, 0, 0)),
        ],
        length=64,
        src=128,
        protocol=0,
        scope=201,
    ),
    route(
        2,
        [(TABLE, u32(70000)), (VIA, pack("=H", 10) + V6), (OIF, u32(2)), (PREFSRC, v4(1))],
        table=252,
        tos=0x10,
        protocol=77,
        type=6,
    ),
    route(2, [(DST, b"\1"), (GATEWAY, b"\1"), (OIF, b""), (METRICS, b"\1")], length=32, type=99),
    route(10, [(OIF, u32(1)), (CACHEINFO, pack("=IIi5I", 0, 0, -3 * HZ, *[0] * 5))], table=255),
    route(129, [(OIF, u32(1))]),  # of a multicast routing daemon
]
ROWS = [
    (
        *("inet", "main", "unicast", "0.0.0.0/0", 0, "192.0.2.7", "wire0", 0, None, "boot"),
        *("global", None, 254, 2, None, None, *NOTHING),
    ),
    (
        *("inet", "main", "unicast", "192.0.2.0/25", 25, "192.0.2.7", "wire0", 4000000000, None),
        *("boot", "global", "rt_offload", 254, 2, 1, 3, None, None, None, None, None, 1300, 20),
        "reno",
    ),
    (
        *("inet", "main", "unicast", "192.0.2.0/25", 25, "192.0.2.8", "lo", 4000000000, None),
        *("boot", "global", "linkdown,rt_offload", 254, 1, 2, 256, None, None, None, None, None),
        *(1300, 20, "reno"),
    ),
    (
        *("inet6", "main", "unicast", "2001:db8::1/64", 64, None, None, 0, None, None, "201"),
        *(None, 254, 9, None, None, 5, "2001:db8::1/128", None, "high", 10, None, None, None),
    ),
    (
        *("inet", None, "blackhole", "0.0.0.0/0", 0, "2001:db8::1", "wire0", 0, "192.0.2.1"),
        *("77", "global", None, 70000, 2, None, None, None, None, 16, None, None, None, None),
        None,
    ),
    (
        *("inet", "main", "99", None, 32, None, None, 0, None, "boot", "global", None, 254),
        *(None, None, None, *NOTHING),
    ),
    (
        *("inet6", "local", "unicast", "::/0", 0, None, "lo", 0, None, "boot", "global", None),
        *(255, 1, None, None, None, None, None, None, -3, None, None, None),
    ),
]


def test_each_next_hop_of_each_route_is_a_row(tmp_path: Path) -> None:
    with Engine(Answering(MESSAGES, str(tmp_path))) as engine:
        assert engine.query(f"select {COLUMNS} from routes") == ROWS


@pytest.mark.parametrize(
    ("condition", "requests", "delivered", "rows"),
    [
        ("family = 'inet6'", ["rtnetlink routes family=10"], 2, [ROWS[3], ROWS[6]]),
        # A number that the header has no room for may be any.
        ("table_name = 'local'", ["rtnetlink routes"], 2, [ROWS[6]]),
        ("table_id = 70000", ["rtnetlink routes"], 1, [ROWS[4]]),
        ("table_id = 254 and table_name = 'local'", ["rtnetlink routes"], 1, []),
        ("interface = 'lo'", ["rtnetlink routes"], 2, [ROWS[2], ROWS[6]]),
        ("interface = 'gone'", [], 0, []),
        ("ifindex = 9", ["rtnetlink routes"], 1, [ROWS[3]]),
    ],
)
def test_only_what_is_asked_for_is_decoded(
    tmp_path: Path, condition: str, requests: list[str], delivered: int, rows: list[object]
) -> None:
    sql = f"select {COLUMNS} from routes where {condition}"
    with Engine(Answering(MESSAGES, str(tmp_path))) as engine:
        assert engine.query(sql) == rows
        (table,) = engine.plan(sql).tables
    assert (table.requests, table.rows) == (requests, delivered)


def test_the_route_to_an_address_is_the_one_with_the_longest_prefix(tmp_path: Path) -> None:
    sql = """
        select destination, gateway from routes
        where table_name = 'main' and inet_in('192.0.2.100', destination)
        order by prefix_length desc, metric, weight desc limit 1
    """
    with Engine(Answering(MESSAGES, str(tmp_path))) as engine:
        assert engine.query(sql) == [("192.0.2.0/25", "192.0.2.8")]
