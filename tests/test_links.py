"""Names of interfaces, from messages made by hand and from the running kernel."""

from __future__ import annotations

import errno
import socket
import struct
from pathlib import Path

import pytest

from sockql.errors import ParseError
from sockql.host import Host
from sockql.network.links import read_links
from tests.fakeproc import proc_tree
from tests.sockmessages import (
    DONE,
    INET,
    ROUTE,
    Inet,
    Scripted,
    answering,
    ask,
    attribute,
    in_one,
    message,
    refused,
)


def link(index: int, *attributes: bytes) -> bytes:
    return message(16, struct.pack("=BxHiII", 0, 1, index, 0, 0) + b"".join(attributes))


LINKS = [
    link(1, attribute(3, b"lo\0"), attribute(4, bytes(4))) + link(2, attribute(3, b"eth0\0")),
    link(7, attribute(3, b"\xff0\0")) + link(8) + DONE,
]


def test_names_by_index() -> None:
    host = Scripted(lambda protocol, _: LINKS if protocol == ROUTE else [])
    assert read_links(host) == {1: "lo", 2: "eth0", 7: "\\xff0"}


def test_the_request_leaves_the_statistics_out() -> None:
    host = Scripted(lambda *_: [DONE])
    read_links(host)
    ((_, request),) = host.requests
    assert struct.unpack_from("=IHHII", request) == (40, 18, 0x301, 0, 0)
    assert request[16:32] == bytes(16)
    assert request[32:] == attribute(29, struct.pack("=I", 8))


def test_a_message_that_is_too_short_is_an_error() -> None:
    host = Scripted(lambda *_: [message(16, bytes(8))])
    with pytest.raises(ParseError, match=r"^rtnetlink link at offset 0: 18 00 00 00 10 00"):
        read_links(host)


def test_the_running_kernel_and_the_c_library_agree() -> None:
    host = Host()
    assert sorted(read_links(host).items()) == socket.if_nameindex()
    host.close()


# -- the column interface -----------------------------------------------------------------------

TCP = (("protocol", "=", "tcp"), ("family", "=", "inet"))


def rows(proc: Path, links: list[bytes], *interfaces: int) -> tuple[list[object], Scripted]:
    """The cells of ``interface`` for sockets bound to these interfaces."""
    sockets = in_one(Inet(interface=n, cookie=i).pack() for i, n in enumerate(interfaces))
    sock_diag = answering({(INET, 6): sockets})
    host = Scripted(lambda p, r: links if p == ROUTE else sock_diag(p, r), proc_tree({}, proc))
    cells = [cell for (cell,) in ask(host, "interface", *TCP)]
    host.close()
    return cells, host


def test_the_interface_of_a_socket_has_its_name(tmp_path: Path) -> None:
    cells, host = rows(tmp_path, LINKS, 0, 2, 1, 99, 2)
    assert cells == [None, "eth0", "lo", None, "eth0"]
    assert [protocol for protocol, _ in host.requests].count(ROUTE) == 1


def test_interfaces_are_not_asked_for_when_no_socket_is_bound_to_one(tmp_path: Path) -> None:
    cells, host = rows(tmp_path, LINKS, 0, 0)
    assert cells == [None, None]
    assert [protocol for protocol, _ in host.requests] == [4]


def test_without_an_answer_names_are_null_and_a_notice_says_so(tmp_path: Path) -> None:
    cells, host = rows(tmp_path, [refused(errno.EPERM)], 2, 1)
    assert cells == [None, None]
    assert host.notices == [
        "sockets: names of interfaces are missing: rtnetlink links: Operation not permitted"
    ]
