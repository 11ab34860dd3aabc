"""Who is at the other end of a descriptor: descriptors of processes, matched by what they share.

The two ends are the *near* one, of which the row is, and the *far* one.  Conditions on a process
or a socket are about one of them: its descriptors are read first, and of all others only those
that belong to them.  A condition on the far end turns the search around.
"""

from __future__ import annotations

from sockql.endpoints.files import flow, others
from sockql.endpoints.sockets import TURNED, links
from sockql.endpoints.walk import SOCKETS, Wanted, examined, find
from sockql.request import Request
from sockql.snapshot import Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Final, TypeAlias

    from sockql.endpoints.sockets import Link, Links
    from sockql.endpoints.walk import Found
    from sockql.host import Host

    #: The cells, in the order of the constants below.
    Endpoint: TypeAlias = tuple[Any, ...]

PID: Final = 0
FD: Final = 1
KIND: Final = 2
INODE: Final = 3
PEER_PID: Final = 4
PEER_FD: Final = 5
PEER_INODE: Final = 6
DIRECTION: Final = 7
NETNS: Final = 8
PEER_NETNS: Final = 9
VIA: Final = 10
FILE_INODE: Final = 11
PEER_FILE_INODE: Final = 12

#: How the ends of what is no socket are known.
VIA_OF: Final = {
    "pipe": "file",
    "fifo": "file",
    "mqueue": "file",
    "pty": "tty",
    "eventfd": "id",
    "pidfd": "fdinfo",
    "epoll": "fdinfo",
}
KINDS: Final = (*sorted(SOCKETS), *VIA_OF)

_NOBODY: Final = (None, None)


def rows(request: Request, host: Host) -> Iterator[Endpoint]:
    """The rows that may satisfy ``request``.

    :raises DataError: as ``fds`` and ``sockets`` do.
    """
    kinds = request.values("kind")
    kinds = frozenset(KINDS) if kinds is None else kinds
    if request.constrained("inode"):
        kinds &= SOCKETS  # of all others it is NULL
    elif request.constrained("peer_inode"):
        kinds &= SOCKETS | {"epoll"}
    if request.impossible or not kinds:
        return iter(())
    search = _Search(request, host)
    if request.values("pid") is not None:
        return search.of_processes(kinds)
    if request.values("peer_pid") is not None:
        return search.towards_processes(kinds)
    if request.values("inode") is not None:
        return search.of_sockets(kinds)
    if request.values("peer_inode") is not None:
        return search.towards_sockets(kinds)
    return search.of_all(kinds)


class _Search:
    """One scan."""

    __slots__ = ("host", "request")

    def __init__(self, request: Request, host: Host) -> None:
        # A process is met more than once, and has to be the same one each time.
        snapshot = Snapshot(shared=True, sharing=request.snapshot.sharing)
        snapshot.memo = request.snapshot.memo
        snapshot.refusals = request.snapshot.refusals
        self.request = Request(
            request.schema,
            snapshot,
            columns=request.columns,
            constraints=request.constraints,
            trace=request.trace,
        )
        self.host = host

    def find(
        self,
        wanted: Wanted,
        pids: frozenset[int] | None = None,
        numbers: frozenset[int] | None = None,
    ) -> Found:
        return find(self.request, self.host, wanted, pids, numbers)

    def links(self, kinds: frozenset[str], inodes: Iterable[int] | None) -> Links:
        """What sockets are linked to, all of them or those with these inodes."""
        wanted = None if inodes is None else frozenset(inodes)
        kinds &= SOCKETS
        if not kinds or wanted == frozenset():
            return {}
        return links(self.request, self.host, kinds, wanted)

    # -- the five ways ------------------------------------------------------------------------

    def of_all(self, kinds: frozenset[str]) -> Iterator[Endpoint]:
        """All endpoints: one walk has both ends."""
        linked = self.links(kinds, None)
        sockets = None if kinds >= SOCKETS else frozenset(linked) | _peers(linked)
        found = self.find(Wanted(kinds, sockets=sockets))
        yield from _socket_rows(found, found, linked)
        yield from _file_rows(found, found)
        yield from self.directed(found)

    def of_processes(self, kinds: frozenset[str]) -> Iterator[Endpoint]:
        """Those of the processes asked for."""
        values = self.request.values
        near = self.find(Wanted(kinds, sockets=values("inode")), values("pid"), values("fd"))
        linked = self.links(kinds, near.holders)
        yield from self.directed(near)
        far = self.find(_opposite(near, linked), values("peer_pid"))
        yield from _socket_rows(near, far, linked)
        yield from _file_rows(near, far)

    def towards_processes(self, kinds: frozenset[str]) -> Iterator[Endpoint]:
        """Those whose other end the processes asked for have."""
        values = self.request.values
        # An epoll instance is told of descriptors of its own process.
        there = self.find(
            Wanted(kinds - {"pidfd"}, sockets=values("peer_inode")),
            values("peer_pid"),
        )
        linked = self.links(kinds, there.holders)
        yield from self.directed(there)
        # Any process may have a pidfd of them.
        far = self.find(_opposite(there, linked, kinds & {"pidfd"}))
        yield from self.directed(far)
        yield from map(_turned, filter(_held, _socket_rows(there, far, linked)))
        yield from map(_turned, filter(_held, _file_rows(there, far)))

    def of_sockets(self, kinds: frozenset[str]) -> Iterator[Endpoint]:
        """Those of the sockets asked for."""
        inodes = self.request.values("inode") or frozenset()
        linked = self.links(kinds, inodes)
        if linked:
            found = self.find(Wanted(kinds, sockets=inodes | _peers(linked)))
            yield from _socket_rows(found, found, linked)

    def towards_sockets(self, kinds: frozenset[str]) -> Iterator[Endpoint]:
        """Those whose other end is one of the sockets asked for."""
        linked = self.links(kinds, self.request.values("peer_inode"))
        back: Links = {}
        for inode, found in linked.items():
            for link in found:
                if link[1] is not None:
                    back.setdefault(link[1], []).append(_turned_link(link, inode))
        if back:
            both = self.find(Wanted(kinds & SOCKETS, sockets=frozenset({*back, *linked})))
            yield from _socket_rows(both, both, back)
        if "epoll" in kinds:
            yield from self.directed(self.find(Wanted(frozenset(("epoll",)))))

    # -- what only points somewhere -----------------------------------------------------------

    def directed(self, found: Found) -> Iterator[Endpoint]:
        """The rows of pidfds and of epoll instances."""
        for pid, fd, number, process in found.pidfds:
            yield (
                *(pid, fd, "pidfd", None, process, None, None),
                *(None, None, None, VIA_OF["pidfd"], number, None),
            )
        if found.epolls:
            yield from self.epolls(found)

    def epolls(self, found: Found) -> Iterator[Endpoint]:
        """One row for each target; NULL where its number now stands for something else."""
        at: tuple[int | None, int | None]
        targets: dict[int, set[int]] = {}
        for pid, _, _, listed in found.epolls:
            targets.setdefault(pid, set()).update(target["tfd"] for target in listed)
        columns = ("pid", "fd", "inode", "file_inode", "dev")
        asked = examined(self.request, self.host, targets, columns)
        now = {(cells[0], cells[1]): cells[2:] for cells in _cells(asked, columns)}
        for pid, fd, number, listed in found.epolls:
            for target in listed:
                at = (pid, target["tfd"])
                inode, file_inode, device = now.get(at, (None, None, None))
                if not _same(target, inode or file_inode, device):
                    at, inode, file_inode = _NOBODY, None, None
                yield (
                    *(pid, fd, "epoll", None, *at, inode),
                    *(None, None, None, VIA_OF["epoll"], number, file_inode),
                )


def _cells(records: Iterable[Any], columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    from sockql.tables.fds import TABLE

    getters = [TABLE.schema.by_name[name].get for name in columns]
    return (tuple([get(record) for get in getters]) for record in records)


def _same(target: Any, inode: int | None, device: str | None) -> bool:
    """Whether what a number stands for now is what the epoll instance was told of.

    Kernels before 4.13 do not say what that was; then it is taken for the same.
    Source: fs/eventpoll.c, ep_show_fdinfo().
    """
    if device is None:
        return False
    if "ino" not in target or "sdev" not in target:
        return True
    return bool(inode == target["ino"] and device == target["sdev"])


# -- what has two ends ------------------------------------------------------------------------


def _opposite(near: Found, linked: Links, more: frozenset[str] = frozenset()) -> Wanted:
    """What to look for at the other ends, and the kinds ``more``."""
    kinds = {*more, *(kind for kind, _ in near.files)}
    sockets = _peers(linked)
    if sockets:
        kinds |= SOCKETS
    return Wanted(
        frozenset(kinds),
        sockets=sockets,
        pipes=frozenset(key for kind, key in near.files if kind == "pipe"),
        files=frozenset(key[1] for kind, key in near.files if kind in ("fifo", "mqueue")),
    )


def _peers(linked: Links) -> frozenset[int]:
    return frozenset(link[1] for found in linked.values() for link in found if link[1] is not None)


def _socket_rows(near: Found, far: Found, linked: Links) -> Iterator[Endpoint]:
    there = far.holders
    for inode, holders in near.holders.items():
        for kind, peer, way, netns, peer_netns, via in linked.get(inode, ()):
            ends = there.get(peer, ()) if peer is not None else ()
            rest = (peer, way, netns, peer_netns, via, None, None)
            for pid, fd in holders:
                for peer_pid, peer_fd in ends or (_NOBODY,):
                    yield (pid, fd, kind, inode, peer_pid, peer_fd, *rest)


def _file_rows(near: Found, far: Found) -> Iterator[Endpoint]:
    for (kind, key), ends in near.files.items():
        there = far.files.get((kind, key), ())
        via = VIA_OF[kind]
        for end in ends:
            pid, fd, mode, number, _ = end
            alone = True
            for other, way in others(kind, end, there):
                alone = False
                yield (
                    *(pid, fd, kind, None, other[0], other[1], None),
                    *(way, None, None, via, number, other[3]),
                )
            if alone:
                way = flow(mode, "rw")
                yield (
                    *(pid, fd, kind, None, None, None, None),
                    *(way, None, None, via, number, None),
                )


def _held(row: Endpoint) -> bool:
    return row[PEER_PID] is not None


def _turned(row: Endpoint) -> Endpoint:
    """The same row as the other end sees it."""
    pid, fd, kind, inode, peer_pid, peer_fd, peer_inode, way, netns, peer_netns, via, *files = row
    return (
        *(peer_pid, peer_fd, kind, peer_inode, pid, fd, inode),
        *(TURNED[way], peer_netns, netns, via, files[1], files[0]),
    )


def _turned_link(link: Link, inode: int) -> Link:
    kind, _, way, netns, peer_netns, via = link
    return (kind, inode, TURNED[way], peer_netns, netns, via)
