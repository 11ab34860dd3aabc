"""Addresses: ``inet_aton``, ``in_cidr_block``, and the Community ID of a connection.

Source: osquery/sql/sqlite_string.cpp, sqlite_network.cpp and sqlite_hashing.cpp, and
https://github.com/corelight/community-id-spec
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_pton

from sockql.errors import QueryError
from sockql.functions import declaring
from sockql.osquery.functions.values import as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.functions import Function
    from sockql.schema import Value

FUNCTIONS: Final[dict[str, Function]] = {}

_function = declaring(FUNCTIONS)


def _packed(address: str) -> bytes | None:
    """The 4 or 16 bytes of an address, its zone left out; None for what is none."""
    family = AF_INET6 if ":" in address else AF_INET
    try:
        return inet_pton(family, address.partition("%")[0] if family == AF_INET6 else address)
    except (OSError, ValueError):
        return None


@_function("select inet_aton('1.0.1.5')", 16777477)
def inet_aton(address: Value) -> int | None:
    """The IPv4 address as a number; NULL for NULL, for IPv6, and for what is no address."""
    packed = None if address is None else _packed(as_text(address))
    return int.from_bytes(packed, "big") if packed is not None and len(packed) == 4 else None


@_function("select in_cidr_block('10.0.0.0/26', '10.0.0.24')", 1)
def in_cidr_block(prefix: Value, address: Value) -> int:
    """1 when the address is one that a host of the network may have, else 0.

    Of an IPv4 network these are not its first address, which is its name, nor its last, the
    broadcast address; a prefix of 32 bits is its only one, and one of 31 bits has none.  Of an
    IPv6 network they are all.

    What is no address is an error, NULL and the empty text among them, as it is in osquery, and so
    is a prefix of the other family.  ``inet_in`` takes all of that for "not in it".
    """
    if not isinstance(prefix, str) or not isinstance(address, str):
        raise QueryError("in_cidr_block: the prefix and the address have to be texts")
    packed = _packed(address)
    if packed is None:
        raise QueryError(f"in_cidr_block: {address!r} is not an address")
    name, slash, length = prefix.partition("/")
    network = _packed(name)
    bits = len(packed) * 8
    whole = slash and length.isascii() and length.isdigit() and len(length) <= 3
    if network is None or len(network) != len(packed) or not whole or int(length) > bits:
        family = "IPv6" if bits == 128 else "IPv4"
        raise QueryError(
            f"in_cidr_block: {prefix!r} is not a prefix of {family}, as {address!r} is"
        )
    shift = bits - int(length)
    number = int.from_bytes(packed, "big")
    first = int.from_bytes(network, "big") >> shift << shift
    last = first + (1 << shift) - 1
    if bits == 128 or shift == 0:
        return int(first <= number <= last)
    return int(first < number < last)


@_function(
    "select community_id_v1('66.35.250.204', '128.232.110.120', 80, 34855, 6)",
    "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
)
def community_id_v1(
    source: Value, destination: Value, sport: Value, dport: Value, protocol: Value, seed: Value = 0
) -> str | None:
    """The Community ID of a connection, the same for both directions, as Zeek and Suricata have it.

    The protocol is its number in IP, 6 for TCP.  The seed, 0 if it is left out, is a number of 16
    bits with a sign.  NULL for arguments that make no connection: what is no address, and what is
    no integer or out of range.
    """
    try:
        return community_id(source, destination, sport, dport, protocol, seed)
    except QueryError:
        return None


@_function(
    "select community_id_v1_strict('192.168.1.52', '8.8.8.8', 54585, 53, 17, 1)",
    "1:Q9We8WO3piVF8yEQBNJF4uiSVrI=",
)
def community_id_v1_strict(
    source: Value, destination: Value, sport: Value, dport: Value, protocol: Value, seed: Value = 0
) -> str:
    """The same as ``community_id_v1``, but arguments that do not make a connection are an error."""
    return community_id(source, destination, sport, dport, protocol, seed)


def community_id(
    source: Value, destination: Value, sport: Value, dport: Value, protocol: Value, seed: Value
) -> str:
    """Version 1 of the Community ID.

    :raises QueryError: for an argument of another type, or out of its range.
    """
    from hashlib import sha1

    from sockql.osquery.functions.encoding import to_base64

    start = _number(seed, "seed", -(2**15), 2**15)
    ends = [
        (_address(source, "source"), _number(sport, "sport", 0, 2**16)),
        (_address(destination, "destination"), _number(dport, "dport", 0, 2**16)),
    ]
    # Both directions are one connection: the smaller end comes first, IPv4 before IPv6.
    ends.sort(key=lambda end: (len(end[0]), *end))
    (first, first_port), (second, second_port) = ends
    hashed = b"".join(
        (
            start.to_bytes(2, "big", signed=True),
            first,
            second,
            bytes((_number(protocol, "protocol", 0, 2**8), 0)),
            first_port.to_bytes(2, "big"),
            second_port.to_bytes(2, "big"),
        )
    )
    return f"1:{to_base64(sha1(hashed, usedforsecurity=False).digest())}"


def _address(value: Value, argument: str) -> bytes:
    packed = _packed(value) if isinstance(value, str) else None
    if packed is None:
        raise QueryError(f"community_id_v1: the {argument} {value!r} is not an address")
    return packed


def _number(value: Value, argument: str, least: int, beyond: int) -> int:
    if isinstance(value, int) and least <= value < beyond:
        return value
    raise QueryError(
        f"community_id_v1: the {argument} {value!r} is not an integer from {least} to {beyond - 1}"
    )
