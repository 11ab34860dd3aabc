"""osquery's tables of the network: recorded messages, and what ip(8) and psutil say."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import socket
import struct
import subprocess
from pathlib import Path
from struct import pack
from typing import Any

import psutil
import pytest

from sockql.errors import ParseError
from sockql.host import Host
from tests.fakeproc import Link, Tree, proc_tree
from tests.live.children import wait_until
from tests.osquery.asking import ask
from tests.rtnetlink import RTM_NEWADDR, RTM_NEWROUTE, Answering, Attributes, link, made, u32

UP, BROADCAST, LOOPBACK, POINTOPOINT = 1, 2, 8, 16


def answering(tmp_path: Path, *messages: bytes) -> Answering:
    tree = {"self/ns/net": Link("net:[77]")}
    return Answering(messages, str(proc_tree(tree, tmp_path)))


# -- interface_addresses ------------------------------------------------------------------------


def address(family: int, index: int, length: int, *attributes: tuple[int, bytes]) -> bytes:
    return made(RTM_NEWADDR, pack("=BBBBI", family, length, 0x80, 0, index), attributes)


def test_addresses_as_getifaddrs_gives_them(tmp_path: Path) -> None:
    def v4(last: int) -> bytes:
        return bytes((192, 0, 2, last))

    here, there, local = (
        socket.inet_pton(socket.AF_INET6, text)
        for text in ("2001:db8::1", "2001:db8::2", "fe80::1")
    )
    host = answering(
        tmp_path,
        link(1, b"lo", type=772, flags=UP | LOOPBACK),
        link(2, b"wire0", flags=UP | BROADCAST),
        link(3, b"tun0", flags=UP | POINTOPOINT),
        address(2, 1, 8, (1, b"\x7f\0\0\1"), (2, b"\x7f\0\0\1"), (3, b"lo\0")),
        address(2, 2, 24, (1, v4(1)), (2, v4(1)), (4, v4(255)), (3, b"wire0:x\0")),
        address(2, 2, 32, (1, v4(2)), (2, v4(2)), (3, b"wire0\0")),
        address(2, 3, 30, (1, v4(6)), (2, v4(5)), (3, b"tun0\0")),
        address(10, 2, 64, (1, here)),
        address(10, 2, 64, (1, local)),
        address(10, 3, 128, (2, here), (1, there)),
    )
    assert ask(host, "select *, friendly_name from interface_addresses") == [
        (*row, "unknown", None)
        for row in (
            ("lo", "127.0.0.1", "255.0.0.0", None, "127.0.0.1"),
            ("wire0:x", "192.0.2.1", "255.255.255.0", "192.0.2.255", None),
            ("wire0", "192.0.2.2", "255.255.255.255", "192.0.2.2", None),
            ("tun0", "192.0.2.5", "255.255.255.252", None, "192.0.2.6"),
            ("wire0", "2001:db8::1", "ffff:ffff:ffff:ffff::", None, None),
            ("wire0", "fe80::1%wire0", "ffff:ffff:ffff:ffff::", None, None),
            ("tun0", "2001:db8::1", str(ipaddress.IPv6Address(2**128 - 1)), None, "2001:db8::2"),
        )
    ]


def test_addresses_of_this_machine_are_those_of_getifaddrs() -> None:
    sql = "select interface, address, mask, broadcast, point_to_point from interface_addresses"
    families = (socket.AF_INET, socket.AF_INET6)
    expected = sorted(
        (name, a.address, a.netmask, a.broadcast, a.ptp)
        for name, addresses in psutil.net_if_addrs().items()
        for a in addresses
        if a.family in families
    )
    found = sorted(ask(Host(), sql))
    # psutil gives no second address of an interface that is neither.
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    for ours, theirs in zip(found, expected):
        assert ours[3] == theirs[3] or theirs[3] is None
        assert ours[4] == theirs[4] or theirs[4] is None


# -- interface_details --------------------------------------------------------------------------


def stats64(**counters: int) -> bytes:
    names = (
        *("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors"),
        *("rx_dropped", "tx_dropped", "multicast", "collisions"),
    )
    return b"".join(pack("=Q", counters.get(name, 0)) for name in names) + bytes(8 * 15)


def test_an_interface_with_its_counters(tmp_path: Path) -> None:
    counters = stats64(
        rx_packets=1,
        tx_packets=2,
        rx_bytes=5 << 32,
        tx_bytes=4,
        rx_errors=5,
        tx_errors=6,
        rx_dropped=7,
        tx_dropped=8,
        collisions=9,
    )
    wire: Attributes = [
        *((1, bytes.fromhex("02000000000a")), (4, u32(1500)), (23, counters)),
        *((30, u32(1)), (61, u32(2))),
    ]
    host = answering(
        tmp_path,
        link(2, b"wire0", wire, flags=UP | BROADCAST),
        link(3, b"tun0", [(23, stats64())], type=65534, flags=POINTOPOINT),
    )
    sql = "select *, friendly_name, speed, dns_server_search_order from interface_details"
    rest = (-1, 0, "-1", None, None, None)
    assert ask(host, sql) == [
        (
            *("wire0", "02:00:00:00:00:0a", 1, 1500, 0, UP | BROADCAST | 0x100 | 0x200),
            *(1, 2, 5 << 32, 4, 5, 6, 7, 8, 9, *rest),
        ),
        ("tun0", "00:00:00:00:00:00", 65534 & 0xFF, 0, 0, POINTOPOINT, *[0] * 9, *rest),
    ]


def test_interfaces_of_this_machine() -> None:
    sql = "select interface, mtu, link_speed from interface_details where interface = 'lo'"
    (loopback,) = ask(Host(), sql)
    assert loopback == ("lo", psutil.net_if_stats()["lo"].mtu, psutil.net_if_stats()["lo"].speed)
    sql = "select interface, mac, mtu, flags & 1, ibytes >= 0 from interface_details"
    expected = [
        (
            name,
            _file(name, "address"),
            int(_file(name, "mtu")),
            int(_file(name, "flags"), 16) & 1,
            1,
        )
        for _, name in socket.if_nameindex()
        if len(_file(name, "address")) == 17
    ]
    found = ask(Host(), sql)
    assert [row for row in expected if row not in found] == []
    assert len(found) == len(socket.if_nameindex())


@pytest.mark.skipif(os.geteuid() != 0, reason="takes CAP_NET_RAW (EPERM)")
def test_an_interface_that_a_packet_socket_listens_on_for_all(tmp_path: Path) -> None:
    sql = "select flags & 256 from interface_details where interface = 'lo'"
    if ask(Host(), sql) != [(0,)]:
        pytest.skip("something else listens on lo for all")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as packet:
        # struct packet_mreq: index, PACKET_MR_PROMISC, no address.
        member = struct.pack("=iHH8x", socket.if_nametoindex("lo"), 1, 0)
        packet.setsockopt(263, 1, member)
        assert ask(Host(), sql) == [(256,)]
    wait_until(lambda: ask(Host(), sql) == [(0,)])


def _file(interface: str, name: str) -> str:
    return Path(f"/sys/class/net/{interface}/{name}").read_text().strip()


# -- routes -------------------------------------------------------------------------------------


def route(family: int, length: int, type: int, flags: int, *attributes: tuple[int, bytes]) -> bytes:
    header = pack("=BBBBBBBBI", family, length, 0, 0, 254, 2, 0, type, flags)
    return made(RTM_NEWROUTE, header, attributes)


def test_routes_under_osquerys_rules(tmp_path: Path) -> None:
    gateway, own = bytes((192, 0, 2, 7)), bytes((192, 0, 2, 1))
    metrics = pack("=HHIHHI", 8, 2, 1400, 8, 10, 64)  # RTAX_MTU, RTAX_HOPLIMIT
    v6 = socket.inet_pton(socket.AF_INET6, "2001:db8::")
    hops = b"".join(
        pack("=HBBi", 16, 0, weight, 2) + pack("=HH4s", 8, 5, bytes((192, 0, 2, last)))
        for weight, last in ((0, 8), (2, 9))
    )
    host = answering(
        tmp_path,
        link(2, b"wire0"),
        route(2, 0, 1, 0, (5, gateway), (4, u32(2)), (6, u32(100))),
        route(2, 24, 1, 0, (1, bytes((198, 51, 100, 0))), (4, u32(2)), (7, own), (8, metrics)),
        route(2, 32, 2, 0, (1, own), (4, u32(2))),
        route(2, 32, 3, 0x10, (1, bytes((192, 0, 2, 255))), (4, u32(2))),
        route(2, 8, 6, 0, (1, bytes((10, 0, 0, 0)))),
        route(2, 16, 1, 0, (1, bytes((10, 1, 0, 0))), (9, hops)),
        route(10, 0, 1, 0, (4, u32(2))),
        route(10, 64, 4, 0, (1, v6), (4, u32(2))),
        route(10, 128, 2, 0, (1, v6), (4, u32(2))),
    )
    assert ask(host, "select * from routes") == [
        ("0.0.0.0", 0, "192.0.2.7", None, 0, "wire0", 0, 100, "gateway", 0),
        ("198.51.100.0", 24, None, "192.0.2.1", 0, "wire0", 1400, 0, "gateway", 64),
        ("192.0.2.1", 0, None, None, 0, "wire0", 0, 0, "local", 0),
        ("192.0.2.255", 0, None, None, 16, "wire0", 0, 0, "broadcast", 0),
        ("10.0.0.0", 8, None, None, 0, None, 0, 0, "other", 0),
        ("10.1.0.0", 16, "192.0.2.8", None, 0, "wire0", 0, 0, "gateway", 0),
        ("10.1.0.0", 16, "192.0.2.9", None, 0, "wire0", 0, 0, "gateway", 0),
        ("::", 0, None, None, 0, "wire0", 0, 0, "gateway", 0),
        ("2001:db8::", 64, None, None, 0, "wire0", 0, 0, "anycast", 0),
        ("2001:db8::", 0, None, None, 0, "wire0", 0, 0, "local", 0),
    ]
    assert len(ask(host, "select * from routes where interface = 'wire0'")) == 9
    assert ask(host, "select * from routes where interface = 'gone'") == []


def test_routes_of_this_machine_are_those_of_ip() -> None:
    if shutil.which("ip") is None:
        pytest.skip("ip is not installed")
    said = subprocess.run(
        ["ip", "-j", "route", "show", "table", "main", "type", "unicast"],
        capture_output=True,
        check=True,
    )
    expected = sorted(map(_of_ip, json.loads(said.stdout or b"[]")))
    sql = """
        select destination, netmask, gateway, source, interface, metric from routes
        where type = 'gateway' and destination not like '%:%'
    """
    assert [row for row in expected if row not in ask(Host(), sql)] == []


def _of_ip(found: dict[str, Any]) -> tuple[Any, ...]:
    network = "0.0.0.0/0" if found["dst"] == "default" else found["dst"]
    where, _, length = network.partition("/")
    mask = int(length) if length else 0
    keys = ("gateway", "prefsrc", "dev")
    return (where, mask, *map(found.get, keys), found.get("metric", 0))


# -- arp_cache ----------------------------------------------------------------------------------

ARP = b"""\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        wire0
192.0.2.55       0x1         0x0         00:00:00:00:00:00     *        wire0
192.0.2.7        0x1         0x6         02:00:00:00:00:07     *        wire0.7
"""


def test_the_arp_cache_as_the_kernel_writes_it(tmp_path: Path) -> None:
    tree: Tree = {"self/net/arp": ARP, "self/ns/net": Link("net:[77]")}
    host = Host(str(proc_tree(tree, tmp_path)))
    assert ask(host, "select * from arp_cache") == [
        ("192.0.2.1", "02:fc:00:00:00:05", "wire0", "0"),
        ("192.0.2.55", "00:00:00:00:00:00", "wire0", "0"),
        ("192.0.2.7", "02:00:00:00:00:07", "wire0.7", "1"),
    ]
    sql = "select address from arp_cache where mac = '02:FC:00:00:00:05' and permanent = '0'"
    assert ask(host, sql) == [("192.0.2.1",)]


def test_an_arp_cache_of_another_layout_or_none(tmp_path: Path) -> None:
    tree: Tree = {"self/net/arp": b"header\n192.0.2.1 0x1 up\n", "self/ns/net": Link("net:[77]")}
    with pytest.raises(ParseError, match=r"192\.0\.2\.1 0x1 up': expected six words"):
        ask(Host(str(proc_tree(tree, tmp_path))), "select * from arp_cache")
    (tmp_path / "none").mkdir()
    tree = {"self/ns/net": Link("net:[77]")}
    host = Host(str(proc_tree(tree, tmp_path / "none")))
    assert ask(host, "select * from arp_cache") == []


# -- another namespace --------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="takes CAP_SYS_ADMIN (EPERM)")
def test_the_namespace_is_our_own_or_the_one_that_is_asked_for() -> None:
    process = subprocess.Popen(
        ["unshare", "--net", "sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        own = os.readlink("/proc/self/ns/net")
        wait_until(
            lambda: process.poll() is not None or os.readlink(f"/proc/{process.pid}/ns/net") != own
        )
        if process.poll() is not None:
            pytest.skip(f"unshare: {process.stderr and process.stderr.read()!r}")
        names = "select interface from interface_details"
        assert len(ask(Host(), names)) == len(socket.if_nameindex())
        inner = Host(scope=str(process.pid))
        assert ("lo",) in ask(inner, names)
        assert (
            ask(Host(scope=str(process.pid)), "select * from routes where type = 'gateway'") == []
        )
        assert ask(Host(scope=str(process.pid)), "select * from arp_cache") == []
    finally:
        process.kill()
        process.communicate()
