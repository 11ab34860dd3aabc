"""The table cgroups over a directory laid out like /proc and /sys/fs/cgroup."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql.host import Host
from sockql.proc.cgroup_tree import hierarchies
from sockql.tables.cgroups import TABLE
from tests.fakeproc import Link, Tree, proc_tree, rows

MOUNTS = b"""\
30 1 0:24 / /other rw - tmpfs tmpfs rw
31 1 0:25 /part /part rw - cgroup2 cgroup2 rw,nsdelegate
32 1 0:25 / /cg/unified rw - cgroup2 cgroup2 rw,nsdelegate
33 1 0:26 /docker/1 /cg/cpu rw - cgroup cgroup rw,xattr,release_agent=/x,cpu,cpuacct
34 1 0:27 / /cg/named rw - cgroup cgroup rw,name=systemd
35 1 0:28 / /cg/gone rw - cgroup cgroup rw,pids
"""
V2, V1 = "self/root/cg/unified", "self/root/cg/cpu"
TREE: Tree = {
    "self": Link("42"),
    "42/mountinfo": MOUNTS,
    f"42/root/{V2[10:]}/cgroup.procs": b"1\n2\n",
    f"42/root/{V2[10:]}/a/cgroup.procs": b"",
    f"42/root/{V2[10:]}/a/memory.current": b"4096\n",
    f"42/root/{V2[10:]}/a/memory.peak": b"8192\n",
    f"42/root/{V2[10:]}/a/memory.max": b"max\n",
    f"42/root/{V2[10:]}/a/memory.swap.current": b"1\n",
    f"42/root/{V2[10:]}/a/cpu.stat": b"usage_usec 12\nuser_usec 5\n",
    f"42/root/{V2[10:]}/a/pids.current": b"3\n",
    f"42/root/{V2[10:]}/a/pids.max": b"10\n",
    f"42/root/{V2[10:]}/a/cgroup.freeze": b"1\n",
    f"42/root/{V2[10:]}/a/b\n\udcff": None,
    f"42/root/{V1[10:]}/cgroup.procs": b"7\n",
    f"42/root/{V1[10:]}/cpuacct.usage": b"123456\n",
    f"42/root/{V1[10:]}/memory.limit_in_bytes": b"9223372036854771712\n",
    "42/root/cg/named": None,
}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(str(proc_tree(TREE, tmp_path)))
    yield host
    host.close()


def test_a_group_is_a_row_in_each_hierarchy(host: Host) -> None:
    def id(path: str) -> int:
        return os.stat(f"{host.proc_path}/{V2}{path}").st_ino

    columns = [column.name for column in TABLE.schema.visible]
    assert rows(TABLE, host, columns) == [
        ("/", None, id(""), 2),
        ("/a", None, id("/a"), 0),
        ("/a/b\n\\xff", None, id("/a/b\n\udcff"), None),
        ("/docker/1", "cpu,cpuacct", None, 1),
        ("/", "name=systemd", None, None),
    ]


def test_what_controllers_count_is_hidden(host: Host) -> None:
    columns = [column.name for column in TABLE.schema.columns if column.hidden]
    found = rows(TABLE, host, ["cgroup_path", *columns])
    expected = [4096, 8192, None, 1, 12, 3, 10, 1]
    assert dict(zip(columns, found[1][1:])) == dict(zip(columns, expected))
    assert [row[1:] for row in found if row[0] == "/docker/1"] == [
        (None, None, None, None, 123, None, None, None)
    ]


def test_of_several_mounts_that_is_taken_that_shows_most() -> None:
    assert hierarchies(MOUNTS) == {
        None: ("/cg/unified", "/"),
        "cpu,cpuacct": ("/cg/cpu", "/docker/1"),
        "name=systemd": ("/cg/named", "/"),
        "pids": ("/cg/gone", "/"),
    }


def test_without_mounts_there_are_no_groups(tmp_path: Path) -> None:
    host = Host(str(proc_tree({"42/stat": b""}, tmp_path)))
    assert rows(TABLE, host, ["cgroup_path"]) == []
    host.close()
