"""What to ask the kernel for a request on ``sockets``: which dumps, of which states, how filtered.

A dump that cannot have a matching row is left out, a condition that the kernel can check is
handed to it, and the rest is SQLite's.
"""

from __future__ import annotations

from _socket import AF_UNSPEC

from sockql.diag.inet import (
    ALL_STATES,
    FAMILIES,
    PROTOCOLS,
    SOCK_DIAG_BY_FAMILY,
    TCPDIAG_GETSOCK,
    dump_request,
)
from sockql.sockets.filter import impossible_addresses, make_filter
from sockql.sockets.record import (
    BOUND_INACTIVE,
    CLOSE,
    DATAGRAM_STATES,
    EXT_MASK,
    LISTEN,
    TCP_STATES,
    UNIX_STATES,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request

#: family, protocol, socktype of the inet sockets, in the order in which they are asked for.
INET_KINDS: Final[tuple[tuple[str, str, str], ...]] = (
    ("inet", "tcp", "stream"),
    ("inet6", "tcp", "stream"),
    ("inet", "udp", "dgram"),
    ("inet6", "udp", "dgram"),
    ("inet", "udplite", "dgram"),
    ("inet6", "udplite", "dgram"),
    ("inet", "icmp", "dgram"),
    ("inet6", "icmp6", "dgram"),
    ("inet", "raw", "raw"),
    ("inet6", "raw", "raw"),
)
#: The socktypes of inet protocols that are not dgram.
INET_SOCKTYPES: Final = {"tcp": "stream", "raw": "raw"}
#: Names of unix socktypes by their number, include/linux/net.h.
UNIX_SOCKTYPES: Final = {1: "stream", 2: "dgram", 5: "seqpacket"}

#: Columns that are NULL for sockets of other families than inet and inet6: a condition on one of
#: them matches none.
INET_ONLY: Final = (
    *("mark", "cgroup", "cgroup_id", "timer", "congestion", "tos", "tclass", "class_id", "v6only"),
    *("icmp_id", "ip_protocol"),
)
#: The same for unix sockets.
_NOT_UNIX: Final = (*INET_ONLY, "sport", "dport", "interface", "protocol")
_TIME_WAIT: Final = 6


class Dump:
    """One dump of inet sockets: of a family (or of both), a protocol and some states.

    ``families`` has one family's name, or both when one request can ask for them; ``bytecode``
    and ``filters`` are the program and its text for people.
    """

    __slots__ = ("bytecode", "dport", "ext", "families", "filters", "protocol", "sport", "states")

    def __init__(
        self,
        families: tuple[str, ...],
        protocol: str,
        states: int,
        *,
        ext: int = 0,
        sport: int = 0,
        dport: int = 0,
        bytecode: bytes = b"",
        filters: str = "",
    ) -> None:
        self.families = families
        self.protocol = protocol
        self.states = states
        self.ext = ext
        self.sport = sport
        self.dport = dport
        self.bytecode = bytecode
        self.filters = filters

    @property
    def type(self) -> int:
        """The nlmsg_type of the request and of the answer."""
        return SOCK_DIAG_BY_FAMILY if len(self.families) == 1 else TCPDIAG_GETSOCK

    def request(self) -> bytes:
        """The netlink message."""
        family = FAMILIES[self.families[0]] if len(self.families) == 1 else int(AF_UNSPEC)
        return dump_request(
            family,
            PROTOCOLS[self.protocol],
            self.states,
            ext=self.ext,
            sport=self.sport,
            dport=self.dport,
            bytecode=self.bytecode,
        )

    def __str__(self) -> str:
        words = [f"sock_diag {'+'.join(self.families)}/{self.protocol}"]
        if self.states != ALL_STATES:
            words.append("states=" + state_words(self.states))
        if self.ext:
            words.append(f"ext={self.ext:#04x}")
        if self.sport:
            words.append(f"sport={self.sport}")
        if self.dport:
            words.append(f"dport={self.dport}")
        if self.bytecode:
            words.append(f"bytecode='{self.filters}'")
        return " ".join(words)

    def unfiltered(self) -> Dump:
        """The same without its program, for a kernel that refuses it."""
        return Dump(
            self.families,
            self.protocol,
            self.states,
            ext=self.ext,
            sport=self.sport,
            dport=self.dport,
        )

    def split(self) -> list[Dump]:
        """The same, one request for each family."""
        return [
            Dump(
                (family,),
                self.protocol,
                self.states,
                ext=self.ext,
                sport=self.sport,
                dport=self.dport,
                bytecode=self.bytecode,
                filters=self.filters,
            )
            for family in self.families
        ]


#: Names of the bits of a mask, for people.
_TCP_BITS: Final = {**TCP_STATES, 12: "NEW_SYN_RECV", BOUND_INACTIVE: "BOUND_INACTIVE"}


def state_words(mask: int, names: Mapping[int, str] = _TCP_BITS) -> str:
    """The states of ``mask``, or those that it lacks when these are fewer."""
    there = [name for number, name in names.items() if mask >> number & 1]
    missing = [name for number, name in names.items() if not mask >> number & 1]
    if len(missing) < len(there):
        return "all but " + ",".join(missing)
    return ",".join(there)


# -- which kinds --------------------------------------------------------------------------------


def kinds(request: Request) -> list[tuple[str, str, str]]:
    """The members of :data:`INET_KINDS` that can have a row for ``request``."""
    families = request.values("family")
    protocols = request.values("protocol")
    socktypes = request.values("socktype")
    ports = request.constrained("sport") or request.constrained("dport")
    return [
        kind
        for kind in INET_KINDS
        if (families is None or kind[0] in families)
        and (protocols is None or kind[1] in protocols)
        and (socktypes is None or kind[2] in socktypes)
        # Raw and ping sockets have no ports.
        and not (ports and (kind[1] == "raw" or kind[1].startswith("icmp")))
        and not impossible_addresses(request, kind[0])
        and inet_states(request, kind[1])
    ]


def wants_unix(request: Request) -> bool:
    """Whether a unix socket can be a row for ``request``."""
    families = request.values("family")
    socktypes = request.values("socktype")
    return (
        (families is None or "unix" in families)
        and (socktypes is None or not socktypes.isdisjoint(UNIX_SOCKTYPES.values()))
        and not any(map(request.constrained, _NOT_UNIX))
        # A path lies in no prefix.
        and not request.prefixes("src")
        and not request.prefixes("dst")
        and bool(unix_states(request))
    )


def inet_states(request: Request, protocol: str) -> int:
    """The states to ask for, as a mask; 0 when none can match."""
    wanted = request.values("state")
    if protocol == "tcp":
        mask = ALL_STATES
        if wanted is not None:
            mask = sum(1 << number for number, name in TCP_STATES.items() if name in wanted)
            if not wanted.isdisjoint(("CLOSE", "BOUND_INACTIVE")):
                # A closed socket that keeps its port comes with the bound ones.
                mask = mask & ~(1 << CLOSE) | 1 << BOUND_INACTIVE
        if request.constrained("inode"):
            mask &= ~(1 << _TIME_WAIT)  # has no inode
        if request.constrained("dport") or request.constrained("dst"):
            mask &= ~(1 << LISTEN)  # has no peer
        return mask
    if wanted is None:
        mask = ALL_STATES
    else:
        mask = sum(1 << number for number, name in DATAGRAM_STATES.items() if name in wanted)
    if request.constrained("dport") or request.constrained("dst"):
        mask &= ~(1 << CLOSE)
    return mask


def unix_states(request: Request) -> int:
    """The states to ask for, as a mask; 0 when none can match."""
    wanted = request.values("state")
    if wanted is None:
        return ALL_STATES
    return sum(1 << number for number, name in UNIX_STATES.items() if name in wanted)


def dumps(request: Request, host: Host, protocol: str, families: tuple[str, ...]) -> list[Dump]:
    """The dumps of ``families`` of one protocol of sock_diag; none when no row can match."""
    # One pass over the hash tables instead of two (90,000 sockets: 90 ms instead of 113 ms).  A
    # filter on addresses is another one for each family.
    by_address = request.constrained("src") or request.constrained("dst")
    if protocol == "tcp" and not by_address:
        groups = [families]
    else:
        groups = [(family,) for family in families]
    result = []
    for group in groups:
        found = make_filter(request, host, group[0], protocol)
        if found is None:
            return []
        dump = Dump(
            group,
            protocol,
            inet_states(request, protocol),
            ext=request.needs & EXT_MASK,
            sport=found.sport,
            dport=found.dport,
            bytecode=found.bytecode(),
            filters=str(found),
        )
        result.append(dump)
    return result
