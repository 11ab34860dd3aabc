"""``sockets`` and ``ss``: the same rows, cell by cell, for all that both of them show."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.differential.machine import Row, World, ordered
from tests.differential.peers import SsInet, SsUnix, ss_inet, ss_unix, ss_users

Need = Callable[[str], None]

MEMORY = (
    *("rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc", "wmem_queued"),
    *("optmem", "backlog_bytes", "drops"),
)
OPTIONS = (
    *("recverr", "is_icsk", "freebind", "hdrincl", "mc_loop", "transparent", "mc_all"),
    *("nodefrag", "bind_address_no_port", "recverr_rfc4884", "defer_connect"),
)


# -- how ss spells what sockql says ----------------------------------------------------------------


def state(line: SsInet | SsUnix) -> str:
    special = {"ESTAB": "ESTABLISHED", "FIN-WAIT-1": "FIN_WAIT1", "FIN-WAIT-2": "FIN_WAIT2"}
    return special.get(line.state, line.state.replace("-", "_"))


def address(text: str) -> str:
    """Without brackets and interface; ``*`` is the IPv6 address that serves IPv4 as well."""
    bare = text.partition("%")[0].strip("[]")
    return "::" if bare == "*" else bare


def interface(text: str) -> str | None:
    return text.partition("%")[2] or None


def family(line: SsInet) -> str:
    return "inet6" if ":" in address(line.local) else "inet"


def peer(line: SsInet) -> tuple[str | None, int | None]:
    """A port of 0 is ``*``, and so is a peer that is nobody."""
    if line.peer_port != "*":
        return address(line.peer), int(line.peer_port)
    return None, None


def queues(line: SsInet | SsUnix) -> tuple[int | None, int | None, int | None, int | None]:
    """recv_queue, send_queue, accept_queue, backlog."""
    if line.state == "LISTEN":
        return None, None, line.recv_q, line.send_q
    return line.recv_q, line.send_q, None, None


def number(line: SsInet, pattern: str, base: int = 10) -> int | None:
    text = line.detail(pattern)
    return None if text is None else int(text, base)


def user(line: SsInet) -> int | None:
    """ss leaves out the user 0; without an inode the kernel gives 0 for "unknown"."""
    uid, inode = number(line, r"uid:(\d+)") or 0, number(line, r"ino:(\d+)")
    return uid if uid or inode else None


def timer(line: SsInet) -> tuple[str | None, int | None]:
    """Name and retransmissions; ss leaves out a timer that is off."""
    text = line.detail(r"timer:\((.*?)\)")
    if text is None:
        return ("off" if line.netid == "tcp" else None), None
    name, _, retransmits = text.split(",")
    return name, int(retransmits)


def shutdown(details: str) -> str | None:
    """``<->`` is open both ways; ``-`` instead of an arrowhead is shut down."""
    for arrows, directions in ((" --> ", "r"), (" <-- ", "w"), (" --- ", "rw")):
        if arrows in f" {details} ":
            return directions
    return None


def memory(details: str) -> tuple[int | None, ...]:
    """``skmem:(r0,rb131072,t0,…)`` in the order of the kernel's array."""
    _, found, rest = details.partition("skmem:(")
    if not found:
        return (None,) * len(MEMORY)
    words = rest.partition(")")[0].split(",")
    return tuple(int(re.sub("[a-z]", "", word)) for word in words)


def options(line: SsInet) -> tuple[int | None, ...]:
    """The names of those that are set; none at all for TIME_WAIT and requests."""
    text = line.detail(r"inet-sockopt: \((.*?)\)")
    if text is None:
        return (None,) * len(OPTIONS)
    text = text.replace("bind_addr_no_port", "bind_address_no_port")
    return tuple(int(name in text.split()) for name in OPTIONS)


def cgroup(line: SsInet) -> str | None:
    path = line.detail(r"cgroup:(\S+)")
    return None if path is None or path.startswith("unreachable:") else path


def congestion(line: SsInet) -> str | None:
    """The word after the flags that begin the part about TCP."""
    flags = {"ts", "sack", "ecn", "ecnseen", "fastopen", "usec_ts"}
    _, _, rest = line.details.partition("skmem:(")
    words = [word for word in rest.split()[1:] if word not in flags]
    return words[0] if words and ":" not in words[0] else None


def mark(line: SsInet) -> int:
    """ss leaves out a mark of 0; the machine's root may see them."""
    return number(line, r"fwmark:(0x[0-9a-f]+)", 16) or 0


def device(text: str | None) -> str | None:
    """ss takes the kernel's device number for one of stat(2)'s; take that back."""
    if text is None:
        return None
    raw = os.makedev(*map(int, text.split("/")))
    return f"{raw >> 20}:{raw & 0xFFFFF}"


def name(text: str | None) -> bytes:
    """A name as ss prints it: its bytes, NULs as ``@``, none at all as ``*``."""
    if text is None:
        return b"*"
    return text.replace("\\x00", "@").replace("\\xe9", "\udce9").encode("utf-8", "surrogateescape")


# -- inet ----------------------------------------------------------------------------------------

INET = f"""
    select protocol, family, state, src, sport, interface, dst, dport,
           recv_queue, send_queue, accept_queue, backlog, inode, socket_uid, cookie, mark,
           timer, retransmits, shutdown, v6only, tos, tclass, class_id, cgroup, congestion,
           {", ".join(MEMORY)}, {", ".join(OPTIONS)}
    from sockets
    where protocol in ('tcp', 'udp') and state <> 'BOUND_INACTIVE'
"""


def inet_row(line: SsInet) -> Row:
    cookie = number(line, r"sk:([0-9a-f]+)", 16)
    return (
        *(line.netid, family(line), state(line), address(line.local), int(line.local_port)),
        *(interface(line.local), *peer(line), *queues(line)),
        *(number(line, r"ino:(\d+)") or None, user(line), cookie, mark(line), *timer(line)),
        *(shutdown(line.details), number(line, r"v6only:(\d)"), number(line, r"tos:(\w+)", 16)),
        *(number(line, r"tclass:(\w+)", 16), number(line, r"class_id:(\w+)", 16), cgroup(line)),
        *(congestion(line), *memory(line.details), *options(line)),
    )


def test_tcp_and_udp_sockets_are_those_of_ss(world: World, need: Need) -> None:
    need("ss")

    def ask() -> list[SsInet]:
        return list(ss_inet(world.run("ss", "-HOntuaeomi", "--tos", "--inet-sockopt")))

    rows, lines = world.agree(INET, ask)
    # Sockets that are only bound are shown by some versions of ss, as UNCONN.
    shown = [line for line in lines if (line.netid, line.state) != ("tcp", "UNCONN")]
    assert rows == ordered(map(inet_row, shown))


def test_the_machine_has_sockets_in_every_state(world: World) -> None:
    sql = "select distinct protocol, state from sockets where family in ('inet', 'inet6')"
    states = world.query(sql)
    tcp = (
        *("BOUND_INACTIVE", "CLOSE_WAIT", "CLOSING", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2"),
        *("LAST_ACK", "LISTEN", "SYN_RECV", "SYN_SENT", "TIME_WAIT"),
    )
    datagrams = {
        "udp": ("ESTABLISHED", "UNCONN"),
        "udplite": ("ESTABLISHED", "UNCONN"),
        "raw": ("ESTABLISHED", "UNCONN"),
        "icmp": ("UNCONN",),
        "icmp6": ("UNCONN",),
        "mptcp": ("ESTABLISHED", "LISTEN"),
    }
    expected = [("tcp", state) for state in tcp]
    for protocol, seen in datagrams.items():
        if protocol.removesuffix("6") not in world.missing:
            expected += [(protocol, state) for state in seen]
    assert states == ordered(expected)


def test_the_holders_of_inet_sockets_are_those_of_ss(world: World, need: Need) -> None:
    need("ss")
    sql = """
        select cookie, pid, fd from sockets join fds using (inode)
        where protocol in ('tcp', 'udp') and state <> 'BOUND_INACTIVE'
    """

    def ask() -> list[SsInet]:
        return list(ss_inet(world.run("ss", "-HOntuaep")))

    rows, lines = world.agree(sql, ask)
    assert rows == ordered(
        (number(line, r"sk:([0-9a-f]+)", 16), pid, fd)
        for line in lines
        if (line.netid, line.state) != ("tcp", "UNCONN")
        for pid, fd in ss_users(line.details)
    )


def test_raw_sockets_are_those_of_ss(world: World, need: Need) -> None:
    """They are read from text where the kernel has no raw_diag: then ss knows less of them."""
    need("ss")
    sql = """
        select family, state, src, ip_protocol, recv_queue, send_queue, pid, fd
        from sockets join fds using (inode) where protocol = 'raw'
    """

    def ask() -> list[SsInet]:
        # With a single protocol ss leaves out its column.
        lines = ss_inet(world.run("ss", "-HOnwuaep"))
        return [line for line in lines if line.netid == "raw"]

    def row(line: SsInet) -> Row:
        queued = line.recv_q, line.send_q
        (holder,) = ss_users(line.details)
        return (
            *(family(line), state(line), address(line.local), int(line.local_port)),
            *(*queued, *holder),
        )

    rows, lines = world.agree(sql, ask)
    assert rows == ordered(map(row, lines))


# -- unix ----------------------------------------------------------------------------------------

UNIX = f"""
    select socktype, state, src, recv_queue, send_queue, accept_queue, backlog, pending,
           inode, peer_inode, shutdown, vfs_inode, vfs_dev, dst, {", ".join(MEMORY)}
    from sockets where family = 'unix'
"""


def unix_row(line: SsUnix, names: dict[int, bytes]) -> Row:
    types = {"u_str": "stream", "u_dgr": "dgram", "u_seq": "seqpacket"}
    words = dict(word.split(":", 1) for word in line.details.split() if ":" in word)
    _, _, waiting = line.details.partition("peers:")
    file = int(words["ino"]) if "ino" in words else None
    return (
        *(types[line.netid], state(line), line.name, *queues(line)),
        len(waiting.split()) if line.state == "LISTEN" else None,
        *(line.inode, line.peer or None, shutdown(line.details)),
        *(file, device(words.get("dev")), names.get(line.peer, b"*"), *memory(line.details)),
    )


def as_ss(row: Row) -> Row:
    """The names in a row of sockql as ss prints them."""
    cells: list[Any] = list(row)
    cells[2], cells[13] = name(cells[2]), name(cells[13])
    return tuple(cells)


def test_unix_sockets_are_those_of_ss(world: World, need: Need) -> None:
    need("ss")

    def ask() -> list[SsUnix]:
        return list(ss_unix(world.run("ss", "-HOnxaem")))

    rows, lines = world.agree(UNIX, ask)
    names = {line.inode: line.name for line in lines}
    assert ordered(map(as_ss, rows)) == ordered(unix_row(line, names) for line in lines)


def test_the_holders_of_unix_sockets_are_those_of_ss(world: World, need: Need) -> None:
    need("ss")
    sql = "select inode, pid, fd from sockets join fds using (inode) where family = 'unix'"

    def ask() -> list[SsUnix]:
        return list(ss_unix(world.run("ss", "-HOnxaemp")))

    rows, lines = world.agree(sql, ask)
    assert rows == ordered(
        (line.inode, pid, fd) for line in lines for pid, fd in ss_users(line.details)
    )


def test_sockets_counted_where_they_come_from_are_those_of_ss(world: World, need: Need) -> None:
    need("ss")

    def ask() -> Counter[str]:
        lines = ss_inet(world.run("ss", "-HOntuaep"))
        return Counter(state(line) for line in lines if line.netid == "tcp")

    by_state = "select state, count(*) from sockets where protocol = 'tcp' group by state"
    rows, counted = world.agree(by_state, ask)
    found: dict[str, int] = dict(rows)
    only_bound = found.pop("BOUND_INACTIVE")  # which ss of some versions does not list
    assert found == counted
    assert len(counted) > 5
    ((total,),) = world.query("select count(*) from sockets where protocol = 'tcp'")
    assert total == counted.total() + only_bound
