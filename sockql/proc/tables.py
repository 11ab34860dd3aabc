"""Threads whose table of descriptors is not that of their process.

A thread has its own after unshare(CLONE_FILES), or when the main thread has ended.  Only the
kernel can tell, with kcmp(2); it is asked for each thread, through the C library's syscall().
Source: kernel/kcmp.c; kcmp(2).
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache

from sockql.proc import libc, procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request

    #: Whether two threads share a table; None when the kernel does not say.
    Compare = Callable[[int, int], "bool | None"]

_KCMP_FILES: Final = 2
#: Number of the system call by machine.  Source: arch/*/kernel/syscalls, asm-generic/unistd.h.
_KCMP: Final = {
    "aarch64": 272,
    "armv7l": 378,
    "i686": 349,
    "loongarch64": 272,
    "ppc64": 354,
    "ppc64le": 354,
    "riscv64": 272,
    "s390x": 343,
    "x86_64": 312,
}
#: Links that are compared where the kernel does not say.
_LINKS: Final = 8


@lru_cache
def _system_call() -> Compare | None:
    number = _KCMP.get(os.uname().machine)
    wide = sys.maxsize > 2**32
    call = libc.function("syscall")
    if number is None or call is None or wide == (os.uname().machine in ("armv7l", "i686")):
        return None

    def compare(one: int, other: int) -> bool | None:
        found = call(number, one, other, _KCMP_FILES, 0, 0)
        return None if found < 0 else found == 0

    return compare


def comparison(request: Request, host: Host) -> Compare:
    """How to compare the tables of two threads of ``host``, by their numbers."""
    memo = request.snapshot.memo
    found: Compare | None = memo.get("kcmp")
    if found is None:
        found = _system_call()
        try:
            # The numbers of another pid namespace are not ours.
            ours = os.readlink("self", dir_fd=host.proc) == str(os.getpid())
        except OSError:
            ours = False
        if found is None or not ours or not procfs.is_procfs(host):
            found = _unknown
        memo["kcmp"] = found
    return found


def _unknown(_one: int, _other: int) -> bool | None:
    return None


def own(
    pid: int, tasks: int, compare: Compare, failed: Callable[[OSError, str], None], *, leader: bool
) -> Iterator[tuple[int, int]]:
    """``(tid, fd)`` of each thread of ``pid`` whose table no thread before it has.

    ``tasks`` is a descriptor of its directory task, ``fd`` one of the thread's directory of
    descriptors, open as long as the caller does not go on.  ``leader`` says that the table of the
    main thread is known, else it is passed over.  ``failed`` is told what could not be opened.
    """
    known = [pid] if leader else []
    for tid in sorted(map(int, filter(str.isdecimal, os.listdir(tasks)))):
        if tid == pid:
            continue
        try:
            if any(_same(one, tid, tasks, compare) for one in known):
                continue
            directory = procfs.open_directory(f"{tid}/fd", tasks)
        except OSError as error:
            # Where nothing can be compared nothing is made up: the table may be a known one.
            failed(error, f"task/{tid}/fd")
            continue
        known.append(tid)
        try:
            yield tid, directory
        finally:
            os.close(directory)


def _same(one: int, other: int, tasks: int, compare: Compare) -> bool:
    said = compare(one, other)
    if said is not None:
        return said
    # Two tables that look alike can be different all the same, but then hardly anything is missed.
    return _look(one, tasks) == _look(other, tasks)


def _look(tid: int, tasks: int) -> tuple[set[str], list[str]]:
    """The descriptors of a thread and what some of them lead to."""
    directory = procfs.open_directory(f"{tid}/fd", tasks)
    try:
        names = set(os.listdir(directory))
        return names, [os.readlink(name, dir_fd=directory) for name in sorted(names)[-_LINKS:]]
    finally:
        os.close(directory)
