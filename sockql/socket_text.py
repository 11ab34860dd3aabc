"""Sockets from the text files of /proc/net, for what sock_diag cannot tell.

Ping sockets have no sock_diag at all; the others are read from here when the kernel lacks the
handler or refuses to answer.
"""

from __future__ import annotations

from _socket import htons

from sockql import proc_net
from sockql.socket_record import LISTEN
from sockql.sockstat import read_net

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sockql.host import Host
    from sockql.request import Request
    from sockql.socket_record import Origin, SocketRecord

# Protocols whose "port" is a number of another kind.
_PORTLESS = ("raw", "icmp", "icmp6")


def file_name(family: str, protocol: str) -> str:
    """The file in /proc/net: ``tcp``, ``raw6``, ``icmp6``."""
    return protocol if family == "inet" or protocol.endswith("6") else f"{protocol}6"


def read(request: Request, host: Host, name: str) -> bytes:
    """The whole file ``net/NAME``.

    :raises OSError: when it cannot be read.
    """
    data = b"".join(read_net(host, name))
    request.trace.note(f"read /proc/net/{name}")
    request.trace.bytes += len(data)
    return data


def inet_records(data: bytes, name: str, origin: Origin, states: int) -> Iterator[SocketRecord]:
    """Records in one of ``states``; no cookie, no attributes, no backlog limit of a listener.

    :raises ParseError: for a line that is not laid out as the file's header says.
    """
    portless = origin.protocol in _PORTLESS
    for line in proc_net.parse_inet(data, f"/proc/net/{name}"):
        state = line[proc_net.STATE]
        if not states >> state & 1:
            continue
        number = line[proc_net.SPORT]
        record = (
            origin,
            state,
            line[proc_net.TIMER],
            line[proc_net.RETRANSMITS],
            0 if portless else htons(number),
            0 if portless else htons(line[proc_net.DPORT]),
            line[proc_net.SRC],
            line[proc_net.DST],
            0,
            None,
            line[proc_net.EXPIRES],
            line[proc_net.RECV_QUEUE],
            None if state == LISTEN else line[proc_net.SEND_QUEUE],
            line[proc_net.UID],
            line[proc_net.INODE],
            b"",
        )
        yield (*record, number) if portless else record


def strangers(family: str, own: bytes, other: bytes) -> set[int]:
    """Inodes of ping sockets that are listed for ``family`` but are of the other one.

    ``own`` and ``other`` are /proc/net/icmp and icmp6, or the other way round.  After the first
    socket of a chain of its hash table the kernel lists whatever follows, of both families
    (net/ipv4/ping.c, ping_get_next()).  So a socket is surely in the file of its family, and the
    first one of a chain is of the file's family; what remains uncertain is taken for IPv4.
    """
    mine, my_firsts = _chains(own)
    others, their_firsts = _chains(other)
    uncertain = (mine & others) - my_firsts - {0}
    return uncertain if family == "inet6" else uncertain & their_firsts


def _chains(data: bytes) -> tuple[set[int], set[int]]:
    """The inodes in a file, and those that are the first of a chain, by its number at the left."""
    everything: set[int] = set()
    firsts: set[int] = set()
    chain = b""
    lines = data.split(b"\n")[1:]
    for line, row in zip(lines, proc_net.parse_inet(data, "/proc/net/icmp") if data else ()):
        everything.add(row[proc_net.INODE])
        before, chain = chain, line.partition(b":")[0].strip()
        if chain != before:
            firsts.add(row[proc_net.INODE])
    return everything, firsts


def unix_records(data: bytes, origins: Mapping[int, Origin], states: int) -> Iterator[SocketRecord]:
    """Records in one of ``states``: name, type, state and inode, and the name may be forged.

    :raises ParseError: when the first lines are not laid out as documented.
    """
    for line in proc_net.parse_unix(data, "/proc/net/unix"):
        state = line[proc_net.UNIX_STATE]
        if not states >> state & 1:
            continue
        name = line[proc_net.UNIX_NAME]
        if name is not None and line[proc_net.UNIX_ABSTRACT]:
            name = b"\0" + name
        inode = line[proc_net.UNIX_INODE]
        origin = origins[line[proc_net.UNIX_TYPE]]
        yield (origin, state, 0, 0, 0, 0, name, None, 0, None, 0, None, None, None, inode, b"")
