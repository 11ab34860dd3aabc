"""The table ``file_locks``."""

from __future__ import annotations

import os

from sockql.proc import locks as process_locks
from sockql.proc.locks import NEED_DESCRIPTOR, NEED_HOLDER
from sockql.proc.procfs import readable_text
from sockql.schema import Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.proc.locks import Lock
    from sockql.request import Request


class FileLocks(
    Table["Lock"],
    examples=[
        "select pid, lock_class, lock_access, target from file_locks where waiting = 0",
        "select pid, blocker_pid, dev, file_inode from file_locks where waiting = 1",
    ],
):
    """Locks on files, one row for each that is held or waited for.

    Those of processes in other pid namespaces are not listed, unless they belong to an open file.
    """

    lock_id = integer(
        "Number of the lock in the kernel's list; who waits for it has the same.",
        source="/proc/locks",
        get=lambda r: r.id,
    )
    lock_class = text(
        "Kind of the lock: POSIX (fcntl(2), of a process), OFDLCK (fcntl(2), of an open file), "
        "FLOCK (flock(2)), LEASE, DELEG.",
        source="/proc/locks",
        get=lambda r: r.lock_class,
    )
    lock_kind = text(
        "ADVISORY, as are nearly all; of leases ACTIVE, BREAKING or BREAKER.",
        source="/proc/locks",
        get=lambda r: r.kind,
    )
    lock_access = text(
        "READ (shared), WRITE (exclusive) or UNLCK.",
        source="/proc/locks",
        get=lambda r: r.access,
    )
    waiting = integer(
        "1 for who waits for the lock, 0 for who has it.",
        source="/proc/locks ->",
        get=lambda r: int(r.waiting),
    )
    pid = integer(
        "Process that took the lock or waits for it; of a lock that belongs to an open file, the "
        "first process that has it open; NULL when none can be found.",
        source="/proc/locks, /proc/PID/fdinfo/FD lock",
        get=lambda r: r.pid,
        needs=NEED_HOLDER,
    )
    dev = text(
        "Device that file_inode is on, as major:minor; NULL when the lock has no file.",
        source="/proc/locks",
        get=lambda r: r.device,
    )
    file_inode = integer(
        "Inode of the file on its device; NULL when the lock has no file.",
        source="/proc/locks",
        get=lambda r: r.inode,
        index=True,
    )
    range_start = integer(
        "First byte that is locked.",
        source="/proc/locks",
        unit="bytes",
        get=lambda r: r.start,
    )
    range_end = integer(
        "Last byte that is locked; NULL for all there is and will be.",
        source="/proc/locks",
        unit="bytes",
        get=lambda r: r.end,
    )
    blocker_pid = integer(
        "Process that has the lock; NULL for who does not wait, and when none can be found.",
        source="/proc/locks",
        get=lambda r: r.blocker,
        needs=NEED_HOLDER,
        hidden=True,
    )
    holder_pid = integer(
        "First process with a descriptor through which the lock is held, pid or, when that has "
        "closed the file, an heir; among alike locks which is whose is a guess; NULL for who "
        "waits, and when none can be found.",
        source="/proc/PID/fdinfo/FD lock",
        get=lambda r: r.holder,
        needs=NEED_DESCRIPTOR,
        hidden=True,
    )
    fd = integer(
        "That descriptor of holder_pid; NULL when there is no holder_pid.",
        source="/proc/PID/fdinfo/FD lock",
        get=lambda r: r.fd,
        needs=NEED_DESCRIPTOR,
        hidden=True,
    )
    target = text(
        "Path of the file, with ' (deleted)' at its end when it has none any more; NULL when "
        "there is no holder_pid.",
        source="/proc/PID/fd/FD",
        get=lambda r: None if r.link is None else readable_text(os.fsencode(r.link)),
        needs=NEED_DESCRIPTOR,
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Lock]:
        return process_locks.read(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 20.0, 100.0 if not request.needs else 5000.0


TABLE = FileLocks()
