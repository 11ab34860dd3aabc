"""The table namespaces over a directory laid out like /proc."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql.host import Host
from sockql.request import Constraint
from sockql.tables.namespaces import TABLE
from tests import fakeproc
from tests.fakeproc import Link, Tree, proc_tree, rows

COLUMNS = list(TABLE.schema.by_name)
MOUNTS = b"""\
21 1 254:0 / / rw,relatime - ext4 /dev/root rw
22 21 0:4 net:[300] /run/netns/a\\040b rw - nsfs nsfs rw
23 21 0:4 net:[300] /run/netns/again rw - nsfs nsfs rw
24 21 0:4 net:[100] /run/netns/host rw - nsfs nsfs rw
"""
TREE: Tree = {
    "42/stat": fakeproc.stat(42),
    "42/ns/net": Link("net:[100]"),
    "42/ns/mnt": Link("mnt:[200]"),
    "42/ns/pid": Link("pid:[250]"),
    "42/ns/pid_for_children": Link("pid:[251]"),
    "42/root": Link("/"),
    "42/mountinfo": MOUNTS,
    "42/task/42/ns/net": Link("net:[100]"),
    "42/task/50/ns/net": Link("net:[301]"),
    "42/fd/3": Link("net:[302]"),
    "42/fd/4": Link("net:[302]"),
    "42/fd/5": Link("mnt:[200]"),
    "42/fd/6": Link("socket:[303]"),
    "41/stat": fakeproc.stat(41),
    "41/ns/net": Link("net:[100]"),
    "41/ns/pid": Link("pid:[250]"),
    "41/ns/pid_for_children": Link("pid:[250]"),
    "41/task/41/ns/net": Link("net:[100]"),
    "41/fd": None,
    "43/stat": fakeproc.stat(43, state="Z"),
    "43/task/43/stat": b"",
    "43/fd": None,
}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(str(proc_tree(TREE, tmp_path)))
    yield host
    host.close()


def test_a_namespace_is_a_row_whatever_keeps_it(host: Host) -> None:
    assert rows(TABLE, host, COLUMNS) == [
        ("mnt", 200, 1, 42, 1, None, None, None),
        ("net", 100, 2, 41, 0, "/run/netns/host", None, None),
        ("net", 300, 0, None, 0, "/run/netns/a b", None, None),
        ("net", 301, 1, 42, 0, None, None, None),
        ("net", 302, 0, None, 2, None, None, None),
        ("pid", 250, 2, 41, 0, None, None, None),
        ("pid", 251, 0, None, 0, None, None, None),
    ]
    assert host.notices == []


@pytest.mark.parametrize("kind", ["mnt", "net", "pid", "user", "none"])
def test_a_type_is_looked_for_alone(host: Host, kind: str) -> None:
    everything = rows(TABLE, host, COLUMNS)
    asked = rows(TABLE, host, COLUMNS, Constraint("ns_type", "=", kind))
    assert asked == [row for row in everything if row[0] == kind]
