"""The table ``routes``."""

from __future__ import annotations

from itertools import chain
from struct import Struct
from sys import byteorder

from sockql.network.rtnetlink import (
    FAMILIES,
    FAMILY_NAMES,
    FOREVER,
    RTM_GETROUTE,
    address_of,
    clock_ticks,
    decoder,
    family_number,
    flag_names,
    indexes,
    messages,
    named,
    namespaces,
    nested,
    number_of,
    raw_attributes,
    request_message,
    text_of,
)
from sockql.network.rtnetlink_names import (
    ROUTE_FLAGS,
    ROUTE_PREFERENCES,
    ROUTE_PROTOCOLS,
    ROUTE_TABLES,
    ROUTE_TYPES,
    SCOPES,
)
from sockql.schema import EQUAL, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Final, TypeAlias

    from sockql.host import Host
    from sockql.network.rtnetlink import Message, Namespace
    from sockql.request import Request
    from sockql.schema import Getter, Value

    #: A message, the attributes of one next hop, its number.
    Hop: TypeAlias = tuple[Message, dict[str, Any], "int | None"]

#: struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags.
_HEADER: Final = Struct("=BBBBBBBBI")
_RTA_NH_ID: Final = 30
_RT_TABLE_COMPAT: Final = 252  # the number is in RTA_TABLE only


def _cidr(attribute: str, length: str) -> Callable[[Hop], str | None]:
    def get(r: Hop) -> str | None:
        fields, attributes = r[0].fields, r[0].attributes
        found: str | None
        if attribute not in attributes:
            found = "::" if fields["family"] == FAMILIES["inet6"] else "0.0.0.0"  # noqa: S104
        else:
            found = address_of(attributes[attribute])
        return None if found is None else f"{found}/{fields[length]}"

    return get


_destination = _cidr("RTA_DST", "dst_len")
_from = _cidr("RTA_SRC", "src_len")


def _gateway(r: Hop) -> Value:
    found = r[1].get("RTA_GATEWAY")
    if found is None:
        found = nested(r[1], "RTA_VIA").get("addr")
    return address_of(found)


def _interface(r: Hop) -> Value:
    index = r[1].get("RTA_OIF")
    return r[0].namespace.names.get(index) if isinstance(index, int) else None


def _flags(r: Hop) -> Value:
    bits = r[0].fields["flags"]
    if r[2] is not None:
        bits |= r[1]["flags"]
    return flag_names(bits, ROUTE_FLAGS)


def _table(r: Hop) -> int:
    found = number_of(r[0].attributes.get("RTA_TABLE"))
    header: int = r[0].fields["table"]
    return header if found is None else found


def _rtax(name: str, scale: int = 1) -> Getter:
    def get(r: Hop) -> Value:
        found = nested(r[0].attributes, "RTA_METRICS").get(name)
        return found // scale if isinstance(found, int) else text_of(found)

    return get


def _preference(r: Message) -> int:
    found = number_of(r.attributes.get("RTA_PREF"))
    return -1 if found is None else found


def _expires(r: Hop) -> Value:
    ticks = nested(r[0].attributes, "RTA_CACHEINFO").get("rta_expires", 0)
    if ticks >= 1 << 31:
        ticks -= 1 << 32  # it has expired and was not cleared away yet
    return int(ticks / clock_ticks()) if ticks and ticks != FOREVER else None


class Routes(
    Table["Hop"],
    examples=[
        "select destination, gateway, interface, metric from routes where table_name = 'main'",
        (
            "select gateway, interface from routes "
            "where table_name = 'main' and inet_in('203.0.113.9', destination) "
            "order by prefix_length desc, metric limit 1"
        ),
        "select * from routes where prefix_length = 0",
    ],
):
    """Routes of all routing tables, one row for each next hop of each route.

    Cached routes and the routes of multicast routing daemons are not among them.
    """

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="/proc/self/ns/net",
        get=lambda r: r[0].namespace.netns,
        push=EQUAL,
    )
    family = text(
        "Address family.",
        source="rtm_family",
        get=lambda r: FAMILY_NAMES.get(r[0].fields["family"]),
        push=EQUAL,
        values=("inet", "inet6"),
    )
    table_name = text(
        "Routing table: main, local or default; NULL for one that the kernel knows only by "
        "table_id.",
        source="RTA_TABLE RT_TABLE_",
        get=lambda r: ROUTE_TABLES.get(_table(r)),
        push=EQUAL,
        values=tuple(ROUTE_TABLES.values()),
    )
    route_type = text(
        "Type of the route: unicast, local, broadcast, blackhole, …, or a number without a name.",
        source="rtm_type RTN_",
        get=lambda r: named(r[0].fields["type"], ROUTE_TYPES),
    )
    destination = text(
        "Network that the route leads to, as address/length; 0.0.0.0/0 or ::/0 is the default. NULL "
        "when the kernel does not say.",
        source="RTA_DST, rtm_dst_len",
        get=_destination,
    )
    prefix_length = integer(
        "Number of leading bits of the address that name its network.",
        source="rtm_dst_len",
        get=lambda r: r[0].fields["dst_len"],
    )
    gateway = text(
        "Next hop, which may be of the other family; NULL when the destination is on the link.",
        source="RTA_GATEWAY, RTA_VIA",
        get=_gateway,
    )
    interface = text(
        "Name of the interface; NULL for none (blackhole, …).",
        source="RTA_OIF, IFLA_IFNAME",
        get=_interface,
        push=EQUAL,
    )
    metric = integer(
        "Priority: of routes to the same destination the lowest is taken.",
        source="RTA_PRIORITY",
        get=lambda r: number_of(r[0].attributes.get("RTA_PRIORITY")) or 0,
    )
    preferred_source = text(
        "Own address that is used when a socket has chosen none; NULL when the kernel chooses.",
        source="RTA_PREFSRC",
        get=lambda r: address_of(r[0].attributes.get("RTA_PREFSRC")),
    )
    route_protocol = text(
        "Who made the route: kernel, boot, static, dhcp, ra, bgp, …, or a number without a name; "
        "NULL when unspecified.",
        source="rtm_protocol RTPROT_",
        get=lambda r: named(r[0].fields["proto"] or None, ROUTE_PROTOCOLS),
    )
    scope = text(
        "Distance to the destination: global, site, link, host, nowhere, or the number of a scope "
        "without a name.",
        source="rtm_scope RT_SCOPE_",
        get=lambda r: named(r[0].fields["scope"], SCOPES),
    )
    route_flags = text(
        "Flags as ip-route(8) has them, joined by commas: onlink, linkdown, dead, offload, …; "
        "NULL for none.",
        source="rtm_flags, rtnh_flags",
        get=_flags,
    )

    # -- hidden -------------------------------------------------------------------------------

    table_id = integer(
        "Number of the routing table; 254 is main, 255 local.",
        source="RTA_TABLE",
        get=_table,
        push=EQUAL,
        hidden=True,
    )
    ifindex = integer(
        "Index of the interface; NULL for none.",
        source="RTA_OIF",
        get=lambda r: number_of(r[1].get("RTA_OIF")) or None,
        push=EQUAL,
        hidden=True,
    )
    hop = integer(
        "Number of the next hop within the route, from 1; NULL when there is only one.",
        source="RTA_MULTIPATH",
        get=lambda r: r[2],
        hidden=True,
    )
    weight = integer(
        "Share of the next hop among those of the route; NULL when there is only one.",
        source="rtnh_hops",
        get=lambda r: None if r[2] is None else r[1]["hops"] + 1,
        hidden=True,
    )
    nexthop_id = integer(
        "Number of the next hop object that the route uses; NULL for none.",
        source="RTA_NH_ID",
        get=lambda r: _nexthop_id(r[0]),
        hidden=True,
    )
    from_prefix = text(
        "Senders that the route is for, as address/length; NULL for all.",
        source="RTA_SRC, rtm_src_len",
        get=lambda r: _from(r) if r[0].fields["src_len"] else None,
        hidden=True,
    )
    route_tos = integer(
        "Type of service that the route is for; NULL for all.",
        source="rtm_tos",
        get=lambda r: r[0].fields["tos"] or None,
        hidden=True,
    )
    preference = text(
        "Preference of an IPv6 router, by RFC 4191: low, medium or high; NULL for IPv4.",
        source="RTA_PREF",
        get=lambda r: ROUTE_PREFERENCES.get(_preference(r[0])),
        values=tuple(ROUTE_PREFERENCES.values()),
        hidden=True,
    )
    expires = integer(
        "Time until the route goes, below 0 when it is overdue; NULL when it stays.",
        source="RTA_CACHEINFO rta_expires",
        unit="seconds",
        get=_expires,
        hidden=True,
    )
    mtu = integer(
        "Largest packet that is sent; NULL where none is set.",
        source="RTAX_MTU",
        unit="bytes",
        get=_rtax("RTAX_MTU"),
        hidden=True,
    )
    route_mss = integer(
        "Segment size that TCP advertises on the route; NULL where none is set.",
        source="RTAX_ADVMSS",
        unit="bytes",
        get=_rtax("RTAX_ADVMSS"),
        hidden=True,
    )
    route_window = integer(
        "Largest TCP window that is advertised on the route; NULL where none is set.",
        source="RTAX_WINDOW",
        unit="bytes",
        get=_rtax("RTAX_WINDOW"),
        hidden=True,
    )
    route_rtt = integer(
        "First estimate of the round-trip time; NULL where none is set.",
        source="RTAX_RTT",
        unit="milliseconds",
        # In eighths: include/uapi/linux/rtnetlink.h, fib_convert_metrics().
        get=_rtax("RTAX_RTT", 8),
        hidden=True,
    )
    initcwnd = integer(
        "Congestion window that a connection starts with; NULL where none is set.",
        source="RTAX_INITCWND",
        unit="segments",
        get=_rtax("RTAX_INITCWND"),
        hidden=True,
    )
    initrwnd = integer(
        "Receive window that a connection starts with; NULL where none is set.",
        source="RTAX_INITRWND",
        unit="segments",
        get=_rtax("RTAX_INITRWND"),
        hidden=True,
    )
    hoplimit = integer(
        "Hop limit or TTL of packets on the route; NULL where none is set.",
        source="RTAX_HOPLIMIT",
        get=_rtax("RTAX_HOPLIMIT"),
        hidden=True,
    )
    route_congestion = text(
        "Congestion control of TCP on the route; NULL where none is set.",
        source="RTAX_CC_ALGO",
        get=_rtax("RTAX_CC_ALGO"),
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Hop]:
        return chain.from_iterable(_read(request, space) for space in namespaces(request, host))

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 30.0, 3000.0


def _nexthop_id(r: Message) -> int | None:
    # RTA_NH_ID is younger than pyroute2's list of names.
    found = raw_attributes(r).get(_RTA_NH_ID)
    return int.from_bytes(found, byteorder) if found else None


def _read(request: Request, namespace: Namespace) -> Iterator[Hop]:
    only = indexes(request, namespace)
    if only is not None and not only:
        return
    family = family_number(request)
    name = f"rtnetlink routes family={family}" if family else "rtnetlink routes"
    packed = request_message(RTM_GETROUTE, _HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
    decode = decoder("rtmsg", "rtmsg")
    for message in messages(request, namespace, name, packed, decode, _filter(request)):
        for hop in _hops(message):
            if only is None or hop[1].get("RTA_OIF") in only:
                yield hop


def _hops(message: Message) -> Iterator[Hop]:
    hops = message.attributes.get("RTA_MULTIPATH")
    if not isinstance(hops, list) or not hops:
        yield message, message.attributes, None  # type: ignore[misc]
        return
    for number, hop in enumerate(hops, 1):
        attributes = {**dict(hop.get("attrs", ())), "RTA_OIF": hop["oif"]}
        yield message, {**attributes, "flags": hop["flags"], "hops": hop["hops"]}, number


def _filter(request: Request) -> Callable[[memoryview, int], bool]:
    """Keeps the families and tables that are asked for: decoding a route takes 40 µs."""
    wanted = request.values("family")
    families = {FAMILIES[name] for name in (FAMILIES if wanted is None else wanted)}
    tables: set[int] | None = None
    ids, names = request.values("table_id"), request.values("table_name")
    if names is not None:
        tables = {number for number, name in ROUTE_TABLES.items() if name in names}
    if ids is not None:
        tables = set(ids) if tables is None else tables & ids

    def keep(view: memoryview, offset: int) -> bool:
        if len(view) - offset < _HEADER.size:
            return True  # the decoder says what is wrong with it
        family, _, _, _, table, *_ = _HEADER.unpack_from(view, offset)
        if family not in families:
            return False
        return tables is None or table in tables or table == _RT_TABLE_COMPAT

    return keep


TABLE = Routes()
