"""What the link and the fdinfo file of a descriptor say: its kind, flags, position, locks.

Everything here is a pure function over what was read.
Source: proc_pid_fd(5), proc_pid_fdinfo(5); fs/proc/fd.c, seq_show().
"""

from __future__ import annotations

import os

from sockql.errors import ParseError
from sockql.proc.procfs import number, readable_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Types of what has a path; finding out which takes a stat().
PATH_TYPES: Final = frozenset(
    {"file", "dir", "chr", "blk", "fifo", "link", "sockfile", "memfd", "secretmem", "dmabuf"}
)
#: What /proc/PID/ns/ lists; a descriptor of one links to name:[inode].
NAMESPACES: Final = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")

_BY_MODE: Final = {
    0o010000: "fifo",
    0o020000: "chr",
    0o040000: "dir",
    0o060000: "blk",
    0o100000: "file",
    0o120000: "link",
    0o140000: "sockfile",
}
_NAMESPACE_LINKS: Final = frozenset(NAMESPACES) | {"pid_for_children", "time_for_children"}
# The kernel's own names where they differ from the one a person knows it by.
_ANONYMOUS: Final = {"eventpoll": "epoll"}


def is_path(link: str) -> bool:
    """Whether a descriptor's link text is a path, not the name of something without one."""
    return link[:1] in ("/", "(")  # "(unreachable)/…" is outside the reader's root


def path_type(link: str | None, mode: int, links: int) -> str | None:
    """The type of what has a path, from st_mode and st_nlink; None when it is of no known kind.

    A memfd is a regular file whose path is made up, and which never had a link.
    """
    kind = _BY_MODE.get(mode & 0o170000)
    if link is not None:
        if kind == "file":
            if links == 0 and link.startswith("/memfd:"):
                return "memfd"
            if links and link == "/secretmem (deleted)":
                return "secretmem"
        elif kind is None and link.startswith("/dmabuf:"):
            return "dmabuf"
    return kind


def other_type(link: str) -> str:
    """The type of what has no path: socket, pipe, ns, or the name of an anonymous inode.

    >>> other_type("socket:[4711]"), other_type("net:[4026531833]")
    ('socket', 'ns')
    >>> other_type("anon_inode:[eventpoll]"), other_type("anon_inode:kvm-vcpu:0")
    ('epoll', 'kvm-vcpu')
    """
    kind, _, name = link.partition(":")
    if kind == "anon_inode":
        name = name.strip("[]").partition(":")[0]
        return _ANONYMOUS.get(name, name)
    return "ns" if kind in _NAMESPACE_LINKS else kind


def socket_inode(process: str, fd: str, link: str) -> int:
    """The number in ``socket:[4711]``, the link of a descriptor.

    :raises ParseError: when there is none.
    """
    try:
        return int(link[8:-1])
    except ValueError:
        message = f"/proc/{process}/fd/{fd}: {link!r}: expected socket:[inode]"
        raise ParseError(message) from None


# -- flags ----------------------------------------------------------------------------------

# 64-bit programs have no O_LARGEFILE to ask the C library for, the kernel sets it nevertheless.
# Source: include/uapi/asm-generic/fcntl.h and those of arm, arm64, m68k and powerpc.
_LARGEFILE: Final = os.O_LARGEFILE or {0o200000: 0o400000, 0o400000: 0o200000}.get(
    os.O_DIRECT, 0o100000
)
_TMPFILE_ONLY: Final = os.O_TMPFILE & ~os.O_DIRECTORY
# The longer ones first where one contains the other.
_FLAGS: Final = (
    ("O_APPEND", os.O_APPEND),
    ("O_ASYNC", os.O_ASYNC),
    ("O_CLOEXEC", os.O_CLOEXEC),
    ("O_DIRECT", os.O_DIRECT),
    ("O_TMPFILE", os.O_TMPFILE),
    ("O_DIRECTORY", os.O_DIRECTORY),
    ("O_SYNC", os.O_SYNC),
    ("O_DSYNC", os.O_DSYNC),
    ("O_NOATIME", os.O_NOATIME),
    ("O_NOFOLLOW", os.O_NOFOLLOW),
    ("O_NONBLOCK", os.O_NONBLOCK),
    ("O_PATH", os.O_PATH),
)


def flag_names(flags: int) -> str:
    """``flags`` as open(2) names them, joined by commas; bits without a name in octal.

    Without the access mode, and without O_LARGEFILE, which every 64-bit program's files have.

    >>> flag_names(os.O_RDWR | os.O_APPEND | os.O_NONBLOCK)
    'O_APPEND,O_NONBLOCK'
    """
    flags &= ~(os.O_ACCMODE | _LARGEFILE)
    names = []
    for name, bits in _FLAGS:
        if flags & bits == bits:
            names.append(name)
            flags &= ~bits
    if flags:
        names.append(f"0{flags:o}")
    return ",".join(names)


def access_mode(flags: int) -> str | None:
    """``r``, ``w`` or ``rw``; None for what can be neither read nor written (O_PATH)."""
    return None if flags & os.O_PATH else (("r", "w", "rw", None)[flags & os.O_ACCMODE])


# -- fdinfo ---------------------------------------------------------------------------------


def head(data: bytes) -> tuple[int | None, int, int | None]:
    """``(pos, flags, mnt_id)``, which every fdinfo starts with.

    mnt_id is None on kernels before 3.15, which do not say it.

    :raises ParseError: when it starts otherwise.
    """
    parts = data.split(None, 6)
    if parts[0:3:2] != [b"pos:", b"flags:"] or len(parts) < 4:
        raise ParseError(f"/proc/PID/fdinfo: {data[:200]!r}: expected pos and flags")
    flags = number(parts[3], "/proc/PID/fdinfo flags", 8)
    mount = parts[5] if len(parts) > 5 and parts[4] == b"mnt_id:" else None
    return (
        number(parts[1], "/proc/PID/fdinfo pos"),
        flags or 0,
        None if mount is None else number(mount, "/proc/PID/fdinfo mnt_id"),
    )


def number_of(data: bytes, key: bytes) -> int | None:
    """The number in the line ``key: number``; None when there is no such line.

    :raises ParseError: when it is no number.
    """
    start = data.find(b"\n" + key + b":")
    if start < 0:
        return None
    line = data[start + len(key) + 2 :].partition(b"\n")[0]
    return number(line.strip(), f"/proc/PID/fdinfo {key.decode()}")


def locks(data: bytes) -> str | None:
    """The locks held through this descriptor as a JSON array of objects; None when there are none.

    ``class`` is POSIX, OFDLCK, FLOCK, LEASE or DELEG, ``kind`` ADVISORY, ACTIVE, BREAKING …,
    ``access`` READ, WRITE …; ``pid`` is NULL for an open file description lock, ``end`` NULL for
    a lock up to the end of the file.
    Source: fs/locks.c, lock_get_status().

    :raises ParseError: when a lock is not laid out like this.
    """
    found = []
    for line in data.splitlines():
        if not line.startswith(b"lock:"):
            continue
        # lock: 1: POSIX ADVISORY WRITE 4711 08:01:1234 0 EOF
        words = line.split()
        if len(words) != 9:
            raise ParseError(f"/proc/PID/fdinfo lock: {line[:200]!r}: expected nine words")
        what = "/proc/PID/fdinfo lock"
        major, minor, inode = [*words[6].split(b":"), b"", b""][:3]
        pid = number(words[5], what)
        found.append(
            {
                "class": readable_text(words[2]),
                "kind": readable_text(words[3]),
                "access": readable_text(words[4]),
                "pid": None if pid is None or pid < 0 else pid,
                "dev": f"{number(major, what, 16)}:{number(minor, what, 16)}",
                "inode": number(inode, what),
                "start": number(words[7], what),
                "end": None if words[8] == b"EOF" else number(words[8], what),
            }
        )
    if not found:
        return None
    from json import dumps

    return dumps(found, ensure_ascii=False)
