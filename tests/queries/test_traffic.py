"""Queries about who talks to whom, and how much."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.children import child
from tests.queries.asking import HERE, ME, Row, about, ask, ends, process
from tests.queries.pairs import Pair, queued, tcp_info, to
from tests.queries.setups import (
    add_address,
    become,
    beside,
    container,
    kept,
    needs_root,
    new_network,
)

MANY = 10**9


def test_connections_by_process() -> None:
    def connect() -> None:
        pair = Pair(ExitStack(), 2)
        pair.clients[0].close()
        kept.append(pair)
        waiting = socket.create_connection((HERE, pair.port))
        kept.append(waiting)

    def listen() -> None:
        kept.append(socket.create_server((HERE, 0)))

    with child(connect) as (pid, _):
        assert about(pid, "connections-by-process") == [
            {
                **process(pid),
                "connections": 4,
                "established": 3,
                "close_wait": 1,
                "syn_sent": 0,
                "hosts": 1,
            }
        ]
    with child(listen) as (pid, _):
        assert about(pid, "connections-by-process") == []


def test_top_talkers(stack: ExitStack) -> None:
    pair = Pair(stack)
    pair.client.send(bytes(30000))
    while queued(pair.client):
        pair.accepted[0].recv(30000)

    def row(sock: socket.socket) -> Row:
        return {
            "pid": ME,
            "name": process(ME)["name"],
            "user": process(ME)["user"],
            **ends(sock),
            "bytes_sent": tcp_info(sock, 200, "Q"),
            "bytes_received": tcp_info(sock, 128, "Q"),
            "delivery_rate": tcp_info(sock, 160, "Q"),
            "rtt": tcp_info(sock, 68),
        }

    accepted = row(pair.accepted[0])
    assert (accepted["bytes_sent"], accepted["bytes_received"]) == (0, 30000)
    assert to(pair.port, "top-talkers", limit=MANY) == [row(pair.client)]
    assert to(pair.port, "top-talkers", "sport", limit=MANY) == [accepted]
    assert ask("top-talkers", limit=0) == []


@needs_root
@pytest.mark.parametrize(("address", "seen"), [("192.0.2.1", True), ("10.0.0.1", False)])
def test_external_connections(address: str, seen: bool) -> None:
    def connect() -> tuple[int, int]:
        new_network()
        add_address(address)
        pair = Pair(ExitStack(), address=address)
        kept.append(pair)
        return pair.port, pair.client.getsockname()[1]

    with child(connect) as (pid, ports):
        row = process(pid)
        del row["pid"]
        found = [each for each in ask("external-connections") if each["pids"] == str(pid)]
        assert found == (
            [
                {
                    **row,
                    "protocol": "tcp",
                    "dst": address,
                    "dport": port,
                    "service": None,
                    "connections": 1,
                    "pids": str(pid),
                }
                for port in sorted(ports)
            ]
            if seen
            else []
        )


def test_local_conversations() -> None:
    def talk(name: str, peer: str) -> None:
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        become(name)
        kept.append(ours)

        def answer() -> None:
            become(peer)
            ours.close()
            os.close(reading)
            kept.append(theirs)

        beside(answer)
        theirs.close()
        os.close(writing)

    def alone() -> None:
        become("sockql-alone")
        kept.extend(socket.socketpair())

    def found(name: str) -> list[Row]:
        return [each for each in ask("local-conversations") if each["name"] == name]

    with child(lambda: talk("sockql-anna", "sockql-bert")):
        row = {"name": "sockql-anna", "peer_name": "sockql-bert"}
        counts = {"connections": 1, "processes": 1, "peer_processes": 1}
        assert found("sockql-anna") == [
            {**row, "kind": "pipe", **counts},
            {**row, "kind": "unix", **counts},
        ]
        assert found("sockql-bert") == []
    with child(alone):
        assert found("sockql-alone") == []


def test_container_connections() -> None:
    def talk(entry: Path, *, inside: bool) -> int:
        entry.write_text("0")
        become("sockql-inside")
        ours, theirs = socket.socketpair()
        kept.append(ours)

        def answer() -> None:
            if not inside:
                (entry.parent.parent / "cgroup.procs").write_text("0")
            become("sockql-outside")
            ours.close()
            kept.append(theirs)

        peer = beside(answer)
        theirs.close()
        return peer

    with container() as (id, entry):
        with child(lambda: talk(entry, inside=False)) as (pid, peer):
            assert about(pid, "container-connections") == [
                {
                    "container_id": id,
                    "name": "sockql-inside",
                    "pid": pid,
                    "kind": "unix",
                    "peer_container_id": None,
                    "peer_name": "sockql-outside",
                    "peer_pid": peer,
                    "connections": 1,
                }
            ]
        with child(lambda: talk(entry, inside=True)) as (pid, _):
            assert about(pid, "container-connections") == []


def test_socket_memory() -> None:
    def receive() -> tuple[int, ...]:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((HERE, 0))
        sock.sendto(bytes(1000), sock.getsockname())
        kept.append(sock)
        return struct.unpack("9I", sock.getsockopt(socket.SOL_SOCKET, 55, 36))  # SO_MEMINFO

    def sleep() -> None:
        """No sockets."""

    with child(receive) as (pid, memory):
        received, set_aside = memory[0], memory[4]
        assert received > 1000
        assert about(pid, "socket-memory", limit=MANY) == [
            {
                **process(pid),
                "sockets": 1,
                "receiving": received,
                "sending": 0,
                "set_aside": set_aside,
                "memory": received + set_aside,
            }
        ]
    with child(sleep) as (pid, _):
        assert about(pid, "socket-memory", limit=MANY) == []
