"""The table file_locks over a directory laid out like /proc."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.errors import DataError, ParseError
from sockql.host import Host
from sockql.proc import locks as process_locks
from sockql.tables.file_locks import TABLE
from tests import fakeproc
from tests.fakeproc import Link, Tree, proc_tree, rows

VISIBLE = [column.name for column in TABLE.schema.visible]
HIDDEN = ["lock_id", *(column.name for column in TABLE.schema.columns if column.hidden)]
LOCKS = b"""\
1: POSIX  ADVISORY  WRITE 42 fe:00:1234 0 EOF
1: -> POSIX  ADVISORY  READ 43 fe:00:1234 10 19
1:  -> POSIX  ADVISORY  WRITE 44 fe:00:1234 10 10
2: OFDLCK ADVISORY  READ -1 08:11:77 5 9223372036854775806
3: OFDLCK ADVISORY  READ -1 08:11:77 5 9223372036854775806
4: FLOCK  ADVISORY  WRITE 41 08:11:78 0 EOF
5: LEASE  ACTIVE    READ 42 08:11:79 0 EOF
6: POSIX  *NOINODE* READ 99 <none>:0 0 EOF
"""


def fdinfo(*locks: int) -> bytes:
    lines = LOCKS.splitlines()
    head = b"pos:\t0\nflags:\t0100002\nmnt_id:\t16\nino:\t1061\n"
    return head + b"".join(b"lock:\t" + lines[number] + b"\n" for number in locks)


TREE: Tree = {
    "locks": LOCKS,
    "42/stat": fakeproc.stat(42),
    "42/fdinfo/3": fdinfo(),
    "42/fdinfo/4": fdinfo(0, 6),
    "42/fdinfo/10": fdinfo(3),
    "42/fdinfo/11": fdinfo(3),
    "42/fd/4": Link("/four"),
    "42/fd/10": Link("/ten (deleted)"),
    "43/stat": fakeproc.stat(43),
    "43/fdinfo/7": fdinfo(4, 5),
    "43/fd/7": Link("/\udcff"),
}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(str(proc_tree(TREE, tmp_path)))
    yield host
    host.close()


def test_a_lock_is_a_row_and_so_is_who_waits_for_it(host: Host) -> None:
    end = 9223372036854775806
    assert rows(TABLE, host, VISIBLE) == [
        (1, "POSIX", "ADVISORY", "WRITE", 0, 42, "254:0", 1234, 0, None),
        (1, "POSIX", "ADVISORY", "READ", 1, 43, "254:0", 1234, 10, 19),
        (1, "POSIX", "ADVISORY", "WRITE", 1, 44, "254:0", 1234, 10, 10),
        (2, "OFDLCK", "ADVISORY", "READ", 0, 42, "8:17", 77, 5, end),
        (3, "OFDLCK", "ADVISORY", "READ", 0, 43, "8:17", 77, 5, end),
        (4, "FLOCK", "ADVISORY", "WRITE", 0, 41, "8:17", 78, 0, None),
        (5, "LEASE", "ACTIVE", "READ", 0, 42, "8:17", 79, 0, None),
        (6, "POSIX", "*NOINODE*", "READ", 0, 99, None, None, 0, None),
    ]
    assert host.notices == []


def test_holders_are_found_in_fdinfo_whoever_took_the_lock(host: Host) -> None:
    assert rows(TABLE, host, HIDDEN) == [
        (1, None, 42, 4, "/four"),
        (1, 42, None, None, None),
        (1, 42, None, None, None),
        (2, None, 42, 10, "/ten (deleted)"),
        (3, None, 43, 7, "/\\xff"),
        (4, None, 43, 7, "/\\xff"),
        (5, None, 42, 4, "/four"),
        (6, None, None, None, None),
    ]


def test_without_the_file_there_is_no_answer(host: Host, tmp_path: Path) -> None:
    (tmp_path / "proc" / "locks").unlink()
    with pytest.raises(DataError, match="locks: No such file"):
        rows(TABLE, host, VISIBLE)


@pytest.mark.parametrize(
    "line", [b"1: POSIX", b"one: FLOCK ADVISORY WRITE 41 08:11:78 0 EOF", b"\xff"]
)
def test_a_line_of_another_layout_is_quoted(line: bytes) -> None:
    with pytest.raises(ParseError, match="/proc/locks"):
        process_locks.parse(line)


@given(st.binary(max_size=100))
def test_whatever_the_text_nothing_but_a_parse_error(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        process_locks.parse(b"1: " + data)
