"""Why a socket has no process, and where a connection waits: every case really made."""

from __future__ import annotations

import array
import contextlib
import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sockql import connect
from sockql.engine import Engine
from tests.live.children import child, wait_until
from tests.live.test_network_namespaces import unshare

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
STREAM = socket.SOCK_STREAM
IPPROTO_MPTCP = 262
HOME = "127.0.0.1"
TCP_DEFER_ACCEPT = socket.TCP_DEFER_ACCEPT

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root (EPERM)")

Row = tuple[Any, ...]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect(netns="self") as made:
        yield made


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def listener(
    stack: ExitStack, address: str = HOME, port: int = 0, *, protocol: int = 0, shared: bool = False
) -> socket.socket:
    family = INET6 if ":" in address else INET
    made = stack.enter_context(socket.socket(family, STREAM, protocol))
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((address, port))
    made.listen(8)
    return made


def client(
    stack: ExitStack, of: socket.socket, address: str = "", protocol: int = 0
) -> tuple[int, int]:
    """Connect to a listener, which does not accept; the ports of its end and of the client's."""
    own = of.getsockname()
    target = (address or own[0], own[1])
    family = INET6 if ":" in target[0] else INET
    made = stack.enter_context(socket.socket(family, STREAM, protocol))
    made.connect(target)
    return own[1], made.getsockname()[1]


def row(
    engine: Engine, ports: tuple[int, int], columns: str = "owner_state, listener_inode"
) -> list[Row]:
    """What the rows say of the end with these ports."""
    where = f"sport = {ports[0]} and dport = {ports[1]}"
    return engine.query(f"select {columns} from sockets where {where}")


# -- connections and their listeners ------------------------------------------------------------


def test_a_connection_waits_at_its_listener_until_it_is_accepted(
    engine: Engine, stack: ExitStack
) -> None:
    served = listener(stack)
    listener(stack)
    ports = client(stack, served)
    wait_until(lambda: row(engine, ports) == [("unaccepted", inode(served))])
    assert row(engine, ports[::-1]) == [("held", None)]
    # Looked for from the other side, where only the listener was asked for.
    assert engine.query(
        "select l.sport, w.dport from sockets w join sockets l on l.inode = w.listener_inode"
        f" where w.sport = {ports[0]} and w.dport = {ports[1]}"
    ) == [(served.getsockname()[1], ports[1])]
    stack.enter_context(served.accept()[0])
    assert row(engine, ports) == [("held", None)]


@pytest.mark.parametrize(
    ("bound", "target"),
    [
        ("0.0.0.0", HOME),
        ("::", "::1"),
        ("::1", "::1"),
        ("::", HOME),
        ("::ffff:127.0.0.1", HOME),
        ("::ffff:0.0.0.0", HOME),
    ],
)
def test_a_listener_with_any_address_has_the_connections_to_all(
    engine: Engine, stack: ExitStack, bound: str, target: str
) -> None:
    try:
        served = listener(stack, bound)
    except OSError as error:
        pytest.skip(f"no such address here: {error}")
    ports = client(stack, served, target)
    wait_until(lambda: row(engine, ports) == [("unaccepted", inode(served))])


def test_one_address_comes_before_any_and_equal_listeners_are_not_told_apart(
    engine: Engine, stack: ExitStack
) -> None:
    every = listener(stack, "0.0.0.0", shared=True)
    number = every.getsockname()[1]
    one = listener(stack, HOME, number, shared=True)
    here, there = client(stack, one), client(stack, every, "127.0.0.2")
    wait_until(lambda: row(engine, here) == [("unaccepted", inode(one))])
    wait_until(lambda: row(engine, there) == [("unaccepted", inode(every))])
    # With a second one of the same address the kernel chooses, and does not say which.
    listener(stack, HOME, number, shared=True)
    assert row(engine, here) == [("unaccepted", None)]
    assert row(engine, there) == [("unaccepted", inode(every))]


def test_a_connection_that_sent_no_data_yet_may_still_be_a_request(
    engine: Engine, stack: ExitStack
) -> None:
    served = listener(stack)
    served.setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 60)
    ports = client(stack, served)
    columns = "state, owner_state, listener_inode, inode"
    expected = [("SYN_RECV", "request", inode(served), None)]
    wait_until(lambda: row(engine, ports, columns) == expected)


def test_a_connection_of_mptcp_waits_like_one_of_tcp(engine: Engine, stack: ExitStack) -> None:
    try:
        served = listener(stack, protocol=IPPROTO_MPTCP)
    except OSError as error:
        pytest.skip(f"no MPTCP sockets: {error}")
    ports = client(stack, served, protocol=IPPROTO_MPTCP)
    columns = "protocol, owner_state, listener_inode"
    expected = {(name, "unaccepted", inode(served)) for name in ("tcp", "mptcp")}
    wait_until(lambda: set(row(engine, ports, columns)) == expected)


def test_a_unix_connection_waits_at_its_listener(
    engine: Engine, stack: ExitStack, tmp_path: Path
) -> None:
    served = stack.enter_context(socket.socket(UNIX, STREAM))
    served.bind(str(tmp_path / "socket"))
    served.listen(8)
    ends = [stack.enter_context(socket.socket(UNIX, STREAM)) for _ in range(2)]
    for end in ends:
        end.connect(served.getsockname())
    stack.enter_context(served.accept()[0])
    numbers = ", ".join(str(inode(sock)) for sock in (served, *ends))
    query = f"select inode, owner_state, listener_inode from sockets where inode in ({numbers})"
    assert sorted(engine.query(query)) == sorted(
        [
            (inode(served), "held", None),
            (inode(ends[0]), "held", None),
            (inode(ends[1]), "held", inode(served)),
        ]
    )


# -- connections that have lost their process ---------------------------------------------------


def test_a_closed_connection_is_an_orphan_and_then_in_time_wait(
    engine: Engine, stack: ExitStack
) -> None:
    served = listener(stack)
    made = socket.create_connection(served.getsockname())
    ports = made.getsockname()[1], served.getsockname()[1]
    server = stack.enter_context(served.accept()[0])
    columns = "state, owner_state, inode, listener_inode"
    made.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            made.send(bytes(1 << 20))
    made.close()
    # Its data does not fit into the other's buffer, so it is not done.
    assert row(engine, ports, columns) == [("FIN_WAIT1", "orphan", None, None)]
    while server.recv(1 << 20):
        pass
    wait_until(lambda: row(engine, ports, columns) == [("FIN_WAIT2", "timewait", None, None)])
    server.close()
    wait_until(lambda: row(engine, ports, columns) == [("TIME_WAIT", "timewait", None, None)])


# -- sockets that no process has ------------------------------------------------------------------

_libc = ctypes.CDLL(None, use_errno=True)


def unreadable() -> list[str]:
    """The processes whose descriptors not even root may look at."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    os.readlink(f"/proc/{pid}/fd/{fd}")
        except PermissionError:
            found.append(pid)
        except OSError:
            continue
    return found


def without_the_unreadable() -> None:
    """Move to a mount namespace where processes that cannot be read are as if they had ended."""
    if _libc.unshare(0x00020000) or _libc.mount(b"none", b"/", None, 0x44000, None):
        raise OSError(ctypes.get_errno(), "unshare")
    for pid in unreadable():
        if _libc.mount(b"none", f"/proc/{pid}".encode(), b"tmpfs", 0, None):
            raise OSError(ctypes.get_errno(), "mount")


def in_a_child(job: Callable[[], Any], *, readable: bool = True) -> Any:
    """What ``job`` returns in a process with a network namespace of its own.

    Skips where all of the machine's processes are wanted and some are out of sight.
    """
    if readable and os.readlink("/proc/self/ns/pid") != "pid:[4026531836]":
        pytest.skip("not in the first pid namespace: there may be processes out of sight")

    def run() -> Any:
        unshare()
        if readable:
            without_the_unreadable()
        return job()

    with connect() as db:
        db.query("select owner_state, listener_inode from sockets")  # everything is imported
    with child(run) as (_, found):
        return found


def state_of(sock: socket.socket, *, wait: str = "") -> str:
    """The owner_state of the bound UDP socket ``sock``, when it is ``wait`` or at once."""
    return states_of(sock.getsockname()[1], wait=wait)


def states_of(port: int, *, wait: str = "") -> str:
    with connect(netns="self") as db:

        def ask() -> str:
            ((found,),) = db.query(
                f"select owner_state from sockets where protocol = 'udp' and sport = {port}"
            )
            return str(found)

        if wait:
            wait_until(lambda: ask() == wait, 60)
        return ask()


def bound() -> socket.socket:
    made = socket.socket(INET, socket.SOCK_DGRAM)
    made.bind((HOME, 0))
    return made


@as_root
def test_a_socket_in_a_message_is_in_flight() -> None:
    def job() -> tuple[str, str, str]:
        sender, receiver = socket.socketpair()
        sent = bound()
        port = sent.getsockname()[1]
        before = state_of(sent)
        message = array.array("i", [sent.fileno()])
        sender.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, message)])
        sent.close()
        during = states_of(port, wait="in_flight")
        _, numbers, _, _ = socket.recv_fds(receiver, 1, 1)
        assert len(numbers) == 1
        return before, during, states_of(port)

    assert in_a_child(job) == ("held", "in_flight", "held")


@as_root
def test_a_socket_of_the_kernel_is_the_kernels() -> None:
    def job() -> str | None:
        link = "type vxlan id 1 dstport 4789"
        made = subprocess.run(["ip", "link", "add", "vx", *link.split()], capture_output=True)
        if made.returncode:
            return None
        subprocess.run(["ip", "link", "set", "vx", "up"], check=True, capture_output=True)
        return states_of(4789, wait="kernel")

    found = in_a_child(job)
    if found is None:
        pytest.skip("this kernel has no VXLAN, or there is no ip(8)")
    assert found == "kernel"


@as_root
def test_netlink_sockets_of_the_kernel_say_so_themselves() -> None:
    def job() -> list[Row]:
        with connect(netns="self") as db:
            return db.query(
                "select distinct owner_state, portid = 0 from sockets where family = 'netlink'"
                " order by 2"
            )

    # The one with an address is the one that asks.
    assert in_a_child(job, readable=False)[-1] == ("kernel", 1)


@as_root
def test_where_a_process_cannot_be_read_nobody_knows() -> None:
    def job() -> tuple[str, str, list[str]]:
        sender, _ = socket.socketpair()
        held, sent = bound(), bound()
        port = sent.getsockname()[1]
        message = array.array("i", [sent.fileno()])
        sender.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, message)])
        sent.close()
        with connect() as db:  # our netlink socket cannot be made as nobody, nor imports
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            _libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: /proc/self is ours again
            found = dict(db.query("select sport, owner_state from sockets where protocol = 'udp'"))
            return found[held.getsockname()[1]], found[port], db.notices

    own, other, notices = in_a_child(job, readable=False)
    assert (own, other) == ("held", "unknown")
    assert any("processes not readable (EACCES)" in notice for notice in notices)


@as_root
def test_the_only_socket_of_mptcp_is_found_in_whatever_state() -> None:
    """A namespace without any is not asked, so one must be enough to be noticed."""

    def rows() -> list[Row]:
        with connect(netns="self") as db:
            return db.query("select family, state from sockets where protocol = 'mptcp'")

    def job() -> dict[str, list[Row]] | None:
        found = {"none": rows()}
        try:
            only = socket.socket(INET, STREAM, IPPROTO_MPTCP)
        except OSError:
            return None
        subprocess.run(["ip", "route", "add", "default", "dev", "lo"], check=True)
        with only:
            only.bind((HOME, 0))
            only.listen()
            found["listens"] = rows()
        with socket.socket(INET6, STREAM, IPPROTO_MPTCP) as only:
            only.bind(("::1", 0))
            only.listen()
            found["listens over IPv6"] = rows()
        with socket.socket(INET, STREAM, IPPROTO_MPTCP) as only:
            only.setblocking(False)
            only.connect_ex(("192.0.2.1", 9))
            found["connects"] = rows()
        with (
            socket.create_server((HOME, 0)) as plain,
            socket.socket(INET, STREAM, IPPROTO_MPTCP) as only,
        ):
            only.connect(plain.getsockname())
            found["connected to TCP"] = rows()
        return found

    found = in_a_child(job, readable=False)
    if found is None:
        pytest.skip("this kernel has no MPTCP sockets")
    assert found == {
        "none": [],
        "listens": [("inet", "LISTEN")],
        "listens over IPv6": [("inet6", "LISTEN")],
        "connects": [("inet", "SYN_SENT")],
        "connected to TCP": [("inet", "ESTABLISHED")],
    }
