"""Our decoder against pyroute2's, on the same bytes from the running kernel.

pyroute2 is slow and has bugs of its own (the NUL of abstract unix names is lost, names that are
not UTF-8 come as bytes), but others wrote it.  Its parser is handed datagrams; it opens no socket.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sockql.diag import inet as inet_diag
from sockql.diag import unix as unix_diag
from sockql.host import Host
from sockql.sockets.plan import UNIX_SOCKTYPES
from sockql.sockets.record import Origin
from sockql.tables.sockets import TABLE

SOCK_DIAG = 4
COLUMNS = TABLE.schema.by_name
MEMORY = (
    *("rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc", "wmem_queued", "optmem"),
    *("backlog_bytes", "drops"),
)
SHUTDOWNS = (None, "r", "w", "rw")

#: Ports of the things by (family, protocol).
Ports = dict[tuple[int, int], int]


@pytest.fixture(scope="module", autouse=True)
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """Sockets of every kind that sock_diag tells of, in several states."""
    folder = tmp_path_factory.mktemp("oracle")
    found: Ports = {}
    with ExitStack() as stack:

        def opened(family: int, type: int) -> socket.socket:
            return stack.enter_context(socket.socket(family, type))

        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                listener = opened(family, socket.SOCK_STREAM)
                listener.bind((address, 0))
            except OSError:
                continue  # no IPv6 here
            listener.listen(7)
            found[family, 6] = listener.getsockname()[1]
            for _ in range(40):
                client = opened(family, socket.SOCK_STREAM)
                client.connect(listener.getsockname())
                client.send(b"unread")
                server = stack.enter_context(listener.accept()[0])
            server.shutdown(socket.SHUT_WR)
            closed = opened(family, socket.SOCK_STREAM)
            closed.connect(listener.getsockname())
            closed.close()
            bound = opened(family, socket.SOCK_DGRAM)
            bound.bind((address, 0))
            found[family, 17] = bound.getsockname()[1]
            opened(family, socket.SOCK_DGRAM).connect(bound.getsockname())
        for type in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            for name in (str(folder / f"{int(type)}"), f"\0oracle-{os.getpid()}-{int(type)}"):
                named = opened(socket.AF_UNIX, type)
                named.bind(name)
                if type != socket.SOCK_DGRAM:
                    named.listen(3)
                opened(socket.AF_UNIX, type).connect(name)
            for end in socket.socketpair(socket.AF_UNIX, type):
                stack.enter_context(end)
        yield found


def datagrams(request: bytes) -> list[bytes]:
    host = Host()
    try:
        return [bytes(view) for view in host.netlink(SOCK_DIAG, request)]
    finally:
        host.close()


def parsed(replies: list[bytes]) -> list[Any]:
    """The messages as pyroute2 reads them, the end of the dump left out."""
    diag = pytest.importorskip("pyroute2.netlink.diag")
    return [
        message
        for reply in replies
        for message in diag.MarshalDiag().parse(reply)
        if message["header"]["type"] == inet_diag.SOCK_DIAG_BY_FAMILY
    ]


def raw(message: Any, name: str) -> bytes | None:
    """An attribute that pyroute2 shows as hex."""
    value = message.get_attr(name)
    return None if value is None else bytes.fromhex(value.replace(":", ""))


def memory(message: Any, name: str) -> list[int | None]:
    value = raw(message, name)
    return [None] * 9 if value is None else list(struct.unpack("=9I", value))


def cell(name: str, record: Any) -> Any:
    return COLUMNS[name].get(record)


# -- inet ---------------------------------------------------------------------------------------


def expected_inet(message: Any) -> dict[str, Any]:
    """The cells that pyroute2's reading of a message gives."""
    tos, mark = raw(message, "INET_DIAG_TOS"), raw(message, "INET_DIAG_MARK")
    return {
        "state": message["idiag_state"],
        "src": message["idiag_src"],
        "sport": message["idiag_sport"],
        "dst": message["idiag_dst"],
        "dport": message["idiag_dport"],
        "cookie": message["idiag_cookie"],
        "ifindex": message["idiag_if"],
        "timer": message["idiag_timer"],
        "retrans": message["idiag_retrans"],
        "expires": message["idiag_expires"],
        "rqueue": message["idiag_rqueue"],
        "wqueue": message["idiag_wqueue"],
        "uid": message["idiag_uid"],
        "inode": message["idiag_inode"],
        "memory": memory(message, "INET_DIAG_SKMEMINFO"),
        "tos": tos[0] if tos else None,
        "mark": int.from_bytes(mark, sys.byteorder) if mark else None,
        "shutdown": SHUTDOWNS[message.get_attr("INET_DIAG_SHUTDOWN") or 0],
        "congestion": message.get_attr("INET_DIAG_CONG"),
        "class_id": message.get_attr("INET_DIAG_CLASS_ID"),
        "cgroup_id": message.get_attr("INET_DIAG_CGROUP_ID"),
    }


def ours_inet(record: Any) -> dict[str, Any]:
    """The same from our record."""
    anywhere = "0.0.0.0" if record[0].family == "inet" else "::"
    names = ("tos", "mark", "shutdown", "congestion", "class_id", "cgroup_id")
    return {
        "state": record[1],
        "src": cell("src", record),
        "sport": cell("sport", record) or 0,
        "dst": cell("dst", record) or anywhere,
        "dport": cell("dport", record) or 0,
        "cookie": cell("cookie", record),
        "ifindex": cell("ifindex", record) or 0,
        "timer": record[2],
        "retrans": record[3],
        "expires": record[10],
        "rqueue": record[11],
        "wqueue": record[12],
        "uid": record[13],
        "inode": cell("inode", record) or 0,
        "memory": [cell(name, record) for name in MEMORY],
        **{name: cell(name, record) for name in names},
    }


@pytest.mark.parametrize("protocol", [6, 17], ids=["tcp", "udp"])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["inet", "inet6"])
def test_inet_sockets_are_read_alike(ports: Ports, family: int, protocol: int) -> None:
    if (family, protocol) not in ports:
        pytest.skip("no IPv6 (EADDRNOTAVAIL)")
    name = "inet" if family == socket.AF_INET else "inet6"
    origin = Origin(name, "tcp" if protocol == 6 else "udp", "stream")
    port = ports[family, protocol]
    # The own sockets only: pyroute2 takes 0.2 ms for each.
    replies = [
        reply
        for own, peer in ((port, 0), (0, port))
        for reply in datagrams(
            inet_diag.dump_request(family, protocol, 0x1FFF, ext=0xFD, sport=own, dport=peer)
        )
    ]
    ours = [
        ours_inet(record)
        for reply in replies
        for record in inet_diag.decode(memoryview(reply), 20, {int(family): origin}, "oracle")
    ]
    assert ours == [expected_inet(message) for message in parsed(replies)]
    assert len(ours) >= (82 if protocol == 6 else 2)
    assert {row["state"] for row in ours} >= ({1, 10} if protocol == 6 else {1, 7})


# -- unix ---------------------------------------------------------------------------------------


def expected_unix(message: Any) -> dict[str, Any]:
    """The cells that pyroute2's reading of a message gives."""
    queues = message.get_attr("UNIX_DIAG_RQLEN")
    file = message.get_attr("UNIX_DIAG_VFS")
    name = message.get_attr("UNIX_DIAG_NAME")
    shown = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    # pyroute2 drops the NUL that makes a name abstract; such a name has no file.
    kind = None if name is None else "path" if file else "abstract"
    device = file["udiag_vfs_dev"] if file else 0
    return {
        "socktype": UNIX_SOCKTYPES[message["udiag_type"]],
        "state": message["udiag_state"],
        "name": "@" + shown if kind == "abstract" else shown,
        "path_kind": kind,
        "peer": message.get_attr("UNIX_DIAG_PEER") or None,
        "queues": (queues["udiag_rqueue"], queues["udiag_wqueue"]),
        "inode": message["udiag_ino"],
        "cookie": message["udiag_cookie"],
        "vfs_inode": file["udiag_vfs_ino"] if file else None,
        "vfs_dev": f"{device >> 20}:{device & 0xFFFFF}" if file else None,
        "memory": memory(message, "UNIX_DIAG_MEMINFO"),
        "shutdown": SHUTDOWNS[message.get_attr("UNIX_DIAG_SHUTDOWN") or 0],
    }


def ours_unix(record: Any) -> dict[str, Any]:
    """The same from our record."""
    return {
        "socktype": record[0].socktype,
        "state": record[1],
        "name": (cell("src", record) or "").replace("\\x00", "\0") or None,
        "path_kind": cell("path_kind", record),
        "peer": record[7],
        "queues": record[11:13],
        "inode": record[14],
        "cookie": cell("cookie", record),
        "vfs_inode": cell("vfs_inode", record),
        "vfs_dev": cell("vfs_dev", record),
        "memory": [cell(name, record) for name in MEMORY],
        "shutdown": cell("shutdown", record),
    }


def test_unix_sockets_are_read_alike() -> None:
    replies = datagrams(unix_diag.dump_request(show=0x7F))
    origins = {number: Origin("unix", None, name) for number, name in UNIX_SOCKTYPES.items()}
    ours = [
        ours_unix(record)
        for reply in replies
        for record in unix_diag.decode(memoryview(reply), origins, "oracle")
    ]
    assert ours == [expected_unix(message) for message in parsed(replies)]
    assert len(ours) >= 18
