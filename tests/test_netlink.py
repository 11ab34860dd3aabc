"""Netlink framing: what the kernel sends, and whatever else may come."""

from __future__ import annotations

import errno
import itertools
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockql.diag import netlink
from sockql.diag.netlink import answers, attributes, exchange, messages
from sockql.errors import DataError, KernelRefused, ParseError
from tests.sockmessages import DONE, attribute, done, message, refused

_SETTINGS = settings(deadline=None, database=None)

bodies = st.lists(st.binary(max_size=60), max_size=12)


# -- messages -----------------------------------------------------------------------------------


@_SETTINGS
@given(bodies)
def test_messages_come_out_as_they_went_in(payloads: list[bytes]) -> None:
    datagram = b"".join(message(20, payload) + bytes(-len(payload) % 4) for payload in payloads)
    assert [(type, datagram[start + 16 : end]) for type, start, end in messages(datagram)] == [
        (20, payload) for payload in payloads
    ]


@_SETTINGS
@given(bodies, st.data())
def test_any_split_into_datagrams_gives_the_same_messages(
    payloads: list[bytes], data: st.DataObject
) -> None:
    packed = [message(20, payload) + bytes(-len(payload) % 4) for payload in payloads]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(packed)), max_size=4)))
    parts = [b"".join(packed[a:b]) for a, b in itertools.pairwise([0, *cuts, len(packed)])]
    found = [part[start + 16 : end] for part in parts for _, start, end in messages(part)]
    assert found == payloads


@_SETTINGS
@given(st.binary(max_size=200))
def test_any_bytes_are_messages_one_after_the_other_or_an_error(data: bytes) -> None:
    end = 0
    failure = ""
    try:
        for type, start, stop in messages(data):
            assert start == (end + 3) & ~3
            assert struct.unpack_from("=IH", data, start) == (stop - start, type)
            assert stop <= len(data)
            end = stop
    except ParseError as error:
        failure = str(error)
    offset = (end + 3) & ~3
    if len(data) <= offset:
        assert failure == ""
    else:
        assert failure.startswith(f"netlink message at offset {offset}: ")
        assert failure.endswith(data[offset : offset + 16].hex(" "))


def test_the_padding_of_the_last_message_may_be_missing() -> None:
    assert list(messages(message(20, b"abcde"))) == [(20, 0, 21)]


@pytest.mark.parametrize("length", [0, 1, 15, 40, 0xFFFFFFFF])
def test_a_length_that_cannot_be_is_named_with_its_place(length: int) -> None:
    bad = struct.pack("=IHHII", length, 20, 2, 0, 0) + bytes(16)
    with pytest.raises(
        ParseError, match=rf"at offset 24: length {length} of 32: {bad[:4].hex(' ')}"
    ):
        list(messages(message(20, b"12345678") + bad))


# -- answers ------------------------------------------------------------------------------------


def test_an_answer_ends_at_its_end() -> None:
    datagram = message(20, b"1234") + message(1, b"") + DONE + message(20, b"5678")
    assert [datagram[start + 16 : end] for start, end in answers(datagram, 20, "x")] == [b"1234"]


@pytest.mark.parametrize("end", [done(errno.ENOENT), refused(errno.ENOENT)], ids=["done", "error"])
def test_a_refusal_is_an_error_wherever_its_number_stands(end: bytes) -> None:
    with pytest.raises(KernelRefused, match=r"^sock_diag inet/raw: No such file") as caught:
        list(answers(end, 20, "sock_diag inet/raw"))
    assert caught.value.errno == errno.ENOENT
    assert isinstance(caught.value, DataError)


@pytest.mark.parametrize("end", [done(0), message(3, b""), message(2, bytes(20), 0)])
def test_success_is_no_error(end: bytes) -> None:
    assert list(answers(end, 20, "x")) == []


@pytest.mark.parametrize("body", [message(2, b"\1\0"), message(4, b""), message(21, bytes(72))])
def test_a_message_that_does_not_belong_there_is_an_error(body: bytes) -> None:
    with pytest.raises(ParseError, match=r"^netlink message at offset 0: "):
        list(answers(body, 20, "x"))


# -- attributes ---------------------------------------------------------------------------------


@_SETTINGS
@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=40), max_size=8))
def test_attributes_come_out_as_they_went_in(given: dict[int, bytes]) -> None:
    raw = b"".join(attribute(number, payload) for number, payload in given.items())
    assert attributes(raw) == given
    assert attributes(memoryview(raw)) == given


@_SETTINGS
@given(st.binary(max_size=64))
def test_any_bytes_are_attributes_or_an_error(raw: bytes) -> None:
    found, failure = {}, ""
    try:
        found = attributes(raw)
    except ParseError as error:
        failure = str(error)
    assert failure.startswith("netlink attribute at offset ") or failure == ""
    assert sum(map(len, found.values())) <= len(raw)


def test_flags_of_an_attribute_type_are_masked_off() -> None:
    assert attributes(attribute(0x8000 | 0x4000 | 19, b"x")) == {19: b"x"}


# -- exchanges ----------------------------------------------------------------------------------

SO_RCVBUFFORCE = 33
REQUEST = netlink.message(18, 0x301, bytes(16))  # RTM_GETLINK


class Kernel:
    """Stands in for the netlink socket; each datagram is (bytes, sender's port) or an errno."""

    def __init__(self, *datagrams: tuple[bytes, int] | int) -> None:
        self.datagrams = list(datagrams)
        self.sent: list[bytes] = []
        self.rooms: list[int] = []
        self.closed = False

    def send(self, request: bytes) -> None:
        self.sent.append(request)

    def recvfrom_into(
        self, buffer: bytearray, _size: int, flags: int
    ) -> tuple[int, tuple[int, int]]:
        assert flags == socket.MSG_TRUNC
        datagram = self.datagrams.pop(0)
        if isinstance(datagram, int):
            raise OSError(datagram, "")
        data, port = datagram
        (sequence,) = struct.unpack_from("=I", self.sent[-1], 8)
        if len(data) >= 12 and data[8:12] == bytes(4):
            data = data[:8] + struct.pack("=I", sequence) + data[12:]
        room = min(len(buffer), len(data))
        buffer[:room] = data[:room]
        return len(data), (port, 0)

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        assert level == socket.SOL_SOCKET
        if option == SO_RCVBUFFORCE:
            raise PermissionError(errno.EPERM, "")
        if option == socket.SO_RCVBUF:
            self.rooms.append(value)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Kernel]]:
    """The sockets that an exchange gets, one after the other."""
    waiting: list[Kernel] = []
    monkeypatch.setattr(netlink, "socket", lambda *_: waiting.pop(0))
    yield waiting
    assert waiting == []


ROW = message(20, b"12345678")


def test_a_socket_is_kept_and_its_requests_have_numbers_of_their_own(kernels: list[Kernel]) -> None:
    kernel = Kernel((ROW, 0), (DONE, 0), (ROW + DONE, 0))
    kernels.append(kernel)
    cache: dict[int, object] = {}
    assert len(list(exchange(cache, 0, REQUEST))) == 2
    assert len(list(exchange(cache, 0, REQUEST))) == 1
    assert [sent[8:12] for sent in kernel.sent] == [struct.pack("=I", 1), struct.pack("=I", 2)]
    assert [sent[:8] + sent[12:] for sent in kernel.sent] == [REQUEST[:8] + REQUEST[12:]] * 2
    assert not kernel.closed


def test_datagrams_of_others_and_of_older_requests_are_skipped(kernels: list[Kernel]) -> None:
    forged = message(20, b"forged!!")
    stale = forged[:8] + struct.pack("=I", 99) + forged[12:]
    kernels.append(Kernel((forged, 4711), (stale, 0), (ROW, 0), (DONE, 4711), (DONE, 0)))
    found = [bytes(view)[16:] for view in exchange({}, 0, REQUEST)]
    assert found == [ROW[16:], DONE[16:]]


def test_a_dump_that_is_not_read_to_its_end_costs_the_socket(kernels: list[Kernel]) -> None:
    first, second = Kernel((ROW, 0), (DONE, 0)), Kernel((DONE, 0))
    kernels += [first, second]
    cache: dict[int, object] = {}
    running = exchange(cache, 0, REQUEST)
    next(running)
    assert cache == {}
    running.close()  # type: ignore[attr-defined]
    assert first.closed
    list(exchange(cache, 0, REQUEST))
    assert not second.closed


def test_two_dumps_at_a_time_have_two_sockets(kernels: list[Kernel]) -> None:
    first, second = Kernel((ROW, 0), (DONE, 0)), Kernel((ROW, 0), (DONE, 0))
    kernels += [first, second]
    cache: dict[int, object] = {}
    for _ in exchange(cache, 0, REQUEST):
        if second.datagrams:
            list(exchange(cache, 0, REQUEST))
    assert (first.closed, second.closed) == (True, False)
    assert [channel.socket for channel in cache.values()] == [second]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "trouble",
    [errno.ENOBUFS, (refused(errno.EBUSY), 0), (refused(errno.ENOBUFS), 0)],
    ids=["ENOBUFS", "EBUSY answered", "ENOBUFS answered"],
)
def test_what_broke_off_at_its_beginning_is_asked_for_again(
    kernels: list[Kernel], trouble: tuple[bytes, int] | int
) -> None:
    broken, whole = Kernel(trouble), Kernel((ROW + DONE, 0))
    kernels += [broken, whole]
    assert [bytes(view)[16:24] for view in exchange({}, 0, REQUEST)] == [b"12345678"]
    assert broken.closed
    assert broken.rooms == whole.rooms[:1]
    assert whole.rooms[-1] > 2 * broken.rooms[-1]


def test_a_datagram_that_does_not_fit_is_asked_for_again_with_more_room(
    kernels: list[Kernel],
) -> None:
    large = message(20, bytes(100_000), flags=0)
    kernels += [Kernel((large, 0)), Kernel((large, 0))]
    assert [bytes(view[16:]) for view in exchange({}, 0, REQUEST)] == [large[16:]]


def test_what_breaks_off_later_is_an_error_and_no_half_answer(kernels: list[Kernel]) -> None:
    kernels.append(Kernel((ROW, 0), errno.ENOBUFS))
    with pytest.raises(DataError, match=r"^netlink: the answer broke off \(No buffer space"):
        list(exchange({}, 0, REQUEST))


def test_trying_again_ends(kernels: list[Kernel]) -> None:
    kernels += [Kernel(errno.ENOBUFS) for _ in range(4)]
    with pytest.raises(DataError, match="broke off"):
        list(exchange({}, 0, REQUEST))
    kernels += [Kernel((refused(errno.EBUSY), 0)) for _ in range(4)]
    (last,) = exchange({}, 0, REQUEST)
    with pytest.raises(KernelRefused, match="busy"):
        list(answers(last, 20, "x"))


def test_a_silent_kernel_is_given_up(kernels: list[Kernel]) -> None:
    kernels.append(Kernel(errno.EAGAIN))
    with pytest.raises(DataError, match="no answer within 30 seconds"):
        list(exchange({}, 0, REQUEST))


def test_a_datagram_without_a_header_is_an_error(kernels: list[Kernel]) -> None:
    kernels.append(Kernel((b"", 0)))
    with pytest.raises(ParseError, match="shorter than its header"):
        list(exchange({}, 0, REQUEST))


def test_an_attribute_that_looks_like_the_end_is_not_the_end(kernels: list[Kernel]) -> None:
    row = message(20, bytes(4) + DONE)
    kernels.append(Kernel((row, 0), (ROW, 0), (DONE, 0)))
    assert len(list(exchange({}, 0, REQUEST))) == 3


@pytest.mark.parametrize("code", [errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EPERM])
def test_a_kernel_without_netlink_says_so(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, "")

    monkeypatch.setattr(netlink, "socket", fail)
    with pytest.raises(KernelRefused) as caught:
        list(exchange({}, 4, REQUEST))
    assert caught.value.errno == code
