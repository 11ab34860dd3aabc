"""The table sockets on sockets that the test opens itself, on the running kernel.

What the rows must be comes from the sockets themselves: getsockname(2), fstat(2), SO_COOKIE.
"""

from __future__ import annotations

import errno
import json
import os
import random
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sockql import connect
from sockql.engine import Engine
from sockql.host import Host
from sockql.request import Constraint, Request
from sockql.snapshot import Snapshot
from sockql.tables.sockets import TABLE
from tests.live.children import child, wait_until

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
STREAM, DGRAM, SEQPACKET, RAW = (
    *(socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET),
    socket.SOCK_RAW,
)
IPPROTO_UDPLITE = 136
SO_COOKIE = 57
SO_BINDTODEVICE = 25
SO_MARK = 36
RESET = struct.pack("ii", 1, 0)
NETNS = os.stat("/proc/self/ns/net").st_ino

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes CAP_NET_ADMIN (EPERM)")

Address = tuple[str, int]


class Sockets:
    """Opens sockets, skips where the kernel has none of a kind, closes them in the end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def open(self, family: int, type: int, protocol: int = 0) -> socket.socket:
        try:
            made = socket.socket(family, type, protocol)
        except OSError as error:
            pytest.skip(f"no such sockets ({errno.errorcode[error.errno or 0]})")
        return self._stack.enter_context(made)

    def bound(self, family: int, type: int, address: str = "", protocol: int = 0) -> socket.socket:
        made = self.open(family, type, protocol)
        try:
            made.bind((address or ("127.0.0.1" if family == INET else "::1"), 0))
        except OSError as error:
            pytest.skip(f"no address ({errno.errorcode[error.errno or 0]})")
        return made

    def listener(self, family: int = INET, address: str = "", backlog: int = 16) -> socket.socket:
        made = self.bound(family, STREAM, address)
        made.listen(backlog)
        return made

    def accept(self, listener: socket.socket) -> socket.socket:
        return self._stack.enter_context(listener.accept()[0])

    def pair(self, family: int = INET) -> tuple[socket.socket, socket.socket, socket.socket]:
        """A listener and both ends of a connection to it: the client's, the server's."""
        listener = self.listener(family)
        client = self.open(family, STREAM)
        client.connect(listener.getsockname())
        return listener, client, self.accept(listener)


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    with ExitStack() as stack:
        yield Sockets(stack)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def cookie(sock: socket.socket) -> int:
    (value,) = struct.unpack("=q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))
    return int(value)


def port(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def one(engine: Engine, columns: str, sock: socket.socket) -> tuple[Any, ...]:
    """The row of a socket, found by its inode."""
    (row,) = engine.query(f"select {columns} from sockets where inode = {inode(sock)}")
    return tuple(row)


VISIBLE = (
    "netns, family, protocol, socktype, state, src, sport, dst, dport, recv_queue, send_queue,"
    " inode, socket_uid, interface"
)


# -- TCP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [INET, INET6], ids=["inet", "inet6"])
def test_a_connection_is_two_rows_and_its_listener_a_third(
    engine: Engine, sockets: Sockets, family: int
) -> None:
    listener, client, server = sockets.pair(family)
    client.send(b"seventeen bytes..")
    here = listener.getsockname()[:2]
    there = client.getsockname()[:2]
    kind = (NETNS, "inet" if family == INET else "inet6", "tcp", "stream")
    uid = os.geteuid()
    wait_until(lambda: one(engine, "recv_queue", server) == (17,))
    wait_until(lambda: one(engine, "send_queue", client) == (0,))
    by_port = (
        f"protocol = 'tcp' and {here[1]} in (sport, dport) order by state desc, sport = {here[1]}"
    )
    assert engine.query(f"select {VISIBLE}, cookie from sockets where {by_port}") == [
        (
            *kind,
            "LISTEN",
            *here,
            None,
            None,
            None,
            None,
            inode(listener),
            uid,
            None,
            cookie(listener),
        ),
        (*kind, "ESTABLISHED", *there, *here, 0, 0, inode(client), uid, None, cookie(client)),
        (*kind, "ESTABLISHED", *here, *there, 17, 0, inode(server), uid, None, cookie(server)),
    ]
    assert one(engine, VISIBLE, server) == (
        *(*kind, "ESTABLISHED", *here, *there, 17, 0, inode(server), uid, None),
    )


def test_a_listener_counts_who_waits_for_accept(engine: Engine, sockets: Sockets) -> None:
    listener = sockets.listener(backlog=5)
    columns = "accept_queue, backlog, recv_queue, send_queue"
    assert one(engine, columns, listener) == (0, 5, None, None)
    for _ in range(3):
        sockets.open(INET, STREAM).connect(listener.getsockname())
    wait_until(lambda: one(engine, columns, listener) == (3, 5, None, None))
    # Connections that nobody accepted have no inode yet.
    unaccepted = f"sport = {port(listener)} and state = 'ESTABLISHED'"
    assert engine.query(f"select inode from sockets where {unaccepted}") == [(None,)] * 3


def test_states_follow_the_connection(engine: Engine, sockets: Sockets) -> None:
    listener, client, server = sockets.pair()
    columns = "state, shutdown"
    assert one(engine, columns, client) == ("ESTABLISHED", None)
    client.shutdown(socket.SHUT_WR)
    wait_until(lambda: one(engine, columns, client) == ("FIN_WAIT2", "w"))
    wait_until(lambda: one(engine, columns, server) == ("CLOSE_WAIT", "r"))
    where = f"sport = {port(client)} and dport = {port(listener)}"
    server.close()
    client.close()
    columns = "state, inode, socket_uid, timer, timer_expires > 0, cgroup_id, shutdown, recv_queue"
    gone = ("TIME_WAIT", None, None, "timewait", 1, None, None, 0)
    wait_until(lambda: engine.query(f"select {columns} from sockets where {where}") == [gone])


def test_an_orphan_in_fin_wait_2_is_told_from_time_wait(engine: Engine, sockets: Sockets) -> None:
    listener, client, _server = sockets.pair()
    where = f"sport = {port(client)} and dport = {port(listener)}"
    client.close()
    for state in ("", " and state = 'fin_wait2'"):
        query = f"select state, inode from sockets where {where}{state}"
        wait_until(lambda query=query: engine.query(query) == [("FIN_WAIT2", None)])  # type: ignore[misc]
    assert engine.query(f"select 1 from sockets where {where} and state = 'TIME_WAIT'") == []


def test_a_connection_that_gets_no_answer_retransmits(engine: Engine, sockets: Sockets) -> None:
    listener = sockets.listener(backlog=0)
    clients = [sockets.open(INET, STREAM) for _ in range(4)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
    waiting = f"dport = {port(listener)} and state = 'SYN_SENT'"
    query = f"select timer, timer_expires > 0, retransmits >= 0, dst from sockets where {waiting}"
    wait_until(lambda: bool(engine.query(query)))
    assert set(engine.query(query)) == {("on", 1, 1, "127.0.0.1")}


def test_bound_sockets_and_closed_ones_are_told_apart(engine: Engine, sockets: Sockets) -> None:
    bound = sockets.bound(INET, STREAM)
    own_row = f"sport = {port(bound)} and inode = {inode(bound)}"
    found = engine.query(f"select state, dst, dport from sockets where {own_row}")
    if not found:
        pytest.skip("the kernel does not tell of bound sockets (before Linux 6.8)")
    assert found == [("BOUND_INACTIVE", None, None)]
    listener = sockets.listener()
    client = sockets.open(INET, STREAM)
    # A port that was asked for by number stays with the socket after a reset.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = free.getsockname()
    client.bind(own)
    client.connect(listener.getsockname())
    server = sockets.accept(listener)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    server.close()
    columns = "state, dst, dport, inode"
    closed = ("CLOSE", *listener.getsockname(), inode(client))
    wait_until(lambda: one(engine, columns, client) == closed)
    for where in (
        f"state = 'close' and sport = {own[1]}",
        f"dport = {port(listener)} and sport = {own[1]}",
        f"dst = '127.0.0.1' and sport = {own[1]}",
    ):
        mine = f"{where} and src = '127.0.0.1' and inode = {inode(client)}"
        assert engine.query(f"select {columns} from sockets where {mine}") == [closed]
    none = f"state = 'bound_inactive' and sport = {own[1]} and src = '127.0.0.1'"
    assert engine.query(f"select {columns} from sockets where {none}") == []


def test_a_keepalive_timer_runs(engine: Engine, sockets: Sockets) -> None:
    _, client, server = sockets.pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 600)
    columns = "timer, timer_expires between 500000 and 600000, retransmits"
    assert one(engine, columns, client) == ("keepalive", 1, 0)
    assert one(engine, "timer, timer_expires, retransmits", server) == ("off", None, None)


def test_a_mapped_address_stays_mapped(engine: Engine, sockets: Sockets) -> None:
    listener = sockets.open(INET6, STREAM)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", 0))
    listener.listen()
    client = sockets.open(INET, STREAM)
    client.connect(("127.0.0.1", port(listener)))
    server = sockets.accept(listener)
    columns = "family, src, dst, v6only"
    assert one(engine, columns, listener) == ("inet6", "::", None, 0)
    assert one(engine, columns, server) == ("inet6", "::ffff:127.0.0.1", "::ffff:127.0.0.1", None)
    assert one(engine, columns, client) == ("inet", "127.0.0.1", "127.0.0.1", None)
    found = f"{inode(client)}, {inode(server)}"
    query = f"select inode from sockets where inet_in(src, '127.0.0.0/8') and inode in ({found})"
    assert {row[0] for row in engine.query(query)} == {inode(client), inode(server)}
    mapped = "src = '::ffff:127.0.0.1'"
    assert (inode(server),) in engine.query(f"select inode from sockets where {mapped}")


# -- other protocols ----------------------------------------------------------------------------


@pytest.mark.parametrize("family", [INET, INET6], ids=["inet", "inet6"])
@pytest.mark.parametrize("protocol", [0, IPPROTO_UDPLITE], ids=["udp", "udplite"])
def test_a_datagram_socket_has_a_peer_once_it_is_connected(
    engine: Engine, sockets: Sockets, family: int, protocol: int
) -> None:
    receiver = sockets.bound(family, DGRAM, protocol=protocol)
    sender = sockets.open(family, DGRAM, protocol)
    sender.connect(receiver.getsockname())
    name = "udplite" if protocol else "udp"
    kind = (NETNS, "inet" if family == INET else "inet6", name, "dgram")
    here, there = receiver.getsockname()[:2], sender.getsockname()[:2]
    uid = os.geteuid()
    assert one(engine, VISIBLE, receiver) == (
        *(*kind, "UNCONN", *here, None, None, 0, 0, inode(receiver), uid, None),
    )
    assert one(engine, VISIBLE, sender) == (
        *(*kind, "ESTABLISHED", *there, *here, 0, 0, inode(sender), uid, None),
    )
    assert engine.notices == []


def test_a_full_socket_counts_drops(engine: Engine, sockets: Sockets) -> None:
    receiver = sockets.bound(INET, DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sender = sockets.open(INET, DGRAM)
    for _ in range(50):
        sender.sendto(bytes(1000), receiver.getsockname())
    rcvbuf = receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    received, dropped, limit, memory = one(
        engine, "recv_queue, drops, rcvbuf, rmem_alloc", receiver
    )
    assert limit == rcvbuf
    assert received == memory > 0
    receiver.setblocking(False)
    arrived = 0
    try:
        while receiver.recv(2000):
            arrived += 1
    except BlockingIOError:
        pass
    assert dropped == 50 - arrived > 0


@as_root
@pytest.mark.parametrize("family", [INET, INET6], ids=["inet", "inet6"])
def test_a_raw_socket_has_a_protocol_and_no_ports(
    engine: Engine, sockets: Sockets, family: int
) -> None:
    raw = sockets.open(family, RAW, 89)
    columns = "family, protocol, socktype, state, sport, dport, dst, ip_protocol, icmp_id"
    name = "inet" if family == INET else "inet6"
    found = (name, "raw", "raw", "UNCONN", None, None, None, 89, None)
    assert one(engine, columns, raw) == found
    assert engine.notices == []


# -- options ------------------------------------------------------------------------------------


def test_options_are_what_they_were_set_to(engine: Engine, sockets: Sockets) -> None:
    listener, client, _ = sockets.pair()
    client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    client.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
    algorithm = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    sndbuf = client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    columns = "tos, recverr, sndbuf, congestion, is_icsk, mc_loop, hdrincl, tclass, source"
    assert one(engine, columns, client) == (
        *(0x10, 1, sndbuf, algorithm.rstrip(b"\0").decode(), 1, 1, 0, None, "sock_diag"),
    )
    assert one(engine, "tos, recverr", listener) == (0, 0)
    six = sockets.listener(INET6)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x20)
    assert one(engine, "tclass", six) == (0x20,)


def test_the_cgroup_of_a_socket_is_that_of_who_made_it(engine: Engine, sockets: Sockets) -> None:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    listener = sockets.listener()
    id, found = one(engine, "cgroup_id, cgroup", listener)
    if path is None or id is None:
        pytest.skip("no cgroups of version 2")
    assert found == path
    for where in (f"cgroup = '{path}'", f"cgroup_id = {id}"):
        query = f"select inode from sockets where {where} and sport = {port(listener)}"
        assert engine.query(query) == [(inode(listener),)]
    other = f"select 1 from sockets where cgroup_id = {id + 1} and sport = {port(listener)}"
    assert engine.query(other) == []


@as_root
def test_a_socket_bound_to_an_interface_names_it(engine: Engine, sockets: Sockets) -> None:
    free, bound = sockets.listener(), sockets.listener()
    bound.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"lo\0")
    assert one(engine, "interface, ifindex", bound) == ("lo", socket.if_nametoindex("lo"))
    assert one(engine, "interface, ifindex", free) == (None, None)
    wanted = f"sport in ({port(free)}, {port(bound)})"
    by_name = f"select inode from sockets where interface = 'lo' and {wanted}"
    assert engine.query(by_name) == [(inode(bound),)]
    assert engine.query(f"select 1 from sockets where interface = 'lo0' and {wanted}") == []


@as_root
def test_a_mark_stays_with_the_connection_to_its_end(engine: Engine, sockets: Sockets) -> None:
    listener = sockets.listener()
    client = sockets.open(INET, STREAM)
    # Of its own in each run: what stays in TIME_WAIT keeps it for a minute.
    mark = 0xF0000000 | random.Random().getrandbits(24)
    client.setsockopt(socket.SOL_SOCKET, SO_MARK, struct.pack("=I", mark))
    client.connect(listener.getsockname())
    server = sockets.accept(listener)
    assert one(engine, "mark", client) == (mark,)
    assert one(engine, "mark", server) == (0,)
    query = f"select state, sport from sockets where mark = {mark}"
    own = port(client)
    assert engine.query(query) == [("ESTABLISHED", own)]
    client.close()
    server.close()
    wait_until(lambda: engine.query(query) == [("TIME_WAIT", own)])


# -- unix ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("type", [STREAM, SEQPACKET], ids=["stream", "seqpacket"])
def test_unix_sockets_name_their_peers(
    engine: Engine, sockets: Sockets, tmp_path: Path, type: int
) -> None:
    path = str(tmp_path / "a b")
    listener = sockets.open(UNIX, type)
    listener.bind(path)
    listener.listen(4)
    client = sockets.open(UNIX, type)
    client.connect(path)
    server = sockets.accept(listener)
    waiting = sockets.open(UNIX, type)
    waiting.connect(path)
    client.send(b"hello")
    name = "stream" if type == STREAM else "seqpacket"
    front = (NETNS, "unix", None, name)
    tail = (os.geteuid(), None)
    sent = one(engine, "send_queue", client)[0]
    assert sent > 0
    # The buffer of a seqpacket says only how long the next message is.
    assert one(engine, VISIBLE, listener) == (
        *(*front, "LISTEN", path, None, None, None, None, None, inode(listener), *tail),
    )
    assert one(engine, VISIBLE, client) == (
        *(*front, "ESTABLISHED", None, None, path, None, 0, sent, inode(client), *tail),
    )
    assert one(engine, VISIBLE, server) == (
        *(*front, "ESTABLISHED", path, None, None, None, 5, 0, inode(server), *tail),
    )
    status = os.stat(path)
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    columns = "path_kind, peer_inode, vfs_inode, vfs_dev, accept_queue, backlog, pending"
    file = (status.st_ino, device)
    assert one(engine, columns, listener) == ("path", None, *file, 1, 4, 1)
    assert one(engine, columns, client) == (None, inode(server), None, None, None, None, None)
    assert one(engine, columns, server) == ("path", inode(client), *file, None, None, None)
    assert one(engine, "peer_inode, dst", waiting) == (None, None)
    assert one(engine, "cookie", client) == (cookie(client),)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"\0sockql-%d", "@sockql-%d"),
        (b"\0sockql\n%d", "@sockql\n%d"),
        (b"\0sockql\0%d\0", "@sockql\\x00%d\\x00"),
        (b"\0sockql\xff%d", "@sockql\\xff%d"),
        (b"\0sockql\xc3\xa9%d", "@sockql\u00e9%d"),
        (b"\0\x1b]0;sockql\x07\x1b[2J%d", "@\x1b]0;sockql\x07\x1b[2J%d"),
    ],
)
def test_abstract_names_are_shown_whatever_they_are(
    engine: Engine, sockets: Sockets, name: bytes, shown: str
) -> None:
    receiver = sockets.open(UNIX, DGRAM)
    receiver.bind(name % os.getpid())
    sender = sockets.open(UNIX, DGRAM)
    sender.connect(name % os.getpid())
    text = shown % os.getpid()
    columns = "state, src, dst, path_kind"
    # The kernel calls the receiver connected as well.
    assert one(engine, columns, receiver) == ("ESTABLISHED", text, None, "abstract")
    assert one(engine, columns, sender) == ("ESTABLISHED", None, text, None)
    assert engine.query("select inode from sockets where src = :name", {"name": text}) == [
        (inode(receiver),)
    ]
    assert engine.query("select inode from sockets where dst = :name", {"name": text}) == [
        (inode(sender),)
    ]


def test_a_name_may_fill_its_108_bytes(engine: Engine, sockets: Sockets, tmp_path: Path) -> None:
    abstract = (b"\0sockql-%d-" % os.getpid()).ljust(108, b"\xff")
    receiver = sockets.open(UNIX, DGRAM)
    receiver.bind(abstract)
    text = f"@sockql-{os.getpid()}-" + "\\xff" * abstract.count(b"\xff")
    assert one(engine, "src, path_kind", receiver) == (text, "abstract")
    # Of a path Python leaves one byte for the NUL; bind(2) takes it from where we are.
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fchdir(folder)
        path = "p" * 107
        receiver = sockets.open(UNIX, DGRAM)
        receiver.bind(path)
    finally:
        os.fchdir(before)
        os.close(before)
        os.close(folder)
    assert one(engine, "src, path_kind", receiver) == (path, "path")


def test_paths_are_as_they_were_given_to_bind(
    engine: Engine, sockets: Sockets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, shown in ((b"relative", "relative"), (b"@at", "@at"), (b"\xfe\n", "\\xfe\n")):
        bound = sockets.open(UNIX, STREAM)
        bound.bind(name)
        assert one(engine, "src, path_kind, state", bound) == (shown, "path", "UNCONN")


def test_unix_sockets_of_other_types_are_not_given(engine: Engine, sockets: Sockets) -> None:
    made = {
        os.fstat(sockets.open(UNIX, type).fileno()).st_ino: name
        for type, name in ((STREAM, "stream"), (DGRAM, "dgram"), (SEQPACKET, "seqpacket"))
    }
    for condition, names in {
        "socktype = 'dgram'": {"dgram"},
        "socktype in ('stream', 'seqpacket')": {"stream", "seqpacket"},
        "socktype = 'raw'": set(),
    }.items():
        for columns in ("inode, socktype", "inode, socktype, src, dst"):
            found = engine.query(f"select {columns} from sockets where {condition}")
            assert {row[0]: row[1] for row in found if row[0] in made} == {
                inode: name for inode, name in made.items() if name in names
            }


def test_both_ends_of_a_socketpair_know_each_other(engine: Engine, sockets: Sockets) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.shutdown(socket.SHUT_WR)
        columns = "peer_inode, src, dst, shutdown, state"
        assert one(engine, columns, left) == (inode(right), None, None, "w", "ESTABLISHED")
        assert one(engine, columns, right) == (inode(left), None, None, "r", "ESTABLISHED")


# -- programs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listeners() -> Iterator[set[Address]]:
    """Addresses and ports of listeners."""
    places = [("127.0.0.1", INET), ("127.83.2.3", INET), ("127.83.2.4", INET), ("::1", INET6)]
    found: set[Address] = set()
    with ExitStack() as stack:
        own = Sockets(stack)
        for address, family in places * 8:
            try:
                found.add(own.listener(family, address).getsockname()[:2])
            except pytest.skip.Exception:
                continue
        yield found


def delivered(*conditions: tuple[str, str, Any]) -> set[Address]:
    """Address and port of the listeners that the kernel sends, before SQLite looks at them."""
    constraints = [
        Constraint("protocol", "=", "tcp"),
        Constraint("state", "=", "LISTEN"),
        *(Constraint(*condition) for condition in conditions),
    ]
    host = Host()
    request = Request(TABLE.schema, Snapshot(), columns=["src", "sport"], constraints=constraints)
    src, sport = (TABLE.schema.by_name[name].get for name in ("src", "sport"))
    try:
        return {(src(r), sport(r)) for r in TABLE.records(request, host)}  # type: ignore[misc]
    finally:
        host.close()


def test_the_kernel_runs_programs_of_ports(listeners: set[Address]) -> None:
    assert listeners <= delivered()
    own = sorted(number for _, number in listeners)
    choose = random.Random(1)
    for count in (1, 2, 3, 7, 16, len(own)):
        for _ in range(5):
            ports = frozenset(choose.sample(own, count))
            found = delivered(("sport", "in", ports))
            assert found & listeners == {row for row in listeners if row[1] in ports}
            assert {number for _, number in found} <= ports
    for _ in range(10):
        low, high = sorted(choose.sample(own, 2))
        found = delivered(("sport", ">=", low), ("sport", "<=", high))
        assert found & listeners == {row for row in listeners if low <= row[1] <= high}
        assert all(low <= number <= high for _, number in found)


def test_the_kernel_takes_a_program_of_a_thousand_ports(listeners: set[Address]) -> None:
    own = {number for _, number in listeners}
    others = sorted(set(range(1, 65536)) - own)
    ports = frozenset([*own, *others[:: len(others) // 900]])
    assert 900 < len(ports) <= 1000
    found = delivered(("sport", "in", ports))
    assert listeners <= found
    assert {number for _, number in found} <= ports


@pytest.mark.parametrize(
    ("conditions", "addresses"),
    [
        ([("src", "=", "127.83.2.3")], {"127.83.2.3"}),
        ([("src", "in", frozenset({"127.83.2.3", "::1"}))], {"127.83.2.3", "::1"}),
        ([("src", "inet_in", "127.83.2.0/24")], {"127.83.2.3", "127.83.2.4"}),
        ([("src", "inet_in", "127.83.2.4/30")], {"127.83.2.4"}),
        ([("src", "inet_in", "::1/128")], {"::1"}),
        ([("src", "inet_in", "127.0.0.0/8"), ("src", "inet_in", "127.83.2.3")], {"127.83.2.3"}),
        ([("src", "=", "127.83.2.5")], set()),
    ],
    ids=str,
)
def test_the_kernel_runs_programs_of_addresses(
    listeners: set[Address], conditions: list[tuple[str, str, Any]], addresses: set[str]
) -> None:
    low = min(number for _, number in listeners)
    found = delivered(*conditions, ("sport", ">=", low))
    assert found & listeners == {row for row in listeners if row[0] in addresses}
    assert {address for address, _ in found} <= addresses


@as_root
def test_the_kernel_runs_programs_of_interfaces_marks_and_cgroups(sockets: Sockets) -> None:
    plain, marked, bound = sockets.listener(), sockets.listener(), sockets.listener()
    marked.setsockopt(socket.SOL_SOCKET, SO_MARK, 4711)
    bound.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"lo\0")
    own = {("127.0.0.1", port(sock)) for sock in (plain, marked, bound)}
    assert delivered(("mark", "in", frozenset({4711, 4712}))) & own == {("127.0.0.1", port(marked))}
    assert delivered(("interface", "=", "lo")) & own == {("127.0.0.1", port(bound))}
    both = (("mark", "=", 4711), ("interface", "=", "lo"))
    assert delivered(*both) & own == set()
    with connect() as engine:
        ((id,),) = engine.query(f"select cgroup_id from sockets where inode = {inode(plain)}")
    if id is not None:
        assert delivered(("cgroup_id", "=", id)) & own == own
        assert delivered(("cgroup_id", "=", id + 1)) & own == set()


# -- without privileges, and in other namespaces ------------------------------------------------


def as_nobody(*queries: str) -> tuple[list[list[tuple[Any, ...]]], list[str]]:
    """Rows of each query and the notices, as a process without privileges gets them."""

    def ask() -> tuple[list[list[tuple[Any, ...]]], list[str]]:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        with connect(netns="self") as db:
            return [db.query(sql) for sql in queries], db.notices

    with child(ask) as (_, answer):
        found: tuple[list[list[tuple[Any, ...]]], list[str]] = answer
        return found


@as_root
def test_nobody_sees_the_same_sockets_without_their_marks(engine: Engine, sockets: Sockets) -> None:
    listener, client, _ = sockets.pair()
    client.setsockopt(socket.SOL_SOCKET, SO_MARK, 4711)
    where = f"where {port(listener)} in (sport, dport) order by cookie"
    columns = f"{VISIBLE.replace('netns,', '')}, cookie, cgroup_id, accept_queue, drops"
    mine = engine.query(f"select {columns} from sockets {where}")
    assert len(mine) == 3
    rows, notices = as_nobody(
        f"select {columns} from sockets {where}",
        f"select mark from sockets {where}",
        # The kernel refuses the program (EPERM); without it there is still no such row.
        "select mark from sockets where mark = 4711",
    )
    assert rows == [mine, [(None,)] * 3, []]
    assert notices == []


def in_own_network(program: str) -> Any:
    """What a Python program prints as JSON that is root in a network namespace of its own."""
    root = Path(__file__).resolve().parents[2]
    command = ["unshare", "-rn", sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("no unshare(1) (ENOENT)")
    if "unshare: " in done.stderr:
        pytest.skip(f"no network namespace of our own: {done.stderr.strip()} (EPERM)")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ALONE = """
import json, socket
from sockql import connect
bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
bound.bind(("0.0.0.0", 5353))
with connect(netns="self") as db:
    inet = "family in ('inet', 'inet6')"
    rows = db.query(f"select protocol, src, sport, state from sockets where {inet}")
    (netns,) = db.query("select distinct netns from sockets")
    print(json.dumps([rows, netns, db.notices]))
"""


def test_another_namespace_has_its_own_sockets(engine: Engine, sockets: Sockets) -> None:
    listener = sockets.listener()
    assert len(engine.query(f"select 1 from sockets where sport = {port(listener)}")) == 1
    rows, (netns,), notices = in_own_network(ALONE)
    assert rows == [["udp", "0.0.0.0", 5353, "UNCONN"]]
    assert netns not in (None, NETNS)
    assert notices == []


PING = """
import json, socket
from sockql import connect
with open("/proc/sys/net/ipv4/ping_group_range", "w") as file:
    file.write("0 0")
pings = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
         socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6)]
for ping in pings:
    ping.bind(("", 1234))
with connect(netns="self") as db:
    rows = db.query("select family, protocol, socktype, state, src, sport, dst, dport, icmp_id,"
        " ip_protocol, cookie, source from sockets where protocol like 'icmp%'")
    print(json.dumps([rows, db.notices]))
"""


def test_ping_sockets_are_read_from_text() -> None:
    rows, notices = in_own_network(PING)
    tail = [None, None, None, 1234, None, None, "procfs"]
    assert rows == [
        ["inet", "icmp", "dgram", "UNCONN", "0.0.0.0", *tail],
        ["inet6", "icmp6", "dgram", "UNCONN", "::", *tail],
    ]
    assert notices == []


def test_a_scan_reuses_its_socket_and_leaves_none_behind(sockets: Sockets) -> None:
    sockets.listener()
    before = len(os.listdir("/proc/self/fd"))
    host = Host(scope="self")
    request = Request(TABLE.schema, Snapshot(), columns=["sport"])
    for _ in range(3):
        list(TABLE.records(request, host))
        first = iter(TABLE.records(request, host))
        next(first)
        second = iter(TABLE.records(request, host))
        assert next(second) is not None
        del first, second
    list(TABLE.records(request, host))
    # One netlink socket, and the directory of the procfs.
    assert len(os.listdir("/proc/self/fd")) == before + 2
    host.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_dump_of_many_sockets_is_complete_and_has_no_row_twice(
    engine: Engine, sockets: Sockets
) -> None:
    bound = [sockets.bound(INET, DGRAM) for _ in range(700)]
    named = [sockets.open(UNIX, DGRAM) for _ in range(300)]
    wanted = {cookie(sock): inode(sock) for sock in (*bound, *named)}
    rows = engine.query(
        "select cookie, inode from sockets where socktype = 'dgram' and cookie is not null"
    )
    found = dict(rows)
    assert len(found) == len(rows)
    assert {number: found.get(number) for number in wanted} == wanted
