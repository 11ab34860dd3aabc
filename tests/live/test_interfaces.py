"""The tables about the network against /sys, /proc and psutil, in the own network namespace."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from ipaddress import ip_interface
from pathlib import Path

import psutil
import pytest

from sockql import connect
from sockql.engine import Engine
from tests.conftest import Python
from tests.live.children import in_pid_namespace

NETNS = os.stat("/proc/self/ns/net").st_ino
SYS = Path("/sys/class/net")


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def read(name: str, file: str) -> str | None:
    try:
        return (SYS / name / file).read_text().rstrip("\n") or None
    except OSError:
        return None


def test_interfaces_are_those_of_sys(engine: Engine) -> None:
    sql = f"""
        select interface, ifindex, mac, mtu, operstate, tx_queue_length, alias
        from interfaces where netns = {NETNS} order by ifindex
    """
    names = [name for _, name in socket.if_nameindex()]
    expected = [
        (
            name,
            int(read(name, "ifindex") or 0),
            read(name, "address"),
            int(read(name, "mtu") or 0),
            str(read(name, "operstate")).upper(),
            int(read(name, "tx_queue_len") or 0),
            read(name, "ifalias"),
        )
        for name in names
    ]
    assert engine.query(sql) == sorted(expected, key=lambda row: row[1])


def test_addresses_are_those_of_getifaddrs(engine: Engine) -> None:
    found = engine.query(
        f"select interface, address || '/' || prefix_length from addresses where netns = {NETNS}"
    )
    expected = [
        (name, str(ip_interface(f"{address.address.split('%')[0]}/{length(address.netmask)}")))
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    ]
    assert sorted(found) == sorted(expected)


def length(netmask: str | None) -> int:
    """The number of bits of a netmask."""
    assert netmask is not None
    family = socket.AF_INET6 if ":" in netmask else socket.AF_INET
    return int.from_bytes(socket.inet_pton(family, netmask), "big").bit_count()


def test_one_interface_is_asked_for_alone(engine: Engine) -> None:
    plan = engine.plan(f"select mtu from interfaces where interface = 'lo' and netns = {NETNS}")
    (table,) = plan.tables
    assert table.requests == ["rtnetlink link name=lo"]
    assert (plan.rows, table.rows) == (1, 1)


@pytest.mark.parametrize("name", ["no such name", "%", "a" * 15, "a" * 16, "ö" * 8, "x\0y", ""])
def test_an_interface_that_does_not_exist_is_no_row(engine: Engine, name: str) -> None:
    for table in ("interfaces", "addresses", "routes", "neighbors"):
        assert engine.query(f"select * from {table} where interface = :n", {"n": name}) == []


def test_the_route_to_loopback_is_local(engine: Engine) -> None:
    found = engine.query(
        f"""
        select route_type, interface, preferred_source from routes
        where netns = {NETNS} and table_name = 'local' and family = 'inet'
          and inet_in('127.0.0.5', destination)
        """
    )
    assert found == [("local", "lo", "127.0.0.1")]


def test_counters_do_not_run_backwards(engine: Engine) -> None:
    sql = f"""
        select value from snmp
        where netns = {NETNS} and protocol = 'tcp' and name = 'ActiveOpens'
    """
    ((before,),) = engine.query(sql)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        ((after,),) = engine.query(sql)
    assert after > before


def test_a_joined_group_is_a_row(engine: Engine) -> None:
    group = "233.252.0.77"  # MCAST-TEST-NET
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        member = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        found = engine.query(
            f"""
            select netns, interface, family, group_address, users from multicast_groups
            where group_address = '{group}' and netns = {NETNS}
            """
        )
    assert found == [(NETNS, "lo", "inet", group, 1)]


IMPORTS = """
import sys
from sockql import connect
from sockql import tables
with connect() as db:
    for name in tables.NAMES:
        tables.load(name)
        db.query(f"select * from {name} limit 0")
    for name in sys.argv[1:]:
        db.query(f"select * from {name}")
print("pyroute2" in sys.modules)
"""


@pytest.mark.parametrize(
    ("names", "imported"),
    [
        (["sockets", "snmp", "multicast_groups", "listening", "socket_summary"], False),
        (["interfaces"], True),
        (["addresses"], True),
        (["routes"], True),
        (["neighbors"], True),
    ],
)
def test_pyroute2_is_imported_by_those_who_need_it_alone(
    python: Python, names: list[str], imported: bool
) -> None:
    """It takes a third of a second, longer than all else at the start."""
    done = python("-c", IMPORTS, *names)
    assert (done.returncode, done.stdout) == (0, f"{imported}\n"), done.stderr


IN_ANOTHER = """
import json, os, socket
from sockql import connect
ours = os.stat("/proc/self/ns/net").st_ino
reading, writing = os.pipe()
if os.fork() == 0:
    os.unshare(0x40000000) if hasattr(os, "unshare") else __import__("ctypes").CDLL(None).unshare(
        0x40000000)
    os.write(writing, str(os.stat("/proc/self/ns/net").st_ino).encode())
    __import__("signal").pause()
theirs = int(os.read(reading, 100))
with connect() as db:
    print(json.dumps([[n == ours, n == theirs, count > 0] for table in (
        "interfaces", "snmp")
        for n, count in db.query(f"select netns, count(*) from {table} where netns in ({ours}, {theirs}) "
        f"group by netns order by netns = {theirs}")]))
    print(json.dumps(db.query(f"select interface, operstate from interfaces where netns = {theirs}")))
    print(json.dumps(db.notices))
"""


def test_every_network_namespace_is_asked() -> None:
    if os.geteuid() != 0:
        pytest.skip("another network namespace takes root (EPERM)")
    rows, links, notices = in_pid_namespace(IN_ANOTHER).splitlines()
    assert json.loads(rows) == [[True, False, True], [False, True, True]] * 2
    assert json.loads(links) == [["lo", "DOWN"]]
    assert json.loads(notices) == []
