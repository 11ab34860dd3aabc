"""The text files of /proc/net: what remains where the kernel cannot be asked by sock_diag.

They tell less than sock_diag (no cookie, no tcp_info, no backlog limit of a listener, no mark) and
they are printed line by line, so a name in /proc/net/unix can look like anything; see
:func:`parse_unix`.  Both parsers are pure: bytes in, light tuples out, indexed by the constants
here.  Columns are found by the header line of the file, never by the kernel's version.
"""

from __future__ import annotations

import os
from _socket import AF_INET, AF_INET6
from functools import lru_cache
from struct import pack, unpack

from sockql.errors import ParseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    #: family, source, source port, destination, destination port, state, send queue, receive
    #: queue, timer, expires, retransmits, uid, inode, drops.
    InetLine: TypeAlias = tuple[
        int, bytes, int, bytes, int, int, int, int, int, int, int, int, int, int | None
    ]
    #: type, state, inode, name, abstract, continued.
    UnixLine: TypeAlias = tuple[int, int, int, bytes | None, bool, int]

# Fields of an InetLine.
FAMILY: Final = 0  # AF_INET or AF_INET6, by the width of the address
SRC: Final = 1  # 4 or 16 bytes in network order
SPORT: Final = 2  # for raw sockets the IP protocol's number
DST: Final = 3
DPORT: Final = 4
STATE: Final = 5  # TCP_ESTABLISHED … as in sock_diag; a UDP or raw socket has 1 or 7
SEND_QUEUE: Final = 6  # bytes
RECV_QUEUE: Final = 7  # bytes; for a TCP listener the connections that wait for accept(2)
TIMER: Final = 8  # as idiag_timer: 0 off, 1 on, 2 keepalive, 3 timewait, 4 persist
EXPIRES: Final = 9  # milliseconds, in steps of a clock tick
RETRANSMITS: Final = 10  # as idiag_retrans, probes while the timer is 2 or 4; timeouts in SYN_RECV
UID: Final = 11
INODE: Final = 12  # 0: none
DROPS: Final = 13  # None where the file has no such column (tcp, tcp6)

# Fields of a UnixLine.
UNIX_TYPE: Final = 0  # SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET
UNIX_STATE: Final = 1  # as sock_diag says it: 1 connected, 7 not, 10 listening
UNIX_INODE: Final = 2  # 0: connected, but not yet accepted
UNIX_NAME: Final = 3  # None: unnamed; an abstract name without its leading NUL
UNIX_ABSTRACT: Final = 4
UNIX_CONTINUED: Final = 5  # lines after it that were no entries: newlines in a name

# include/net/tcp_states.h, include/uapi/linux/net.h
_ESTABLISHED: Final = 1
_CLOSE: Final = 7
_LISTEN: Final = 10
_SO_ACCEPTCON: Final = 0x10000
_SS_STATES: Final = (
    _CLOSE,  # SS_FREE
    _CLOSE,  # SS_UNCONNECTED
    _ESTABLISHED,  # SS_CONNECTING: connected by the peer, not yet accepted
    _ESTABLISHED,  # SS_CONNECTED
    _CLOSE,  # SS_DISCONNECTING
)
_KEEPALIVE: Final = 2
_PERSIST: Final = 4

_UNIX_PATH_MAX: Final = 108
_QUOTED: Final = 100  # of a broken line

# What a column's values look like; a column that is not named here is skipped.
_INET_COLUMNS: Final = {
    b"sl": rb"[0-9]{1,10}:",
    b"local_address": rb"(?P<src>[0-9A-F]{8}|[0-9A-F]{32}):(?P<sport>[0-9A-F]{4})",
    b"rem_address": rb"(?P<dst>[0-9A-F]{8}|[0-9A-F]{32}):(?P<dport>[0-9A-F]{4})",
    b"st": rb"(?P<st>[0-9A-F]{2})",
    b"tx_queue:rx_queue": rb"(?P<tx>[0-9A-F]{8,15}):(?P<rx>[0-9A-F]{8,15})",
    b"tr:tm->when": rb"(?P<tr>[0-9A-F]{2}):(?P<when>[0-9A-F]{8,12})",
    b"retrnsmt": rb"(?P<retrans>[0-9A-F]{8})",
    b"uid": rb"(?P<uid>[0-9]{1,10})",
    b"timeout": rb"(?P<probes>-?[0-9]{1,10})",
    b"inode": rb"(?P<inode>[0-9]{1,18})",
    b"drops": rb"(?P<drops>[0-9]{1,10})",
}
_INET_FIELDS: Final = (
    *("src", "sport", "dst", "dport", "st", "tx", "rx"),
    *("tr", "when", "retrans", "uid", "probes", "inode", "drops"),
)
_UNIX_COLUMNS: Final = {
    b"Num": rb"\S+:",  # %pK: a hash, zeros or (null), as kptr_restrict has it
    b"RefCount": rb"[0-9A-F]{8}",
    b"Flags": rb"(?P<flags>[0-9A-F]{8})",
    b"Type": rb"(?P<type>000[125])",
    b"St": rb"(?P<st>0[0-4])",
    b"Inode": rb"(?P<inode>[0-9]{1,18})",
}
_UNIX_FIELDS: Final = ("flags", "type", "st", "inode", "name")


def parse_inet(data: bytes, path: str) -> Iterator[InetLine]:
    """Lines of /proc/net/{tcp,tcp6,udp,udp6,udplite,udplite6,raw,raw6,icmp,icmp6}.

    ``data`` is the whole file, ``path`` its name for the error.  An address is printed as
    32-bit words of the host's byte order and comes back in network order.

    :raises ParseError: for a line that is not laid out as the file's header says.

    Source: net/ipv4/tcp_ipv4.c (get_tcp4_sock, get_openreq4, get_timewait4_sock),
    net/ipv4/udp.c, net/ipv4/raw.c, net/ipv4/ping.c, net/ipv6/datagram.c; proc(5).
    """
    lines = _lines(data)
    match = _inet_pattern(lines[0], path).fullmatch
    ticks = os.sysconf("SC_CLK_TCK")  # the kernel's USER_HZ
    addresses: dict[bytes, tuple[int, bytes]] = {}
    for number in range(1, len(lines)):
        found = match(lines[number])
        if found is None:
            raise _broken(path, number + 1, lines[number], "expected a socket's line")
        src, sport, dst, dport, st, tx, rx, tr, when, retrans, uid, probes, inode, drops = (
            found.group(*_INET_FIELDS)
        )
        if src not in addresses:
            addresses[src] = _address(src)
        if dst not in addresses:
            addresses[dst] = _address(dst)
        family, source = addresses[src]
        if len(dst) != len(src):
            raise _broken(path, number + 1, lines[number], "expected addresses of one family")
        timer = int(tr, 16)
        yield (
            family,
            source,
            int(sport, 16),
            addresses[dst][1],
            int(dport, 16),
            int(st, 16),
            int(tx, 16),
            int(rx, 16),
            timer,
            int(when, 16) * 1000 // ticks,
            int(probes) if timer in (_KEEPALIVE, _PERSIST) else int(retrans, 16),
            int(uid),
            int(inode),
            int(drops) if drops else None,
        )


def parse_unix(data: bytes, path: str) -> Iterator[UnixLine]:
    r"""Lines of /proc/net/unix; names in it **can be forged**.

    The kernel prints a name as it is, newlines included, and every NUL as ``@``.  So whoever
    binds a socket to ``"a\n0: 00000002 … 4711 /run/x"`` adds a line for a socket that does not
    exist, and ``@a@b`` may be any of four names.  A line that is no entry can only be the rest
    of a name: it is put back to the name before it, or skipped when that has none (then the entry
    before it is a forgery); ``UNIX_CONTINUED`` counts such lines, so that the caller can warn.
    Nobody can make the file unreadable by the name of a socket.

    :raises ParseError: when the header or the first line is not laid out as documented.

    Source: net/unix/af_unix.c (unix_seq_show); the states there are the SS_* of
    include/uapi/linux/net.h and become those of sock_diag here.
    """
    lines = _lines(data)
    match = _unix_pattern(lines[0], path).fullmatch
    entry: tuple[int, int, int] | None = None
    name: bytes | None = None
    continued = 0
    for number in range(1, len(lines)):
        line = lines[number]
        found = match(line)
        if found is None:
            if entry is None:
                raise _broken(path, number + 1, line, "expected a socket's line")
            if name is not None and len(name) + 1 + len(line) <= _UNIX_PATH_MAX:
                name += b"\n" + line
            continued += 1
            continue
        if entry is not None:
            yield *entry, *_unix_name(name), continued
        flags, type, st, inode, name = found.group(*_UNIX_FIELDS)
        state = _LISTEN if int(flags, 16) & _SO_ACCEPTCON else _SS_STATES[int(st, 16)]
        entry = int(type, 16), state, int(inode)
        continued = 0
    if entry is not None:
        yield *entry, *_unix_name(name), continued


def _unix_name(printed: bytes | None) -> tuple[bytes | None, bool]:
    """The name and whether it is abstract; a path that starts with ``@`` cannot be told."""
    if printed is not None and printed.startswith(b"@"):
        return printed[1:], True
    return printed, False


def _lines(data: bytes) -> list[bytes]:
    """The lines without their newlines; the last one of a file is ended by one, too."""
    lines = data.split(b"\n")
    if len(lines) > 1 and not lines[-1]:
        del lines[-1]
    return lines


def _address(text: bytes) -> tuple[int, bytes]:
    words = len(text) // 8
    raw = bytes.fromhex(text.decode("ascii"))
    address = pack(f"={words}I", *unpack(f">{words}I", raw))
    return AF_INET if words == 1 else AF_INET6, address


def _broken(path: str, number: int, line: bytes, expected: str) -> ParseError:
    quoted = repr(line[:_QUOTED])[1:] + ("…" if len(line) > _QUOTED else "")
    return ParseError(f"{path} line {number}: {quoted}: {expected}")


@lru_cache(maxsize=32)
def _inet_pattern(header: bytes, path: str) -> re.Pattern[bytes]:
    """A pattern of one line, in the order of the columns that the header names."""
    import re

    words = (
        header.replace(b"tx_queue rx_queue", b"tx_queue:rx_queue")
        .replace(b"tr tm->when", b"tr:tm->when")
        .replace(b"remote_address", b"rem_address")  # as the IPv6 files spell it
        .split()
    )
    required = [column for column in _INET_COLUMNS if column != b"drops"]
    _check_header(header, words, required, path)
    pieces = [_INET_COLUMNS.get(word, rb"\S+") for word in words]
    absent = b"" if b"drops" in words else rb"(?P<drops>)"
    # /proc/net/tcp has values that its header does not name.
    return re.compile(rb" *" + rb" +".join(pieces) + absent + rb"(?: .*)?", re.DOTALL)


@lru_cache(maxsize=4)
def _unix_pattern(header: bytes, path: str) -> re.Pattern[bytes]:
    import re

    words = header.split()
    _check_header(header, words, [*_UNIX_COLUMNS, b"Path"], path)
    if words[-1] != b"Path":
        raise _broken(path, 1, header, "expected the column Path at the end")
    pieces = [_UNIX_COLUMNS.get(word, rb"\S+") for word in words[:-1]]
    # After the blank nothing follows when the name starts with a newline.
    return re.compile(rb" +".join(pieces) + rb"(?: (?P<name>.*))?", re.DOTALL)


def _check_header(header: bytes, words: list[bytes], required: list[bytes], path: str) -> None:
    for column in required:
        if words.count(column) != 1:
            raise _broken(path, 1, header, f"expected a header with the column {column.decode()}")
