"""/proc/net/*: lines as kernels print them, lines as the test renders them, and the real files."""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockql.errors import ParseError
from sockql.sockets import proc_net
from sockql.sockets.proc_net import parse_inet, parse_unix

if TYPE_CHECKING:
    from pathlib import Path

    from sockql.sockets.proc_net import InetLine, UnixLine

_SETTINGS = settings(deadline=None, database=None)

INET, INET6 = socket.AF_INET, socket.AF_INET6
STREAM, DGRAM, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET

TCP = (
    b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout"
    b" inode                                                     \n"
)
TCP6 = (
    b"  sl  local_address                         remote_address                        st"
    b" tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
)
UDP = (
    b"   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout"
    b" inode ref pointer drops            \n"
)
UNIX = b"Num       RefCount Protocol Flags    Type St Inode Path\n"

little_endian = pytest.mark.skipif(
    sys.byteorder != "little", reason="the lines were printed by a little-endian kernel"
)


def inet(data: bytes) -> list[InetLine]:
    return list(parse_inet(data, "/proc/net/tcp"))


def unix(data: bytes) -> list[UnixLine]:
    return list(parse_unix(data, "/proc/net/unix"))


def ip(text: str) -> bytes:
    return socket.inet_pton(INET6 if ":" in text else INET, text)


# -- lines of a kernel --------------------------------------------------------------------------


@little_endian
def test_tcp_lines() -> None:
    lines = (
        b"   0: 0100007F:0277 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0     "
        b"   0 21373 2 0000000000000000 100 0 0 10 0                     \n"
        b"   1: 0A02000A:8CF4 5DB8D822:01BB 01 00000A14:00000200 01:00000019 00000002  1000     "
        b"   0 99001 2 0000000000000000 24 4 30 10 -1                    \n"
        b"   2: 0A02000A:8CF6 5DB8D822:01BB 01 00000000:00000000 02:0000034D 00000000  1000     "
        b"   4 99002 2 0000000000000000 24 4 30 10 -1                    \n"
        b"   3: 0A02000A:8CF8 5DB8D822:01BB 01 00000100:00000000 04:00000064 00000000  1000     "
        b"   7 99003 2 0000000000000000 24 4 30 10 -1                    \n"
        b"   4: 0100007F:0016 0100007F:D431 03 00000000:00000000 01:00000064 00000000     0     "
        b"   0 0 1 0000000000000000\n"
        b"   5: 0100007F:0016 0100007F:D431 06 00000000:00000000 03:00001770 00000000     0     "
        b"   0 0 3 0000000000000000\n"
    )
    local, remote = ip("10.0.2.10"), ip("34.216.184.93")
    home, nowhere = ip("127.0.0.1"), ip("0.0.0.0")
    tick = 1000 // os.sysconf("SC_CLK_TCK")
    assert inet(TCP + lines) == [
        (INET, home, 631, nowhere, 0, 10, 0, 3, 0, 0, 0, 0, 21373, None),
        (INET, local, 36084, remote, 443, 1, 2580, 512, 1, 25 * tick, 2, 1000, 99001, None),
        (INET, local, 36086, remote, 443, 1, 0, 0, 2, 845 * tick, 4, 1000, 99002, None),
        (INET, local, 36088, remote, 443, 1, 256, 0, 4, 100 * tick, 7, 1000, 99003, None),
        (INET, home, 22, home, 54321, 3, 0, 0, 1, 100 * tick, 0, 0, 0, None),
        (INET, home, 22, home, 54321, 6, 0, 0, 3, 6000 * tick, 0, 0, 0, None),
    ]


@little_endian
def test_tcp6_lines() -> None:
    line = (
        b"   0: 00000000000000000000000000000000:0050 B80D0120000000000000000001000000:0000 0A"
        b" 00000000:00000000 00:00000000 00000000    33        0 18231 1 0000000000000000 100 0 0"
        b" 10 0\n"
        b"   1: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000200007F:9C40 08"
        b" 00000000:00000001 00:00000000 00000000    33        0 18232 1 0000000000000000 20 4 0"
        b" 10 -1\n"
    )
    mapped = ip("::ffff:127.0.0.1"), ip("::ffff:127.0.0.2")
    assert inet(TCP6 + line) == [
        (INET6, ip("::"), 80, ip("2001:db8::1"), 0, 10, 0, 0, 0, 0, 0, 33, 18231, None),
        (INET6, mapped[0], 80, mapped[1], 40000, 8, 0, 1, 0, 0, 0, 33, 18232, None),
    ]


@little_endian
def test_udp_lines_have_drops() -> None:
    lines = (
        b"15192: 0100007F:0035 00000000:0000 07 00000000:00000500 00:00000000 00000000   101     "
        b"   0 17122 2 000000004e763726 12       \n"
        b"  257: 0100007F:A001 0100007F:0035 01 00000000:00000000 00:00000000 00000000  1000     "
        b"   0 17123 2 000000004e763726 0        \n"
    )
    home, nowhere = ip("127.0.0.1"), ip("0.0.0.0")
    assert inet(UDP + lines) == [
        (INET, home, 53, nowhere, 0, 7, 0, 1280, 0, 0, 0, 101, 17122, 12),
        (INET, home, 40961, home, 53, 1, 0, 0, 0, 0, 0, 1000, 17123, 0),
    ]


@little_endian
def test_columns_are_found_by_the_header() -> None:
    header = (
        b"sl inode flow rem_address local_address drops uid st tr tm->when timeout"
        b" tx_queue rx_queue retrnsmt\n"
    )
    line = b"0: 7 -x- 0200007F:0002 0100007F:0001 9 8 01 00:00000000 0 00000003:00000004 00000005\n"
    expected = (INET, ip("127.0.0.1"), 1, ip("127.0.0.2"), 2, 1, 3, 4, 0, 0, 5, 8, 7, 9)
    assert inet(header + line) == [expected]


def test_a_file_with_a_header_alone_has_no_sockets() -> None:
    files = [inet(TCP), inet(TCP6), inet(UDP), unix(UNIX)]
    assert files == [[], [], [], []]


def test_unix_lines() -> None:
    lines = (
        b"0000000000000000: 00000002 00000000 00010000 0001 01 15011 /run/systemd/private\n"
        b"0000000000000000: 00000003 00000000 00000000 0001 03 15012\n"
        b"(____ptrval____): 00000002 00000000 00000000 0002 01 15013 @/tmp/dbus@x\n"
        b"          (null): 00000003 00000000 00000000 0005 03 15014 /tmp/a b \n"
        b"0000000000000000: 00000002 00000000 00000000 0001 02     0 /run/systemd/private\n"
        b"0000000000000000: 00000002 00000000 00000000 0001 01 15015 @\n"
        b"0000000000000000: 00000002 00000000 00000000 0002 01 15016 caf\xe9\r\n"
    )
    # %pK pads with blanks on the left only where the pointer is hidden.
    assert unix(UNIX + lines.replace(b"          (null)", b"(null)")) == [
        (STREAM, 10, 15011, b"/run/systemd/private", False, 0),
        (STREAM, 1, 15012, None, False, 0),
        (DGRAM, 7, 15013, b"/tmp/dbus@x", True, 0),
        (SEQPACKET, 1, 15014, b"/tmp/a b ", False, 0),
        (STREAM, 1, 0, b"/run/systemd/private", False, 0),
        (STREAM, 7, 15015, b"", True, 0),
        (DGRAM, 7, 15016, b"caf\xe9\r", False, 0),
    ]


# -- names that hold newlines -------------------------------------------------------------------


def entry(inode: int, name: bytes | None) -> bytes:
    line = b"0000000000000000: 00000002 00000000 00000000 0001 01 %5d" % inode
    return line + (b"" if name is None else b" " + name) + b"\n"


def test_a_name_with_newlines_is_put_together_and_counted() -> None:
    data = (
        UNIX + entry(11, b"/a\n\nb c\n") + entry(12, None) + entry(13, b"@x\ny") + entry(14, b"\n")
    )
    assert unix(data) == [
        (STREAM, 7, 11, b"/a\n\nb c\n", False, 3),
        (STREAM, 7, 12, None, False, 0),
        (STREAM, 7, 13, b"x\ny", True, 1),
        (STREAM, 7, 14, b"\n", False, 1),
    ]


def test_a_name_can_forge_a_line() -> None:
    forged = entry(4711, b"/run/x").removesuffix(b"\n")
    assert unix(UNIX + entry(11, b"/a\n" + forged)) == [
        (STREAM, 7, 11, b"/a", False, 0),
        (STREAM, 7, 4711, b"/run/x", False, 0),
    ]


def test_no_name_makes_the_file_unreadable() -> None:
    forged = entry(4711, None)
    assert unix(UNIX + entry(11, b"/a\n" + forged + b"junk") + entry(12, b"/b")) == [
        (STREAM, 7, 11, b"/a", False, 0),
        (STREAM, 7, 4711, None, False, 1),
        (STREAM, 7, 12, b"/b", False, 0),
    ]


_NAMES = st.none() | st.binary(min_size=1, max_size=108)


@_SETTINGS
@given(st.lists(_NAMES, max_size=4))
def test_any_names_leave_the_entries_before_and_after_readable(names: list[bytes | None]) -> None:
    entries = b"".join(entry(100 + n, name) for n, name in enumerate(names))
    lines = unix(UNIX + entry(1, b"/first") + entries + entry(2, b"/last"))
    assert (lines[0][:4], lines[-1]) == (
        (STREAM, 7, 1, b"/first"),
        (STREAM, 7, 2, b"/last", False, 0),
    )


@_SETTINGS
@given(
    st.lists(
        st.tuples(
            st.sampled_from((STREAM, DGRAM, SEQPACKET)),
            st.sampled_from((1, 7, 10)),
            st.integers(0, 2**32 - 1),
            _NAMES,
        )
    )
)
def test_rendered_unix_lines_come_back(sockets: list[tuple[int, int, int, bytes | None]]) -> None:
    """Names are whatever bind(2) takes, newlines and all; none of them forges a line here."""
    data, expected = UNIX, []
    for type, state, inode, name in sockets:
        flags = 0x10000 if state == 10 else 0
        spelled = {1: 3, 7: 1, 10: 1}[state]
        data += b"%016x: %08X %08X %08X %04X %02X %5d" % (0, 2, 0, flags, type, spelled, inode)
        if name is not None:
            data += b" " + name
        data += b"\n"
        abstract = name is not None and name.startswith(b"@")
        shown = name[1:] if name is not None and abstract else name
        expected.append(
            (type, state, inode, shown, abstract, name.count(b"\n") if name is not None else 0)
        )
    assert unix(data) == expected


# -- broken files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1: '': expected a header with the column sl"),
        (b"x\n", "line 1: 'x': expected a header with the column sl"),
        (
            TCP.replace(b"inode", b"knode"),
            (
                "line 1: '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt"
                "   uid  timeout knode    '…: expected a header with the column inode"
            ),
        ),
        (TCP + b"\n", "line 2: '': expected a socket's line"),
        (
            TCP6 + b"   0: 0100007F:0277 00000000:0000 0A 00000000\n",
            "line 2: '   0: 0100007F:0277 00000000:0000 0A 00000000': expected a socket's line",
        ),
        (
            TCP + b"0: 0100007F:0277 00000000000000000000000000000000:0000 0A 00000000:00000000"
            b" 00:00000000 00000000 0 0 1",
            (
                "line 2: '0: 0100007F:0277 00000000000000000000000000000000:0000 0A"
                " 00000000:00000000 00:00000000 00000000 0 0'…: expected addresses of one family"
            ),
        ),
        (TCP + b"\xff\n", "line 2: '\\xff': expected a socket's line"),
    ],
)
def test_a_broken_inet_line_is_quoted_with_its_number(data: bytes, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        inet(data)
    assert str(caught.value) == f"/proc/net/tcp {message}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1: '': expected a header with the column Num"),
        (UNIX + b"x\n", "line 2: 'x': expected a socket's line"),
        (
            UNIX.replace(b"Inode Path", b"Path Inode"),
            (
                "line 1: 'Num       RefCount Protocol Flags    Type St Path Inode':"
                " expected the column Path at the end"
            ),
        ),
    ],
)
def test_a_broken_unix_file_is_quoted_with_the_line_number(data: bytes, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        unix(data)
    assert str(caught.value) == f"/proc/net/unix {message}"


@_SETTINGS
@given(st.data())
def test_any_bytes_give_lines_or_parse_error(data: st.DataObject) -> None:
    parse, header = data.draw(
        st.sampled_from(
            [(parse_inet, TCP), (parse_inet, TCP6), (parse_inet, UDP), (parse_unix, UNIX)]
        )
    )
    # Mangle good lines as well as taking arbitrary ones.
    good = [
        b"   0: 0100007F:0277 00000000:0000 0A 00000000:00000003 00:00000000 00000000 0 0 3 2 0 1",
        b"0: 00000002 00000000 00010000 0001 01 15011 /run/systemd/private",
    ]
    line = st.binary() | st.sampled_from(good).flatmap(
        lambda text: st.tuples(
            st.integers(0, len(text)), st.integers(0, 3), st.binary(max_size=3)
        ).map(lambda cut: text[: cut[0]] + cut[2] + text[cut[0] + cut[1] :])
    )
    body = b"\n".join(data.draw(st.lists(line | st.sampled_from(good))))
    try:
        list(parse(data.draw(st.sampled_from([header, b""])) + body, "file"))
    except ParseError as error:
        assert str(error).startswith("file line ")  # noqa: PT017 - any bytes may be right


# -- lines that the test renders ----------------------------------------------------------------

_U32 = st.integers(0, 2**32 - 1)
_U16 = st.integers(0, 2**16 - 1)


@st.composite
def _inet_lines(draw: st.DrawFn) -> InetLine:
    size = draw(st.sampled_from((4, 16)))
    address = st.binary(min_size=size, max_size=size)
    return (
        INET if size == 4 else INET6,
        draw(address),
        draw(_U16),
        draw(address),
        draw(_U16),
        draw(st.integers(1, 12)),
        draw(_U32),
        draw(_U32),
        draw(st.integers(0, 4)),
        draw(_U32) * 1000 // os.sysconf("SC_CLK_TCK"),
        draw(st.integers(0, 255)),
        draw(_U32),
        draw(_U32),
        draw(_U32),
    )


def render(line: InetLine, *, drops: bool) -> bytes:
    """The line as the kernel's printf formats have it; the address as native 32-bit words."""

    def address(raw: bytes) -> bytes:
        words = struct.unpack(f"={len(raw) // 4}I", raw)
        return b"".join(b"%08X" % word for word in words)

    ticks = line[proc_net.EXPIRES] * os.sysconf("SC_CLK_TCK") // 1000
    probing = line[proc_net.TIMER] in (2, 4)
    count = line[proc_net.RETRANSMITS]
    return b"%4d: %s:%04X %s:%04X %02X %08X:%08X %02X:%08X %08X %5d %8d %d %d %016x %s\n" % (
        0,
        address(line[proc_net.SRC]),
        line[proc_net.SPORT],
        address(line[proc_net.DST]),
        line[proc_net.DPORT],
        line[proc_net.STATE],
        line[proc_net.SEND_QUEUE],
        line[proc_net.RECV_QUEUE],
        line[proc_net.TIMER],
        ticks,
        0 if probing else count,
        line[proc_net.UID],
        count if probing else 0,
        line[proc_net.INODE],
        2,
        0,
        str(line[proc_net.DROPS]).encode() if drops else b"20 4 30 10 -1",
    )


@_SETTINGS
@given(st.lists(_inet_lines()), st.booleans())
def test_rendered_inet_lines_come_back(lines: list[InetLine], drops: bool) -> None:
    data = b"".join(render(line, drops=drops) for line in lines)
    expected = lines if drops else [(*line[:-1], None) for line in lines]
    assert inet((UDP if drops else TCP) + data) == expected


# -- the real files -----------------------------------------------------------------------------


def read(name: str) -> dict[int, Any]:
    """The entries of a real file by inode; its other lines only have to be readable."""
    path = f"/proc/self/net/{name}"
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        pytest.skip(f"{path}: {error.strerror}")
    if name == "unix":
        return {line[proc_net.UNIX_INODE]: line for line in parse_unix(data, path)}
    return {line[proc_net.INODE]: line for line in parse_inet(data, path)}


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def make(stack: ExitStack, family: int, type: int, proto: int = 0) -> socket.socket:
    try:
        return stack.enter_context(socket.socket(family, type, proto))
    except OSError as error:
        pytest.skip(f"socket({family}, {type}, {proto}): {os.strerror(error.errno or 0)}")


@pytest.mark.parametrize(
    ("family", "home", "name"), [(INET, "127.0.0.1", "tcp"), (INET6, "::1", "tcp6")]
)
def test_tcp_sockets_of_this_process(family: int, home: str, name: str) -> None:
    with ExitStack() as stack:
        listener = make(stack, family, STREAM)
        try:
            listener.bind((home, 0))
        except OSError as error:
            pytest.skip(f"bind({home}): {os.strerror(error.errno or 0)}")
        listener.listen(7)
        client = make(stack, family, STREAM)
        client.connect(listener.getsockname()[:2])
        server = stack.enter_context(listener.accept()[0])
        waiting = make(stack, family, STREAM)
        waiting.connect(listener.getsockname()[:2])
        client.sendall(b"12345")
        port, peer = listener.getsockname()[1], client.getsockname()[1]
        uid, here, zero = os.geteuid(), ip(home), bytes(len(ip(home)))
        expected = {
            inode(listener): (family, here, port, zero, 0, 10, 0, 1, 0, 0, 0, uid),
            inode(client): (family, here, peer, here, port, 1, 0, 0, 0, 0, 0, uid),
            inode(server): (family, here, port, here, peer, 1, 0, 5, 0, 0, 0, uid),
        }
        deadline = time.monotonic() + 10  # until the bytes are acknowledged
        while True:
            lines = read(name)
            found = {number: lines[number][: proc_net.INODE] for number in expected}
            if found == expected or time.monotonic() > deadline:
                break
        assert found == expected
        assert {lines[number][proc_net.DROPS] for number in expected} == {None}


@pytest.mark.parametrize(
    ("type", "proto", "name"), [(DGRAM, 0, "udp"), (DGRAM, 136, "udplite"), (DGRAM, 0, "udp6")]
)
def test_datagram_sockets_of_this_process(type: int, proto: int, name: str) -> None:
    family, home = (INET6, "::1") if name.endswith("6") else (INET, "127.0.0.1")
    with ExitStack() as stack:
        bound = make(stack, family, type, proto)
        try:
            bound.bind((home, 0))
        except OSError as error:
            pytest.skip(f"bind({home}): {os.strerror(error.errno or 0)}")
        connected = make(stack, family, type, proto)
        connected.connect(bound.getsockname()[:2])
        port, peer = bound.getsockname()[1], connected.getsockname()[1]
        uid, here, zero = os.geteuid(), ip(home), bytes(len(ip(home)))
        one, two = inode(bound), inode(connected)
        lines = read(name)
        assert (lines[one], lines[two]) == (
            (family, here, port, zero, 0, 7, 0, 0, 0, 0, 0, uid, one, 0),
            (family, here, peer, here, port, 1, 0, 0, 0, 0, 0, uid, two, 0),
        )


@pytest.mark.parametrize(("family", "proto", "name"), [(INET, 253, "raw"), (INET6, 253, "raw6")])
def test_raw_sockets_of_this_process(family: int, proto: int, name: str) -> None:
    with ExitStack() as stack:
        sock = make(stack, family, socket.SOCK_RAW, proto)
        zero, number = bytes(4 if family == INET else 16), inode(sock)
        assert read(name)[number] == (
            *(family, zero, proto, zero, 0, 7, 0, 0, 0, 0, 0, os.geteuid(), number, 0),
        )


def test_unix_sockets_of_this_process(tmp_path: Path) -> None:
    with ExitStack() as stack:
        os_path = str(tmp_path / "a b\n@")
        if len(os_path) > 100:
            pytest.skip(f"{tmp_path} is too long for the name of a socket")
        listener = make(stack, socket.AF_UNIX, STREAM)
        listener.bind(os_path)
        listener.listen(3)
        client = make(stack, socket.AF_UNIX, STREAM)
        client.connect(os_path)
        server = stack.enter_context(listener.accept()[0])
        abstract = make(stack, socket.AF_UNIX, SEQPACKET)
        abstract.bind(b"\0sockql\0x %d" % os.getpid())
        bound = make(stack, socket.AF_UNIX, DGRAM)
        bound.bind(str(tmp_path / "dgram"))
        sender = make(stack, socket.AF_UNIX, DGRAM)
        sender.connect(str(tmp_path / "dgram"))
        name = os.fsencode(os_path)
        expected = [
            (STREAM, 10, inode(listener), name, False, 1),
            (STREAM, 1, inode(client), None, False, 0),
            (STREAM, 1, inode(server), name, False, 1),
            (SEQPACKET, 7, inode(abstract), b"sockql@x %d" % os.getpid(), True, 0),
            # connect(2) to a datagram socket makes both ends ESTABLISHED.
            (DGRAM, 1, inode(bound), os.fsencode(tmp_path / "dgram"), False, 0),
            (DGRAM, 1, inode(sender), None, False, 0),
        ]
        lines = read("unix")
        assert [lines[line[proc_net.UNIX_INODE]] for line in expected] == expected
