"""Mounts: /proc/PID/mountinfo, of one process in each mount namespace.

Source: proc_pid_mountinfo(5); fs/proc_namespace.c, show_mountinfo().
"""

from __future__ import annotations

import os

from sockql.errors import ParseError
from sockql.proc import procfs
from sockql.proc.procfs import GONE, REFUSED, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    #: (namespace, id, parent's id, device, root, mount point, options, propagation, type, source,
    #: options of the file system); None where there is nothing or it is unknown.
    Mount: TypeAlias = tuple[
        "int | None", int, int, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes
    ]

# Fields of a Mount.
NAMESPACE: Final = 0
ID: Final = 1
PARENT: Final = 2
DEVICE: Final = 3
ROOT: Final = 4
POINT: Final = 5
OPTIONS: Final = 6
PROPAGATION: Final = 7
TYPE: Final = 8
SOURCE: Final = 9
SUPER_OPTIONS: Final = 10


def unescape(text: bytes) -> bytes:
    r"""``text`` with what the kernel writes as a backslash and three octal digits as it is.

    >>> unescape(b"/a\\040b\\134040\\012"), unescape(b"\\9")
    (b'/a b\\040\n', b'\\9')
    """
    first, *rest = text.split(b"\\")
    if not rest:
        return text
    parts = [first]
    for part in rest:
        try:
            parts.append(bytes((int(part[:3], 8),)) + part[3:])
        except ValueError:
            parts.append(b"\\" + part)
    return b"".join(parts)


def parse(data: bytes, namespace: int | None = None) -> Iterator[Mount]:
    """The mounts in a mountinfo file.

    :raises ParseError: when a line is not laid out as documented.
    """
    what = "/proc/PID/mountinfo"
    for line in data.split(b"\n"):
        if not line:
            continue
        # A field may be empty, as a source is that was given as "", so blanks are counted.
        front, dash, back = line.partition(b" - ")
        words, rest = front.split(b" "), back.split(b" ")
        if not dash or len(words) < 6 or len(rest) < 2:
            raise ParseError(f"{what}: {line[:200]!r}: expected ten words")
        id, parent, device, root, point, options, *propagation = words
        yield (
            namespace,
            number(id, what) or 0,
            number(parent, what) or 0,
            device,
            unescape(root),
            unescape(point),
            unescape(options),
            b" ".join(propagation),
            unescape(rest[0]),
            unescape(b" ".join(rest[1:-1])),
            unescape(rest[-1]),
        )


def read(request: Request, host: Host) -> Iterator[Mount]:
    """The mounts of every mount namespace that may satisfy ``request``; see :func:`of_all`."""
    return of_all(request, host, request.values("ns_mnt"))


def of_all(request: Request, host: Host, wanted: frozenset[int] | None = None) -> Iterator[Mount]:
    """The mounts of every mount namespace that a process is in and that may be looked into.

    ``wanted`` are the namespaces to look into.  Where namespaces cannot be told apart (a copy of a procfs) there is only our own.

    :raises DataError: when the host's procfs has no processes, or fails.
    """
    names = sorted(procfs.listing(request, host), key=int)
    refusals = procfs.Refusals.of(request.schema.name, request, names)
    places: dict[int | None, str] = {}
    chrooted: dict[int | None, str] = {}
    for name in ("self", *names):
        host.check()
        try:
            namespace = procfs.bracketed(os.readlink(f"{name}/ns/mnt", dir_fd=host.proc))
            if namespace in places:
                continue
            # Below another root some mounts are not to be seen.
            root = os.readlink(f"{name}/root", dir_fd=host.proc)
        except OSError as error:
            if error.errno in REFUSED:
                refusals.add(name, error, host, "ns/mnt")
            elif error.errno not in GONE:
                raise procfs.failed(error, host, f"{name}/ns/mnt") from None
            continue
        if root == "/":
            places[namespace] = name
        else:
            chrooted.setdefault(namespace, name)
    found = {**chrooted, **places}
    if not found:
        found[None] = "self"
    for namespace, name in found.items():
        if wanted is None or namespace in wanted:
            request.trace.note(f"{host.proc_path}/{name}/mountinfo")
            try:
                data = procfs.read_list(f"{name}/mountinfo", host.proc)
            except OSError as error:
                if error.errno not in GONE and error.errno not in REFUSED:
                    raise procfs.failed(error, host, f"{name}/mountinfo") from None
                continue
            yield from parse(data, namespace)
    refusals.report(host)
