"""Processes in procfs: whom a scan visits, what it reads of them, and who could not be read.

Everything is opened relative to a directory descriptor.  One on ``/proc/PID``, or on a directory
below it, stays with the process it was opened for: when that process ends, looking anything up
in it fails with ENOENT or ESRCH, and it never leads to a process that got the same number later.
So all that is read through one such descriptor belongs to one process.
"""

from __future__ import annotations

import os
from errno import EACCES, ENOENT, ENOTDIR, EPERM, ESRCH, errorcode

from sockql.errors import DataError, ParseError
from sockql.request import MAXIMUM, MINIMUM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request

#: The process or the descriptor has gone meanwhile, which is normal.
GONE: Final = frozenset({ENOENT, ESRCH, ENOTDIR})
#: The kernel does not let us look.
REFUSED: Final = frozenset({EACCES, EPERM})

#: PF_KTHREAD of include/linux/sched.h, in the flags of /proc/PID/stat.
KERNEL_THREAD: Final = 0x00200000
_CHUNK: Final = 8192
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_CLOEXEC
#: Requests that a plan names before it only counts them.
_NOTED: Final = 8
#: Numbers that may all be of processes.
_MANY: Final = 256

#: What Request.bounds() says without a condition.
ANY: Final = (MINIMUM, MAXIMUM)

# Positions in the fields of /proc/PID/stat that parse_stat() gives: proc(5) counts from 1 and
# the first two, pid and comm, are not among them.
STATE: Final = 3 - 3
FLAGS: Final = 9 - 3
THREADS: Final = 20 - 3
START_TIME: Final = 22 - 3
EXIT_SIGNAL: Final = 38 - 3


def open_directory(name: str, directory: int) -> int:
    """A descriptor of the directory ``name`` in ``directory``; the caller closes it.

    :raises OSError: as open(2) does.
    """
    return os.open(name, _DIRECTORY, dir_fd=directory)


def read(name: str, directory: int) -> bytes:
    """The whole file ``name`` in ``directory``.

    :raises OSError: as open(2) and read(2) do; ESRCH when its process ended meanwhile.
    """
    file = os.open(name, _FILE, dir_fd=directory)
    try:
        data = os.read(file, _CHUNK)
        # A procfs file that fits is complete after one read; no need to ask for its end.
        if len(data) < _CHUNK:
            return data
        parts = [data]
        while data:
            data = os.read(file, 16 * _CHUNK)
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(file)


def read_list(name: str, directory: int) -> bytes:
    """The whole file ``name`` in ``directory``, of the kind that has many lines (maps, locks).

    The kernel gives such a file some lines at a time, so a short read is not its end.

    :raises OSError: as :func:`read` does.
    """
    file = os.open(name, _FILE, dir_fd=directory)
    try:
        parts = []
        while data := os.read(file, 16 * _CHUNK):
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(file)


def readable_text(data: bytes) -> str:
    r"""``data`` as text; bytes that are not UTF-8 become ``\xNN``."""
    return data.decode("utf-8", "backslashreplace")


def text_as_bytes(text: str) -> bytes:
    r"""Bytes that :func:`readable_text` makes ``text`` of, each ``\xNN`` one that is not UTF-8.

    A name may have a backslash in it as well, so ``text`` as it is may also be meant.
    """
    data = text.encode("utf-8", "surrogateescape")
    if b"\\x" not in data:
        return data
    import re

    found = re.sub(rb"\\x([89a-f][0-9a-f])", lambda each: bytes.fromhex(each[1].decode()), data)
    return found if readable_text(found) == text else data


def parse_stat(data: bytes) -> tuple[bytes, list[bytes]]:
    """``(comm, fields)`` of /proc/PID/stat, the fields from the third (state) on.

    comm is what the process calls itself, up to 15 bytes of any kind, parentheses, blanks and
    newlines among them, so it ends at the last parenthesis of the line.
    Source: fs/proc/array.c, do_task_stat(); proc_pid_stat(5).

    :raises ParseError: when there is no comm or fewer fields than up to the start time.
    """
    start, end = data.find(b"("), data.rfind(b")")
    fields = data[end + 1 :].split()
    if start < 0 or end < start or len(fields) <= START_TIME:
        raise ParseError(f"/proc/PID/stat: {data[:200]!r}: expected 'pid (comm) state …'")
    return data[start + 1 : end], fields


def number(text: bytes, what: str, base: int = 10) -> int | None:
    """The integer in ``text``; None when SQLite's 64 bits cannot hold it.

    :raises ParseError: when it is no integer; ``what`` says where it was found.
    """
    try:
        value = int(text, base)
    except ValueError:
        raise ParseError(f"{what}: {text[:200]!r}: expected a number") from None
    return fitting(value)


def fitting(value: int) -> int | None:
    """``value``, None when SQLite's 64 bits cannot hold it."""
    return value if MINIMUM <= value <= MAXIMUM else None


def bracketed(link: str | bytes) -> int | None:
    """The number in a link like ``net:[4026531833]``, None when there is none."""
    text = link if isinstance(link, str) else link.decode("ascii", "replace")
    digits = text[text.rfind("[") + 1 : -1]
    if text[-1:] != "]" or not digits.isdigit() or not digits.isascii() or len(digits) > 19:
        return None
    return fitting(int(digits))


# -- whom a scan visits ---------------------------------------------------------------------


def is_procfs(host: Host) -> bool:
    """Whether the host's procfs root is the kernel's, not a copy of some of its files.

    Only then sizes and link counts of directories say something: they are computed.
    """
    # PROC_ROOT_INO of include/linux/proc_ns.h; the block size is from proc_fill_super().
    root = os.fstat(host.proc)
    return root.st_ino == 1 and root.st_blksize == 1024 and os.major(root.st_dev) == 0


def listing(request: Request, host: Host) -> list[str]:
    """The numbers of all processes, as directory names; the same for a whole statement."""
    names: list[str] | None = request.snapshot.memo.get("processes")
    if names is None:
        names = [name for name in os.listdir(host.proc) if name.isdecimal()]
        if not names:
            raise DataError(f"{host.proc_path}: no processes here; is it a procfs?")
        request.snapshot.memo["processes"] = names
    # The first process of a pid namespace is always there, unless the mount option hides it.
    # Said each time: it may be another statement that asks.
    if "1" not in names and is_procfs(host):
        host.notice(
            f"{host.proc_path} is mounted with hidepid: processes of other users are not "
            "shown; run as root or with CAP_SYS_PTRACE"
        )
    return names


def pids(request: Request, host: Host) -> tuple[list[str], bool]:
    """The numbers of the processes to visit, as directory names, and whether they were given.

    A given number need not be one of a process: /proc/N exists for every thread as well.

    :raises DataError: when the host's procfs has no processes.
    """
    wanted, probed = map(request.values, ("pid", "probed_pid"))
    if probed is not None:
        wanted = probed if wanted is None else wanted & probed
    if wanted is not None:
        if not is_procfs(host):
            listing(request, host)
        names = [str(pid) for pid in sorted(wanted) if pid > 0]
        if len(names) > _MANY:
            # Most are no process then, which an exception for each would be dear to say.
            names = [name for name in names if os.access(name, os.F_OK, dir_fd=host.proc)]
        return names, True
    names = listing(request, host)
    low, high = request.bounds("pid")
    if (low, high) != ANY:
        names = [name for name in names if low <= int(name) <= high]
    return names, False


def is_leader(fields: list[bytes]) -> bool:
    """Whether these fields of stat are those of a process, not of a thread that is part of one.

    exit_signal is -1 for all threads but the leader of their group, which is how the kernel
    tells them apart: include/linux/sched/signal.h, thread_group_leader().
    """
    return len(fields) <= EXIT_SIGNAL or fields[EXIT_SIGNAL] != b"-1"


def is_row(pid: int, fields: list[bytes], request: Request, *, threads: bool = False) -> bool:
    """Whether the process with these fields of stat is one, and the one the statement knows.

    False for other threads than the main one, unless ``threads``, and when another table of the
    statement met a process with the same number that started at another time.
    """
    if not threads and not is_leader(fields):
        return False
    if not request.snapshot.shared:
        return True
    starts: dict[int, bytes] = request.snapshot.memo.setdefault("start times", {})
    return starts.setdefault(pid, fields[START_TIME]) == fields[START_TIME]


def note(request: Request, host: Host, names: list[str], given: bool, files: str) -> None:
    """Record in the trace that ``files`` of the processes ``names`` are read."""
    if not given:
        request.trace.note(f"{host.proc_path}/*/{files}")
        return
    for name in names[:_NOTED]:
        if len(request.trace.requests) < _NOTED:
            request.trace.note(f"{host.proc_path}/{name}/{files}")


# -- what could not be seen -----------------------------------------------------------------


class Refusals:
    """The processes that a table met in a statement and those that it was not let into.

    Kept for the statement, so that a join that asks for one process after the other ends with
    one notice.
    """

    __slots__ = ("_counts", "errno", "needs", "refused", "said", "seen", "table", "unexamined")

    def __init__(self, table: str) -> None:
        self.table = table
        self.seen: set[str] = set()
        #: The processes by what was refused: the file, and the bits of the columns made of it.
        self.refused: dict[tuple[str, int], set[str]] = {}
        self._counts: dict[str, bool] = {}
        self.errno = EACCES
        self.said: list[str] = []
        #: Descriptors whose file system does not answer, and why: (pid, fd) to the errno's name.
        self.unexamined: dict[tuple[int, str], str] = {}
        #: The bits of the columns that come from examining a descriptor.
        self.needs = 0

    @classmethod
    def of(cls, table: str, request: Request, names: Iterable[str]) -> Refusals:
        """Those of ``table`` in this statement; ``names`` are the processes it will visit."""
        refusals: Refusals = request.snapshot.refusals.setdefault(table, cls(table))
        refusals.seen.update(names)
        return refusals

    @classmethod
    def merged(cls, several: Sequence[Refusals]) -> Refusals:
        """Those of several scans of one table as one."""
        if len(several) == 1:
            return several[0]
        found = cls(several[0].table)
        for refusals in several:
            found.seen |= refusals.seen
            for what, pids in refusals.refused.items():
                found.refused.setdefault(what, set()).update(pids)
            if refusals.refused:
                found.errno = refusals.errno
            found.unexamined |= refusals.unexamined
            found.needs |= refusals.needs
        return found

    def add(
        self,
        pid: str,
        error: OSError,
        host: Host,
        file: str = "",
        fields: list[bytes] | None = None,
        needs: int = 0,
    ) -> None:
        """Count ``pid``, whose ``file`` was refused with ``error``.

        Kernel threads and zombies have nothing that could be read and are not counted; ``fields``
        are those of stat, if they are at hand.  ``needs`` has the bits of the columns that are
        made of the file, 0 when no row is whole without it.
        """
        counts = self._counts.get(pid)
        if counts is None:
            counts = self._counts[pid] = _has_something(pid, host, fields)
        if not counts:
            return
        self.refused.setdefault((file, needs), set()).add(pid)
        self.errno = error.errno or EACCES

    def absent(self, pid: str) -> None:
        """Do not count ``pid``, which was asked for and is no process, or none any more."""
        self.seen.discard(pid)

    def lines(self, needs: int = -1) -> list[str]:
        """What to say to whom uses columns with these ``needs``; all columns unless given."""
        found = []
        refused = {
            what: pids for what, pids in self.refused.items() if not what[1] or what[1] & needs
        }
        if refused:
            files = ", ".join(sorted({file for file, _ in refused if file}))
            found.append(
                f"{self.table}: {files + ' of ' if files else ''}"
                f"{len(set().union(*refused.values()))} of {len(self.seen)} processes not readable "
                f"({errorcode[self.errno]}); run as root or with CAP_SYS_PTRACE"
            )
        if self.unexamined and self.needs & needs:
            reasons = ", ".join(sorted(set(self.unexamined.values())))
            files = "1 file" if len(self.unexamined) == 1 else f"{len(self.unexamined)} files"
            found.append(
                f"{self.table}: {files} could not be examined ({reasons}); "
                "what stat(2) tells of them is NULL"
            )
        return found

    def report(self, host: Host) -> None:
        """Say it, in place of what was said earlier in the statement."""
        for text in self.said:
            if text in host.notices:
                host.notices.remove(text)
        self.said = self.lines()
        for text in self.said:
            host.notice(text)


def _has_something(pid: str, host: Host, fields: list[bytes] | None) -> bool:
    """Whether something of the process was kept from us; a thread is not a process."""
    try:
        if fields is None:
            _, fields = parse_stat(read(f"{pid}/stat", host.proc))
    except OSError as error:
        return error.errno not in GONE
    return is_leader(fields) and not has_nothing(fields)


def has_nothing(fields: list[bytes]) -> bool:
    """Whether the process with these fields of stat is a kernel thread, or dead altogether."""
    if fields[STATE] in (b"Z", b"X"):
        return fields[THREADS] in (b"0", b"1")
    return bool((number(fields[FLAGS], "/proc/PID/stat flags") or 0) & KERNEL_THREAD)


def failed(error: OSError, host: Host, path: str) -> DataError:
    """The error for what is neither gone nor refused, say when we have no descriptor left."""
    return DataError(f"{host.proc_path}/{path}: {error.strerror}")
