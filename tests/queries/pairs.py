"""Connections of the tests, and what the sockets themselves say of them."""

from __future__ import annotations

import fcntl
import socket
import struct
from contextlib import ExitStack

from tests.queries.asking import HERE, Row, ask

SIOCOUTQ, SIOCOUTQNSD = 0x5411, 0x894B


class Pair:
    """A listener, and both ends of ``count`` connections to it."""

    def __init__(self, stack: ExitStack, count: int = 1, address: str = HERE) -> None:
        self._listener = stack.enter_context(socket.create_server((address, 0)))
        self.port = int(self._listener.getsockname()[1])
        self.clients: list[socket.socket] = []
        self.accepted: list[socket.socket] = []
        for _ in range(count):
            self.clients.append(
                stack.enter_context(socket.create_connection(self._listener.getsockname()))
            )
            self.accepted.append(stack.enter_context(self._listener.accept()[0]))

    @property
    def client(self) -> socket.socket:
        return self.clients[0]


def queued(sock: socket.socket, request: int = SIOCOUTQ) -> int:
    """Bytes that were sent and not acknowledged, or those not even sent (tcp(7))."""
    return int(struct.unpack("i", fcntl.ioctl(sock, request, bytes(4)))[0])


def tcp_info(sock: socket.socket, offset: int, kind: str = "I") -> int:
    """A number of struct tcp_info; include/uapi/linux/tcp.h has the offsets."""
    data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    return int(struct.unpack_from(kind, data, offset)[0])


def to(port: int, name: str, key: str = "dport", **params: int) -> list[Row]:
    """The rows of a query that are about one port."""
    return [row for row in ask(name, **params) if row[key] == port]


def fill(sock: socket.socket) -> None:
    """Send until nothing more goes."""
    sock.setblocking(False)
    try:
        while True:
            sock.send(bytes(65536))
    except BlockingIOError:
        return
