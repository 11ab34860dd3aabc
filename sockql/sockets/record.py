"""The record of a socket: one layout for all families, filled from a message or from a text line.

A record is a tuple.  Its first element is the :class:`Origin` that all sockets of one dump share;
the fields of ``struct inet_diag_msg`` follow in their order, then the raw attributes.  Other
families put what corresponds into the same places, so that most cells are one index away.
"""

from __future__ import annotations

import sys
from _socket import AF_INET, AF_INET6, inet_ntop

from sockql.diag.attribute_places import Places, nowhere
from sockql.diag.netlink import attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final, TypeAlias

    from sockql.sockets.holders import Owners
    from sockql.sockets.listeners import Listeners

    SocketRecord: TypeAlias = tuple[Any, ...]

ORIGIN: Final = 0
STATE: Final = 1  # a number of include/net/tcp_states.h
TIMER: Final = 2  # idiag_timer
RETRANS: Final = 3  # idiag_retrans
SPORT: Final = 4  # in network order; 0: none
DPORT: Final = 5  # in network order; 0: none
SRC: Final = 6  # a key of origin.addresses: 16 bytes, or the raw sun_path, or None
DST: Final = 7  # a key of origin.peers
IF: Final = 8  # index of the interface the socket is bound to; 0: none
COOKIE: Final = 9  # None where the source has none
EXPIRES: Final = 10  # milliseconds
RQUEUE: Final = 11  # None where not asked for
WQUEUE: Final = 12  # None where not known
UID: Final = 13  # None where not asked for
INODE: Final = 14  # 0: none
ATTRIBUTES: Final = 15  # raw; only there when a column in use needs them
NUMBER: Final = 16  # only raw and ping sockets: the IP protocol, the ICMP identifier

# A number of 32 bits in SPORT or DPORT, in host order, is kept as this much more.
WIDE: Final = 1 << 32

# include/net/tcp_states.h.  NEW_SYN_RECV is not told from SYN_RECV by the kernel either.
ESTABLISHED: Final = 1
CLOSE: Final = 7
LISTEN: Final = 10
BOUND_INACTIVE: Final = 13  # a bit of requests only, Linux kernel commit 91051f003948 (in v6.8)

TCP_STATES: Final = {
    1: "ESTABLISHED",
    2: "SYN_SENT",
    3: "SYN_RECV",
    4: "FIN_WAIT1",
    5: "FIN_WAIT2",
    6: "TIME_WAIT",
    7: "CLOSE",
    8: "CLOSE_WAIT",
    9: "LAST_ACK",
    10: "LISTEN",
    11: "CLOSING",
    12: "SYN_RECV",
}
DATAGRAM_STATES: Final = {1: "ESTABLISHED", 7: "UNCONN"}
UNIX_STATES: Final = {1: "ESTABLISHED", 7: "UNCONN", 10: "LISTEN"}
VSOCK_STATES: Final = {**TCP_STATES, 7: "UNCONN"}
TIPC_STATES: Final = {**TCP_STATES, 7: "UNCONN"}
NETLINK_STATES: Final = {0: "UNCONN", 1: "ESTABLISHED"}
#: Of SCTP an endpoint has a state of TCP; an association (include/linux/sctp.h, enum sctp_state)
#: has the state of its number here.
ASSOCIATION: Final = 0x20
SCTP_STATES: Final = {
    **TCP_STATES,
    0x20: "CLOSE",
    0x21: "COOKIE_WAIT",
    0x22: "COOKIE_ECHOED",
    0x23: "ESTABLISHED",
    0x24: "SHUTDOWN_PENDING",
    0x25: "SHUTDOWN_SENT",
    0x26: "SHUTDOWN_RECEIVED",
    0x27: "SHUTDOWN_ACK_SENT",
}
#: net/smc/smc.h, enum smc_state.
SMC_STATES: Final = {
    1: "ESTABLISHED",
    2: "INIT",
    7: "CLOSE",
    10: "LISTEN",
    20: "PEERCLOSEWAIT1",
    21: "PEERCLOSEWAIT2",
    22: "APPCLOSEWAIT1",
    23: "APPCLOSEWAIT2",
    24: "APPFINCLOSEWAIT",
    25: "PEERFINCLOSEWAIT",
    26: "PEERABORTWAIT",
    27: "PROCESSABORT",
}
#: Every value of ``sockets.state``.
STATES: Final = tuple(
    dict.fromkeys(
        (
            *list(TCP_STATES.values())[:-1],
            "BOUND_INACTIVE",
            "UNCONN",
            *SCTP_STATES.values(),
            *SMC_STATES.values(),
        )
    )
)

#: idiag_timer; delack since Linux 7.1.
TIMERS: Final = {
    0: "off",
    1: "on",
    2: "keepalive",
    3: "timewait",
    4: "persist",
    5: "delack",
}

# Bits of Column.needs.  The low eight are idiag_ext: bit n asks for attribute n + 1.
EXT_INFO: Final = 1 << 1  # INET_DIAG_ULP_INFO and INET_DIAG_MD5SIG come with it
EXT_VEGASINFO: Final = 1 << 2  # so do INET_DIAG_DCTCPINFO and INET_DIAG_BBRINFO
EXT_CONG: Final = 1 << 3
EXT_TOS: Final = 1 << 4
EXT_TCLASS: Final = 1 << 5  # INET_DIAG_CLASS_ID comes with it
EXT_SKMEMINFO: Final = 1 << 6
EXT_MASK: Final = 0xFF
# The next eight are udiag_show.
SHOW_SHIFT: Final = 8
SHOW_NAME: Final = 0x01 << SHOW_SHIFT
SHOW_VFS: Final = 0x02 << SHOW_SHIFT
SHOW_PEER: Final = 0x04 << SHOW_SHIFT
SHOW_ICONS: Final = 0x08 << SHOW_SHIFT
SHOW_RQLEN: Final = 0x10 << SHOW_SHIFT
SHOW_MEMINFO: Final = 0x20 << SHOW_SHIFT
SHOW_UID: Final = 0x40 << SHOW_SHIFT
SHOW_MASK: Final = 0xFF << SHOW_SHIFT
NEEDS_ATTRIBUTES: Final = 1 << 16  # keep them in the record
NEEDS_PEER_NAMES: Final = 1 << 17
# pdiag_show, ndiag_show and xdiag_show.
PACKET_SHIFT: Final = 18
PACKET_INFO: Final = 0x01 << PACKET_SHIFT
PACKET_MCLIST: Final = 0x02 << PACKET_SHIFT
PACKET_RING_CFG: Final = 0x04 << PACKET_SHIFT
PACKET_FANOUT: Final = 0x08 << PACKET_SHIFT
PACKET_MEMINFO: Final = 0x10 << PACKET_SHIFT
PACKET_FILTER: Final = 0x20 << PACKET_SHIFT
PACKET_MASK: Final = 0x3F << PACKET_SHIFT
NETLINK_SHIFT: Final = 24
NETLINK_MEMINFO: Final = 0x1 << NETLINK_SHIFT
NETLINK_GROUPS: Final = 0x2 << NETLINK_SHIFT
NETLINK_FLAGS: Final = 0x8 << NETLINK_SHIFT
NETLINK_MASK: Final = 0xF << NETLINK_SHIFT
XDP_SHIFT: Final = 28
XDP_INFO: Final = 0x01 << XDP_SHIFT
XDP_RING_CFG: Final = 0x02 << XDP_SHIFT
XDP_UMEM: Final = 0x04 << XDP_SHIFT
XDP_MEMINFO: Final = 0x08 << XDP_SHIFT
XDP_STATS: Final = 0x10 << XDP_SHIFT
XDP_MASK: Final = 0x1F << XDP_SHIFT
SMC_SHIFT: Final = 33  # diag_ext: bit n asks for attribute n + 1
SMC_MASK: Final = 0x1F << SMC_SHIFT

# Distinct keys until a cache is emptied: 64 Ki addresses take 16 MB.
_CACHED: Final = 1 << 16


class Addresses(dict["bytes | None", "str | None"]):
    """Text of inet addresses by the 16 bytes of a message, filled as it is asked.

    ``peer`` makes the address of nobody (all zeros) NULL: a socket without a peer.
    """

    __slots__ = ("family", "length", "peer")

    def __init__(self, family: int, *, peer: bool = False) -> None:
        self.family = family
        self.length = 4 if family == AF_INET else 16
        self.peer = peer

    def __missing__(self, key: bytes | None) -> str | None:
        if key is None:
            return None
        if len(self) >= _CACHED:
            self.clear()
        address = key[: self.length]
        text = None if self.peer and not any(address) else inet_ntop(self.family, address)
        self[key] = text
        return text


class UnixNames(dict["bytes | None", "str | None"]):
    """Text of unix socket names by the raw sun_path, None (unnamed) included."""

    __slots__ = ()

    def __missing__(self, key: bytes | None) -> str | None:
        if len(self) >= _CACHED:
            self.clear()
        text = None if key is None else unix_name(key)
        self[key] = text
        return text


def unix_name(raw: bytes) -> str | None:
    r"""The name as text: ``@name`` when it is abstract, without the NUL at the end of a path.

    NULs inside of a name become ``\x00``: SQLite's functions would take them for the end.
    """
    if raw[:1] == b"\0":
        raw = b"@" + raw[1:]
    elif raw[-1:] == b"\0":
        raw = raw[:-1]
    text = raw.decode("utf-8", "backslashreplace")
    return text.replace("\0", "\\x00") or None


class Attributes(dict[bytes, dict[int, bytes]]):
    """Attributes by their raw bytes: most sockets of a dump have the very same ones."""

    __slots__ = ()

    def __missing__(self, raw: bytes) -> dict[int, bytes]:
        if len(self) >= 1024:
            self.clear()
        parsed = self[raw] = attributes(raw)
        return parsed


class OtherAttributes(Attributes):
    """The same for another family: numbers are translated, so that no number means two things.

    What inet sockets have, too, gets the number it has there, the others ``base`` and theirs.
    """

    __slots__ = ("base", "same")

    def __init__(self, family: str) -> None:
        self.base, self.same = _OTHERS.get(family, (UNKNOWN_FAMILY, {}))

    def __missing__(self, raw: bytes) -> dict[int, bytes]:
        if len(self) >= 1024:
            self.clear()
        parsed = {
            self.same.get(number, self.base + number): payload
            for number, payload in attributes(raw).items()
        }
        self[raw] = parsed
        return parsed


UNIX: Final = 0x10000
PACKET: Final = 0x20000
NETLINK: Final = 0x30000
XDP: Final = 0x40000
TIPC: Final = 0x50000
SMC: Final = 0x60000
UNKNOWN_FAMILY: Final = 0x70000
#: What is INET_DIAG_SKMEMINFO (7) or INET_DIAG_SHUTDOWN (8) under another number.
_OTHERS: Final[dict[str, tuple[int, dict[int, int]]]] = {
    "unix": (UNIX, {5: 7, 6: 8}),
    "packet": (PACKET, {6: 7}),
    "netlink": (NETLINK, {0: 7}),
    "vsock": (0, {}),
    "xdp": (XDP, {8: 7}),
    "tipc": (TIPC, {}),
    "smc": (SMC, {3: 8}),
}


class Texts(dict["str | None", "str | None"]):
    """The addresses of families whose decoder writes them as text."""

    __slots__ = ()

    def __missing__(self, key: str | None) -> str | None:
        return key


class Origin:
    """What the sockets of one dump have in common.

    ``source`` is ``sock_diag`` or ``procfs``; ``netns`` the inode of the network namespace, None
    when it could not be read.  ``addresses`` and ``peers`` give the text for what is in SRC and
    DST; ``links`` the names of interfaces, ``cgroups`` the paths of cgroups by their id,
    ``listeners`` and ``owners`` what the columns of these names need.
    """

    __slots__ = (
        "addresses",
        "attributes",
        "cgroups",
        "family",
        "links",
        "listeners",
        "mptcp_info",
        "netns",
        "netns_name",
        "owners",
        "peers",
        "protocol",
        "socktype",
        "source",
        "states",
        "tcp_info",
        "timers",
    )

    def __init__(
        self,
        family: str,
        protocol: str | None,
        socktype: str,
        *,
        source: str = "sock_diag",
        netns: int | None = None,
        netns_name: str | None = None,
        links: Mapping[int, str | None] | None = None,
        cgroups: Mapping[int, str | None] | None = None,
        listeners: Listeners | None = None,
    ) -> None:
        self.family = family
        self.protocol = protocol
        self.socktype = socktype
        self.source = source
        self.netns = netns
        self.netns_name = netns_name
        self.links = links if links is not None else {}
        self.cgroups = cgroups if cgroups is not None else {}
        self.listeners = listeners
        self.owners: Owners | None = None
        self.attributes: Attributes
        self.addresses: Mapping[Any, str | None]
        self.peers: Mapping[Any, str | None]
        #: Where INET_DIAG_INFO is in raw attributes, when it is a struct of that name.
        self.tcp_info = Places(_INFO).find if protocol == "tcp" else nowhere
        self.mptcp_info = Places(_INFO).find if protocol == "mptcp" else nowhere
        if family in ("inet", "inet6"):
            number = AF_INET if family == "inet" else AF_INET6
            self.attributes = OtherAttributes("smc") if protocol == "smc" else Attributes()
            self.addresses = Addresses(number)
            self.peers = Addresses(number, peer=True)
            self.states = _PROTOCOL_STATES.get(protocol or "", DATAGRAM_STATES)
        else:
            self.attributes = OtherAttributes(family)
            self.addresses = self.peers = UnixNames() if family == "unix" else Texts()
            self.states = _FAMILY_STATES.get(family, {})
        self.timers: Mapping[int, str] | None = TIMERS if protocol in _TIMED else None


_INFO: Final = 2  # INET_DIAG_INFO
_PROTOCOL_STATES: Final[dict[str, dict[int, str]]] = {
    "tcp": TCP_STATES,
    "mptcp": TCP_STATES,
    "dccp": TCP_STATES,
    "sctp": SCTP_STATES,
    "smc": SMC_STATES,
}
_FAMILY_STATES: Final[dict[str, dict[int, str]]] = {
    "unix": UNIX_STATES,
    "netlink": NETLINK_STATES,
    "vsock": VSOCK_STATES,
    "tipc": TIPC_STATES,
}
_TIMED: Final = ("tcp", "mptcp", "dccp")


if sys.byteorder == "little":

    def signed_cookie(raw: int) -> int:
        """The cookie as a 64-bit signed number from eight bytes read as one."""
        return raw
else:

    def signed_cookie(raw: int) -> int:
        """The cookie as a 64-bit signed number; the message has its low half first."""
        value = (raw & 0xFFFFFFFF) << 32 | (raw >> 32) & 0xFFFFFFFF
        return value - (1 << 64) if value >> 63 else value
