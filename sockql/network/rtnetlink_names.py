"""What rtnetlink's numbers are called: flags, types, states, protocols.

Source: include/uapi/linux/{if,if_addr,if_arp,neighbour,rtnetlink}.h.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: rt_scope_t; the numbers between are free for administrators.
SCOPES: Final = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}

#: IFF_* of include/uapi/linux/if.h.
LINK_FLAGS: Final = {
    1 << bit: name
    for bit, name in enumerate(
        (
            *("UP", "BROADCAST", "DEBUG", "LOOPBACK", "POINTOPOINT", "NOTRAILERS", "RUNNING"),
            *("NOARP", "PROMISC", "ALLMULTI", "MASTER", "SLAVE", "MULTICAST", "PORTSEL"),
            *("AUTOMEDIA", "DYNAMIC", "LOWER_UP", "DORMANT", "ECHO"),
        )
    )
}

#: IF_OPER_* of include/uapi/linux/if.h, RFC 2863.
OPERSTATES: Final = (
    *("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN"),
    *("TESTING", "DORMANT", "UP"),
)

#: ARPHRD_* of include/uapi/linux/if_arp.h.
_LINK_TYPES: Final = (
    "0 netrom 1 ether 15 dlci 19 atm 23 metricom 24 ieee1394 27 eui64 32 infiniband 256 slip "
    "257 cslip 258 slip6 259 cslip6 260 rsrvd 264 adapt 270 rose 271 x25 272 hwx25 280 can "
    "290 mctp 512 ppp 513 hdlc 516 lapb 517 ddcmp 518 rawhdlc 519 rawip 768 tunnel 769 "
    "tunnel6 770 frad 771 skip 772 loopback 773 localtlk 774 fddi 775 bif 776 sit 777 ipddp "
    "778 ipgre 779 pimreg 780 hippi 781 ash 782 econet 783 irda 784 fcpp 785 fcal 786 fcpl "
    "787 fcfabric 800 ieee802_tr 801 ieee80211 802 ieee80211_prism 803 ieee80211_radiotap 804 "
    "ieee802154 805 ieee802154_monitor 820 phonet 821 phonet_pipe 822 caif 823 ip6gre 824 "
    "netlink 825 6lowpan 826 vsockmon 65534 none 65535 void"
)
_WORDS: Final = _LINK_TYPES.split()
LINK_TYPES: Final = dict(zip(map(int, _WORDS[::2]), _WORDS[1::2]))

#: IFA_F_* of include/uapi/linux/if_addr.h; the lowest bit has a name in each family.
_ADDRESS_FLAGS: Final = {
    0x02: "nodad",
    0x04: "optimistic",
    0x08: "dadfailed",
    0x10: "homeaddress",
    0x20: "deprecated",
    0x40: "tentative",
    0x80: "permanent",
    0x100: "managetempaddr",
    0x200: "noprefixroute",
    0x400: "mcautojoin",
    0x800: "stable_privacy",
}
ADDRESS_FLAGS: Final = {
    "inet": {0x01: "secondary", **_ADDRESS_FLAGS},
    "inet6": {0x01: "temporary", **_ADDRESS_FLAGS},
}

#: IFAPROT_* of include/uapi/linux/if_addr.h.
ADDRESS_PROTOCOLS: Final = {1: "kernel_lo", 2: "kernel_ra", 3: "kernel_ll"}

#: NUD_* of include/uapi/linux/neighbour.h.
NEIGHBOR_STATES: Final = {
    0x01: "INCOMPLETE",
    0x02: "REACHABLE",
    0x04: "STALE",
    0x08: "DELAY",
    0x10: "PROBE",
    0x20: "FAILED",
    0x40: "NOARP",
    0x80: "PERMANENT",
}

#: NTF_* of include/uapi/linux/neighbour.h.
NEIGHBOR_FLAGS: Final = {
    0x01: "use",
    0x02: "self",
    0x04: "master",
    0x08: "proxy",
    0x10: "extern_learn",
    0x20: "offload",
    0x40: "sticky",
    0x80: "router",
}

#: The routing tables that the kernel knows by name (rt_class_t).
ROUTE_TABLES: Final = {253: "default", 254: "main", 255: "local"}
#: RTN_* of include/uapi/linux/rtnetlink.h.
ROUTE_TYPES: Final = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
    10: "nat",
    11: "xresolve",
}
#: RTPROT_* of include/uapi/linux/rtnetlink.h.
ROUTE_PROTOCOLS: Final = {
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    17: "mrouted",
    18: "keepalived",
    42: "babel",
    84: "ovn",
    99: "openr",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}
#: RTNH_F_* of a next hop and RTM_F_* of a route; the names are those of ip-route(8).
ROUTE_FLAGS: Final = {
    0x01: "dead",
    0x02: "pervasive",
    0x04: "onlink",
    0x08: "offload",
    0x10: "linkdown",
    0x20: "unresolved",
    0x40: "trap",
    0x100: "notify",
    0x200: "cached",
    0x400: "equalize",
    0x800: "prefix",
    0x4000: "rt_offload",
    0x8000: "rt_trap",
    0x20000000: "rt_offload_failed",
}
ROUTE_PREFERENCES: Final = {0: "medium", 1: "high", 3: "low"}
