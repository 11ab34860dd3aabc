"""How many sockets there are, from the counters of /proc/net/sockstat and sockstat6.

Source: net/ipv4/proc.c (sockstat_seq_show), net/ipv6/proc.c; proc(5).
"""

from __future__ import annotations

import os

from sockql.errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sockql.host import Host
    from sockql.request import Request


def read_net(host: Host, name: str) -> Iterator[bytes]:
    """The file ``net/NAME`` of the host's network namespace, in pieces.

    :raises OSError: when it cannot be read; ENOENT when the kernel has no such file.
    """
    descriptor = host.open_net(name)
    try:
        while piece := os.read(descriptor, 1 << 18):
            host.check()
            yield piece
    finally:
        os.close(descriptor)


def parse(text: bytes) -> dict[str, int]:
    """Counters by ``protocol.counter`` as the file names them: ``TCP.inuse``, ``sockets.used``.

    Words that are no number are skipped.
    """
    counters: dict[str, int] = {}
    for line in text.decode("ascii", "replace").split("\n"):
        name, _, rest = line.partition(":")
        words = rest.split()
        for key, value in zip(words[::2], words[1::2]):
            if value.isascii() and value.isdigit():
                counters[f"{name}.{key}"] = int(value)
    return counters


class Counts:
    """The counters, None where the kernel does not tell."""

    __slots__ = ("_counters",)

    def __init__(self, counters: Mapping[str, int]) -> None:
        self._counters = counters

    def hashed(self, protocol: str) -> int | None:
        """Sockets of both families that can be found by their port; without TIME_WAIT."""
        name = protocol.upper()
        found = self._counters.get(f"{name}.inuse")
        return None if found is None else found + self._counters.get(f"{name}6.inuse", 0)

    @property
    def timewait(self) -> int:
        """TCP sockets in TIME_WAIT."""
        return self._counters.get("TCP.tw", 0)

    @property
    def closed(self) -> int | None:
        """An upper bound on the TCP sockets that are closed, bound ones among them.

        The kernel counts all TCP sockets (of all namespaces) and those of this one that are in
        the tables of listeners and connections; who is in neither is closed.
        """
        every, hashed = self.allocated, self.hashed("tcp")
        return None if every is None or hashed is None else max(every - hashed, 0)

    @property
    def allocated(self) -> int | None:
        """TCP sockets of all namespaces; without TIME_WAIT."""
        return self._counters.get("TCP.alloc")

    @property
    def used(self) -> int:
        """Sockets of all families that somebody holds."""
        return self._counters.get("sockets.used", 0)


def counts(request: Request, host: Host) -> Counts:
    """The counters, read once in a statement."""
    memo, key = request.snapshot.memo, ("sockstat", host.netns)
    found = memo.get(key)
    if not isinstance(found, Counts):
        counters: dict[str, int] = {}
        for name in ("sockstat", "sockstat6"):
            try:
                counters.update(parse(b"".join(read_net(host, name))))
            except (OSError, DataError):
                continue
        found = memo[key] = Counts(counters)
    return found
