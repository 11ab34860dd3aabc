"""One scan of ``sockets`` in one namespace: what its sources share."""

from __future__ import annotations

import os

from sockql.sockets.record import Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sockql.errors import KernelRefused
    from sockql.host import Host
    from sockql.network.namespaces import Namespace
    from sockql.request import Request
    from sockql.sockets.record import SocketRecord

    Tally: TypeAlias = Callable[..., tuple[set[int], list[SocketRecord]] | None]


class Scan:
    """One scan of a namespace: what its origins share, and what had to be read from text."""

    def __init__(
        self, request: Request, host: Host, namespace: Namespace, tally: Tally | None = None
    ) -> None:
        self.request = request
        self.host = host
        self.namespace = namespace
        #: How a datagram is counted, None where its sockets are wanted one by one.
        self.tally = tally
        self.by_text: list[str] = []
        self.reason: KernelRefused | None = None

    def origin(
        self, family: str, protocol: str | None, socktype: str, *, source: str = "sock_diag"
    ) -> Origin:
        """The origin of a dump of this scan."""
        from sockql.network.links import links

        columns = self.request.columns
        paths = None
        if "cgroup" in columns:
            from sockql.proc.cgroups import cgroups

            paths = cgroups(self.request, self.host)
        waits = None
        if "listener_inode" in columns:
            from sockql.sockets.listeners import listeners

            waits = listeners(self)
        return Origin(
            family,
            protocol,
            socktype,
            source=source,
            netns=self.namespace.inode,
            netns_name=self.namespace.name if "netns_name" in columns else None,
            links=links(self.request, self.host) if "interface" in columns else None,
            cgroups=paths,
            listeners=waits,
        )

    def replaced(self, what: str, error: KernelRefused) -> None:
        """Note that ``what`` is read from text because of ``error``."""
        self.reason = self.reason or error
        if what not in self.by_text:
            self.by_text.append(what)

    def count(self, batch: list[SocketRecord]) -> None:
        """Tell how much has come."""
        if self.host.progress is not None:
            self.host.progress("sockets", len(batch), None)

    def report(self) -> None:
        """Say what was read from text, in one notice."""
        # Of other namespaces that is said once for all of them.
        if self.reason is None or not self.host.asks:
            return
        text = (
            f"sockets: {', '.join(self.by_text)} read from /proc/net, without cookies, options, "
            f"marks, cgroups and memory: sock_diag answers {os.strerror(self.reason.errno)!r}"
        )
        if "unix" in self.by_text:
            text += "; names of unix sockets may be forged or cut"
        self.host.notice(text)
