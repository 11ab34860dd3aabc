"""The table addresses on messages as kernels send them."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest

from sockql.engine import Engine
from tests.rtnetlink import RTM_NEWADDR, Answering, Attributes, link, made, u32

ADDRESS, LOCAL, LABEL, BROADCAST, CACHEINFO, FLAGS, RT_PRIORITY, PROTO = 1, 2, 3, 4, 6, 8, 9, 11
COLUMNS = """
    interface, family, address, prefix_length, broadcast, scope, address_flags, ifindex,
    peer_address, label, valid_lifetime, preferred_lifetime, prefix_metric, address_protocol
"""


def address(
    family: int,
    index: int,
    attributes: Attributes,
    *,
    length: int = 24,
    flags: int = 0x80,
    scope: int = 0,
) -> bytes:
    header = pack("=BBBBI", family, length, flags, scope, index)
    return made(RTM_NEWADDR, header, attributes)


def v4(last: int) -> bytes:
    return bytes((192, 0, 2, last))


V6 = bytes.fromhex("20010db8") + bytes(11) + b"\1"
LINKS = [link(1, b"lo"), link(2, b"wire0")]
MESSAGES = [
    *LINKS,
    address(
        2,
        2,
        [
            (ADDRESS, v4(1)),
            (LOCAL, v4(1)),
            (BROADCAST, v4(255)),
            (LABEL, b"wire0:1\0"),
            (FLAGS, u32(0x281)),
            (RT_PRIORITY, u32(7)),
            (CACHEINFO, pack("=4I", 10, 20, 1, 2)),
        ],
    ),
    address(2, 2, [(ADDRESS, v4(9)), (LOCAL, v4(8))], length=32, scope=77),
    address(10, 1, [(ADDRESS, V6), (PROTO, b"\1"), (CACHEINFO, b"\xff" * 16)], length=64, flags=1),
    # An interface that came after the list of names, and attributes that are too short.
    address(10, 9, [(ADDRESS, b"\1\2"), (CACHEINFO, b"\1")], length=128, flags=0, scope=254),
    # The kernel has addresses of other families.
    address(28, 2, [(ADDRESS, v4(3))]),
]
ROWS = [
    (
        *("wire0", "inet", "192.0.2.1", 24, "192.0.2.255", "global"),
        *("secondary,permanent,noprefixroute", 2, None, "wire0:1", 20, 10, 7, None),
    ),
    (
        *("wire0", "inet", "192.0.2.8", 32, None, "77"),
        *("permanent", 2, "192.0.2.9", None, None, None, None, None),
    ),
    (
        *("lo", "inet6", "2001:db8::1", 64, None, "global"),
        *("temporary", 1, None, None, None, None, None, "kernel_lo"),
    ),
    (
        *(None, "inet6", None, 128, None, "host"),
        *(None, 9, None, None, None, None, None, None),
    ),
]


def test_addresses_are_rows(tmp_path: Path) -> None:
    with Engine(Answering(MESSAGES, str(tmp_path))) as engine:
        assert engine.query(f"select {COLUMNS} from addresses") == ROWS


@pytest.mark.parametrize(
    ("condition", "requests", "decoded", "rows"),
    [
        ("family = 'inet'", ["rtnetlink addresses family=2"], 2, ROWS[:2]),
        ("interface = 'lo'", ["rtnetlink addresses"], 1, ROWS[2:3]),
        ("ifindex = 2 and interface = 'lo'", [], 0, []),
        ("interface = 'gone'", [], 0, []),
        ("inet_in(address, '2001:db8::/32')", ["rtnetlink addresses"], 4, ROWS[2:3]),
    ],
)
def test_only_what_is_asked_for_is_decoded(
    tmp_path: Path, condition: str, requests: list[str], decoded: int, rows: list[object]
) -> None:
    sql = f"select {COLUMNS} from addresses where {condition}"
    with Engine(Answering(MESSAGES, str(tmp_path))) as engine:
        assert engine.query(sql) == rows
        (table,) = engine.plan(sql).tables
    assert (table.requests, table.rows) == (requests, decoded)
