"""Queries about who listens, and whether anybody takes the calls."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from sockql import connect
from tests.live.children import child, in_pid_namespace, wait_until
from tests.queries.asking import HERE, ME, NETNS, Row, about, ask, cmdline, process, username
from tests.queries.setups import (
    NOBODY,
    become_nobody,
    container,
    copy_of_sleep,
    kept,
    listed,
    needs_root,
    new_network,
    program,
)

INET, STREAM, DGRAM = socket.AF_INET, socket.SOCK_STREAM, socket.SOCK_DGRAM


def bound(stack: ExitStack, type: int, address: str = HERE) -> socket.socket:
    sock = stack.enter_context(socket.socket(INET, type))
    sock.bind((address, 0))
    return sock


def listener(stack: ExitStack, address: str = HERE, backlog: int = 5) -> socket.socket:
    sock = bound(stack, STREAM, address)
    sock.listen(backlog)
    return sock


def connected(stack: ExitStack, to: socket.socket) -> socket.socket:
    sock = stack.enter_context(socket.socket(INET, STREAM))
    sock.connect(to.getsockname())
    return sock


def port(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def at(number: int, name: str, **params: int | str) -> list[Row]:
    """The rows of a query that are about one port."""
    return [row for row in ask(name, **params) if row["sport"] == number]


def test_listening_ports(stack: ExitStack) -> None:
    tcp = listener(stack)
    udp = bound(stack, DGRAM, "0.0.0.0")
    connected(stack, tcp)
    only_bound = bound(stack, STREAM)
    for sock, protocol, address in ((tcp, "tcp", HERE), (udp, "udp", "0.0.0.0")):
        assert at(port(sock), "listening-ports") == [
            {
                "protocol": protocol,
                "src": address,
                "sport": port(sock),
                "service": None,
                **process(ME),
                "container_id": None,
                "netns": NETNS,
            }
        ]
    assert at(port(only_bound), "listening-ports") == []


def test_port(stack: ExitStack) -> None:
    sock = listener(stack)
    caller = connected(stack, sock)
    accepted = stack.enter_context(sock.accept()[0])
    number = port(sock)
    here = {"protocol": "tcp", "src": HERE, "sport": number, "netns": NETNS, **process(ME)}
    assert ask("port", port=number) == [
        {**here, "state": "LISTEN", "dst": None, "dport": None},
        {**here, "state": "ESTABLISHED", "dst": HERE, "dport": port(caller)},
    ]
    assert accepted.getpeername()[1] == port(caller)
    assert ask("port", port=0) == []


def test_listener_on_all_addresses(stack: ExitStack) -> None:
    everywhere, here = listener(stack, "0.0.0.0"), listener(stack)
    assert at(port(everywhere), "listener-on-all-addresses") == [
        {
            "protocol": "tcp",
            "src": "0.0.0.0",
            "sport": port(everywhere),
            "service": None,
            "container_id": None,
            **process(ME),
        }
    ]
    assert at(port(here), "listener-on-all-addresses") == []


@needs_root
@pytest.mark.parametrize(
    ("query", "number", "type", "what"),
    [
        ("exposed-service", 6379, STREAM, "Redis"),
        ("exposed-service", 2375, STREAM, "Docker"),
        ("exposed-service", 11211, DGRAM, "memcached"),
        ("cleartext-service", 23, STREAM, "Telnet"),
        ("cleartext-service", 69, DGRAM, "TFTP"),
    ],
)
@pytest.mark.parametrize("address", ["0.0.0.0", HERE])
def test_services_that_others_can_reach(
    query: str, number: int, type: int, what: str, address: str
) -> None:
    def serve() -> None:
        new_network()
        sock = socket.socket(INET, type)
        sock.bind((address, number))
        if type == STREAM:
            sock.listen()
        kept.append(sock)

    with child(serve) as (pid, _):
        protocol = "tcp" if type == STREAM else "udp"
        row = {"what": what, "protocol": protocol, "src": address, "sport": number, **process(pid)}
        row["container_id"] = None
        assert about(pid, query) == ([] if address == HERE else [row])


@needs_root
def test_the_udp_socket_of_a_client_is_no_service() -> None:
    def call_somebody() -> None:
        new_network()
        sock = socket.socket(INET, DGRAM)
        sock.bind(("0.0.0.0", 6379))
        kept.append(sock)

    with child(call_somebody) as (pid, _):
        assert about(pid, "exposed-service") == []


@needs_root
def test_unregistered_listener() -> None:
    def serve(numbers: list[int]) -> None:
        new_network()
        for number in numbers:
            kept.append(socket.create_server(("0.0.0.0", number)))
        kept.append(socket.create_server((HERE, 31338)))

    with child(lambda: serve([22, 31337])) as (pid, _):
        assert about(pid, "unregistered-listener") == [
            {
                "protocol": "tcp",
                "src": "0.0.0.0",
                "sport": 31337,
                "container_id": None,
                **process(pid),
            }
        ]
    with child(lambda: serve([22])) as (pid, _):
        assert about(pid, "unregistered-listener") == []


def test_socket_of_deleted_program(stack: ExitStack, tmp_path: Path) -> None:
    sock = listener(stack)
    file = copy_of_sleep(tmp_path / "server")
    with program(file, "1000000", pass_fds=[sock.fileno()]) as pid:
        assert about(pid, "socket-of-deleted-program") == []
        (tmp_path / "server").unlink()
        assert about(pid, "socket-of-deleted-program") == [
            {
                **process(pid),
                "protocol": "tcp",
                "state": "LISTEN",
                "src": HERE,
                "sport": port(sock),
                "dst": None,
                "dport": None,
            }
        ]


def test_socket_without_process(stack: ExitStack) -> None:
    """Where all processes can be read; one that cannot might have the socket."""
    ends = [stack.enter_context(end) for end in socket.socketpair()]
    sock = listener(stack)
    number, own = port(sock), inode(sock)
    assert at(number, "socket-without-process") == []
    socket.send_fds(ends[0], [b"x"], [sock.fileno()])
    sock.close()
    with connect() as db:
        asked = "select owner_state from sockets where sport = :port"
        ((owner_state,),) = db.query(asked, {"port": number})
        if owner_state == "unknown":
            assert db.notices != []
            assert at(number, "socket-without-process") == []
            pytest.skip("some process cannot be read here (EACCES)")
    assert at(number, "socket-without-process") == [
        {
            "protocol": "tcp",
            "state": "LISTEN",
            "src": HERE,
            "sport": number,
            "dst": None,
            "dport": None,
            "user": username(0),
            "inode": own,
            "netns": NETNS,
            "owner_state": "in_flight",
        }
    ]


#: The owner_state of a listener that is held, and of one that is on its way; and the notices.
ON_ITS_WAY = """
import json, socket
from sockql import connect
ends = socket.socketpair()
held, sent = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
numbers = [sock.getsockname()[1] for sock in (held, sent)]
socket.send_fds(ends[0], [b"x"], [sent.fileno()])
sent.close()
with connect(netns="self") as db:
    found = [db.query("select owner_state from sockets where sport = :p", {"p": n}) for n in numbers]
    print(json.dumps([found, db.notices]))
"""


SOME = "only some of the machine's processes can be seen (pid namespace, hidepid)"


@needs_root
def test_where_only_some_processes_are_seen_it_is_said_that_an_owner_is_not_known() -> None:
    assert json.loads(in_pid_namespace(ON_ITS_WAY)) == [
        [[["held"]], [["unknown"]]],
        [f"sockets: {SOME}; owner_state is unknown where none of them has the socket"],
    ]


def test_descriptors_on_their_way(stack: ExitStack) -> None:
    ends = [stack.enter_context(end) for end in socket.socketpair()]
    sock = listener(stack)
    assert [
        row for row in about(ME, "descriptors-in-flight") if row["fd"] == ends[1].fileno()
    ] == []
    socket.send_fds(ends[0], [b"x"], [sock.fileno()])
    sock.close()
    assert [row for row in about(ME, "descriptors-in-flight") if row["fd"] == ends[1].fileno()] == [
        {
            **process(ME),
            "fd": ends[1].fileno(),
            "target": f"socket:[{inode(ends[1])}]",
            "descriptors": 1,
        }
    ]


@pytest.mark.parametrize(("callers", "full"), [(2, False), (3, True)])
def test_full_accept_queue(stack: ExitStack, tmp_path: Path, callers: int, full: bool) -> None:
    tcp = listener(stack, backlog=2)
    unix = stack.enter_context(socket.socket(socket.AF_UNIX, STREAM))
    unix.bind(str(tmp_path / "s"))
    unix.listen(2)
    for _ in range(callers):
        connected(stack, tcp)
        caller = stack.enter_context(socket.socket(socket.AF_UNIX, STREAM))
        caller.connect(str(tmp_path / "s"))
    places = [("tcp", HERE, port(tcp)), ("unix", str(tmp_path / "s"), None)]
    found = [
        row
        for row in about(ME, "full-accept-queue")
        if (row["protocol"], row["src"], row["sport"]) in places
    ]
    assert sorted(found, key=lambda row: str(row["protocol"])) == [
        {
            "protocol": protocol,
            "src": address,
            "sport": number,
            "accept_queue": callers,
            "backlog": 2,
            **process(ME),
        }
        for protocol, address, number in places
        if full
    ]


@needs_root
@pytest.mark.parametrize(
    ("address", "nobody", "seen"),
    [(HERE, True, True), ("0.0.0.0", True, True), ("127.0.0.2", True, False), (HERE, False, False)],
)
def test_port_shared_by_users(stack: ExitStack, address: str, nobody: bool, seen: bool) -> None:
    mine = stack.enter_context(socket.socket(INET, DGRAM))
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    mine.bind((address, 0))
    number = port(mine)

    def steal() -> None:
        if nobody:
            become_nobody()
        sock = socket.socket(INET, DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HERE, number))
        kept.append(sock)

    with child(steal) as (pid, _):
        assert at(number, "port-shared-by-users") == (
            [
                {
                    "protocol": "udp",
                    "src": address,
                    "sport": number,
                    "pid": ME,
                    "user": username(0),
                    "other_src": HERE,
                    "other_pid": pid,
                    "other_user": username(NOBODY),
                    "netns": NETNS,
                }
            ]
            if seen
            else []
        )


@needs_root
@pytest.mark.parametrize("inside", [True, False])
def test_listener_in_network_namespace(inside: bool) -> None:
    def serve() -> tuple[int, int]:
        netns = new_network() if inside else NETNS
        sock = socket.create_server((HERE, 0))
        kept.append(sock)
        return netns, port(sock)

    with child(serve) as (pid, (netns, number)):
        row = {"protocol": "tcp", "src": HERE, "sport": number, **process(pid), "netns": netns}
        assert about(pid, "listener-in-network-namespace") == ([row] if inside else [])


def test_inherited_listener(stack: ExitStack) -> None:
    sock = listener(stack)
    with program("sleep", "1000000") as pid:
        assert at(port(sock), "inherited-listener") == []
    with (
        program("sleep", "1000000", pass_fds=[sock.fileno()]) as pid,
        program("cat", stdin=subprocess.PIPE, pass_fds=[sock.fileno()]) as other,
    ):
        # The first process of a namespace is left out, which may be this one.
        holders = sorted(each for each in (ME, pid, other) if each != 1)
        assert at(port(sock), "inherited-listener") == [
            {
                "protocol": "tcp",
                "src": HERE,
                "sport": port(sock),
                "processes": len(holders),
                "programs": ",".join(str(process(each)["path"]) for each in holders),
                "pids": ",".join(str(each) for each in holders),
            }
        ]


def test_a_listener_that_systemd_hands_over_is_not_inherited(
    stack: ExitStack, tmp_path: Path
) -> None:
    """Nor is a listener of unix, such as that of D-Bus, which its launcher keeps."""
    copy = copy_of_sleep(tmp_path / "systemd")
    sock, bus = listener(stack), stack.enter_context(socket.socket(socket.AF_UNIX, STREAM))
    bus.bind(str(tmp_path / "bus"))
    bus.listen()
    passed = [sock.fileno(), bus.fileno()]
    with (
        program(copy, "1000000", pass_fds=passed) as pid,
        program("cat", stdin=subprocess.PIPE, pass_fds=passed) as other,
    ):
        number = port(sock)
        sock.close()
        found = [row for row in ask("inherited-listener") if row["protocol"] != "tcp"]
        assert [row for row in found if str(other) in row["pids"].split(",")] == []
        activators = listed(tmp_path, "path", copy)
        assert at(number, "inherited-listener", activating_programs=activators) == []
        assert [row["pids"] for row in at(number, "inherited-listener")] == [
            ",".join(map(str, sorted((pid, other))))
        ]
        holders = [row["pid"] for row in about(pid, "port", port=number)]
        assert holders == [pid]


def test_a_shell_of_a_program_that_is_there_to_start_them(stack: ExitStack, tmp_path: Path) -> None:
    sh = shutil.which("sh")
    assert sh is not None
    sock = listener(stack)
    programs = listed(tmp_path, "path", str(tmp_path / "sshd"))
    for name, seen in (("sshd", False), ("served", True)):
        shutil.copy(os.path.realpath(sh), tmp_path / name)
        script = "sh -c 'read line; exit'; exit"
        with program(
            str(tmp_path / name), "-c", script, stdin=subprocess.PIPE, pass_fds=[sock.fileno()]
        ) as pid:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            wait_until(lambda: children.read_text() != "")  # noqa: B023
            inner = int(children.read_text())
            wait_until(lambda: cmdline(inner).startswith("sh -c read"))  # noqa: B023
            found = [
                row["server_path"]
                for row in about(inner, "shell-of-a-server", shell_programs=programs)
                if row["sport"] == port(sock)
            ]
            assert found == ([str(tmp_path / name)] if seen else [])


def test_shell_of_a_server(stack: ExitStack) -> None:
    shell = shutil.which("sh")
    sock = listener(stack)
    with (
        program("sh", "-c", "read line; exit", stdin=subprocess.PIPE, executable=shell) as pid,
        program("cat", stdin=subprocess.PIPE) as other,
    ):
        me, sh = process(ME), process(pid, "cmdline", "started")
        del sh["path"]
        assert [row for row in about(pid, "shell-of-a-server") if row["sport"] == port(sock)] == [
            {
                **sh,
                "server_pid": ME,
                "server_path": me["path"],
                "protocol": "tcp",
                "src": HERE,
                "sport": port(sock),
            }
        ]
        assert about(other, "shell-of-a-server") == []
        sock.close()
        assert [row for row in about(pid, "shell-of-a-server") if row["sport"] == port(sock)] == []


def test_container_listeners() -> None:
    def serve(entry: Path | None) -> int:
        if entry is not None:
            entry.write_text("0")
        sock = socket.create_server((HERE, 0))
        kept.append(sock)
        return port(sock)

    with container() as (id, entry):
        with child(lambda: serve(entry)) as (pid, number):
            row = process(pid)
            del row["user"]
            assert about(pid, "container-listeners") == [
                {
                    "container_runtime": "docker",
                    "container_id": id,
                    "pod_uid": None,
                    "netns": NETNS,
                    "protocol": "tcp",
                    "src": HERE,
                    "sport": number,
                    **row,
                }
            ]
        with child(lambda: serve(None)) as (pid, _):
            assert about(pid, "container-listeners") == []


@pytest.mark.parametrize(("mode", "seen"), [(0o666, True), (0o662, True), (0o770, False)])
@pytest.mark.parametrize("name", ["s", "\udcff"])
def test_world_writable_socket(tmp_path: Path, mode: int, seen: bool, name: str) -> None:
    place = str(tmp_path / name)

    def serve() -> None:
        sock = socket.socket(socket.AF_UNIX, DGRAM)
        sock.bind(place)
        os.chmod(place, mode)
        kept.append(sock)

    with child(serve) as (pid, _):
        row = {
            "socket": place.replace("\udcff", r"\xff"),
            "socktype": "dgram",
            "state": "UNCONN",
            "file_mode": f"{mode:04o}",
            "owner": username(os.getuid()),
            **process(pid),
        }
        assert about(pid, "world-writable-socket") == ([row] if seen else [])
        public = listed(tmp_path, "pattern", f"{tmp_path}/*")
        assert about(pid, "world-writable-socket", public_sockets=public) == []
