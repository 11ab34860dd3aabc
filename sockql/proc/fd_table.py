"""A table of descriptors: a directory /proc/PID/fd, and the numbers in it.

Listing /proc/PID/fd costs a quarter of what reading its links does.  Tables are mostly dense: of
one that has *n* descriptors, the numbers below *n* are asked for as they are, and only those from
*n* on are listed, of which there are as many as there are gaps below.  A descriptor that stays
open is either below *n* or listed, whatever is opened and closed meanwhile.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeAlias

    #: What the descriptors of a table lead to, by number; None for a path that is too long.
    Links: TypeAlias = dict[str, "str | None"]

#: Tables that are worth more than one system call.
_MANY: Final = 64
#: Position of descriptor 0 in the directory, after "." and "..": proc_readfd_common().
_ZERO: Final = 2

_known: list[str] = []


def numbers(directory: int) -> list[str]:
    """Numbers among which is each open descriptor, for ``directory``, a /proc/PID/fd.

    A few of them may not be open: ENOENT is as normal as for one that was closed meanwhile.
    Source: fs/proc/fd.c; st_size since Linux kernel commit f1f1f2569901 (in v6.2).

    :raises OSError: when the directory cannot be listed.
    """
    count = os.fstat(directory).st_size
    if count < _MANY:
        return os.listdir(directory)
    os.lseek(directory, count + _ZERO, os.SEEK_SET)
    beyond = os.listdir(directory)  # which goes back to the start at its end
    if len(beyond) > count // 8:
        return os.listdir(directory)
    if len(_known) < count:
        _known.extend(map(str, range(len(_known), count)))
    return _known[:count] + beyond


class OpenTable:
    """A table of descriptors that is being read.

    ``known`` has its links if an earlier scan has read all of them.
    """

    __slots__ = ("closed", "directory", "fdinfo", "known", "links", "name", "pid", "tid")

    def __init__(
        self, name: str, pid: int, directory: int, tid: int | None, known: Links | None = None
    ) -> None:
        self.name = name
        self.pid = pid
        self.directory = directory
        self.tid = tid
        self.fdinfo: int | None = None
        self.known = known is not None
        #: The links that were read, where they are kept.
        self.links: Links | None = known
        #: Its links are refused, asking for more of them is in vain.
        self.closed = False
