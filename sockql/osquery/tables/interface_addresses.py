"""osquery's table ``interface_addresses``."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop

from sockql.network.links import read_flags
from sockql.network.rtnetlink import address_of, string
from sockql.osquery.ask import ask
from sockql.osquery.columns import text, windows
from sockql.osquery.network import one_namespace
from sockql.schema import Table
from sockql.tables.addresses import TABLE as ADDRESSES
from sockql.tables.addresses import Addresses as Ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.network.rtnetlink import Message
    from sockql.request import Request
    from sockql.schema import Getter, Value

    #: An address, and the flags of its interface.
    Address: TypeAlias = tuple[Message, int]

_IFF_BROADCAST: Final = 0x2
#: How fe80::/10 begins, in a first group of four digits.
_LINK_LOCAL: Final = ("fe8", "fe9", "fea", "feb")
_COLUMNS: Final = ("interface", "address", "prefix_length", "broadcast")
_interface = Ours.interface.get
_address = Ours.address.get
_label: Final = string("IFA_LABEL")


def _name(r: Address) -> Value:
    return _label(r[0]) or _interface(r[0]) or ""


def _scoped(r: Address, address: str) -> str:
    """The address as getnameinfo(3) writes it: of a link with the name of its interface."""
    if address[:3] in _LINK_LOCAL and address[4:5] == ":":
        name = _interface(r[0])
        return f"{address}%{name}" if isinstance(name, str) else address
    return address


def _other(r: Address) -> str | None:
    """The second address that getifaddrs(3) gives, whatever it is.

    Of IPv4 that is the broadcast address, else IFA_ADDRESS, which is the peer's or, without one,
    the own one again; of IPv6 it is the peer's.
    """
    attributes = r[0].attributes
    found = address_of(attributes.get("IFA_BROADCAST"))
    if found is None and "IFA_LOCAL" in attributes:
        found = address_of(attributes.get("IFA_ADDRESS"))
    return None if found is None else _scoped(r, found)


def _when(broadcast: bool) -> Getter:
    return lambda r: _other(r) if bool(r[1] & _IFF_BROADCAST) is broadcast else None


def _mask(r: Address) -> str:
    family, bits = (AF_INET6, 128) if r[0].fields["family"] == AF_INET6 else (AF_INET, 32)
    ones = (1 << bits) - (1 << bits - r[0].fields["prefixlen"])
    return inet_ntop(family, ones.to_bytes(bits // 8, "big"))


class InterfaceAddresses(
    Table["Address"],
    examples=[
        "select interface, address, mask from interface_addresses where address not like '%:%'"
    ],
):
    """IP addresses of the interfaces of our network namespace, one row for each."""

    interface = text(
        "Label of an IPv4 address, mostly the name of its interface, else that name.",
        source="IFA_LABEL, IFLA_IFNAME",
        get=_name,
    )
    address = text(
        "IP address; one of a link has a percent sign and the interface at its end.",
        source="IFA_LOCAL, IFA_ADDRESS",
        get=lambda r: _scoped(r, str(_address(r[0]) or "")),
    )
    mask = text("Network mask, written as an address.", source="ifa_prefixlen", get=_mask)
    broadcast = text(
        "Broadcast address, the own one where none is set, the peer's where there is one; NULL "
        "for other IPv6 addresses, and for interfaces that cannot broadcast.",
        source="IFA_BROADCAST, IFA_ADDRESS",
        get=_when(broadcast=True),
    )
    point_to_point = text(
        "Address of the peer, the own one where there is none; NULL for interfaces that can "
        "broadcast, and for IPv6 addresses without a peer.",
        source="IFA_ADDRESS",
        get=_when(broadcast=False),
    )
    type = text("unknown: Linux does not say.", source="none", get=lambda _: "unknown")
    friendly_name = windows(text)

    def records(self, request: Request, host: Host) -> Iterator[Address]:
        flags: dict[int, int] | None = None
        for message in ask(ADDRESSES, request, host, _COLUMNS, one_namespace(request, host)):
            if flags is None:
                flags = read_flags(message.namespace.host)
            yield message, flags.get(message.fields["index"], 0)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 10.0, 1000.0


TABLE = InterfaceAddresses()
