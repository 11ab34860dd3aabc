"""Counters, interfaces, groups and routes against netstat, nstat and ss -s, by the documented SQL."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from tests.differential.machine import Row, World, ordered
from tests.test_peers_doc import query_for, query_of

Need = Callable[[str], None]

NETWORK = """
ip link add name wire0 type veth peer name wire1
ip link set dev wire0 mtu 1400 up
ip link set dev wire1 promisc on up
ip addr add 192.0.2.1/24 dev wire0
ip route add default via 192.0.2.7
ip route add 198.51.100.9 via 192.0.2.9 advmss 1200 window 30000 rtt 20ms
ip route add 203.0.113.0/24 nexthop via 192.0.2.7 nexthop via 192.0.2.8
ip route add 198.51.100.128/26 via inet6 fe80::1 dev wire0
ip route add blackhole 198.51.100.192/26
ip route add unreachable 198.51.100.200
"""


@pytest.fixture(scope="module")
def network(world: World) -> World:
    """The machine, with a link and some routes; what cannot be made is not compared."""
    world.run("sh", "-c", f"({NETWORK}) >/dev/null 2>&1; true")
    return world


def lines(output: bytes) -> list[list[str]]:
    return [line.split() for line in output.decode().splitlines()]


def test_counters_are_those_of_nstat(network: World, need: Need) -> None:
    need("nstat")

    def ask() -> list[Row]:
        rows = lines(network.run("nstat", "--zeros", "--ignore", "--noupdate", "--reset"))
        return [(name, int(value)) for name, value, _ in rows[1:]]

    sql = "select protocol || name, value from snmp where protocol not like 'Sockstat%'"
    rows, counters = network.agree(sql, ask)
    # nstat leaves out what has no direction or no meaning as a difference.
    known: dict[str, int | None] = dict(rows)
    assert [(name, known.get(name)) for name, _ in counters] == counters
    assert len(counters) > 200


#: The words of netstat -s for counters that it does not show by name.
WORDS = {
    "total packets received": ("Ip", "InReceives"),
    "forwarded": ("Ip", "ForwDatagrams"),
    "incoming packets discarded": ("Ip", "InDiscards"),
    "incoming packets delivered": ("Ip", "InDelivers"),
    "requests sent out": ("Ip", "OutRequests"),
    "active connection openings": ("Tcp", "ActiveOpens"),
    "passive connection openings": ("Tcp", "PassiveOpens"),
    "failed connection attempts": ("Tcp", "AttemptFails"),
    "connection resets received": ("Tcp", "EstabResets"),
    "connections established": ("Tcp", "CurrEstab"),
    "segments received": ("Tcp", "InSegs"),
    "segments sent out": ("Tcp", "OutSegs"),
    "segments retransmitted": ("Tcp", "RetransSegs"),
    "bad segments received": ("Tcp", "InErrs"),
    "resets sent": ("Tcp", "OutRsts"),
    "packets received": ("Udp", "InDatagrams"),
    "packets to unknown port received": ("Udp", "NoPorts"),
    "packet receive errors": ("Udp", "InErrors"),
    "packets sent": ("Udp", "OutDatagrams"),
    "receive buffer errors": ("Udp", "RcvbufErrors"),
    "send buffer errors": ("Udp", "SndbufErrors"),
}


def netstat_counters(output: bytes) -> dict[tuple[str, str], int]:
    """The counters of netstat -s that it names, or whose words are those above."""
    found = {}
    protocol = ""
    for line in output.decode().splitlines():
        if heading := re.fullmatch(r"(\w+):", line):
            protocol = heading.group(1)
        elif named := re.fullmatch(r" {4}(\w+): (\d+)", line):
            found[protocol, named.group(1)] = int(named.group(2))
        elif said := re.fullmatch(r" {4}(\d+) (.*)", line):
            key = WORDS.get(said.group(2))
            if key is not None and key[0] == protocol:
                found[key] = int(said.group(1))
    return found


def test_counters_are_those_of_netstat(network: World, need: Need) -> None:
    need("netstat")
    rows, found = network.agree(
        "select protocol, name, value from snmp",
        lambda: netstat_counters(network.run("netstat", "-s")),
    )
    known = {(protocol, name): value for protocol, name, value in rows}
    assert {key: known.get(key) for key in found} == found
    assert len(found.keys() & set(WORDS.values())) == len(WORDS)


def test_interfaces_are_those_of_netstat(network: World, need: Need) -> None:
    need("netstat")

    def ask() -> list[Row]:
        rows = lines(network.run("netstat", "-i"))[2:]
        return [(row[0], *map(int, row[1:-1]), row[-1]) for row in rows]

    rows, found = network.agree(query_of("netstat -i"), ask)
    assert ordered(rows) == ordered(found)


def test_routes_are_those_of_netstat(network: World, need: Need) -> None:
    need("netstat")

    def ask() -> list[Row]:
        rows = lines(network.run("netstat", "-4", "-rn"))[2:]
        numbers = [[int(cell) if cell.isdigit() else cell for cell in row[4:7]] for row in rows]
        return [(*row[:4], *found, row[7]) for row, found in zip(rows, numbers)]

    rows, found = network.agree(query_of("netstat -r"), ask)
    assert ordered(rows) == ordered(found)


def test_multicast_groups_are_those_of_netstat(network: World, need: Need) -> None:
    need("netstat")

    def ask() -> list[Row]:
        rows = lines(network.run("netstat", "-gn"))[3:]
        return [(name, int(users), group) for name, users, group in rows]

    rows, found = network.agree(query_for("`-g`", "netstat"), ask)
    assert ordered(rows) == ordered(found)


# -- sockets ------------------------------------------------------------------------------------


def test_the_summary_has_the_numbers_of_ss(network: World, need: Need) -> None:
    need("ss")

    def ask() -> list[Row]:
        rows = lines(network.run("ss", "-s"))
        start = next(i for i, row in enumerate(rows) if row[:1] == ["Transport"])
        table = {row[0]: tuple(map(int, row[1:])) for row in rows[start + 1 :] if row}
        return [(name, *table[name]) for name in ("RAW", "UDP", "TCP", "FRAG")]

    rows, found = network.agree(query_of("ss -s"), ask)
    assert ordered(rows) == ordered(found)


def test_the_states_of_tcp_are_those_of_ss(network: World, need: Need) -> None:
    need("ss")

    def ask() -> tuple[int, int, int]:
        text = network.run("ss", "-s").decode()
        total, estab, timewait = (
            int(match.group(1))
            for match in (
                re.search(r"^Total: (\d+)", text, re.MULTILINE),
                re.search(r"estab (\d+)", text),
                re.search(r"timewait (\d+)", text),
            )
            if match
        )
        return total, estab, timewait

    parts = [f"({query_for(word, 'ss')})" for word in ("Total", "TCP: estab", "TCP: timewait")]
    rows, found = network.agree(f"select {', '.join(parts)}", ask)
    assert rows == [found]


def test_the_summary_counts_the_sockets(network: World) -> None:
    columns = "netns, family, protocol, socktype, state"
    others = "family <> 'netlink'"  # one of them is that of the asker
    rows, found = network.agree(
        f"select {columns}, sockets from socket_summary where {others}",
        lambda: network.query(f"select {columns} from sockets where {others}"),
    )
    assert rows == ordered((*key, number) for key, number in Counter(found).items())


def test_connections_are_what_ss_shows_without_options(network: World, need: Need) -> None:
    need("ss")

    def ask() -> list[Row]:
        rows = lines(network.run("ss", "-HOn", "-t", "-u"))
        # The interface that a socket is bound to is a part of its address there.
        return [(row[0], re.sub(r"%\w+", "", row[4]), row[5]) for row in rows]

    sql = """
        select protocol,
               iif(family = 'inet', src, '[' || src || ']') || ':' || sport,
               iif(family = 'inet', dst, '[' || dst || ']') || ':' || dport
        from connections
        where protocol in ('tcp', 'udp')
    """
    rows, found = network.agree(sql, ask)
    assert ordered(rows) == ordered(found)
    assert len(rows) > 10
