"""What the other programs print, taken apart; nothing here knows sockql."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# -- ss -----------------------------------------------------------------------------------------


class SsInet(NamedTuple):
    """A line of ``ss -HOnaeomp -t -u -w``; numbers as numbers, words as ss has them."""

    netid: str
    state: str
    recv_q: int
    send_q: int
    local: str
    local_port: str
    peer: str
    peer_port: str
    details: str

    def detail(self, pattern: str) -> str | None:
        """What follows ``name:`` in the details, by a pattern with one group."""
        found = re.search(rf"(?:^| ){pattern}(?= |$)", self.details)
        return found.group(1) if found else None


_SS_INET = re.compile(r"(\S+) +(\S+) +(\d+) +(\d+) +(\S+):([0-9*]+) +(\S+):([0-9*]+) *(.*?) *$")


def ss_inet(output: bytes) -> Iterator[SsInet]:
    """The lines about inet sockets."""
    for line in output.decode().splitlines():
        found = _SS_INET.match(line)
        assert found, f"ss: {line!r}"
        netid, state, recv_q, send_q, *rest = found.groups()
        yield SsInet(netid, state, int(recv_q), int(send_q), *rest)


class SsUnix(NamedTuple):
    """A line of ``ss -HOnaemp -x``; the name as ss prints it."""

    netid: str
    state: str
    recv_q: int
    send_q: int
    name: bytes
    inode: int
    peer: int
    details: str


# A name may hold anything, so an entry ends where the next one starts.
_SS_UNIX = re.compile(
    rb"(u_\S+) +(\S+) +(\d+) +(\d+) {1,}(.*?) (\d+) +\* (\d+) +(.*? ?<?-+>?[^\n]*?) *\n"
    rb"(?=u_|\Z)",
    re.DOTALL,
)


def ss_unix(output: bytes) -> Iterator[SsUnix]:
    """The entries about unix sockets."""
    position = 0
    while position < len(output):
        found = _SS_UNIX.match(output, position)
        assert found, f"ss: {output[position : position + 200]!r}"
        position = found.end()
        netid, state, recv_q, send_q, name, inode, peer, details = found.groups()
        yield SsUnix(
            netid.decode(),
            state.decode(),
            int(recv_q),
            int(send_q),
            name,
            int(inode),
            int(peer),
            details.decode(),
        )


def ss_users(details: str) -> list[tuple[int, int]]:
    """(pid, fd) of ``users:(("name",pid=1,fd=3),…)``."""
    return [(int(p), int(f)) for p, f in re.findall(r",pid=(\d+),fd=(\d+)\)", details)]


# -- netstat ------------------------------------------------------------------------------------


class NetstatInet(NamedTuple):
    """A line of ``netstat -tuwUaneopW`` about an inet socket."""

    proto: str
    recv_q: int
    send_q: int
    local: str
    foreign: str
    state: str
    user: int
    inode: int
    program: str
    timer: str


class NetstatUnix(NamedTuple):
    """A line of ``netstat -xanep`` about a unix socket."""

    flags: str
    type: str
    state: str
    inode: int
    program: str
    path: bytes


_NETSTAT_INET = re.compile(
    r"(tcp6?|udp6?|udpl6?|raw6?) +(\d+) +(\d+) (\S+) +(\S+) +([A-Z0-9_]*) +(\d+) +(\d+) +"
    r"(-|\d+/.*?) +(\w+) \([0-9.]+/\d+/\d+\)$"
)
_NETSTAT_UNIX = re.compile(
    rb"unix +\d+ +\[ ([A-Z ]*)\] +(\S+) +([A-Z]*) +(\d+) +(-|\d+/\S+) +(\S*)$"
)


def netstat_inet(output: bytes) -> Iterator[NetstatInet]:
    """The lines about inet sockets."""
    for line in output.decode().splitlines()[2:]:
        found = _NETSTAT_INET.match(line)
        assert found, f"netstat: {line!r}"
        proto, recv_q, send_q, local, foreign, state, user, inode, program, timer = found.groups()
        yield NetstatInet(
            *(proto, int(recv_q), int(send_q), local, foreign, state),
            *(int(user), int(inode), program, timer),
        )


def netstat_unix(output: bytes) -> Iterator[NetstatUnix]:
    """The lines about unix sockets."""
    for line in output.splitlines()[2:]:
        found = _NETSTAT_UNIX.match(line)
        assert found, f"netstat: {line!r}"
        flags, type, state, inode, program, path = found.groups()
        yield NetstatUnix(
            *(flags.decode().strip(), type.decode(), state.decode()),
            *(int(inode), program.decode(), path),
        )


# -- lsof ---------------------------------------------------------------------------------------


class LsofFile(NamedTuple):
    """One descriptor of ``lsof -F``: of the process pid, command and user, and fields by letter."""

    pid: int
    command: str
    user: int
    fd: str
    fields: dict[str, str]
    tcp: dict[str, str]


def lsof_files(output: bytes) -> Iterator[LsofFile]:
    """The descriptors, in the order of lsof."""
    pid, command, user = 0, "", 0
    file: LsofFile | None = None
    for line in output.decode("utf-8", "backslashreplace").splitlines():
        letter, value = line[0], line[1:]
        if letter in "pf" and file is not None:
            yield file
            file = None
        if letter == "p":
            pid = int(value)
        elif letter == "c":
            command = value
        elif letter == "u":
            user = int(value)
        elif letter == "f":
            file = LsofFile(pid, command, user, value, {}, {})
        elif file is not None and letter == "T":
            key, _, text = value.partition("=")
            file.tcp[key] = text
        elif file is not None:
            file.fields[letter] = value
    if file is not None:
        yield file
