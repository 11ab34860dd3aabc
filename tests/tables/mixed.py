"""What the recorded story ``mixed`` did, as rows of ``sockets``; written from the story."""

from __future__ import annotations

import struct
from typing import Any

from sockql.engine import Engine
from sockql.tables.sockets import TABLE
from tests.machines import Recorded

NAME = "6.18-mixed"
COLUMNS = tuple(TABLE.schema.by_name)
#: The netlink sockets are those of whoever recorded.
ALL = f"select {', '.join(COLUMNS)} from sockets where family <> 'netlink'"

Row = dict[str, Any]


def ask(host: Recorded, sql: str = ALL) -> list[tuple[Any, ...]]:
    with Engine(host) as engine:
        return engine.query(sql)


HOME, HOME6, MAPPED = "127.0.0.1", "::1", "::ffff:127.0.0.1"


def ends(
    src: str, sport: int, dst: str | None = None, dport: int | None = None, **more: Any
) -> Row:
    return {"src": src, "sport": sport, "dst": dst, "dport": dport, **more}


def listens(src: str, sport: int | None = None, **more: Any) -> Row:
    queues = {"recv_queue": None, "send_queue": None}
    return {"src": src, "sport": sport, "state": "LISTEN", **queues, **more}


VISIBLE: dict[str, Row] = {
    # TCP over IPv4.
    "web": listens(HOME, 8080),
    "client": ends(HOME, 40001, HOME, 8080),
    "client's server": ends(HOME, 8080, HOME, 40001, recv_queue=5),
    "pending": ends(HOME, 40002, HOME, 8080),
    "pending's server": ends(HOME, 8080, HOME, 40002, inode=None, socket_uid=None),
    "closer": ends(HOME, 40003, HOME, 8080, state="TIME_WAIT", inode=None, socket_uid=None),
    "mapped": ends(HOME, 40004, HOME, 8081),
    "marked": listens("0.0.0.0", 8082, interface="lo"),
    "inactive": ends(HOME, 8083, state="BOUND_INACTIVE"),
    # TCP over IPv6.
    "dual": listens("::", 8081, family="inet6"),
    "mapped's server": ends(MAPPED, 8081, MAPPED, 40004, family="inet6"),
    "six": ends(HOME6, 40005, HOME6, 8081, family="inet6"),
    "six's server": ends(HOME6, 8081, HOME6, 40005, family="inet6"),
    # Datagrams.
    "dns": ends(HOME, 5353, state="UNCONN", protocol="udp"),
    "asker": ends(HOME, 40006, HOME, 5353, protocol="udp"),
    "user's": ends(HOME6, 5354, family="inet6", state="UNCONN", protocol="udp", socket_uid=1000),
    "lite": ends(HOME, 5355, state="UNCONN", protocol="udplite"),
    # Unix sockets.
    "app": listens("app.sock"),
    "app client": {"dst": "app.sock", "recv_queue": 7},
    "app server": {"src": "app.sock"},
    "app pending": {},
    "abstract": {"src": "@log", "socktype": "dgram"},
    "logger": {"dst": "@log", "socktype": "dgram"},
    "nul": listens("@a\\x00b", socktype="seqpacket"),
    "newline": {"src": "new\nline", "state": "UNCONN"},
    "latin": {"src": "caf\\xe9", "state": "UNCONN"},
    "at": {"src": "@log", "state": "UNCONN"},
    "left": {"socktype": "dgram"},
    "right": {"socktype": "dgram"},
}
#: Those that no process has, and where they and the clients of unix sockets wait.
OWNERS = {"pending's server": "unaccepted", "closer": "timewait"}
WAITS = {"pending's server": "web", "app pending": "app"}
#: Listeners: connections that wait, how many may.
QUEUES = {"web": (1, 5), "dual": (0, 16), "marked": (0, 1), "app": (1, 5), "nul": (0, 2)}
PEERS = {"app client": "app server", "logger": "abstract", "left": "right"}
MEMORY = (
    *("rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc", "wmem_queued"),
    *("optmem", "backlog_bytes", "drops"),
)
OPTIONS = (
    *("recverr", "freebind", "mc_loop", "transparent", "mc_all", "bind_address_no_port"),
    "recverr_rfc4884",
)
#: struct tcp_info: fields of one number each by their place; the others are below.
TCP_INFO = {
    "tcp_retransmits": (2, "B"),
    "probes": (3, "B"),
    "backoff": (4, "B"),
    **{
        name: (8 + 4 * index, "I")
        for index, name in enumerate(
            [
                "rto",
                "ato",
                "snd_mss",
                "rcv_mss",
                "unacked",
                "sacked",
                "lost",
                "retrans",
                "fackets",
                "-",
                "-",
                "-",
                "-",
                "pmtu",
                "rcv_ssthresh",
                "rtt",
                "rttvar",
                "-",
                "snd_cwnd",
                "advmss",
                "reordering",
                "rcv_rtt",
                "rcv_space",
                "total_retrans",
            ]
        )
        if name != "-"
    },
    "pacing_rate": (104, "Q"),
    "bytes_acked": (120, "Q"),
    "bytes_received": (128, "Q"),
    "segs_out": (136, "I"),
    "segs_in": (140, "I"),
    "notsent_bytes": (144, "I"),
    "min_rtt": (148, "I"),
    "data_segs_in": (152, "I"),
    "data_segs_out": (156, "I"),
    "delivery_rate": (160, "Q"),
    "busy_time": (168, "Q"),
    "rwnd_limited": (176, "Q"),
    "sndbuf_limited": (184, "Q"),
    "delivered": (192, "I"),
    "delivered_ce": (196, "I"),
    "bytes_sent": (200, "Q"),
    "bytes_retrans": (208, "Q"),
    "dsack_dups": (216, "I"),
    "reord_seen": (220, "I"),
    "rcv_ooopack": (224, "I"),
    "snd_wnd": (228, "I"),
    "rcv_wnd": (232, "I"),
    "rehash": (236, "I"),
    "total_rto": (240, "H"),
    "total_rto_recoveries": (242, "H"),
    "total_rto_time": (244, "I"),
    "received_ce": (248, "I"),
    "delivered_e1_bytes": (252, "I"),
    "delivered_e0_bytes": (256, "I"),
    "delivered_ce_bytes": (260, "I"),
    "received_e1_bytes": (264, "I"),
    "received_e0_bytes": (268, "I"),
    "received_ce_bytes": (272, "I"),
}
#: What goes on between the story and its recording.
MOVING = ("timer_expires", "last_data_sent", "last_data_recv", "last_ack_recv")


def tcp_info(facts: dict[str, Any]) -> Row:
    """The columns of a connection from what the socket said of itself."""
    raw = bytes.fromhex(facts["tcp_info"])
    row: Row = {
        name: struct.unpack_from("=" + code, raw, offset)[0]
        for name, (offset, code) in TCP_INFO.items()
        if offset < len(raw)
    }
    names = ("timestamps", "sack", "wscale", "ecn", "ecn_seen", "syn_data", "usec_ts")
    row["options"] = ",".join(name for bit, name in enumerate(names) if raw[5] >> bit & 1)
    row.update(ca_state=("Open", "Disorder", "CWR", "Recovery", "Loss")[raw[1]])
    row.update(snd_wscale=raw[6] & 15, rcv_wscale=raw[6] >> 4, app_limited=raw[7] & 1)
    row["send_rate"] = round(row["snd_cwnd"] * row["snd_mss"] * 8e6 / row["rtt"]) // 8
    if facts["congestion"] == "bbr":
        low, high, rtt, pacing, cwnd = struct.unpack("=5I", bytes.fromhex(facts["cc_info"]))
        row.update(bbr_bw=low + (high << 32), bbr_min_rtt=rtt)
        row.update(bbr_pacing_gain=pacing / 256, bbr_cwnd_gain=cwnd / 256)
    return row


def listener_info(facts: dict[str, Any]) -> Row:
    """What a listener has; there is no limit of its rates."""
    raw = bytes.fromhex(facts["tcp_info"])
    assert raw[104:120] == bytes([255]) * 16
    return {
        name: struct.unpack_from("=" + TCP_INFO[name][1], raw, TCP_INFO[name][0])[0]
        for name in ("snd_cwnd", "reordering")
    }


def is_unix(name: str) -> bool:
    return list(VISIBLE).index(name) >= list(VISIBLE).index("app")


def visible(host: Recorded, name: str) -> Row:
    """A row of ``select *`` as the story has it."""
    given = VISIBLE[name]
    facts = host.facts["sockets"][name]
    protocol = None if is_unix(name) else given.get("protocol", "tcp")
    return {
        "netns": host.facts["netns"],
        "family": "unix" if is_unix(name) else "inet",
        "protocol": protocol,
        "socktype": "dgram" if protocol in ("udp", "udplite") else "stream",
        "state": "ESTABLISHED",
        **dict.fromkeys(("src", "sport", "dst", "dport")),
        # Of datagrams it is memory that waits, and of unix sockets what was sent.
        "recv_queue": facts["memory"][0] if protocol in ("udp", "udplite") else 0,
        "send_queue": facts["memory"][2] if is_unix(name) else 0,
        "inode": facts["inode"],
        "socket_uid": 0,
        "interface": None,
        **given,
    }


def every(host: Recorded, name: str) -> Row:
    """The same with all hidden columns, from what the socket said of itself."""
    facts = host.facts["sockets"][name]
    row = dict.fromkeys(COLUMNS) | visible(host, name)
    row.update(cookie=facts["cookie"], source="sock_diag")
    row["accept_queue"], row["backlog"] = QUEUES.get(name, (None, None))
    row["owner_state"] = OWNERS.get(name, "held")
    if name in WAITS:
        row["listener_inode"] = host.facts["sockets"][WAITS[name]]["inode"]
    full = name != "closer"  # TIME_WAIT keeps little
    if full:
        row.update(zip(MEMORY, facts["memory"]))
    if is_unix(name):
        file = facts.get("file", {"inode": None, "device": None})
        row.update(vfs_inode=file["inode"], vfs_dev=file["device"])
        if row["src"] is not None:
            row["path_kind"] = "abstract" if file["inode"] is None else "path"
        if name in ("app", "nul"):
            row["pending"] = row["accept_queue"]
        pairs = PEERS | {"app server": "app client", "right": "left"}
        if name in pairs:
            row["peer_inode"] = host.facts["sockets"][pairs[name]]["inode"]
        return row
    row["mark"] = facts["mark"]
    if row["protocol"] == "tcp":
        row["timer"] = {"client": "keepalive", "closer": "timewait"}.get(name, "off")
        if row["timer"] != "off":
            row["retransmits"] = 0
    if full:
        row.update((option, facts[option]) for option in (*OPTIONS, "tos", "class_id"))
        row.update(hdrincl=0, nodefrag=0, defer_connect=0)
        row.update(is_icsk=int(row["protocol"] == "tcp"), cgroup_id=host.facts["cgroup_id"])
        if name != "inactive":
            row["congestion"] = facts.get("congestion")
        if row["protocol"] == "tcp" and name != "inactive":
            info = tcp_info(facts) if row["state"] != "LISTEN" else listener_info(facts)
            row.update(info)
        row["tclass"] = facts.get("tclass")
        if row["state"] in ("LISTEN", "UNCONN"):
            row["v6only"] = facts.get("v6only")
    if name == "marked":
        row["ifindex"] = 1
    return row


def names(host: Recorded) -> dict[int, str]:
    """The story's names of its sockets, by cookie."""
    return {facts["cookie"]: name for name, facts in host.facts["sockets"].items()}
