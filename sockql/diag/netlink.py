"""Netlink: one request, the datagrams that answer it, and the messages and attributes in them.

The framing is pure functions over bytes; whatever the bytes are, they end in values or in one
:class:`ParseError`, never in an endless loop.

Source: include/uapi/linux/netlink.h, net/netlink/af_netlink.c; netlink(7).
"""

from __future__ import annotations

import os
from _socket import (
    AF_NETLINK,
    MSG_TRUNC,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SOCK_RAW,
    SOL_SOCKET,
    socket,
)
from errno import EAGAIN, EBUSY, ENOBUFS
from struct import Struct, pack

from sockql.errors import DataError, KernelRefused, ParseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final, TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

NETLINK_ROUTE: Final = 0
NETLINK_SOCK_DIAG: Final = 4

NLMSG_NOOP: Final = 1
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
NLMSG_OVERRUN: Final = 4

NLM_F_REQUEST: Final = 0x1
NLM_F_MULTI: Final = 0x2
NLM_F_DUMP: Final = 0x300

HEADER: Final = Struct("=IHHII")  # nlmsg_len, nlmsg_type, nlmsg_flags, nlmsg_seq, nlmsg_pid
_ATTRIBUTE: Final = Struct("=HH")  # nla_len, nla_type
_ERRNO: Final = Struct("=i")
_NLA_TYPE_MASK: Final = 0x3FFF

# The kernel fills at most 32 KiB for each recvmsg(2) of a dump, and from the first one on when
# the socket has received into such a buffer before (netlink_dump()).
_BUFFER: Final = 1 << 16
_LARGEST_BUFFER: Final = 1 << 24
_RECEIVE_QUEUE: Final = 1 << 20
_SO_RCVBUFFORCE: Final = 33  # include/uapi/asm-generic/socket.h; takes CAP_NET_ADMIN
_SECONDS: Final = 30  # until a silent kernel is given up
_ATTEMPTS: Final = 4


def message(type: int, flags: int, payload: bytes) -> bytes:
    """A netlink message with sequence number and port 0."""
    return HEADER.pack(HEADER.size + len(payload), type, flags, 0, 0) + payload


def attribute(type: int, payload: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    padding = bytes(-len(payload) & 3)
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), type) + payload + padding


def messages(view: Bytes, start: int = 0) -> Iterator[tuple[int, int, int]]:
    """``(nlmsg_type, start, end)`` for each message of a datagram from ``start`` on.

    :raises ParseError: at a message shorter than its header or longer than the datagram.
    """
    offset, total = start, len(view)
    while offset < total:
        if total - offset < HEADER.size:
            raise _broken("netlink message", view, offset, "shorter than its header")
        length, type, _, _, _ = HEADER.unpack_from(view, offset)
        if not HEADER.size <= length <= total - offset:
            raise _broken("netlink message", view, offset, f"length {length} of {total - offset}")
        yield type, offset, offset + length
        offset += (length + 3) & ~3


def answers(view: Bytes, expected: int, request: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """``(start, end)`` for each message of type ``expected``, up to the end of the answer.

    ``request`` names what was asked for the error.

    :raises KernelRefused: when the answer is an errno, in NLMSG_ERROR **or** in NLMSG_DONE.
    :raises ParseError: when the datagram is not laid out as netlink(7) says.
    """
    for type, offset, end in messages(view, start):
        if type == expected:
            yield offset, end
        elif type in (NLMSG_ERROR, NLMSG_DONE):
            errno = _errno(view, type, offset, end)
            if errno < 0:
                raise KernelRefused(-errno, request)
            return
        elif type != NLMSG_NOOP:
            raise _broken("netlink message", view, offset, f"type {type}, expected {expected}")


def _errno(view: Bytes, type: int, start: int, end: int) -> int:
    """The (negative) errno of NLMSG_ERROR or NLMSG_DONE; an empty NLMSG_DONE means success."""
    if end - start >= HEADER.size + _ERRNO.size:
        errno: int = _ERRNO.unpack_from(view, start + HEADER.size)[0]
        return errno
    if type == NLMSG_DONE:
        return 0
    raise _broken("netlink message", view, start, "NLMSG_ERROR without an errno")


def attributes(raw: Bytes) -> dict[int, bytes]:
    """Payloads by ``nla_type``, flags of the type masked off; of a repeated one the last.

    :raises ParseError: at an attribute shorter than its header or longer than what is left.
    """
    found: dict[int, bytes] = {}
    offset, total = 0, len(raw)
    while offset < total:
        if total - offset < _ATTRIBUTE.size:
            raise _broken("netlink attribute", raw, offset, "shorter than its header")
        length, type = _ATTRIBUTE.unpack_from(raw, offset)
        if not _ATTRIBUTE.size <= length <= total - offset:
            raise _broken("netlink attribute", raw, offset, f"length {length} of {total - offset}")
        found[type & _NLA_TYPE_MASK] = bytes(raw[offset + _ATTRIBUTE.size : offset + length])
        offset += (length + 3) & ~3
    return found


def _broken(what: str, view: Bytes, offset: int, found: str) -> ParseError:
    quoted = bytes(view[offset : offset + HEADER.size]).hex(" ")
    return ParseError(f"{what} at offset {offset}: {found}: {quoted}")


# -- the socket ---------------------------------------------------------------------------------


class Channel:
    """A netlink socket with its receive buffer; used by one exchange at a time."""

    __slots__ = ("buffer", "sequence", "socket")

    def __init__(self, protocol: int) -> None:
        self.buffer = bytearray(_BUFFER)
        self.sequence = 0
        try:
            self.socket = socket(AF_NETLINK, SOCK_RAW, protocol)
        except OSError as error:
            raise KernelRefused(error.errno or 0, f"netlink protocol {protocol}") from None
        # Without an answer within _SECONDS something other than the kernel is to blame (a
        # seccomp filter that swallows, a tracer); waiting in recv(2) needs no poll(2) before it.
        self.socket.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack("@ll", _SECONDS, 0))
        self.socket.setsockopt(SOL_SOCKET, SO_RCVBUF, _RECEIVE_QUEUE)

    def grow(self, times: int) -> None:
        """Let the kernel queue so many times as much for us, as far as it permits."""
        size = _RECEIVE_QUEUE * times
        try:
            self.socket.setsockopt(SOL_SOCKET, _SO_RCVBUFFORCE, size)
        except OSError:
            self.socket.setsockopt(SOL_SOCKET, SO_RCVBUF, size)  # not above net.core.rmem_max

    def send(self, request: bytes) -> None:
        """Send ``request`` with a sequence number of its own."""
        self.sequence += 1
        sequence = pack("=I", self.sequence)
        try:
            self.socket.send(request[:8] + sequence + request[12:])
        except OSError as error:
            raise KernelRefused(error.errno or 0, "netlink request") from None

    def receive(self) -> memoryview:
        """The next datagram of the answer.

        :raises Lost: when the kernel dropped a part of it or the buffer was too small.
        """
        while True:
            try:
                length, sender = self.socket.recvfrom_into(self.buffer, 0, MSG_TRUNC)
            except OSError as error:
                if error.errno == EAGAIN:
                    raise DataError(f"netlink: no answer within {_SECONDS} seconds") from None
                raise Lost(error.errno or 0, _BUFFER) from None
            # Others may send to our port, too: their nlmsg_pid is not 0 (netlink(7)).
            if sender[0] != 0:
                continue
            if length > len(self.buffer):
                raise Lost(ENOBUFS, length)
            view = memoryview(self.buffer)[:length]
            if length < HEADER.size:
                raise _broken("netlink message", view, 0, "shorter than its header")
            if HEADER.unpack_from(view)[3] == self.sequence:
                return view

    def close(self) -> None:
        """Close the socket; the kernel forgets a dump that was not read to its end."""
        self.socket.close()


class Lost(Exception):
    """A part of the answer is gone; ``size`` is the buffer that would have held it."""

    def __init__(self, errno: int, size: int) -> None:
        super().__init__(errno, size)
        self.errno = errno
        self.size = size


class BrokenOff(DataError):
    """The answer ended before its end, after a part of it had been delivered."""


def exchange(
    cache: dict[int, object],
    protocol: int,
    request: bytes,
    make: Callable[[int], Channel] = Channel,
) -> Iterator[memoryview]:
    """Send ``request`` and yield the datagrams of its answer, the last one included.

    ``make`` gives a new channel for a protocol.  A view is valid until the next one is taken.
    ``cache`` keeps the socket of ``protocol`` for the next exchange: one that received before gets
    32 KiB with the first datagram.  While an exchange runs its socket is not in there (a second
    dump on it would get EBUSY), and one that was not read to its end is closed.

    An answer that broke off before anything of it was seen is asked for again, with more room; one
    that broke off later is an error, because the rows until there were delivered already.

    :raises KernelRefused: when the socket cannot be made or the request not be sent.
    :raises BrokenOff: when the answer broke off.
    :raises ParseError: when a datagram is not made of messages.
    """
    size = _BUFFER
    for attempt in range(1, _ATTEMPTS + 1):
        cached = cache.pop(protocol, None) if attempt == 1 else None
        channel = cached if isinstance(cached, Channel) else make(protocol)
        if attempt > 1:
            channel.grow(1 << attempt)
        if len(channel.buffer) < size:
            channel.buffer = bytearray(min(size, _LARGEST_BUFFER))
        delivered = done = False
        try:
            channel.send(request)
            while not done:
                view = channel.receive()
                if not delivered and attempt < _ATTEMPTS:
                    _check_busy(view)
                done = _is_last(view)
                delivered = True
                yield view
        except Lost as lost:
            if delivered or attempt == _ATTEMPTS:
                reason = os.strerror(lost.errno)
                raise BrokenOff(f"netlink: the answer broke off ({reason}); try again") from None
            size = max(size, lost.size)
        finally:
            if done and protocol not in cache:
                cache[protocol] = channel
            else:
                channel.close()
        if done:
            return


def _check_busy(view: memoryview) -> None:
    """Raise :class:`Lost` when the kernel asks to come again: EBUSY, ENOBUFS."""
    if len(view) >= HEADER.size + _ERRNO.size and HEADER.unpack_from(view)[1] == NLMSG_ERROR:
        errno = -_ERRNO.unpack_from(view, HEADER.size)[0]
        if errno in (EBUSY, ENOBUFS):
            raise Lost(errno, _BUFFER)


def _is_last(view: memoryview) -> bool:
    """Whether the datagram ends the answer: with NLMSG_DONE, an error, or a single message."""
    _, type, flags, _, _ = HEADER.unpack_from(view)
    if type in (NLMSG_DONE, NLMSG_ERROR) or not flags & NLM_F_MULTI:
        return True
    # NLMSG_DONE may follow rows in their datagram: its header and an errno, at the very end.
    tail = len(view) - HEADER.size - _ERRNO.size
    if tail < 0 or HEADER.unpack_from(view, tail)[:2] != (len(view) - tail, NLMSG_DONE):
        return False
    # An attribute's payload may look like that.
    return any(start == tail for _, start, _ in messages(view))
