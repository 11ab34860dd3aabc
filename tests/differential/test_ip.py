"""interfaces, addresses, routes, neighbors and multicast_groups against ip, in a machine of its own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.differential.machine import Row, World, ordered

Object = dict[str, Any]

FOREVER = 0xFFFFFFFF

#: What the machine's network gets; each line may fail where the kernel lacks the kind.
NETWORK = """
ip link add name wire0 type veth peer name wire1
ip link add name bridge0 type bridge
ip tuntap add dev tap0 mode tap
ip link add link wire0 name wire0.7 type vlan id 7
ip link set dev wire1 master bridge0
ip link set dev wire0 alias 'the "wire", é'
ip link property add dev wire0 altname other-name
ip link set dev wire0 mtu 1400 txqueuelen 77
ip link set dev tap0 group 5 promisc on
ip link set dev wire0 up
ip link set dev wire1 up
ip link set dev bridge0 up
ip addr add 192.0.2.1/24 broadcast 192.0.2.255 dev wire0
ip addr add 192.0.2.33/24 dev wire0
ip addr add 192.0.2.34/24 dev wire0 valid_lft 5000 preferred_lft 4000 label wire0:x
ip addr add 198.18.0.1 peer 198.18.0.2/32 dev bridge0 metric 55
ip addr add 2001:db8::1/64 dev wire0 nodad
ip addr add 2001:db8::2/64 dev wire0 nodad noprefixroute valid_lft 5000 preferred_lft 0
ip addr add 2001:db8:5::1 peer 2001:db8:5::2/128 dev bridge0 nodad
ip route add default via 192.0.2.7
ip route add 203.0.113.0/24 nexthop via 192.0.2.7 weight 3 nexthop via 198.18.0.2 weight 1
ip route add 198.51.100.0/25 via 192.0.2.7 dev wire0 metric 7 proto static src 192.0.2.33
ip route add 198.51.100.9 via 192.0.2.9 mtu 1300 advmss 1200 window 30000 rtt 20ms initcwnd 30
ip route add 198.51.100.10 via 192.0.2.9 initrwnd 20 hoplimit 9 congctl reno
ip route add 198.51.100.128/26 via inet6 fe80::1 dev wire0 proto bgp
ip route add blackhole 198.51.100.192/26
ip route add unreachable 198.51.100.200
ip route add prohibit 10.0.0.0/8 metric 4000000000
ip route add 10.1.0.0/16 dev wire0 scope link tos 0x10
ip route add throw 10.2.0.0/16 table 1000
ip route add 10.3.0.0/16 via 192.0.2.7 table 100 proto 77
ip route add 10.4.0.0/16 via 10.99.0.1 dev wire0 onlink
ip -6 route add default via fe80::7 dev wire0 pref high
ip -6 route add 2001:db8:1::/48 dev wire0 expires 6000
ip -6 route add 2001:db8:2::/48 from 2001:db8::/64 via fe80::9 dev wire0 metric 9
ip -6 route add 2001:db8:3::/48 nexthop via fe80::7 dev wire0 nexthop via fe80::8 dev bridge0
ip -6 route add unreachable 2001:db8:4::/48
ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev wire0 nud permanent
ip neigh add 192.0.2.8 lladdr 02:00:00:00:00:08 dev wire0 nud noarp
ip neigh add fe80::7 lladdr 02:00:00:00:00:07 dev wire0 router nud permanent
ip neigh add 192.0.2.10 lladdr 02:00:00:00:00:10 dev wire0 nud permanent extern_learn
ip neigh add proxy 192.0.2.77 dev wire0
ip neigh add proxy 2001:db8::77 dev wire0
ip maddr add 33:33:00:00:00:77 dev wire0
"""
#: Without these lines there would be nothing to compare.
NEEDED = ("ip link add name wire0", "ip addr add 192.0.2.1/24", "ip route add default via 192")


@pytest.fixture(scope="module")
def network(world: World) -> World:
    """The machine, with interfaces, addresses and routes of many kinds."""
    if shutil.which("ip") is None:
        pytest.skip("ip is not installed")
    lines = NETWORK.strip().splitlines()
    script = "\n".join(f"({line}) 2>&1 || echo failed: {i}" for i, line in enumerate(lines))
    said = world.run("sh", "-c", script).decode()
    failed = [lines[int(i)] for i in re.findall(r"^failed: (\d+)$", said, re.MULTILINE)]
    if any(line.startswith(NEEDED) for line in failed):
        pytest.skip(f"no network can be made: {said}")
    print(said, *failed, sep="\n")  # what this kernel or this ip cannot do
    return world


def ask(network: World, *words: str) -> list[Object]:
    answer: list[Object] = json.loads(network.run("ip", "-j", *words) or b"[]")
    return [found for found in answer if found]


# -- interfaces ----------------------------------------------------------------------------------

_COUNTERS = {
    "rx": {
        "bytes": "rx_bytes",
        "packets": "rx_packets",
        "errors": "rx_errors",
        "dropped": "rx_dropped",
        "over_errors": "rx_missed_errors",
        "multicast": "multicast",
    },
    "tx": {
        "bytes": "tx_bytes",
        "packets": "tx_packets",
        "errors": "tx_errors",
        "dropped": "tx_dropped",
        "carrier_errors": "tx_carrier_errors",
        "collisions": "collisions",
    },
}
LINK_COLUMNS = (
    *("interface", "ifindex", "link_kind", "link_type", "mac", "broadcast_mac", "mtu"),
    *("operstate", "interface_flags", "qdisc", "tx_queue_length", "alias", "alternative_names"),
    *("master", "lower_ifindex", "promiscuity", "min_mtu", "max_mtu", "tx_queues", "rx_queues"),
    *("gso_max_size", "gso_max_segs", "interface_group"),
    *(name for side in _COUNTERS.values() for name in side.values()),
)
LINKS = f"select {', '.join(LINK_COLUMNS)} from interfaces"


def link_row(link: Object, indexes: dict[str, int]) -> Row:
    lower = link.get("link_index", indexes.get(link.get("link", "")))
    group = {"default": 0}.get(link["group"])
    flags = set(link["flags"]) - {"M-DOWN"}
    row = (
        link["ifname"],
        link["ifindex"],
        link.get("linkinfo", {}).get("info_kind"),
        link["link_type"],
        link["address"],
        link.get("broadcast"),
        link["mtu"],
        link["operstate"],
        frozenset(flags),
        link["qdisc"],
        link.get("txqlen"),
        link.get("ifalias"),
        ",".join(link.get("altnames", ())) or None,
        link.get("master"),
        lower,
        link["promiscuity"],
        link.get("min_mtu") or None,
        link.get("max_mtu") or None,
        link["num_tx_queues"],
        link["num_rx_queues"],
        link["gso_max_size"],
        link["gso_max_segs"],
        int(link["group"]) if group is None else group,
    )
    counters = link["stats64"]
    return row + tuple(counters[side][key] for side, keys in _COUNTERS.items() for key in keys)


def flags_of_ip(row: Row) -> Row:
    """RUNNING is not shown by ip, its absence is."""
    place = LINK_COLUMNS.index("interface_flags")
    flags = set(row[place].split(","))
    if "UP" in flags and "RUNNING" not in flags:
        flags.add("NO-CARRIER")
    return (*row[:place], frozenset(flags - {"RUNNING"}), *row[place + 1 :])


def test_interfaces_are_those_of_ip_link(network: World) -> None:
    rows, links = network.agree(LINKS, lambda: ask(network, "-d", "-s", "-s", "link"))
    indexes = {link["ifname"]: link["ifindex"] for link in links}
    assert ordered(map(flags_of_ip, rows)) == ordered(link_row(link, indexes) for link in links)


# -- addresses -----------------------------------------------------------------------------------

ADDRESSES = """
    select interface, family, address, prefix_length, peer_address, broadcast, scope, label,
           valid_lifetime is null, preferred_lifetime is null, prefix_metric, address_protocol,
           address_flags
    from addresses
"""
_ADDRESS_FLAGS = {
    "secondary": "secondary",
    "temporary": "temporary",
    "tentative": "tentative",
    "deprecated": "deprecated",
    "nodad": "nodad",
    "noprefixroute": "noprefixroute",
    "mngtmpaddr": "managetempaddr",
    "autojoin": "mcautojoin",
    "stable-privacy": "stable_privacy",
    "dadfailed": "dadfailed",
    "optimistic": "optimistic",
    "home": "homeaddress",
}


def address_rows(links: Iterable[Object]) -> list[Row]:
    rows = []
    for link in links:
        for address in link["addr_info"]:
            flags = {name for key, name in _ADDRESS_FLAGS.items() if address.get(key)}
            # What has no end is permanent; ip says so only of the others.
            if not address.get("dynamic"):
                flags.add("permanent")
            valid, preferred = address["valid_life_time"], address["preferred_life_time"]
            rows.append(
                (
                    link["ifname"],
                    address["family"],
                    address["local"],
                    address["prefixlen"],
                    address.get("address"),
                    address.get("broadcast"),
                    address["scope"],
                    address.get("label"),
                    int(valid == FOREVER),
                    int(preferred == FOREVER),
                    address.get("metric"),
                    address.get("protocol"),
                    frozenset(flags),
                )
            )
    return rows


def test_addresses_are_those_of_ip_addr(network: World) -> None:
    rows, links = network.agree(ADDRESSES, lambda: ask(network, "-d", "addr"))
    found = [(*row[:-1], frozenset(row[-1].split(","))) for row in rows]
    if not any("protocol" in a for link in links for a in link["addr_info"]):
        # An ip from before the attribute.
        found = [(*row[:-2], None, row[-1]) for row in found]
    assert ordered(found) == ordered(address_rows(links))


def between(network: World, sql: str, ask: Callable[[], list[Row]]) -> list[Row]:
    """The rows of another program, their last cell a time that runs down, found where sockql's are.

    Its answer lies between what sockql says before and after.
    """
    before = network.query(sql)
    answer = ordered(ask())
    after = network.query(sql)
    keys = [[row[:-1] for row in rows] for rows in (before, answer, after)]
    assert keys[0] == keys[1] == keys[2]
    assert all(a[-1] >= b[-1] >= c[-1] for a, b, c in zip(before, answer, after))
    return answer


@pytest.mark.parametrize(
    ("column", "key"),
    [("valid_lifetime", "valid_life_time"), ("preferred_lifetime", "preferred_life_time")],
)
def test_the_time_that_addresses_have_is_that_of_ip_addr(
    network: World, column: str, key: str
) -> None:
    found = between(
        network,
        f"select address, {column} from addresses where {column} is not null",
        lambda: [
            (address["local"], address[key])
            for link in ask(network, "addr")
            for address in link["addr_info"]
            if address[key] != FOREVER
        ],
    )
    assert len(found) == 2


# -- routes --------------------------------------------------------------------------------------

ROUTES = """
    select ifnull(table_name, table_id), family, route_type, destination, from_prefix, gateway,
           interface, metric, preferred_source, route_protocol, scope, route_flags, hop, weight,
           route_tos, preference, mtu, route_mss, route_window, route_rtt, initcwnd,
           initrwnd, hoplimit, route_congestion
    from routes
"""


def prefix(text: str | None, family: str) -> str | None:
    if text is None:
        return None
    if text == "default":
        return "::/0" if family == "inet6" else "0.0.0.0/0"
    return text if "/" in text else f"{text}/{128 if family == 'inet6' else 32}"


def route_rows(routes: Iterable[Object], family: str) -> list[Row]:
    rows = []
    for route in routes:
        hops = route.get("nexthops") or [{}]
        for number, hop in enumerate(hops, 1):
            table = route.get("table", "main")
            metrics: Object = {}
            for found in route.get("metrics", ()):
                metrics.update(found)
            via = hop.get("via") or route.get("via") or {}
            flags = {*route.get("flags", ()), *hop.get("flags", ())}
            row = (
                int(table) if table.isdigit() else table,
                family,
                route["type"],
                prefix(route["dst"], family),
                prefix(route.get("from"), family),
                hop.get("gateway", route.get("gateway")) or via.get("host"),
                hop.get("dev", route.get("dev")),
                route.get("metric", 0),
                route.get("prefsrc"),
                route["protocol"],
                route["scope"],
                ",".join(sorted(flags)) or None,
                number if hop else None,
                hop.get("weight"),
                int(route["tos"], 16) if "tos" in route else None,
                route.get("pref"),
                metrics.get("mtu"),
                metrics.get("advmss"),
                metrics.get("window"),
                metrics.get("rtt"),
                metrics.get("initcwnd"),
                metrics.get("initrwnd"),
                metrics.get("hoplimit"),
                metrics.get("congestion"),
            )
            rows.append(row)
    return rows


@pytest.mark.parametrize("family", ["inet", "inet6"])
def test_routes_of_all_tables_are_those_of_ip_route(network: World, family: str) -> None:
    option = "-6" if family == "inet6" else "-4"
    words = (option, "-d", "route", "show", "table", "all")
    rows, routes = network.agree(
        f"{ROUTES} where family = '{family}'", lambda: ask(network, *words)
    )
    assert ordered(rows) == ordered(route_rows(routes, family))


def test_the_time_until_a_route_goes_is_that_of_ip_route(network: World) -> None:
    found = between(
        network,
        "select destination, expires from routes where expires is not null",
        lambda: [
            (route["dst"], route["expires"])
            for route in ask(network, "-6", "route", "show", "table", "all")
            if "expires" in route
        ],
    )
    # The prefix of the address that expires is one that expires, too, on some kernels.
    assert found


# -- neighbours ----------------------------------------------------------------------------------

NEIGHBORS = "select interface, address, mac, nud_state, neighbor_flags from neighbors"
_NEIGHBOR_FLAGS = ("router", "proxy", "extern_learn", "offload", "use", "self", "master", "sticky")


def neighbor_row(entry: Object, flags: tuple[str, ...] = ()) -> Row:
    named = {flag for flag in _NEIGHBOR_FLAGS if flag in entry} | set(flags)
    state = ",".join(entry.get("state", ())) or None
    return entry["dev"], entry["dst"], entry.get("lladdr"), state, frozenset(named)


def test_neighbors_are_those_of_ip_neigh(network: World) -> None:

    def entries() -> list[Row]:
        known = map(neighbor_row, ask(network, "neigh", "show", "nud", "all"))
        proxies = ask(network, "neigh", "show", "proxy")
        return [*known, *(neighbor_row(entry, ("proxy",)) for entry in proxies)]

    rows, found = network.agree(NEIGHBORS, entries)
    mine = [(*row[:-1], frozenset(row[-1].split(",") if row[-1] else ())) for row in rows]
    assert ordered(mine) == ordered(found)
    assert len(mine) > 5


# -- multicast groups ----------------------------------------------------------------------------

GROUPS = """
    select interface, ifindex, family, group_address, users, static_address from multicast_groups
"""


def group_rows(links: Iterable[Object]) -> list[Row]:
    rows = []
    for link in links:
        for group in link["maddr"]:
            family = group.get("family", "packet")
            static = int(group.get("features") == "static") if family == "packet" else None
            address = group.get("address", group.get("link"))
            row = (link["ifname"], link["ifindex"], family, address, group.get("users", 1), static)
            rows.append(row)
    return rows


def test_multicast_groups_are_those_of_ip_maddr(network: World) -> None:
    rows, links = network.agree(GROUPS, lambda: ask(network, "maddr"))
    assert ordered(rows) == ordered(group_rows(links))
    assert {row[2] for row in rows} == {"inet", "inet6", "packet"}
