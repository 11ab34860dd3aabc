"""Recorded hosts say exactly what the recorder heard."""

from __future__ import annotations

import json
import os
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockql.engine import Engine
from tests import machines
from tests.machines import Message, Recorded, Recorder, anonymous, copy_proc, join, split, store

_SETTINGS = settings(deadline=None, database=None)

SOCK_DIAG = 4
#: A dump of all TCP sockets over IPv4: nlmsghdr, struct inet_diag_req_v2.
REQUEST = struct.pack("=IHHII", 72, 20, 0x301, 0, 0) + struct.pack(
    "=BBBxI48x", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF
)

_MESSAGES = st.lists(
    st.builds(Message, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=40))
)


@_SETTINGS
@given(_MESSAGES)
def test_messages_that_were_joined_are_split_into_the_same(messages: list[Message]) -> None:
    assert split(join(messages)) == messages


@_SETTINGS
@given(st.binary(max_size=20), st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=9))))
def test_attributes_that_were_put_in_come_out(
    head: bytes, attributes: list[tuple[int, bytes]]
) -> None:
    message = Message(20, 2, head).with_attributes(len(head), attributes)
    assert message.attributes(len(head)) == attributes


def test_a_recording_does_not_tell_who_asked() -> None:
    def datagram(sequence: int, port: int) -> bytes:
        header = struct.pack("=IHHII", 20, 3, 2, sequence, port)
        return header + b"done"

    assert anonymous(datagram(7, 1234)) == anonymous(datagram(8, 99)) == datagram(0, 0)


def test_what_was_heard_is_stored_and_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "RECORDED", tmp_path)
    folder = tmp_path / "story"
    (folder / "proc").mkdir(parents=True)
    (folder / "facts.json").write_text(json.dumps({"pid": 7}))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        recorder = Recorder()
        try:
            heard = [anonymous(bytes(view)) for view in recorder.netlink(SOCK_DIAG, REQUEST)]
        finally:
            recorder.close()
    store(recorder.exchanges, folder)
    recorded = Recorded.load("story")
    assert recorded.exchanges == {(SOCK_DIAG, REQUEST): heard}
    assert recorded.facts == {"pid": 7}
    for _ in range(2):
        assert [bytes(view) for view in recorded.netlink(SOCK_DIAG, REQUEST)] == heard
    assert os.path.samestat(os.fstat(recorded.proc), os.stat(folder / "proc"))
    recorded.close()


def test_a_request_that_was_never_recorded_fails_and_shows_the_recorded_ones() -> None:
    host = Recorded({(4, b"\x01\x02"): [], (0, b"\x03"): []}, "/nonexistent", {})
    with pytest.raises(AssertionError) as caught:
        host.netlink(4, b"\xff")
    assert str(caught.value).split("\n") == [
        "netlink request that the recording does not have:",
        "    4 ff",
        "it has",
        "    0 03",
        "    4 0102",
        "record it anew with python -m tests.record",
    ]


def test_a_copy_of_proc_has_links_files_and_replaced_paths(tmp_path: Path) -> None:
    pid = os.getpid()
    with open("/dev/null", "rb") as null:
        number = null.fileno()
        copy_proc(tmp_path, [pid], {os.getcwd(): "/srv/here"})
    link = os.readlink(tmp_path / str(pid) / "fd" / str(number))
    assert link == "/dev/null"
    assert os.readlink(tmp_path / str(pid) / "cwd") == "/srv/here"
    assert (tmp_path / "self" / "comm").read_text() == Path("/proc/self/comm").read_text()
    info = (tmp_path / str(pid) / "fdinfo" / str(number)).read_text()
    assert info.splitlines()[0].split() == ["pos:", "0"]
    assert (tmp_path / "self" / "net" / "tcp").read_text().split()[:2] == ["sl", "local_address"]


def test_rows_of_a_replay_are_the_rows_that_were_recorded() -> None:
    sql = "select cookie, * from sockets where family = 'inet' and protocol = 'udp'"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        recorder = Recorder()
        with Engine(recorder) as engine:
            live = engine.query(sql)
        recorder.close()
    replayed = Recorded(recorder.exchanges, "/proc", {})
    with Engine(replayed) as engine:
        assert engine.query(sql) == live
    replayed.close()
    assert live
