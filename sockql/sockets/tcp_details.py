"""Columns of ``sockets`` about congestion controls, layers over TCP, and signatures.

Source: include/uapi/linux/inet_diag.h, tls.h and mptcp.h; tcp_diag_get_aux() in
net/ipv4/tcp_diag.c, subflow_get_info() in net/mptcp/diag.c.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from struct import Struct

from sockql.diag.netlink import attributes
from sockql.schema import integer, real, text
from sockql.sockets.cells import attribute, half, word
from sockql.sockets.record import EXT_INFO, EXT_VEGASINFO, NEEDS_ATTRIBUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.schema import Column, Getter
    from sockql.sockets.record import SocketRecord

_VEGASINFO: Final = 3
_DCTCPINFO: Final = 9
_BBRINFO: Final = 16
_MD5SIG: Final = 18
_ULP_INFO: Final = 19
# Attributes in INET_DIAG_ULP_INFO.
_ULP_NAME: Final = 1
_ULP_TLS: Final = 2
_ULP_MPTCP: Final = 3

_CONGESTION: Final = NEEDS_ATTRIBUTES | EXT_VEGASINFO
_INFO: Final = NEEDS_ATTRIBUTES | EXT_INFO
_NO_RTT: Final = 0x7FFFFFFF
_FORMATS: Final = {1: Struct("=B"), 2: Struct("=H"), 4: Struct("=I"), 8: Struct("=q")}
# struct tcp_diag_md5sig: family, prefixlen, keylen, addr[16], and the key, which is left alone.
_MD5: Final = Struct("=BBxx16s")
_MD5_SIZE: Final = 100

_TLS_VERSIONS: Final = {0x0303: "1.2", 0x0304: "1.3"}
_TLS_CIPHERS: Final = {
    51: "aes-gcm-128",
    52: "aes-gcm-256",
    53: "aes-ccm-128",
    54: "chacha20-poly1305",
    55: "sm4-gcm",
    56: "sm4-ccm",
    57: "aria-gcm-128",
    58: "aria-gcm-256",
}
_TLS_CONFIGURATIONS: Final = {1: "none", 2: "sw", 3: "hw", 4: "hw-record"}
_SUBFLOW_FLAGS: Final = (
    *("mcap_rem", "mcap_loc", "join_rem", "join_loc", "bkup_rem", "bkup_loc"),
    *("fully_established", "connected", "mapvalid"),
)


def _vegas(index: int) -> Getter:
    get = word(_VEGASINFO, index)

    def known(r: SocketRecord) -> int | None:
        value = get(r)
        return value if isinstance(value, int) and value != _NO_RTT else None

    return known


def vegas_rtt(r: SocketRecord) -> int | None:
    """The round-trip time as Vegas has it, when it is in use and has one."""
    enabled, rtt = _vegas(0)(r), _vegas(2)(r)
    return rtt if enabled and isinstance(rtt, int) else None


def _bbr_bw(r: SocketRecord) -> int | None:
    low, high = word(_BBRINFO, 0)(r), word(_BBRINFO, 1)(r)
    if not isinstance(low, int) or not isinstance(high, int) or high >> 31:
        return None
    return high << 32 | low


def _bbr_gain(index: int) -> Getter:
    get = word(_BBRINFO, index)

    def gain(r: SocketRecord) -> float | None:
        value = get(r)
        return value / 256 if isinstance(value, int) else None

    return gain


def _dctcp(index: int) -> Getter:
    return half(_DCTCPINFO, 2 * index) if index < 2 else word(_DCTCPINFO, index - 1)


def _ulp(r: SocketRecord) -> dict[int, bytes]:
    raw = attribute(r, _ULP_INFO)
    return attributes(raw) if raw else {}


def _ulp_name(r: SocketRecord) -> str | None:
    raw = _ulp(r).get(_ULP_NAME)
    if raw is None:
        return None
    return raw.partition(b"\0")[0].decode("utf-8", "backslashreplace") or None


def _inner(nest: int, number: int) -> Getter:
    """A number in what a layer tells, of whatever length it is."""

    def get(r: SocketRecord) -> int | None:
        raw = _ulp(r).get(nest)
        payload = attributes(raw).get(number) if raw else None
        if payload is None or len(payload) not in _FORMATS:
            return None
        return _FORMATS[len(payload)].unpack(payload)[0]  # type: ignore[no-any-return]

    return get


def _inner_name(number: int, names: dict[int, str]) -> Getter:
    get = _inner(_ULP_TLS, number)

    def name(r: SocketRecord) -> str | None:
        value = get(r)
        return names.get(value) if isinstance(value, int) else None

    return name


def _inner_flag(number: int) -> Getter:
    def get(r: SocketRecord) -> int | None:
        raw = _ulp(r).get(_ULP_TLS)
        return None if raw is None else int(number in attributes(raw))

    return get


def _subflow_flags(r: SocketRecord) -> str | None:
    value = _inner(_ULP_MPTCP, 8)(r)
    if not isinstance(value, int):
        return None
    return ",".join([name for bit, name in enumerate(_SUBFLOW_FLAGS) if value >> bit & 1]) or None


def _md5_peers(r: SocketRecord) -> str | None:
    raw = attribute(r, _MD5SIG) or b""
    peers = []
    for offset in range(0, len(raw) - _MD5_SIZE + 1, _MD5_SIZE):
        family, length, address = _MD5.unpack_from(raw, offset)
        if family in (AF_INET, AF_INET6):
            size = 4 if family == AF_INET else 16
            peers.append(f"{inet_ntop(family, address[:size])}/{length}")
    return ",".join(peers) or None


def _cell(algorithm: str, name: str, doc: str, get: Getter, unit: str | None = None) -> Column:
    """A cell that only one congestion control fills."""
    return integer(
        f"{doc}; NULL unless the congestion control is {algorithm}.",
        source=name,
        unit=unit,
        get=get,
        needs=_CONGESTION,
        hidden=True,
    )


def _tls(name: str, doc: str, number: int, names: dict[int, str]) -> Column:
    return text(
        f"{doc}; NULL for sockets without TLS in the kernel.",
        source=name,
        get=_inner_name(number, names),
        values=tuple(names.values()),
        needs=_INFO,
        hidden=True,
    )


def _subflow(number: int, doc: str, name: str, *, privileged: bool = False) -> Column:
    null = "without CAP_NET_ADMIN, and " if privileged else ""
    return integer(
        f"{doc}; NULL {null}for sockets that carry no MPTCP connection.",
        source=f"MPTCP_SUBFLOW_ATTR_{name}",
        get=_inner(_ULP_MPTCP, number),
        needs=_INFO,
        hidden=True,
    )


class TcpDetails:
    """Columns that some TCP sockets fill."""

    vegas_enabled = _cell("vegas or alike", "tcpv_enabled", "1 while it is at work", _vegas(0))
    vegas_rttcnt = _cell(
        "vegas or alike", "tcpv_rttcnt", "Round-trip times measured in this round", _vegas(1)
    )
    vegas_rtt = _cell("vegas or alike", "tcpv_rtt", "Round-trip time", _vegas(2), "microseconds")
    vegas_minrtt = _cell(
        "vegas or alike", "tcpv_minrtt", "Smallest round-trip time", _vegas(3), "microseconds"
    )
    dctcp_enabled = _cell(
        "dctcp", "dctcp_enabled", "1 when ECN is used, 0 when it fell back to reno", _dctcp(0)
    )
    dctcp_ce_state = _cell("dctcp", "dctcp_ce_state", "1 while marks are received", _dctcp(1))
    dctcp_alpha = _cell("dctcp", "dctcp_alpha", "Share of marked bytes, of 1024", _dctcp(2))
    dctcp_ab_ecn = _cell(
        "dctcp", "dctcp_ab_ecn", "Bytes acknowledged with a mark", _dctcp(3), "bytes"
    )
    dctcp_ab_tot = _cell("dctcp", "dctcp_ab_tot", "Bytes acknowledged", _dctcp(4), "bytes")
    bbr_bw = _cell("bbr", "bbr_bw_lo, bbr_bw_hi", "Bandwidth as estimated", _bbr_bw, "bytes/second")
    bbr_min_rtt = _cell(
        "bbr", "bbr_min_rtt", "Smallest round-trip time", word(_BBRINFO, 2), "microseconds"
    )
    bbr_pacing_gain = real(
        "Factor of the bandwidth for pacing; NULL unless the congestion control is bbr.",
        source="bbr_pacing_gain",
        get=_bbr_gain(3),
        needs=_CONGESTION,
        hidden=True,
    )
    bbr_cwnd_gain = real(
        "Factor for the congestion window; NULL unless the congestion control is bbr.",
        source="bbr_cwnd_gain",
        get=_bbr_gain(4),
        needs=_CONGESTION,
        hidden=True,
    )
    md5_peers = text(
        "Prefixes of the peers whose segments are signed with MD5 (TCP_MD5SIG), joined by commas, "
        "never the keys; NULL for none, and without CAP_NET_ADMIN.",
        source="INET_DIAG_MD5SIG",
        get=_md5_peers,
        needs=_INFO,
        hidden=True,
    )
    ulp = text(
        "Layer over TCP (TCP_ULP), as tls or mptcp; NULL for none.",
        source="INET_ULP_INFO_NAME",
        get=_ulp_name,
        needs=_INFO,
        hidden=True,
    )
    tls_version = _tls("TLS_INFO_VERSION", "Version of TLS", 1, _TLS_VERSIONS)
    tls_cipher = _tls("TLS_INFO_CIPHER", "Cipher of TLS", 2, _TLS_CIPHERS)
    tls_tx = _tls(
        "TLS_INFO_TXCONF", "Who encrypts: sw the kernel, hw the device", 3, _TLS_CONFIGURATIONS
    )
    tls_rx = _tls(
        "TLS_INFO_RXCONF", "Who decrypts: sw the kernel, hw the device", 4, _TLS_CONFIGURATIONS
    )
    tls_zc_ro_tx = integer(
        "1 when files are sent by TLS without a copy (TLS_TX_ZEROCOPY_RO), else 0; NULL for "
        "sockets without TLS in the kernel.",
        source="TLS_INFO_ZC_RO_TX",
        get=_inner_flag(5),
        needs=_INFO,
        hidden=True,
    )
    tls_rx_no_pad = integer(
        "1 when records without padding are expected (TLS_RX_EXPECT_NO_PAD), else 0; NULL for "
        "sockets without TLS in the kernel.",
        source="TLS_INFO_RX_NO_PAD",
        get=_inner_flag(6),
        needs=_INFO,
        hidden=True,
    )
    subflow_token_rem = _subflow(1, "Token of the peer for the MPTCP connection", "TOKEN_REM")
    subflow_token_loc = _subflow(
        2, "Own token for the MPTCP connection, as in mptcp_token of its row", "TOKEN_LOC"
    )
    subflow_relwrite_seq = _subflow(
        3, "Bytes that this subflow carried", "RELWRITE_SEQ", privileged=True
    )
    subflow_map_seq = _subflow(
        4,
        "First sequence number of the mapping, of the connection, above 2^63 - 1 as the negative "
        "number with the same 64 bits",
        "MAP_SEQ",
        privileged=True,
    )
    subflow_map_sfseq = _subflow(
        *(5, "First sequence number of the mapping, of the subflow", "MAP_SFSEQ"), privileged=True
    )
    subflow_ssn_offset = _subflow(
        6, "Sequence number with which the subflow began", "SSN_OFFSET", privileged=True
    )
    subflow_map_datalen = _subflow(7, "Bytes of the mapping", "MAP_DATALEN", privileged=True)
    subflow_flags = text(
        "What the subflow is (mcap: the first one, join: a later one, bkup: for backup; of the "
        "remote and the local end) and has reached, joined by commas; NULL for none, and for "
        "sockets that carry no MPTCP connection.",
        source="MPTCP_SUBFLOW_ATTR_FLAGS",
        get=_subflow_flags,
        needs=_INFO,
        hidden=True,
    )
    subflow_id_rem = _subflow(9, "Number of the peer's address in the connection", "ID_REM")
    subflow_id_loc = _subflow(10, "Number of the own address in the connection", "ID_LOC")
