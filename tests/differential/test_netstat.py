"""``sockets`` and ``netstat``: the same rows for all that both of them show."""

from __future__ import annotations

from collections.abc import Callable

from tests.differential.machine import Row, World, ordered
from tests.differential.peers import NetstatInet, NetstatUnix, netstat_inet, netstat_unix

Need = Callable[[str], None]


# -- how netstat spells what sockql says -----------------------------------------------------------


def proto(protocol: str, family: str) -> str:
    short = {"udplite": "udpl"}.get(protocol, protocol)
    return short + ("6" if family == "inet6" else "")


def endpoint(address: str | None, port: int | None, family: str) -> str:
    """An IPv4-mapped address is shown as the IPv4 address, nobody as all zeros, no port as ``*``."""
    if address is None:
        address = "::" if family == "inet6" else "0.0.0.0"
    return f"{address.removeprefix('::ffff:')}:{port or '*'}"


def state(protocol: str, state: str) -> str:
    """Of raw sockets the number of the state, of unconnected datagram sockets nothing."""
    if protocol == "raw":
        return {"ESTABLISHED": "1", "UNCONN": "7"}[state]
    return "" if state == "UNCONN" else state


def timer(name: str | None) -> str:
    return {None: "off", "persist": "probe"}.get(name, str(name))


def program(pid: int | None, name: str | None) -> str:
    """netstat shows one of the processes that hold a socket: the first it meets."""
    return "-" if pid is None else f"{pid}/{name}"


def path(name: str | None) -> bytes:
    """netstat takes a name for one word of its line, and the kernel prints a NUL as ``@``."""
    if name is None:
        return b""
    text = name.replace("\\x00", "@").replace("\\xe9", "\udce9")
    words = text.encode("utf-8", "surrogateescape").split()
    return words[0]


# -- inet ----------------------------------------------------------------------------------------

#: The process with the lowest number that holds a socket, for each of them.
HOLDERS = """
    with holder as (
        select inode, min(pid) as pid from fds where inode is not null group by inode
    )
"""

INET = f"""
    {HOLDERS}
    select protocol, family, state, src, ifnull(sport, ip_protocol), dst, dport,
           ifnull(recv_queue, accept_queue), ifnull(send_queue, 0), ifnull(socket_uid, 0),
           ifnull(inode, 0), pid, name, timer
    from sockets left join holder using (inode) left join processes using (pid)
    where protocol in ('tcp', 'udp', 'udplite', 'raw') and state <> 'BOUND_INACTIVE'
"""


def inet_row(row: Row) -> NetstatInet:
    protocol, family, tcp_state, src, sport, dst, dport, *rest = row
    received, sent, uid, inode, pid, name, timer_name = rest
    return NetstatInet(
        proto=proto(protocol, family),
        recv_q=received,
        send_q=sent,
        local=endpoint(src, sport, family),
        foreign=endpoint(dst, dport, family),
        state=state(protocol, tcp_state),
        user=uid,
        inode=inode,
        program=program(pid, name),
        timer=timer(timer_name),
    )


def test_inet_sockets_and_their_holders_are_those_of_netstat(world: World, need: Need) -> None:
    need("netstat")

    def ask() -> list[NetstatInet]:
        return list(netstat_inet(world.run("netstat", "-tuwUaneopW")))

    rows, lines = world.agree(INET, ask)
    assert ordered(map(inet_row, rows)) == ordered(lines)


# -- unix ----------------------------------------------------------------------------------------

UNIX = f"""
    {HOLDERS}
    select state, socktype, inode, pid, name, src
    from sockets left join holder using (inode) left join processes using (pid)
    where family = 'unix'
"""


def unix_row(row: Row) -> NetstatUnix:
    unix_state, socktype, inode, pid, name, src = row
    shown = {"LISTEN": "LISTENING", "ESTABLISHED": "CONNECTED", "UNCONN": ""}[unix_state]
    flags = "ACC" if unix_state == "LISTEN" else ""
    return NetstatUnix(flags, socktype.upper(), shown, inode, program(pid, name), path(src))


def test_unix_sockets_and_their_holders_are_those_of_netstat(world: World, need: Need) -> None:
    need("netstat")

    def ask() -> list[NetstatUnix]:
        return list(netstat_unix(world.run("netstat", "-xanep")))

    rows, lines = world.agree(UNIX, ask)
    # Connections that wait for accept(2) have no inode and are only in the text file.
    assert ordered(map(unix_row, rows)) == ordered(line for line in lines if line.inode)
