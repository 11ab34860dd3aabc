"""The hidden columns of ``sockets``: what comes in the same message as the visible ones."""

from __future__ import annotations

import sys

from sockql.diag.inet import (
    INET_DIAG_CGROUP_ID,
    INET_DIAG_CLASS_ID,
    INET_DIAG_CONG,
    INET_DIAG_MARK,
    INET_DIAG_SHUTDOWN,
    INET_DIAG_SKMEMINFO,
    INET_DIAG_SKV6ONLY,
    INET_DIAG_SOCKOPT,
    INET_DIAG_TCLASS,
    INET_DIAG_TOS,
)
from sockql.schema import EQUAL, integer, text
from sockql.sockets.cells import attribute, byte, long, word
from sockql.sockets.record import (
    COOKIE,
    EXPIRES,
    EXT_CONG,
    EXT_SKMEMINFO,
    EXT_TCLASS,
    EXT_TOS,
    IF,
    LISTEN,
    NEEDS_ATTRIBUTES,
    NETLINK_MEMINFO,
    NUMBER,
    ORIGIN,
    PACKET_INFO,
    PACKET_MEMINFO,
    RETRANS,
    RQUEUE,
    SHOW_ICONS,
    SHOW_MEMINFO,
    SHOW_NAME,
    SHOW_PEER,
    SHOW_RQLEN,
    SHOW_VFS,
    SRC,
    STATE,
    TIMER,
    TIMERS,
    UNIX,
    WQUEUE,
    XDP_INFO,
    XDP_MEMINFO,
    signed_cookie,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.schema import Column, Getter
    from sockql.sockets.record import SocketRecord

# include/uapi/linux/unix_diag.h
_UNIX_VFS: Final = UNIX + 1
_UNIX_PEER: Final = UNIX + 2
_UNIX_ICONS: Final = UNIX + 3

_MEMORY: Final = (
    NEEDS_ATTRIBUTES | EXT_SKMEMINFO | SHOW_MEMINFO | PACKET_MEMINFO | NETLINK_MEMINFO | XDP_MEMINFO
)
_SHUTDOWNS: Final = (None, "r", "w", "rw")


def _bit(index: int) -> Getter:
    """A bit of struct inet_diag_sockopt; bit fields start at the other end on big-endian hosts."""
    byte, bit = divmod(index, 8)
    shift = bit if sys.byteorder == "little" else 7 - bit

    def get(r: SocketRecord) -> int | None:
        raw = attribute(r, INET_DIAG_SOCKOPT)
        return raw[byte] >> shift & 1 if raw is not None and len(raw) > byte else None

    return get


_cgroup_id = long(INET_DIAG_CGROUP_ID)


def _cgroup(r: SocketRecord) -> str | None:
    id = _cgroup_id(r)
    path: str | None = None if id is None else r[ORIGIN].cgroups[id]
    return path


def _shutdown(r: SocketRecord) -> str | None:
    raw = attribute(r, INET_DIAG_SHUTDOWN)
    return _SHUTDOWNS[raw[0] & 3] if raw else None


def _congestion(r: SocketRecord) -> str | None:
    raw = attribute(r, INET_DIAG_CONG)
    if raw is None:
        return None
    return raw.partition(b"\0")[0].decode("utf-8", "backslashreplace") or None


def _timer(r: SocketRecord) -> str | None:
    timers = r[ORIGIN].timers
    return None if timers is None else timers.get(r[TIMER])


def _path_kind(r: SocketRecord) -> str | None:
    if r[ORIGIN].family != "unix" or not r[SRC]:
        return None
    return "abstract" if r[SRC][0] == 0 else "path"


def _peer_inode(r: SocketRecord) -> int | None:
    return word(_UNIX_PEER)(r) or None  # type: ignore[return-value]


def _vfs_dev(r: SocketRecord) -> str | None:
    device = word(_UNIX_VFS, 1)(r)
    # The kernel's own dev_t (include/linux/kdev_t.h), not the one of stat(2).
    return f"{device >> 20}:{device & 0xFFFFF}" if isinstance(device, int) else None


def _pending(r: SocketRecord) -> int | None:
    raw = attribute(r, _UNIX_ICONS)
    return None if raw is None else len(raw) // 4


def _number(*protocols: str) -> Getter:
    def get(r: SocketRecord) -> int | None:
        return r[NUMBER] if r[ORIGIN].protocol in protocols else None

    return get


def _memory(index: int, doc: str, name: str) -> Column:
    return integer(
        f"{doc}; NULL where the kernel does not tell: TIME_WAIT, text files.",
        source=f"SK_MEMINFO_{name}",
        unit="packets" if name == "DROPS" else "bytes",
        get=word(INET_DIAG_SKMEMINFO, index),
        needs=_MEMORY,
        hidden=True,
    )


def _option(index: int, doc: str, name: str) -> Column:
    return integer(
        f"1 when {doc}, else 0; NULL for unix sockets, TIME_WAIT and kernels that do not tell.",
        source=f"inet_diag_sockopt.{name}",
        get=_bit(index),
        needs=NEEDS_ATTRIBUTES,
        hidden=True,
    )


class Details:
    """Columns about one socket, each in a family or two."""

    cookie = integer(
        "Identity of the socket, unique since boot; above 2^63 - 1 it is shown as the negative "
        "number with the same 64 bits. NULL when the socket was read from a text file.",
        source="idiag_cookie, udiag_cookie",
        get=lambda r: None if r[COOKIE] is None else signed_cookie(r[COOKIE]),
        hidden=True,
        index=True,
    )
    accept_queue = integer(
        "Connections that wait for accept(2); NULL unless the socket listens.",
        source="idiag_rqueue, udiag_rqueue",
        unit="connections",
        get=lambda r: r[RQUEUE] if r[STATE] == LISTEN else None,
        needs=SHOW_RQLEN,
        hidden=True,
    )
    backlog = integer(
        "How many connections may wait for accept(2), as given to listen(2); NULL unless the "
        "socket listens.",
        source="idiag_wqueue, udiag_wqueue",
        unit="connections",
        get=lambda r: r[WQUEUE] if r[STATE] == LISTEN else None,
        needs=SHOW_RQLEN,
        hidden=True,
    )
    timer = text(
        "Timer that runs: on is the one for retransmission; NULL for sockets that are not TCP.",
        source="idiag_timer",
        get=_timer,
        values=tuple(TIMERS.values()),
        hidden=True,
    )
    timer_expires = integer(
        "Time until the timer expires; NULL when none runs.",
        source="idiag_expires",
        unit="milliseconds",
        get=lambda r: r[EXPIRES] if r[TIMER] else None,
        hidden=True,
    )
    retransmits = integer(
        "Retransmissions of the timer that runs, or probes sent, for keepalive and persist; NULL "
        "when none runs.",
        source="idiag_retrans",
        get=lambda r: r[RETRANS] if r[TIMER] else None,
        hidden=True,
    )
    mark = integer(
        "Mark for routing and netfilter; NULL without CAP_NET_ADMIN and for unix sockets.",
        source="INET_DIAG_MARK",
        get=word(INET_DIAG_MARK),
        needs=NEEDS_ATTRIBUTES,
        push=EQUAL,
        hidden=True,
    )
    class_id = integer(
        "Class for traffic control: of the cgroup (net_cls), else the priority; NULL for unix "
        "sockets and TIME_WAIT.",
        source="INET_DIAG_CLASS_ID",
        get=word(INET_DIAG_CLASS_ID),
        needs=NEEDS_ATTRIBUTES | EXT_TCLASS,
        hidden=True,
    )
    cgroup_id = integer(
        "Id of the cgroup (version 2) in which the socket was made: the inode of its directory; "
        "NULL for unix sockets, TIME_WAIT and before Linux 5.8.",
        source="INET_DIAG_CGROUP_ID",
        get=_cgroup_id,
        needs=NEEDS_ATTRIBUTES,
        push=EQUAL,
        hidden=True,
    )
    cgroup = text(
        "Path of that cgroup, as in /proc/PID/cgroup; NULL also when it is removed or out of sight.",
        source="INET_DIAG_CGROUP_ID",
        get=_cgroup,
        needs=NEEDS_ATTRIBUTES,
        push=EQUAL,
        hidden=True,
    )
    shutdown = text(
        "Directions that are shut down by either end: r nothing more is received, w nothing more "
        "is sent, rw both; NULL for none.",
        source="INET_DIAG_SHUTDOWN, UNIX_DIAG_SHUTDOWN",
        get=_shutdown,
        values=("r", "w", "rw"),
        needs=NEEDS_ATTRIBUTES,
        hidden=True,
    )
    v6only = integer(
        "1 when the inet6 socket does not serve IPv4, else 0; NULL for other families, and when "
        "it neither listens nor is unconnected.",
        source="INET_DIAG_SKV6ONLY",
        get=byte(INET_DIAG_SKV6ONLY),
        needs=NEEDS_ATTRIBUTES,
        hidden=True,
    )
    tos = integer(
        "Type of service of the packets that are sent; NULL for unix sockets and TIME_WAIT.",
        source="INET_DIAG_TOS",
        get=byte(INET_DIAG_TOS),
        needs=NEEDS_ATTRIBUTES | EXT_TOS,
        hidden=True,
    )
    tclass = integer(
        "Traffic class of the packets that are sent; NULL unless the family is inet6, and for "
        "TIME_WAIT.",
        source="INET_DIAG_TCLASS",
        get=byte(INET_DIAG_TCLASS),
        needs=NEEDS_ATTRIBUTES | EXT_TCLASS,
        hidden=True,
    )
    congestion = text(
        "Congestion control algorithm; NULL for sockets that are not TCP and for TIME_WAIT.",
        source="INET_DIAG_CONG",
        get=_congestion,
        needs=NEEDS_ATTRIBUTES | EXT_CONG,
        hidden=True,
    )
    rmem_alloc = _memory(0, "Memory of the packets that wait to be read", "RMEM_ALLOC")
    rcvbuf = _memory(1, "Limit of that memory (SO_RCVBUF)", "RCVBUF")
    wmem_alloc = _memory(2, "Memory of the packets that are being sent", "WMEM_ALLOC")
    sndbuf = _memory(3, "Limit of the memory for sending (SO_SNDBUF)", "SNDBUF")
    fwd_alloc = _memory(4, "Memory set aside for the socket but not used", "FWD_ALLOC")
    wmem_queued = _memory(5, "Memory of everything that is not acknowledged yet", "WMEM_QUEUED")
    optmem = _memory(6, "Memory of options and filters", "OPTMEM")
    backlog_bytes = _memory(7, "Memory of packets that came while the socket was busy", "BACKLOG")
    drops = _memory(8, "Packets that were dropped on their way to the socket", "DROPS")
    path_kind = text(
        "Whether the name is a path in the file system or abstract; NULL for sockets without a "
        "name and of other families.",
        source="UNIX_DIAG_NAME",
        get=_path_kind,
        values=("path", "abstract"),
        needs=SHOW_NAME,
        hidden=True,
    )
    peer_inode = integer(
        "Inode of the unix socket at the other end; NULL when there is none, when it was not "
        "accepted yet, and for other families.",
        source="UNIX_DIAG_PEER",
        get=_peer_inode,
        needs=NEEDS_ATTRIBUTES | SHOW_PEER,
        hidden=True,
        index=True,
    )
    vfs_inode = integer(
        "Inode of the file to which a unix socket was bound; NULL unless it was bound to a path.",
        source="UNIX_DIAG_VFS udiag_vfs_ino",
        get=word(_UNIX_VFS),
        needs=NEEDS_ATTRIBUTES | SHOW_VFS,
        hidden=True,
        index=True,
    )
    vfs_dev = text(
        "Device of that file, as major:minor; NULL unless the socket was bound to a path.",
        source="UNIX_DIAG_VFS udiag_vfs_dev",
        get=_vfs_dev,
        needs=NEEDS_ATTRIBUTES | SHOW_VFS,
        hidden=True,
    )
    pending = integer(
        "Connections to a unix socket that were not accepted yet; NULL unless it listens.",
        source="UNIX_DIAG_ICONS",
        unit="connections",
        get=_pending,
        needs=NEEDS_ATTRIBUTES | SHOW_ICONS,
        hidden=True,
    )
    recverr = _option(0, "errors are queued to be read (IP_RECVERR)", "recverr")
    is_icsk = _option(1, "the protocol makes connections, as TCP does", "is_icsk")
    freebind = _option(2, "any address may be bound (IP_FREEBIND)", "freebind")
    hdrincl = _option(3, "the program makes the IP header (IP_HDRINCL)", "hdrincl")
    mc_loop = _option(4, "own multicasts are looped back (IP_MULTICAST_LOOP)", "mc_loop")
    transparent = _option(5, "addresses of others may be used (IP_TRANSPARENT)", "transparent")
    mc_all = _option(6, "multicasts of all joined groups come (IP_MULTICAST_ALL)", "mc_all")
    nodefrag = _option(7, "fragments are not put together (IP_NODEFRAG)", "nodefrag")
    bind_address_no_port = _option(
        8, "bind(2) leaves the port open (IP_BIND_ADDRESS_NO_PORT)", "bind_address_no_port"
    )
    recverr_rfc4884 = _option(
        9, "queued errors have RFC 4884 extensions (IP_RECVERR_RFC4884)", "recverr_rfc4884"
    )
    defer_connect = _option(
        10, "the connection starts with the first data (TCP_FASTOPEN_CONNECT)", "defer_connect"
    )
    icmp_id = integer(
        "Identifier of the echo requests of a ping socket; NULL for other protocols.",
        source="/proc/net/icmp local_address",
        get=_number("icmp", "icmp6"),
        hidden=True,
    )
    ip_protocol = integer(
        "Number of the IP protocol that a raw socket receives; NULL for other protocols.",
        source="idiag_sport",
        get=_number("raw"),
        hidden=True,
    )
    ifindex = integer(
        "Index of the interface to which the socket is bound; NULL for none.",
        source="idiag_if, pdi_index",
        get=lambda r: r[IF] or None,
        needs=PACKET_INFO | XDP_INFO,
        hidden=True,
    )
    netns_name = text(
        "Last part of the path at which it is mounted, which is the name that ip-netns(8) knows; "
        "NULL when it is not mounted.",
        source="/proc/PID/mountinfo mount point",
        get=lambda r: r[ORIGIN].netns_name,
        hidden=True,
    )
    source = text(
        "Where the row comes from: sock_diag, or procfs for the text files of /proc/net.",
        source="sock_diag(7), proc(5)",
        get=lambda r: r[ORIGIN].source,
        values=("sock_diag", "procfs"),
        hidden=True,
    )
