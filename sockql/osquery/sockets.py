"""Sockets as osquery's tables have them: one row for each holder, numbers instead of names.

osquery reads /proc/PID/net and gives a socket to the last process that it met with it; here the
rows of ``sockets`` are joined with all descriptors of ``fds``, or with the process -1 when nobody
can be seen to hold them.  Families that /proc/net has no such file for are left out.

Source: osquery/filesystem/linux/proc.h and proc.cpp, osquery/tables/networking/linux/.
"""

from __future__ import annotations

from sockql.osquery.ask import ask, descriptors, inner, same
from sockql.proc import descriptor
from sockql.request import Constraint
from sockql.sockets.record import INODE, ORIGIN
from sockql.tables.fds import TABLE as FDS
from sockql.tables.sockets import TABLE as SOCKETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.request import Request
    from sockql.schema import Getter
    from sockql.sockets.record import SocketRecord

    #: (pid, fd, socket); pid and fd are -1 when nobody is seen to hold it.
    Held: TypeAlias = tuple[int, int, SocketRecord]

FAMILIES: Final = {"unix": 1, "inet": 2, "inet6": 10, "packet": 17}
#: IPPROTO_* of the inet sockets; of ping sockets over IPv6 osquery says ICMP as well.
PROTOCOLS: Final = {
    "icmp": 1,
    "tcp": 6,
    "udp": 17,
    "icmp6": 1,
    "dccp": 33,
    "sctp": 132,
    "udplite": 136,
    "raw": 255,
    "mptcp": 262,
}
#: Those of which osquery gives the state, under the names of TCP.
_STATEFUL: Final = ("tcp", "mptcp", "dccp", "sctp")
_STATES: Final = {
    name: name
    for name in (
        *("ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"),
        *("CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"),
    )
}
_STATES["CLOSE"] = "CLOSED"
_OURS: Final = {osquerys: ours for ours, osquerys in _STATES.items()}
#: The address of nobody.
_ANY: Final = {"inet": "0.0.0.0", "inet6": "::"}  # noqa: S104

_COLUMNS: Final = (
    *("netns", "family", "protocol", "state", "src", "sport", "dst", "dport", "inode"),
    *("icmp_id", "ip_protocol", "ethertype"),
)
_getters: Final[dict[str, Getter]] = {name: SOCKETS.schema.by_name[name].get for name in _COLUMNS}
_state, _src, _dst = _getters["state"], _getters["src"], _getters["dst"]
_sport, _dport, _ethertype = _getters["sport"], _getters["dport"], _getters["ethertype"]
_icmp_id, _ip_protocol = _getters["icmp_id"], _getters["ip_protocol"]


# -- records ------------------------------------------------------------------------------------


def estimate(request: Request, host: Host, *queries: list[Constraint]) -> tuple[float, float]:
    """``(rows, microseconds)`` of :func:`read`."""
    rows, cost = 0.0, 0.0
    for query in queries:
        found, took = SOCKETS.estimate(inner(SOCKETS, request, (), query), host)
        rows, cost = rows + found, cost + took
    _, holders = FDS.estimate(inner(FDS, request, ("inode",), same(request, "pid")), host)
    if request.constrained("pid"):
        rows /= 16
    return max(rows, 1.0), cost + holders


def read(request: Request, host: Host, *queries: list[Constraint]) -> Iterator[Held]:
    """The sockets that any of ``queries`` on ``sockets`` gives, with the holders asked for.

    ``pid`` is the only condition of ``request`` that is looked at; the sockets of two queries
    should not overlap.

    :raises DataError: as ``sockets`` and ``fds`` do.
    """
    pids = request.values("pid")
    unheld = pids is None or -1 in pids
    holders = _holders(request, host, everybody=unheld)
    missing = len(holders)
    for query in queries:
        for record in ask(SOCKETS, request, host, _COLUMNS, query):
            if not _is_osquerys(record):
                continue
            found = holders.get(record[INODE])
            if found is not None:
                missing -= 1
                for pid, fd in found:
                    if pids is None or pid in pids:
                        yield pid, fd, record
                if not missing and not unheld:
                    return  # the other namespaces need not be asked
            elif unheld:
                yield -1, -1, record


def _holders(request: Request, host: Host, *, everybody: bool) -> dict[int, list[tuple[int, int]]]:
    """``(pid, fd)`` of the descriptors of sockets by inode, read once in a statement.

    Whoever uses them lacks what could not be read, whoever read them.
    """
    constraints = [] if everybody else same(request, "pid")
    snapshot, key = request.snapshot, ("holders", frozenset(constraints))
    if key not in snapshot.memo:
        found: dict[int, list[tuple[int, int]]] = {}
        constraints.append(Constraint("type", "=", "socket"))
        for record in descriptors(request, host, ["pid", "fd", "inode"], constraints):
            holder = record[descriptor.PID], int(record[descriptor.FD])
            found.setdefault(record[descriptor.INODE], []).append(holder)
        snapshot.memo[key] = found, snapshot.refusals.get("fds")
    holders: dict[int, list[tuple[int, int]]]
    holders, refusals = snapshot.memo[key]
    if refusals is not None:
        snapshot.refusals.setdefault("fds", refusals)
    return holders


def _is_osquerys(record: SocketRecord) -> bool:
    """Whether it is of a kind that osquery has.

    A bound TCP socket that neither listens nor connects is in no file of /proc/net.
    """
    origin = record[ORIGIN]
    if origin.family in ("inet", "inet6"):
        return origin.protocol in PROTOCOLS and _state(record) != "BOUND_INACTIVE"
    return origin.family in FAMILIES


# -- conditions ---------------------------------------------------------------------------------


def narrowed(request: Request) -> list[Constraint]:
    """What the conditions of ``request`` on osquery's columns mean for ``sockets``."""
    families = request.values("family")
    local, remote = request.values("local_port"), request.values("remote_port")
    names = {name for name, number in FAMILIES.items() if families is None or number in families}
    if any(ports is not None and 0 not in ports for ports in (local, remote)):
        names &= _ANY.keys()  # other sockets have no ports
    found = [Constraint("family", "in", frozenset(names))]
    protocols = request.values("protocol")
    # 0 is that of unix sockets, and an ethertype may be any number.
    if protocols is not None and families is not None and families <= {2, 10}:
        names = {name for name, number in PROTOCOLS.items() if number in protocols}
        found.append(Constraint("protocol", "in", frozenset(names)))
    states = request.values("state")
    if states is not None and states <= _OURS.keys():
        found.append(Constraint("state", "in", frozenset(_OURS[state] for state in states)))
    if remote is not None and 0 not in remote:
        found.append(Constraint("dport", "in", remote))
    # That of a raw or ping socket is no port, and other sockets have none.
    if local is not None and 0 not in local and states is not None and states <= _OURS.keys():
        found.append(Constraint("sport", "in", local))
    return found


# -- cells --------------------------------------------------------------------------------------


def socket(held: Held) -> int:
    """The inode, 0 for none."""
    return held[2][INODE] or 0


def family(held: Held) -> int:
    """AF_UNIX, AF_INET, AF_INET6 or AF_PACKET."""
    return FAMILIES[held[2][ORIGIN].family]


def protocol(held: Held) -> int:
    """IPPROTO_*, of packet sockets the ethertype, of unix sockets 0."""
    origin = held[2][ORIGIN]
    if origin.family == "packet":
        return int(_ethertype(held[2]) or 0)
    return PROTOCOLS.get(origin.protocol or "", 0)


def local_address(held: Held) -> str:
    """The own address, empty for unix and packet sockets."""
    return _address(held[2], _src)


def remote_address(held: Held) -> str:
    """The peer's address, that of nobody where there is none; empty as above."""
    return _address(held[2], _dst)


def _address(record: SocketRecord, get: Getter) -> str:
    nobody = _ANY.get(record[ORIGIN].family)
    return "" if nobody is None else str(get(record) or nobody)


def local_port(held: Held) -> int:
    """The own port, of raw sockets the IP protocol, of ping sockets their identifier."""
    record = held[2]
    return int(_sport(record) or _ip_protocol(record) or _icmp_id(record) or 0)


def remote_port(held: Held) -> int:
    """The peer's port, 0 for none."""
    return int(_dport(held[2]) or 0)


def path(held: Held) -> str:
    """The path of a unix socket, with @ before an abstract name; empty for none."""
    return str(_src(held[2]) or "") if held[2][ORIGIN].family == "unix" else ""


def state(held: Held) -> str:
    """The state under osquery's name for it; empty where osquery has none."""
    origin = held[2][ORIGIN]
    if origin.family == "packet":
        return "NONE"
    if origin.protocol not in _STATEFUL or origin.family == "unix":
        return ""
    return _STATES.get(str(_state(held[2])), "UNKNOWN")


def net_namespace(held: Held) -> str:
    """The inode of the network namespace, empty when it cannot be read."""
    netns = held[2][ORIGIN].netns
    return "" if netns is None else str(netns)
