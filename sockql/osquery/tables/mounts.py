"""osquery's table ``mounts``."""

from __future__ import annotations

import os
from contextlib import ExitStack

from sockql.errors import DataError, ParseError
from sockql.osquery.columns import bigint, text
from sockql.osquery.root import Root
from sockql.proc import procfs
from sockql.proc.mountinfo import unescape
from sockql.proc.procfs import readable_text
from sockql.request import MAXIMUM
from sockql.schema import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from functools import partial
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.request import Request
    from sockql.schema import Column, Getter

    #: The words of a line of mounts, and what statvfs(3) says of the file system.
    Mounted: TypeAlias = tuple[list[bytes], "os.statvfs_result | None"]

_DEVICE: Final = 0
_PATH: Final = 1
_TYPE: Final = 2
_OPTIONS: Final = 3

_NEED_STATUS: Final = 1


def _word(number: int) -> Getter:
    return lambda mounted: readable_text(mounted[0][number])


def _size(column: partial[Column], field: str, doc: str, unit: str | None = None) -> Column:
    def get(mounted: Mounted) -> int | None:
        found: int = 0 if mounted[1] is None else getattr(mounted[1], field)
        return found if found <= MAXIMUM else None

    return column(
        f"{doc}; 0 when the file system cannot be asked. NULL beyond 2**63 - 1.",
        source=f"statvfs(3) {field}",
        unit=unit,
        get=get,
        needs=_NEED_STATUS,
    )


def _alias(mounted: Mounted) -> str:
    device = mounted[0][_DEVICE]
    # What is no path is the name of a file system.
    return readable_text(os.path.realpath(device) if device[:1] == b"/" else device)


class Mounts(
    Table["Mounted"],
    examples=[
        "select device, path, type from mounts where type like 'nfs%'",
        "select path, 100 * blocks_available / blocks from mounts where blocks > 0",
    ],
):
    """Mounts that sockql itself can see, one row for each."""

    device = text("What is mounted: a device, or any word.", source="mounts(5)", get=_word(_DEVICE))
    device_alias = text(
        "The device without links on the way to it.", source="realpath(3)", get=_alias
    )
    path = text("Where it is mounted.", source="mounts(5)", get=_word(_PATH))
    type = text("Type of the file system.", source="mounts(5)", get=_word(_TYPE))
    blocks_size = _size(bigint, "f_bsize", "Size of a block", "bytes")
    blocks = _size(bigint, "f_blocks", "Number of blocks")
    blocks_free = _size(bigint, "f_bfree", "Blocks that are free")
    blocks_available = _size(bigint, "f_bavail", "Blocks that are free for others than root")
    inodes = _size(bigint, "f_files", "Number of inodes")
    inodes_free = _size(bigint, "f_ffree", "Inodes that are free")
    flags = text("Options, joined by commas.", source="mounts(5)", get=_word(_OPTIONS))

    def records(self, request: Request, host: Host) -> Iterator[Mounted]:
        path = "self/mounts" if host.proc_path == "/proc" else "1/mounts"
        try:
            lines = procfs.read_list(path, host.proc).split(b"\n")
        except OSError as error:
            raise DataError(f"{host.proc_path}/{path}: {error.strerror}") from None
        with ExitStack() as stack:
            root = None
            if request.needs & _NEED_STATUS:
                try:
                    root = stack.enter_context(Root(host))
                except OSError as error:
                    host.notice(f"mounts: {host.proc_path}/1/root: {error.strerror}")
            for line in filter(None, lines):
                host.check()
                yield _mounted(line, root)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 40.0, 400.0


def _mounted(line: bytes, root: Root | None) -> Mounted:
    words = [unescape(word) for word in line.split(b" ")]
    if len(words) < 6:
        raise ParseError(f"/proc/PID/mounts: {line[:200]!r}: expected six words")
    # Asking autofs would mount what is behind it.
    if root is None or words[_TYPE] == b"autofs":
        return words, None
    try:
        return words, root.statvfs(words[_PATH])
    except OSError:
        return words, None


TABLE = Mounts()
