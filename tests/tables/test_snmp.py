"""The table snmp on copies of /proc/net."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockql.engine import Engine
from sockql.errors import DataError, ParseError
from sockql.host import Host

FILES = {
    "snmp": b"Ip: Forwarding InReceives\nIp: 1 18446744073709551615\nTcp: MaxConn RtoMin\nTcp: -1 200\n",
    "netstat": b"TcpExt: TW ListenDrops\nTcpExt: 9223372036854775807 3\n",
    "snmp6": b"Ip6InReceives\t7\nUdp6InErrors\t0\n",
    "sctp/snmp": b"SctpCurrEstab\t2\n",
    "sockstat": b"sockets: used 22\nTCP: inuse 3 orphan 0\n",
    "sockstat6": b"TCP6: inuse 1\n",
}
QUERY = "select netns, protocol, name, value from snmp"


def engine(folder: Path, **changed: bytes | None) -> Engine:
    (folder / "self" / "ns").mkdir(parents=True)
    (folder / "self" / "ns" / "net").symlink_to("net:[4026531840]")
    for name, data in {**FILES, **changed}.items():
        if data is not None:
            path = folder / "self" / "net" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return Engine(Host(str(folder)))


def test_every_counter_of_every_file_is_a_row(tmp_path: Path) -> None:
    with engine(tmp_path) as made:
        assert made.query(QUERY) == [
            (4026531840, "Ip", "Forwarding", 1),
            (4026531840, "Ip", "InReceives", None),  # does not fit
            (4026531840, "Tcp", "MaxConn", None),  # there is no limit
            (4026531840, "Tcp", "RtoMin", 200),
            (4026531840, "TcpExt", "TW", 9223372036854775807),
            (4026531840, "TcpExt", "ListenDrops", 3),
            (4026531840, "Ip6", "InReceives", 7),
            (4026531840, "Udp6", "InErrors", 0),
            (4026531840, "Sctp", "CurrEstab", 2),
            (4026531840, "Sockstat", "sockets.used", 22),
            (4026531840, "Sockstat", "TCP.inuse", 3),
            (4026531840, "Sockstat", "TCP.orphan", 0),
            (4026531840, "Sockstat6", "TCP6.inuse", 1),
        ]


@pytest.mark.parametrize(
    ("condition", "requests", "rows"),
    [
        ("protocol = 'tcp'", ["/proc/net/snmp"], 2),
        ("protocol in ('TCPEXT', 'udp6')", ["/proc/net/netstat", "/proc/net/snmp6"], 3),
        ("protocol = 'new'", [f"/proc/net/{name}" for name in FILES], 0),
        ("netns = 4026531840 and protocol = 'SCTP'", ["/proc/net/sctp/snmp"], 1),
        ("netns = 7", [], 0),
    ],
)
def test_only_files_that_can_have_the_protocol_are_read(
    tmp_path: Path, condition: str, requests: list[str], rows: int
) -> None:
    with engine(tmp_path) as made:
        plan = made.plan(f"{QUERY} where {condition}")
    assert (plan.tables[0].requests, plan.rows) == (requests, rows)


def test_a_kernel_without_ipv6_and_sctp_is_nothing_to_speak_of(tmp_path: Path) -> None:
    with engine(tmp_path, **{"snmp6": None, "sctp/snmp": None, "sockstat6": None}) as made:
        found = made.query("select distinct protocol from snmp")
        assert found == [("Ip",), ("Sockstat",), ("Tcp",), ("TcpExt",)]
        assert made.notices == []


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with engine(tmp_path, netstat=None) as made:
        (tmp_path / "self" / "net" / "netstat").mkdir()
        assert len(made.query(QUERY)) == 11
        assert made.notices == [f"snmp: {tmp_path}/self/net/netstat: Is a directory"]


def test_when_nothing_can_be_read_it_is_an_error(tmp_path: Path) -> None:
    with engine(tmp_path, netstat=None) as made:
        (tmp_path / "self" / "net" / "netstat").mkdir()
        with pytest.raises(DataError) as caught:
            made.query(f"{QUERY} where protocol = 'TcpExt'")
    assert str(caught.value) == f"snmp: {tmp_path}/self/net/netstat: Is a directory"


def test_a_file_that_is_laid_out_otherwise_is_quoted(tmp_path: Path) -> None:
    made = engine(tmp_path, snmp=b"Ip: Forwarding\nTcp: 1\n")
    with made, pytest.raises(ParseError) as caught:
        made.query(QUERY)
    assert str(caught.value) == (
        f"{tmp_path}/self/net/snmp: 'Ip: Forwarding' and 'Tcp: 1': no pair of lines"
    )
