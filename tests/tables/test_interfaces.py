"""The table interfaces on messages as other kernels and other links send them."""

from __future__ import annotations

from errno import EINVAL, ENODEV, EPERM
from pathlib import Path
from struct import pack

import pytest

from sockql.engine import Engine
from sockql.errors import KernelRefused, ParseError
from tests.rtnetlink import Answering, link, made, u32

STATS64 = 23
LINKINFO = 18

NAMES = "select interface, mac, broadcast_mac, link_type, alias from interfaces"


def ask(
    folder: Path, sql: str, *messages: bytes, errnos: dict[int, int] | None = None
) -> list[tuple[object, ...]]:
    with Engine(Answering(messages, str(folder), errnos=errnos)) as engine:
        return engine.query(sql)


def test_the_address_of_a_tunnel_is_that_of_ip(tmp_path: Path) -> None:
    mac, over4, over6 = bytes(range(20)), bytes((192, 0, 2, 1)), bytes(15) + b"\1"
    assert ask(
        tmp_path,
        NAMES,
        link(1, b"sit0", [(1, over4), (2, bytes((192, 0, 2, 2)))], type=776),
        link(2, b"ip6gre0", [(1, over6)], type=823),
        link(3, b"ib0", [(1, mac), (54, mac)], type=32),
        link(4, b"tun0", [(1, b"")], type=0xFFFE),
        link(5, b"new0", [], type=4000),
    ) == [
        ("sit0", "192.0.2.1", "192.0.2.2", "sit", None),
        ("ip6gre0", "::1", None, "ip6gre", None),
        ("ib0", mac.hex(":"), None, "infiniband", None),
        ("tun0", None, None, "none", None),
        ("new0", None, None, "4000", None),
    ]


def test_names_need_not_be_utf_8(tmp_path: Path) -> None:
    found = ask(tmp_path, NAMES, link(1, b"w\xe9re\n0", [(20, b"\xff \x1b[2J\0")]))
    assert found == [("w\\xe9re\n0", None, None, "ether", "\\xff \x1b[2J")]


def test_short_attributes_are_null(tmp_path: Path) -> None:
    short = [(STATS64, b"\1" * 10), (LINKINFO, b"\1"), (4, b""), (16, b""), (52, b"\3")]
    sql = "select interface, rx_bytes, link_kind, mtu, operstate, alternative_names from interfaces"
    assert ask(tmp_path, sql, link(1, b"x", short)) == [("x", None, None, None, None, None)]


def test_counters_of_older_and_newer_kernels_are_read(tmp_path: Path) -> None:
    """Each has added to the end of the struct."""
    numbers = pack("=23Q", *range(100, 123))
    sql = "select rx_packets, tx_packets, rx_bytes, tx_bytes, tx_compressed from interfaces"
    for stats in (numbers, numbers + pack("=2Q", 1, 2)):
        assert ask(tmp_path, sql, link(1, b"x", [(STATS64, stats)])) == [(100, 101, 102, 103, 122)]


def test_a_counter_beyond_sqlite_is_null(tmp_path: Path) -> None:
    stats = pack("=23Q", 2**63 - 1, 2**63, *range(21))
    sql = "select rx_packets, tx_packets from interfaces"
    assert ask(tmp_path, sql, link(1, b"x", [(STATS64, stats)])) == [(2**63 - 1, None)]


def test_flags_are_names_and_what_has_none_a_number(tmp_path: Path) -> None:
    sql = "select interface_flags from interfaces"
    links = [link(1, b"a", flags=0x80010043), link(2, b"b")]
    assert ask(tmp_path, sql, *links) == [("UP,BROADCAST,RUNNING,LOWER_UP,0x80000000",), (None,)]


def test_a_master_is_shown_by_its_name(tmp_path: Path) -> None:
    sql = "select interface, master, lower_ifindex, lower_netnsid from interfaces"
    links = [
        link(1, b"bridge0"),
        link(2, b"port", [(10, u32(1)), (5, u32(9)), (37, pack("=i", 0))]),
        link(3, b"orphan", [(10, u32(77)), (37, pack("=i", -1))]),
    ]
    assert ask(tmp_path, sql, *links) == [
        ("bridge0", None, None, None),
        ("port", "bridge0", 9, 0),
        ("orphan", None, None, None),
    ]


@pytest.mark.parametrize(
    ("condition", "requests"),
    [
        ("interface = 'lo'", ["rtnetlink link name=lo"]),
        ("ifindex in (7, 3)", ["rtnetlink link index=3", "rtnetlink link index=7"]),
        ("ifindex = -1 or ifindex = 5000000000", []),
        ("interface = 'longer than a name can be'", []),
        ("interface = 'w\\xe9re'", ["rtnetlink links"]),
        ("mtu = 1500", ["rtnetlink links"]),
        ("netns = 1", []),
    ],
)
def test_a_few_interfaces_are_asked_for_one_by_one(
    tmp_path: Path, condition: str, requests: list[str]
) -> None:
    with Engine(Answering([], str(tmp_path))) as engine:
        plan = engine.plan(f"select mtu from interfaces where {condition}")
    assert [text for table in plan.tables for text in table.requests] == requests


@pytest.mark.parametrize("errno", [ENODEV, EINVAL])
def test_an_interface_that_is_not_there_is_no_row(tmp_path: Path, errno: int) -> None:
    sql = "select * from interfaces where interface = 'gone'"
    assert ask(tmp_path, sql, errnos={18: errno}) == []


def test_a_refusal_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KernelRefused) as caught:
        ask(tmp_path, "select * from interfaces", errnos={18: EPERM})
    assert str(caught.value) == "rtnetlink links: Operation not permitted"


def test_a_message_that_is_cut_off_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ParseError) as caught:
        ask(tmp_path, "select * from interfaces", made(16, b"\0" * 4))
    assert str(caught.value).startswith("rtnetlink links: ")
    assert str(caught.value).endswith(": 14 00 00 00 10 00 02 00" + " 00" * 12)
