"""``sockets`` on a recorded machine whose kernel answers as others do, or refuses."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest

from sockql.errors import ParseError
from tests.machines import Exchanges, Message, Recorded, join, split
from tests.tables.mixed import (
    COLUMNS,
    MEMORY,
    MOVING,
    OPTIONS,
    TCP_INFO,
    VISIBLE,
    ask,
    every,
    is_unix,
    names,
    visible,
)

# Of include/uapi/linux/netlink.h, inet_diag.h and unix_diag.h.
SOCK_DIAG = 4
NLMSG_ERROR, NLMSG_DONE, NLM_F_MULTI, NLM_F_DUMP_INTR = 2, 3, 2, 0x10
SOCK_DIAG_BY_FAMILY = 20
TCP_BOTH = 18  # nlmsg_type of the request for TCP sockets of both families
INET_MESSAGE, UNIX_MESSAGE, NETLINK_MESSAGE = 72, 16, 28
UNIX_DIAG_NAME = 0


def edit(host: Recorded, change: Callable[[list[Message]], list[Message]]) -> None:
    """Replace every datagram of sock_diag by ``join(change(messages))``."""
    edited: Exchanges = {}
    for (protocol, request), replies in host.exchanges.items():
        if protocol == SOCK_DIAG:
            replies = [join(change(split(reply))) for reply in replies]
        edited[protocol, request] = replies
    host.exchanges = edited


def size(message: Message) -> int:
    """Length of the fixed part of a row's message; 0 for another message."""
    if message.type in (NLMSG_ERROR, NLMSG_DONE):
        return 0
    others: dict[int, int] = {
        socket.AF_UNIX: UNIX_MESSAGE,
        socket.AF_NETLINK: NETLINK_MESSAGE,
    }
    return others.get(message.body[0], INET_MESSAGE)


def test_a_kernel_without_attributes_gives_null(host: Recorded) -> None:
    def bare(messages: list[Message]) -> list[Message]:
        return [m.with_attributes(size(m), []) if size(m) else m for m in messages]

    edit(host, bare)
    absent = {
        *MEMORY,
        *OPTIONS,
        *("tos", "tclass", "class_id", "hdrincl", "nodefrag", "defer_connect", "is_icsk"),
        *("cgroup_id", "congestion", "v6only", "mark"),
        *(*TCP_INFO, "options", "ca_state", "snd_wscale", "rcv_wscale", "app_limited", "send_rate"),
        *("bbr_bw", "bbr_min_rtt", "bbr_pacing_gain", "bbr_cwnd_gain"),
    }
    # What unix sockets tell is in attributes, too.
    absent_unix = absent | {
        *("src", "dst", "recv_queue", "send_queue", "accept_queue", "backlog", "socket_uid"),
        *("path_kind", "vfs_inode", "vfs_dev", "peer_inode", "pending", "listener_inode"),
    }
    who = names(host)
    found = {}
    for cells in ask(host):
        row = dict(zip(COLUMNS, cells))
        for column in MOVING:
            del row[column]
        found[who[row["cookie"]]] = row
    expected = {}
    for name in VISIBLE:
        row = every(host, name)
        row.update(dict.fromkeys(absent_unix if is_unix(name) else absent))
        for column in MOVING:
            del row[column]
        expected[name] = row
    assert found == expected


def test_a_shorter_struct_gives_null_for_what_is_not_in_it(host: Recorded) -> None:
    """SK_MEMINFO_DROPS is younger than the others."""

    def shorter(message: Message) -> Message:
        if not size(message):
            return message
        number = 5 if message.body[0] == socket.AF_UNIX else 7
        attributes = [
            (type, payload[:32] if type == number else payload)
            for type, payload in message.attributes(size(message))
        ]
        return message.with_attributes(size(message), attributes)

    before = ask(host)
    edit(host, lambda messages: list(map(shorter, messages)))
    drops = COLUMNS.index("drops")
    assert ask(host) == [(*row[:drops], None, *row[drops + 1 :]) for row in before]


def test_a_socket_that_comes_twice_is_one_row(host: Recorded) -> None:
    before = ask(host)
    # Each row twice in its datagram, and the last of them again in the next one.
    edit(host, lambda messages: [m for m in messages for _ in range(2 if size(m) else 1)])
    for replies in host.exchanges.values():
        rows = [message for reply in replies for message in split(reply) if size(message)]
        if rows:
            replies.insert(1, join(rows[-3:]))
    assert ask(host) == before


def test_an_interrupted_dump_is_read_to_its_end(host: Recorded) -> None:
    before = ask(host)
    edit(host, lambda messages: [m._replace(flags=m.flags | NLM_F_DUMP_INTR) for m in messages])
    assert ask(host) == before


def test_any_split_into_datagrams_gives_the_same_rows(host: Recorded) -> None:
    before = ask(host)
    host.exchanges = {
        key: [join([message]) for reply in replies for message in split(reply)]
        for key, replies in host.exchanges.items()
    }
    assert ask(host) == before


def rename(host: Recorded, others: dict[str, bytes]) -> None:
    """Give unix sockets of the recording other names."""
    cookies = {host.facts["sockets"][who]["cookie"]: name for who, name in others.items()}

    def renamed(message: Message) -> Message:
        if size(message) != UNIX_MESSAGE:
            return message
        (cookie,) = struct.unpack_from("=Q", message.body, 8)
        attributes = [
            (type, cookies.get(cookie, payload) if type == UNIX_DIAG_NAME else payload)
            for type, payload in message.attributes(UNIX_MESSAGE)
        ]
        return message.with_attributes(UNIX_MESSAGE, attributes)

    edit(host, lambda messages: list(map(renamed, messages)))


def test_names_of_unix_sockets_are_text_whatever_they_are(host: Recorded) -> None:
    others = {
        "app": b"/" + b"x" * 107,  # as long as a name can be: no NUL at its end
        "app server": b"caf\xc3\xa9\0",
        "abstract": b"\0" + bytes(range(1, 108)),
        "nul": b"\0",
        "newline": b"\x1b[2J\n\0",
        "latin": b"\xff\xfe\0",
        "at": b"\0\0\0",
    }
    rename(host, others)
    inodes = {facts["inode"]: name for name, facts in host.facts["sockets"].items()}
    columns = [COLUMNS.index(name) for name in ("inode", "src", "path_kind", "dst")]
    found = {
        inodes[inode]: cells
        for inode, *cells in ([row[c] for c in columns] for row in ask(host))
        if inode in inodes and is_unix(inodes[inode])
    }
    every_byte = bytes(range(1, 0x6C)).decode()
    assert found == {
        "app": ["/" + "x" * 107, "path", None],
        "app client": [None, None, "café"],
        "app server": ["café", "path", None],
        "app pending": [None, None, None],
        "abstract": ["@" + every_byte, "abstract", None],
        "logger": [None, None, "@" + every_byte],
        "nul": ["@", "abstract", None],
        "newline": ["\x1b[2J\n", "path", None],
        "latin": ["\\xff\\xfe", "path", None],
        "at": ["@\\x00\\x00", "abstract", None],
        "left": [None, None, None],
        "right": [None, None, None],
    }


def test_a_cookie_beyond_63_bits_is_the_negative_number_with_the_same_bits(host: Recorded) -> None:
    def largest(message: Message) -> Message:
        if not size(message):
            return message
        others: dict[int, int] = {socket.AF_UNIX: 8, socket.AF_NETLINK: 20}
        at = others.get(message.body[0], 44)
        (cookie,) = struct.unpack_from("=Q", message.body, at)
        body = message.body[:at] + struct.pack("=Q", 2**64 - cookie) + message.body[at + 8 :]
        return message._replace(body=body)

    edit(host, lambda messages: list(map(largest, messages)))
    cookies = sorted(facts["cookie"] for facts in host.facts["sockets"].values())
    found = ask(host, "select -cookie from sockets where family <> 'netlink'")
    assert sorted(row[0] for row in found) == cookies


# -- kernels that refuse -------------------------------------------------------------------------


def refused(type: int, errno: int) -> bytes:
    """A datagram that answers a request with ``-errno``."""
    body = struct.pack("=i", -errno)
    if type == NLMSG_ERROR:
        body += bytes(16)  # the header of the request
    return join([Message(type, NLM_F_MULTI if type == NLMSG_DONE else 0, body)])


def without(host: Recorded, family: int, protocol: int, answer: bytes) -> None:
    """Have requests for ``family`` and ``protocol`` answered by ``answer``."""
    for number, request in list(host.exchanges):
        asked = request[4], request[16], request[17]  # nlmsg_type, family, protocol
        if number == SOCK_DIAG and asked == (SOCK_DIAG_BY_FAMILY, family, protocol):
            host.exchanges[number, request] = [answer]


@pytest.mark.parametrize("type", [NLMSG_DONE, NLMSG_ERROR])
def test_a_protocol_that_many_kernels_lack_is_read_from_text(host: Recorded, type: int) -> None:
    columns = "source, protocol, state, src, sport, dst, dport, inode, socket_uid, cookie"
    for family in (socket.AF_INET, socket.AF_INET6):
        without(host, family, 136, refused(type, 2))
    found = [row for row in ask(host) if row[COLUMNS.index("protocol")] == "udplite"]
    cells = dict.fromkeys(COLUMNS) | dict(zip(COLUMNS, found[0]))
    inode = host.facts["sockets"]["lite"]["inode"]
    assert [cells[name] for name in columns.split(", ")] == [
        *("procfs", "udplite", "UNCONN", "127.0.0.1", 5355, None, None, inode, 0, None)
    ]
    assert len(found) == 1
    assert host.notices == []


def test_a_kernel_without_unix_diag_is_read_from_text_with_a_notice(host: Recorded) -> None:
    before = [row for row in ask(host, "select cookie, * from sockets") if row[2] != "unix"]
    without(host, socket.AF_UNIX, 0, refused(NLMSG_ERROR, 2))
    found = ask(host, "select cookie, * from sockets")
    assert [row for row in found if row[2] != "unix"] == before
    # The file has no queues, no peers and no users.
    lost = dict.fromkeys(("recv_queue", "send_queue", "dst", "socket_uid"))
    texts = {name: visible(host, name) | lost for name in VISIBLE if is_unix(name)}
    texts["nul"]["src"] = "@a@b"
    # A connection that waits for accept(2) has no inode; sock_diag leaves it out.
    texts["app pending's server"] = texts["app server"] | {"inode": None}
    expected = [(None, *row.values()) for row in texts.values()]
    unix = [row for row in found if row[2] == "unix"]
    assert sorted(unix, key=repr) == sorted(expected, key=repr)
    (notice,) = host.notices
    assert notice == (
        "sockets: unix read from /proc/net, without cookies, options, marks, cgroups and memory: "
        "sock_diag answers 'No such file or directory'; names of unix sockets may be forged or cut"
    )


def test_a_kernel_without_inet_diag_is_read_from_text_with_a_notice(host: Recorded) -> None:
    for family in (socket.AF_INET, socket.AF_INET6):
        for protocol in (17, 136):
            without(host, family, protocol, refused(NLMSG_DONE, 2))
        # The request for one family, that is tried when the one for both is refused.
        request = struct.pack("=IHHII", 72, 20, 0x301, 0, 0) + struct.pack(
            "=BBBxI48x", family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF
        )
        host.exchanges[SOCK_DIAG, request] = [refused(NLMSG_ERROR, 2)]
    for protocol, request in list(host.exchanges):
        if protocol == SOCK_DIAG and request[4] == TCP_BOTH:
            host.exchanges[protocol, request] = [refused(NLMSG_ERROR, 2)]
    found = ask(host, "select cookie, * from sockets")
    expected = []
    for name in VISIBLE:
        row = visible(host, name)
        # The text files have no interfaces, and not the sockets that are only bound.
        if not is_unix(name) and name != "inactive":
            expected.append((None, *(row | {"interface": None}).values()))
    inet = [row for row in found if row[2] not in ("unix", "netlink")]
    assert sorted(inet, key=repr) == sorted(expected, key=repr)
    (notice,) = host.notices
    assert notice == (
        "sockets: tcp, udp read from /proc/net, without cookies, options, marks, cgroups and "
        "memory: sock_diag answers 'No such file or directory'"
    )


def test_a_message_that_is_cut_is_an_error_that_quotes_it(host: Recorded) -> None:
    without(host, socket.AF_UNIX, 0, join([Message(20, NLM_F_MULTI, b"\1\1\1\0")]))
    with pytest.raises(ParseError) as caught:
        ask(host)
    assert str(caught.value) == (
        "sock_diag unix show=0x7f: message at offset 0: expected a unix socket: "
        "14 00 00 00 14 00 02 00 00 00 00 00 00 00 00 00 01 01 01 00"
    )
