"""Paths of cgroups by id: mounts as mountinfo has them, and a tree of directories."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sockql.host import Host
from sockql.proc.cgroups import Cgroups, find_mount
from tests.fakeproc import Link, proc_tree

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        (["22 1 8:1 / / rw - ext4 /dev/sda1 rw"], None),
        ([V2], ("/sys/fs/cgroup", "/")),
        (["31 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"], None),
        (
            ["41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 none rw"],
            ("/sys/fs/cgroup/unified", "/"),
        ),
        (["50 23 0:26 /a /mnt rw - cgroup2 c rw", V2], ("/sys/fs/cgroup", "/")),
        (["50 23 0:26 /a\\040b /m\\134n rw shared:1 master:2 - cgroup2 c rw"], ("/m\\n", "/a b")),
        (["50 23 0:26 - cgroup2 c rw", "", "x"], None),
    ],
)
def test_the_mount_is_found(lines: list[str], expected: tuple[str, str] | None) -> None:
    assert find_mount("\n".join([*lines, ""])) == expected


Tree = Callable[..., "tuple[Cgroups, dict[str, int]]"]


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """Makes cgroups of a procfs whose root has these folders, and gives the inode of each."""
    with ExitStack() as stack:

        def make(mountinfo: str, *folders: str) -> tuple[Cgroups, dict[str, int]]:
            names = dict.fromkeys(f"self/root/sys/fs/cgroup/{folder}" for folder in folders)
            files: dict[str, bytes | Link | None] = {"self/mountinfo": mountinfo.encode(), **names}
            proc = proc_tree(files, tmp_path)
            top = proc / "self/root/sys/fs/cgroup"
            top.mkdir(parents=True, exist_ok=True)
            (top / "cgroup.procs").write_text("1\n")
            host = Host(str(proc))
            stack.callback(host.close)
            return Cgroups(host), {name: (top / name).stat().st_ino for name in ("", *folders)}

        yield make


FOLDERS = ("a", "a/b", "a/b/c d", "z")


def test_every_cgroup_has_the_path_of_its_directory(tree: Tree) -> None:
    found, inodes = tree(V2 + "\n", *FOLDERS)
    assert {found[inode] for inode in inodes.values()} == {"/", *(f"/{name}" for name in FOLDERS)}
    assert [found[inodes[name]] for name in FOLDERS] == [f"/{name}" for name in FOLDERS]
    assert found[1] is None


def test_paths_are_below_what_the_mount_shows(tree: Tree) -> None:
    found, inodes = tree(V2.replace(" / /sys", " /pod /sys") + "\n", "a")
    assert (found[inodes[""]], found[inodes["a"]]) == ("/pod", "/pod/a")
    assert found.ids(frozenset({"/pod/a"})) == [inodes["a"]]
    assert found.ids(frozenset({"/other"})) is None
    assert found.ids(frozenset({"/poda"})) is None


def test_ids_are_looked_up_without_a_walk(tree: Tree) -> None:
    found, inodes = tree(V2 + "\n", *FOLDERS)
    assert found.ids(frozenset({"/a/b"})) == [inodes["a/b"]]
    assert found.ids(frozenset({"/"})) == [inodes[""]]
    assert len(found) == 0
    assert found.ids(frozenset({"/a", "/gone"})) is None


def test_bytes_that_are_not_utf_8_are_escaped(tree: Tree) -> None:
    found, inodes = tree(V2 + "\n", os.fsdecode(b"\xff"))
    assert found[inodes[os.fsdecode(b"\xff")]] == "/\\xff"


def test_without_a_mount_every_path_is_null(tree: Tree) -> None:
    found, inodes = tree("", "a")
    assert found[inodes["a"]] is None
    assert found.ids(frozenset({"/a"})) is None


def test_without_a_mountinfo_every_path_is_null(tmp_path: Path) -> None:
    host = Host(str(proc_tree({}, tmp_path)))
    assert Cgroups(host)[1] is None
    host.close()
