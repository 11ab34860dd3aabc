"""The table process_limits over a directory laid out like /proc."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockql.errors import ParseError
from sockql.host import Host
from sockql.tables.process_limits import TABLE
from tests import fakeproc
from tests.fakeproc import proc_tree, rows

COLUMNS = ("pid", "resource", "soft_limit", "hard_limit", "limit_unit")
LIMITS = b"""\
Limit                     Soft Limit           Hard Limit           Units
Max cpu time              10                   unlimited            seconds
Max open files            1024                 524288               files
Max address space         18446744073709551614 unlimited            bytes
Max realtime priority     0                    0
Max realtime timeout      unlimited            unlimited            us
Max of something new      1                    2                    things
"""


def limits(tmp_path: Path, data: bytes) -> list[tuple[object, ...]]:
    # The kernel pads each line to the same width.
    padded = b"".join(line.ljust(78) + b"\n" for line in data.splitlines())
    tree = {"42/stat": fakeproc.stat(42), "42/limits": padded}
    host = Host(str(proc_tree(tree, tmp_path)))
    try:
        return rows(TABLE, host, COLUMNS)
    finally:
        host.close()


def test_a_resource_is_a_row_and_no_limit_is_null(tmp_path: Path) -> None:
    assert limits(tmp_path, LIMITS) == [
        (42, "cpu", 10, None, "seconds"),
        (42, "nofile", 1024, 524288, "files"),
        (42, "as", None, None, "bytes"),
        (42, "rtprio", 0, 0, None),
        (42, "rttime", None, None, "us"),
        (42, "Max of something new", 1, 2, "things"),
    ]


def test_a_dead_process_has_none(tmp_path: Path) -> None:
    assert limits(tmp_path, b"") == []


def test_a_line_of_another_layout_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="'Max cpu time 10 "):
        limits(tmp_path, b"Limit\nMax cpu time 10\n")
    with pytest.raises(ParseError, match="many"):
        limits(tmp_path, b"Limit\nMax cpu time              many                 few seconds\n")
