"""``sockets``, ``fds`` and ``processes`` and psutil: the same rows for all that both of them show."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys

import pytest

from tests.differential.machine import Row, World, ordered

if importlib.util.find_spec("psutil") is None:
    pytest.skip("psutil is not installed", allow_module_level=True)

_CONNECTIONS = """
import json, os, psutil
rows = [tuple(connection) for connection in psutil.net_connections("all")]
print(json.dumps([row for row in rows if row[6] != os.getpid()]))
"""

_PROCESSES = """
import json, psutil, sys
def row(p):
    with p.oneshot():
        uids, gids, times, memory = p.uids(), p.gids(), p.cpu_times(), p.memory_info()
        return (p.pid, p.ppid(), p.name(), p.exe(), p.cwd(), uids.real, uids.effective,
                uids.saved, gids.real, gids.effective, gids.saved, p.num_threads(), p.nice(),
                p.num_fds(), memory.rss, memory.vms,
                round(times.user * 1000), round(times.system * 1000), int(p.create_time()))
print(json.dumps([row(psutil.Process(int(pid))) for pid in sys.argv[1:]]))
"""


# -- how psutil spells what sockql says ------------------------------------------------------------


def state(protocol: str | None, state: str) -> str:
    """States are TCP's; everything else has none."""
    return state if protocol == "tcp" else "NONE"


def end(address: str | None, port: int | None) -> list[object]:
    """An address without a port counts as none."""
    return [address, port] if address is not None and port else []


def path(name: str | None) -> str:
    """psutil takes a line of /proc/net/unix for eight words; a name of more than one is lost."""
    if name is None:
        return ""
    words = name.replace("\\x00", "@").replace("\\xe9", "\udce9").split("\n")[0].split(" ")
    words = [word for word in words if word]
    return words[0] if len(words) == 1 else ""


def parent(pid: int | None) -> int:
    """A process without a parent has the parent 0."""
    return pid or 0


# -- connections ---------------------------------------------------------------------------------

#: psutil shows one holder of a socket: of the processes the last, of its descriptors the first.
SOCKETS = """
    with holder as (
        select pid, min(fd) as fd, inode from fds
        where inode is not null and (inode, pid) in (
            select inode, max(pid) from fds where inode is not null group by inode
        )
        group by inode
    )
    select family, protocol, socktype, state, src, sport, dst, dport, fd, pid, inode
    from sockets left join holder using (inode)
    where state <> 'BOUND_INACTIVE' and (family = 'unix' or protocol in ('tcp', 'udp'))
"""


def connection(row: Row) -> Row:
    family, protocol, socktype, tcp_state, src, sport, dst, dport, fd, pid, _ = row
    number = {"inet": socket.AF_INET, "inet6": socket.AF_INET6, "unix": socket.AF_UNIX}[family]
    type = getattr(socket, f"SOCK_{socktype.upper()}")
    ends: tuple[object, object] = (
        (path(src), "")
        if family == "unix"
        else (
            end(src, sport),
            end(dst, dport),
        )
    )
    holder = (-1 if fd is None else fd, pid)
    return holder[0], int(number), int(type), *ends, state(protocol, tcp_state), holder[1]


def test_connections_and_their_holders_are_those_of_psutil(world: World) -> None:
    def ask() -> list[Row]:
        return [tuple(row) for row in json.loads(world.run(sys.executable, "-c", _CONNECTIONS))]

    rows, found = world.agree(SOCKETS, ask)
    # psutil makes a set of its rows: two sockets in flight or without a name can be one there.
    # Connections to a unix socket that wait for accept(2) are only in the text file.
    expected = set(map(repr, map(connection, rows)))
    waiting = {
        repr((-1, int(socket.AF_UNIX), int(type), name, "", "NONE", None))
        for type, name in ((socket.SOCK_STREAM, "stream"), (socket.SOCK_SEQPACKET, "seqpacket"))
    }
    assert sorted(expected | waiting) == sorted(map(repr, found))


# -- processes -----------------------------------------------------------------------------------


def test_processes_are_those_of_psutil(world: World) -> None:
    sql = f"""
        select pid, parent, name, path, cwd, uid, euid, suid, gid, egid, sgid, threads, nice,
               fd_count, resident_size, total_size, user_time, system_time, start_time
        from processes where pid in ({",".join(map(str, world.pids))})
    """
    pids = list(map(str, world.pids))

    def ask() -> list[Row]:
        answer = world.run(sys.executable, "-c", _PROCESSES, *pids)
        return [tuple(row) for row in json.loads(answer)]

    rows, found = world.agree(sql, ask)
    shown = [(pid, parent(above), *rest) for pid, above, *rest in rows]
    assert ordered(shown) == ordered(found)
