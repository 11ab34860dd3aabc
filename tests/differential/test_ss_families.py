"""Packet and netlink sockets: the same rows as ``ss -0`` and ``ss -f netlink``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.differential.machine import World

Need = Callable[[str], None]

#: Opens sockets, and asks ss and sockql about them.
PROGRAM = """
import json, socket, subprocess, sys
packet, netlink = 17, 16
kept = [
    socket.socket(packet, socket.SOCK_RAW, socket.htons(3)),
    socket.socket(packet, socket.SOCK_DGRAM, 0),
    socket.socket(packet, socket.SOCK_RAW, 0),
    socket.socket(netlink, socket.SOCK_RAW, 0),
    socket.socket(netlink, socket.SOCK_RAW, 15),
]
kept[1].bind(("lo", 0x88cc))
kept[3].bind((0, 0x11))
kept[4].bind((0, 1))
lines = subprocess.run(["ss", *sys.argv[1].split()], capture_output=True, check=True, text=True)
from sockql.engine import Engine
from sockql.host import Host
with Engine(Host()) as engine:
    rows = engine.query(sys.argv[2])
    ports = [sock.getsockname()[0] for sock in kept[3:]]
    json.dump({"lines": lines.stdout, "rows": rows, "ports": ports}, sys.stdout)
"""


def both(world: World, flags: str, sql: str) -> tuple[str, list[list[Any]], list[int]]:
    answer = json.loads(world.run(sys.executable, "-c", PROGRAM, flags, sql))
    return answer["lines"], answer["rows"], answer["ports"]


def test_packet_sockets_are_those_of_ss(world: World, need: Need) -> None:
    need("ss")
    sql = """
        select socktype, send_queue, ethertype, interface, inode, cookie,
               packet_version, packet_copy_thresh, packet_flags
        from sockets where family = 'packet'
    """
    text, rows, _ = both(world, "-HOnae0", sql)
    pattern = (
        r"p_(raw|dgr) +UNCONN +(\d+) +(\d+) +(\S+):(\S+) +\* +ino:(\d+) sk:([0-9a-f]+)"
        r" ver:(\d+) cpy_thresh:(\d+) flags\( (.*?) *\)"
    )
    found = re.findall(pattern, text)
    assert len(found) == len(text.splitlines())
    if not found:
        pytest.skip("ss: this kernel lists no packet sockets")
    expected = []
    # What is received changes by the moment.
    for kind, _, sent, number, where, inode, cookie, version, thresh, flags in found:
        expected.append(
            [
                {"raw": "raw", "dgr": "dgram"}[kind],
                int(sent),
                # ss writes * for all packets, and a number in brackets.
                {"*": 3, "[0]": None}.get(number, int(number.strip("[]*") or 0)),
                None if where == "*" else where,
                *(int(inode), int(cookie, 16), int(version), int(thresh)),
                None if flags == "0" else flags.replace(" ", ","),
            ]
        )
    assert sorted(rows, key=repr) == sorted(expected, key=repr), text


def test_netlink_sockets_are_those_of_ss_each_once(world: World, need: Need) -> None:
    need("ss")
    sql = """
        select netlink_protocol, portid, netlink_groups from sockets where family = 'netlink'
    """
    text, rows, ports = both(world, "-HOnae -f netlink", sql)
    found = re.findall(r"UNCONN +\d+ +\d+ +(\d+):(\d+) +\* .*groups=0x([0-9a-f]+)", text)
    assert len(found) == len(text.splitlines())

    def groups(mask: str) -> str | None:
        bits = int(mask, 16)
        return ",".join(str(bit + 1) for bit in range(32) if bits >> bit & 1) or None

    # ss prints members of groups twice.  Each of the programs sees its own sockets, too.
    printed = {(int(protocol), int(port), groups(mask)) for protocol, port, mask in found}
    seen = [(protocol, port, names) for protocol, port, names in rows]
    # Those for sock_diag itself are their own.
    shared = {(0, ports[0]), (15, ports[1])}
    of_both = {row for row in printed if row[1] == 0 or row[:2] in shared}
    mine = [row for row in seen if row[1] == 0 or row[:2] in shared]
    assert sorted(mine, key=repr) == sorted(of_both, key=repr)
    assert {(0, ports[0], "1,5"), (15, ports[1], "1")} <= set(mine)
