"""The table endpoints on descriptors that the test opens itself, on the running kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql import connect
from sockql.engine import Engine
from tests.live.children import child, wait_until

libc = ctypes.CDLL(None, use_errno=True)
COLUMNS = (
    "pid, fd, kind, inode, peer_pid, peer_fd, peer_inode, direction, via, file_inode,"
    " peer_file_inode"
)
Row = tuple[Any, ...]
CLONE_NEWNET = 0x40000000


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


# -- what a process has open, and what its rows are ---------------------------------------------


def checked(result: int) -> int:
    """What the C library gave; the errno as an exception when that is -1."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def inode(fd: int) -> int:
    return os.fstat(fd).st_ino


def row(kind: str, near: int, far: int | None, way: str | None, via: str) -> Row:
    """The row of a descriptor of this process whose other end is another one of it, or nobody's."""
    pid, peer = os.getpid(), None if far is None else os.getpid()
    first, second = inode(near), None if far is None else inode(far)
    if via in ("peer", "queue", "address"):
        return pid, near, kind, first, peer, far, second, way, via, None, None
    return pid, near, kind, None, peer, far, None, way, via, first, second


def both(kind: str, near: int, far: int, via: str, way: str | None = "rw") -> list[Row]:
    turned = {"r": "w", "w": "r"}.get(way or "", way)
    return [row(kind, near, far, way, via), row(kind, far, near, turned, via)]


def pair(kind: socket.SocketKind) -> Callable[[], list[Row]]:
    def opened() -> list[Row]:
        near, far = (end.detach() for end in socket.socketpair(socket.AF_UNIX, kind))
        return both("unix", near, far, "peer")

    return opened


def abstract(name: str) -> str:
    return f"\0sockql-{os.getpid()}-{name}"


def unix_connection() -> list[Row]:
    server, client = (socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2))
    server.bind(abstract("listener"))
    server.listen()
    client.connect(server.getsockname())
    accepted = server.accept()[0]
    server.detach()
    return both("unix", client.detach(), accepted.detach(), "peer")


def unix_queue() -> list[Row]:
    server, *clients = (socket.socket(socket.AF_UNIX) for _ in range(3))
    server.bind(abstract("listener"))
    server.listen()
    rows = []
    for client in clients:
        client.connect(server.getsockname())
        rows += both("unix", client.detach(), server.fileno(), "queue", None)
    server.detach()
    return rows


def unix_many_to_one() -> list[Row]:
    log, *clients = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(3))
    log.bind(abstract("log"))
    rows = []
    for client in clients:
        client.connect(log.getsockname())
        rows += both("unix", client.detach(), log.fileno(), "peer", "w")
    log.detach()
    return rows


def unix_to_itself() -> list[Row]:
    own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    own.bind(abstract("own"))
    own.connect(own.getsockname())
    return [row("unix", own.fileno(), own.detach(), "rw", "peer")]


def unix_half_closed() -> list[Row]:
    near, far = socket.socketpair()
    near.shutdown(socket.SHUT_WR)
    return both("unix", near.detach(), far.detach(), "peer", "r")


def unix_closed_peer() -> list[Row]:
    near, far = socket.socketpair()
    far.close()
    return [row("unix", near.detach(), None, None, "peer")]


def unix_shared() -> list[Row]:
    near, far = (end.detach() for end in socket.socketpair())
    again = os.dup(far)
    return [*both("unix", near, far, "peer"), *both("unix", near, again, "peer")]


def pipe() -> list[Row]:
    reading, writing = os.pipe()
    return both("pipe", reading, writing, "file", "r")


def pipe_with_two_writers() -> list[Row]:
    reading, writing = os.pipe()
    again = os.dup(writing)
    return [
        *both("pipe", reading, writing, "file", "r"),
        *both("pipe", reading, again, "file", "r"),
    ]


def pipe_without_reader() -> list[Row]:
    reading, writing = os.pipe()
    os.close(reading)
    return [row("pipe", writing, None, "w", "file")]


def fifo() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(f"{folder}/fifo")
        every = os.open(f"{folder}/fifo", os.O_RDWR)
        reading = os.open(f"{folder}/fifo", os.O_RDONLY)
        os.open(f"{folder}/fifo", os.O_PATH)
    return both("fifo", every, reading, "file", "w")


def pty() -> list[Row]:
    master, slave = os.openpty()
    again = os.dup(slave)
    return [*both("pty", master, slave, "tty"), *both("pty", master, again, "tty")]


def pty_without_slave() -> list[Row]:
    master, slave = os.openpty()
    os.close(slave)
    return [row("pty", master, None, "rw", "tty")]


def eventfd() -> list[Row]:
    first, other = (checked(libc.eventfd(0, 0)) for _ in range(2))
    again = os.dup(first)
    return [*both("eventfd", first, again, "id"), row("eventfd", other, None, "rw", "id")]


def message_queue() -> list[Row]:
    name = f"/sockql-{os.getpid()}".encode()
    librt = ctypes.CDLL("librt.so.1", use_errno=True)
    writing = checked(librt.mq_open(name, os.O_CREAT | os.O_WRONLY, 0o600, None))
    reading = checked(librt.mq_open(name, os.O_RDONLY))
    librt.mq_unlink(name)
    return both("mqueue", writing, reading, "file", "w")


def tcp(family: int, address: str, server_family: int | None = None) -> Callable[[], list[Row]]:
    def opened() -> list[Row]:
        server = socket.socket(server_family or family)
        server.bind(("::" if server_family else address, 0))
        server.listen()
        client = socket.socket(family)
        client.connect((address, server.getsockname()[1]))
        accepted = server.accept()[0]
        server.detach()
        return both("tcp", client.detach(), accepted.detach(), "address")

    return opened


def tcp_half_closed() -> list[Row]:
    server, client = socket.socket(), socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    client.connect(server.getsockname())
    accepted = server.accept()[0]
    client.shutdown(socket.SHUT_WR)
    assert accepted.recv(1) == b""
    server.detach()
    return both("tcp", client.detach(), accepted.detach(), "address", "r")


def tcp_closed_peer() -> list[Row]:
    server, client = socket.socket(), socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    client.connect(server.getsockname())
    server.accept()[0].close()
    assert client.recv(1) == b""
    server.detach()
    return [row("tcp", client.detach(), None, "w", "address")]


def tcp_queue(family: int, address: str, bound: str) -> Callable[[], list[Row]]:
    def opened() -> list[Row]:
        server = socket.socket(socket.AF_INET6 if ":" in bound else family)
        server.bind((bound, 0))
        server.listen()
        client = socket.socket(family)
        client.connect((address, server.getsockname()[1]))
        return both("tcp", client.detach(), server.detach(), "queue", None)

    return opened


def tcp_to_itself() -> list[Row]:
    own = socket.socket()
    own.bind(("127.0.0.1", 0))
    own.connect(own.getsockname())
    return [row("tcp", own.fileno(), own.detach(), "rw", "address")]


def udp() -> list[Row]:
    near, far, unconnected = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(3))
    for one in (near, far, unconnected):
        one.bind(("127.0.0.1", 0))
    near.connect(far.getsockname())
    far.connect(near.getsockname())
    unconnected.detach()
    return both("udp", near.detach(), far.detach(), "address")


def vsock() -> list[Row]:
    server, client = (socket.socket(socket.AF_VSOCK) for _ in range(2))
    server.bind((1, -1 & 0xFFFFFFFF))
    server.listen()
    client.connect((1, server.getsockname()[1]))
    accepted = server.accept()[0]
    server.detach()
    return both("vsock", client.detach(), accepted.detach(), "address")


def pidfd() -> list[Row]:
    made = os.pidfd_open(os.getppid())
    own = row("pidfd", made, None, None, "fdinfo")
    return [(*own[:4], os.getppid(), *own[5:])]


def epoll() -> list[Row]:
    poll = select.epoll()
    near, far = socket.socketpair()
    reading, writing = os.pipe()
    gone = os.dup(reading)
    poll.register(near)
    poll.register(writing)
    poll.register(gone)
    # The number now stands for something else, what it stood for is still watched.
    os.dup2(os.open("/dev/null", os.O_RDONLY), gone)
    rows = [*both("unix", near.fileno(), far.detach(), "peer")]
    rows += both("pipe", reading, writing, "file", "r")
    number, pid = poll.fileno(), os.getpid()
    base = (pid, number, "epoll", None)
    rows += [
        (*base, pid, near.fileno(), inode(near.fileno()), None, "fdinfo", inode(number), None),
        (*base, pid, writing, None, None, "fdinfo", inode(number), inode(writing)),
        (*base, None, None, None, None, "fdinfo", inode(number), None),
    ]
    near.detach()
    globals()["kept"] = poll  # it has no detach()
    return rows


def nothing() -> list[Row]:
    """What has no other end, or none that anybody could hold."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(abstract("listener"))
    server.listen()
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    for one in (server, bound, socket.socket(), socket.socket(type=socket.SOCK_DGRAM)):
        one.detach()
    os.open("/dev/null", os.O_RDONLY)
    os.open("/proc/self/status", os.O_RDONLY)
    return []


FACTORIES = [
    pytest.param(factory, id=name)
    for name, factory in {
        "socketpair of streams": pair(socket.SOCK_STREAM),
        "socketpair of datagrams": pair(socket.SOCK_DGRAM),
        "socketpair of packets": pair(socket.SOCK_SEQPACKET),
        "unix connection": unix_connection,
        "unix listener with clients": unix_queue,
        "unix datagrams, many to one": unix_many_to_one,
        "unix datagrams to itself": unix_to_itself,
        "unix half closed": unix_half_closed,
        "unix closed peer": unix_closed_peer,
        "unix shared": unix_shared,
        "pipe": pipe,
        "pipe with two writers": pipe_with_two_writers,
        "pipe without reader": pipe_without_reader,
        "fifo": fifo,
        "pty": pty,
        "pty without slave": pty_without_slave,
        "eventfd": eventfd,
        "mqueue": message_queue,
        "tcp": tcp(socket.AF_INET, "127.0.0.1"),
        "tcp over IPv6": tcp(socket.AF_INET6, "::1"),
        "tcp, one end mapped": tcp(socket.AF_INET, "127.0.0.1", socket.AF_INET6),
        "tcp half closed": tcp_half_closed,
        "tcp closed peer": tcp_closed_peer,
        "tcp queue": tcp_queue(socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        "tcp queue of any address": tcp_queue(socket.AF_INET, "127.0.0.1", "0.0.0.0"),
        "tcp queue of both families": tcp_queue(socket.AF_INET, "127.0.0.1", "::"),
        "tcp to itself": tcp_to_itself,
        "udp": udp,
        "vsock": vsock,
        "pidfd": pidfd,
        "epoll": epoll,
        "nothing": nothing,
    }.items()
]


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=repr)


def attempt(factory: Callable[[], Any]) -> Callable[[], Any]:
    """The factory, or the errno of a kernel that lacks what it opens."""

    def opened() -> Any:
        try:
            return factory()
        except OSError as error:
            return error.errno or 0

    return opened


def expected(said: Any) -> Any:
    if isinstance(said, int):
        pytest.skip(f"this kernel has no such thing ({errno.errorcode.get(said, said)})")
    return said


@pytest.mark.parametrize("factory", FACTORIES)
def test_every_kind_of_end_leads_to_the_other(
    engine: Engine, factory: Callable[[], list[Row]]
) -> None:
    with child(attempt(factory)) as (pid, said):
        rows = expected(said)
        assert in_order(
            engine.query(f"select {COLUMNS} from endpoints where pid = {pid}")
        ) == in_order(rows)


@pytest.mark.parametrize("factory", FACTORIES)
def test_conditions_change_how_rows_are_found_not_which(
    engine: Engine, factory: Callable[[], list[Row]]
) -> None:
    def asked(condition: str) -> list[Row]:
        return in_order(engine.query(f"select {COLUMNS} from endpoints where {condition}"))

    with child(attempt(factory)) as (pid, said):
        rows = expected(said)
        assert asked(f"+pid = {pid}") == in_order(rows)
        assert asked(f"peer_pid = {pid}") == in_order([r for r in rows if r[4] == pid])
        assert asked(f"pid = {pid} and fd in (0, 1)") == in_order([r for r in rows if r[1] < 2])
        assert asked(f"pid = {pid} and peer_pid = {pid}") == in_order(
            [r for r in rows if r[4] == pid]
        )
        for kind in {r[2] for r in rows}:
            assert asked(f"kind = '{kind}' and pid = {pid}") == in_order(
                [r for r in rows if r[2] == kind]
            )
        for place, column in ((3, "inode"), (6, "peer_inode")):
            for number in sorted({r[place] for r in rows} - {None})[:1]:
                there = [r for r in rows if r[place] == number]
                assert asked(f"{column} = {number}") == in_order(there)


# -- two processes ------------------------------------------------------------------------------


def test_both_ends_of_a_connection_between_two_processes(engine: Engine) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = server.getsockname()

        def prepare() -> tuple[int, int]:
            client = socket.create_connection(address)
            return client.fileno(), inode(client.detach())

        with child(prepare) as (pid, (fd, number)), server.accept()[0] as accepted:
            own = (os.getpid(), accepted.fileno(), "tcp", inode(accepted.fileno()))
            found = engine.query(f"select {COLUMNS} from endpoints where pid = {pid}")
            back = engine.query(f"select {COLUMNS} from endpoints where inode = {own[3]}")
    rest = ("rw", "address", None, None)
    assert found == [(pid, fd, "tcp", number, *own[:2], own[3], *rest)]
    assert back == [(*own, pid, fd, number, *rest)]


def test_a_socket_in_flight_is_held_by_nobody(engine: Engine) -> None:
    def prepare() -> list[Row]:
        near, far = socket.socketpair()
        sender, receiver = socket.socketpair()
        socket.send_fds(sender, [b"x"], [far.fileno()])
        number = inode(far.fileno())
        far.close()
        pid, fd = os.getpid(), near.fileno()
        rest = ("rw", "peer", None, None)
        rows = both("unix", sender.detach(), receiver.detach(), "peer")
        return [(pid, fd, "unix", inode(near.detach()), None, None, number, *rest), *rows]

    with child(prepare) as (pid, rows):
        found = engine.query(f"select {COLUMNS} from endpoints where pid = {pid} order by fd")
    assert found == sorted(rows)


def companion() -> int:
    """A process like this one, with the same descriptors, which ends with it."""
    pid = os.fork()
    if pid == 0:
        os.closerange(100, 2000)  # of which the test waits for the end
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        while True:
            signal.pause()
    return pid


def new_namespace() -> int:
    """A descriptor of a network namespace in which this process is from now on."""
    checked(libc.unshare(CLONE_NEWNET))
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def test_a_unix_connection_may_cross_network_namespaces(engine: Engine, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()

        def prepare() -> tuple[int, int]:
            new_namespace()
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(tmp_path / "s"))
            return client.fileno(), inode(client.detach())

        with child(attempt(prepare)) as (pid, said):
            (fd, number), own = expected(said), os.getpid()
            with server.accept()[0] as accepted:
                found = engine.query(f"select {COLUMNS} from endpoints where peer_pid = {pid}")
                back = engine.query(f"select {COLUMNS} from endpoints where inode = {number}")
                near = accepted.fileno(), inode(accepted.fileno())
    rest = ("rw", "peer", None, None)
    assert found == [(own, near[0], "unix", near[1], pid, fd, number, *rest)]
    assert back == [(pid, fd, "unix", number, own, *near, *rest)]


def over_veth() -> tuple[list[Row], list[int]]:
    """A TCP connection between two network namespaces, and their inodes."""
    first, second = new_namespace(), new_namespace()

    def ip(words: str) -> None:
        done = subprocess.run(["ip", *words.split()], capture_output=True)
        if done.returncode:
            raise OSError(errno.EOPNOTSUPP, done.stderr.decode())

    checked(libc.setns(first, CLONE_NEWNET))
    companion()
    ip("link add va type veth peer name vb")
    ip(f"link set vb netns /proc/{os.getpid()}/fd/{second}")
    ip("addr add 10.99.0.1/24 dev va")
    ip("link set va up")
    server = socket.socket()
    server.bind(("10.99.0.1", 0))
    server.listen()
    checked(libc.setns(second, CLONE_NEWNET))
    ip("addr add 10.99.0.2/24 dev vb")
    ip("link set vb up")
    client = socket.create_connection(server.getsockname(), timeout=10)
    client.setblocking(True)
    accepted = server.accept()[0]
    server.close()
    rows = both("tcp", client.detach(), accepted.detach(), "address")
    return rows, [inode(second), inode(first)]


def test_addresses_prove_a_connection_across_network_namespaces(engine: Engine) -> None:
    with child(attempt(over_veth)) as (pid, said):
        rows, (near, far) = expected(said)
        seen = {n for (n,) in engine.query("select distinct netns from sockets")}
        if not {near, far} <= seen:
            pytest.skip("sockets of other network namespaces cannot be listed here")
        found = engine.query(
            f"select {COLUMNS}, netns, peer_netns from endpoints where pid = {pid} order by fd"
        )
    assert found == sorted([(*rows[0], near, far), (*rows[1], far, near)])


def test_a_join_with_endpoints_names_the_process_at_the_other_end(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    own = os.open(path, os.O_RDWR)
    try:
        with child(lambda: os.open(path, os.O_RDONLY)) as (pid, fd):
            found = engine.query(
                "select e.pid, fd, kind, direction, peer_pid, peer_fd, name from endpoints e"
                f" join processes p on p.pid = peer_pid where e.pid = {pid}"
            )
    finally:
        os.close(own)
    name = Path("/proc/self/comm").read_text().rstrip("\n")
    assert found == [(pid, fd, "fifo", "r", os.getpid(), own, name)]


def test_what_is_renamed_or_unlinked_between_statements_that_share_stays_open(
    engine: Engine, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("renamed", "unlinked", "closed", "kept")]
    for path in paths:
        os.mkfifo(path)
    files = [os.open(path, os.O_RDWR) for path in paths]
    first = "select count(*) from fds where target like '%/nowhere'"
    ends = f"select fd, file_inode from endpoints where pid = {os.getpid()} and kind = 'fifo'"
    names = f"select fd, path from process_open_files where pid = {os.getpid()} order by fd"
    try:
        expected = [(fd, os.fstat(fd).st_ino) for fd in files]
        engine.share()
        for sql in (first, ends, names):
            engine.foresee(sql)
        assert engine.query(first) == [(0,)]
        paths[0].rename(tmp_path / "new")
        paths[1].unlink()
        pipe = os.pipe()
        os.dup2(pipe[1], files[2])
        for fd in pipe:
            os.close(fd)
        del expected[2]
        assert engine.query(ends) == expected
        shown = {fd: path for fd, path in engine.query(names) if fd in files}
        assert shown == {
            files[0]: f"{tmp_path}/new",
            files[1]: f"{paths[1]} (deleted)",
            files[3]: str(paths[3]),
        }
    finally:
        engine.thaw()
        for fd in files:
            os.close(fd)


def test_eventfds_with_one_inode_are_told_apart(engine: Engine) -> None:
    with child(
        attempt(lambda: [row("eventfd", checked(libc.eventfd(0, 0)), None, "rw", "id")])
    ) as (
        first,
        said,
    ):
        expected(said)
        with child(lambda: checked(libc.eventfd(0, 0))) as (second, _):
            found = engine.query(
                f"select pid, peer_pid from endpoints where pid in ({first}, {second})"
            )
    assert sorted(found) == sorted([(first, None), (second, None)])


def test_a_terminal_of_another_devpts_is_another_terminal(engine: Engine, tmp_path: Path) -> None:
    """The first terminal of each devpts has the number 0."""
    libc.mount.argtypes = (*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p)

    def prepare(place: str) -> list[Row]:
        checked(libc.unshare(0x00020000))
        checked(libc.mount(None, b"/", None, 0x44000, None))  # MS_REC | MS_PRIVATE
        os.mkdir(place)
        checked(libc.mount(b"devpts", place.encode(), b"devpts", 0, b"newinstance,ptmxmode=0666"))
        master = os.open(f"{place}/ptmx", os.O_RDWR | os.O_NOCTTY)
        fcntl_unlock(master)
        slave = os.open(f"{place}/0", os.O_RDWR | os.O_NOCTTY)
        return both("pty", master, slave, "tty")

    with (
        child(attempt(lambda: prepare(str(tmp_path / "a")))) as (first, said),
        child(attempt(lambda: prepare(str(tmp_path / "b")))) as (second, also),
    ):
        rows = expected(said) + expected(also)
        found = engine.query(
            f"select {COLUMNS} from endpoints where pid in ({first}, {second}) and kind = 'pty'"
        )
    assert in_order(found) == in_order(rows)


def fcntl_unlock(master: int) -> None:
    import fcntl

    fcntl.ioctl(master, 0x40045431, b"\0\0\0\0")  # TIOCSPTLCK


def test_a_pidfd_of_a_dead_process_leads_nowhere(engine: Engine) -> None:
    ended = subprocess.Popen(["true"])
    descriptor = os.pidfd_open(ended.pid)
    try:
        ended.wait()
        found = engine.query(
            f"select peer_pid, peer_fd from endpoints where pid = {os.getpid()}"
            f" and fd = {descriptor} and kind = 'pidfd'"
        )
    finally:
        os.close(descriptor)
    assert found == [(None, None)]


def test_a_pidfd_of_a_thread_leads_to_its_process(engine: Engine) -> None:
    ready, done = threading.Event(), threading.Event()

    def wait() -> None:
        ready.set()
        done.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    ready.wait()
    try:
        try:
            descriptor = os.pidfd_open(thread.native_id or 0, os.O_EXCL)
        except OSError as error:
            pytest.skip(f"no pidfds of threads ({errno.errorcode[error.errno or 0]})")
        found = engine.query(
            f"select peer_pid, peer_fd from endpoints where pid = {os.getpid()}"
            f" and fd = {descriptor} and kind = 'pidfd'"
        )
        os.close(descriptor)
    finally:
        done.set()
        thread.join()
    assert found == [(os.getpid(), None)]


def test_processes_that_come_and_go_leave_the_rows_of_others_whole(engine: Engine) -> None:
    storm = subprocess.Popen(["sh", "-c", "while :; do true | true; done"])
    try:
        with child(unix_shared) as (pid, rows):
            wait_until(lambda: storm.poll() is None)
            for _ in range(5):
                found = engine.query(f"select {COLUMNS} from endpoints where +pid = {pid}")
                assert in_order(found) == in_order(rows)
    finally:
        storm.send_signal(signal.SIGKILL)
        storm.wait()
