"""Filter programs, run by an interpreter of the test's own and audited as the kernel audits them.

Written from net/ipv4/inet_diag.c: inet_diag_bc_audit(), valid_cc() and inet_diag_bc_run().
tests/live/test_sockets_kernel.py asks the real kernel.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockql.diag import bytecode as bc
from sockql.diag.bytecode import assemble, both, either

if TYPE_CHECKING:
    from sockql.diag.bytecode import Piece

_SETTINGS = settings(deadline=None, database=None, max_examples=200)

INET, INET6 = socket.AF_INET, socket.AF_INET6


class Entry(NamedTuple):
    """struct inet_diag_entry: what a program looks at."""

    family: int = INET
    src: str = "192.0.2.1"
    dst: str = "198.51.100.2"
    sport: int = 1000
    dport: int = 2000
    interface: int = 0
    mark: int = 0
    cgroup: int = 1


# -- the kernel's side --------------------------------------------------------------------------

JMP, S_GE, S_LE, D_GE, D_LE, S_COND, D_COND = 1, 2, 3, 4, 5, 7, 8
DEV_COND, MARK_COND, CGROUP_COND = 9, 10, 13
ARGUMENTS = {JMP: 0, S_GE: 4, S_LE: 4, D_GE: 4, D_LE: 4, DEV_COND: 4, MARK_COND: 8, CGROUP_COND: 8}


def op(program: bytes, at: int) -> tuple[int, int, int]:
    code, yes, no = struct.unpack_from("=BBH", program, at)
    return code, yes, no


def host_length(program: bytes, at: int, left: int) -> int:
    """valid_hostcond(): the length that the arguments need, by their family."""
    assert left >= 12
    family, prefix, port = struct.unpack_from("=BBxxi", program, at + 4)
    size = {0: 0, INET: 4, INET6: 16}[family]
    assert prefix <= 8 * size
    assert -1 <= port <= 0xFFFF
    assert left >= 12 + size
    return 12 + size


def audit(program: bytes) -> None:
    """inet_diag_bc_audit(): AssertionError where it says EINVAL."""
    starts = set()
    left = len(program)
    assert left >= 4
    while left > 0:
        at = len(program) - left
        starts.add(at)
        code, yes, no = op(program, at)
        compares = code in (S_COND, D_COND)
        least = host_length(program, at, left) if compares else 4 + ARGUMENTS[code]
        assert left >= least
        assert 4 <= no <= left + 4
        if code != JMP:
            assert no >= least
        assert no % 4 == 0
        if no < left:
            assert lands(program, at + no)
        assert least <= yes <= left + 4
        assert yes % 4 == 0
        left -= yes
    assert left == 0


def lands(program: bytes, target: int) -> bool:
    """valid_cc(): whether a walk along "yes" comes by."""
    at = 0
    while at < target:
        at += op(program, at)[1]
    return at == target


def run(program: bytes, entry: Entry) -> bool:
    """inet_diag_bc_run()."""
    at = 0
    while at < len(program):
        code, yes, no = op(program, at)
        at += yes if holds(program, at, code, entry) else no
    assert at in (len(program), len(program) + 4)
    return at == len(program)


def holds(program: bytes, at: int, code: int, entry: Entry) -> bool:
    if code == JMP:
        return False
    if code in (S_GE, S_LE, D_GE, D_LE):
        port = op(program, at + 4)[2]
        own = entry.sport if code in (S_GE, S_LE) else entry.dport
        return own >= port if code in (S_GE, D_GE) else own <= port
    if code == DEV_COND:
        return bool(struct.unpack_from("=I", program, at + 4)[0] == entry.interface)
    if code == MARK_COND:
        value, mask = struct.unpack_from("=II", program, at + 4)
        return bool(entry.mark & mask == value)
    if code == CGROUP_COND:
        return bool(struct.unpack_from("=Q", program, at + 4) == (entry.cgroup,))
    family, length, port = struct.unpack_from("=BBxxi", program, at + 4)
    own = entry.sport if code == S_COND else entry.dport
    if port not in (-1, own):
        return False
    if length == 0:
        return True
    address = ipaddress.ip_address(entry.src if code == S_COND else entry.dst).packed
    if family != entry.family:
        if not (family == INET and address[:12] == bytes(10) + b"\xff\xff"):
            return False
        address = address[12:]
    size = 4 if family == INET else 16
    wanted = program[at + 12 : at + 12 + size]
    shift = 8 * size - length
    return bool(int.from_bytes(address, "big") >> shift == int.from_bytes(wanted, "big") >> shift)


# -- what the pieces mean -----------------------------------------------------------------------


class Meaning(NamedTuple):
    """A piece, and the condition that it stands for, said in Python."""

    piece: Piece
    test: Callable[[Entry], bool]


def accepts(piece: Piece, entry: Entry) -> bool:
    program = assemble(piece)
    assert program is not None
    audit(program)
    return run(program, entry)


ports = st.integers(0, 65535) | st.integers(0, 40)
ranges = st.tuples(ports, ports).map(lambda pair: (min(pair), max(pair)))
v4 = st.integers(0, 2**32 - 1).map(lambda n: str(ipaddress.IPv4Address(n)))
near = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.1.0.0", "0.0.0.0"])
v6 = st.integers(0, 2**128 - 1).map(lambda n: str(ipaddress.IPv6Address(n)))
near6 = st.sampled_from(["::", "::1", "2001:db8::1", "2001:db8::2"])
small = st.integers(0, 3)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    family = draw(st.sampled_from([INET, INET6]))
    mapped = near.map(lambda text: f"::ffff:{text}")
    addresses = v4 | near if family == INET else v6 | near6 | mapped
    return Entry(
        family,
        draw(addresses),
        draw(addresses),
        draw(ports),
        draw(ports),
        draw(small),
        draw(small),
        draw(small),
    )


@st.composite
def hosts(draw: st.DrawFn) -> Meaning:
    code = draw(st.sampled_from([S_COND, D_COND]))
    text = draw(near | near6)
    address = ipaddress.ip_address(text)
    length = draw(st.integers(0, address.max_prefixlen))
    network = ipaddress.ip_network((text, length), strict=False)
    family = INET if address.version == 4 else INET6

    def test(entry: Entry) -> bool:
        own = ipaddress.ip_address(entry.src if code == S_COND else entry.dst)
        if length == 0 or own in network:
            return True
        mapped = own.ipv4_mapped if isinstance(own, ipaddress.IPv6Address) else None
        return mapped is not None and mapped in network

    return Meaning(bc.host(code, family, address.packed, length), test)


@st.composite
def port_lists(draw: st.DrawFn) -> Meaning:
    source = draw(st.booleans())
    wanted = draw(st.lists(ranges, min_size=1, max_size=12))

    def test(entry: Entry) -> bool:
        port = entry.sport if source else entry.dport
        return any(low <= port <= high for low, high in wanted)

    return Meaning(bc.ports(source, wanted), test)


leaves = (
    hosts()
    | port_lists()
    | small.map(lambda n: Meaning(bc.device(n), lambda entry: entry.interface == n))
    | small.map(lambda n: Meaning(bc.mark(n), lambda entry: entry.mark == n))
    | small.map(lambda n: Meaning(bc.cgroup(n), lambda entry: entry.cgroup == n))
)


def all_of(parts: list[Meaning]) -> Meaning:
    return Meaning(
        both([part.piece for part in parts]), lambda entry: all(part.test(entry) for part in parts)
    )


def one_of(parts: list[Meaning]) -> Meaning:
    return Meaning(
        either([part.piece for part in parts]),
        lambda entry: any(part.test(entry) for part in parts),
    )


meanings = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4).map(all_of)
        | st.lists(inner, min_size=1, max_size=4).map(one_of)
    ),
    max_leaves=12,
)


@_SETTINGS
@given(meanings, st.lists(entries(), min_size=1, max_size=5))
def test_a_program_passes_the_audit_and_says_what_its_condition_says(
    meaning: Meaning, sockets: list[Entry]
) -> None:
    for entry in sockets:
        assert accepts(meaning.piece, entry) == meaning.test(entry)


@_SETTINGS
@given(st.lists(ranges, min_size=1, max_size=30))
def test_ports_at_and_beside_every_bound_are_told_apart(wanted: list[tuple[int, int]]) -> None:
    program = assemble(bc.ports(True, wanted))
    assert program is not None
    audit(program)
    for bound in {port for pair in wanted for port in pair}:
        for port in {max(bound - 1, 0), bound, min(bound + 1, 65535)}:
            inside = any(low <= port <= high for low, high in wanted)
            assert run(program, Entry(sport=port)) == inside


@_SETTINGS
@given(st.lists(ranges, max_size=20))
def test_merged_ranges_have_the_same_numbers_and_gaps_between_them(
    given: list[tuple[int, int]],
) -> None:
    found = bc.merged(given)
    assert {n for low, high in found for n in range(low, high + 1)} == {
        n for low, high in given for n in range(low, high + 1)
    }
    assert all(a[1] + 1 < b[0] for a, b in pairwise(found))


def test_a_thousand_ports_take_ten_comparisons_and_not_a_thousand() -> None:
    wanted = [(port, port) for port in range(1, 2001, 2)]
    program = assemble(bc.ports(True, wanted))
    assert program is not None
    audit(program)
    for port in (1, 999, 1999, 2000):
        at = steps = 0
        while at < len(program):
            code, yes, no = op(program, at)
            at += yes if holds(program, at, code, Entry(sport=port)) else no
            steps += 1
        assert steps <= 22
    assert [port for port in range(2002) if run(program, Entry(sport=port))] == [
        port for port, _ in wanted
    ]


def test_a_program_that_does_not_fit_an_attribute_is_none() -> None:
    longest = bc.LONGEST // 8
    assert assemble(both([bc.device(1)] * longest)) is not None
    assert assemble(both([bc.device(1)] * (longest + 1))) is None


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        (
            bc.ports(True, [(1000, 2000)]),
            "02 08 14 00 00 00 e8 03  03 08 0c 00 00 00 d0 07",
        ),
        (
            either([bc.ports(True, [(443, 443)]), bc.host(8, INET, b"\xff\xff\xff\xff", 8)]),
            "070c100000000000bb010000 01041400 081014000208 0000ffffffff ffffffff",
        ),
    ],
)
@pytest.mark.skipif(struct.pack("=H", 1) == b"\0\1", reason="written for little-endian hosts")
def test_the_bytes_are_those_of_ss(piece: Piece, expected: str) -> None:
    assert assemble(piece) == bytes.fromhex(expected)
