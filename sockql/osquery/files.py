"""The files that a statement names: by path, by pattern, by directory.

In a pattern of LIKE, ``%`` stands for any part of one name and ``%%`` at the end for all that is
below; as in a shell a name that begins with a dot has to be named by it.  Directories that a
pattern finds end in a slash.  That is osquery's way, whatever SQLite's LIKE would say of the same
pattern: it still checks every row.

Source: osquery/filesystem/filesystem.cpp, resolveFilePattern(); osquery/tables/utility/file.cpp.
"""

from __future__ import annotations

from collections import deque
from os.path import basename, dirname

from sockql.errors import QueryError
from sockql.osquery.root import Root
from sockql.proc.procfs import REFUSED, Refusals, bracketed, readable_text, text_as_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sockql.host import Host
    from sockql.request import Request


class Found:
    """A file that was asked for: ``path`` and ``directory`` are as the statement has them.

    ``mount_namespace`` is that of the process in whose root directory it is.
    """

    __slots__ = ("directory", "mount_namespace", "path", "root")

    def __init__(
        self, root: Root, path: bytes, directory: bytes, mount_namespace: str | None
    ) -> None:
        self.root = root
        self.path = path
        self.directory = directory
        self.mount_namespace = mount_namespace

    @property
    def name(self) -> bytes:
        """The last part of the path, ``.`` when that ends in a slash."""
        return b"/" if self.path == b"/" else basename(self.path) or b"."


class RefusedFiles(Refusals):
    """The paths that a table was not let look at in a statement, for one notice."""

    __slots__ = ("paths",)

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.paths: dict[bytes, None] = {}

    @classmethod
    def merged(cls, several: Sequence[Refusals]) -> RefusedFiles:
        """Those of several scans of one table as one."""
        found = cls(several[0].table)
        for refusals in several:
            found.paths |= refusals.paths if isinstance(refusals, RefusedFiles) else {}
        return found

    def lines(self, needs: int = -1) -> list[str]:
        """The first path, and how many more there are."""
        if not self.paths:
            return []
        first, more = readable_text(next(iter(self.paths))), len(self.paths) - 1
        others = f" and {more} more" if more else ""
        return [f"{self.table}: {first}{others} not readable (EACCES); run as root"]


def say_refused(request: Request, host: Host, paths: Iterable[bytes]) -> None:
    """Say which paths we were not let look at, in one notice for the whole statement."""
    table = request.schema.name
    refused = request.snapshot.refusals.setdefault(table, RefusedFiles(table))
    assert isinstance(refused, RefusedFiles)
    refused.paths.update(dict.fromkeys(paths))
    refused.report(host)


def say_no_root(request: Request, host: Host, pid: int, error: OSError) -> None:
    """Say that the root directory of a process, or of the host for 0, cannot be had."""
    where = f"{host.proc_path}/{pid or 1}/root"
    if pid and error.errno in REFUSED:
        say_refused(request, host, [where.encode("utf-8", "surrogateescape")])
    else:
        host.notice(f"{request.schema.name}: {where}: {error.strerror}")


def find(request: Request, host: Host) -> Iterator[Found]:
    """The files that may satisfy ``request``; whether there is one at a path is not looked at.

    :raises QueryError: when the statement names neither a path nor a directory.
    """
    table = request.schema.name
    if not any(_named(request, column) for column in ("path", "directory")):
        raise QueryError(
            f"{table} needs to know which files: "
            f"where path = '…', path like '/etc/%' or directory = '…'"
        )
    if request.impossible:
        return
    for pid in sorted(request.values("pid_with_namespace") or (0,)):
        if pid < 0:
            continue
        try:
            root = Root(host, pid)
        except OSError as error:
            say_no_root(request, host, pid, error)
            continue
        with root:
            namespace = mount_namespace(host, pid)
            for path, directory in _paths(request, host, root):
                yield Found(root, path, directory, namespace)
            if root.refused:
                say_refused(request, host, root.refused)


def _named(request: Request, column: str) -> bool:
    return request.values(column) is not None or bool(request.patterns(column))


def mount_namespace(host: Host, pid: int) -> str | None:
    """Inode of the process's mount namespace; None for 0, and when it may not be read."""
    if not pid:
        return None
    import os

    try:
        found = bracketed(os.readlink(f"{pid}/ns/mnt", dir_fd=host.proc))
    except OSError:
        return None
    return None if found is None else str(found)


def _paths(request: Request, host: Host, root: Root) -> Iterator[tuple[bytes, bytes]]:
    """``(path, directory)``, each once; of several conditions one that names few is enough."""
    seen: set[tuple[bytes, bytes]] = set()
    paths = request.values("path")
    directories = request.values("directory")
    if paths is not None:
        found: Iterator[tuple[bytes, bytes]] = ((p, _parent(p)) for p in _absolute(paths))
        # The condition on the directory may spell it in another way.
        if directories is not None:
            given = {directory.rstrip(b"/"): directory for directory in _absolute(directories)}
            found = ((p, given.get(parent.rstrip(b"/"), parent)) for p, parent in found)
    elif directories is not None:
        found = _children(_absolute(directories), host, root)
    elif request.patterns("path"):
        expanded = expand(request.patterns("path")[0].encode(), host, root)
        found = ((p, _parent(p)) for p in expanded)
    else:
        matching = expand(request.patterns("directory")[0].encode(), host, root)
        found = _children([d for d in matching if d[-1:] == b"/" or b"%" not in d], host, root)
    for entry in found:
        if entry not in seen:
            seen.add(entry)
            yield entry


def _absolute(values: frozenset[str]) -> list[bytes]:
    """The paths among ``values``; those with bytes that are not UTF-8 in both their readings."""
    encoded: dict[bytes, None] = {}
    for value in sorted(map(str, values)):
        encoded[value.encode("utf-8", "surrogateescape")] = None
        encoded[text_as_bytes(value)] = None
    return [path for path in encoded if path[:1] == b"/" and b"\0" not in path]


def _parent(path: bytes) -> bytes:
    return b"" if path == b"/" else dirname(path)


def _children(directories: list[bytes], host: Host, root: Root) -> Iterator[tuple[bytes, bytes]]:
    for directory in directories:
        host.check()
        for name, _, _ in _listed(root, directory):
            yield directory.removesuffix(b"/") + b"/" + name, directory


def _listed(root: Root, directory: bytes) -> list[tuple[bytes, bool, bool]]:
    """What is in it; nothing when there is no such directory, or when it cannot be read."""
    try:
        return root.scandir(directory)
    except OSError as error:
        if error.errno in REFUSED:
            root.refused.append(directory)
        return []


# -- patterns -----------------------------------------------------------------------------------


def expand(pattern: bytes, host: Host, root: Root) -> Iterator[bytes]:
    """The paths that a pattern stands for, directories with a slash at their end.

    What has no percent sign is a path, and is what comes of it.
    """
    if pattern[:1] != b"/" or b"\0" in pattern:
        return
    if b"%" not in pattern:
        yield pattern
        return
    parts = pattern.split(b"/")[1:]
    only_directories = parts[-1] == b""
    if only_directories:
        parts.pop()
    deep = parts[-1:] == [b"%%"]
    if deep:
        parts.pop()
    found = [b"/"]
    for part in parts:
        directories = (path for path in found if path[-1:] == b"/")
        found = [name for path in directories for name in _step(path, part, host, root)]
    for path in _below(found, host, root) if deep else found:
        if not only_directories or path[-1:] == b"/":
            yield path


def _step(directory: bytes, part: bytes, host: Host, root: Root) -> Iterator[bytes]:
    """What ``part`` of a pattern stands for in a directory."""
    host.check()
    if b"%" in part:
        for name, leads, _ in _listed(root, directory):
            if matches(name, part):
                yield directory + name + (b"/" if leads else b"")
        return
    path = directory + part
    try:
        root.lstat(path)
    except OSError:
        return
    try:
        leads = root.stat(path).st_mode >> 12 == 0o4
    except OSError:
        leads = False
    yield path + b"/" if leads else path


def _below(starts: list[bytes], host: Host, root: Root) -> Iterator[bytes]:
    """Everything below the directories among ``starts``, each directory gone into once.

    Links are followed last: what can be reached without them is there under its own path.
    """
    pending = deque(path for path in starts if path[-1:] == b"/")
    links: deque[bytes] = deque()
    visited = set()
    while pending or links:
        host.check()
        path = (pending or links).popleft()
        try:
            status = root.stat(path)
        except OSError:
            continue
        identity = status.st_dev, status.st_ino
        if identity in visited:
            continue
        visited.add(identity)
        for name, directory, link in _listed(root, path):
            if name[:1] == b".":
                continue
            if directory:
                name += b"/"
                (links if link else pending).append(path + name)
            yield path + name


def matches(name: bytes, part: bytes) -> bool:
    """Whether a name is what ``part`` of a pattern stands for.

    >>> matches(b"passwd", b"pass%"), matches(b".hidden", b"%"), matches(b".hidden", b".%")
    (True, False, True)
    >>> matches(b"aba", b"a%ba"), matches(b"aba", b"ab%ba")
    (True, False)
    """
    if name[:1] == b"." and part[:1] != b".":
        return False
    if b"%" not in part:
        return name == part
    first, *middle, last = part.split(b"%")
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    rest = name[len(first) : len(name) - len(last)]
    for piece in middle:
        _, found, rest = rest.partition(piece) if piece else (b"", b"%", rest)
        if not found:
            return False
    return True


def estimate(request: Request, each: float) -> tuple[float, float]:
    """``(rows, microseconds)``, ``each`` file taking so many.

    Without a path or a directory there is no answer, so that any other plan is better.
    """
    rows = 1e9
    if any(c.column == "path" and c.operator in ("=", "in") for c in request.constraints):
        rows = float(len(request.values("path") or (0,)))
    elif request.constrained("path"):
        rows = 100.0
    elif request.constrained("directory"):
        rows = 50.0 * len(request.values("directory") or (0,))
    return rows, rows * each
