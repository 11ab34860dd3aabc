"""The record of a socket: one layout for all families, filled from a message or from a text line.

A record is a tuple.  Its first element is the :class:`Origin` that all sockets of one dump share;
the fields of ``struct inet_diag_msg`` follow in their order, then the raw attributes.  Other
families put what corresponds into the same places, so that most cells are one index away.
"""

from __future__ import annotations

import sys
from _socket import AF_INET, AF_INET6, inet_ntop

from sockql.netlink import attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final, TypeAlias

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
#: Every value of ``sockets.state``.
STATES: Final = (*list(TCP_STATES.values())[:-1], "BOUND_INACTIVE", "UNCONN")

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


class UnixAttributes(Attributes):
    """The same for unix sockets: their numbers are translated, so that no number means two things.

    What inet sockets have, too, gets the number it has there, the others :data:`UNIX` and theirs.
    """

    __slots__ = ()

    def __missing__(self, raw: bytes) -> dict[int, bytes]:
        if len(self) >= 1024:
            self.clear()
        parsed = {
            _AS_INET.get(number, UNIX + number): payload
            for number, payload in attributes(raw).items()
        }
        self[raw] = parsed
        return parsed


UNIX: Final = 0x10000
#: UNIX_DIAG_MEMINFO is INET_DIAG_SKMEMINFO, and so is SHUTDOWN.
_AS_INET: Final = {5: 7, 6: 8}


class Origin:
    """What the sockets of one dump have in common.

    ``source`` is ``sock_diag`` or ``procfs``; ``netns`` the inode of the network namespace, None
    when it could not be read.  ``addresses`` and ``peers`` give the text for what is in SRC and
    DST; ``links`` the names of interfaces, ``cgroups`` the paths of cgroups by their id.
    """

    __slots__ = (
        "addresses",
        "attributes",
        "cgroups",
        "family",
        "links",
        "netns",
        "peers",
        "protocol",
        "socktype",
        "source",
        "states",
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
        links: Mapping[int, str | None] | None = None,
        cgroups: Mapping[int, str | None] | None = None,
    ) -> None:
        self.family = family
        self.protocol = protocol
        self.socktype = socktype
        self.source = source
        self.netns = netns
        self.links = links if links is not None else {}
        self.cgroups = cgroups if cgroups is not None else {}
        self.attributes = UnixAttributes() if family == "unix" else Attributes()
        self.addresses: Mapping[bytes | None, str | None]
        self.peers: Mapping[bytes | None, str | None]
        if family == "unix":
            self.addresses = self.peers = UnixNames()
        else:
            number = AF_INET if family == "inet" else AF_INET6
            self.addresses = Addresses(number)
            self.peers = Addresses(number, peer=True)
        if protocol == "tcp":
            self.states = TCP_STATES
            self.timers: Mapping[int, str] | None = TIMERS
        else:
            self.states = UNIX_STATES if family == "unix" else DATAGRAM_STATES
            self.timers = None


if sys.byteorder == "little":

    def signed_cookie(raw: int) -> int:
        """The cookie as a 64-bit signed number from eight bytes read as one."""
        return raw
else:

    def signed_cookie(raw: int) -> int:
        """The cookie as a 64-bit signed number; the message has its low half first."""
        value = (raw & 0xFFFFFFFF) << 32 | (raw >> 32) & 0xFFFFFFFF
        return value - (1 << 64) if value >> 63 else value
