"""Conditions on ports, addresses, interface, mark and cgroup as the kernel can check them.

Each becomes a piece of a program (:mod:`sockql.diag.bytecode`) and a text for people.
"""

from __future__ import annotations

from _socket import inet_ntop, inet_pton

from sockql.diag.inet import FAMILIES
from sockql.request import MAXIMUM, MINIMUM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final

    from sockql.diag.bytecode import Piece
    from sockql.host import Host
    from sockql.request import Request

_PORTS: Final = range(1, 1 << 16)
_MARKS: Final = range(1 << 32)
# A program costs the kernel its audit, which is quadratic in its length: 4 ms for 1,000 ports.  A
# longer list becomes the range it lies in.
_LIST_MAXIMUM: Final = 1000
# Of alternatives that are tried one after the other, 1.7 ns each for each socket; there delivering
# the socket instead costs 1 µs.
_ALTERNATIVES_MAXIMUM: Final = 128


class Filter:
    """What a dump asks the kernel to check: exact ports in its header (0: any), a program."""

    __slots__ = ("dport", "pieces", "sport")

    def __init__(self) -> None:
        self.sport = 0
        self.dport = 0
        self.pieces: list[tuple[Piece, str]] = []

    def bytecode(self) -> bytes:
        """The program; empty where there is nothing to check, or too much."""
        if not self.pieces:
            return b""
        from sockql.diag.bytecode import assemble, both

        return assemble(both([piece for piece, _ in self.pieces])) or b""

    def __str__(self) -> str:
        return " and ".join(text for _, text in self.pieces)


def make_filter(request: Request, host: Host, family: str, protocol: str) -> Filter | None:
    """The filter for a dump of one protocol; None when no row can match.

    Conditions on addresses are those for ``family``; the others hold for both.
    """
    found = Filter()
    for column in ("sport", "dport"):
        ranges = port_ranges(request, column)
        if ranges == []:
            return None
        if ranges is None or protocol == "raw":  # its "port" is the IP protocol
            continue
        first, last = ranges[0][0], ranges[-1][1]
        if first == last:
            setattr(found, column, first)
        elif (first, last) != (_PORTS[0], _PORTS[-1]) or len(ranges) > 1:
            from sockql.diag.bytecode import ports

            found.pieces.append((ports(column == "sport", ranges), _shown(column, ranges)))
    conditions = _conditions(request, host)
    if conditions is None:
        return None
    found.pieces += conditions
    for column in ("src", "dst"):
        found.pieces += _addresses(request, column, family)
    return found


def port_ranges(request: Request, column: str) -> list[tuple[int, int]] | None:
    """The inclusive ranges that the port lies in, None for any; empty when no row can match."""
    values = request.values(column)
    low, high = request.bounds(column)
    if values is None and (low, high) == (MINIMUM, MAXIMUM):
        return None
    low, high = max(low, _PORTS[0]), min(high, _PORTS[-1])
    if values is None:
        return [(low, high)] if low <= high else []
    wanted = [port for port in values if low <= port <= high]
    if len(wanted) > _LIST_MAXIMUM:
        return [(min(wanted), max(wanted))]
    return [(port, port) for port in sorted(wanted)]


def _shown(column: str, ranges: list[tuple[int, int]]) -> str:
    if len(ranges) == 1:
        return f"{column} {ranges[0][0]}-{ranges[0][1]}"
    return _list(column, (str(first) for first, _ in ranges))


def _list(column: str, values: Iterable[str]) -> str:
    words = list(values)
    shown = ",".join(words[:8]) + (",…" if len(words) > 8 else "")
    return f"{column} in ({shown})" if len(words) > 1 else f"{column} {shown}"


def _conditions(request: Request, host: Host) -> list[tuple[Piece, str]] | None:
    """Pieces for interface, mark and cgroup with their texts; None when no row can match."""
    found: list[tuple[Piece, str]] = []

    def add(column: str, values: Iterable[int], make: Callable[[int], Piece]) -> bool:
        from sockql.diag.bytecode import either

        wanted = sorted(values)
        if 0 < len(wanted) <= _ALTERNATIVES_MAXIMUM:
            found.append(
                (either([make(value) for value in wanted]), _list(column, map(str, wanted)))
            )
        return bool(wanted)

    interfaces = request.values("interface")
    if interfaces is not None:
        from sockql.diag.bytecode import device
        from sockql.network.links import links

        indexes = links(request, host).indexes(interfaces)
        if indexes is not None and not add("if", indexes, device):
            return None
    marks = request.values("mark")
    if marks is not None:
        from sockql.diag.bytecode import mark

        if not add("mark", (value for value in marks if value in _MARKS), mark):
            return None
    paths = request.values("cgroup")
    ids = request.values("cgroup_id")
    if paths is not None or ids is not None:
        from sockql.diag.bytecode import cgroup
        from sockql.proc.cgroups import cgroups

        if ids is not None and not add("cgroup", (value for value in ids if value >= 0), cgroup):
            return None
        at = cgroups(request, host).ids(paths) if paths is not None else None
        if at is not None and not add("cgroup", at, cgroup):
            return None
    return found


# -- addresses ----------------------------------------------------------------------------------


def _exact(text: str, family: str) -> bytes | None:
    """The address whose text in the column is ``text``; None when none has that spelling."""
    number = FAMILIES[family]
    try:
        address = inet_pton(number, text)
    except (OSError, ValueError):
        return None
    return address if inet_ntop(number, address) == text else None


def impossible_addresses(request: Request, family: str) -> bool:
    """Whether no socket of ``family`` has the addresses that ``request`` asks for."""
    for column in ("src", "dst"):
        values = request.values(column)
        if values is not None and not any(_exact(text, family) for text in values):
            return True
        # An IPv4 address lies in no IPv6 prefix, but a mapped one lies in IPv4 prefixes.
        if family == "inet" and any(":" in prefix for prefix in request.prefixes(column)):
            return True
    return False


def _addresses(request: Request, column: str, family: str) -> list[tuple[Piece, str]]:
    """Pieces for the conditions on ``src`` or ``dst``, with their texts."""
    values = request.values(column)
    prefixes = request.prefixes(column)
    if values is None and not prefixes:
        return []
    from sockql.diag.bytecode import BITS, D_COND, S_COND, either, host
    from sockql.functions import parse_cidr

    code = S_COND if column == "src" else D_COND
    found: list[tuple[Piece, str]] = []
    if values is not None and len(values) <= _ALTERNATIVES_MAXIMUM:
        number = FAMILIES[family]
        texts = sorted(text for text in values if _exact(text, family))
        hosts = [host(code, number, inet_pton(number, text), BITS[number]) for text in texts]
        found.append((either(hosts), _list(column, texts)))
    for prefix in prefixes:
        number, address, length = parse_cidr(prefix)
        found.append((host(code, number, address, length), f"{column} {prefix}"))
    return found
