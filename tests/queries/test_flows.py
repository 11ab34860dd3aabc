"""Queries about connections that do badly."""

from __future__ import annotations

import os
import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path

from tests.live.children import child, wait_until
from tests.queries.asking import HERE, ME, NETNS, Row, about, ask, ends, process
from tests.queries.pairs import SIOCOUTQNSD, Pair, fill, queued, tcp_info, to
from tests.queries.setups import (
    drop_everything,
    kept,
)


def test_scanning_process() -> None:
    def scan(count: int) -> None:
        server = socket.socket()
        server.bind((HERE, 0))
        server.listen(0)
        kept.append(server)
        for _ in range(1 + count):  # one fits in the queue
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(server.getsockname())
            kept.append(sock)

    with child(lambda: scan(3)) as (pid, _):
        assert about(pid, "scanning-process", more_than=2) == [
            {**process(pid), "unanswered": 3, "hosts": 1, "ports": 1}
        ]
        assert about(pid, "scanning-process", more_than=3) == []


def test_close_wait_leak() -> None:
    limits = (64, 64)

    def leak(count: int) -> int:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        server = socket.create_server((HERE, 0))
        kept.append(server)
        for _ in range(count):
            with socket.create_connection(server.getsockname()):
                kept.append(server.accept()[0])
        return len(os.listdir("/proc/self/fd")) - 1

    with child(lambda: leak(3)) as (pid, descriptors):
        row = {
            **process(pid),
            "close_wait": 3,
            "fd_count": descriptors - 1,  # it has closed that by which it answered
            "limit_nofile": limits[0],
        }
        assert about(pid, "close-wait-leak", more_than=2) == [row]
        assert about(pid, "close-wait-leak", more_than=3) == []


def test_time_wait_flood(stack: ExitStack) -> None:
    pair = Pair(stack, 3)
    for client, accepted in zip(pair.clients, pair.accepted):
        client.close()
        accepted.close()
    row = {"netns": NETNS, "dst": HERE, "dport": pair.port, "service": None, "time_wait": 3}
    wait_until(lambda: to(pair.port, "time-wait-flood", more_than=2) == [row])
    assert to(pair.port, "time-wait-flood", more_than=3) == []


def test_half_open_flood(stack: ExitStack) -> None:
    server = stack.enter_context(socket.socket())
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
    server.bind((HERE, 0))
    server.listen()
    port = server.getsockname()[1]
    for _ in range(3):
        stack.enter_context(socket.create_connection((HERE, port)))
    row = {"netns": NETNS, "src": HERE, "sport": port, "service": None}
    assert to(port, "half-open-flood", "sport", more_than=2) == [
        {**row, "half_open": 3, "clients": 1}
    ]
    assert to(port, "half-open-flood", "sport", more_than=3) == []


def test_connection_flood(stack: ExitStack) -> None:
    pair = Pair(stack, 3)
    row = {"netns": NETNS, "dst": HERE, "sport": pair.port, "service": None, "connections": 3}
    assert to(pair.port, "connection-flood", "sport", more_than=2) == [row]
    assert to(pair.port, "connection-flood", "sport", more_than=3) == []


def test_orphaned_connections(stack: ExitStack) -> None:
    place = "127.77.1.2"
    pair = Pair(stack, address=place)

    def found(more_than: int) -> list[Row]:
        return [
            row
            for row in ask("orphaned-connections", more_than=more_than)
            if row["dst"] == place and row["netns"] == NETNS
        ]

    fill(pair.client)
    assert found(0) == []
    pair.client.close()

    def sending() -> int:
        """What /proc/net/tcp says of the connection to ``place``, port in hexadecimal."""
        peer = f"02014D7F:{pair.port:04X}"
        for line in Path("/proc/net/tcp").read_text().splitlines():
            words = line.split()
            if words[2] == peer:
                return int(words[4].partition(":")[0], 16)
        return 0

    def told() -> bool:
        """The query tells what the text has, unless the peer took more meanwhile."""
        before, rows, after = sending(), found(0), sending()
        row = {"netns": NETNS, "dst": place, "orphans": 1, "states": "FIN_WAIT1"}
        if before != after:
            return False
        assert rows == [{**row, "send_queue": after}]
        return after > 0

    wait_until(told)
    assert found(1) == []


def test_zero_window(stack: ExitStack) -> None:
    pair = Pair(stack)
    assert to(pair.port, "zero-window") == []
    fill(pair.client)

    def expected() -> list[Row]:
        return [
            {
                **process(ME),
                **ends(pair.client),
                "send_queue": queued(pair.client),
                "notsent_bytes": queued(pair.client, SIOCOUTQNSD),
            }
        ]

    wait_until(lambda: to(pair.port, "zero-window") == expected())
    assert queued(pair.client, SIOCOUTQNSD) > 0


def test_connections_that_get_no_answer(stack: ExitStack) -> None:
    pair = Pair(stack)
    for name, params in (("unanswered-data", {"at_least": 1}), ("retransmitting-connections", {})):
        assert to(pair.port, name, "dport", **params) == []
    drop_everything(pair.accepted[0])
    pair.client.send(bytes(1000))
    wait_until(lambda: tcp_info(pair.client, 100) >= 2)  # tcpi_total_retrans

    def unanswered(count: int) -> Row:
        return {
            **process(ME),
            "state": "ESTABLISHED",
            **ends(pair.client),
            "send_queue": 1000,
            "retransmits": count,
        }

    def retransmitting(total: int) -> Row:
        return {
            "pid": ME,
            "name": process(ME)["name"],
            **ends(pair.client),
            "state": "ESTABLISHED",
            "total_retrans": total,
            "in_flight": tcp_info(pair.client, 36),
            "bytes_sent": tcp_info(pair.client, 200, "Q"),
            "bytes_retrans": tcp_info(pair.client, 208, "Q"),
            "percent": round(100 * total / (total + 1), 2),
            "rtt": tcp_info(pair.client, 68),
            "rttvar": tcp_info(pair.client, 72),
            "ca_state": "Loss",
        }

    def asked() -> bool:
        """Both queries tell what the socket itself says, unless it tried again meanwhile."""
        total, count = tcp_info(pair.client, 100), tcp_info(pair.client, 2, "B")
        rows = to(pair.port, "unanswered-data", at_least=1)
        others = to(pair.port, "retransmitting-connections")
        expected = [unanswered(count)], [retransmitting(total)]
        if total != tcp_info(pair.client, 100):
            return False
        assert (rows, others) == expected
        return True

    wait_until(asked, 30)
    assert to(pair.port, "unanswered-data", at_least=100) == []
    assert to(pair.port, "retransmitting-connections", segments=100) == []


def test_unread_data(stack: ExitStack) -> None:
    pair = Pair(stack)
    pair.client.send(bytes(5000))
    row = {
        **process(ME),
        "status": "R",
        "protocol": "tcp",
        **ends(pair.accepted[0]),
        "recv_queue": 5000,
    }
    assert to(pair.port, "unread-data", "sport", bytes=5000) == [row]
    assert to(pair.port, "unread-data", "sport", bytes=5001) == []


def test_dropping_sockets(stack: ExitStack) -> None:
    receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sender = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    receiver.bind((HERE, 0))
    port = receiver.getsockname()[1]
    sender.sendto(b"x", receiver.getsockname())
    assert to(port, "dropping-sockets", "sport", more_than=0) == []
    for _ in range(100):
        sender.sendto(bytes(1000), receiver.getsockname())
    memory = struct.unpack("9I", receiver.getsockopt(socket.SOL_SOCKET, 55, 36))  # SO_MEMINFO
    rows = to(port, "dropping-sockets", "sport", more_than=0)
    received = 0
    receiver.setblocking(False)
    try:
        while receiver.recv(2000):
            received += 1
    except BlockingIOError:
        pass
    assert 0 < received < 101
    assert rows == [
        {
            **process(ME),
            "family": "inet",
            "protocol": "udp",
            "src": HERE,
            "sport": port,
            "drops": 101 - received,
            "recv_queue": memory[0],
            "rcvbuf": memory[1],
        }
    ]


def test_idle_connections(stack: ExitStack) -> None:
    before = time.monotonic()
    pair = Pair(stack)
    pair.accepted[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    found = to(pair.port, "idle-connections", seconds=0)
    assert found[0].pop("idle") in range(1 + int(time.monotonic() - before))
    assert found == [{**process(ME), **ends(pair.client)}]
    assert to(pair.port, "idle-connections", "sport", seconds=0) == []
    assert to(pair.port, "idle-connections") == []
