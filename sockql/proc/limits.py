"""The resource limits of a process: /proc/PID/limits."""

from __future__ import annotations

from sockql.errors import ParseError
from sockql.proc.procfs import number, readable_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: The kernel's words and the name of the resource in getrlimit(2).  Source: fs/proc/base.c, lnames.
_RESOURCES: Final = {
    b"Max cpu time": "cpu",
    b"Max file size": "fsize",
    b"Max data size": "data",
    b"Max stack size": "stack",
    b"Max core file size": "core",
    b"Max resident set": "rss",
    b"Max processes": "nproc",
    b"Max open files": "nofile",
    b"Max locked memory": "memlock",
    b"Max address space": "as",
    b"Max file locks": "locks",
    b"Max pending signals": "sigpending",
    b"Max msgqueue size": "msgqueue",
    b"Max nice priority": "nice",
    b"Max realtime priority": "rtprio",
    b"Max realtime timeout": "rttime",
}
#: Where the columns of the limits begin.
_SOFT: Final = 26


def parse(data: bytes) -> list[tuple[str, int | None, int | None, str | None]]:
    """``(resource, soft limit, hard limit, unit)`` for each line of /proc/PID/limits.

    A limit is None when there is none; a resource that we do not know has the kernel's words.
    Source: fs/proc/base.c, proc_pid_limits().

    :raises ParseError: when a line has no limits.
    """
    found = []
    for line in data.splitlines()[1:]:
        words = line[_SOFT:].split()
        if len(words) < 2:
            raise ParseError(f"/proc/PID/limits: {line[:200]!r}: expected two limits")
        name = line[:_SOFT].strip()
        found.append(
            (
                _RESOURCES.get(name) or readable_text(name),
                _limit(words[0]),
                _limit(words[1]),
                readable_text(words[2]) if len(words) > 2 else None,
            )
        )
    return found


def _limit(word: bytes) -> int | None:
    return None if word == b"unlimited" else number(word, "/proc/PID/limits")
