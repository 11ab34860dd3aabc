"""Sockets from the text files of /proc/net, for what sock_diag cannot tell.

Ping sockets have no sock_diag at all; the others are read from here when the kernel lacks the
handler or refuses to answer.
"""

from __future__ import annotations

from _socket import htons
from errno import ENOENT

from sockql.errors import DataError
from sockql.proc.procfs import GONE
from sockql.sockets import proc_net
from sockql.sockets.plan import INET_SOCKTYPES
from sockql.sockets.record import INODE, LISTEN
from sockql.sockets.sockstat import read_net

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Final

    from sockql.errors import KernelRefused
    from sockql.host import Host
    from sockql.request import Request
    from sockql.sockets.record import Origin, SocketRecord
    from sockql.sockets.scan import Scan

# Protocols whose "port" is a number of another kind.
_PORTLESS: Final = ("raw", "icmp", "icmp6")
_ALWAYS_THERE: Final = ("tcp", "udp", "unix")


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


# -- what takes the place of sock_diag ----------------------------------------------------------


def inet_batches(
    scan: Scan,
    families: tuple[str, ...],
    protocol: str,
    states: int,
    error: KernelRefused | None = None,
) -> Iterator[Iterable[SocketRecord]]:
    """Batches for ``scan``; ``error`` says why, None where there is no other source.

    :raises DataError: when the files cannot be read either.
    """
    for family in families:
        name = file_name(family, protocol)
        try:
            data = read(scan.request, scan.host, name)
        except OSError as failure:
            # IPv6 or a protocol may be left out of the kernel; without TCP there is no net.
            if failure.errno == ENOENT and not _required(scan.host, name):
                continue
            _unreadable(scan.host, name, failure, error)
            continue
        origin = scan.origin(
            family, protocol, INET_SOCKTYPES.get(protocol, "dgram"), source="procfs"
        )
        records = inet_records(data, name, origin, states)
        if protocol.startswith("icmp"):
            skip = strangers(family, data, _other_pings(scan.host, name))
            yield [record for record in records if record[INODE] not in skip]
        else:
            yield records


def unix_batches(
    scan: Scan, origins: dict[int, Origin], states: int, error: KernelRefused
) -> Iterator[Iterable[SocketRecord]]:
    """Batches for ``scan`` from /proc/net/unix.

    :raises DataError: when it cannot be read either.
    """
    for origin in origins.values():
        origin.source = "procfs"
    try:
        data = read(scan.request, scan.host, "unix")
    except OSError as failure:
        _unreadable(scan.host, "unix", failure, error)
        return
    yield unix_records(data, origins, states)


def _other_pings(host: Host, name: str) -> bytes:
    """The ping sockets of the other family, of which some may be listed in ``name``."""
    try:
        return b"".join(read_net(host, "icmp" if name == "icmp6" else "icmp6"))
    except OSError:
        return b""


def _required(host: Host, name: str) -> bool:
    """Whether a kernel must have the file: not those of IPv6 beside those of IPv4."""
    base = name.removesuffix("6")
    if base not in _ALWAYS_THERE:
        return False
    try:
        return name == base or not any(read_net(host, base))
    except OSError:
        return True


def _unreadable(host: Host, name: str, failure: OSError, error: KernelRefused | None) -> None:
    if host.netns is not None and failure.errno in GONE:
        return  # the other namespace has no process any more
    reason = f"{host.proc_path}/self/net/{name}: {failure.strerror}"
    if error is not None and host.netns is None:
        raise DataError(f"sockets: {error}, and {reason}")
    host.notice(f"sockets: {reason}")
