"""The table multicast_groups on copies of /proc/net."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.engine import Engine
from sockql.errors import DataError, ParseError
from sockql.host import Host
from sockql.tables.multicast_groups import dev_mcast, igmp, igmp6

IGMP = (
    b"Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
    b"1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n"
    b"12\tw\xe9re 0    :     2      V3\n"
    b"\t\t\t\tFB0000E0     3 1:0000001F\t\t1\n\t\t\t\t010000E0     1 0:00000000\t\t0\n"
)
IGMP6 = (
    b"1    lo              ff020000000000000000000000000001     1 0000000C 0\n"
    b"12   wire0           ff0200000000000000000001ff000002     2 00000004 0\n"
)
DEV_MCAST = b"12   wire0           1     0     333300000001\n12   wire0           2     1     01005e000001\n"
EVERY = {"igmp": IGMP, "igmp6": IGMP6, "dev_mcast": DEV_MCAST}
Make = Callable[[dict[str, bytes]], Engine]
Parser = Callable[[list[bytes]], Iterator[tuple[int, str, str, int, "int | None"]]]
QUERY = """
    select netns, interface, ifindex, family, group_address, users, static_address
    from multicast_groups
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[dict[str, bytes]], Engine]]:
    engines: list[Engine] = []

    def made(files: dict[str, bytes]) -> Engine:
        net = tmp_path / "self" / "net"
        net.mkdir(parents=True)
        for name, data in files.items():
            (net / name).write_bytes(data)
        engines.append(Engine(Host(str(tmp_path))))
        return engines[0]

    yield made
    for engine in engines:
        engine.close()


little = pytest.mark.skipif(
    sys.byteorder != "little", reason="igmp is in the byte order of the host"
)


@little
def test_groups_of_all_families_are_rows(make: Make) -> None:
    assert make(EVERY).query(QUERY) == [
        (None, "lo", 1, "inet", "224.0.0.1", 1, None),
        (None, "w\\xe9re 0", 12, "inet", "224.0.0.251", 3, None),
        (None, "w\\xe9re 0", 12, "inet", "224.0.0.1", 1, None),
        (None, "lo", 1, "inet6", "ff02::1", 1, None),
        (None, "wire0", 12, "inet6", "ff02::1:ff00:2", 2, None),
        (None, "wire0", 12, "packet", "33:33:00:00:00:01", 1, 0),
        (None, "wire0", 12, "packet", "01:00:5e:00:00:01", 2, 1),
    ]


def test_only_the_file_of_the_family_is_read(make: Make) -> None:
    plan = make(EVERY).plan(f"{QUERY} where family in ('inet6', 'nonsense')")
    (table,) = plan.tables
    assert table.requests == ["/proc/net/igmp6"]
    assert table.rows == plan.rows == 2


def test_a_kernel_without_multicast_has_no_rows(make: Make) -> None:
    assert make({}).query(QUERY) == []


def test_a_file_that_cannot_be_read_is_an_error(make: Make, tmp_path: Path) -> None:
    engine = make({})
    (tmp_path / "self" / "net" / "igmp").mkdir()
    with pytest.raises(DataError) as caught:
        engine.query(QUERY)
    assert str(caught.value) == f"{tmp_path}/self/net/igmp: Is a directory"


@pytest.mark.parametrize(
    ("parse", "line"),
    [
        (igmp, b"\t\t\t\t010000E0     1 0:00000000\t\t0"),  # before any interface
        (igmp, b"1\tlo              1      V3"),
        (igmp, b""),
        (igmp6, b"1    lo              ff02     1 0000000C 0"),
        (igmp6, b"x    lo              ff020000000000000000000000000001     1 0000000C 0"),
        (dev_mcast, b"2    wire0           1     0     33330000000"),
        (dev_mcast, b"2    wire0           1     0"),
    ],
)
def test_a_line_that_is_laid_out_otherwise_is_quoted(parse: Parser, line: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        list(parse([b"Idx", line] if parse is igmp else [line]))
    assert str(caught.value) == f"/proc/net/{parse.__name__}: {line!r}"


@pytest.mark.parametrize("parse", [igmp, igmp6, dev_mcast])
@given(data=st.binary() | st.text("0123 \t\nabcdefF:", max_size=200).map(str.encode))
def test_any_bytes_are_groups_or_an_error(parse: Parser, data: bytes) -> None:
    with suppress(ParseError):
        assert all(name is not None for _, name, _, _, _ in parse(data.split(b"\n")))
