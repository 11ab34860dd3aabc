"""Which requests a scan of ``sockets`` makes, and what it does where the kernel refuses them."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.diag.mptcp_info import MptcpInfo
from sockql.diag.tcp_info import TcpInfo
from sockql.errors import DataError
from sockql.host import Host
from sockql.request import UNKNOWN, Constraint, Request
from sockql.snapshot import Snapshot
from sockql.sockets import costs as socket_costs
from sockql.sockets import sockstat
from sockql.sockets.family_details import OtherDetails
from sockql.sockets.tcp_details import TcpDetails
from sockql.tables.sockets import TABLE
from tests.fakeproc import Link, proc_tree
from tests.sockmessages import (
    INET,
    INET6,
    MISSING,
    ROUTE,
    UNIX,
    Answer,
    Inet,
    Scripted,
    Unix,
    answering,
    ask,
    attribute,
    done,
    in_one,
    kind,
    message,
    nothing,
    refused,
)

SOCKSTAT = (
    b"sockets: used 40\nTCP: inuse 10 orphan 0 tw 4 alloc 12 mem 1\nUDP: inuse 3 mem 0\n"
    b"UDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n"
)
SOCKSTAT6 = b"TCP6: inuse 1\nUDP6: inuse 1\nUDPLITE6: inuse 0\nRAW6: inuse 0\n"

PROTOCOLS = (
    b"protocol  size sockets  memory press maxhdr  slab module\n"
    b"TCP 2304 11 1 no 192 yes kernel\nPING 1016 2 -1 NI 0 yes kernel\n"
)

TCP_LINE = b"0: 0100007F:1F90 0200007F:9C40 01 00000007:00000009 02:00000064 00000000 1000 3 4711\n"
TCP_LISTEN = b"1: 00000000:0016 00000000:0000 0A 00000000:00000003 00:00000000 00000000 0 0 4712\n"
HEADER = (
    b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout"
    b" inode\n"
)
UNIX_HEADER = b"Num       RefCount Protocol Flags    Type St Inode Path\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    files: dict[str, bytes | Link | None] = {
        "self/ns/net": Link("net:[4026531840]"),
        "self/net/sockstat": SOCKSTAT,
        "self/net/sockstat6": SOCKSTAT6,
        "self/net/protocols": PROTOCOLS,
        "self/net/tcp": HEADER + TCP_LINE + TCP_LISTEN,
        "self/net/udp": HEADER,
        "self/net/unix": UNIX_HEADER
        + b"0: 00000002 00000000 00010000 0001 01 91 /run/x\n"
        + b"0: 00000003 00000000 00000000 0001 03 92\n"
        + b"0: 00000002 00000000 00000000 0002 01 93 @abs\n",
    }
    return proc_tree(files, tmp_path)


@pytest.fixture
def hosts(proc: Path) -> Iterator[Any]:
    """Makes hosts whose kernel answers as told, and closes them."""
    made: list[Host] = []

    def make(answer: Answer = nothing, where: Path | None = None) -> Scripted:
        host = Scripted(answer, where or proc)
        made.append(host)
        return host

    yield make
    for host in made:
        host.close()


def plan(host: Scripted, columns: str, *conditions: tuple[str, str, Any]) -> list[str]:
    """What a scan asks, in words."""
    trace: list[str] = []
    ask(host, columns, *conditions, trace=trace)
    return trace


def oneof(*values: Any) -> frozenset[Any]:
    return frozenset(values)


# -- which dumps --------------------------------------------------------------------------------

TCP = "sock_diag inet+inet6/tcp"
PING = ["read /proc/net/icmp", "read /proc/net/icmp6"]
NOT_LISTENING = "states=all but LISTEN"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((), [TCP, "sock_diag inet/udp", "sock_diag inet6/udp", "sock_diag unix show=0x00"]),
        ([("family", "=", "unix")], ["sock_diag unix show=0x00"]),
        ([("family", "=", "inet")], ["sock_diag inet/tcp", "sock_diag inet/udp"]),
        ([("protocol", "=", "tcp")], [TCP]),
        ([("protocol", "in", oneof("udp", "raw"))], ["sock_diag inet/udp", "sock_diag inet6/udp"]),
        ([("socktype", "=", "stream")], [TCP, "sock_diag unix show=0x00"]),
        ([("socktype", "=", "seqpacket")], ["sock_diag unix show=0x00"]),
        ([("socktype", "=", "raw")], []),
        ([("protocol", "=", "icmp"), ("family", "=", "inet6")], []),
        (
            [("state", "=", "LISTEN")],
            [f"{TCP} states=LISTEN", "sock_diag unix show=0x00 states=LISTEN"],
        ),
        (
            [("state", "=", "UNCONN")],
            [
                "sock_diag inet/udp states=CLOSE",
                "sock_diag inet6/udp states=CLOSE",
                "sock_diag unix show=0x00 states=UNCONN",
            ],
        ),
        ([("state", "=", "TIME_WAIT")], [f"{TCP} states=TIME_WAIT"]),
        ([("state", "=", "CLOSE")], [f"{TCP} states=BOUND_INACTIVE"]),
        ([("state", "=", "BOUND_INACTIVE")], [f"{TCP} states=BOUND_INACTIVE"]),
        ([("state", "=", "SYN_RECV")], [f"{TCP} states=SYN_RECV,NEW_SYN_RECV"]),
        (
            [("state", "in", oneof("FIN_WAIT1", "FIN_WAIT2"))],
            [f"{TCP} states=FIN_WAIT1,FIN_WAIT2"],
        ),
        (
            [("sport", "=", 80)],
            [f"{TCP} sport=80", "sock_diag inet/udp sport=80", "sock_diag inet6/udp sport=80"],
        ),
        (
            [("protocol", "=", "tcp"), ("dport", "=", 443)],
            [f"{TCP} {NOT_LISTENING} dport=443"],
        ),
        (
            [("protocol", "=", "udp"), ("family", "=", "inet"), ("dport", "=", 53)],
            ["sock_diag inet/udp states=all but CLOSE dport=53"],
        ),
        (
            [("protocol", "=", "tcp"), ("sport", ">=", 1024), ("sport", "<", 2048)],
            [f"{TCP} bytecode='sport 1024-2047'"],
        ),
        (
            [("protocol", "=", "tcp"), ("sport", "in", oneof(80, 443)), ("dport", ">", 1023)],
            [f"{TCP} {NOT_LISTENING} bytecode='sport in (80,443) and dport 1024-65535'"],
        ),
        ([("protocol", "=", "tcp"), ("sport", ">", 0)], [TCP]),
        ([("sport", "=", 0)], []),
        ([("sport", "=", 70000)], []),
        ([("sport", ">", 65535)], []),
        ([("dport", "in", oneof(-1, 65536))], []),
        (
            [("protocol", "=", "tcp"), ("src", "=", "192.0.2.1")],
            ["sock_diag inet/tcp bytecode='src 192.0.2.1'"],
        ),
        (
            [("socktype", "=", "stream"), ("src", "=", "2001:db8::1")],
            ["sock_diag inet6/tcp bytecode='src 2001:db8::1'", "sock_diag unix show=0x01"],
        ),
        ([("src", "=", "/run/x")], ["sock_diag unix show=0x01"]),
        # Not the spelling of any cell.
        ([("protocol", "=", "tcp"), ("src", "in", oneof("010.0.0.1", "2001:DB8::1"))], []),
        (
            [("protocol", "=", "tcp"), ("src", "in", oneof("192.0.2.1", "::1", "/run/x"))],
            [
                "sock_diag inet/tcp bytecode='src 192.0.2.1'",
                "sock_diag inet6/tcp bytecode='src ::1'",
            ],
        ),
        (
            [("protocol", "=", "tcp"), ("dst", "inet_in", "10.0.0.0/8")],
            [
                f"sock_diag inet/tcp {NOT_LISTENING} bytecode='dst 10.0.0.0/8'",
                f"sock_diag inet6/tcp {NOT_LISTENING} bytecode='dst 10.0.0.0/8'",
            ],
        ),
        (
            [("src", "inet_in", "2001:db8::/32"), ("socktype", "=", "stream")],
            ["sock_diag inet6/tcp bytecode='src 2001:db8::/32'"],
        ),
        ([("protocol", "=", "tcp"), ("mark", "=", 7)], [f"{TCP} bytecode='mark 7'"]),
        ([("mark", "=", -1)], []),
        (
            [("protocol", "=", "tcp"), ("cgroup_id", "in", oneof(25, 26))],
            [f"{TCP} bytecode='cgroup in (25,26)'"],
        ),
        # The value comes later, from an outer loop: no cell that is asked for is NULL.
        ([("inode", "=", UNKNOWN), ("protocol", "=", "tcp")], [f"{TCP} states=all but TIME_WAIT"]),
        (
            [("sport", "=", UNKNOWN)],
            [TCP, "sock_diag inet/udp", "sock_diag inet6/udp"],
        ),
    ],
    ids=str,
)
def test_only_dumps_that_can_have_a_row_are_asked_for(
    hosts: Any, conditions: list[tuple[str, str, Any]], expected: list[str]
) -> None:
    assert plan(hosts(), "inode", *conditions) == expected


def test_interfaces_are_asked_for_by_their_index(hosts: Any) -> None:
    def answer(protocol: int, _request: bytes) -> list[bytes]:
        links = message(16, struct.pack("=BxHiII", 0, 1, 4, 0, 0) + attribute(3, b"eth0\0"))
        return [links, done(0)] if protocol == ROUTE else [done(0)]

    tcp = ("protocol", "=", "tcp")
    assert plan(hosts(answer), "inode", tcp, ("interface", "=", "eth0")) == [
        "rtnetlink links",
        f"{TCP} bytecode='if 4'",
    ]
    assert plan(hosts(answer), "inode", tcp, ("interface", "=", "eth9")) == ["rtnetlink links"]


def test_a_cgroup_is_asked_for_by_its_id(hosts: Any, tmp_path: Path) -> None:
    mount = b"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    files: dict[str, bytes | Link | None] = {
        "self/mountinfo": mount,
        "self/root/sys/fs/cgroup/a.slice": None,
    }
    (tmp_path / "other").mkdir()
    proc = proc_tree(files, tmp_path / "other")
    inode = os.stat(proc / "self/root/sys/fs/cgroup/a.slice").st_ino
    tcp = ("protocol", "=", "tcp")
    assert plan(hosts(where=proc), "inode", tcp, ("cgroup", "=", "/a.slice")) == [
        f"{TCP} bytecode='cgroup {inode}'"
    ]
    # A cgroup that is not there now may be there when SQLite looks at the rows.
    assert plan(hosts(where=proc), "inode", tcp, ("cgroup", "=", "/b.slice")) == [TCP]


def test_a_long_list_of_ports_becomes_a_range(hosts: Any) -> None:
    tcp = ("protocol", "=", "tcp")
    ports = frozenset(range(1000, 3001, 2))
    assert plan(hosts(), "inode", tcp, ("sport", "in", ports)) == [
        f"{TCP} bytecode='sport 1000-3000'"
    ]
    host = hosts()
    plan(host, "inode", tcp, ("sport", "in", frozenset(range(1000, 2999, 2))))
    assert len(host.requests[0][1]) > 20_000


def test_a_long_list_of_addresses_is_left_to_sqlite(hosts: Any) -> None:
    addresses = frozenset(f"192.0.2.{n}" for n in range(200))
    conditions = (("protocol", "=", "tcp"), ("src", "in", addresses))
    assert plan(hosts(), "inode", *conditions) == ["sock_diag inet/tcp"]


def test_bound_sockets_are_looked_for_only_when_there_are_any(hosts: Any, proc: Path) -> None:
    (proc / "self/net/sockstat").write_bytes(SOCKSTAT.replace(b"alloc 12", b"alloc 11"))
    tcp = ("protocol", "=", "tcp")
    assert plan(hosts(), "inode", tcp) == [f"{TCP} states=all but BOUND_INACTIVE"]
    assert plan(hosts(), "inode", ("state", "=", "BOUND_INACTIVE")) == []
    for name in ("sockstat", "sockstat6"):
        (proc / "self/net" / name).unlink()
    assert plan(hosts(), "inode", tcp) == [TCP]


def test_raw_and_udplite_are_asked_for_when_there_are_any(hosts: Any, proc: Path) -> None:
    (proc / "self/net/sockstat6").write_bytes(SOCKSTAT6.replace(b"RAW6: inuse 0", b"RAW6: inuse 2"))
    conditions = [("protocol", "in", oneof("raw", "udplite"))]
    assert plan(hosts(), "inode", *conditions) == ["sock_diag inet/raw", "sock_diag inet6/raw"]
    (proc / "self/net/sockstat").unlink()
    assert plan(hosts(), "inode", *conditions) == [
        *("sock_diag inet/udplite", "sock_diag inet6/udplite"),
        *("sock_diag inet/raw", "sock_diag inet6/raw"),
    ]


# -- which attributes ---------------------------------------------------------------------------

MEMORY = (
    *("rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc", "wmem_queued", "optmem"),
    *("backlog_bytes", "drops"),
)
#: The columns for which something has to be asked, and by which bits of idiag_ext.
ASKED = {
    **dict.fromkeys((*vars(TcpInfo), *vars(MptcpInfo)), 0x02),
    **{
        name: 0x04 if name.startswith(("vegas", "dctcp", "bbr")) else 0x02
        for name in vars(TcpDetails)
    },
    **{name: 0x02 for name in vars(OtherDetails) if name.startswith("sctp")},
    **dict.fromkeys(("sctp_local_addresses", "sctp_peer_addresses"), 0),
    "send_rate": 0x06,
    "congestion": 0x08,
    "tos": 0x10,
    "tclass": 0x20,
    "class_id": 0x20,
    **dict.fromkeys(MEMORY, 0x40),
}
FREE = {column.name for column in TABLE.schema.columns if not ASKED.get(column.name)}


@pytest.mark.parametrize(
    ("columns", "ext"),
    [
        (" ".join(sorted(FREE)), 0),
        ("congestion", 0x08),
        ("tos", 0x10),
        ("tclass", 0x20),
        ("class_id", 0x20),
        ("drops", 0x40),
        ("rcvbuf tos mark", 0x50),
        *((name, ext) for name, ext in ASKED.items() if name in TABLE.schema.by_name and ext),
    ],
)
def test_only_attributes_that_are_used_are_asked_for(hosts: Any, columns: str, ext: int) -> None:
    host = hosts()
    ask(host, columns, ("protocol", "=", "udp"), ("family", "=", "inet"))
    ((_, request),) = host.requests
    assert request[18] == ext


# -- where the kernel refuses -------------------------------------------------------------------

ROW = "protocol state src sport dst dport recv_queue send_queue accept_queue backlog inode source"
CONNECTION = ("tcp", "ESTABLISHED", "127.0.0.1", 8080, "127.0.0.2", 40000, 9, 7, None, None)
LISTENER = ("tcp", "LISTEN", "0.0.0.0", 22, None, None, None, None, 3, None)
TEXT_ROWS = [(*CONNECTION, 4711, "procfs"), (*LISTENER, 4712, "procfs")]


def test_a_missing_handler_is_replaced_by_text_with_a_notice(hosts: Any) -> None:
    host = hosts(answering({}, MISSING))
    assert ask(host, ROW, ("protocol", "=", "tcp")) == TEXT_ROWS
    (notice,) = host.notices
    assert notice == (
        "sockets: tcp read from /proc/net, without cookies, options, marks, cgroups and memory:"
        " sock_diag answers 'No such file or directory'"
    )
    assert [kind(request) for _, request in host.requests] == [(0, 6), (INET, 6), (INET6, 6)]


def test_text_rows_have_no_attributes(hosts: Any) -> None:
    columns = "cookie mark cgroup_id cgroup shutdown drops tos recverr interface timer socket_uid"
    (first, _) = ask(hosts(answering({}, MISSING)), columns, ("protocol", "=", "tcp"))
    assert first == (*(None,) * 9, "keepalive", 1000)


@pytest.mark.parametrize(
    "code", [errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EPERM, errno.EACCES]
)
@pytest.mark.parametrize("how", ["socket", "answer"])
def test_without_sock_diag_everything_is_text_with_one_notice(
    hosts: Any, code: int, how: str
) -> None:
    host = hosts(lambda *_: code if how == "socket" else [refused(code)])
    found = ask(host, "family protocol socktype state src dst inode source")
    assert found == [
        ("inet", "tcp", "stream", "ESTABLISHED", "127.0.0.1", "127.0.0.2", 4711, "procfs"),
        ("inet", "tcp", "stream", "LISTEN", "0.0.0.0", None, 4712, "procfs"),
        ("unix", None, "stream", "LISTEN", "/run/x", None, 91, "procfs"),
        ("unix", None, "stream", "ESTABLISHED", None, None, 92, "procfs"),
        ("unix", None, "dgram", "UNCONN", "@abs", None, 93, "procfs"),
    ]
    (notice,) = host.notices
    assert notice == (
        "sockets: tcp, udp, unix read from /proc/net, without cookies, options, marks, cgroups and"
        f" memory: sock_diag answers {os.strerror(code)!r}; names of unix sockets may be forged or"
        " cut"
    )


def test_states_are_left_out_of_text_as_well(hosts: Any) -> None:
    host = hosts(answering({}, MISSING))
    assert ask(host, "state inode", ("state", "=", "LISTEN")) == [("LISTEN", 4712), ("LISTEN", 91)]


def test_raw_and_ping_are_text_without_a_notice(hosts: Any, proc: Path) -> None:
    (proc / "self/net/sockstat").write_bytes(SOCKSTAT.replace(b"RAW: inuse 0", b"RAW: inuse 1"))
    line = b"0: 0100007F:0059 0200007F:0000 01 00000000:00000000 00:00000000 00000000 0 0 81 2\n"
    (proc / "self/net/raw").write_bytes(HEADER + line)
    (proc / "self/net/icmp").write_bytes(
        HEADER + line.replace(b"0: 0100007F:0059", b"1: 0100007F:04D2")
    )
    host = hosts(answering({}, MISSING))
    columns = "protocol socktype state src sport dst dport ip_protocol icmp_id inode"
    wanted = ("protocol", "in", oneof("raw", "icmp", "icmp6"))
    front = ("ESTABLISHED", "127.0.0.1", None, "127.0.0.2", None)
    assert ask(host, columns, wanted) == [
        ("icmp", "dgram", *front, None, 1234, 81),
        ("raw", "raw", *front, 89, None, 81),
    ]
    assert host.notices == []


def test_ping_sockets_are_looked_for_only_when_there_are_any(hosts: Any, proc: Path) -> None:
    wanted = ("protocol", "in", oneof("icmp", "icmp6"))
    for name in ("icmp", "icmp6"):
        (proc / "self/net" / name).write_bytes(pings())
    assert plan(hosts(), "inode", wanted) == PING
    (proc / "self/net/protocols").write_bytes(PROTOCOLS.replace(b"PING 1016 2", b"PING 1016 0"))
    assert plan(hosts(), "inode", wanted) == []
    (proc / "self/net/protocols").unlink()
    assert plan(hosts(), "inode", wanted) == PING


def pings(*rows: tuple[int, int]) -> bytes:
    """/proc/net/icmp or icmp6 with these chains and inodes."""
    end = "07 00000000:00000000 00:00000000 00000000 0 0"
    zeros = "00000000:04D2 00000000:0000"
    return HEADER + "".join(f"  {a}: {zeros} {end} {inode}\n" for a, inode in rows).encode()


@pytest.mark.parametrize(
    ("icmp", "icmp6", "of_inet6"),
    [
        ([(1, 40), (2, 41)], [(3, 60)], {60}),
        # A chain of 60, 40: the file of IPv6 goes on with 40.
        ([(1, 40)], [(1, 60), (1, 40)], {60}),
        ([(1, 40), (1, 60)], [(1, 60)], {60}),
        # A chain of 40, 60, 41, 61: nobody can tell of what family 41 is.
        ([(1, 40), (1, 60), (1, 41), (1, 61)], [(1, 60), (1, 41), (1, 61)], {60}),
        ([], [(1, 60), (1, 61)], {60, 61}),
        ([(1, 0)], [(1, 60), (1, 0)], {60, 0}),
    ],
)
def test_a_ping_socket_that_both_files_list_is_one_row(
    hosts: Any,
    proc: Path,
    icmp: list[tuple[int, int]],
    icmp6: list[tuple[int, int]],
    of_inet6: set[int],
) -> None:
    (proc / "self/net/icmp").write_bytes(pings(*icmp))
    (proc / "self/net/icmp6").write_bytes(pings(*icmp6))
    everything = {inode for _, inode in icmp + icmp6} - ({0} if 0 in of_inet6 else set())
    found = {
        family: [
            inode or 0
            for (inode,) in ask(
                hosts(), "inode", ("protocol", "=", protocol), ("family", "=", family)
            )
        ]
        for family, protocol in (("inet", "icmp"), ("inet6", "icmp6"))
    }
    assert sorted(found["inet6"]) == sorted(of_inet6)
    assert sorted(set(found["inet"]) - {0}) == sorted(everything - of_inet6)


def test_a_kernel_without_ipv6_has_no_inet6_sockets(hosts: Any) -> None:
    host = hosts(answering({}, MISSING))
    assert ask(host, "inode", ("family", "=", "inet6")) == []


def test_with_neither_source_there_is_an_error(hosts: Any, proc: Path) -> None:
    for name in ("tcp", "unix"):
        (proc / "self/net" / name).unlink()
    for wanted in (("protocol", "=", "tcp"), ("family", "=", "inet6")):
        host = hosts(answering({}, MISSING))
        with pytest.raises(
            DataError, match=r"^sockets: sock_diag inet6?/tcp.*: No such file.*, and "
        ):
            ask(host, "inode", wanted)
    host = hosts(answering({}, errno.EPERM))
    with pytest.raises(
        DataError, match=r"^sockets: sock_diag unix .*Operation not permitted, and "
    ):
        ask(host, "inode", ("family", "=", "unix"))


def test_a_procfs_without_self_has_net_beside_the_processes(hosts: Any, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    proc = proc_tree({"net/tcp": HEADER + TCP_LISTEN}, tmp_path / "b")
    host = hosts(answering({}, MISSING), proc)
    assert ask(host, "netns inode", ("protocol", "=", "tcp")) == [(None, 4712)]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EPERM])
def test_a_refused_program_is_left_out(hosts: Any, code: int) -> None:
    rows = in_one([Inet(sport=port, cookie=port).pack(18) for port in (80, 81)])

    def answer(_: int, request: bytes) -> list[bytes]:
        return rows if len(request) == 76 else [refused(code)]

    host = hosts(answer)
    wanted = (("protocol", "=", "tcp"), ("sport", "in", oneof(80, 443)))
    assert ask(host, "sport", *wanted) == [(80,), (81,)]
    assert host.notices == []


def test_a_kernel_without_the_old_request_is_asked_for_each_family(hosts: Any) -> None:
    answers = {
        (0, 6): [refused(errno.EOPNOTSUPP)],
        (INET, 6): in_one([Inet(cookie=1).pack()]),
        (INET6, 6): in_one([Inet(INET6, src="::1", dst="::1", cookie=2).pack()]),
    }
    host = hosts(answering(answers))
    assert ask(host, "src", ("protocol", "=", "tcp")) == [("192.0.2.1",), ("::1",)]
    assert host.notices == []


def test_a_scan_that_stops_early_still_says_what_it_read_from_text(hosts: Any) -> None:
    host = hosts(answering({}, MISSING))
    request = Request(TABLE.schema, Snapshot(), columns=["inode"])
    records = iter(TABLE.records(request, host))
    next(records)
    del records
    assert [notice[:17] for notice in host.notices] == ["sockets: tcp read"]


def test_a_scan_looks_for_interrupts(proc: Path) -> None:
    checks = []
    host = Scripted(answering({(INET, 6): in_one([Inet().pack()])}), proc)
    host.check = lambda: checks.append(1)
    ask(host, "src", ("protocol", "=", "tcp"), ("family", "=", "inet"))
    assert len(checks) >= 2
    host.close()


def test_received_bytes_are_counted(hosts: Any) -> None:
    rows = in_one([Inet().pack()])
    host = hosts(answering({(INET, 6): rows, (UNIX, 0): in_one([Unix().pack()])}))
    constraints = [
        Constraint("family", "in", oneof("inet", "unix")),
        Constraint("socktype", "=", "stream"),
    ]
    request = Request(TABLE.schema, Snapshot(), columns=["inode"], constraints=constraints)
    assert len(list(TABLE.records(request, host))) == 2
    assert request.trace.bytes == 88 + 20 + 32 + 20


# -- what it will cost --------------------------------------------------------------------------


def estimate(host: Host, *conditions: tuple[str, str, Any]) -> tuple[float, float]:
    constraints = [Constraint(*condition) for condition in conditions]
    return socket_costs.sockets(Request(TABLE.schema, Snapshot(), constraints=constraints), host)


def test_estimates_come_from_the_kernel_s_counters(hosts: Any) -> None:
    host = hosts()
    assert estimate(host)[0] == 10 + 1 + 4 + 3 + 1 + (40 - 15)
    assert estimate(host, ("protocol", "=", "tcp"))[0] == 15
    assert estimate(host, ("state", "=", "TIME_WAIT"))[0] == 4
    assert estimate(host, ("family", "=", "unix"))[0] == 25
    assert host.requests == []


def test_a_narrower_question_is_estimated_as_cheaper(hosts: Any, proc: Path) -> None:
    (proc / "self/net/sockstat").write_bytes(
        SOCKSTAT.replace(b"inuse 10 ", b"inuse 50000 ").replace(b"used 40", b"used 50100")
    )
    everything = estimate(hosts())
    tcp = estimate(hosts(), ("protocol", "=", "tcp"))
    port = estimate(hosts(), ("protocol", "=", "tcp"), ("dport", "=", UNKNOWN))
    listeners = estimate(hosts(), ("protocol", "=", "tcp"), ("state", "=", "LISTEN"))
    assert everything > tcp > port > listeners
    assert estimate(hosts(), ("inode", "=", UNKNOWN))[0] == 1
    assert estimate(hosts(), ("sport", "=", 0))[0] == 1


def test_without_counters_there_is_a_guess(hosts: Any, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    rows, cost = estimate(hosts(where=proc_tree({}, tmp_path / "c")))
    assert 1 < rows < cost


def test_counters_by_name() -> None:
    assert sockstat.parse(SOCKSTAT + b"junk\nX: a b c 1\n") == {
        "sockets.used": 40,
        "TCP.inuse": 10,
        "TCP.orphan": 0,
        "TCP.tw": 4,
        "TCP.alloc": 12,
        "TCP.mem": 1,
        "UDP.inuse": 3,
        "UDP.mem": 0,
        "UDPLITE.inuse": 0,
        "RAW.inuse": 0,
        "FRAG.inuse": 0,
        "FRAG.memory": 0,
        "X.c": 1,
    }
