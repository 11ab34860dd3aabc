"""osquery's table ``interface_details``."""

from __future__ import annotations

from sockql.network.rtnetlink import number_of, raw_attributes
from sockql.osquery import ethtool
from sockql.osquery.ask import ask, same
from sockql.osquery.columns import bigint, integer, like, or_empty, or_zero, text, windows
from sockql.osquery.network import one_namespace
from sockql.schema import Table
from sockql.tables.interfaces import TABLE as INTERFACES
from sockql.tables.interfaces import Interfaces as Ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.network.rtnetlink import Message
    from sockql.request import Request
    from sockql.schema import Column

_IFLA_ADDRESS: Final = 1
_IFF_PROMISC: Final = 0x100
_IFF_ALLMULTI: Final = 0x200
#: The columns that records are read for.
_COLUMNS: Final = ("interface", "rx_bytes")


def _mac(r: Message) -> str:
    return raw_attributes(r).get(_IFLA_ADDRESS, b"")[:6].ljust(6, b"\0").hex(":")


def _flags(r: Message) -> int:
    """ifi_flags, and the modes that a packet socket has put the interface into.

    The kernel leaves these out of ifi_flags: net/core/dev.c, netif_get_flags().
    """
    flags: int = r.fields["flags"]
    if number_of(r.attributes.get("IFLA_PROMISCUITY")):
        flags |= _IFF_PROMISC
    if number_of(r.attributes.get("IFLA_ALLMULTI")):
        flags |= _IFF_ALLMULTI
    return flags


def _asks(r: Message) -> bool:
    """Whether the drivers asked are those of this namespace: a recorded host has none."""
    host = r.namespace.host
    return host.netns is None and host.proc_path == "/proc"


def _speed(r: Message) -> int:
    return ethtool.link_speed(_name(r)) if _asks(r) else 0


def _slot(r: Message) -> str:
    return ethtool.bus_info(_name(r)) if _asks(r) else "-1"


def _name(r: Message) -> str:
    return str(Ours.interface.get(r) or "")


def _counter(column: Column) -> Column:
    doc = column.doc.partition(";")[0]
    return like(
        column,
        f"{doc}; 0 beyond 2**63 - 1 and when the kernel does not say.",
        declared="BIGINT",
        get=or_zero(column.get),
    )


class InterfaceDetails(
    Table["Message"],
    examples=[
        "select interface, mac, mtu, ibytes, obytes from interface_details",
        "select interface from interface_details where flags & 256",
    ],
):
    """Interfaces of our network namespace, one row for each, with their counters.

    osquery's counters are of 32 bits and start again at 0 after 4 GiB; these do not.
    """

    interface = like(Ours.interface, get=or_empty(Ours.interface.get))
    mac = text(
        "First six bytes of the link-layer address, zeros where there is none.",
        source="IFLA_ADDRESS",
        get=_mac,
        nocase=True,
    )
    type = integer(
        "Type of the link layer, ARPHRD_ of <linux/if_arp.h>, but its lowest eight bits only: 1 "
        "for Ethernet, 4 for loopback (772).",
        source="ifi_type",
        get=lambda r: r.fields["ifi_type"] & 0xFF,
    )
    mtu = like(
        Ours.mtu, "Largest packet that is sent; 0 where none is set.", get=or_zero(Ours.mtu.get)
    )
    metric = integer("0: Linux has none for interfaces.", source="none", get=lambda _: 0)
    flags = integer(
        "Flags as in netdevice(7); 256 (IFF_PROMISC) also when a packet socket asked for it.",
        source="ifi_flags, IFLA_PROMISCUITY",
        get=_flags,
    )
    ipackets = _counter(INTERFACES.schema.by_name["rx_packets"])
    opackets = _counter(INTERFACES.schema.by_name["tx_packets"])
    ibytes = _counter(INTERFACES.schema.by_name["rx_bytes"])
    obytes = _counter(INTERFACES.schema.by_name["tx_bytes"])
    ierrors = _counter(INTERFACES.schema.by_name["rx_errors"])
    oerrors = _counter(INTERFACES.schema.by_name["tx_errors"])
    idrops = _counter(INTERFACES.schema.by_name["rx_dropped"])
    odrops = _counter(INTERFACES.schema.by_name["tx_dropped"])
    collisions = _counter(INTERFACES.schema.by_name["collisions"])
    last_change = bigint("-1: Linux does not say.", source="none", get=lambda _: -1)
    link_speed = bigint(
        "Megabits a second; 0 when the driver does not know.",
        source="SIOCETHTOOL ETHTOOL_GSET",
        get=_speed,
    )
    pci_slot = text(
        "Where the device is on its bus, empty for virtual ones; -1 when the driver does not say.",
        source="SIOCETHTOOL ETHTOOL_GDRVINFO",
        get=_slot,
    )
    friendly_name = windows(text)
    description = windows(text)
    manufacturer = windows(text)
    connection_id = windows(text)
    connection_status = windows(text)
    enabled = windows(integer)
    physical_adapter = windows(integer)
    speed = windows(integer)
    service = windows(text)
    dhcp_enabled = windows(integer)
    dhcp_lease_expires = windows(text)
    dhcp_lease_obtained = windows(text)
    dhcp_server = windows(text)
    dns_domain = windows(text)
    dns_domain_suffix_search_order = windows(text)
    dns_host_name = windows(text)
    dns_server_search_order = windows(text)

    def records(self, request: Request, host: Host) -> Iterator[Message]:
        constraints = [*one_namespace(request, host), *same(request, "interface")]
        return ask(INTERFACES, request, host, _COLUMNS, constraints)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return (1.0 if request.constrained("interface") else 10.0), 2000.0


TABLE = InterfaceDetails()
