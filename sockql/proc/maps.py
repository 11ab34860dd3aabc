"""The memory of a process as mappings: /proc/PID/maps, smaps and smaps_rollup.

Pure functions over what was read.
Source: proc_pid_maps(5), proc_pid_smaps(5); fs/proc/task_mmu.c, show_map_vma().
"""

from __future__ import annotations

from sockql.errors import ParseError
from sockql.proc.procfs import fitting, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    #: (start and end in hexadecimal, permissions, offset, device, inode, path) as the kernel
    #: writes them; inode 0 and an empty path where there is none.
    Mapping: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes, int, bytes]

# Fields of a Mapping.
START: Final = 0
END: Final = 1
PERMISSIONS: Final = 2
OFFSET: Final = 3
DEVICE: Final = 4
INODE: Final = 5
PATH: Final = 6


def parse(line: bytes) -> Mapping | None:
    r"""The mapping that a line of maps or smaps is about; None for another line of smaps.

    >>> parse(b"00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/a b ")
    (b'00400000', b'00452000', b'r-xp', b'00001000', b'08:02', 173521, b'/usr/bin/a b ')

    :raises ParseError: when it is neither.
    """
    words = line.split(None, 5)
    if words and words[0][-1:] == b":":
        return None
    if len(words) < 5:
        raise ParseError(f"/proc/PID/maps: {line[:200]!r}: expected five words")
    start, dash, end = words[0].partition(b"-")
    if not dash:
        raise ParseError(f"/proc/PID/maps: {line[:200]!r}: expected start-end")
    inode = number(words[4], "/proc/PID/maps inode") or 0
    path = words[5] if len(words) > 5 else b""
    return start, end, words[1], words[2], words[3], inode, path


def mappings(data: bytes) -> Iterator[tuple[Mapping, dict[bytes, bytes]]]:
    """Each mapping of maps or smaps, with what smaps adds to it: values as text by their keys."""
    found: Mapping | None = None
    details: dict[bytes, bytes] = {}
    # Not splitlines(): a path may hold a carriage return.
    for line in data.split(b"\n"):
        if not line:
            continue
        mapping = parse(line)
        if mapping is None:
            key, _, value = line.partition(b":")
            details[key] = value
            continue
        if found is not None:
            yield found, details
            details = {}
        found = mapping
    if found is not None:
        yield found, details


def size(mapping: Mapping) -> int | None:
    """The length of a mapping in bytes."""
    try:
        return fitting(int(mapping[END], 16) - int(mapping[START], 16))
    except ValueError:
        raise ParseError(f"/proc/PID/maps: {mapping[:2]!r}: expected addresses") from None


def device(text: bytes, what: str = "/proc/PID/maps dev") -> str:
    """``8:2`` for ``08:02``, both numbers in hexadecimal as the kernel writes them.

    :raises ParseError: when they are no numbers.
    """
    major, _, minor = text.partition(b":")
    return f"{number(major, what, 16)}:{number(minor, what, 16)}"


def path(mapping: Mapping) -> bytes:
    r"""The path as it is: the kernel writes a newline in it as ``\012``.

    A path that holds a backslash and these digits reads the same here; the link in
    /proc/PID/map_files does not, but takes CAP_CHECKPOINT_RESTORE to read.
    """
    return mapping[PATH].replace(b"\\012", b"\n")


def kibibytes(text: bytes | None) -> int | None:
    """Bytes for a size like ``   12 kB``; None for no text."""
    if text is None:
        return None
    words = text.split()
    found = number(words[0] if words else b"", "/proc/PID/smaps")
    return None if found is None else fitting(found * 1024)
