"""The counters of /proc/net/snmp, netstat and snmp6 as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.errors import ParseError
from sockql.network.snmp import parse_list, parse_pairs

Parser = Callable[[bytes, str], Iterator[tuple[str, str, int]]]

words = st.text("ABCxyz019", min_size=1, max_size=12)
protocols = st.text("AbcZ", min_size=1, max_size=8)
values = st.integers(-1, 2**64 - 1)


def test_a_line_of_names_and_a_line_of_values_are_counters() -> None:
    data = b"Ip: Forwarding DefaultTTL\nIp: 2 64\nTcp: RtoMin MaxConn\nTcp: 200 -1\n"
    assert list(parse_pairs(data, "snmp")) == [
        ("Ip", "Forwarding", 2),
        ("Ip", "DefaultTTL", 64),
        ("Tcp", "RtoMin", 200),
        ("Tcp", "MaxConn", -1),
    ]


def test_the_protocol_of_a_listed_counter_ends_in_6_or_is_sctp() -> None:
    data = (
        b"Ip6InReceives          \t5\nIcmp6OutType133\t7\nUdpLite6InErrors\t0\nSctpCurrEstab\t1\n"
    )
    assert list(parse_list(data, "snmp6")) == [
        ("Ip6", "InReceives", 5),
        ("Icmp6", "OutType133", 7),
        ("UdpLite6", "InErrors", 0),
        ("Sctp", "CurrEstab", 1),
    ]


def test_an_empty_file_has_no_counters() -> None:
    assert list(parse_pairs(b"", "snmp")) == list(parse_list(b"", "snmp6")) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Ip: A B\nIp: 1\n", "snmp: Ip: 2 names, 1 values"),
        (b"Ip: A\nTcp: 1\n", "snmp: 'Ip: A' and 'Tcp: 1': no pair of lines"),
        (b"Ip: A\nIp: x\n", "snmp: Ip: A: 'x' is no number"),
        (b"Ip: A\nIp: \xd9\xa1\n", "snmp: b'Ip: A\\nIp: \\xd9\\xa1\\n': not ASCII"),
        (b"Ip: A\nIp: 1", "snmp: 'Ip: A\\nIp: 1': no end of line"),
        (b"Ip: A\n", "snmp: 'Ip: A': names without values"),
        (b"Ip: A  B\nIp: 1 2 3\n", "snmp: 'Ip: A  B': a counter without a name"),
        (b"\n\n", "snmp: '' and '': no pair of lines"),
    ],
)
def test_what_is_no_pair_of_lines_is_quoted(data: bytes, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        list(parse_pairs(data, "snmp"))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Ip6InReceives\n", "snmp6: 'Ip6InReceives': expected a name and a value"),
        (b"Ip6InReceives 1 2\n", "snmp6: 'Ip6InReceives 1 2': expected a name and a value"),
        (b"InReceives 1\n", "snmp6: 'InReceives 1': no name of a counter"),
        (b"Ip6 1\n", "snmp6: 'Ip6 1': no name of a counter"),
        (b"Ip6InReceives -\n", "snmp6: Ip6InReceives: '-' is no number"),
    ],
)
def test_what_is_no_name_and_value_is_quoted(data: bytes, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        list(parse_list(data, "snmp6"))
    assert str(caught.value) == message


@given(st.lists(st.tuples(protocols, st.lists(st.tuples(words, values), min_size=1))))
def test_counters_written_as_the_kernel_does_are_read_back(
    groups: list[tuple[str, list[tuple[str, int]]]],
) -> None:
    text = ""
    for protocol, counters in groups:
        text += f"{protocol}: {' '.join(name for name, _ in counters)}\n"
        text += f"{protocol}: {' '.join(str(value) for _, value in counters)}\n"
    assert list(parse_pairs(text.encode(), "snmp")) == [
        (protocol, name, value) for protocol, counters in groups for name, value in counters
    ]


@given(st.lists(st.tuples(st.sampled_from(["Ip6", "Icmp6", "Udp6", "Sctp"]), words, values)))
def test_listed_counters_written_as_the_kernel_does_are_read_back(
    counters: list[tuple[str, str, int]],
) -> None:
    text = "".join(f"{protocol + name:<32}\t{value}\n" for protocol, name, value in counters)
    assert list(parse_list(text.encode(), "snmp6")) == counters


@pytest.mark.parametrize("parse", [parse_pairs, parse_list])
@given(data=st.binary() | st.text("Ip6: \n-1\t", max_size=80).map(str.encode))
def test_any_bytes_are_counters_or_an_error(parse: Parser, data: bytes) -> None:
    try:
        found = list(parse(data, "snmp"))
    except ParseError:
        return
    assert all(protocol and name and isinstance(value, int) for protocol, name, value in found)
