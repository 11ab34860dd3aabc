"""Queries about namespaces, and about neighbours that are not who they say."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess

import pytest

from tests.live.children import child
from tests.queries.asking import Row, about, ask, process
from tests.queries.setups import CLONE_NEWNET, call, kept, needs_root, new_network

pytestmark = needs_root

CLONE_NEWUTS = 0x04000000


def inode(kind: str) -> int:
    return os.stat(f"/proc/self/ns/{kind}").st_ino


@pytest.mark.parametrize("left", [True, False])
def test_namespace_without_process(left: bool) -> None:
    def make() -> int:
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        netns = new_network()
        kept.append(os.open("/proc/self/ns/net", os.O_RDONLY))
        if left:
            call("setns", home, CLONE_NEWNET)
        os.close(home)
        return netns

    with child(make) as (pid, netns):
        row = {
            "ns_type": "net",
            "ns_inode": netns,
            "descriptor_count": 1,
            "mount_point": None,
            "holders": str(pid),
        }
        found = [each for each in ask("namespace-without-process") if each["ns_inode"] == netns]
        assert found == ([row] if left else [])


def test_processes_by_namespace() -> None:
    def leave() -> tuple[int, int]:
        call("unshare", CLONE_NEWUTS)
        return new_network(), inode("uts")

    def stay() -> None:
        """Where the others are."""

    with child(leave) as (pid, (net, uts)):
        assert about(pid, "processes-by-namespace") == [
            {
                "ns_mnt": None,
                "ns_net": net,
                "ns_pid": None,
                "ns_user": None,
                "ns_ipc": None,
                "ns_uts": uts,
                "processes": 1,
                "pid": pid,
                "name": process(pid)["name"],
                "container_id": None,
            }
        ]
    with child(stay) as (pid, _):
        assert about(pid, "processes-by-namespace") == []


LINK = """\
link set sockql0 address 02:00:00:00:00:10 up
address add 192.0.2.10/24 dev sockql0
route add default via 192.0.2.1
neighbor add 192.0.2.1 lladdr 02:00:00:00:00:01 dev sockql0
neighbor add 192.0.2.66 lladdr {other} dev sockql0
address add 2001:db8::10/64 dev sockql0 nodad
route add default via fe80::1 dev sockql0
neighbor add fe80::1 lladdr 02:00:00:00:00:02 dev sockql0
neighbor add 2001:db8::1 lladdr 02:00:00:00:00:02 dev sockql0
neighbor add fe80::66 lladdr {six} dev sockql0
"""


@pytest.mark.parametrize("seen", [True, False])
def test_shared_mac(seen: bool) -> None:
    """An IPv6 router has a link-local address and others, which is nothing to tell."""
    other, six = (f"02:00:00:00:00:0{n if seen else n + 6}" for n in (1, 2))

    def connect() -> tuple[int, str]:
        netns = new_network()
        try:
            file = os.open("/dev/net/tun", os.O_RDWR)
            wish = struct.pack("16sH22x", b"sockql0", 0x1002)  # IFF_TAP | IFF_NO_PI
            fcntl.ioctl(file, 0x400454CA, wish)  # TUNSETIFF
            done = subprocess.run(
                ["ip", "-batch", "-"], input=LINK.format(other=other, six=six), text=True, check=False,
                capture_output=True,
            )  # fmt: skip
        except OSError as error:
            return netns, str(error)
        return netns, done.stderr

    with child(connect) as (_, (netns, refused)):
        if refused:
            pytest.skip(f"no link of our own: {refused}")

        def found() -> list[Row]:
            rows = [row for row in ask("shared-mac") if row["netns"] == netns]
            return sorted(rows, key=lambda row: row["mac"])

        row = {
            "netns": netns,
            "interface": "sockql0",
            "gateway": "192.0.2.1",
            "mac": "02:00:00:00:00:01",
            "other": "192.0.2.66",
        }
        more = {"gateway": "fe80::1", "mac": "02:00:00:00:00:02", "other": "fe80::66"}
        assert found() == ([row, {**row, **more}] if seen else [])
