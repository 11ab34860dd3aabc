"""The only door to the machine: its procfs and its netlink."""

from __future__ import annotations

import os

from sockql.errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal, TypeAlias

    Stat: TypeAlias = Literal["cached", "fresh", "never"]


class Host:
    """The machine as the tables see it: a procfs root, netlink requests, notices.

    Tables touch the machine through nothing else, so a recorded host (request bytes to reply
    bytes, and a directory laid out like /proc) replays the same rows.  ``check`` is called from
    time to time by whoever collects; it raises to stop a scan (interrupt, timeout).
    """

    #: The network namespace that this host stands for, where that is not the one we are in: the
    #: inode, or what else tells it from others (see :mod:`sockql.network.namespaces`).
    netns: int | None = None
    #: Whether the kernel may be asked; in a namespace that lets nobody in only text can be read.
    asks: bool = True

    def __init__(
        self,
        proc: str = "/proc",
        check: Callable[[], None] | None = None,
        *,
        scope: str = "",
        stat: Stat = "cached",
    ) -> None:
        self.proc_path = proc
        #: Which network namespaces the tables are about: ``self``, the one that is called NAME,
        #: that of process PID, or ``all``; empty for all but those that only a descriptor leads
        #: to, for which every descriptor of the machine has to be looked at.
        self.scope = scope
        #: What stat(2) may ask: only what the kernel knows already (``cached``), so that no server
        #: that does not answer can hold it up; the file system (``fresh``), however long it
        #: takes; or nothing at all (``never``).  See :mod:`sockql.proc.examine`.
        self.stat = stat
        self.check: Callable[[], None] = check or (lambda: None)
        #: Called by whoever collects, once for each process and each datagram: with a table, how
        #: much of it is done and of how much; or how much has come since, and None where nobody
        #: knows of how much; and without a table while SQLite computes.  None: nobody listens.
        self.progress: Callable[[str, int, int | None], None] | None = None
        self.notices: list[str] = []
        self._proc: int | None = None
        self._sockets: dict[int, object] = {}

    # -- procfs ---------------------------------------------------------------------------

    @property
    def proc(self) -> int:
        """Directory descriptor of the procfs root, for openat(2) and readlinkat(2).

        :raises DataError: when the root cannot be opened.
        """
        if self._proc is None:
            try:
                self._proc = os.open(self.proc_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                raise DataError(f"{self.proc_path}: {error.strerror}") from None
        return self._proc

    @property
    def name(self) -> str | None:
        """The name of the machine; None when it cannot be read, as from a copy of a procfs."""
        from sockql.proc.procfs import read, readable_text

        try:
            return readable_text(read("sys/kernel/hostname", self.proc).strip()) or None
        except OSError:
            return None

    def open_net(self, name: str) -> int:
        """Descriptor of the file ``net/NAME`` of the network namespace; the caller closes it.

        :raises OSError: when it cannot be opened; ENOENT when the kernel has no such file.
        """
        flags = os.O_RDONLY | os.O_CLOEXEC
        try:
            return os.open(f"self/net/{name}", flags, dir_fd=self.proc)
        except FileNotFoundError:
            # No "self": a procfs of another pid namespace, where net is what its mounter had.
            return os.open(f"net/{name}", flags, dir_fd=self.proc)

    # -- netlink --------------------------------------------------------------------------

    def netlink(self, protocol: int, request: bytes) -> Iterator[memoryview]:
        """Send one request and yield the datagrams that answer it, the last one included.

        ``protocol`` is NETLINK_SOCK_DIAG or NETLINK_ROUTE; ``request`` a whole message, its
        nlmsg_seq 0.  Each view is valid until the next one is taken.

        :raises DataError: when the netlink socket cannot be made.
        """
        from sockql.diag.netlink import exchange

        return exchange(self._sockets, protocol, request)

    # -- what could not be seen -----------------------------------------------------------

    def notice(self, text: str) -> None:
        """Say, once, what the answer lacks; shown after the rows, never among them."""
        if text not in self.notices:
            self.notices.append(text)

    def close(self) -> None:
        """Close the descriptors; the host may be used again."""
        if self._proc is not None:
            os.close(self._proc)
            self._proc = None
        for sock in self._sockets.values():
            sock.close()  # type: ignore[attr-defined]
        self._sockets.clear()
