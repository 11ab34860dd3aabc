"""Columns of ``sockets`` from ``struct mptcp_info``.

Source: include/uapi/linux/mptcp.h, mptcp_diag_fill_info() in net/mptcp/sockopt.c.
"""

from __future__ import annotations

from struct import Struct

from sockql.request import MAXIMUM
from sockql.schema import integer, text
from sockql.sockets.cells import flags
from sockql.sockets.record import ATTRIBUTES, EXT_INFO, LISTEN, NEEDS_ATTRIBUTES, ORIGIN, STATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.schema import Column, Getter
    from sockql.sockets.record import SocketRecord

_INFO: Final = NEEDS_ATTRIBUTES | EXT_INFO
#: MPTCP_INFO_FLAG_*.
_FLAGS: Final = ("fallback", "remote_key_received")

_SIGNED: Final = ", above 2^63 - 1 as the negative number with the same 64 bits"


def _cell(code: str, offset: int) -> Getter:
    layout = Struct("=" + code)
    unpack, end = layout.unpack_from, offset + layout.size

    def get(r: SocketRecord) -> int | None:
        raw = r[ATTRIBUTES]
        start, length = r[ORIGIN].mptcp_info(raw)
        if length < end or r[STATE] == LISTEN:
            return None
        value: int = unpack(raw, start + offset)[0]
        return value if value <= MAXIMUM else None

    return get


def _field(name: str, doc: str, code: str, offset: int, unit: str | None = None) -> Column:
    return integer(
        f"{doc}; NULL for what is no MPTCP connection, and where the kernel does not tell.",
        source=f"mptcpi_{name}",
        unit=unit,
        get=_cell(code, offset),
        needs=_INFO,
        hidden=True,
    )


class MptcpInfo:
    """Columns of MPTCP connections; their subflows are rows of TCP with the same inode."""

    mptcp_subflows = _field("subflows", "Subflows beside the first one", "B", 0)
    mptcp_subflows_total = _field("subflows_total", "All subflows", "B", 80)
    mptcp_subflows_max = _field("subflows_max", "How many subflows may be added", "B", 3)
    mptcp_add_addr_signal = _field("add_addr_signal", "Addresses told to the peer", "B", 1)
    mptcp_add_addr_signal_max = _field(
        "add_addr_signal_max", "How many addresses may be told to the peer", "B", 4
    )
    mptcp_add_addr_accepted = _field(
        "add_addr_accepted", "Addresses accepted from the peer", "B", 2
    )
    mptcp_add_addr_accepted_max = _field(
        "add_addr_accepted_max", "How many addresses may be accepted", "B", 5
    )
    mptcp_local_addr_used = _field("local_addr_used", "Own addresses in use", "B", 40)
    mptcp_local_addr_max = _field("local_addr_max", "How many own addresses may be used", "B", 41)
    mptcp_endp_laminar_max = _field("endp_laminar_max", "Limit of laminar endpoints", "B", 81)
    mptcp_endp_fullmesh_max = _field("endp_fullmesh_max", "Limit of fullmesh endpoints", "B", 82)
    mptcp_csum_enabled = _field("csum_enabled", "1 when data has checksums, else 0", "B", 42)
    mptcp_flags = text(
        "Of fallback (to TCP) and remote_key_received, what has happened, joined by commas; NULL "
        "for none, and for what is no MPTCP connection.",
        source="mptcpi_flags",
        get=flags(_cell("I", 8), _FLAGS),
        needs=_INFO,
        hidden=True,
    )
    mptcp_token = _field("token", "Token of the connection, own end", "I", 12)
    mptcp_write_seq = _field("write_seq", f"Next sequence number to be written{_SIGNED}", "q", 16)
    mptcp_snd_una = _field("snd_una", f"First sequence number not acknowledged{_SIGNED}", "q", 24)
    mptcp_rcv_nxt = _field("rcv_nxt", f"Next sequence number to be received{_SIGNED}", "q", 32)
    mptcp_retransmits = _field("retransmits", "Retransmissions by other subflows", "I", 44)
    mptcp_bytes_retrans = _field(
        "bytes_retrans", "Bytes retransmitted by other subflows", "Q", 48, "bytes"
    )
    mptcp_bytes_sent = _field("bytes_sent", "Bytes sent by the connection", "Q", 56, "bytes")
    mptcp_bytes_received = _field("bytes_received", "Bytes received by it", "Q", 64, "bytes")
    mptcp_bytes_acked = _field("bytes_acked", "Bytes of it acknowledged", "Q", 72, "bytes")
    mptcp_last_data_sent = _field(
        "last_data_sent", "Time since data was sent", "I", 84, "milliseconds"
    )
    mptcp_last_data_recv = _field(
        "last_data_recv", "Time since data was received", "I", 88, "milliseconds"
    )
    mptcp_last_ack_recv = _field(
        "last_ack_recv", "Time since an acknowledgement was received", "I", 92, "milliseconds"
    )
