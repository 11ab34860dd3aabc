"""``sockets join fds join processes`` and ``lsof``: the same descriptors, field by field."""

from __future__ import annotations

from collections.abc import Callable

from tests.differential.machine import Row, World, ordered
from tests.differential.peers import LsofFile, lsof_files

Need = Callable[[str], None]


# -- how lsof spells what sockql says --------------------------------------------------------------


def access(mode: str) -> str:
    return {"r": "r", "w": "w", "rw": "u"}[mode]


def host(address: str) -> str:
    """``*`` for any address, brackets around IPv6, and IPv4-mapped addresses as IPv4."""
    if address in ("0.0.0.0", "::"):
        return "*"
    bare = address.removeprefix("::ffff:")
    return f"[{bare}]" if ":" in bare else bare


def name(src: str, sport: int, dst: str | None, dport: int | None) -> str:
    own = f"{host(src)}:{sport}"
    return own if dst is None else f"{own}->{host(dst)}:{dport}"


def unix_name(src: str | None, socktype: str) -> str:
    """lsof takes a name for one word of its line, and the kernel prints a NUL as ``@``."""
    words = [] if src is None else src.replace("\\x00", "@").split()[:1]
    return " ".join([*words, f"type={socktype.upper()}"])


# -- inet ----------------------------------------------------------------------------------------

INET = """
    select pid, name, euid, fd, mode, family, protocol, state, inode, src, sport, dst, dport,
           ifnull(recv_queue, accept_queue), ifnull(send_queue, 0)
    from sockets join fds using (inode) join processes using (pid)
    where protocol in ('tcp', 'udp', 'udplite') and state <> 'BOUND_INACTIVE'
"""


def inet_row(row: Row) -> Row:
    pid, command, uid, fd, mode, family, protocol, state, inode, *rest = row
    *ends, received, sent = rest
    return (
        *(pid, command, uid, str(fd), access(mode), {"inet": "IPv4", "inet6": "IPv6"}[family]),
        *(protocol.upper(), str(inode), name(*ends)),
        *(state if protocol == "tcp" else None, str(received), str(sent)),
    )


def inet_fields(file: LsofFile) -> Row:
    fields, tcp = file.fields, file.tcp
    return (
        *(file.pid, file.command, file.user, file.fd, fields["a"], fields["t"], fields["P"]),
        *(fields["d"], fields["n"], tcp.get("ST"), tcp["QR"], tcp["QS"]),
    )


def test_inet_descriptors_are_those_of_lsof(world: World, need: Need) -> None:
    need("lsof")

    def ask() -> list[LsofFile]:
        return list(lsof_files(world.run("lsof", "-nP", "-i", "-F")))

    rows, files = world.agree(INET, ask)
    assert ordered(map(inet_row, rows)) == ordered(map(inet_fields, files))


# -- unix ----------------------------------------------------------------------------------------

UNIX = """
    select pid, name, fd, mode, inode, src, socktype, state
    from sockets join fds using (inode) join processes using (pid) where family = 'unix'
"""


def unix_row(row: Row) -> Row:
    pid, command, fd, mode, inode, src, socktype, state = row
    shown = {"LISTEN": "LISTEN", "ESTABLISHED": "CONNECTED", "UNCONN": "UNCONNECTED"}[state]
    named = unix_name(src, socktype)
    return pid, command, str(fd), access(mode), "unix", str(inode), named, shown


def unix_fields(file: LsofFile) -> Row:
    fields = file.fields
    return (
        *(file.pid, file.command, file.fd, fields["a"], fields["t"], fields["i"]),
        *(fields["n"], file.tcp["ST"]),
    )


def test_unix_descriptors_are_those_of_lsof(world: World, need: Need) -> None:
    need("lsof")

    def ask() -> list[LsofFile]:
        return list(lsof_files(world.run("lsof", "-U", "-F")))

    rows, files = world.agree(UNIX, ask)
    assert ordered(map(unix_row, rows)) == ordered(map(unix_fields, files))


# -- every descriptor ----------------------------------------------------------------------------


def test_the_numbers_of_all_descriptors_are_those_of_lsof(world: World, need: Need) -> None:
    need("lsof")
    pids = ",".join(map(str, world.pids))
    sql = f"select pid, fd, mode from fds where pid in ({pids})"

    def ask() -> list[LsofFile]:
        files = lsof_files(world.run("lsof", "-nP", "-p", pids, "-F"))
        return [file for file in files if file.fd.isdigit()]

    rows, files = world.agree(sql, ask)
    expected = ((file.pid, int(file.fd), file.fields["a"]) for file in files)
    assert ordered((pid, fd, access(mode)) for pid, fd, mode in rows) == ordered(expected)
