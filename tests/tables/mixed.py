"""What the recorded story ``mixed`` did, as rows of ``sockets``; written from the story."""

from __future__ import annotations

from typing import Any

from sockql.engine import Engine
from sockql.tables.sockets import TABLE
from tests.machines import Recorded

NAME = "6.18-mixed"
COLUMNS = tuple(TABLE.schema.by_name)
ALL = f"select {', '.join(COLUMNS)} from sockets"

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
        row["tclass"] = facts.get("tclass")
        if row["state"] in ("LISTEN", "UNCONN"):
            row["v6only"] = facts.get("v6only")
    if name == "marked":
        row["ifindex"] = 1
    return row


def names(host: Recorded) -> dict[int, str]:
    """The story's names of its sockets, by cookie."""
    return {facts["cookie"]: name for name, facts in host.facts["sockets"].items()}
