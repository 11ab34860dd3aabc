"""The table ``addresses``."""

from __future__ import annotations

from itertools import chain
from struct import Struct

from sockql.network.rtnetlink import (
    FOREVER,
    RTM_GETADDR,
    address_of,
    decoder,
    family_number,
    flag_names,
    get_family,
    get_netns,
    header_filter,
    indexes,
    messages,
    named,
    namespaces,
    nested,
    number,
    number_of,
    request_message,
    string,
)
from sockql.network.rtnetlink_names import ADDRESS_FLAGS, ADDRESS_PROTOCOLS, SCOPES
from sockql.schema import CIDR, EQUAL, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.network.rtnetlink import Message, Namespace
    from sockql.request import Request
    from sockql.schema import Getter, Value

#: struct ifaddrmsg: family, prefixlen, flags, scope, index.
_HEADER: Final = Struct("=BBBBI")


def _address(r: Message) -> Value:
    """IPv6 has IFA_LOCAL only beside a peer, IPv4 always (inet6_fill_ifaddr())."""
    local = address_of(r.attributes.get("IFA_LOCAL"))
    return local or address_of(r.attributes.get("IFA_ADDRESS"))


def _peer(r: Message) -> Value:
    local, peer = r.attributes.get("IFA_LOCAL"), address_of(r.attributes.get("IFA_ADDRESS"))
    return peer if local is not None and peer != local else None


def _flags(r: Message) -> Value:
    # The header has room for eight of them only.
    bits = number_of(r.attributes.get("IFA_FLAGS"))
    return flag_names(
        r.fields["flags"] if bits is None else bits,
        ADDRESS_FLAGS["inet6" if r.fields["family"] == 10 else "inet"],
    )


def _lifetime(name: str) -> Getter:
    def get(r: Message) -> Value:
        found: int = nested(r.attributes, "IFA_CACHEINFO").get(name, FOREVER)
        return None if found == FOREVER else found

    return get


class Addresses(
    Table["Message"],
    examples=[
        "select interface, address, prefix_length from addresses where scope = 'global'",
        "select interface, address from addresses where inet_in(address, '10.0.0.0/8')",
        (
            "select sport, addresses.interface from sockets join addresses "
            "on addresses.address = sockets.src where state = 'LISTEN'"
        ),
    ],
):
    """IP addresses of the interfaces, one row for each."""

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="/proc/self/ns/net",
        get=get_netns,
        push=EQUAL,
    )
    interface = text(
        "Name of the interface; NULL when it is gone meanwhile.",
        source="ifa_index, IFLA_IFNAME",
        get=lambda r: r.namespace.names.get(r.fields["index"]),
        push=EQUAL,
    )
    family = text(
        "Address family.",
        source="ifa_family",
        get=get_family,
        push=EQUAL,
        values=("inet", "inet6"),
    )
    address = text(
        "IP address of the host; NULL when the kernel does not say.",
        source="IFA_LOCAL, IFA_ADDRESS",
        get=_address,
        index=True,
        push=CIDR,
    )
    prefix_length = integer(
        "Number of leading bits of the address that name its network.",
        source="ifa_prefixlen",
        get=lambda r: r.fields["prefixlen"],
    )
    broadcast = text(
        "Broadcast address; NULL for none and for IPv6.",
        source="IFA_BROADCAST",
        get=lambda r: address_of(r.attributes.get("IFA_BROADCAST")),
    )
    scope = text(
        "Where the address is valid: global, site, link, host, nowhere, or the number of a scope "
        "without a name.",
        source="ifa_scope RT_SCOPE_",
        get=lambda r: named(r.fields["scope"], SCOPES),
    )
    address_flags = text(
        "Flags, joined by commas, IFA_F_ left out and in small letters; NULL for none.",
        source="IFA_FLAGS",
        get=_flags,
    )

    # -- hidden -------------------------------------------------------------------------------

    ifindex = integer(
        "Index of the interface.",
        source="ifa_index",
        get=lambda r: r.fields["index"],
        push=EQUAL,
        hidden=True,
    )
    peer_address = text(
        "Address at the other end of a point-to-point interface; NULL for none.",
        source="IFA_ADDRESS",
        get=_peer,
        hidden=True,
    )
    label = text(
        "Label of an IPv4 address, the interface's name unless somebody chose another; NULL for "
        "IPv6.",
        source="IFA_LABEL",
        get=string("IFA_LABEL"),
        hidden=True,
    )
    valid_lifetime = integer(
        "How long the address stays; NULL for ever.",
        source="IFA_CACHEINFO ifa_valid",
        unit="seconds",
        get=_lifetime("ifa_valid"),
        hidden=True,
    )
    preferred_lifetime = integer(
        "How long new connections may use the address; NULL for ever.",
        source="IFA_CACHEINFO ifa_prefered",
        unit="seconds",
        get=_lifetime("ifa_preferred"),
        hidden=True,
    )
    prefix_metric = integer(
        "Metric of the route to the address's network; NULL for the default.",
        source="IFA_RT_PRIORITY",
        get=number("IFA_RT_PRIORITY"),
        hidden=True,
    )
    address_protocol = text(
        "Who made the address: kernel_lo, kernel_ra, kernel_ll, or the number of another; NULL "
        "when the kernel does not say.",
        source="IFA_PROTO IFAPROT_",
        get=lambda r: named(number_of(r.attributes.get("IFA_PROTO")), ADDRESS_PROTOCOLS),
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Message]:
        return chain.from_iterable(_read(request, space) for space in namespaces(request, host))

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 10.0, 1000.0


def _read(request: Request, namespace: Namespace) -> Iterator[Message]:
    only = indexes(request, namespace)
    if only is not None and not only:
        return
    family = family_number(request)
    yield from messages(
        request,
        namespace,
        f"rtnetlink addresses family={family}" if family else "rtnetlink addresses",
        request_message(RTM_GETADDR, _HEADER.pack(family, 0, 0, 0, 0)),
        decoder("ifaddrmsg", "ifaddrmsg"),
        header_filter(_HEADER, request, 4, only),
    )


TABLE = Addresses()
