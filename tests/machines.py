"""Hosts for tests: one that records what the kernel says, one that says it again.

A recording is a folder ``tests/recorded/<kernel>-<story>/`` with

    about.toml     kernel, command, and what the story did, for people
    facts.json     what the story knows of its sockets without asking sock_diag
    netlink.json   netlink protocol → request → the datagrams that answered it, all in hex
    proc/          a copy of the procfs files of the story's processes

made by ``python -m tests.record STORY``.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sockql.host import Host

RECORDED = Path(__file__).parent / "recorded"

#: (netlink protocol, request) → the datagrams that answer it.
Exchanges = dict[tuple[int, bytes], list[bytes]]

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence number, port id
_ATTRIBUTE = struct.Struct("=HH")  # nlattr: length, type

# Of every process …
_FILES = ("cmdline", "comm", "stat", "statm", "status")
_LINKS = ("cwd", "exe", "root")
_FOLDERS = ("fd", "fdinfo", "ns")
# … and of the network namespace.
_NET = (
    *("icmp", "icmp6", "netstat", "protocols", "raw", "raw6", "sockstat", "sockstat6"),
    *("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "unix"),
)


class Recorder(Host):
    """This machine, remembering every netlink request and its answer in ``exchanges``."""

    def __init__(self, proc: str = "/proc") -> None:
        super().__init__(proc)
        self.exchanges: Exchanges = {}

    def netlink(self, protocol: int, request: bytes) -> Iterator[memoryview]:
        """Pass on the host's datagrams, keeping a copy; of a repeated request the last answer."""
        replies: list[bytes] = []
        try:
            for view in super().netlink(protocol, request):
                replies.append(anonymous(bytes(view)))
                yield view
        finally:
            # Whoever reads a refusal asks no further.
            self.exchanges[protocol, bytes(request)] = replies


class Recorded(Host):
    """A recorded machine; ``exchanges`` may be edited before it is asked."""

    def __init__(self, exchanges: Exchanges, proc: str, facts: Mapping[str, Any]) -> None:
        super().__init__(proc)
        self.exchanges = exchanges
        self.facts = facts

    @classmethod
    def load(cls, name: str) -> Recorded:
        """The recording in ``tests/recorded/<name>``.

        :raises FileNotFoundError: when there is none.
        """
        folder = RECORDED / name
        stored = json.loads((folder / "netlink.json").read_text())
        facts = json.loads((folder / "facts.json").read_text())
        exchanges = {
            (int(protocol), bytes.fromhex(request)): [bytes.fromhex(reply) for reply in replies]
            for protocol, answers in stored.items()
            for request, replies in answers.items()
        }
        return cls(exchanges, str(folder / "proc"), facts)

    def netlink(self, protocol: int, request: bytes) -> Iterator[memoryview]:
        """The datagrams that answered this request.

        :raises AssertionError: when it was never asked.
        """
        replies = self.exchanges.get((protocol, bytes(request)))
        if replies is None:
            known = "\n".join(
                f"    {number} {asked.hex()}" for number, asked in sorted(self.exchanges)
            )
            raise AssertionError(
                f"netlink request that the recording does not have:\n    {protocol} "
                f"{bytes(request).hex()}\nit has\n{known}\n"
                "record it anew with python -m tests.record"
            )
        # A copy of its own, as the buffer of a real exchange is: nobody may keep views of it.
        return (memoryview(bytearray(reply)) for reply in replies)


def store(exchanges: Exchanges, folder: Path) -> None:
    """Write ``exchanges`` as netlink.json of a recording."""
    stored: dict[str, dict[str, list[str]]] = {}
    for (protocol, request), replies in sorted(exchanges.items()):
        answers = stored.setdefault(str(protocol), {})
        answers[request.hex()] = [reply.hex() for reply in replies]
    (folder / "netlink.json").write_text(json.dumps(stored, indent=1) + "\n")


def copy_proc(folder: Path, pids: Iterable[int], replace: Mapping[str, str]) -> None:
    """Copy to ``folder`` what sockql may read in /proc of these processes and their network.

    ``replace`` is applied to files and links: paths that are of the recording machine only.
    """

    def changed(text: str) -> str:
        for old, new in replace.items():
            text = text.replace(old, new)
        return text

    def copy_file(source: str, target: Path) -> None:
        try:
            with open(source, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
        except (FileNotFoundError, PermissionError):
            return  # the kernel was built without it
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(changed(text), encoding="utf-8", errors="surrogateescape")

    def copy_link(source: str, target: Path) -> None:
        try:
            text = os.readlink(source)
        except FileNotFoundError:
            return  # the descriptor that listed the folder
        target.parent.mkdir(parents=True, exist_ok=True)
        # A link to / would lead whatever walks the repository over the whole machine.
        target.symlink_to("/srv/root" if text == "/" else changed(text))

    for pid in pids:
        for name in _FILES:
            copy_file(f"/proc/{pid}/{name}", folder / str(pid) / name)
        for name in _LINKS:
            copy_link(f"/proc/{pid}/{name}", folder / str(pid) / name)
        for name in _FOLDERS:
            for entry in sorted(os.listdir(f"/proc/{pid}/{name}")):
                source, target = f"/proc/{pid}/{name}/{entry}", folder / str(pid) / name / entry
                (copy_file if name == "fdinfo" else copy_link)(source, target)
        (folder / str(pid) / "net").symlink_to("../net")
    for name in _NET:
        copy_file(f"/proc/self/net/{name}", folder / "net" / name)
    (folder / "self").symlink_to(str(min(pids)))
    (folder / "thread-self").symlink_to("self")


# -- netlink messages, taken apart and put together again ------------------------------------


class Message(NamedTuple):
    """One message of a datagram: nlmsg_type, nlmsg_flags and what follows the header."""

    type: int
    flags: int
    body: bytes

    def attributes(self, offset: int) -> list[tuple[int, bytes]]:
        """The attributes (type, payload) that start at ``offset`` of the body."""
        found = []
        while offset < len(self.body):
            length, type = _ATTRIBUTE.unpack_from(self.body, offset)
            found.append((type, self.body[offset + _ATTRIBUTE.size : offset + length]))
            offset += _aligned(length)
        return found

    def with_attributes(self, offset: int, attributes: Iterable[tuple[int, bytes]]) -> Message:
        """The same message with other attributes."""
        return self._replace(
            body=self.body[:offset]
            + b"".join(
                _padded(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), type) + payload)
                for type, payload in attributes
            )
        )


def split(datagram: bytes) -> list[Message]:
    """The messages of a datagram."""
    messages, offset = [], 0
    while offset < len(datagram):
        length, type, flags, _, _ = _HEADER.unpack_from(datagram, offset)
        messages.append(Message(type, flags, datagram[offset + _HEADER.size : offset + length]))
        offset += _aligned(length)
    return messages


def join(messages: Iterable[Message]) -> bytes:
    """A datagram of these messages, sequence number and port id 0."""
    return b"".join(
        _padded(_HEADER.pack(_HEADER.size + len(body), type, flags, 0, 0) + body)
        for type, flags, body in messages
    )


def anonymous(datagram: bytes) -> bytes:
    """The datagram without the sequence number and port id of whoever asked."""
    return join(split(datagram))


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _padded(data: bytes) -> bytes:
    return data + bytes(_aligned(len(data)) - len(data))


def same_byte_order(facts: Mapping[str, Any]) -> bool:
    """Whether the recording was made on a machine of this one's byte order."""
    return bool(facts["byteorder"] == sys.byteorder)
