"""The descriptors that have another end: those of some processes, or of all, by what they share.

All of them come from ``fds``, so that who was refused, who vanished and who got an old number is
dealt with there.  A first pass reads links; what is told by stat(2) and fdinfo alone is asked in
a second one, for the few descriptors of a kind that needs it.
"""

from __future__ import annotations

from sockql.endpoints import files as endpoints_files
from sockql.proc import fdinfo_kinds
from sockql.proc.descriptor import FDINFO
from sockql.proc.procfs import bracketed
from sockql.request import Constraint, Request
from sockql.tables.fds import TABLE as FDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Final, TypeAlias

    from sockql.host import Host

    #: (pid, fd)
    Holder: TypeAlias = tuple[int, int]
    #: (pid, fd, mode, file_inode, side); side tells a pty's master from its slaves.
    End: TypeAlias = tuple[int, int, "str | None", "int | None", str]

#: Kinds whose two ends are sockets.
SOCKETS: Final = frozenset({"unix", "tcp", "udp", "vsock"})
#: What is found by a link and fdinfo, and what takes a stat of the file.
_ANONYMOUS: Final = frozenset({"eventfd", "pidfd", "epoll"})
_PATHS: Final = {"fifo": "fifo", "mqueue": "file", "pty": "chr"}

_SCHEMA: Final = FDS.schema
#: What the first pass asks for of sockets.
_OF_SOCKETS: Final = ("pid", "fd", "inode")
#: What the second pass asks for, and what the first needs of it.
_DETAILS: Final = (
    *("pid", "fd", "type", "inode", "mode", "target", "file_inode", "rdev"),
    *("dev", "flags", "size", "allocated", "mnt_id"),
)
_getters: Final[list[Any]] = [_SCHEMA.by_name[name].get for name in _DETAILS]
_pid, _fd, _type, _inode, _mode, _target, _file_inode, _rdev = _getters[:8]


class Wanted:
    """Which descriptors are looked for: kinds, and of some kinds only those with these inodes.

    None stands for any inode.
    """

    __slots__ = ("files", "kinds", "pipes", "sockets")

    def __init__(
        self,
        kinds: frozenset[str],
        *,
        sockets: frozenset[int] | None = None,
        pipes: frozenset[int] | None = None,
        files: frozenset[int] | None = None,
    ) -> None:
        self.kinds = kinds
        self.sockets = sockets
        self.pipes = pipes
        self.files = files


class Found:
    """What a walk found.

    ``holders`` are those of sockets, by inode; ``files`` the ends of everything else that has
    two sides, by kind and identity; ``pidfds`` hold a process's number or None as the last
    element, ``epolls`` the targets as fdinfo lists them.
    """

    __slots__ = ("epolls", "files", "holders", "pidfds")

    def __init__(self) -> None:
        self.holders: dict[int, list[Holder]] = {}
        self.files: dict[tuple[str, Any], list[End]] = {}
        self.pidfds: list[tuple[int, int, int | None, int | None]] = []
        self.epolls: list[tuple[int, int, int | None, list[Mapping[str, Any]]]] = []


def find(
    request: Request,
    host: Host,
    wanted: Wanted,
    pids: frozenset[int] | None = None,
    numbers: frozenset[int] | None = None,
) -> Found:
    """The descriptors ``wanted``, of the processes ``pids`` and with these ``numbers``.

    :raises DataError: as ``fds`` does.
    """
    found = Found()
    columns, types = _ask(wanted)
    if not types:
        return found
    constraints = [Constraint("type", "in", types)]
    of_sockets = [Constraint("type", "=", "socket")]
    if wanted.sockets is not None:
        of_sockets.append(Constraint("inode", "in", wanted.sockets))
        if types == {"socket"}:
            constraints = of_sockets
    processes = []
    if pids is not None:
        processes.append(Constraint("pid", "in", pids))
    if numbers is not None:
        processes.append(Constraint("fd", "in", numbers))
    holders, files = found.holders, found.files
    sockets, pipes = wanted.sockets, wanted.pipes
    special: dict[int, set[int]] = {}
    parts = (
        _request(request, _OF_SOCKETS, of_sockets),
        _request(request, columns, [Constraint("type", "in", types - {"socket"})]),
    )
    for record in FDS.records(_request(request, columns, [*constraints, *processes], *parts), host):
        inode = _inode(record)
        if inode is not None:
            if sockets is None or inode in sockets:
                holders.setdefault(inode, []).append((_pid(record), _fd(record)))
            continue
        kind = _type(record)
        if kind == "pipe":
            number = bracketed(_target(record))
            if pipes is None:
                mode = _mode(record)
                if mode is not None:
                    end = (_pid(record), _fd(record), mode, number, "")
                    files.setdefault(("pipe", number), []).append(end)
                continue
            if number not in pipes:
                continue
        elif not _special(record, kind, wanted):
            continue
        special.setdefault(_pid(record), set()).add(_fd(record))
    if special:
        _examine(request, host, wanted, special, found)
    return found


def examined(
    request: Request, host: Host, numbers: Mapping[int, Iterable[int]], columns: Iterable[str]
) -> Iterable[Any]:
    """Records of ``fds`` with these ``columns``, of descriptors given by process."""
    for pid in sorted(numbers):
        constraints = [
            Constraint("pid", "=", pid),
            Constraint("fd", "in", frozenset(numbers[pid])),
        ]
        yield from FDS.records(_request(request, columns, constraints), host)


def _request(
    request: Request,
    columns: Iterable[str],
    constraints: list[Constraint],
    *parts: Request,
) -> Request:
    return Request(
        *(_SCHEMA, request.snapshot),
        columns=columns,
        constraints=constraints,
        trace=request.trace,
        parts=parts,
    )


def _ask(wanted: Wanted) -> tuple[set[str], frozenset[str]]:
    """The columns and types of the first pass; no types when there is nothing to find."""
    kinds = wanted.kinds
    types = set(_ANONYMOUS & kinds)
    types.update(_PATHS[kind] for kind in kinds if kind in _PATHS)
    columns = set(_OF_SOCKETS)
    if "pipe" in kinds and (wanted.pipes is None or wanted.pipes):
        types.add("pipe")
        if wanted.pipes is None:
            columns.add("mode")
    if types:
        columns |= {"type", "target"}
    if not kinds.isdisjoint(_PATHS):
        columns |= {"rdev"} if wanted.files is None else {"rdev", "file_inode"}
    if not kinds.isdisjoint(SOCKETS) and (wanted.sockets is None or wanted.sockets):
        types.add("socket")
    return columns, frozenset(types)


def _special(record: Any, kind: str | None, wanted: Wanted) -> bool:
    """Whether the second pass has to tell what this descriptor is an end of."""
    kinds = wanted.kinds
    if kind in ("fifo", "file"):
        if wanted.files is not None and _file_inode(record) not in wanted.files:
            return False
        if kind == "fifo":
            return "fifo" in kinds
        return "mqueue" in kinds and endpoints_files.may_be_mqueue(_target(record))
    if kind == "chr":
        return "pty" in kinds and endpoints_files.is_pty(_rdev(record))
    return kind in _ANONYMOUS and kind in kinds


def _examine(
    request: Request,
    host: Host,
    wanted: Wanted,
    special: Mapping[int, set[int]],
    found: Found,
) -> None:
    """The second pass: everything about these descriptors, whatever they are by now."""
    facts = endpoints_files.Facts(request, host)
    kinds, files = wanted.kinds, found.files
    for record in examined(request, host, special, _DETAILS):
        pid, fd, kind, _, mode, path, number, rdev, device, flags, size, room, mount = (
            get(record) for get in _getters
        )
        key: Any = None
        side = ""
        info = {} if record[FDINFO] is None else fdinfo_kinds.parse(record[FDINFO])
        if kind == "pipe":
            key = number
        elif kind == "fifo":
            key = (device, number)
        elif kind == "file":
            kind = "mqueue"
            if facts.is_mqueue(pid, path, device, mount, (size, room)):
                key = (device, number)
        elif kind == "chr":
            kind = "pty"
            key, side = facts.pty(pid, fd, path, rdev, device, info)
        elif kind == "eventfd":
            key = info.get("eventfd-id")
        elif kind == "pidfd" and "pidfd" in kinds:
            found.pidfds.append((pid, fd, number, facts.process(info.get("Pid"), flags)))
        elif kind == "epoll" and "epoll" in kinds:
            found.epolls.append((pid, fd, number, info.get("tfd", [])))
        if key is None or kind not in kinds or mode is None:
            continue  # closed and opened anew meanwhile, or O_PATH, which is no end of anything
        if kind != "pipe" or wanted.pipes is None or key in wanted.pipes:
            files.setdefault((kind, key), []).append((pid, fd, mode, number, side))
