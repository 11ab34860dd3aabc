"""sock_diag messages put together by hand, and a host whose kernel is a Python function."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sockql.errors import KernelRefused
from sockql.host import Host
from sockql.request import Constraint, Request
from sockql.snapshot import Snapshot
from sockql.tables.sockets import TABLE

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
ROUTE, SOCK_DIAG = 0, 4
BY_FAMILY, GETSOCK = 20, 18
DONE = struct.pack("=IHHIIi", 20, 3, 2, 0, 0, 0)

Answer = Callable[[int, bytes], "list[bytes] | int"]


def attribute(number: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), number) + payload + bytes(-len(payload) % 4)


def message(type: int, body: bytes, flags: int = 2) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), type, flags, 0, 0) + body


def done(code: int) -> bytes:
    """NLMSG_DONE with an errno, as the end of a dump for which there is no handler."""
    return message(3, struct.pack("=i", -code))


def refused(code: int) -> bytes:
    """NLMSG_ERROR, the request quoted behind the errno."""
    return message(2, struct.pack("=i", -code) + bytes(16), flags=0)


class Inet(NamedTuple):
    """struct inet_diag_msg, as people write addresses and ports."""

    family: int = INET
    state: int = 1
    timer: int = 0
    retrans: int = 0
    src: str = "192.0.2.1"
    sport: int = 40000
    dst: str = "198.51.100.2"
    dport: int = 443
    interface: int = 0
    cookie: int = 7
    expires: int = 0
    rqueue: int = 0
    wqueue: int = 0
    uid: int = 1000
    inode: int = 4711
    attributes: bytes = b""

    def pack(self, type: int = BY_FAMILY) -> bytes:
        src = socket.inet_pton(self.family, self.src).ljust(16, b"\0")
        dst = socket.inet_pton(self.family, self.dst).ljust(16, b"\0")
        cookie = struct.pack("=II", self.cookie & 0xFFFFFFFF, self.cookie >> 32)
        return message(
            type,
            struct.pack("=BBBB", self.family, self.state, self.timer, self.retrans)
            + struct.pack(">HH", self.sport, self.dport)
            + src
            + dst
            + struct.pack("=I", self.interface)
            + cookie
            + struct.pack("=IIIII", self.expires, self.rqueue, self.wqueue, self.uid, self.inode)
            + self.attributes,
        )


class Unix(NamedTuple):
    """struct unix_diag_msg."""

    type: int = 1
    state: int = 1
    inode: int = 4711
    cookie: int = 7
    attributes: bytes = b""

    def pack(self) -> bytes:
        return message(
            BY_FAMILY,
            struct.pack("=BBBxI", UNIX, self.type, self.state, self.inode)
            + struct.pack("=II", self.cookie & 0xFFFFFFFF, self.cookie >> 32)
            + self.attributes,
        )


class Scripted(Host):
    """A host whose kernel answers with what ``answer`` says: datagrams, or an errno of socket(2).

    ``requests`` keeps what was asked.
    """

    def __init__(self, answer: Answer, proc: Path | str = "/proc") -> None:
        super().__init__(str(proc))
        self.answer = answer
        self.requests: list[tuple[int, bytes]] = []

    def netlink(self, protocol: int, request: bytes) -> Iterator[memoryview]:
        self.requests.append((protocol, request))
        answer = self.answer(protocol, request)
        if isinstance(answer, int):
            raise KernelRefused(answer, "netlink")
        for datagram in answer:
            yield memoryview(bytearray(datagram))


def kind(request: bytes) -> tuple[int, int]:
    """(family, protocol) of a request; (0, 6) for the old one that asks for both families."""
    if request[4:6] == struct.pack("=H", GETSOCK):
        return 0, 6
    return request[16], request[17]


def answering(answers: dict[tuple[int, int], list[bytes]], other: int = 0) -> Answer:
    """Datagrams by family and protocol; the others end at once, with the errno ``other``."""

    def answer(_: int, request: bytes) -> list[bytes]:
        return answers.get(kind(request), [done(other)])

    return answer


def nothing(_protocol: int, _request: bytes) -> list[bytes]:
    """A kernel without sockets."""
    return [DONE]


def ask(
    host: Host, columns: str, *conditions: tuple[str, str, Any], trace: list[str] | None = None
) -> list[tuple[Any, ...]]:
    """Rows of ``sockets`` as the table delivers them, before SQLite checks the conditions."""
    names = columns.split()
    constraints = [Constraint(*condition) for condition in conditions]
    used = {*names, *(constraint.column for constraint in constraints)}
    request = Request(TABLE.schema, Snapshot(), columns=used, constraints=constraints)
    getters = [TABLE.schema.by_name[name].get for name in names]
    rows = [tuple(get(record) for get in getters) for record in TABLE.records(request, host)]
    if trace is not None:
        trace += request.trace.requests
    return rows


def in_one(messages: Iterable[bytes]) -> list[bytes]:
    """Messages as one datagram, and the end of the dump as another."""
    return [b"".join(messages), DONE]


MISSING = errno.ENOENT
