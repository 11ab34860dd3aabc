"""listening and connections on sockets that the test opens itself."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sockql import connect
from sockql.engine import Engine

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
STREAM, DGRAM, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET

PID = os.getpid()
NAME = Path("/proc/self/comm").read_text().rstrip("\n")
NETNS = os.stat("/proc/self/ns/net").st_ino


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def opened(stack: ExitStack, family: int, type: int) -> socket.socket:
    return stack.enter_context(socket.socket(family, type))


def listener(stack: ExitStack, address: str = "127.0.0.1", backlog: int = 7) -> socket.socket:
    sock = opened(stack, INET6 if ":" in address else INET, STREAM)
    sock.bind((address, 0))
    sock.listen(backlog)
    return sock


LISTENING = """
    select netns, family, protocol, socktype, src, sport, interface, accept_queue, backlog,
           socket_uid, inode, pid, fd, name
    from listening
"""


def test_what_accepts_is_listening(stack: ExitStack, engine: Engine, tmp_path: Path) -> None:
    tcp = listener(stack)
    caller = opened(stack, INET, STREAM)
    caller.connect(tcp.getsockname())
    udp = opened(stack, INET, DGRAM)
    udp.bind(("127.0.0.1", 0))
    talking = opened(stack, INET, DGRAM)
    talking.connect(udp.getsockname())
    bound = opened(stack, INET, STREAM)
    bound.bind(("127.0.0.1", 0))
    unix = opened(stack, UNIX, SEQPACKET)
    unix.bind(str(tmp_path / "s"))
    unix.listen(3)
    datagrams = opened(stack, UNIX, DGRAM)
    datagrams.bind(str(tmp_path / "d"))

    def row(sock: socket.socket, *middle: object) -> tuple[object, ...]:
        return (NETNS, *middle, os.getuid(), inode(sock), PID, sock.fileno(), NAME)

    address, port = tcp.getsockname()
    assert sorted(engine.query(f"{LISTENING} where pid = {PID}"), key=repr) == sorted(
        [
            row(tcp, "inet", "tcp", "stream", address, port, None, 1, 7),
            row(udp, "inet", "udp", "dgram", *udp.getsockname(), None, None, None),
            row(unix, "unix", None, "seqpacket", str(tmp_path / "s"), None, None, 0, 3),
        ],
        key=repr,
    )


def test_a_listener_has_a_row_for_each_of_its_descriptors(stack: ExitStack, engine: Engine) -> None:
    sock = listener(stack)
    port = sock.getsockname()[1]
    second = stack.enter_context(socket.socket(fileno=os.dup(sock.fileno())))
    assert engine.query(f"select pid, fd from listening where sport = {port} order by fd") == [
        (PID, sock.fileno()),
        (PID, second.fileno()),
    ]


def test_only_listeners_are_asked_for(engine: Engine) -> None:
    plan = engine.plan(f"select * from listening where sport = 1 and netns = {NETNS}")
    requests = [text for table in plan.tables for text in table.requests]
    assert [text for text in requests if text.startswith("sock_diag inet+inet6/tcp")] == [
        "sock_diag inet+inet6/tcp states=LISTEN sport=1"
    ]


CONNECTIONS = """
    select netns, family, protocol, state, src, sport, dst, dport, inode, pid, name, peer_inode,
           peer_pid, peer_name
    from connections
"""


def test_both_ends_of_a_connection_are_rows(stack: ExitStack, engine: Engine) -> None:
    server = listener(stack)
    client = opened(stack, INET, STREAM)
    client.connect(server.getsockname())
    accepted = stack.enter_context(server.accept()[0])
    near, far = client.getsockname(), server.getsockname()
    owner = (PID, NAME)
    found = engine.query(
        f"{CONNECTIONS} where {far[1]} in (sport, dport) order by dport = {far[1]}"
    )
    assert found == [
        (
            *(NETNS, "inet", "tcp", "ESTABLISHED", *far, *near),
            *(inode(accepted), *owner, inode(client), *owner),
        ),
        (
            *(NETNS, "inet", "tcp", "ESTABLISHED", *near, *far),
            *(inode(client), *owner, inode(accepted), *owner),
        ),
    ]


def test_a_mapped_address_is_the_other_end_of_an_ipv4_one(stack: ExitStack, engine: Engine) -> None:
    try:
        server = listener(stack, "::")
    except OSError as error:
        pytest.skip(f"no IPv6 (errno {error.errno})")
    client = opened(stack, INET, STREAM)
    port = server.getsockname()[1]
    client.connect(("127.0.0.1", port))
    accepted = stack.enter_context(server.accept()[0])
    sql = f"select family, inode, peer_inode from connections where {port} in (sport, dport)"
    assert sorted(engine.query(sql)) == [
        ("inet", inode(client), inode(accepted)),
        ("inet6", inode(accepted), inode(client)),
    ]


def test_the_other_end_of_a_unix_socket_is_found(stack: ExitStack, engine: Engine) -> None:
    mine, other = (stack.enter_context(end) for end in socket.socketpair(UNIX, STREAM))
    assert engine.query(f"{CONNECTIONS} where inode = {inode(mine)}") == [
        (
            *(NETNS, "unix", None, "ESTABLISHED", None, None, None, None),
            *(inode(mine), PID, NAME, inode(other), PID, NAME),
        )
    ]


def test_a_connection_that_nobody_accepted_has_no_owner(stack: ExitStack, engine: Engine) -> None:
    server = listener(stack)
    client = opened(stack, INET, STREAM)
    client.connect(server.getsockname())
    port = server.getsockname()[1]
    sql = "select inode, pid, peer_inode, peer_pid from connections where {} = {}"
    assert engine.query(sql.format("sport", port)) == [(None, None, inode(client), PID)]
    assert engine.query(sql.format("dport", port)) == [(inode(client), PID, None, None)]


def test_a_socket_with_several_holders_is_one_connection(stack: ExitStack, engine: Engine) -> None:
    server = listener(stack)
    client = opened(stack, INET, STREAM)
    client.connect(server.getsockname())
    stack.enter_context(socket.socket(fileno=os.dup(client.fileno())))
    port = server.getsockname()[1]
    assert engine.query(f"select inode, pid from connections where dport = {port}") == [
        (inode(client), PID)
    ]


def test_owners_are_only_looked_for_when_they_are_named(engine: Engine) -> None:
    plan = engine.plan("select state, count(*) from connections group by state")
    assert [table.table for table in plan.tables] == ["sockets"]
