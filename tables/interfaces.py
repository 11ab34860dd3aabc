"""The table ``interfaces``."""

from __future__ import annotations

from itertools import chain

from sockql.errors import KernelRefused
from sockql.network.rtnetlink import (
    decoder,
    flag_names,
    get_netns,
    gone,
    interface_name,
    interface_request,
    link_address,
    messages,
    named,
    namespaces,
    nested,
    number,
    number_of,
    positive,
    raw_attributes,
    string,
    text_of,
)
from sockql.network.rtnetlink_names import LINK_FLAGS, LINK_TYPES, OPERSTATES
from sockql.schema import EQUAL, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.network.rtnetlink import Message, Namespace
    from sockql.request import Request
    from sockql.schema import Column, Value

_IFLA_OPERSTATE: Final = 16
#: More interfaces than these are not asked for one by one.
_SINGLE_REQUESTS: Final = 8


def _netnsid(r: Message) -> Value:
    found = r.attributes.get("IFLA_LINK_NETNSID")
    return found if isinstance(found, int) and found >= 0 else None


def _kind(r: Message) -> Value:
    return text_of(nested(r.attributes, "IFLA_LINKINFO").get("IFLA_INFO_KIND"))


def _operstate(r: Message) -> Value:
    found = raw_attributes(r).get(_IFLA_OPERSTATE)
    return OPERSTATES[found[0]] if found and found[0] < len(OPERSTATES) else None


def _alternatives(r: Message) -> Value:
    found = r.attributes.get("IFLA_PROP_LIST")
    if found is None or isinstance(found, bytes):
        return None
    names = [text_of(v) or "" for name, v in found.get("attrs", ()) if name == "IFLA_ALT_IFNAME"]
    return ",".join(names) or None


def _counter(name: str, doc: str, unit: str | None = "packets", *, hidden: bool = True) -> Column:
    """A counter of struct rtnl_link_stats64."""

    def get(r: Message) -> Value:
        return number_of(nested(r.attributes, "IFLA_STATS64").get(name))

    return integer(
        f"{doc} since the interface exists; NULL beyond 2**63 - 1 and when the kernel does not say.",
        source=f"IFLA_STATS64 {name}",
        unit=unit,
        get=get,
        hidden=hidden,
    )


class Interfaces(
    Table["Message"],
    key=("ifindex", "netns"),
    examples=[
        "select interface, mac, mtu, operstate from interfaces",
        "select interface, rx_bytes, tx_bytes, rx_dropped from interfaces where rx_dropped > 0",
        (
            "select i.interface, address, prefix_length "
            "from interfaces i join addresses using (netns, ifindex) "
            "where operstate = 'UP'"
        ),
    ],
):
    """Network interfaces, one row for each, with their counters."""

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="/proc/self/ns/net",
        get=get_netns,
        push=EQUAL,
    )
    interface = text(
        "Name of the interface.",
        source="IFLA_IFNAME",
        get=string("IFLA_IFNAME"),
        push=EQUAL,
        index=True,
    )
    ifindex = integer(
        "Index of the interface.",
        source="ifi_index",
        get=lambda r: r.fields["index"],
        push=EQUAL,
        index=True,
    )
    link_kind = text(
        "Kind of a virtual interface: veth, bridge, vlan, tun, …; NULL for hardware and loopback.",
        source="IFLA_INFO_KIND",
        get=_kind,
    )
    mac = text(
        "Link-layer address; of a tunnel over IP its own IP address. NULL for none.",
        source="IFLA_ADDRESS",
        get=link_address(1),
        nocase=True,
    )
    mtu = integer(
        "Largest packet that is sent; NULL where none is set.",
        source="IFLA_MTU",
        unit="bytes",
        get=positive("IFLA_MTU"),
    )
    operstate = text(
        "Whether packets can pass, by RFC 2863; UNKNOWN when the driver does not say (loopback). NULL when the kernel does not.",
        source="IFLA_OPERSTATE",
        get=_operstate,
        nocase=True,
        values=OPERSTATES,
    )
    interface_flags = text(
        "Flags as in netdevice(7), without IFF_, joined by commas; NULL for none.",
        source="ifi_flags",
        get=lambda r: flag_names(r.fields["flags"], LINK_FLAGS),
    )
    rx_bytes = _counter("rx_bytes", "Bytes received", "bytes", hidden=False)
    tx_bytes = _counter("tx_bytes", "Bytes sent", "bytes", hidden=False)

    # -- hidden -------------------------------------------------------------------------------

    link_type = text(
        "Type of the link layer: ether, loopback, ppp, none, …; a number where it has no name.",
        source="ifi_type ARPHRD_",
        get=lambda r: named(r.fields["ifi_type"], LINK_TYPES),
        hidden=True,
    )
    master = text(
        "Interface that this one is a port of (bridge, bond, team, vrf); NULL for none.",
        source="IFLA_MASTER",
        get=interface_name("IFLA_MASTER"),
        hidden=True,
    )
    lower_ifindex = integer(
        "Index of the interface below (vlan, macvlan, tunnel) or at the other end (veth); it "
        "may be of another network namespace. NULL for none.",
        source="IFLA_LINK",
        get=positive("IFLA_LINK"),
        hidden=True,
    )
    lower_netnsid = integer(
        "Number that this network namespace gives to that of lower_ifindex; NULL when it is "
        "the same or has no number.",
        source="IFLA_LINK_NETNSID",
        get=_netnsid,
        hidden=True,
    )
    broadcast_mac = text(
        "Link-layer broadcast address; of a tunnel over IP the address of its other end. NULL "
        "for none.",
        source="IFLA_BROADCAST",
        get=link_address(2),
        hidden=True,
    )
    permanent_mac = text(
        "Link-layer address that the hardware came with; NULL for none.",
        source="IFLA_PERM_ADDRESS",
        get=link_address(54),
        hidden=True,
    )
    alias = text(
        "Description that an administrator gave; NULL for none.",
        source="IFLA_IFALIAS",
        get=string("IFLA_IFALIAS"),
        hidden=True,
    )
    alternative_names = text(
        "Further names of the interface, joined by commas; NULL for none.",
        source="IFLA_ALT_IFNAME",
        get=_alternatives,
        hidden=True,
    )
    carrier = integer(
        "1 when there is a carrier, else 0; NULL when the kernel does not say.",
        source="IFLA_CARRIER",
        get=number("IFLA_CARRIER"),
        hidden=True,
    )
    carrier_changes = integer(
        "How often the carrier came or went; NULL when the kernel does not say.",
        source="IFLA_CARRIER_CHANGES",
        get=number("IFLA_CARRIER_CHANGES"),
        hidden=True,
    )
    qdisc = text(
        "Queueing discipline at the root of the egress side; NULL when the kernel does not say.",
        source="IFLA_QDISC",
        get=string("IFLA_QDISC"),
        hidden=True,
    )
    tx_queue_length = integer(
        "Packets that may wait to be sent; NULL when the kernel does not say.",
        source="IFLA_TXQLEN",
        unit="packets",
        get=number("IFLA_TXQLEN"),
        hidden=True,
    )
    tx_queues = integer(
        "Number of queues for sending; NULL when the kernel does not say.",
        source="IFLA_NUM_TX_QUEUES",
        get=number("IFLA_NUM_TX_QUEUES"),
        hidden=True,
    )
    rx_queues = integer(
        "Number of queues for receiving; NULL when the kernel does not say.",
        source="IFLA_NUM_RX_QUEUES",
        get=number("IFLA_NUM_RX_QUEUES"),
        hidden=True,
    )
    min_mtu = integer(
        "Smallest MTU that can be set; NULL for no limit.",
        source="IFLA_MIN_MTU",
        unit="bytes",
        get=positive("IFLA_MIN_MTU"),
        hidden=True,
    )
    max_mtu = integer(
        "Largest MTU that can be set; NULL for no limit.",
        source="IFLA_MAX_MTU",
        unit="bytes",
        get=positive("IFLA_MAX_MTU"),
        hidden=True,
    )
    gso_max_size = integer(
        "Largest packet that the stack hands over to be cut into segments; NULL when the kernel "
        "does not say.",
        source="IFLA_GSO_MAX_SIZE",
        unit="bytes",
        get=number("IFLA_GSO_MAX_SIZE"),
        hidden=True,
    )
    gso_max_segs = integer(
        "Segments that such a packet may become; NULL when the kernel does not say.",
        source="IFLA_GSO_MAX_SEGS",
        unit="segments",
        get=number("IFLA_GSO_MAX_SEGS"),
        hidden=True,
    )
    interface_group = integer(
        "Group of interfaces, 0 for the default one; NULL when the kernel does not say.",
        source="IFLA_GROUP",
        get=number("IFLA_GROUP"),
        hidden=True,
    )
    promiscuity = integer(
        "How many users want all packets, not only those for this address; NULL when the kernel "
        "does not say.",
        source="IFLA_PROMISCUITY",
        get=number("IFLA_PROMISCUITY"),
        hidden=True,
    )
    allmulti = integer(
        "How many users want all multicast packets; NULL when the kernel does not say.",
        source="IFLA_ALLMULTI",
        get=number("IFLA_ALLMULTI"),
        hidden=True,
    )
    parent_device = text(
        "Device that the interface belongs to, by its name on the bus; NULL for none.",
        source="IFLA_PARENT_DEV_NAME",
        get=string("IFLA_PARENT_DEV_NAME"),
        hidden=True,
    )
    parent_bus = text(
        "Bus of that device; NULL for none.",
        source="IFLA_PARENT_DEV_BUS_NAME",
        get=string("IFLA_PARENT_DEV_BUS_NAME"),
        hidden=True,
    )
    rx_packets = _counter("rx_packets", "Packets received")
    tx_packets = _counter("tx_packets", "Packets sent")
    rx_errors = _counter("rx_errors", "Bad packets received")
    tx_errors = _counter("tx_errors", "Packets that could not be sent")
    rx_dropped = _counter("rx_dropped", "Packets received and dropped by the host")
    tx_dropped = _counter("tx_dropped", "Packets dropped on their way out")
    multicast = _counter("multicast", "Multicast packets received")
    collisions = _counter("collisions", "Collisions while sending", None)
    rx_length_errors = _counter("rx_length_errors", "Packets received with a wrong length")
    rx_over_errors = _counter("rx_over_errors", "Packets lost to an overflow of the ring buffer")
    rx_crc_errors = _counter("rx_crc_errors", "Packets received with a wrong CRC")
    rx_frame_errors = _counter("rx_frame_errors", "Packets received with a misaligned frame")
    rx_fifo_errors = _counter("rx_fifo_errors", "Packets lost to an overrun of the receiver")
    rx_missed_errors = _counter("rx_missed_errors", "Packets missed by the host")
    tx_aborted_errors = _counter("tx_aborted_errors", "Packets whose sending was aborted")
    tx_carrier_errors = _counter("tx_carrier_errors", "Packets lost with the carrier")
    tx_fifo_errors = _counter("tx_fifo_errors", "Packets lost to an underrun of the sender")
    tx_heartbeat_errors = _counter("tx_heartbeat_errors", "Heartbeat errors", None)
    tx_window_errors = _counter("tx_window_errors", "Packets sent too late (late collisions)")
    rx_compressed = _counter("rx_compressed", "Compressed packets received")
    tx_compressed = _counter("tx_compressed", "Compressed packets sent")

    def records(self, request: Request, host: Host) -> Iterator[Message]:
        return chain.from_iterable(_read(request, space) for space in namespaces(request, host))

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        narrow = request.constrained("interface") or request.constrained("ifindex")
        return (1.0, 400.0) if narrow else (10.0, 4000.0)


def _read(request: Request, namespace: Namespace) -> Iterator[Message]:
    decode = decoder("ifinfmsg", "ifinfmsg")
    for name, packed in _requests(request):
        try:
            yield from messages(request, namespace, name, packed, decode)
        except KernelRefused as error:
            if packed == interface_request() or not gone(error):
                raise


def _requests(request: Request) -> Iterator[tuple[str, bytes]]:
    """For a few interfaces one request each, else a dump."""
    indexes, names = request.values("ifindex"), request.values("interface")
    if indexes is not None and len(indexes) <= _SINGLE_REQUESTS:
        for index in sorted(indexes):
            if 0 < index < 1 << 31:
                yield f"rtnetlink link index={index}", interface_request(index)
    # The kernel has names of at most 15 bytes; a backslash may stand for another byte.
    elif (
        names is not None
        and len(names) <= _SINGLE_REQUESTS
        and not any("\\" in name or "\0" in name for name in names)
    ):
        for name in sorted(names):
            raw = name.encode("utf-8", "surrogateescape")
            if 0 < len(raw) < 16:
                yield f"rtnetlink link name={name}", interface_request(name=raw)
    else:
        yield "rtnetlink links", interface_request()


TABLE = Interfaces()
