"""The table ``neighbors``."""

from __future__ import annotations

from itertools import chain
from struct import Struct, pack

from sockql.diag.netlink import attribute
from sockql.network.rtnetlink import (
    RTM_GETNEIGH,
    address_of,
    clock_ticks,
    decoder,
    family_number,
    flag_names,
    get_family,
    get_netns,
    header_filter,
    indexes,
    messages,
    namespaces,
    nested,
    number,
    raw_attributes,
    request_message,
)
from sockql.network.rtnetlink_names import NEIGHBOR_FLAGS, NEIGHBOR_STATES
from sockql.schema import CIDR, EQUAL, Table, integer, real, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.network.rtnetlink import Message, Namespace
    from sockql.request import Request
    from sockql.schema import Getter, Value

#: struct ndmsg: family, ifindex, state, flags, type.
_HEADER: Final = Struct("=BxxxiHBB")
_NDA_LLADDR: Final = 2
_NDA_IFINDEX: Final = 8
_NTF_PROXY: Final = 8


def _mac(r: Message) -> Value:
    raw = raw_attributes(r).get(_NDA_LLADDR)
    return raw.hex(":") if raw else None


def _ago(name: str) -> Getter:
    def get(r: Message) -> Value:
        ticks = nested(r.attributes, "NDA_CACHEINFO").get(name)
        return None if ticks is None else ticks / clock_ticks()

    return get


def _references(r: Message) -> Value:
    found: int | None = nested(r.attributes, "NDA_CACHEINFO").get("ndm_refcnt")
    return found


class Neighbors(
    Table["Message"],
    examples=[
        "select address, mac, interface, nud_state from neighbors",
        (
            "select dst, mac from sockets join neighbors on neighbors.address = sockets.dst "
            "where state = 'ESTABLISHED'"
        ),
    ],
):
    """Neighbours on the links, by ARP or neighbour discovery, one row for each IP address.

    Entries that say how multicast and loopback addresses are reached are among them (NOARP), and
    the addresses that the host answers for (the flag proxy).
    """

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="/proc/self/ns/net",
        get=get_netns,
        push=EQUAL,
    )
    interface = text(
        "Name of the interface; NULL for an address that is answered for on all of them.",
        source="ndm_ifindex, IFLA_IFNAME",
        get=lambda r: r.namespace.names.get(r.fields["ifindex"]),
        push=EQUAL,
    )
    family = text(
        "Address family.",
        source="ndm_family",
        get=get_family,
        push=EQUAL,
        values=("inet", "inet6"),
    )
    address = text(
        "IP address of the neighbour; NULL when the kernel does not say.",
        source="NDA_DST",
        get=lambda r: address_of(r.attributes.get("NDA_DST")),
        index=True,
        push=CIDR,
    )
    mac = text(
        "Link-layer address; NULL while it is not known and for proxy entries.",
        source="NDA_LLADDR",
        get=_mac,
        nocase=True,
    )
    nud_state = text(
        "State of neighbour unreachability detection; NULL for none.",
        source="ndm_state NUD_",
        get=lambda r: flag_names(r.fields["state"], NEIGHBOR_STATES),
        nocase=True,
        values=tuple(NEIGHBOR_STATES.values()),
    )
    neighbor_flags = text(
        "Flags as ip-neighbour(8) has them, joined by commas: router, proxy, extern_learn, …; "
        "NULL for none.",
        source="ndm_flags NTF_",
        get=lambda r: flag_names(r.fields["flags"], NEIGHBOR_FLAGS),
    )

    # -- hidden -------------------------------------------------------------------------------

    ifindex = integer(
        "Index of the interface; NULL for an address that is answered for on all of them.",
        source="ndm_ifindex",
        get=lambda r: r.fields["ifindex"] or None,
        push=EQUAL,
        hidden=True,
    )
    neighbor_probes = integer(
        "Requests that were sent without an answer; NULL for proxy entries.",
        source="NDA_PROBES",
        get=number("NDA_PROBES"),
        hidden=True,
    )
    confirmed_ago = real(
        "Time since the neighbour was last known to be there; NULL for proxy entries.",
        source="NDA_CACHEINFO ndm_confirmed",
        unit="seconds",
        get=_ago("ndm_confirmed"),
        hidden=True,
    )
    used_ago = real(
        "Time since something was last sent to the neighbour; NULL for proxy entries.",
        source="NDA_CACHEINFO ndm_used",
        unit="seconds",
        get=_ago("ndm_used"),
        hidden=True,
    )
    updated_ago = real(
        "Time since the entry last changed; NULL for proxy entries.",
        source="NDA_CACHEINFO ndm_updated",
        unit="seconds",
        get=_ago("ndm_updated"),
        hidden=True,
    )
    neighbor_references = integer(
        "How many others in the kernel refer to the entry; NULL for proxy entries.",
        source="NDA_CACHEINFO ndm_refcnt",
        get=_references,
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Message]:
        return chain.from_iterable(_read(request, space) for space in namespaces(request, host))

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 20.0, 2000.0


def _read(request: Request, namespace: Namespace) -> Iterator[Message]:
    only = indexes(request, namespace)
    if only is not None and not only:
        return
    family = family_number(request)
    details, words = b"", ""
    if family:
        words += f" family={family}"
    if only is not None and len(only) == 1:
        (index,) = only
        if not 0 < index < 1 << 31:
            return
        details = attribute(_NDA_IFINDEX, pack("=I", index))
        words += f" interface={index}"
    decode = decoder("ndmsg", "ndmsg")
    keep = header_filter(_HEADER, request, 1, only)
    for flags, name in ((0, "rtnetlink neighbours"), (_NTF_PROXY, "rtnetlink proxies")):
        header = _HEADER.pack(family, 0, 0, flags, 0)
        packed = request_message(RTM_GETNEIGH, header, details)
        yield from messages(request, namespace, name + words, packed, decode, keep)


TABLE = Neighbors()
