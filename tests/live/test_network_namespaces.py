"""Sockets in network namespaces that the test makes, kept alive in every way there is."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql import connect
from sockql.errors import DataError
from sockql.host import Host
from sockql.network.inside import Resident
from sockql.network.listns import identifiers
from sockql.network.scope import visit
from sockql.request import Request
from sockql.snapshot import Snapshot
from sockql.tables.sockets import TABLE
from tests.conftest import ROOT
from tests.live.children import child, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="unshare(2) takes root (EPERM)")

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000

#: The kernel has netlink sockets of its own in each namespace.
OURS = "family in ('inet', 'inet6', 'unix')"

Row = tuple[Any, ...]

COLUMNS = "netns, family, protocol, state, src, sport, dst, dport, interface, inode, source"
_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: Any) -> None:
    if getattr(_libc, name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def unshare() -> int:
    """Move to a new network namespace, its loopback interface up; its inode."""
    _call("unshare", CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
    return own()


def own() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def open_sockets(kept: list[socket.socket]) -> list[Row]:
    """A listener, both ends of a connection to it, a bound datagram socket and a unix socket.

    Their rows without the namespace; ``kept`` holds them.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server = listener.accept()[0]
    bound = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    bound.bind(("::1", 0))
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    unix.bind(f"\0sockql-{own()}")
    kept += [listener, client, server, bound, unix]
    here = "127.0.0.1"
    port, peer = listener.getsockname()[1], client.getsockname()[1]
    none = (None, None)
    tcp = ("inet", "tcp")
    return [
        (*tcp, "LISTEN", here, port, *none, None, inode(listener)),
        (*tcp, "ESTABLISHED", here, peer, here, port, None, inode(client)),
        (*tcp, "ESTABLISHED", here, port, here, peer, None, inode(server)),
        ("inet6", "udp", "UNCONN", "::1", bound.getsockname()[1], *none, None, inode(bound)),
        ("unix", None, "UNCONN", f"@sockql-{own()}", None, *none, None, inode(unix)),
    ]


#: What is opened in a child must not be closed when the function returns.
_KEPT: list[Any] = []


def inhabited() -> tuple[int, list[Row]]:
    """A namespace that its process lives in."""
    return unshare(), open_sockets(_KEPT)


def held_by_a_descriptor() -> tuple[int, list[Row]]:
    """A namespace that its maker has left, but for a descriptor."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    found = inhabited()
    _KEPT.append(os.open("/proc/self/ns/net", os.O_RDONLY))
    _call("setns", home, CLONE_NEWNET)
    os.close(home)
    return found


def of_a_thread() -> tuple[int, list[Row]]:
    """A namespace in which only one thread of the process is."""
    found: list[tuple[int, list[Row]]] = []
    ready = threading.Event()

    def live() -> None:
        found.append(inhabited())
        ready.set()
        signal.pause()

    threading.Thread(target=live, daemon=True).start()
    ready.wait(30)
    return found[0]


def mounted(place: Path) -> Callable[[], tuple[int, list[Row]]]:
    """A namespace that is only mounted, in a mount namespace that we are not in."""

    def make() -> tuple[int, list[Row]]:
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        _call("unshare", CLONE_NEWNS)
        _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        found = inhabited()
        _call("mount", b"/proc/self/ns/net", os.fsencode(place), None, MS_BIND, None)
        _call("setns", home, CLONE_NEWNET)
        os.close(home)
        return found

    place.touch()
    return make


def ask(sql: str, netns: str = "all") -> list[Row]:
    with connect(netns=netns) as db:
        rows = db.query(sql)
        assert db.notices == []
    return rows


def expected(netns: int | None, rows: list[Row], source: str = "sock_diag") -> list[Row]:
    return sorted(((netns, *row, source) for row in rows), key=repr)


def found(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=repr)


@pytest.fixture(params=["inhabited", "descriptor", "thread", "mounted"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, int, list[Row]]]:
    """pid, inode and sockets of a namespace, kept alive in each way."""
    make = {
        "inhabited": inhabited,
        "descriptor": held_by_a_descriptor,
        "thread": of_a_thread,
        "mounted": mounted(tmp_path / "blue"),
    }[request.param]
    with child(make) as (pid, (netns, rows)):
        yield pid, netns, rows


def test_sockets_are_found_whatever_keeps_their_namespace(
    made: tuple[int, int, list[Row]],
) -> None:
    _, netns, rows = made
    inodes = ", ".join(str(row[-1]) for row in rows)
    assert found(ask(f"select {COLUMNS} from sockets where inode in ({inodes})")) == expected(
        netns, rows
    )
    assert found(
        ask(f"select {COLUMNS} from sockets where {OURS} and netns = {netns}")
    ) == expected(netns, rows)
    assert ask(f"select inode from sockets where inode in ({inodes})", "self") == []
    # One protocol only: there the kernel's counters say whether to look thoroughly.
    listening = "protocol = 'tcp' and state = 'LISTEN'"
    assert ask(f"select sport from sockets where {listening} and inode in ({inodes})") == [
        (rows[0][4],)
    ]


def test_a_descriptor_that_the_statement_meets_leads_to_its_namespace() -> None:
    """A walk over descriptors that the statement makes anyway is not made in vain."""
    with child(held_by_a_descriptor) as (_, (netns, rows)):
        if identifiers() is not None:
            pytest.skip("this kernel lists all namespaces (Linux 6.19)")
        inodes = ", ".join(str(row[-1]) for row in rows)
        sockets = f"(select count(*) from sockets where inode in ({inodes}))"
        descriptors = "(select count(*) from fds where inode is not null)"
        with connect() as db:
            assert db.query(f"select count(*) from sockets where inode in ({inodes})") == [(0,)]
            assert db.notices == []
            # First all descriptors, then the sockets.
            ((_, found),) = db.query(f"select {descriptors}, {sockets}")
            assert found == len(rows)
            # The other way round it is too late, and is said.
            ((found, _),) = db.query(f"select {sockets}, {descriptors}")
            assert found == 0
            (notice,) = [text for text in db.notices if str(netns) in text]
            assert notice.endswith("use --netns all")
            assert "only descriptors lead to them" in notice
    with connect(netns="all") as db:
        db.query(f"select {sockets}, {descriptors}")
        assert [text for text in db.notices if "only descriptors" in text] == []


def test_a_host_with_another_scope_is_about_that_namespace(tmp_path: Path) -> None:
    with child(inhabited) as (pid, (netns, rows)):
        assert found(ask(f"select {COLUMNS} from sockets where {OURS}", str(pid))) == expected(
            netns, rows
        )
        assert ask("select netns, interface, mtu from interfaces", str(pid)) == [
            (netns, "lo", 65536)
        ]
    with child(mounted(tmp_path / "green")) as (_, (netns, rows)):
        assert found(ask(f"select {COLUMNS} from sockets where {OURS}", "green")) == expected(
            netns, rows
        )
        named = f"select distinct netns, netns_name from sockets where netns = {netns}"
        assert ask(named) == [(netns, "green")]
        place = str(tmp_path / "green")
        assert found(ask(f"select {COLUMNS} from sockets where {OURS}", place)) == expected(
            netns, rows
        )
    for name in ("green", str(pid)):
        with pytest.raises(DataError, match=f"--netns {name}: no "):
            ask("select 1 from sockets", name)


def test_network_namespaces_says_what_there_is_and_how_it_is_called(tmp_path: Path) -> None:
    columns = "netns, netns_name, pid, process_count, entered, entry_error"
    with contextlib.ExitStack() as stack:
        rows = []
        for make, name, members in (
            (inhabited, None, 1),
            (of_a_thread, None, 1),
            (held_by_a_descriptor, None, 0),
            (mounted(tmp_path / "blue"), "blue", 0),
        ):
            pid, (netns, _) = stack.enter_context(child(make))
            rows.append((netns, name, pid if members else None, members, 1, None))
        inodes = ", ".join(str(row[0]) for row in rows)
        assert found(
            ask(f"select {columns} from network_namespaces where netns in ({inodes})")
        ) == found(rows)
        ((own_pid, count),) = ask(
            f"select pid, process_count from network_namespaces where netns = {own()}"
        )
        assert own_pid <= os.getpid()
        assert count >= 1


def test_a_namespace_is_joined_with_its_processes() -> None:
    with child(inhabited) as (pid, (_, rows)):
        port = rows[0][4]
        with connect() as db:
            assert db.query(
                "select pid, sport from sockets join processes on ns_net = netns "
                f"where state = 'LISTEN' and sport = {port}"
            ) == [(pid, port)]


def as_nobody(sql: str) -> tuple[list[Row], list[str]]:
    def drop() -> tuple[list[Row], list[str]]:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        with connect() as db:
            return db.query(sql), db.notices

    ask("select * from sockets limit 0")  # everything is imported, as nobody may not
    with child(drop) as (_, answer):
        rows, notices = answer
        return rows, notices


def test_nobody_sees_the_sockets_of_another_namespace_in_its_text_files() -> None:
    with child(inhabited) as (_, (_, rows)):
        inodes = ", ".join(str(row[-1]) for row in rows)
        seen, notices = as_nobody(f"select {COLUMNS} from sockets where inode in ({inodes})")
        assert found(seen) == expected(None, rows, "procfs")
        (notice,) = [text for text in notices if "network namespaces" in text]
        assert "could only be read from /proc/PID/net" in notice
        assert notice.endswith("(EPERM); run as root or with CAP_SYS_ADMIN")
        counted, _ = as_nobody("select entered, entry_error from network_namespaces")
        assert (1, None) in counted
        assert (0, "EPERM") in counted


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}/net/dev"))


def test_a_namespace_that_dies_meanwhile_is_no_error_and_has_no_rows() -> None:
    for entered in (True, False):
        with contextlib.ExitStack() as stack:
            pid, (netns, _) = stack.enter_context(child(inhabited))
            host = Host()
            stack.callback(host.close)
            request = Request(TABLE.schema, Snapshot(), columns=["netns"])
            for namespace, inside in visit(request, host, text=True):
                if namespace.own:
                    if not entered:
                        end(pid)
                elif namespace.inode == netns:
                    assert entered
                    end(pid)
                    inside.asks = False
                    inside.close()
                    with pytest.raises(ProcessLookupError):
                        inside.open_net("tcp")
            assert host.notices == []


def test_many_namespaces_and_nothing_of_them_is_left_behind() -> None:
    def many() -> list[tuple[int, list[int]]]:
        made = []
        for _ in range(100):
            netns = unshare()
            _KEPT.append(os.open("/proc/self/ns/net", os.O_RDONLY))
            socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
            for sock in socks:
                sock.bind(("127.0.0.1", 0))
            _KEPT.extend(socks)
            made.append((netns, sorted(sock.getsockname()[1] for sock in socks)))
        return made

    before = own(), sorted(os.listdir("/proc/self/fd"))
    with child(many) as (_, made):
        rows = ask("select netns, sport from sockets where protocol = 'udp'")
        wanted = {(netns, port) for netns, ports in made for port in ports}
        assert len(wanted) == 2000
        assert sorted(row for row in rows if row in wanted) == sorted(wanted)
    assert before == (own(), sorted(os.listdir("/proc/self/fd")))
    wait_until(
        lambda: (
            {
                os.stat(f"/proc/self/task/{thread}/ns/net").st_ino
                for thread in os.listdir("/proc/self/task")
            }
            == {own()}
        )
    )


def test_a_resident_does_what_it_is_told_until_it_leaves() -> None:
    def threads() -> set[str]:
        return set(os.listdir("/proc/self/task"))

    before = threads()
    with child(inhabited) as (pid, (netns, _)):
        descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        resident = Resident(descriptor)
        os.close(descriptor)
        home = own()
        assert (resident.run(own), own()) == (netns, home)
        with pytest.raises(ZeroDivisionError):
            resident.run(lambda: 1 // 0)
        proc = os.open("/proc", os.O_RDONLY)
        directory = resident.directory(proc)
        (name,) = threads() - before
        there = os.stat(f"/proc/{pid}/net/dev").st_ino
        assert os.stat("dev", dir_fd=directory).st_ino == there
        # Where the thread is not known it is looked for in our own procfs.
        nowhere = os.open("/proc/sys", os.O_RDONLY)
        again = resident.directory(nowhere)
        assert os.stat("dev", dir_fd=again).st_ino == there
        resident.leave()
        wait_until(lambda: name not in threads())
        for number in (proc, directory, nowhere, again):
            os.close(number)


def test_what_is_no_namespace_cannot_be_entered() -> None:
    before = set(os.listdir("/proc/self/task"))
    with open("/proc/self/stat") as file, pytest.raises(OSError, match="Invalid argument"):
        Resident(file.fileno())
    wait_until(lambda: set(os.listdir("/proc/self/task")) <= before)


#: Signals at all times, of which some come just after the thread has answered.
INTERRUPTED = """
import os, random, signal
from sockql.network.inside import Resident
class Interrupted(BaseException): pass
def interrupt(*_): raise Interrupted
signal.signal(signal.SIGALRM, interrupt)
descriptor = os.open("/proc/self/ns/net", os.O_RDONLY)
ended = 0
for _ in range(3000):
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 4e-4))
        resident = Resident(descriptor)
        try:
            resident.run(os.getpid)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            resident.leave()
        ended += 1
    except Interrupted:
        signal.setitimer(signal.ITIMER_REAL, 0)
print(ended)
"""


def test_an_interrupt_at_any_time_leaves_nobody_waiting() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert 0 < int(done.stdout) < 3000
