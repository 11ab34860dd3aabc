"""``endpoints`` and ``lsof +E``: the same pairs of descriptors, on those that the test makes."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator

import pytest

from sockql import connect
from tests.live import test_endpoints as made
from tests.live.children import child

Pair = tuple[int, int, int, int]


def datagrams() -> list[made.Row]:
    """One socket that sends to another; of several that do lsof names the last."""
    log, client = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    log.bind(made.abstract("one"))
    client.connect(log.getsockname())
    return made.both("unix", client.detach(), log.detach(), "peer", "w")


def fifo() -> list[made.Row]:
    """A FIFO; lsof takes what was opened with O_PATH for an end of it, too."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(f"{folder}/fifo")
        every = os.open(f"{folder}/fifo", os.O_RDWR)
        reading = os.open(f"{folder}/fifo", os.O_RDONLY)
    return made.both("fifo", every, reading, "file", "w")


#: What lsof knows the other end of.  It takes two readers of a pipe for each other's ends, finds
#: message queues only where they are mounted, of TCP only what is established and of one family;
#: it knows nothing of queues, UDP, pidfds and epoll.
FACTORIES: list[Callable[[], list[made.Row]]] = [
    made.pair(socket.SOCK_STREAM),
    made.pair(socket.SOCK_DGRAM),
    made.pair(socket.SOCK_SEQPACKET),
    made.unix_connection,
    made.unix_shared,
    datagrams,
    made.pipe,
    made.pipe_with_two_writers,
    fifo,
    made.pty,
    made.eventfd,
    made.tcp(socket.AF_INET, "127.0.0.1"),
    made.tcp(socket.AF_INET6, "::1"),
]

_OTHER_END = re.compile(r"(?:^| )(\d+),[^ ,]*,(\d+)([rwu])(?= |$)")


def lsof_pairs(pids: list[int]) -> Iterator[Pair]:
    """(pid, fd, peer_pid, peer_fd) as lsof prints them, of processes."""
    command = ["lsof", "-nP", "+E", "-a", "-p", ",".join(map(str, pids)), "-F", "pfan"]
    output = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    pid, fd, access = 0, "", ""
    for line in output.stdout.splitlines():
        tag, value = line[:1], line[1:]
        if tag == "p":
            pid = int(value)
        elif tag == "f":
            fd = value
        elif tag == "a":
            access = value
        elif tag == "n" and fd.isdigit() and pid in pids:
            # Behind the name, of which a pipe and a FIFO have no more than one word.
            one_way = value.startswith(("pipe ", "/")) and not value.startswith("/dev/p")
            for peer_pid, peer_fd, peer_access in _OTHER_END.findall(value):
                if not (one_way and access == peer_access != "u"):
                    yield pid, int(fd), int(peer_pid), int(peer_fd)


def everything() -> int:
    ctypes.CDLL(None).prctl(15, b"ends", 0, 0, 0)  # PR_SET_NAME
    for factory in FACTORIES:
        try:
            factory()
        except OSError:
            continue  # this kernel lacks it
    return made.companion()


def test_both_name_the_same_descriptors_at_the_other_end() -> None:
    if shutil.which("lsof") is None:
        pytest.skip("lsof is not installed")
    with child(everything) as (pid, sharer), connect() as engine:
        ours = engine.query(
            "select pid, fd, peer_pid, peer_fd from endpoints"
            f" where pid in ({pid}, {sharer}) and peer_pid is not null"
        )
        theirs = list(lsof_pairs([pid, sharer]))
    assert len(ours) > 100
    assert sorted(ours) == sorted(theirs)
