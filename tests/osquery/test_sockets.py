"""osquery's tables of sockets and pipes, on what the test opens itself."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sockql import osquery
from sockql.engine import Engine
from sockql.host import Host
from tests.live.children import child, wait_until
from tests.osquery.asking import connected

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
STREAM, DGRAM, RAW = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW
NETNS = str(os.stat("/proc/self/ns/net").st_ino)
PID = os.getpid()
TCP, UDP = 6, 17

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes CAP_NET_RAW (EPERM)")


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connected(Host()) as made:
        yield made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def opened(stack: ExitStack, family: int, type: int, protocol: int = 0) -> socket.socket:
    try:
        return stack.enter_context(socket.socket(family, type, protocol))
    except OSError as error:
        pytest.skip(f"no such sockets ({errno.errorcode[error.errno or 0]})")


def bound(stack: ExitStack, family: int, type: int) -> socket.socket:
    made = opened(stack, family, type)
    try:
        made.bind(("127.0.0.1" if family == INET else "::1", 0))
    except OSError as error:
        pytest.skip(f"no address ({errno.errorcode[error.errno or 0]})")
    return made


def inode(file: socket.socket | int) -> int:
    return os.fstat(file if isinstance(file, int) else file.fileno()).st_ino


def rows(
    engine: Engine, table: str, *files: socket.socket | int, where: str = "true"
) -> list[tuple[Any, ...]]:
    """The rows of the inodes of these files, in order of pid and descriptor."""
    column = "inode" if table == "process_open_pipes" else "socket"
    inodes = ",".join(str(inode(file)) for file in files)
    sql = f"select * from {table} where {column} in ({inodes}) and {where} order by pid, fd"
    return engine.query(sql)


@pytest.mark.parametrize("family", [INET, INET6], ids=["inet", "inet6"])
def test_a_connection_and_its_listener(engine: Engine, stack: ExitStack, family: int) -> None:
    listener = bound(stack, family, STREAM)
    listener.listen(1)
    client = opened(stack, family, STREAM)
    client.connect(listener.getsockname())
    server = stack.enter_context(listener.accept()[0])
    here, there = listener.getsockname()[:2], client.getsockname()[:2]
    kind = (family, TCP)
    nobody = "0.0.0.0" if family == INET else "::"
    found = rows(engine, "process_open_sockets", listener, client, server)
    assert found == [
        (
            *(PID, listener.fileno(), inode(listener), *kind, here[0], nobody, here[1], 0, ""),
            *("LISTEN", NETNS),
        ),
        (
            *(PID, client.fileno(), inode(client), *kind, there[0], here[0], there[1], here[1]),
            *("", "ESTABLISHED", NETNS),
        ),
        (
            *(PID, server.fileno(), inode(server), *kind, here[0], there[0], here[1], there[1]),
            *("", "ESTABLISHED", NETNS),
        ),
    ]
    listening = (
        PID,
        here[1],
        TCP,
        family,
        here[0],
        listener.fileno(),
        inode(listener),
        None,
        NETNS,
    )
    assert rows(engine, "listening_ports", listener, client, server) == [listening]
    for condition in (f"port = {here[1]}", f"family = {family}", f"pid = {PID}", "protocol = 6"):
        found = engine.query(f"select * from listening_ports where {condition}")
        assert listening in found
        assert len(found) == len(set(found))


def test_every_holder_of_a_shared_socket_is_a_row(engine: Engine, stack: ExitStack) -> None:
    listener = bound(stack, INET, STREAM)
    listener.listen(1)
    stack.callback(os.close, os.dup(listener.fileno()))
    copy = os.dup(listener.fileno())
    stack.callback(os.close, copy)
    held = {(PID, int(fd)) for fd in os.listdir("/proc/self/fd") if _is(fd, listener)}
    assert len(held) == 3
    with _forked(listener) as pid:
        found = rows(engine, "process_open_sockets", listener)
        assert {(row[0], row[1]) for row in found} == {*held, (pid, listener.fileno())}
        assert len({row[2:] for row in found}) == 1
        sql = f"select fd from process_open_sockets where pid = {pid}"
        assert engine.query(sql) == [(listener.fileno(),)]
        found = rows(engine, "listening_ports", listener)
        assert {(row[0], row[5]) for row in found} == {*held, (pid, listener.fileno())}


def test_udp_sockets_listen_while_they_have_no_peer(engine: Engine, stack: ExitStack) -> None:
    waiting = bound(stack, INET, DGRAM)
    connected = bound(stack, INET, DGRAM)
    connected.connect(waiting.getsockname())
    port, other = waiting.getsockname()[1], connected.getsockname()[1]
    local = ("127.0.0.1",)
    assert rows(engine, "process_open_sockets", waiting, connected) == [
        (
            *(PID, waiting.fileno(), inode(waiting), INET, UDP, *local, "0.0.0.0", port, 0, ""),
            *("", NETNS),
        ),
        (
            *(PID, connected.fileno(), inode(connected), INET, UDP, *local, *local, other, port),
            *("", "", NETNS),
        ),
    ]
    row = (PID, port, UDP, INET, "127.0.0.1", waiting.fileno(), inode(waiting), None, NETNS)
    assert rows(engine, "listening_ports", waiting, connected) == [row]


def test_unix_sockets_listen_when_they_have_a_path(
    engine: Engine, stack: ExitStack, tmp_path: Path
) -> None:
    place = str(tmp_path / "a b.sock")
    if len(place) > 100:
        pytest.skip("the folder for temporary files has too long a path for a socket")
    listener, client = opened(stack, UNIX, STREAM), opened(stack, UNIX, STREAM)
    listener.bind(place)
    listener.listen(1)
    client.connect(place)
    server = stack.enter_context(listener.accept()[0])
    abstract = opened(stack, UNIX, DGRAM)
    abstract.bind(f"\0sockql-{PID}")

    def row(made: socket.socket, path: str) -> tuple[Any, ...]:
        return (PID, made.fileno(), inode(made), 1, 0, "", "", 0, 0, path, "", NETNS)

    assert rows(engine, "process_open_sockets", listener, client, server, abstract) == [
        row(listener, place),
        row(client, ""),
        row(server, place),
        row(abstract, f"@sockql-{PID}"),
    ]
    sql = f"select * from listening_ports where family = 1 and pid = {PID} order by fd"
    found = [row for row in engine.query(sql) if row[7] in (place, f"@sockql-{PID}")]
    assert found == [
        (PID, 0, 0, 1, None, made.fileno(), 0, path, NETNS)
        for made, path in ((listener, place), (server, place), (abstract, f"@sockql-{PID}"))
    ]


@as_root
def test_raw_and_packet_sockets(engine: Engine, stack: ExitStack) -> None:
    raw = opened(stack, INET, RAW, socket.IPPROTO_ICMP)
    packet = opened(stack, socket.AF_PACKET, RAW, socket.htons(3))
    assert rows(engine, "process_open_sockets", raw, packet) == [
        (
            *(PID, raw.fileno(), inode(raw), INET, 255, "0.0.0.0", "0.0.0.0", 1, 0, ""),
            *("", NETNS),
        ),
        (
            *(PID, packet.fileno(), inode(packet), socket.AF_PACKET, 3, "", "", 0, 0, ""),
            *("NONE", NETNS),
        ),
    ]
    assert rows(engine, "listening_ports", raw, packet) == [
        (PID, 1, 255, INET, "0.0.0.0", raw.fileno(), inode(raw), None, NETNS),
        (PID, 0, 3, socket.AF_PACKET, "", packet.fileno(), inode(packet), None, NETNS),
    ]
    sql = f"select socket from process_open_sockets where family = 17 and pid = {PID}"
    assert (inode(packet),) in engine.query(sql)
    sql = "select socket from listening_ports where port = 1 and protocol = 255"
    assert (inode(raw),) in engine.query(sql)


def test_what_nobody_holds_has_the_pid_minus_one(engine: Engine, stack: ExitStack) -> None:
    listener = bound(stack, INET, STREAM)
    listener.listen(1)
    port = listener.getsockname()[1]
    client = opened(stack, INET, STREAM)
    client.connect(listener.getsockname())
    other = client.getsockname()[1]
    waiting = f"local_port = {port} and remote_port = {other}"
    sql = f"select pid, fd, socket, state from process_open_sockets where {waiting}"
    # Nobody has accepted it yet.
    assert engine.query(sql) == [(-1, -1, 0, "ESTABLISHED")]
    listener.accept()[0].close()
    wait_until(lambda: engine.query(sql) == [(-1, -1, 0, "FIN_WAIT2")])
    client.close()
    wait_until(lambda: engine.query(sql) == [(-1, -1, 0, "TIME_WAIT")])
    for condition in ("pid = -1", "pid in (-1, 1)", "state = 'TIME_WAIT'", f"pid <> {PID}"):
        assert engine.query(f"{sql} and {condition}") == [(-1, -1, 0, "TIME_WAIT")]
    for condition in (f"pid = {PID}", "state = 'LISTEN'", "family = 10", "protocol = 17"):
        assert engine.query(f"{sql} and {condition}") == []


def test_a_bound_socket_that_does_nothing_is_none(engine: Engine, stack: ExitStack) -> None:
    idle = bound(stack, INET, STREAM)
    assert rows(engine, "process_open_sockets", idle) == []
    assert rows(engine, "listening_ports", idle) == []


def test_conditions_only_take_rows_away(engine: Engine, stack: ExitStack) -> None:
    listener = bound(stack, INET, STREAM)
    listener.listen(1)
    client = opened(stack, INET, STREAM)
    client.connect(listener.getsockname())
    port = listener.getsockname()[1]
    mine = f"select * from process_open_sockets where pid = {PID}"
    every = engine.query(mine)
    assert len(every) >= 2
    # The same rows in a table of SQLite's own, to which nothing is handed down.
    plain = stack.enter_context(closing(sqlite3.connect(":memory:")))
    plain.execute(osquery.load("process_open_sockets").schema.ddl())
    marks = ",".join("?" * len(every[0]))
    plain.executemany(f"insert into process_open_sockets values ({marks})", every)
    for condition in (
        *("family = 2", "family in (1, 2)", "protocol = 6", "protocol in (6, 0) and family = 2"),
        *("state = 'LISTEN'", "state in ('ESTABLISHED', '')", "state = 'listen'", "family = 3"),
        *(f"local_port = {port}", f"remote_port = {port}", "remote_port = 0", "remote_port <> 0"),
        *(f"local_port = {port} and state = 'LISTEN'", f"local_port = '{port}'", "path = ''"),
        *("remote_address <> ''", "net_namespace = 1", f"net_namespace = {NETNS}"),
    ):
        found = engine.query(f"{mine} and {condition} order by fd")
        assert found == plain.execute(f"{mine} and {condition} order by fd").fetchall(), condition


def test_a_join_with_processes_reads_the_sockets_once(engine: Engine, stack: ExitStack) -> None:
    listener = bound(stack, INET, STREAM)
    listener.listen(1)
    sql = f"""
        select p.name, l.address, s.local_port from processes p
        join listening_ports l on l.pid = p.pid
        join process_open_sockets s on s.pid = l.pid and s.fd = l.fd
        where l.socket = {inode(listener)}
    """
    name = Path("/proc/self/comm").read_text().rstrip("\n")
    assert engine.query(sql) == [(name, "127.0.0.1", listener.getsockname()[1])]
    plan = engine.plan(sql)
    asked = [request for table in plan.tables for request in table.requests]
    assert [request for request in asked if request.endswith("/fd")] == ["/proc/*/fd"]
    assert {table.how.partition(",")[0] for table in plan.tables[1:]} == {"collected once"}


def test_every_statement_that_shares_the_holders_says_what_they_lack() -> None:
    def unprivileged() -> list[list[str]]:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        statements = [
            "select count(pid) from process_open_sockets",
            "select * from listening_ports",
        ]
        said = []
        with connected(Host(scope="self")) as engine:
            engine.share()
            for sql in statements:
                engine.foresee(sql)
            for sql in statements:
                engine.query(sql)
                said.append([text.partition(":")[0] for text in engine.notices])
        return said

    with child(unprivileged) as (_, said):
        assert said[0] == said[1]
        if os.geteuid() == 0:
            assert said[0] == ["fds"]


# -- pipes --------------------------------------------------------------------------------------


def test_the_ends_of_pipes(engine: Engine, stack: ExitStack, tmp_path: Path) -> None:
    read, write = os.pipe()
    alone, gone = os.pipe()
    os.close(gone)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    named = os.open(fifo, os.O_RDWR)
    for number in (read, write, alone, named):
        stack.callback(os.close, number)
    a, b, c = inode(read), inode(alone), inode(named)
    mine = f"pid = {PID} and (partner_pid is null or partner_pid = {PID})"
    assert rows(engine, "process_open_pipes", read, alone, named, where=mine) == sorted(
        [
            (PID, read, "r", a, "anonymous", PID, write, "w"),
            (PID, write, "w", a, "anonymous", PID, read, "r"),
            (PID, alone, "r", b, "anonymous", None, None, None),
            (PID, named, "rw", c, "named", None, None, None),
        ]
    )
    with _forked(write) as pid:
        found = rows(engine, "process_open_pipes", read)
        assert sorted(found) == sorted(
            [
                (PID, read, "r", a, "anonymous", PID, write, "w"),
                (PID, read, "r", a, "anonymous", pid, write, "w"),
                (PID, write, "w", a, "anonymous", PID, read, "r"),
                (pid, write, "w", a, "anonymous", PID, read, "r"),
            ]
        )
        sql = f"select fd, partner_pid, partner_fd from process_open_pipes where pid = {pid}"
        assert engine.query(sql) == [(write, PID, read)]


def test_a_pipe_whose_descriptors_all_write_is_no_row(engine: Engine, stack: ExitStack) -> None:
    read, write = os.pipe()
    os.close(read)
    copy = os.dup(write)
    stack.callback(os.close, write)
    stack.callback(os.close, copy)
    assert rows(engine, "process_open_pipes", write) == []


# -- help ---------------------------------------------------------------------------------------


def _is(fd: str, made: socket.socket) -> bool:
    try:
        return os.stat(f"/proc/self/fd/{fd}").st_ino == inode(made)
    except FileNotFoundError:
        return False  # the descriptor that listed the folder


@contextmanager
def _forked(kept: socket.socket | int) -> Iterator[int]:
    """A process that has nothing open but this one descriptor, under its number."""
    number = kept if isinstance(kept, int) else kept.fileno()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            low, high = sorted((number, writing))
            os.closerange(0, low)
            os.closerange(low + 1, high)
            os.closerange(high + 1, 1024)
            os.write(writing, b"1")
            os.close(writing)
            while True:
                signal.pause()
        finally:
            os._exit(0)
    os.close(writing)
    try:
        assert os.read(reading, 1) == b"1"
        yield pid
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_threads_with_a_table_of_their_own_add_only_what_they_alone_have(
    engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> tuple[int, int, int, int]:
        listener = socket.create_server(("127.0.0.1", 0))
        file = os.open(tmp_path / "file", os.O_RDONLY)
        reading, _ = os.pipe()
        ready, said = threading.Event(), list[int]()

        def leave() -> None:
            if libc.unshare(0x400):  # CLONE_FILES
                said.append(-ctypes.get_errno())
            else:
                # Whoever waits for our answer waits for all copies of the pipe to be closed.
                os.closerange(900, 1000)
                said.append(socket.create_server(("127.0.0.1", 0)).detach())
            ready.set()
            threading.Event().wait()

        threading.Thread(target=leave, daemon=True).start()
        assert ready.wait(10)
        assert said[0] > 0, os.strerror(-said[0])
        number = listener.detach()
        return number, file, reading, said[0]

    with child(prepare) as (pid, (listener, file, reading, own)):
        where = f"where pid = {pid}"
        sockets = engine.query(f"select fd, state from process_open_sockets {where}")
        ports = engine.query(f"select fd from listening_ports {where} and port")
        files = engine.query(f"select fd from process_open_files {where} and path = :p", {
            "p": str(tmp_path / "file")
        })  # fmt: skip
        pipes = engine.query(
            f"select fd, partner_pid, partner_fd from process_open_pipes {where} and fd = {reading}"
        )
        held = engine.query(f"select count(*) from fds {where} and fd = {listener}")
    assert sorted(sockets) == sorted([(listener, "LISTEN"), (own, "LISTEN")])
    assert sorted(ports) == sorted([(listener,), (own,)])
    assert files == [(file,)]
    assert pipes == [(reading, pid, reading + 1)]
    assert held == [(2,)]
