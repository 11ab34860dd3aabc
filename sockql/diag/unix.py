"""sock_diag of unix sockets: the request, and the decoder from datagrams to records.

Source: include/uapi/linux/unix_diag.h, net/unix/diag.c.
"""

from __future__ import annotations

from _socket import AF_UNIX
from struct import Struct

from sockql.diag.inet import ALL_STATES, SOCK_DIAG_BY_FAMILY
from sockql.diag.netlink import HEADER, NLM_F_DUMP, NLM_F_REQUEST, answers, attributes, message
from sockql.errors import ParseError
from sockql.sockets.record import DST, INODE, SRC, STATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

    from sockql.sockets.record import Origin, SocketRecord

# Attributes; bit n of udiag_show asks for attribute n, SHUTDOWN comes always.
UNIX_DIAG_NAME: Final = 0
UNIX_DIAG_VFS: Final = 1
UNIX_DIAG_PEER: Final = 2
UNIX_DIAG_ICONS: Final = 3
UNIX_DIAG_RQLEN: Final = 4
UNIX_DIAG_MEMINFO: Final = 5
UNIX_DIAG_SHUTDOWN: Final = 6
UNIX_DIAG_UID: Final = 7

# struct unix_diag_req: family, protocol, states, ino, show, cookie.
_REQUEST: Final = Struct("=BBxxIIIII")
_NO_COOKIE: Final = 0xFFFFFFFF
# struct nlmsghdr; family, type, state, ino, cookie of struct unix_diag_msg.
_MESSAGE: Final = Struct("=16xBBBxIq")
_U32: Final = Struct("=I")
_QUEUES: Final = Struct("=II")


def dump_request(*, states: int = ALL_STATES, show: int = 0) -> bytes:
    """A request for all unix sockets; ``show`` is a mask of ``1 << attribute``."""
    body = _REQUEST.pack(AF_UNIX, 0, states, 0, show, _NO_COOKIE, _NO_COOKIE)
    return message(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, body)


def decode(view: memoryview, origins: Mapping[int, Origin], request: str) -> Iterator[SocketRecord]:
    """The records of one datagram; ``origins`` has the origin for each socktype (SOCK_*).

    DST holds the peer's inode (None: no peer); :func:`name_peers` turns it into its name.

    :raises KernelRefused: when the datagram ends in an errno; ``request`` names what was asked.
    :raises ParseError: when it is not laid out as documented.
    """
    for start, end in answers(view, SOCK_DIAG_BY_FAMILY, request):
        if end - start < _MESSAGE.size:
            raise _broken(request, view, start, end)
        family, type, state, inode, cookie = _MESSAGE.unpack_from(view, start)
        origin = origins.get(type)
        if family != AF_UNIX or origin is None:
            raise _broken(request, view, start, end)
        raw = bytes(view[start + _MESSAGE.size : end])
        found = attributes(raw)
        peer = _u32(found.get(UNIX_DIAG_PEER))
        queues = found.get(UNIX_DIAG_RQLEN, b"")
        received, sent = _QUEUES.unpack_from(queues) if len(queues) >= 8 else (None, None)
        yield (
            origin,
            state,
            0,
            0,
            0,
            0,
            found.get(UNIX_DIAG_NAME) or None,
            peer or None,
            0,
            cookie,
            0,
            received,
            sent,
            _u32(found.get(UNIX_DIAG_UID)),
            inode,
            raw,
        )


def name_peers(records: list[SocketRecord], states: int) -> Iterator[SocketRecord]:
    """The records in one of ``states``, the peers' inodes in DST replaced by the peers' names.

    ``records`` has to be the whole dump: a peer may be in another state or come later.
    """
    names = {record[INODE]: record[SRC] for record in records if record[SRC] is not None}
    for record in records:
        if states >> record[STATE] & 1:
            yield (*record[:DST], names.get(record[DST]), *record[DST + 1 :])


def _u32(raw: bytes | None) -> int | None:
    if raw is None or len(raw) < _U32.size:
        return None
    value: int = _U32.unpack_from(raw)[0]
    return value


def _broken(request: str, view: memoryview, start: int, end: int) -> ParseError:
    quoted = view[start : min(end, start + HEADER.size + 32)].hex(" ")
    return ParseError(f"{request}: message at offset {start}: expected a unix socket: {quoted}")
