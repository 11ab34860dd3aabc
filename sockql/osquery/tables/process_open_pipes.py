"""osquery's table ``process_open_pipes``."""

from __future__ import annotations

from sockql.osquery.ask import descriptors, inner, same
from sockql.osquery.columns import bigint, text
from sockql.request import Constraint
from sockql.schema import EQUAL, RANGE, Table
from sockql.tables.fds import TABLE as FDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Final, TypeAlias

    from sockql.host import Host
    from sockql.request import Request
    from sockql.schema import Getter

    #: (pid, fd, mode, inode, type, device); the device is None for anonymous pipes.
    End: TypeAlias = tuple[int, int, str, int, str, "str | None"]
    #: An end and its partner, None when it has none.
    Pair: TypeAlias = tuple[End, "End | None"]

_PIPES: Final = Constraint("type", "in", frozenset(("pipe", "fifo")))
_COLUMNS: Final = ("pid", "fd", "mode", "file_inode", "type", "dev")
_getters: Final = [FDS.schema.by_name[name].get for name in _COLUMNS]
_TYPES: Final = {"pipe": "anonymous", "fifo": "named"}


def _ends(request: Request, host: Host, constraints: Sequence[Constraint] = ()) -> list[End]:
    found: list[Any] = []
    for record in descriptors(request, host, _COLUMNS, [_PIPES, *constraints]):
        pid, fd, mode, inode, type, device = (get(record) for get in _getters)
        if inode is None or type not in _TYPES:
            continue  # it cannot be examined
        place = device if type == "fifo" else None
        found.append((pid, fd, mode or "-", inode, _TYPES[type], place))
    return found


def pairs(ends: list[End], every: list[End]) -> Iterator[Pair]:
    """Each of ``ends`` with each of ``every`` that is the other end of the same pipe.

    Two ends are partners when they are of different modes, or both read and write.  One that no
    other descriptor shares the pipe with has no partner; one that only others of its own mode do
    is no row at all, which is osquery's rule.
    """
    by_pipe: dict[tuple[int, str | None], list[End]] = {}
    for end in every:
        by_pipe.setdefault((end[3], end[5]), []).append(end)
    for end in ends:
        sharing = by_pipe.get((end[3], end[5]), [end])
        if sharing == [end]:
            yield end, None
        for other in sharing:
            if other != end and (other[2] != end[2] or end[2] == "rw"):
                yield end, other


def _partner(field: int) -> Getter:
    return lambda pair: None if pair[1] is None else pair[1][field]


def _own(field: int) -> Getter:
    return lambda pair: pair[0][field]


class ProcessOpenPipes(
    Table["Pair"],
    examples=[
        "select fd, mode, partner_pid, partner_fd from process_open_pipes where pid = 1",
        (
            "select p.name, q.name from process_open_pipes join processes p using (pid) "
            "join processes q on q.pid = partner_pid where mode = 'w'"
        ),
    ],
):
    """Pipes and FIFOs, one row for each descriptor and each at the other end of its pipe.

    A descriptor that shares its pipe with none is a row without partner; one that shares it only
    with others of the same mode is none.
    """

    pid = bigint(
        "Process that has the descriptor.",
        source="/proc/PID",
        get=_own(0),
        push=EQUAL | RANGE,
        exact=True,
        index=True,
    )
    fd = bigint("Number of the descriptor.", source="/proc/PID/fd", get=_own(1))
    mode = text(
        "What it was opened for: r, w or rw; - when it cannot be examined.",
        source="/proc/PID/fd/FD st_mode",
        get=_own(2),
    )
    inode = bigint(
        "Inode of the pipe, or of the FIFO on its device.",
        source="/proc/PID/fd/FD, st_ino",
        get=_own(3),
        index=True,
    )
    type = text(
        "anonymous for a pipe, named for a FIFO.",
        source="/proc/PID/fd/FD, st_mode",
        get=_own(4),
    )
    partner_pid = bigint(
        "Process that has the other end; NULL when there is no other descriptor of the pipe.",
        source="/proc/PID",
        get=_partner(0),
        index=True,
    )
    partner_fd = bigint(
        "Number of its descriptor; NULL when there is none.",
        source="/proc/PID/fd",
        get=_partner(1),
    )
    partner_mode = text(
        "What that was opened for; NULL when there is none.",
        source="/proc/PID/fd/FD st_mode",
        get=_partner(2),
    )

    def records(self, request: Request, host: Host) -> Iterator[Pair]:
        own = same(request, "pid")
        ends = _ends(request, host, own)
        if not ends:
            return iter(())
        return pairs(ends, _ends(request, host) if own else ends)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        rows, cost = FDS.estimate(inner(FDS, request, _COLUMNS, [_PIPES]), host)
        return (4.0 if request.constrained("pid") else rows), cost


TABLE = ProcessOpenPipes()
