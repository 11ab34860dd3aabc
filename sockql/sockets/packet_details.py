"""The hidden columns of ``sockets`` that packet sockets fill.

Source: include/uapi/linux/packet_diag.h and if_packet.h; packet(7).
"""

from __future__ import annotations

from struct import Struct

from sockql.schema import blob, integer, text
from sockql.sockets.cells import attribute, flags, word
from sockql.sockets.record import (
    NEEDS_ATTRIBUTES,
    NUMBER,
    ORIGIN,
    PACKET,
    PACKET_FANOUT,
    PACKET_FILTER,
    PACKET_INFO,
    PACKET_MCLIST,
    PACKET_RING_CFG,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.schema import Column
    from sockql.sockets.record import SocketRecord

_PACKET_INFO: Final = PACKET + 0
_PACKET_FLAGS: Final = ("running", "auxdata", "origdev", "vnethdr", "loss")
_FANOUTS: Final = ("hash", "lb", "cpu", "rollover", "rnd", "qm", "cbpf", "ebpf")
# struct packet_diag_mclist: index, count, type, alen, addr[32].
_MEMBERSHIP: Final = Struct("=IIHH32s")
_MEMBERSHIPS: Final = ("multicast", "promisc", "allmulti", "unicast")


def _ethertype(r: SocketRecord) -> int | None:
    return r[NUMBER] or None if r[ORIGIN].family == "packet" else None


def _memberships(r: SocketRecord) -> str | None:
    raw = attribute(r, PACKET + 1) or b""
    found = []
    for offset in range(0, len(raw) - _MEMBERSHIP.size + 1, _MEMBERSHIP.size):
        index, _, type, length, address = _MEMBERSHIP.unpack_from(raw, offset)
        name = _MEMBERSHIPS[type] if type < len(_MEMBERSHIPS) else str(type)
        where = f"{name}@{index}"
        if name in ("multicast", "unicast"):
            where += "=" + address[:length].hex(":")
        found.append(where)
    return ",".join(found) or None


def _fanout_type(r: SocketRecord) -> str | None:
    value = word(PACKET + 4)(r)
    if not isinstance(value, int):
        return None
    type = value >> 16 & 0xFF  # above are flags
    return _FANOUTS[type] if type < len(_FANOUTS) else None


def _fanout_id(r: SocketRecord) -> int | None:
    value = word(PACKET + 4)(r)
    return value & 0xFFFF if isinstance(value, int) else None


def _filter(r: SocketRecord) -> bytes | None:
    return attribute(r, PACKET + 7) or None


def _packet(doc: str, source: str, index: int) -> Column:
    return integer(
        f"{doc}; NULL for other families.",
        source=source,
        get=word(_PACKET_INFO, index),
        needs=NEEDS_ATTRIBUTES | PACKET_INFO,
        hidden=True,
    )


def _ring(direction: str, index: int, doc: str, name: str, unit: str | None = None) -> Column:
    return integer(
        f"{doc} of the ring for {'receiving' if direction == 'rx' else 'sending'}; NULL for "
        "sockets without one, and for other families.",
        source=f"PACKET_DIAG_{direction.upper()}_RING {name}",
        unit=unit,
        get=word(PACKET + (2 if direction == "rx" else 3), index),
        needs=NEEDS_ATTRIBUTES | PACKET_RING_CFG,
        hidden=True,
    )


class PacketDetails:
    """Columns of packet sockets."""

    ethertype = integer(
        "Number of the protocol that a packet socket receives, 3 for all; NULL for none, and for "
        "other families.",
        source="pdiag_num",
        get=_ethertype,
        hidden=True,
    )
    packet_version = _packet(
        "Version of the ring buffer: 0, 1 and 2 for TPACKET_V1, V2 and V3", "pdi_version", 1
    )
    packet_reserve = _packet("Room kept before each packet", "pdi_reserve", 2)
    packet_copy_thresh = _packet(
        "How many packets that a frame cannot hold may be queued", "pdi_copy_thresh", 3
    )
    packet_tstamp = _packet("Which timestamps are wanted (SOF_TIMESTAMPING_*)", "pdi_tstamp", 4)
    packet_flags = text(
        "Of running, auxdata, origdev, vnethdr and loss, what is set, joined by commas; NULL for "
        "none, and for other families.",
        source="pdi_flags",
        get=flags(word(_PACKET_INFO, 5), _PACKET_FLAGS),
        needs=NEEDS_ATTRIBUTES | PACKET_INFO,
        hidden=True,
    )
    packet_memberships = text(
        "What the socket made interfaces receive (PACKET_ADD_MEMBERSHIP), joined by commas: "
        "promisc@2, allmulti@2, multicast@2=33:33:00:00:00:01, with the index of the interface; "
        "NULL for nothing, and for other families.",
        source="PACKET_DIAG_MCLIST",
        get=_memberships,
        needs=NEEDS_ATTRIBUTES | PACKET_MCLIST,
        hidden=True,
    )
    fanout_id = integer(
        "Number of the group of packet sockets that share the load; NULL for none, and for other "
        "families.",
        source="PACKET_DIAG_FANOUT",
        get=_fanout_id,
        needs=NEEDS_ATTRIBUTES | PACKET_FANOUT,
        hidden=True,
    )
    fanout_type = text(
        "How they share it; NULL for none, and for other families.",
        source="PACKET_DIAG_FANOUT",
        get=_fanout_type,
        values=_FANOUTS,
        needs=NEEDS_ATTRIBUTES | PACKET_FANOUT,
        hidden=True,
    )
    rx_ring_block_size = _ring("rx", 0, "Size of a block", "pdr_block_size", "bytes")
    rx_ring_block_nr = _ring("rx", 1, "Number of blocks", "pdr_block_nr")
    rx_ring_frame_size = _ring("rx", 2, "Size of a frame", "pdr_frame_size", "bytes")
    rx_ring_frame_nr = _ring("rx", 3, "Number of frames", "pdr_frame_nr")
    rx_ring_retire_tmo = _ring("rx", 4, "Timeout of a block", "pdr_retire_tmo", "milliseconds")
    rx_ring_sizeof_priv = _ring("rx", 5, "Private area", "pdr_sizeof_priv", "bytes")
    rx_ring_features = _ring("rx", 6, "Features (TP_FT_REQ_*)", "pdr_features")
    tx_ring_block_size = _ring("tx", 0, "Size of a block", "pdr_block_size", "bytes")
    tx_ring_block_nr = _ring("tx", 1, "Number of blocks", "pdr_block_nr")
    tx_ring_frame_size = _ring("tx", 2, "Size of a frame", "pdr_frame_size", "bytes")
    tx_ring_frame_nr = _ring("tx", 3, "Number of frames", "pdr_frame_nr")
    tx_ring_retire_tmo = _ring("tx", 4, "Timeout of a block", "pdr_retire_tmo", "milliseconds")
    tx_ring_sizeof_priv = _ring("tx", 5, "Private area", "pdr_sizeof_priv", "bytes")
    tx_ring_features = _ring("tx", 6, "Features (TP_FT_REQ_*)", "pdr_features")
    socket_filter = blob(
        "Filter program of a packet socket, as an array of struct sock_filter; NULL for none, "
        "without CAP_NET_ADMIN, and for other families.",
        source="PACKET_DIAG_FILTER",
        get=_filter,
        needs=NEEDS_ATTRIBUTES | PACKET_FILTER,
        hidden=True,
    )
