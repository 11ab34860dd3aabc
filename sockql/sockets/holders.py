"""Which sockets some process has, for ``owner_state``.

That none has one is only known when everybody could be asked, and asked twice: a descriptor may
be passed to a process that was read already, a socket be closed between its dump and the walk.

Source: net/unix/af_unix.c (unix_show_fdinfo()), io_uring/fdinfo.c; include/linux/proc_ns.h.
"""

from __future__ import annotations

import os
from itertools import chain

from sockql.proc import descriptor, descriptors, fdinfo, procfs
from sockql.request import Constraint, Request
from sockql.snapshot import Snapshot
from sockql.sockets.dumps import batches
from sockql.sockets.owners import is_the_kernels
from sockql.sockets.record import INODE, ORIGIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.proc.descriptor import Descriptor
    from sockql.sockets.record import SocketRecord

#: PROC_PID_INIT_INO: the pid namespace that has all processes of the machine.
_ALL_PROCESSES: Final = "pid:[4026531836]"


class Owners:
    """What is known of the sockets of a scan that have an inode.

    Those in ``held`` have a process, of those in ``unknown`` it is not known; all others are what
    ``rest`` says.
    """

    __slots__ = ("held", "rest", "unknown")

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.unknown: set[int] = set()
        self.rest = "unknown"

    def of(self, inode: int) -> str:
        """The owner_state of the socket with this inode."""
        if inode in self.held:
            return "held"
        return "unknown" if inode in self.unknown else self.rest


def with_owners(request: Request, host: Host) -> Iterator[SocketRecord]:
    """The records for ``request``, their origins with the owners of all of them.

    :raises DataError: as the tables ``sockets`` and ``fds`` do.
    """
    found = list(chain.from_iterable(batches(request, host)))
    owners = _owners(request, host, {r[INODE] for r in found if not is_the_kernels(r)} - {0})
    for origin in {r[ORIGIN] for r in found}:
        origin.owners = owners
    return iter(found)


def _owners(request: Request, host: Host, inodes: set[int]) -> Owners:
    owners = Owners()
    left = inodes
    for snapshot in (request.snapshot, Snapshot()):
        if not left:
            break
        held, everybody = _held(request, host, snapshot)
        owners.held |= held
        left = left - held
        if not everybody:
            owners.unknown |= left
            if left and procfs.is_procfs(host) and not _all_visible(host):
                host.notice(
                    "sockets: only some of the machine's processes can be seen (pid namespace, "
                    "hidepid); owner_state is unknown where none of them has the socket"
                )
            return owners
        if left:
            there = {r[INODE] for r in chain.from_iterable(batches(request, host))}
            owners.unknown |= left - there
            left = left & there
    if left:
        owners.rest = _rest(request, host)
    return owners


def _held(request: Request, host: Host, snapshot: Snapshot) -> tuple[set[int], bool]:
    """The inodes of all sockets that processes have, and whether every process was read."""
    asked = _fds(request, snapshot, "socket")
    key = "held sockets"
    if key not in snapshot.memo:
        held = {record[descriptor.INODE] for record in descriptors.read(asked, host)}
        refusals = procfs.Refusals.of("fds", asked, ())
        snapshot.memo[key] = held, not refusals.refused and _all_visible(host)
    found: tuple[set[int], bool] = snapshot.memo[key]
    return found


def _fds(request: Request, snapshot: Snapshot, *types: str) -> Request:
    """A request for the descriptors of these types, in the trace of ``request``."""
    from sockql.tables.fds import TABLE

    wanted = Constraint("type", "in", frozenset(types))
    columns = ["pid", "fd", "inode"]
    return Request(
        TABLE.schema, snapshot, columns=columns, constraints=[wanted], trace=request.trace
    )


def _all_visible(host: Host) -> bool:
    """Whether the processes of the host's procfs are all that there are on the machine.

    A procfs has what is in a pid namespace and below.  One that has us has its first process, too,
    unless it hides the processes of others (hidepid).
    """
    if not procfs.is_procfs(host):
        return False
    for member in ("self", "1"):
        try:
            link = os.readlink(f"{member}/ns/pid", dir_fd=host.proc)
            os.stat("1", dir_fd=host.proc)
        except OSError:
            continue
        if link == _ALL_PROCESSES:
            return True
    return False


def _rest(request: Request, host: Host) -> str:
    """What sockets are that no process has: the kernel's, unless descriptors are under way.

    A message with descriptors waits in the queue of a unix socket, which counts them.
    """
    from sockql.endpoints.walk import examined

    family = Constraint("family", "=", "unix")
    asked = Request(
        *(request.schema, Snapshot()), columns=["inode"], constraints=[family], trace=request.trace
    )
    unix = {r[INODE] for r in chain.from_iterable(batches(asked, host))}
    carriers: dict[int, set[int]] = {}
    for record in descriptors.read(_fds(request, asked.snapshot, "socket", "io_uring"), host):
        if record[descriptor.INODE] in unix or _is_ring(record):
            number = int(record[descriptor.FD])
            carriers.setdefault(record[descriptor.PID], set()).add(number)
    found = "kernel"
    for record in examined(asked, host, carriers, ("inode", "type", "info")):
        count = _under_way(record, unix)
        if count is None:
            return "unknown"
        if count:
            found = "in_flight"
    return found


def _is_ring(record: Descriptor) -> bool:
    link = record[descriptor.LINK]
    return link is not None and fdinfo.other_type(link) == "io_uring"


def _under_way(record: Descriptor, unix: Container[int]) -> int | None:
    """How many descriptors wait in a socket or are registered with a ring; None: no telling."""
    if record[descriptor.INODE] in unix:
        # Linux kernel commit 3c32da19a858 ("unix: Show number of pending scm files of receive
        # queue in fdinfo") (in v5.6).
        key = b"scm_fds"
    elif _is_ring(record):
        key = b"UserFiles"  # not there while the ring is in use
    else:
        return 0  # it is something else by now
    data = record[descriptor.FDINFO]
    return None if data is None else fdinfo.number_of(data, key)
