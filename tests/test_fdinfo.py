"""Kinds, flags and fdinfo of descriptors: the parsers."""

from __future__ import annotations

import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.errors import ParseError
from sockql.proc import fdinfo

PLAIN = b"pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t1061\n"
#: Made of the words of fdinfo, which plain bytes would hardly ever hit.
FDINFO = st.lists(
    st.sampled_from(
        [
            b"pos:\t1\n",
            b"flags:\t0100000\n",
            b"lock:\t",
            b"1: POSIX  ADVISORY  WRITE ",
            b"tfd:",
            b"inotify ",
            b"fanotify ",
            b"wd:1 ",
            b"\n",
            b" ",
            b":",
            b"7 08:01:99 0 EOF\n",
            b"-1 ",
        ]
    )
    | st.binary(max_size=8)
).map(b"".join)


@pytest.mark.parametrize(
    ("link", "type"),
    [
        ("socket:[4711]", "socket"),
        ("pipe:[4711]", "pipe"),
        ("anon_inode:[eventfd]", "eventfd"),
        ("anon_inode:[eventpoll]", "epoll"),
        ("anon_inode:inotify", "inotify"),
        ("anon_inode:[fanotify]", "fanotify"),
        ("anon_inode:[timerfd]", "timerfd"),
        ("anon_inode:[signalfd]", "signalfd"),
        ("anon_inode:[pidfd]", "pidfd"),
        ("pidfd:[4711]", "pidfd"),
        ("anon_inode:[io_uring]", "io_uring"),
        ("anon_inode:[userfaultfd]", "userfaultfd"),
        ("anon_inode:[perf_event]", "perf_event"),
        ("anon_inode:bpf-map", "bpf-map"),
        ("anon_inode:bpf-prog", "bpf-prog"),
        ("anon_inode:bpf_link", "bpf_link"),
        ("anon_inode:kvm-vcpu:3", "kvm-vcpu"),
        ("anon_inode:seccomp notify", "seccomp notify"),
        ("net:[4026531833]", "ns"),
        ("pid_for_children:[4026531836]", "ns"),
        ("new_kind:[12]", "new_kind"),
    ],
)
def test_what_has_no_path_is_named_by_the_kernel(link: str, type: str) -> None:
    assert not fdinfo.is_path(link)
    assert fdinfo.other_type(link) == type


@pytest.mark.parametrize(
    ("link", "mode", "links", "type"),
    [
        ("/etc/passwd", stat.S_IFREG, 1, "file"),
        ("/socket:[1]", stat.S_IFREG, 1, "file"),
        ("/tmp/x (deleted)", stat.S_IFREG, 0, "file"),
        ("(unreachable)/x", stat.S_IFREG, 1, "file"),
        (None, stat.S_IFDIR, 2, "dir"),
        ("/dev/null", stat.S_IFCHR, 1, "chr"),
        ("/dev/sda", stat.S_IFBLK, 1, "blk"),
        ("/run/fifo", stat.S_IFIFO, 1, "fifo"),
        ("/run/sock", stat.S_IFSOCK, 1, "sockfile"),
        ("/run/link", stat.S_IFLNK, 1, "link"),
        ("/memfd:x (deleted)", stat.S_IFREG, 0, "memfd"),
        ("/memfd:x", stat.S_IFREG, 1, "file"),
        ("/secretmem (deleted)", stat.S_IFREG, 1, "secretmem"),
        ("/secretmem (deleted)", stat.S_IFREG, 0, "file"),
        ("/dmabuf:", 0, 1, "dmabuf"),
        ("/strange", 0, 1, None),
    ],
)
def test_what_has_a_path_is_told_by_its_mode(
    link: str | None, mode: int, links: int, type: str | None
) -> None:
    assert link is None or fdinfo.is_path(link)
    assert fdinfo.path_type(link, mode | 0o644, links) == type
    assert type is None or type in fdinfo.PATH_TYPES


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (os.O_RDONLY, ""),
        (os.O_RDWR | 0o100000, ""),
        (os.O_WRONLY | os.O_APPEND, "O_APPEND"),
        (os.O_NONBLOCK | os.O_CLOEXEC, "O_CLOEXEC,O_NONBLOCK"),
        (os.O_SYNC, "O_SYNC"),
        (os.O_DSYNC, "O_DSYNC"),
        (os.O_TMPFILE | os.O_RDWR, "O_TMPFILE"),
        (os.O_DIRECTORY | os.O_NOFOLLOW, "O_DIRECTORY,O_NOFOLLOW"),
        (os.O_PATH, "O_PATH"),
        (os.O_ASYNC | os.O_DIRECT | os.O_NOATIME, "O_ASYNC,O_DIRECT,O_NOATIME"),
        (1 << 30, "010000000000"),
    ],
)
@pytest.mark.skipif(os.O_DIRECTORY != 0o200000, reason="other bits on this architecture")
def test_flags_have_the_names_of_open(flags: int, names: str) -> None:
    assert fdinfo.flag_names(flags) == names


@pytest.mark.parametrize(
    ("flags", "mode"),
    [
        (os.O_RDONLY | os.O_CLOEXEC, "r"),
        (os.O_WRONLY, "w"),
        (os.O_RDWR | os.O_APPEND, "rw"),
        (os.O_PATH, None),
        (os.O_ACCMODE, None),
    ],
)
def test_the_access_mode_is_r_w_or_both(flags: int, mode: str | None) -> None:
    assert fdinfo.access_mode(flags) == mode


def test_fdinfo_starts_with_position_flags_and_mount() -> None:
    assert fdinfo.head(PLAIN) == (0, os.O_RDWR | 0o2000000, 16)
    assert fdinfo.head(b"pos:\t9223372036854775807\nflags:\t02\n") == (2**63 - 1, 2, None)


@pytest.mark.parametrize(
    "data", [b"", b"pos:\t0\n", b"flags:\t02\npos:\t0\n", b"pos:\tx\nflags:\t9"]
)
def test_a_strange_start_is_quoted(data: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        fdinfo.head(data)
    assert "/proc/PID/fdinfo" in str(caught.value)


def test_a_plain_file_has_no_locks() -> None:
    assert fdinfo.locks(PLAIN) is None


def test_locks_are_objects_of_their_parts() -> None:
    locks = fdinfo.locks(
        PLAIN
        + b"lock:\t1: POSIX  ADVISORY  WRITE 4711 08:01:1234 10 EOF\n"
        + b"lock:\t2: FLOCK  ADVISORY  READ 4711 00:2a:1234 0 EOF\n"
        + b"lock:\t3: OFDLCK ADVISORY  READ -1 08:01:1234 0 99\n"
    )
    assert locks is not None
    assert json.loads(locks) == [
        {
            "class": "POSIX",
            "kind": "ADVISORY",
            "access": "WRITE",
            "pid": 4711,
            "dev": "8:1",
            "inode": 1234,
            "start": 10,
            "end": None,
        },
        {
            "class": "FLOCK",
            "kind": "ADVISORY",
            "access": "READ",
            "pid": 4711,
            "dev": "0:42",
            "inode": 1234,
            "start": 0,
            "end": None,
        },
        {
            "class": "OFDLCK",
            "kind": "ADVISORY",
            "access": "READ",
            "pid": None,
            "dev": "8:1",
            "inode": 1234,
            "start": 0,
            "end": 99,
        },
    ]


@pytest.mark.parametrize(
    "line", [b"lock:\t1: POSIX\n", b"lock:\t1: POSIX  ADVISORY  WRITE x 08:01:1234 10 EOF\n"]
)
def test_a_strange_lock_is_quoted(line: bytes) -> None:
    with pytest.raises(ParseError, match="/proc/PID/fdinfo lock: b'"):
        fdinfo.locks(PLAIN + line)


@given(FDINFO)
def test_any_fdinfo_is_understood_or_refused_as_a_parse_error(data: bytes) -> None:
    for parse in (fdinfo.head, fdinfo.locks):
        try:
            parse(data)
        except ParseError as error:
            found = str(error)
            assert "/proc/PID/fdinfo" in found


@given(st.text(), st.integers(0, 0o177777), st.integers(0, 2))
def test_any_link_has_a_type_or_none(link: str, mode: int, links: int) -> None:
    assert isinstance(fdinfo.other_type(link), str)
    assert fdinfo.path_type(link, mode, links) in fdinfo.PATH_TYPES | {None}


@given(st.integers(0, 2**32 - 1))
def test_no_flag_is_lost(flags: int) -> None:
    back = 0
    for name in filter(None, fdinfo.flag_names(flags).split(",")):
        back |= getattr(os, name) if name.startswith("O_") else int(name, 8)
    assert back == flags & ~(os.O_ACCMODE | fdinfo._LARGEFILE)
