"""The smaller families of sockets: rows from messages made by hand, and when they are asked for.

The layouts are those of the kernel's include/uapi/linux; few kernels have all of the families.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.diag.protocols import parse
from sockql.errors import KernelRefused, ParseError
from sockql.sockets.families import FAMILIES
from sockql.tables.sockets import TABLE
from tests.fakeproc import Link, proc_tree
from tests.sockmessages import (
    INET,
    INET6,
    MISSING,
    SOCK_DIAG,
    Answer,
    Inet,
    Scripted,
    answering,
    ask,
    attribute,
    done,
    in_one,
    message,
    nothing,
    refused,
)

PACKET, NETLINK, VSOCK, XDP, TIPC, SMC = 17, 16, 40, 44, 30, 43
BY_FAMILY = 20
HEADER = b"protocol  size sockets  memory press maxhdr  slab module\n"
EVERY = (
    *("TCP", "NETLINK", "PACKET", "MPTCP", "MPTCPv6", "AF_VSOCK", "XDP", "TIPC", "SCTP", "DCCP"),
    *("SMC", "SMC6"),
)
VISIBLE = (
    "family protocol socktype state src sport dst dport recv_queue send_queue inode socket_uid"
)
MEMINFO = struct.pack("=9I", 11, 12, 13, 14, 15, 16, 17, 18, 19)


def protocols(**counts: int) -> bytes:
    lines = [f"{name} 1000 {count} -1 NI 0 yes kernel\n" for name, count in counts.items()]
    return HEADER + "".join(lines).encode()


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Any]:
    """Hosts with these protocols; by default all of them are in use."""
    made: list[Scripted] = []

    def make(answer: Answer = nothing, **counts: int) -> Scripted:
        table = protocols(**(counts or dict.fromkeys(EVERY, 1)))
        folder = tmp_path / str(len(made))
        folder.mkdir()
        net = Link("net:[4026531840]")
        proc = proc_tree({"self/ns/net": net, "self/net/protocols": table}, folder)
        made.append(Scripted(answer, proc))
        return made[-1]

    yield make
    for host in made:
        host.close()


def answers(family: int, *messages: bytes) -> Answer:
    # 255 asks for netlink sockets of all protocols.
    return answering({(family, 255 if family == NETLINK else 0): in_one(messages)})


def asked(host: Scripted) -> list[int]:
    """The families for which there were requests."""
    return [request[16] for protocol, request in host.requests if protocol == SOCK_DIAG]


# -- packet -------------------------------------------------------------------------------------


def packet(type: int, ethertype: int, inode: int, *attributes: bytes) -> bytes:
    head = struct.pack("=BBHIII", PACKET, type, ethertype, inode, inode + 1, 0)
    return message(BY_FAMILY, head + b"".join(attributes))


def test_packet_sockets(hosts: Any) -> None:
    info = attribute(0, struct.pack("=6I", 0, 2, 4, 3, 8, 0b10011))
    more = attribute(5, struct.pack("=I", 1000)), attribute(6, MEMINFO)
    host = hosts(
        answers(
            PACKET,
            packet(3, 0x0003, 50, info, *more),
            packet(2, 0x88CC, 52),
            packet(10, 0x1234, 54, attribute(0, b"short")),
            packet(3, 0, 56),
        ),
    )
    columns = f"{VISIBLE} cookie ethertype packet_version packet_reserve packet_flags drops"
    assert ask(host, columns, ("family", "=", "packet")) == [
        (
            *("packet", "all", "raw", *[None] * 5, 11, 13, 50, 1000),
            *(51, 3, 2, 4, "running,auxdata,loss", 19),
        ),
        ("packet", "lldp", "dgram", *[None] * 7, 52, None, 53, 0x88CC, *[None] * 4),
        ("packet", None, "packet", *[None] * 7, 54, None, 55, 0x1234, None, None, None, None),
        ("packet", None, "raw", *[None] * 7, 56, None, 57, None, *[None] * 4),
    ]


def test_what_packet_sockets_have_set_up(hosts: Any) -> None:
    def member(type: int, length: int, address: bytes) -> bytes:
        return struct.pack("=IIHH32s", 2, 1, type, length, address)

    multicast = bytes.fromhex("333300000001")
    filter = struct.pack("=HBBI", 6, 0, 0, 0xFFFF)
    host = hosts(
        answers(
            PACKET,
            packet(
                *(3, 3, 50),
                attribute(1, member(0, 6, multicast) + member(1, 0, b"") + member(2, 0, b"")),
                attribute(2, struct.pack("=7I", 4096, 4, 2048, 8, 60, 16, 1)),
                attribute(4, struct.pack("=I", 0x1003_0007)),
                attribute(7, filter),
            ),
            packet(3, 3, 52, attribute(7, b""), attribute(4, b"xy")),
        ),
    )
    columns = (
        "packet_memberships fanout_id fanout_type rx_ring_block_size rx_ring_block_nr "
        "rx_ring_frame_size rx_ring_frame_nr rx_ring_retire_tmo rx_ring_sizeof_priv "
        "rx_ring_features tx_ring_block_size socket_filter"
    )
    assert ask(host, columns, ("family", "=", "packet")) == [
        (
            *("multicast@2=33:33:00:00:00:01,promisc@2,allmulti@2", 7, "rollover"),
            *(4096, 4, 2048, 8, 60, 16, 1, None, filter),
        ),
        (None,) * 12,
    ]


# -- netlink ------------------------------------------------------------------------------------


def netlink(protocol: int, portid: int, cookie: int, *attributes: bytes, state: int = 0) -> bytes:
    head = struct.pack("=BBBBIIIIII", NETLINK, 3, protocol, state, portid, 0, 0, 60, cookie, 0)
    return message(BY_FAMILY, head + b"".join(attributes))


def test_netlink_sockets_members_of_groups_once(hosts: Any) -> None:
    groups = attribute(1, struct.pack("@LL", 0b10001, 1))
    size = 8 * struct.calcsize("@L")
    extra = groups, attribute(4, struct.pack("=I", 0b100010)), attribute(0, MEMINFO)
    host = hosts(
        answers(
            NETLINK,
            netlink(0, 4242, 1, *extra),
            netlink(31, 0, 2, state=1),
            netlink(0, 4242, 1, *extra),
        ),
    )
    columns = f"{VISIBLE} portid dst_portid dst_group netlink_protocol netlink_groups netlink_flags"
    assert ask(host, columns, ("family", "=", "netlink")) == [
        (
            *("netlink", "route", "raw", "UNCONN", *[None] * 4, 11, 13, 60, None),
            *(4242, 0, 0, 0, f"1,5,{size + 1}", "pktinfo,cap_ack"),
        ),
        (
            *("netlink", None, "raw", "ESTABLISHED", *[None] * 6, 60, None),
            *(0, 0, 0, 31, None, None),
        ),
    ]


def test_a_condition_that_is_exact_delivers_nothing_else(hosts: Any) -> None:
    host = hosts(answers(NETLINK, netlink(0, 1, 1), netlink(4, 2, 2)))
    assert ask(host, "portid", ("protocol", "=", "sock_diag")) == [(2,)]


# -- vsock, xdp, tipc, smc ----------------------------------------------------------------------


def test_vsock_sockets(hosts: Any) -> None:
    def vsock(type: int, state: int, shutdown: int, *numbers: int) -> bytes:
        return message(BY_FAMILY, struct.pack("=BBBB7I", VSOCK, type, state, shutdown, *numbers, 0))

    any = 0xFFFFFFFF
    host = hosts(
        answers(
            VSOCK,
            vsock(1, 10, 0, any, 22, any, any, 70, 1),
            vsock(1, 1, 2, 3, 70000, 2, 22, 71, 2),
            vsock(5, 7, 0, any, any, any, any, 72, 3),
        ),
    )
    assert ask(host, f"{VISIBLE} cookie shutdown", ("family", "=", "vsock")) == [
        ("vsock", None, "stream", "LISTEN", "*", 22, *[None] * 4, 70, None, 1, None),
        ("vsock", None, "stream", "ESTABLISHED", "3", 70000, "2", 22, None, None, 71, None, 2, "w"),
        ("vsock", None, "seqpacket", "UNCONN", "*", *[None] * 5, 72, None, 3, None),
    ]


def test_xdp_sockets(hosts: Any) -> None:
    def xdp(inode: int, *attributes: bytes) -> bytes:
        head = struct.pack("=BBHIII", XDP, 3, 0, inode, inode + 1, 0)
        return message(BY_FAMILY, head + b"".join(attributes))

    full = xdp(
        80,
        attribute(1, struct.pack("=II", 4, 9)),
        attribute(2, struct.pack("=I", 1000)),
        *(attribute(number, struct.pack("=I", 100 * number)) for number in (3, 4, 6, 7)),
        attribute(5, struct.pack("=Q8I", 2**40, 1, 2, 3, 4, 5, 6, 1, 8)),
        attribute(8, MEMINFO),
        attribute(9, struct.pack("=6Q", 1, 2, 3, 4, 5, 2**64 - 1)),
    )
    host = hosts(answers(XDP, full, xdp(82, attribute(5, b"short"))))
    columns = (
        "socktype state socket_uid ifindex inode cookie xdp_queue_id xdp_rx_ring xdp_tx_ring "
        "xdp_fill_ring xdp_completion_ring umem_size umem_id umem_pages umem_chunk_size "
        "umem_headroom umem_ifindex umem_queue_id umem_flags umem_refs rcvbuf xdp_rx_dropped "
        "xdp_rx_invalid xdp_rx_full xdp_fill_ring_empty xdp_tx_invalid xdp_tx_ring_empty"
    )
    assert ask(host, columns, ("family", "=", "xdp")) == [
        (
            *("raw", None, 1000, 4, 80, 81, 9, 300, 400, 600, 700),
            *(2**40, 1, 2, 3, 4, 5, 6, "zerocopy", 8, 12, 1, 2, 3, 4, 5, None),
        ),
        ("raw", None, None, None, 82, 83, *[None] * 21),
    ]


def test_tipc_sockets(hosts: Any) -> None:
    def u32(number: int, value: int) -> bytes:
        return attribute(number, struct.pack("=I", value))

    def tipc(*attributes: bytes) -> bytes:
        return message(BY_FAMILY, attribute(0x8002, b"".join(attributes)))

    base = u32(7, 90), u32(8, 1000), u32(1, 0x1001001), u32(2, 3_000_000_001)
    connected = tipc(
        *base,
        *(u32(6, 5), u32(9, 1), attribute(10, struct.pack("=Q", 7)), attribute(4, b"")),
        attribute(3, u32(2, 0x1001002) + u32(3, 77)),
        attribute(5, u32(1, 5) + u32(2, 6) + attribute(3, b"") + u32(5, 42)),
    )
    single = tipc(*base, u32(6, 4), u32(9, 7), attribute(10, struct.pack("=Q", 8)))
    host = hosts(answers(TIPC, connected, single))
    columns = (
        f"{VISIBLE} cookie tipc_published tipc_link_congested tipc_connection_congested tipc_drops"
    )
    own = "1001001", 3_000_000_001
    assert ask(host, columns, ("family", "=", "tipc")) == [
        (
            *("tipc", None, "seqpacket", "ESTABLISHED", *own, "1001002", 77, 5, 6, 90, 1000),
            *(7, 1, 1, 0, 42),
        ),
        (
            *("tipc", None, "rdm", "UNCONN", *own, None, None, None, None, 90, 1000),
            *(8, 0, None, None, None),
        ),
    ]


def test_smc_sockets(hosts: Any) -> None:
    def smc(family: int, state: int, mode: int, address: str, *attributes: bytes) -> bytes:
        src = socket.inet_pton(family, address).ljust(16, b"\0")
        ports = struct.pack(">HH", 443, 40000)
        tail = struct.pack("=IIIIQ", 0, state, 0, 1000, 2**32 + 5)
        head = struct.pack("=BBBB", family, state, mode, 3) + ports + src + src + tail
        return message(BY_FAMILY, head + b"".join(attributes))

    info = attribute(1, struct.pack("=4I", 9, 16384, 32768, 65536))
    host = hosts(
        answers(
            SMC,
            smc(INET, 1, 0, "192.0.2.1", info),
            smc(INET6, 22, 1, "2001:db8::1", attribute(5, struct.pack("=II", 0x30, 0x31))),
        )
    )
    columns = (
        "family protocol socktype state src sport dport inode socket_uid shutdown smc_mode "
        "smc_token smc_sndbuf smc_rmbe smc_peer_rmbe smc_fallback_reason smc_fallback_peer rtt"
    )
    assert ask(host, columns, ("protocol", "=", "smc")) == [
        (
            *("inet", "smc", "stream", "ESTABLISHED", "192.0.2.1", 443, 40000, 2**32 + 5, 1000),
            *("rw", "smcr", 9, 16384, 32768, 65536, None, None, None),
        ),
        (
            *("inet6", "smc", "stream", "APPCLOSEWAIT1", "2001:db8::1", 443, 40000, 2**32 + 5),
            *(1000, "rw", "fallback", None, None, None, None, 0x30, 0x31, None),
        ),
    ]


# -- mptcp, sctp, dccp --------------------------------------------------------------------------


def sctp_info(type: int) -> bytes:
    raw = bytearray(368)
    struct.pack_into("=3I", raw, 0, 7, 3, 65536)
    struct.pack_into("=4I", raw, 24, 1, 2, 3, 4)
    struct.pack_into("=II", raw, 44, 131072, 8)
    struct.pack_into("=3I", raw, 300, 4380, 20, 1000)
    struct.pack_into("=I", raw, 360, type)
    return attribute(2, bytes(raw))


def storage(address: str) -> bytes:
    family = INET6 if ":" in address else INET
    head = struct.pack("=H", family) + (b"\0\1" if family == INET else b"\0\1\0\0\0\0")
    return (head + socket.inet_pton(family, address)).ljust(128, b"\0")


def test_sctp_endpoints_and_their_associations(hosts: Any) -> None:
    local = attribute(12, storage("192.0.2.1") + storage("2001:db8::1"))
    peers = attribute(13, storage("198.51.100.2"))
    endpoint = Inet(state=10, dst="0.0.0.0", dport=0, attributes=local + sctp_info(2))
    many = Inet(state=7, cookie=8, dst="0.0.0.0", dport=0, attributes=sctp_info(0))
    first = Inet(state=3, cookie=8, attributes=local + peers + sctp_info(0))
    second = Inet(state=7, cookie=8, dport=444, attributes=peers)
    host = hosts(
        answering({(INET, 132): in_one([row.pack() for row in (endpoint, many, first, second)])})
    )
    columns = (
        "socktype state dport cookie sctp_local_addresses sctp_peer_addresses sctp_tag "
        "sctp_peer_tag sctp_rwnd sctp_inqueue sctp_outqueue sctp_overall_error sctp_peer_rwnd "
        "sctp_cwnd sctp_srtt sctp_rto rtt"
    )
    numbers = 7, 8, 65536, 1, 2, 3, 131072, 4380, 20, 1000, None
    both = "192.0.2.1,2001:db8::1"
    assert ask(host, columns, ("protocol", "=", "sctp")) == [
        ("stream", "LISTEN", None, 7, both, None, *numbers),
        ("seqpacket", "CLOSE", None, 8, None, None, *numbers),
        ("seqpacket", "ESTABLISHED", 443, 8, both, "198.51.100.2", *numbers),
        ("stream", "SHUTDOWN_ACK_SENT", 444, 8, None, "198.51.100.2", *[None] * 11),
    ]
    assert asked(host) == [INET, INET6]


def test_dccp_sockets(hosts: Any) -> None:
    host = hosts(answering({(INET, 33): in_one([Inet(state=10, dport=0, rqueue=1).pack()])}))
    assert ask(host, "protocol socktype state accept_queue", ("protocol", "=", "dccp")) == [
        ("dccp", "dccp", "LISTEN", 1)
    ]


def test_mptcp_is_asked_for_by_an_attribute(hosts: Any) -> None:
    """Its number has nine bits; a kernel that does not know the attribute has no handler for 0."""
    host = hosts()
    assert ask(host, "src", ("protocol", "=", "mptcp"), ("state", "=", "LISTEN")) == []
    tail = attribute(3, struct.pack("=I", 262))
    assert [request[16:] for _, request in host.requests] == [
        struct.pack("=BBBxI", family, 0, 0, 1 << 10) + bytes(48) + tail for family in (INET, INET6)
    ]


# -- what is asked for --------------------------------------------------------------------------


ALL = [PACKET, NETLINK, VSOCK, XDP, TIPC]
SMALL = {*ALL, SMC}


@pytest.mark.parametrize(
    ("condition", "families"),
    [
        (("family", "=", "packet"), {PACKET}),
        (("protocol", "=", "route"), {NETLINK}),
        (("protocol", "=", "lldp"), {PACKET}),
        (("protocol", "=", "tcp"), set()),
        (("protocol", "in", frozenset({"tcp", "udp"})), set()),
        (("state", "=", "LISTEN"), {VSOCK, TIPC, SMC}),
        (("state", "=", "TIME_WAIT"), {VSOCK, TIPC}),
        (("state", "=", "UNCONN"), {NETLINK, VSOCK, TIPC}),
        (("sport", "=", 80), {VSOCK, TIPC, SMC}),
        (("src", "inet_in", "10.0.0.0/8"), {SMC}),
        (("mark", "=", 1), set()),
        (("interface", "=", "lo"), {PACKET, XDP, SMC}),
        (("socktype", "=", "seqpacket"), {VSOCK, TIPC}),
        (("inode", "=", 7), SMALL),
    ],
)
def test_families_that_cannot_match_are_not_asked_for(
    hosts: Any, condition: tuple[str, str, Any], families: set[int]
) -> None:
    host = hosts()
    ask(host, "cookie", condition)
    assert set(asked(host)) & SMALL == families


def test_what_the_kernel_does_not_have_is_not_asked_for(hosts: Any) -> None:
    host = hosts(TCP=5, PACKET=0, NETLINK=0, AF_VSOCK=0)
    ask(host, "cookie")
    # Sockets of the kernel are not counted, vsock counts none.
    assert set(asked(host)) & SMALL == {NETLINK, VSOCK}
    assert host.notices == []


@pytest.mark.parametrize("name", [*FAMILIES])
def test_a_family_that_is_named_and_not_there_is_a_notice(hosts: Any, name: str) -> None:
    column = "protocol" if name in ("mptcp", "sctp", "dccp", "smc") else "family"
    host = hosts(TCP=5)
    assert ask(host, "inode", (column, "=", name)) == []
    assert host.requests == []
    assert host.notices == [
        f"sockets: this kernel has no {name} sockets, or its module is not loaded"
    ]


@pytest.mark.parametrize("name", [*FAMILIES])
@pytest.mark.parametrize("end", [done(MISSING), refused(MISSING)], ids=["protocol", "family"])
def test_a_handler_that_is_missing_is_a_notice_for_who_named_it(
    hosts: Any, name: str, end: bytes
) -> None:
    column = "protocol" if name in ("mptcp", "sctp", "dccp", "smc") else "family"
    host = hosts(lambda _protocol, _request: [end])
    assert ask(host, "inode", (column, "=", name)) == []
    assert host.notices == [f"sockets: {name} sockets are missing: the kernel cannot list them"]
    others = hosts(answering({}, MISSING))
    ask(others, "inode", ("inode", "=", 4711), ("socktype", "=", "rdm"))
    assert others.notices == []


def test_another_refusal_is_always_a_notice(hosts: Any) -> None:
    host = hosts(lambda _protocol, _request: [refused(1)])
    assert ask(host, "inode", ("socktype", "=", "rdm")) == []
    (notice,) = host.notices
    assert notice.startswith("sockets: tipc sockets are missing: ")


def test_a_refusal_after_rows_is_an_error(hosts: Any) -> None:
    host = hosts(lambda _protocol, _request: [packet(3, 3, 50), refused(1)])
    with pytest.raises(KernelRefused):
        ask(host, "inode", ("family", "=", "packet"))


# -- what is not laid out as documented ---------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "number", "what"),
    [
        ("packet", PACKET, "a packet socket"),
        ("netlink", NETLINK, "a netlink socket"),
        ("vsock", VSOCK, "a vsock socket"),
        ("xdp", XDP, "an XDP socket"),
        ("tipc", TIPC, "a TIPC socket"),
        ("smc", SMC, "an SMC socket"),
    ],
)
@pytest.mark.parametrize("rest", [b"", bytes(3), bytes(80)], ids=["empty", "cut", "zeros"])
def test_a_message_that_is_none_of_the_family_is_an_error(
    hosts: Any, name: str, number: int, what: str, rest: bytes
) -> None:
    if name == "tipc":
        rest = attribute(2, attribute(6, struct.pack("=I", 1)))
    host = hosts(answers(number, message(BY_FAMILY, rest)))
    column = "protocol" if name == "smc" else "family"
    with pytest.raises(ParseError, match=f"message at offset 0: expected {what}"):
        ask(host, "inode", (column, "=", name))


def test_protocols_are_parsed_line_by_line() -> None:
    text = HEADER + b"TCP 2304 7 147 no 192 yes kernel y\nodd\nXDP 1 x\nUNIX 1152 0 -1\n"
    assert parse(text) == {"TCP": 7, "UNIX": 0}
    assert parse(b"") == {}


# -- mptcp --------------------------------------------------------------------------------------

MPTCP = ("protocol", "=", "mptcp")


@pytest.mark.parametrize(
    ("counts", "netstat", "requests"),
    [
        ({"MPTCP": 0, "MPTCPv6": 0}, b"MPTcpExt: MPCapableSYNRX MPCurrEstab\nMPTcpExt: 7 0\n", 0),
        ({"MPTCP": 0, "MPTCPv6": 1}, b"MPTcpExt: MPCapableSYNRX MPCurrEstab\nMPTcpExt: 7 0\n", 2),
        # A kernel that does not count its listeners.
        ({"MPTCP": 0, "MPTCPv6": 0}, b"MPTcpExt: MPCapableSYNRX\nMPTcpExt: 7\n", 2),
        ({"MPTCP": 0, "MPTCPv6": 0}, None, 2),
        ({"TCP": 5}, b"", 0),
    ],
)
def test_mptcp_sockets_are_asked_for_where_the_kernel_counts_any_or_does_not_count(
    hosts: Any, counts: dict[str, int], netstat: bytes | None, requests: int
) -> None:
    host = hosts(**counts)
    if netstat is not None:
        Path(host.proc_path, "self/net/netstat").write_bytes(netstat)
    assert ask(host, "inode", MPTCP) == []
    assert len(asked(host)) == requests


# -- what each column asks for -------------------------------------------------------------------

MEMORY = (
    *("rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc", "wmem_queued", "optmem"),
    *("backlog_bytes", "drops"),
)
QUEUES = ("recv_queue", "send_queue")
RING = (
    *("block_size", "block_nr", "frame_size", "frame_nr", "retire_tmo", "sizeof_priv"),
    "features",
)
#: By family where its request has the bits, and which of them a column needs; all others need none.
SHOW: dict[str, tuple[int, dict[str, int]]] = {
    "unix": (
        28,
        {
            **dict.fromkeys(("src", "path_kind"), 0x01),
            **dict.fromkeys(("vfs_inode", "vfs_dev"), 0x02),
            "peer_inode": 0x04,
            "dst": 0x05,
            "pending": 0x08,
            **dict.fromkeys((*QUEUES, "accept_queue", "backlog"), 0x10),
            **dict.fromkeys(MEMORY, 0x20),
            "socket_uid": 0x40,
        },
    ),
    "packet": (
        24,
        {
            **dict.fromkeys(("socket_uid", "interface", "ifindex"), 0x01),
            **{
                f"packet_{name}": 0x01
                for name in ("version", "reserve", "copy_thresh", "tstamp", "flags")
            },
            "packet_memberships": 0x02,
            **{f"{side}_ring_{name}": 0x04 for side in ("rx", "tx") for name in RING},
            **dict.fromkeys(("fanout_id", "fanout_type"), 0x08),
            **dict.fromkeys((*QUEUES, *MEMORY), 0x10),
            "socket_filter": 0x20,
        },
    ),
    "netlink": (
        24,
        {
            **dict.fromkeys((*QUEUES, *MEMORY), 0x01),
            "netlink_groups": 0x02,
            "netlink_flags": 0x08,
        },
    ),
    "xdp": (
        24,
        {
            **dict.fromkeys(("socket_uid", "interface", "ifindex", "xdp_queue_id"), 0x01),
            **dict.fromkeys(("xdp_rx_ring", "xdp_tx_ring"), 0x02),
            **dict.fromkeys(("xdp_fill_ring", "xdp_completion_ring"), 0x04),
            **{
                f"umem_{name}": 0x04
                for name in (
                    *("size", "id", "pages", "chunk_size", "headroom", "ifindex", "queue_id"),
                    *("flags", "refs"),
                )
            },
            **dict.fromkeys(MEMORY, 0x08),
            **{
                f"xdp_{name}": 0x10
                for name in (
                    *("rx_dropped", "rx_invalid", "rx_full", "fill_ring_empty", "tx_invalid"),
                    "tx_ring_empty",
                )
            },
        },
    ),
}


@pytest.mark.parametrize("family", SHOW)
def test_each_column_asks_for_what_it_needs_and_for_nothing_else(hosts: Any, family: str) -> None:
    """Every column there is, hidden or not, alone in its statement."""
    place, needed = SHOW[family]
    found = {}
    for name in TABLE.schema.by_name:
        host = hosts()
        ask(host, name, ("family", "=", family))
        (first, *_) = [request for protocol, request in host.requests if protocol == SOCK_DIAG]
        (show,) = struct.unpack_from("=I", first, place)
        if show:
            found[name] = show
    assert found == needed


def test_a_column_never_costs_another_request(hosts: Any) -> None:
    """Of one family one request is enough, but for who has a socket, which takes more."""
    for family in SHOW:
        for name in TABLE.schema.by_name:
            host = hosts()
            ask(host, name, ("family", "=", family))
            extra = len(host.requests) - 1
            assert extra == 0 or name in ("owner_state", "listener_inode"), (family, name)
