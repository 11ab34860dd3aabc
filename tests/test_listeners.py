"""At which listener a connection waits that nobody has accepted, from messages put together."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.sockmessages import (
    GETSOCK,
    INET6,
    Inet,
    Scripted,
    Unix,
    ask,
    attribute,
    done,
    in_one,
    kind,
    refused,
)

LISTEN = 10
TCP = ("protocol", "=", "tcp")
ONE, OTHER = "192.0.2.1", "192.0.2.2"
ANY, ANY6, MAPPED_ANY = "0.0.0.0", "::", "::ffff:0.0.0.0"


def listens(inode: int, src: str, sport: int = 80, interface: int = 0) -> Inet:
    where = Inet(INET6, dst="::") if ":" in src else Inet(dst=ANY)
    return where._replace(
        state=LISTEN,
        src=src,
        sport=sport,
        dport=0,
        interface=interface,
        cookie=1000 + inode,
        inode=inode,
    )


def host_of(tmp_path: Path, waits: Inet, listeners: list[Inet]) -> Scripted:
    """A kernel with one connection, and listeners for who asks for no other state."""

    def answer(_: int, request: bytes) -> list[bytes]:
        if kind(request) != (0, 6):
            return [done(0)]
        (states,) = struct.unpack_from("=I", request, 16 + 52)
        rows = listeners if states == 1 << LISTEN else [waits]
        return in_one([row.pack(GETSOCK) for row in rows])

    return Scripted(answer, tmp_path)


def listener_of(tmp_path: Path, waits: Inet, listeners: list[Inet]) -> Any:
    ((found,),) = ask(host_of(tmp_path, waits, listeners), "listener_inode", TCP)
    return found


def waits(src: str = ONE, state: int = 1, interface: int = 0, inode: int = 0) -> Inet:
    where = Inet(INET6, dst="2001:db8::9") if ":" in src else Inet()
    return where._replace(src=src, sport=80, state=state, interface=interface, inode=inode, uid=0)


@pytest.mark.parametrize(
    ("connection", "listeners", "expected"),
    [
        (waits(), [listens(7, ONE)], 7),
        (waits(), [listens(7, ANY)], 7),
        (waits(), [listens(7, ANY), listens(8, ONE)], 8),
        (waits(), [listens(8, ONE), listens(7, ANY)], 8),
        (waits(), [listens(7, OTHER), listens(8, ONE, sport=81)], None),
        # A connection over IPv4 to an inet6 listener is an inet6 socket.
        (waits(), [listens(7, ANY6)], None),
        (waits("::ffff:192.0.2.1"), [listens(7, ANY), listens(8, ANY6)], 8),
        (waits("::ffff:192.0.2.1"), [listens(7, MAPPED_ANY)], 7),
        (waits("::ffff:192.0.2.1"), [listens(7, MAPPED_ANY), listens(8, ANY6)], None),
        # Bound to an interface.
        (waits(interface=3), [listens(7, ONE), listens(8, ONE, interface=3)], 8),
        (waits(interface=3), [listens(7, ONE), listens(8, ANY, interface=3)], 7),
        (waits(interface=3), [listens(7, ONE), listens(8, ONE, interface=4)], 7),
        (waits(), [listens(8, ONE, interface=3)], None),
        # SO_REUSEPORT, and the same one twice.
        (waits(), [listens(7, ONE), listens(8, ONE)], None),
        (waits(), [listens(7, ONE), listens(8, ONE), listens(7, ONE)], None),
        (waits(), [listens(7, ANY), listens(8, ANY), listens(9, ONE)], 9),
        # What waits, and what does not.
        (waits(state=3), [listens(7, ONE)], 7),
        (waits(state=8), [listens(7, ONE)], 7),
        (waits(state=4), [listens(7, ONE)], None),
        (waits(inode=5), [listens(7, ONE)], None),
        (waits(), [], None),
        # The listener of another user's namespace has no inode here, say.
        (waits(), [listens(0, ONE)], None),
    ],
)
def test_the_listener_is_the_one_that_the_kernel_would_choose(
    tmp_path: Path, connection: Inet, listeners: list[Inet], expected: int | None
) -> None:
    assert listener_of(tmp_path, connection, listeners) == expected


def test_listeners_are_asked_for_once_and_only_when_something_waits(tmp_path: Path) -> None:
    host = host_of(tmp_path, waits(), [listens(7, ONE)])
    trace: list[str] = []
    ask(host, "inode", TCP, trace=trace)
    assert len(trace) == 1
    trace = []
    ask(host, "listener_inode", TCP, trace=trace)
    assert trace[1:] == ["sock_diag inet+inet6/tcp states=LISTEN"]
    held = host_of(tmp_path, waits(inode=5), [listens(7, ONE)])
    trace = []
    ask(held, "listener_inode", TCP, trace=trace)
    assert len(trace) == 1


@pytest.mark.parametrize(
    ("icons", "expected"),
    [
        (struct.pack("=II", 61, 62), 90),
        (struct.pack("=II", 0, 62), None),
        (struct.pack("=I", 61) + b"\1\0", 90),
        (b"\1", None),
        (b"", None),
    ],
)
def test_a_unix_client_waits_at_the_listener_that_has_it_in_its_queue(
    tmp_path: Path, icons: bytes, expected: int | None
) -> None:
    listener = Unix(state=LISTEN, inode=90, cookie=1, attributes=attribute(3, icons))
    rows = in_one([listener.pack(), Unix(inode=61, cookie=2).pack()])
    host = Scripted(lambda *_: rows, tmp_path)
    found = ask(host, "inode listener_inode", ("family", "=", "unix"))
    assert found == [(90, None), (61, expected)]
    # The queues are a request of their own, for listeners only.
    assert [request[20:24] for _, request in host.requests] == [
        struct.pack("=I", 0xFFFFFFFF),
        struct.pack("=I", 1 << LISTEN),
    ]


def test_without_an_answer_there_is_no_listener_and_a_notice(tmp_path: Path) -> None:
    def answer(_: int, request: bytes) -> list[bytes]:
        (states,) = struct.unpack_from("=I", request, 16 + 52)
        if states == 1 << LISTEN:
            return [refused(errno.EPERM)]
        return in_one([waits().pack(GETSOCK)])

    (tmp_path / "self").mkdir()
    host = Scripted(answer, tmp_path)
    assert ask(host, "listener_inode", TCP) == [(None,)]
    assert host.notices[0].startswith("sockets: listener_inode is missing: ")
