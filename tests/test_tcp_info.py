"""Columns from the attributes of TCP and MPTCP sockets, out of messages made by hand."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.diag.mptcp_info import MptcpInfo
from sockql.diag.tcp_info import TcpInfo
from sockql.errors import ParseError
from sockql.schema import Column
from sockql.sockets.tcp_details import TcpDetails
from tests.fakeproc import Link, proc_tree
from tests.sockmessages import GETSOCK, Inet, Scripted, answering, ask, attribute, in_one

INFO, VEGAS, DCTCP, BBR, MD5, ULP = 2, 3, 9, 16, 18, 19
#: struct tcp_info of Linux 6.18: each field by the place where it ends, as kernels grew.
LAYOUT = (
    "state:B ca_state:B tcp_retransmits:B probes:B backoff:B options:B wscales:B flags:B rto:I ato:I "
    "snd_mss:I rcv_mss:I unacked:I sacked:I lost:I retrans:I fackets:I last_data_sent:I "
    "last_ack_sent:I last_data_recv:I last_ack_recv:I pmtu:I rcv_ssthresh:I rtt:I rttvar:I "
    "snd_ssthresh:I snd_cwnd:I advmss:I reordering:I rcv_rtt:I rcv_space:I total_retrans:I "
    "pacing_rate:Q max_pacing_rate:Q bytes_acked:Q bytes_received:Q segs_out:I segs_in:I "
    "notsent_bytes:I min_rtt:I data_segs_in:I data_segs_out:I delivery_rate:Q busy_time:Q "
    "rwnd_limited:Q sndbuf_limited:Q delivered:I delivered_ce:I bytes_sent:Q bytes_retrans:Q "
    "dsack_dups:I reord_seen:I rcv_ooopack:I snd_wnd:I rcv_wnd:I rehash:I total_rto:H "
    "total_rto_recoveries:H total_rto_time:I received_ce:I delivered_e1_bytes:I "
    "delivered_e0_bytes:I delivered_ce_bytes:I received_e1_bytes:I received_e0_bytes:I "
    "received_ce_bytes:I"
)
NAMES = [word.partition(":")[0] for word in LAYOUT.split()]
FORMAT = "=" + "".join(word.partition(":")[2] for word in LAYOUT.split())
COLUMNS = [name for name, column in vars(TcpInfo).items() if isinstance(column, Column)]
PLAIN = [name for name in NAMES if name not in ("state", "ca_state", "options", "wscales", "flags")]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Any]:
    made: list[Scripted] = []
    proc = proc_tree({"self/ns/net": Link("net:[4026531840]")}, tmp_path)

    def make(*rows: bytes, key: tuple[int, int] = (0, 6)) -> Scripted:
        made.append(Scripted(answering({key: in_one(rows)}), proc))
        return made[-1]

    yield make
    for host in made:
        host.close()


def tcp(host: Scripted, columns: str) -> list[tuple[Any, ...]]:
    return ask(host, columns, ("protocol", "=", "tcp"))


def info(**fields: int) -> bytes:
    """struct tcp_info, each field another number."""
    values = [fields.get(name, 3 + index) for index, name in enumerate(NAMES)]
    return struct.pack(FORMAT, *values)


def row(*attributes: bytes, state: int = 1, **more: Any) -> bytes:
    return Inet(state=state, attributes=b"".join(attributes), **more).pack(GETSOCK)


def test_every_field_is_at_its_place(hosts: Any) -> None:
    (cells,) = tcp(hosts(row(attribute(INFO, info()))), " ".join(PLAIN))
    assert dict(zip(PLAIN, cells)) == {
        name: 3 + index for index, name in enumerate(NAMES) if name in PLAIN
    }


def test_bit_fields_and_numbers_are_words(hosts: Any) -> None:
    raw = info(ca_state=2, options=0b1100_0111, wscales=0x97, flags=0b101)
    columns = "ca_state options snd_wscale rcv_wscale app_limited fastopen_client_fail"
    assert tcp(hosts(row(attribute(INFO, raw))), columns) == [
        ("CWR", "timestamps,sack,wscale,usec_ts,tfo_child", 7, 9, 1, "data_not_acked")
    ]
    raw = info(ca_state=9, options=0, wscales=0x97, flags=0)
    assert tcp(hosts(row(attribute(INFO, raw))), columns) == [(None, None, None, None, 0, None)]


def test_what_stands_for_nothing_is_null(hosts: Any) -> None:
    full = 2**64 - 1
    raw = info(
        last_ack_sent=0, snd_ssthresh=0x7FFFFFFF, min_rtt=2**32 - 1, rtt=0,
        pacing_rate=full, max_pacing_rate=full,
    )  # fmt: skip
    columns = "last_ack_sent snd_ssthresh min_rtt pacing_rate max_pacing_rate send_rate"
    assert tcp(hosts(row(attribute(INFO, raw))), columns) == [(None,) * 6]


def test_the_rate_is_the_one_of_ss(hosts: Any) -> None:
    raw = info(snd_cwnd=10, snd_mss=1460, rtt=20_000)
    vegas = attribute(VEGAS, struct.pack("=4I", 1, 3, 10_000, 9_000))
    unused = attribute(VEGAS, struct.pack("=4I", 0, 3, 10_000, 9_000))
    none = attribute(VEGAS, struct.pack("=4I", 1, 0, 0x7FFFFFFF, 0x7FFFFFFF))
    rows = [
        row(attribute(INFO, raw), more, cookie=n)
        for n, more in enumerate((b"", vegas, unused, none))
    ]
    assert tcp(hosts(*rows), "send_rate") == [(730_000,), (1_460_000,), (730_000,), (730_000,)]


def test_a_listener_has_what_is_not_of_a_connection(hosts: Any) -> None:
    given = {"snd_cwnd", "reordering", "pacing_rate", "max_pacing_rate"}
    (cells,) = tcp(hosts(row(attribute(INFO, info()), state=10)), " ".join(COLUMNS))
    assert {name for name, cell in zip(COLUMNS, cells) if cell is not None} == given


def test_its_queues_are_not_those_of_a_connection(hosts: Any) -> None:
    raw = attribute(INFO, info(unacked=2, sacked=7))
    columns = "unacked sacked accept_queue backlog"
    rows = [row(raw, state=10, rqueue=2, wqueue=7), row(raw, cookie=8)]
    assert tcp(hosts(*rows), columns) == [(None, None, 2, 7), (2, 7, None, None)]


@pytest.mark.parametrize(
    ("length", "there", "missing"),
    [
        (104, "total_retrans", "pacing_rate"),
        (136, "bytes_received", "segs_out"),
        (160, "data_segs_out", "delivery_rate"),
        (192, "sndbuf_limited", "delivered"),
        (224, "reord_seen", "rcv_ooopack"),
        (232, "snd_wnd", "rcv_wnd"),
        (248, "total_rto_time", "received_ce"),
        (251, "total_rto_time", "received_ce"),
        (3, "tcp_retransmits", "probes"),
    ],
)
def test_an_older_kernel_sends_less(hosts: Any, length: int, there: str, missing: str) -> None:
    (cells,) = tcp(hosts(row(attribute(INFO, info()[:length]))), f"{there} {missing}")
    assert cells == (3 + NAMES.index(there), None)


def test_a_newer_kernel_sends_more(hosts: Any) -> None:
    raw = attribute(INFO, info() + bytes(100))
    assert tcp(hosts(row(raw)), "rtt received_ce_bytes") == [
        (3 + NAMES.index("rtt"), 3 + NAMES.index("received_ce_bytes"))
    ]


def test_sockets_without_the_struct_have_none_of_it(hosts: Any) -> None:
    rows = [
        row(state=6, cookie=1, inode=0),
        row(attribute(8, b"\0"), cookie=2),
        row(attribute(INFO, b""), cookie=3),
    ]
    everything = " ".join(
        (*COLUMNS, *(n for n, c in vars(TcpDetails).items() if isinstance(c, Column)))
    )
    assert {cell for cells in tcp(hosts(*rows), everything) for cell in cells} == {None}


def test_attributes_of_different_sockets_are_not_mixed_up(hosts: Any) -> None:
    rows = [
        row(attribute(8, b"\0"), attribute(INFO, info(rtt=1)), cookie=1),
        row(attribute(15, b"mark"), attribute(INFO, info(rtt=2)), cookie=2),
        row(attribute(INFO, info(rtt=3)), attribute(4, b"abc\0"), cookie=3),
        row(attribute(15, b"mark"), attribute(INFO, info(rtt=4)), cookie=4),
    ]
    assert tcp(hosts(*rows), "cookie rtt congestion mark") == [
        (1, 1, None, None),
        (2, 2, None, int.from_bytes(b"mark", "little")),
        (3, 3, "abc", None),
        (4, 4, None, int.from_bytes(b"mark", "little")),
    ]


def test_an_attribute_that_is_cut_is_an_error(hosts: Any) -> None:
    with pytest.raises(ParseError, match="netlink attribute at offset 8: length 284"):
        tcp(hosts(row(attribute(8, b"\0"), struct.pack("=HH", 284, INFO), b"cut!")), "rtt")


# -- congestion controls ------------------------------------------------------------------------


def test_congestion_controls_tell_what_they_have(hosts: Any) -> None:
    bbr = struct.pack("=5I", 7, 1, 900, 739, 512)
    dctcp = struct.pack("=HHIII", 1, 0, 1024, 11, 12)
    vegas = struct.pack("=4I", 1, 3, 10_000, 0x7FFFFFFF)
    rows = [
        row(attribute(BBR, bbr), cookie=1),
        row(attribute(DCTCP, dctcp), cookie=2),
        row(attribute(VEGAS, vegas), cookie=3),
        row(attribute(BBR, bbr[:10]), cookie=4),
    ]
    columns = (
        "bbr_bw bbr_min_rtt bbr_pacing_gain bbr_cwnd_gain dctcp_enabled dctcp_ce_state dctcp_alpha "
        "dctcp_ab_ecn dctcp_ab_tot vegas_enabled vegas_rttcnt vegas_rtt vegas_minrtt"
    )
    assert tcp(hosts(*rows), columns) == [
        (2**32 + 7, 900, 739 / 256, 2.0, *(None,) * 9),
        (None, None, None, None, 1, 0, 1024, 11, 12, *(None,) * 4),
        (*(None,) * 9, 1, 3, 10_000, None),
        (2**32 + 7, None, None, None, *(None,) * 9),
    ]


# -- layers and signatures ----------------------------------------------------------------------


def ulp(name: bytes, number: int, *inner: bytes) -> bytes:
    return attribute(ULP, attribute(1, name) + attribute(0x8000 | number, b"".join(inner)))


def test_tls_in_the_kernel(hosts: Any) -> None:
    def half(number: int, value: int) -> bytes:
        return attribute(number, struct.pack("=H", value))

    tls = ulp(b"tls\0", 2, half(1, 0x0304), half(2, 52), half(3, 2), half(4, 3), attribute(5, b""))
    strange = ulp(b"tls\0", 2, half(1, 0x0399), half(2, 99), half(3, 9))
    columns = "ulp tls_version tls_cipher tls_tx tls_rx tls_zc_ro_tx tls_rx_no_pad"
    assert tcp(hosts(row(tls, cookie=1), row(strange, cookie=2), row(cookie=3)), columns) == [
        ("tls", "1.3", "aes-gcm-256", "sw", "hw", 1, 0),
        ("tls", None, None, None, None, 0, 0),
        (None,) * 7,
    ]


def test_a_subflow_of_mptcp(hosts: Any) -> None:
    numbers = [attribute(n, struct.pack("=I", 100 + n)) for n in (1, 2, 3, 5, 6)]
    rest = [
        attribute(4, struct.pack("=Q", 2**64 - 5)),
        attribute(7, struct.pack("=H", 107)),
        attribute(8, struct.pack("=I", 0b1_1000_0001)),
        attribute(9, b"\1"),
        attribute(10, b"\2"),
    ]
    columns = " ".join(name for name in vars(TcpDetails) if name.startswith("subflow"))
    assert tcp(hosts(row(ulp(b"mptcp\0", 3, *numbers, *rest))), f"ulp {columns}") == [
        ("mptcp", 101, 102, 103, -5, 105, 106, 107, "mcap_rem,connected,mapvalid", 1, 2)
    ]


def test_keys_are_never_shown_but_who_has_one_is(hosts: Any) -> None:
    def signature(family: int, length: int, address: bytes) -> bytes:
        key = b"secret".ljust(80, b"\0")
        return struct.pack("=BBH16s80s", family, length, 6, address, key)

    four = signature(2, 32, bytes((192, 0, 2, 7)))
    six = signature(10, 64, bytes.fromhex("20010db8") + bytes(12))
    rows = [
        row(attribute(MD5, four + six), cookie=1),
        row(attribute(MD5, four + six[:50]), cookie=2),
        row(attribute(MD5, signature(77, 1, b"")), cookie=3),
    ]
    assert tcp(hosts(*rows), "md5_peers") == [
        ("192.0.2.7/32,2001:db8::/64",),
        ("192.0.2.7/32",),
        (None,),
    ]


# -- mptcp --------------------------------------------------------------------------------------

MPTCP = [name for name, column in vars(MptcpInfo).items() if isinstance(column, Column)]


def mptcp_info() -> bytes:
    return (
        bytes((1, 2, 3, 4, 5, 6, 0, 0))
        + struct.pack("=IIQQQ", 0b11, 0xABCDEF01, 2**63 + 1, 8, 9)
        + bytes((40, 41, 1, 0))
        + struct.pack("=IQQQQ", 44, 48, 56, 64, 72)
        + bytes((80, 81, 82, 0))
        + struct.pack("=III", 84, 88, 92)
    )


def test_every_field_of_mptcp(hosts: Any) -> None:
    raw = mptcp_info()
    assert len(raw) == 96
    listener = Inet(state=10, cookie=8, attributes=attribute(INFO, raw)).pack()
    host = hosts(Inet(attributes=attribute(INFO, raw)).pack(), listener, key=(2, 0))
    cells, none = ask(host, " ".join(MPTCP), ("protocol", "=", "mptcp"), ("family", "=", "inet"))
    assert none == (None,) * len(MPTCP)
    assert dict(zip(MPTCP, cells)) == {
        "mptcp_subflows": 1,
        "mptcp_add_addr_signal": 2,
        "mptcp_add_addr_accepted": 3,
        "mptcp_subflows_max": 4,
        "mptcp_add_addr_signal_max": 5,
        "mptcp_add_addr_accepted_max": 6,
        "mptcp_flags": "fallback,remote_key_received",
        "mptcp_token": 0xABCDEF01,
        "mptcp_write_seq": 1 - 2**63,
        "mptcp_snd_una": 8,
        "mptcp_rcv_nxt": 9,
        "mptcp_local_addr_used": 40,
        "mptcp_local_addr_max": 41,
        "mptcp_csum_enabled": 1,
        "mptcp_retransmits": 44,
        "mptcp_bytes_retrans": 48,
        "mptcp_bytes_sent": 56,
        "mptcp_bytes_received": 64,
        "mptcp_bytes_acked": 72,
        "mptcp_subflows_total": 80,
        "mptcp_endp_laminar_max": 81,
        "mptcp_endp_fullmesh_max": 82,
        "mptcp_last_data_sent": 84,
        "mptcp_last_data_recv": 88,
        "mptcp_last_ack_recv": 92,
    }


def test_the_struct_of_one_protocol_is_not_read_as_that_of_the_other(hosts: Any) -> None:
    host = hosts(Inet(attributes=attribute(INFO, info())).pack(), key=(2, 0))
    conditions = ("protocol", "=", "mptcp"), ("family", "=", "inet")
    assert ask(host, "rtt snd_cwnd", *conditions) == [(None, None)]
    assert tcp(hosts(row(attribute(INFO, mptcp_info()))), "mptcp_token") == [(None,)]
