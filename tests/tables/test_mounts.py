"""The table mounts over directories laid out like /proc."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.errors import ParseError
from sockql.host import Host
from sockql.proc import mountinfo
from sockql.request import Constraint
from sockql.tables.mounts import TABLE
from tests import fakeproc
from tests.fakeproc import Link, Tree, proc_tree, rows

COLUMNS = list(TABLE.schema.by_name)
HOST = b"""\
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw,errors=continue
22 21 0:21 /sub\\040dir /mnt/a\\134040\\012\xff ro,nosuid shared:2 master:1 - fuse.sshfs me@there: rw
23 21 0:22 / /none rw - tmpfs none rw
24 21 0:23 / /empty rw unbindable - tmpfs  rw
"""
INNER = b"90 80 0:50 / / rw - overlay overlay rw,lowerdir=/a:/b\n"


def process(pid: int, mount: int, root: str, mounts: bytes) -> Tree:
    return {
        f"{pid}/stat": fakeproc.stat(pid),
        f"{pid}/ns/mnt": Link(f"mnt:[{mount}]"),
        f"{pid}/root": Link(root),
        f"{pid}/mountinfo": mounts,
    }


@pytest.fixture
def host(tmp_path: Path) -> Host:
    tree: Tree = {
        **process(41, 7, "/jail", HOST.splitlines(keepends=True)[0]),
        **process(42, 7, "/", HOST),
        **process(43, 7, "/", b"is not looked at\n"),
        **process(44, 8, "/container", INNER),
        "45/stat": fakeproc.stat(45, state="Z"),
    }
    return Host(str(proc_tree(tree, tmp_path)))


def test_a_mount_is_a_row_of_its_namespace(host: Host) -> None:
    point = "/mnt/a\\040\n\\xff"
    shared, errors = "shared:2 master:1", "rw,errors=continue"
    assert {row[0]: row[1:] for row in rows(TABLE, host, COLUMNS)} == {
        21: ("/", "ext4", "/dev/root", "rw,relatime", "254:0", 7, "/", 1, "shared:1", errors),
        22: (
            point,
            "fuse.sshfs",
            "me@there:",
            "ro,nosuid",
            "0:21",
            7,
            "/sub dir",
            21,
            shared,
            "rw",
        ),
        23: ("/none", "tmpfs", None, "rw", "0:22", 7, "/", 21, None, "rw"),
        24: ("/empty", "tmpfs", None, "rw", "0:23", 7, "/", 21, "unbindable", "rw"),
        90: ("/", "overlay", "overlay", "rw", "0:50", 8, "/", 80, None, "rw,lowerdir=/a:/b"),
    }
    assert host.notices == []
    host.close()


def test_a_namespace_is_asked_for_alone(host: Host) -> None:
    assert rows(TABLE, host, ["mnt_id"], Constraint("ns_mnt", "=", 8)) == [(90,)]
    assert rows(TABLE, host, ["mnt_id"], Constraint("ns_mnt", "=", 9)) == []
    host.close()


def test_without_namespaces_there_is_what_the_reader_sees(tmp_path: Path) -> None:
    tree: Tree = {"42/stat": fakeproc.stat(42), "self/mountinfo": INNER}
    host = Host(str(proc_tree(tree, tmp_path)))
    assert rows(TABLE, host, ["mnt_id", "ns_mnt"]) == [(90, None)]
    host.close()


@pytest.mark.parametrize("line", [b"21 1 254:0 / / rw", b"x 1 254:0 / / rw - ext4 /dev/root rw"])
def test_a_line_of_another_layout_is_quoted(line: bytes) -> None:
    with pytest.raises(ParseError, match="/proc/PID/mountinfo"):
        list(mountinfo.parse(line))


@given(st.binary(max_size=100))
def test_whatever_the_text_nothing_but_a_parse_error(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        list(mountinfo.parse(b"21 1 254:0 / " + data))
    mountinfo.unescape(data)
