"""What a scan of ``sockets`` will deliver and cost, from the kernel's counters.

Microseconds were measured on 90,000 TCP sockets, on a 2-core virtual machine.
"""

from __future__ import annotations

from sockql.sockets.filter import port_ranges
from sockql.sockets.plan import inet_states, kinds, unix_states, wants_unix
from sockql.sockets.record import CLOSE, LISTEN
from sockql.sockets.sockstat import counts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request

#: A request and the end of its answer.
_DUMP: Final = 20.0
#: A socket that the kernel looks at, and one that it delivers and that is decoded.
_VISITED: Final = 0.1
_DELIVERED: Final = 1.2
#: The same of unix sockets, whose attributes are parsed one by one.
_UNIX_DELIVERED: Final = 4.0

#: Where the kernel does not tell how many there are.
_GUESS: Final = 100.0
#: Listeners are few, whatever else there is; the kernel has a table of their own.
_LISTENERS: Final = 20.0
#: Other states of TCP than ESTABLISHED and TIME_WAIT last for seconds, if that.
_PASSING: Final = 0.02
#: The share of sockets that one value of the column has.
_SHARES: Final = (
    ("sport", 0.1),
    ("dport", 0.1),
    ("src", 0.2),
    ("dst", 0.1),
    ("interface", 0.05),
    ("mark", 0.05),
    ("cgroup", 0.1),
    ("cgroup_id", 0.1),
)
_ESTABLISHED: Final = 1
_TIME_WAIT: Final = 6


def sockets(request: Request, host: Host) -> tuple[float, float]:
    """``(rows, microseconds)`` of a scan of ``sockets``."""
    known = counts(request, host)
    rows = cost = others = 0.0
    share = _share(request)
    protocols = {protocol for _, protocol, _ in kinds(request)}
    for protocol in ("tcp", "udp", "udplite", "raw"):
        hashed = known.hashed(protocol)
        total = _GUESS if hashed is None else float(hashed)
        others += total
        if protocol not in protocols:
            continue
        mask = inet_states(request, protocol)
        if protocol == "tcp":
            found, visited = _tcp(mask, total, float(known.timewait))
        else:
            found, visited = (total if mask >> CLOSE & 1 else total / 4), total
        rows += found * share
        cost += _DUMP + visited * _VISITED + found * share * _DELIVERED
    if wants_unix(request):
        total = max(known.used - others, 0.0) if known.used else _GUESS
        found = total if unix_states(request) >> _ESTABLISHED & 1 else total / 4
        rows += found
        cost += _DUMP + found * _UNIX_DELIVERED
    if request.constrained("inode"):
        rows = min(rows, float(len(request.values("inode") or (0,))))
    return max(rows, 1.0), max(cost, _DUMP)


def _tcp(mask: int, hashed: float, timewait: float) -> tuple[float, float]:
    """How many TCP sockets of these states there are, and how many the kernel visits for them."""
    if mask == 1 << LISTEN:
        return min(hashed, _LISTENERS), min(hashed, _LISTENERS)
    found = timewait if mask >> _TIME_WAIT & 1 else 0.0
    if mask >> _ESTABLISHED & 1:
        found += hashed
    elif mask & ~(1 << _TIME_WAIT):
        found += hashed * _PASSING
    return found, hashed + timewait


def _share(request: Request) -> float:
    """The share of inet sockets that fulfil the conditions which the kernel checks."""
    share = 1.0
    for column, of_one in _SHARES:
        if not request.constrained(column):
            continue
        values = request.values(column)
        if column in ("sport", "dport"):
            ranges = port_ranges(request, column)
            if ranges == []:
                return 0.0
            if ranges and values is None:
                share *= max((ranges[-1][1] - ranges[0][0]) / 65535, 0.01)
                continue
        share *= min(of_one * (1 if values is None else len(values)), 1.0)
    return share
