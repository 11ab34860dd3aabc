"""The hidden columns of ``sockets`` that only one of the smaller families fills."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from struct import Struct

from sockql.diag.netlink import attributes
from sockql.schema import integer, text
from sockql.sockets.cells import attribute, flags, long, word
from sockql.sockets.record import (
    EXT_INFO,
    NEEDS_ATTRIBUTES,
    NETLINK,
    NETLINK_FLAGS,
    NETLINK_GROUPS,
    NUMBER,
    ORIGIN,
    SMC,
    SMC_SHIFT,
    TIPC,
    XDP,
    XDP_INFO,
    XDP_RING_CFG,
    XDP_STATS,
    XDP_UMEM,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.schema import Column, Getter
    from sockql.sockets.record import SocketRecord

# -- netlink ------------------------------------------------------------------------------------

_NETLINK_FLAGS: Final = (
    *("cb_running", "pktinfo", "broadcast_error", "no_enobufs", "listen_all_nsid", "cap_ack"),
    *("ext_ack", "strict_chk"),
)


def _of(family: str, index: int) -> Getter:
    """A number that the record of a family has after what all records have."""

    def get(r: SocketRecord) -> int | None:
        return r[index] if r[ORIGIN].family == family else None

    return get


def _groups(r: SocketRecord) -> str | None:
    raw = attribute(r, NETLINK + 1)
    if not raw:
        return None
    # An array of unsigned long; the bit n - 1 is group n.
    size = Struct("@L").size
    bits = 0
    for index, (part,) in enumerate(Struct("@L").iter_unpack(raw[: len(raw) // size * size])):
        bits |= part << 8 * size * index
    return ",".join([str(bit + 1) for bit in range(bits.bit_length()) if bits >> bit & 1]) or None


def _netlink(doc: str, source: str, index: int) -> Column:
    return integer(
        f"{doc}; NULL for other families.",
        source=source,
        get=_of("netlink", NUMBER + index),
        hidden=True,
    )


class NetlinkDetails:
    """Columns of netlink sockets."""

    netlink_protocol = _netlink(
        "Number of the protocol of a netlink socket (NETLINK_*)", "ndiag_protocol", 0
    )
    portid = _netlink(
        "Address of a netlink socket, mostly the pid of a process for its first one; 0 for the "
        "kernel and before bind(2)",
        "ndiag_portid",
        1,
    )
    dst_portid = _netlink("Address of its peer, 0 for the kernel", "ndiag_dst_portid", 2)
    dst_group = _netlink("Group to which it sends, 0 for none", "ndiag_dst_group", 3)
    netlink_groups = text(
        "Numbers of the multicast groups that a netlink socket joined, in order, joined by commas; "
        "NULL for none, and for other families.",
        source="NETLINK_DIAG_GROUPS",
        get=_groups,
        needs=NEEDS_ATTRIBUTES | NETLINK_GROUPS,
        hidden=True,
    )
    netlink_flags = text(
        "Of cb_running, pktinfo, broadcast_error, no_enobufs, listen_all_nsid, cap_ack, ext_ack "
        "and strict_chk, what is set, joined by commas; NULL for none, and for other families.",
        source="NETLINK_DIAG_FLAGS",
        get=flags(word(NETLINK + 4), _NETLINK_FLAGS),
        needs=NEEDS_ATTRIBUTES | NETLINK_FLAGS,
        hidden=True,
    )


# -- xdp ----------------------------------------------------------------------------------------

_UMEM: Final = XDP + 5  # struct xdp_diag_umem: a u64, then eight u32
_STATISTICS: Final = XDP + 9
_NULL_XDP: Final = "NULL for sockets without it, and for other families."


def _xdp(doc: str, source: str, get: Getter, needs: int, unit: str | None = None) -> Column:
    return integer(
        f"{doc}; {_NULL_XDP}",
        source=source,
        unit=unit,
        get=get,
        needs=NEEDS_ATTRIBUTES | needs,
        hidden=True,
    )


def _statistic(index: int, doc: str, name: str) -> Column:
    get = long(_STATISTICS, 8 * index)
    return _xdp(doc, f"XDP_DIAG_STATS {name}", get, XDP_STATS, "packets")


class XdpDetails:
    """Columns of AF_XDP sockets."""

    xdp_queue_id = _xdp("Queue of the interface", "queue_id", word(XDP + 1, 1), XDP_INFO)
    xdp_rx_ring = _xdp(
        "Entries of the ring for receiving", "XDP_DIAG_RX_RING", word(XDP + 3), XDP_RING_CFG
    )
    xdp_tx_ring = _xdp(
        "Entries of the ring for sending", "XDP_DIAG_TX_RING", word(XDP + 4), XDP_RING_CFG
    )
    xdp_fill_ring = _xdp(
        "Entries of the fill ring", "XDP_DIAG_UMEM_FILL_RING", word(XDP + 6), XDP_UMEM
    )
    xdp_completion_ring = _xdp(
        *("Entries of the completion ring", "XDP_DIAG_UMEM_COMPLETION_RING"),
        *(word(XDP + 7), XDP_UMEM),
    )
    umem_size = _xdp("Size of the memory for packets", "size", long(_UMEM), XDP_UMEM, "bytes")
    umem_id = _xdp("Number of the memory for packets", "id", word(_UMEM, 2), XDP_UMEM)
    umem_pages = _xdp("Pages of it", "num_pages", word(_UMEM, 3), XDP_UMEM)
    umem_chunk_size = _xdp("Size of its chunks", "chunk_size", word(_UMEM, 4), XDP_UMEM, "bytes")
    umem_headroom = _xdp("Room kept in a chunk", "headroom", word(_UMEM, 5), XDP_UMEM, "bytes")
    umem_ifindex = _xdp("Interface that it is bound to", "ifindex", word(_UMEM, 6), XDP_UMEM)
    umem_queue_id = _xdp("Queue that it is bound to", "queue_id", word(_UMEM, 7), XDP_UMEM)
    umem_flags = text(
        f"The word zerocopy when the device writes to it; NULL when it does not. {_NULL_XDP}",
        source="XDP_DU_F_ZEROCOPY",
        get=flags(word(_UMEM, 8), ("zerocopy",)),
        needs=NEEDS_ATTRIBUTES | XDP_UMEM,
        hidden=True,
    )
    umem_refs = _xdp("Sockets that share it", "refs", word(_UMEM, 9), XDP_UMEM)
    xdp_rx_dropped = _statistic(0, "Packets dropped", "n_rx_dropped")
    xdp_rx_invalid = _statistic(1, "Invalid descriptors in the fill ring", "n_rx_invalid")
    xdp_rx_full = _statistic(2, "Packets dropped for a full ring", "n_rx_full")
    xdp_fill_ring_empty = _statistic(3, "Packets without a descriptor", "n_fill_ring_empty")
    xdp_tx_invalid = _statistic(4, "Invalid descriptors for sending", "n_tx_invalid")
    xdp_tx_ring_empty = _statistic(5, "Times that nothing was to be sent", "n_tx_ring_empty")


# -- tipc, smc, sctp ----------------------------------------------------------------------------

_SMC_MODES: Final = ("smcr", "fallback", "smcd")
_SMC_CONNINFO: Final = NEEDS_ATTRIBUTES | 1 << SMC_SHIFT
_SMC_FALLBACK: Final = NEEDS_ATTRIBUTES | 1 << SMC_SHIFT + 4
_SCTP: Final = NEEDS_ATTRIBUTES | EXT_INFO
_STORAGE: Final = 128  # struct sockaddr_storage


def _has(number: int) -> Getter:
    def get(r: SocketRecord) -> int | None:
        if r[ORIGIN].family != "tipc":
            return None
        return int(attribute(r, number) is not None)

    return get


def _tipc_statistics(r: SocketRecord) -> dict[int, bytes] | None:
    raw = attribute(r, TIPC + 5) if r[ORIGIN].family == "tipc" else None
    return None if raw is None else attributes(raw)


def _tipc_flag(number: int) -> Getter:
    def get(r: SocketRecord) -> int | None:
        found = _tipc_statistics(r)
        return None if found is None else int(number in found)

    return get


def _tipc_drops(r: SocketRecord) -> int | None:
    raw = (_tipc_statistics(r) or {}).get(5, b"")
    dropped: int | None = Struct("=I").unpack_from(raw)[0] if len(raw) >= 4 else None
    return dropped


def _smc_mode(r: SocketRecord) -> str | None:
    if r[ORIGIN].protocol != "smc" or r[NUMBER] >= len(_SMC_MODES):
        return None
    return _SMC_MODES[r[NUMBER]]


def _smc(doc: str, source: str, index: int, unit: str | None = None) -> Column:
    return integer(
        f"{doc}; NULL without an SMC connection.",
        source=source,
        unit=unit,
        get=word(SMC + 1, index),
        needs=_SMC_CONNINFO,
        hidden=True,
    )


def _addresses(number: int) -> Getter:
    def get(r: SocketRecord) -> str | None:
        if r[ORIGIN].protocol != "sctp":
            return None
        raw = attribute(r, number) or b""
        found = []
        for offset in range(0, len(raw) - _STORAGE + 1, _STORAGE):
            family = Struct("=H").unpack_from(raw, offset)[0]
            if family == AF_INET:
                found.append(inet_ntop(AF_INET, raw[offset + 4 : offset + 8]))
            elif family == AF_INET6:
                found.append(inet_ntop(AF_INET6, raw[offset + 8 : offset + 24]))
        return ",".join(found) or None

    return get


def _sctp(offset: int, doc: str, name: str, unit: str | None = None) -> Column:
    cell = word(2, offset // 4)

    def get(r: SocketRecord) -> int | None:
        return cell(r) if r[ORIGIN].protocol == "sctp" else None  # type: ignore[return-value]

    return integer(
        f"{doc}; NULL for what is no SCTP association.",
        source=f"sctpi_{name}",
        unit=unit,
        get=get,
        needs=_SCTP,
        hidden=True,
    )


class OtherDetails:
    """Columns of TIPC, SMC and SCTP."""

    tipc_published = integer(
        "1 when a TIPC socket has a published name, else 0; NULL for other families.",
        source="TIPC_NLA_SOCK_HAS_PUBL",
        get=_has(TIPC + 4),
        needs=NEEDS_ATTRIBUTES,
        hidden=True,
    )
    tipc_link_congested = integer(
        "1 when a TIPC socket waits for a link, else 0; NULL for other families.",
        source="TIPC_NLA_SOCK_STAT_LINK_CONG",
        get=_tipc_flag(3),
        needs=NEEDS_ATTRIBUTES,
        hidden=True,
    )
    tipc_connection_congested = integer(
        "1 when a TIPC socket waits for its peer to read, else 0; NULL for other families.",
        source="TIPC_NLA_SOCK_STAT_CONN_CONG",
        get=_tipc_flag(4),
        needs=NEEDS_ATTRIBUTES,
        hidden=True,
    )
    tipc_drops = integer(
        "Messages that a TIPC socket dropped; NULL for other families.",
        source="TIPC_NLA_SOCK_STAT_DROP",
        get=_tipc_drops,
        needs=NEEDS_ATTRIBUTES,
        hidden=True,
    )
    smc_mode = text(
        "How SMC data goes: smcr by RDMA, smcd in one machine, fallback by TCP; NULL for other "
        "protocols.",
        source="diag_mode",
        get=_smc_mode,
        values=_SMC_MODES,
        hidden=True,
    )
    smc_token = _smc("Number of the connection", "SMC_DIAG_CONNINFO token", 0)
    smc_sndbuf = _smc("Size of the buffer for sending", "sndbuf_size", 1, "bytes")
    smc_rmbe = _smc("Size of the buffer for receiving", "rmbe_size", 2, "bytes")
    smc_peer_rmbe = _smc("Size of the peer's buffer", "peer_rmbe_size", 3, "bytes")
    smc_fallback_reason = integer(
        "Code of the reason for the fallback to TCP; NULL when there was none, and for other "
        "protocols.",
        source="SMC_DIAG_FALLBACK reason",
        get=word(SMC + 5, 0),
        needs=_SMC_FALLBACK,
        hidden=True,
    )
    smc_fallback_peer = integer(
        "Code of the reason that the peer gave; NULL when there was no fallback, and for other "
        "protocols.",
        source="SMC_DIAG_FALLBACK peer_diagnosis",
        get=word(SMC + 5, 1),
        needs=_SMC_FALLBACK,
        hidden=True,
    )
    sctp_local_addresses = text(
        "All own addresses of an SCTP socket, joined by commas; NULL for other protocols.",
        source="INET_DIAG_LOCALS",
        get=_addresses(12),
        needs=NEEDS_ATTRIBUTES,
        hidden=True,
    )
    sctp_peer_addresses = text(
        "All addresses of the peer of an SCTP association, joined by commas; NULL for endpoints "
        "and other protocols.",
        source="INET_DIAG_PEERS",
        get=_addresses(13),
        needs=NEEDS_ATTRIBUTES,
        hidden=True,
    )
    sctp_tag = _sctp(0, "Own tag of the association", "tag")
    sctp_peer_tag = _sctp(48, "Tag of the peer", "peer_tag")
    sctp_rwnd = _sctp(8, "Window for receiving", "rwnd", "bytes")
    sctp_peer_rwnd = _sctp(44, "Window of the peer", "peer_rwnd", "bytes")
    sctp_inqueue = _sctp(24, "Chunks received and not read", "inqueue")
    sctp_outqueue = _sctp(28, "Chunks to be sent", "outqueue")
    sctp_overall_error = _sctp(32, "Errors since the peer was last heard of", "overall_error")
    sctp_cwnd = _sctp(300, "Congestion window of the primary path", "p_cwnd", "bytes")
    sctp_srtt = _sctp(304, "Round-trip time of the primary path", "p_srtt", "milliseconds")
    sctp_rto = _sctp(308, "Timeout of retransmissions there", "p_rto", "milliseconds")
