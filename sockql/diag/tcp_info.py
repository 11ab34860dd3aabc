"""Columns of ``sockets`` from ``struct tcp_info``, and from what congestion controls tell.

A field beyond the length that the kernel sends is NULL, so older and newer kernels need no case
of their own.  The last four bytes of Linux 6.18 are left out: Linux 7.0 gave them another meaning
and nothing in the message says which it is.

Source: include/uapi/linux/tcp.h, tcp_get_info() in net/ipv4/tcp.c; tcp(7).
"""

from __future__ import annotations

import sys
from struct import Struct

from sockql.request import MAXIMUM
from sockql.schema import integer, text
from sockql.sockets.record import (
    ATTRIBUTES,
    EXT_INFO,
    EXT_VEGASINFO,
    LISTEN,
    NEEDS_ATTRIBUTES,
    ORIGIN,
    STATE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.schema import Column, Getter
    from sockql.sockets.record import SocketRecord

_INFO: Final = NEEDS_ATTRIBUTES | EXT_INFO
_OPTION_BITS: Final = (
    *("timestamps", "sack", "wscale", "ecn", "ecn_seen", "syn_data", "usec_ts", "tfo_child"),
)
_WSCALE: Final = 4
_CA_STATES: Final = ("Open", "Disorder", "CWR", "Recovery", "Loss")
_FASTOPEN: Final = (None, "cookie_unavailable", "data_not_acked", "syn_retransmitted")
_LITTLE: Final = sys.byteorder == "little"
# TCP_INFINITE_SSTHRESH of include/net/tcp.h.
_NO_SSTHRESH: Final = 0x7FFFFFFF
_U32_UNSET: Final = 0xFFFFFFFF


def cell(code: str, offset: int, *, listen: bool = False) -> Getter:
    """The number of this format at ``offset`` of the struct; of listeners only with ``listen``."""
    layout = Struct("=" + code)
    unpack, end = layout.unpack_from, offset + layout.size

    def get(r: SocketRecord) -> int | None:
        raw = r[ATTRIBUTES]
        start, length = r[ORIGIN].tcp_info(raw)
        if length < end or (r[STATE] == LISTEN and not listen):
            return None
        return unpack(raw, start + offset)[0]  # type: ignore[no-any-return]

    return get


def _known(get: Getter, unset: int) -> Getter:
    """The same with NULL for the number that stands for nothing."""

    def known(r: SocketRecord) -> object:
        value = get(r)
        return None if value == unset else value

    return known  # type: ignore[return-value]


def _rate(offset: int, *, listen: bool = False) -> Getter:
    """Bytes a second; NULL for no limit, and for what no integer of SQLite holds."""
    get = cell("Q", offset, listen=listen)

    def rate(r: SocketRecord) -> int | None:
        value = get(r)
        return value if isinstance(value, int) and value <= MAXIMUM else None

    return rate


_byte = {offset: cell("B", offset) for offset in (1, 5, 6, 7)}


def _ca_state(r: SocketRecord) -> str | None:
    value = _byte[1](r)
    return _CA_STATES[value] if isinstance(value, int) and value < len(_CA_STATES) else None


def _options(r: SocketRecord) -> str | None:
    value = _byte[5](r)
    if not isinstance(value, int):
        return None
    return ",".join([name for bit, name in enumerate(_OPTION_BITS) if value >> bit & 1]) or None


def _wscale(high: bool) -> Getter:
    # Bit fields begin at the other end on big-endian hosts.
    shift = 4 if high == _LITTLE else 0

    def get(r: SocketRecord) -> int | None:
        options, scales = _byte[5](r), _byte[6](r)
        if not isinstance(options, int) or not isinstance(scales, int) or not options & _WSCALE:
            return None
        return scales >> shift & 15

    return get


def _app_limited(r: SocketRecord) -> int | None:
    value = _byte[7](r)
    return value >> (0 if _LITTLE else 7) & 1 if isinstance(value, int) else None


def _fastopen_client_fail(r: SocketRecord) -> str | None:
    value = _byte[7](r)
    return _FASTOPEN[value >> (1 if _LITTLE else 5) & 3] if isinstance(value, int) else None


def _send_rate(r: SocketRecord) -> int | None:
    mss, cwnd, rtt = _snd_mss(r), _snd_cwnd(r), _rtt(r)
    if r[ORIGIN].tcp_info(r[ATTRIBUTES])[1]:
        from sockql.sockets.tcp_details import vegas_rtt

        rtt = vegas_rtt(r) or rtt
    if not isinstance(mss, int) or not isinstance(cwnd, int) or not isinstance(rtt, int):
        return None
    if not (mss and cwnd and rtt):
        return None
    # ss shows whole bits a second, rounded.
    bits = (cwnd * mss * 16_000_000 + rtt) // (2 * rtt)
    return bits // 8


_snd_mss = cell("I", 16)
_snd_cwnd = cell("I", 80)
_rtt = cell("I", 68)


def _field(name: str, doc: str, get: Getter, unit: str | None = None, *, null: str = "") -> Column:
    """A number of struct tcp_info; ``null`` says when else it is NULL."""
    return integer(
        f"{doc}; NULL {null}for what is no TCP connection.",
        source=f"tcpi_{name}",
        unit=unit,
        get=get,
        needs=_INFO,
        hidden=True,
    )


class TcpInfo:
    """Columns of TCP connections."""

    ca_state = text(
        "State of congestion control; NULL for what is no TCP connection.",
        source="tcpi_ca_state",
        get=_ca_state,
        values=_CA_STATES,
        needs=_INFO,
        hidden=True,
    )
    tcp_retransmits = _field(
        *("retransmits", "Timeouts since the last acknowledgement, each with a retransmission"),
        cell("B", 2),
    )
    probes = _field("probes", "Probes sent that were not answered", cell("B", 3), "segments")
    backoff = _field("backoff", "How often the timeout was doubled", cell("B", 4))
    options = text(
        "What both ends agreed on, of timestamps, sack, wscale, ecn, ecn_seen, syn_data, usec_ts "
        "and tfo_child, joined by commas; NULL for none, and for what is no TCP connection.",
        source="tcpi_options",
        get=_options,
        needs=_INFO,
        hidden=True,
    )
    snd_wscale = _field(
        *("snd_wscale", "Shift of the windows that the peer announces", _wscale(high=False)),
        null="unless agreed on, ",
    )
    rcv_wscale = _field(
        *("rcv_wscale", "Shift of the windows that are announced to the peer", _wscale(high=True)),
        null="unless agreed on, ",
    )
    app_limited = _field(
        *("delivery_rate_app_limited", "1 when delivery_rate was limited by the program, else 0"),
        _app_limited,
    )
    fastopen_client_fail = text(
        "Why TCP Fast Open was not used by the client; NULL when nothing failed, and for what is "
        "no TCP connection.",
        source="tcpi_fastopen_client_fail",
        get=_fastopen_client_fail,
        values=_FASTOPEN[1:],
        needs=_INFO,
        hidden=True,
    )
    rto = _field("rto", "Timeout of retransmissions", cell("I", 8), "microseconds")
    ato = _field("ato", "Timeout of delayed acknowledgements", cell("I", 12), "microseconds")
    snd_mss = _field("snd_mss", "Largest segment that is sent", _snd_mss, "bytes")
    rcv_mss = _field("rcv_mss", "Largest segment seen, as estimated", cell("I", 20), "bytes")
    unacked = _field("unacked", "Segments sent and not acknowledged", cell("I", 24), "segments")
    sacked = _field("sacked", "Segments acknowledged out of order", cell("I", 28), "segments")
    lost = _field("lost", "Segments taken for lost", cell("I", 32), "segments")
    retrans = _field(
        "retrans", "Segments retransmitted and not acknowledged yet", cell("I", 36), "segments"
    )
    fackets = _field(
        "fackets", "Segments up to the last one acknowledged; 0 since Linux 4.15", cell("I", 40)
    )
    last_data_sent = _field(
        "last_data_sent", "Time since data was sent", cell("I", 44), "milliseconds"
    )
    last_ack_sent = _field(
        *("last_ack_sent", "Time since an acknowledgement was sent", _known(cell("I", 48), 0)),
        "milliseconds",
        null="as long as no kernel remembers it, ",
    )
    last_data_recv = _field(
        "last_data_recv", "Time since data was received", cell("I", 52), "milliseconds"
    )
    last_ack_recv = _field(
        "last_ack_recv", "Time since an acknowledgement was received", cell("I", 56), "milliseconds"
    )
    pmtu = _field("pmtu", "Largest packet for the path to the peer", cell("I", 60), "bytes")
    rcv_ssthresh = _field(
        "rcv_ssthresh", "Limit of the window that is announced", cell("I", 64), "bytes"
    )
    rtt = _field("rtt", "Smoothed round-trip time", _rtt, "microseconds")
    rttvar = _field("rttvar", "Deviation of the round-trip time", cell("I", 72), "microseconds")
    snd_ssthresh = _field(
        *("snd_ssthresh", "Slow start threshold", _known(cell("I", 76), _NO_SSTHRESH), "segments"),
        null="while there is none, ",
    )
    snd_cwnd = integer(
        "Congestion window; NULL for other protocols and for closed sockets.",
        source="tcpi_snd_cwnd",
        unit="segments",
        get=cell("I", 80, listen=True),
        needs=_INFO,
        hidden=True,
    )
    advmss = _field("advmss", "Largest segment that the peer was told of", cell("I", 84), "bytes")
    reordering = integer(
        "How far segments may come out of order before one is taken for lost; NULL for other "
        "protocols and for closed sockets.",
        source="tcpi_reordering",
        unit="segments",
        get=cell("I", 88, listen=True),
        needs=_INFO,
        hidden=True,
    )
    rcv_rtt = _field(
        *("rcv_rtt", "Round-trip time as the receiver estimates it; 0 without an estimate"),
        cell("I", 92),
        "microseconds",
    )
    rcv_space = _field(
        "rcv_space", "What the program reads in a round-trip time", cell("I", 96), "bytes"
    )
    total_retrans = _field(
        "total_retrans", "Segments retransmitted so far", cell("I", 100), "segments"
    )
    pacing_rate = integer(
        "Rate at which segments are spread; NULL when nothing spreads them, for other protocols "
        "and for closed sockets.",
        source="tcpi_pacing_rate",
        unit="bytes/second",
        get=_rate(104, listen=True),
        needs=_INFO,
        hidden=True,
    )
    max_pacing_rate = integer(
        "Limit of that rate (SO_MAX_PACING_RATE); NULL for none, for other protocols and for "
        "closed sockets.",
        source="tcpi_max_pacing_rate",
        unit="bytes/second",
        get=_rate(112, listen=True),
        needs=_INFO,
        hidden=True,
    )
    bytes_acked = _field("bytes_acked", "Bytes sent and acknowledged", _rate(120), "bytes")
    bytes_received = _field("bytes_received", "Bytes received in order", _rate(128), "bytes")
    segs_out = _field("segs_out", "Segments sent", cell("I", 136), "segments")
    segs_in = _field("segs_in", "Segments received", cell("I", 140), "segments")
    notsent_bytes = _field(
        "notsent_bytes", "Bytes in the queue that were never sent", cell("I", 144), "bytes"
    )
    min_rtt = _field(
        *("min_rtt", "Smallest round-trip time of late", _known(cell("I", 148), _U32_UNSET)),
        "microseconds",
        null="before the first, ",
    )
    data_segs_in = _field("data_segs_in", "Segments with data received", cell("I", 152), "segments")
    data_segs_out = _field("data_segs_out", "Segments with data sent", cell("I", 156), "segments")
    delivery_rate = _field(
        "delivery_rate", "Rate at which data arrived of late", _rate(160), "bytes/second"
    )
    busy_time = _field("busy_time", "Time with something to send", _rate(168), "microseconds")
    rwnd_limited = _field(
        "rwnd_limited", "Of it, held up by the peer's window", _rate(176), "microseconds"
    )
    sndbuf_limited = _field(
        "sndbuf_limited", "Of it, held up by the send buffer", _rate(184), "microseconds"
    )
    delivered = _field("delivered", "Segments that arrived", cell("I", 192), "segments")
    delivered_ce = _field(
        "delivered_ce", "Of them, with a congestion mark", cell("I", 196), "segments"
    )
    bytes_sent = _field("bytes_sent", "Bytes sent, repeated ones too", _rate(200), "bytes")
    bytes_retrans = _field("bytes_retrans", "Bytes retransmitted", _rate(208), "bytes")
    dsack_dups = _field("dsack_dups", "Segments the peer had already", cell("I", 216), "segments")
    reord_seen = _field("reord_seen", "How often segments came out of order", cell("I", 220))
    rcv_ooopack = _field(
        "rcv_ooopack", "Segments received out of order", cell("I", 224), "segments"
    )
    snd_wnd = _field("snd_wnd", "Window that the peer announced", cell("I", 228), "bytes")
    rcv_wnd = _field("rcv_wnd", "Window that the peer was told of", cell("I", 232), "bytes")
    rehash = _field("rehash", "How often another path was tried", cell("I", 236))
    total_rto = _field("total_rto", "Timeouts so far", cell("H", 240))
    total_rto_recoveries = _field(
        "total_rto_recoveries", "Recoveries from timeouts so far", cell("H", 242)
    )
    total_rto_time = _field(
        "total_rto_time", "Time spent in such recoveries", cell("I", 244), "milliseconds"
    )
    received_ce = _field(
        "received_ce", "Segments received with a congestion mark", cell("I", 248), "segments"
    )
    delivered_e1_bytes = _field(
        "delivered_e1_bytes", "Bytes sent that arrived as ECT(1)", cell("I", 252), "bytes"
    )
    delivered_e0_bytes = _field(
        "delivered_e0_bytes", "Bytes sent that arrived as ECT(0)", cell("I", 256), "bytes"
    )
    delivered_ce_bytes = _field(
        "delivered_ce_bytes", "Bytes sent that arrived as CE", cell("I", 260), "bytes"
    )
    received_e1_bytes = _field(
        "received_e1_bytes", "Bytes received as ECT(1)", cell("I", 264), "bytes"
    )
    received_e0_bytes = _field(
        "received_e0_bytes", "Bytes received as ECT(0)", cell("I", 268), "bytes"
    )
    received_ce_bytes = _field("received_ce_bytes", "Bytes received as CE", cell("I", 272), "bytes")
    send_rate = integer(
        "Rate that window and round-trip time allow: snd_cwnd * snd_mss / rtt, which ss shows as "
        "send; NULL before the first rtt, and for what is no TCP connection.",
        source="tcpi_snd_cwnd, tcpi_snd_mss, tcpi_rtt",
        unit="bytes/second",
        get=_send_rate,
        needs=_INFO | EXT_VEGASINFO,
        hidden=True,
    )
