"""A socket that is there all the time is one row, whatever comes and goes around it."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import NoReturn

import pytest

from sockql import connect
from tests.live.children import child
from tests.live.test_network_namespaces import unshare

STABLE = 3000
QUERIES = 50
SECONDS = 45.0
_KEPT: list[socket.socket] = []


def _room() -> None:
    """Take as many descriptors as there may be; where that is allowed, away from others' sockets."""
    if os.geteuid() == 0:
        unshare()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _inodes() -> list[int]:
    return [os.fstat(sock.fileno()).st_ino for sock in _KEPT]


def unix_sockets() -> list[int]:
    _room()
    for number in range(STABLE // 2):
        _KEPT.extend(socket.socketpair())
        if number % 4 == 0:
            _KEPT[-1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    return _inodes()


def unix_churn() -> NoReturn:
    live: list[tuple[socket.socket, socket.socket]] = []
    while True:
        live.append(socket.socketpair())
        if len(live) > 200:
            for sock in live.pop(0):
                sock.close()


def tcp_sockets() -> list[int]:
    _room()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    _KEPT.append(listener)
    for _ in range(STABLE // 2):
        _KEPT.append(socket.create_connection(listener.getsockname()))
        _KEPT.append(listener.accept()[0])
    return _inodes()


def tcp_churn() -> NoReturn:
    listener = _KEPT[0]
    live: list[socket.socket] = []
    while True:
        live.append(socket.create_connection(listener.getsockname()))
        live.append(listener.accept()[0])
        if len(live) > 200:
            # Without TIME_WAIT, or there would be no port left.
            for _ in range(2):
                sock = live.pop(0)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.close()


@pytest.mark.parametrize(
    ("condition", "make", "churn"),
    [
        ("family = 'unix'", unix_sockets, unix_churn),
        ("protocol = 'tcp'", tcp_sockets, tcp_churn),
    ],
    ids=["unix", "tcp"],
)
def test_a_socket_that_stays_is_in_every_answer_once(
    condition: str, make: Callable[[], list[int]], churn: Callable[[], NoReturn]
) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < STABLE + 500:
        pytest.skip(f"no more than {most} descriptors are allowed (EMFILE)")
    with child(make, churn) as (pid, stable), connect(netns=str(pid)) as db:
        wanted = Counter(stable)
        assert len(wanted) >= STABLE
        deadline = time.monotonic() + SECONDS
        others: set[int] = set()
        for number in range(QUERIES):
            rows = db.query(f"select inode from sockets where {condition}")
            seen = Counter(inode for (inode,) in rows if inode in wanted)
            assert seen == wanted, f"query {number}"
            others.update(inode for (inode,) in rows if inode not in wanted)
            if time.monotonic() > deadline:
                pytest.skip(f"only {number + 1} queries in {SECONDS:g} seconds (a busy machine)")
        # There was something going on.
        assert len(others) > 1000
        assert db.notices == []
