"""Queries about shells on the network, and about whoever listens in or tunnels out."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.children import child
from tests.queries.asking import HERE, ME, Row, about, ask, ends, process
from tests.queries.setups import drop_everything, kept, listed, needs_root, new_network, program


@pytest.fixture
def connection(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection: that of the client and that of the server."""
    server = stack.enter_context(socket.create_server((HERE, 0)))
    client = stack.enter_context(socket.create_connection(server.getsockname()))
    return client, stack.enter_context(server.accept()[0])


def shell(stack: ExitStack, *, command: str = "read line", **options: object) -> int:
    return stack.enter_context(
        program("sh", "-c", f"{command}; :", executable=shutil.which("sh"), **options)
    )


def test_reverse_shell(stack: ExitStack, connection: tuple[socket.socket, socket.socket]) -> None:
    client, _ = connection
    pid = shell(stack, stdin=client, stdout=client)
    assert about(pid, "reverse-shell") == [
        {**process(pid, "cmdline", "started"), "protocol": "tcp", **ends(client)}
    ]
    assert about(pid, "relayed-shell") == []
    # Only one of the two is a connection, it goes nowhere, or the program is none for commands.
    assert about(shell(stack, stdin=client), "reverse-shell") == []
    unconnected = stack.enter_context(socket.socket())
    waiting = shell(stack, command="sleep 100", stdin=unconnected, stdout=unconnected)
    assert about(waiting, "reverse-shell") == []
    sleeping = stack.enter_context(program("sleep", "100", stdin=client, stdout=client))
    assert about(sleeping, "reverse-shell") == []


@pytest.mark.parametrize("kind", ["pipe", "unix", "pty"])
def test_relayed_shell(
    stack: ExitStack, connection: tuple[socket.socket, socket.socket], kind: str
) -> None:
    client, accepted = connection
    if kind == "pipe":
        inner, outer = os.pipe()
    elif kind == "pty":
        outer, inner = os.openpty()
    else:
        inner, outer = (end.detach() for end in socket.socketpair())
    stack.callback(os.close, inner)
    stack.callback(os.close, outer)
    pid = shell(stack, stdin=inner, stdout=inner)
    me = process(ME)

    def found() -> list[Row]:
        number = accepted.getsockname()[1]
        return [row for row in about(pid, "relayed-shell") if row["dport"] == number]

    assert found() == [
        {
            **process(pid, "cmdline", "started"),
            "kind": kind,
            "relay_pid": ME,
            "relay_path": me["path"],
            "protocol": "tcp",
            "dst": HERE,
            "dport": accepted.getsockname()[1],
        }
    ]
    assert about(pid, "reverse-shell") == []
    # Without its end the connection is one that others made to a port of ours.
    client.close()
    assert found() == []


def test_shell_with_connection(
    stack: ExitStack, connection: tuple[socket.socket, socket.socket]
) -> None:
    client, _ = connection
    inner, outer = os.pipe()
    stack.callback(os.close, inner)
    stack.callback(os.close, outer)
    pid = shell(stack, stdin=inner, pass_fds=[client.fileno()])
    assert about(pid, "shell-with-connection") == [
        {
            **process(pid, "cmdline"),
            "fd": client.fileno(),
            "protocol": "tcp",
            "state": "ESTABLISHED",
            **ends(client),
        }
    ]
    assert about(shell(stack, stdin=inner), "shell-with-connection") == []
    other = stack.enter_context(program("sleep", "100", pass_fds=[client.fileno()]))
    assert about(other, "shell-with-connection") == []


def test_raw_sockets(tmp_path: Path) -> None:
    def listen() -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)  # for experiments, RFC 3692
        sock.bind((HERE, 0))
        kept.append(sock)

    def talk() -> None:
        kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        kept[-1].bind((HERE, 0))

    if os.geteuid() == 0:
        with child(listen) as (pid, _):
            assert about(pid, "raw-sockets") == [
                {
                    **process(pid),
                    "protocol": "raw",
                    "ip_protocol": 253,
                    "src": HERE,
                    "dst": None,
                    "interface": None,
                }
            ]
            programs = listed(tmp_path, "path", process(pid)["path"])
            assert about(pid, "raw-sockets", raw_programs=programs) == []
    with child(talk) as (pid, _):
        assert about(pid, "raw-sockets") == []
    if os.geteuid():
        pytest.skip("raw sockets take CAP_NET_RAW (EPERM)")


ETH_P_ALL = 3


@needs_root
@pytest.mark.parametrize("filtered", [False, True])
def test_packet_sockets(filtered: bool, tmp_path: Path) -> None:
    def listen() -> None:
        new_network()
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.bind(("lo", ETH_P_ALL))
        if filtered:
            drop_everything(sock)
        kept.append(sock)

    def talk() -> None:
        new_network()

    with child(listen) as (pid, _):
        assert about(pid, "packet-sockets") == [
            {
                **process(pid),
                "protocol": "all",
                "socktype": "raw",
                "interface": "lo",
                "filtered": int(filtered),
            }
        ]
        programs = listed(tmp_path, "path", process(pid)["path"])
        assert about(pid, "packet-sockets", packet_programs=programs) == []
    with child(talk) as (pid, _):
        assert about(pid, "packet-sockets") == []


@needs_root
@pytest.mark.parametrize("promiscuous", [False, True])
def test_promiscuous_interface(promiscuous: bool) -> None:
    def listen() -> int:
        netns = new_network()
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        if promiscuous:  # SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC
            wish = struct.pack("iHH8x", socket.if_nametoindex("lo"), 1, 0)
            sock.setsockopt(263, 1, wish)
        kept.append(sock)
        return netns

    with child(listen) as (_, netns):
        row = {
            "netns": netns,
            "interface": "lo",
            "link_kind": None,
            "mac": "00:00:00:00:00:00",
            "interface_flags": "UP,LOOPBACK,RUNNING,LOWER_UP",
            "promiscuity": 1,
        }
        found = [each for each in ask("promiscuous-interface") if each["netns"] == netns]
        assert found == ([row] if promiscuous else [])


@needs_root
def test_tunnel_devices() -> None:
    def dig(place: str) -> int | None:
        new_network()
        try:
            file = os.open(place, os.O_RDWR)
        except OSError:
            return None
        if place.endswith("tun"):
            wish = struct.pack("16sH22x", b"sockql0", 0x1001)  # IFF_TUN | IFF_NO_PI
            fcntl.ioctl(file, 0x400454CA, wish)  # TUNSETIFF
        return file

    with child(lambda: dig("/dev/net/tun")) as (pid, file):
        if file is None:
            pytest.skip("no /dev/net/tun (ENOENT)")
        assert about(pid, "tunnel-devices") == [
            {**process(pid), "fd": file, "interface": "sockql0"}
        ]
    with child(lambda: dig("/dev/null")) as (pid, _):
        assert about(pid, "tunnel-devices") == []
