"""The table process_files over a directory laid out like /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sockql.host import Host
from sockql.request import Constraint
from sockql.tables.process_files import TABLE
from tests import fakeproc
from tests.fakeproc import Link, proc_tree, rows

VISIBLE = [column.name for column in TABLE.schema.visible]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "exe (deleted)").write_text("a file that is called like that")
    there = os.stat(tmp_path / "exe (deleted)").st_ino
    root = str(tmp_path)
    maps = (
        "00400000-00452000 r-xp 00001000 fe:10 173521      /usr/bin/a b (deleted)\n"
        "00452000-00453000 rw-p 00001000 fe:10 173521      /usr/bin/a b (deleted)\n"
        "00e03000-00e24000 rw-p 00000000 00:00 0           [heap]\n"
        "00e24000-00e25000 rw-p 00000000 fe:10 173521      /another/mount\n"
        f"00e25000-00e26000 rw-p 00000000 08:01 {there}      {root}/exe (deleted)\n"
        "7f0000000000-7f0000001000 rw-s 00000000 00:05 7   /new\\012line\n"
    )
    tree: fakeproc.Tree = {
        "42/stat": fakeproc.stat(42),
        "42/cwd": Link(root),
        "42/root": Link("/"),
        "42/exe": Link(f"{root}/exe (deleted)"),
        "42/maps": maps.encode(),
        "43/stat": fakeproc.stat(43, flags=0x200000),
        "43/cwd": Link("/"),
        "43/root": Link("/"),
        "43/maps": b"",
        "44/stat": fakeproc.stat(44, state="Z"),
        "44/maps": b"",
        "45/stat": fakeproc.stat(45),
        "45/cwd": Link(f"{root}/gone (deleted)"),
        "45/exe": Link("/\udcff"),
    }
    return Host(str(proc_tree(tree, tmp_path)))


def known(path: Path | str) -> tuple[str, int]:
    status = os.stat(path)
    return f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}", status.st_ino


def test_a_file_is_a_row_for_each_role(host: Host, tmp_path: Path) -> None:
    exe = tmp_path / "exe (deleted)"
    inode = os.stat(exe).st_ino
    assert rows(TABLE, host, VISIBLE) == [
        (42, "cwd", str(tmp_path), *known(tmp_path), 0),
        (42, "root", "/", *known("/"), 0),
        (42, "exe", str(exe), *known(exe), 0),
        (42, "mem", "/usr/bin/a b (deleted)", "254:16", 173521, 1),
        (42, "mem", "/another/mount", "254:16", 173521, 0),
        (42, "mem", str(exe), "8:1", inode, 0),
        (42, "mem", "/new\nline", "0:5", 7, 0),
        (43, "cwd", "/", *known("/"), 0),
        (43, "root", "/", *known("/"), 0),
        (45, "cwd", f"{tmp_path}/gone (deleted)", None, None, 1),
        (45, "exe", "/\\xff", None, None, 0),
    ]
    assert host.notices == []
    host.close()


def test_what_stat_tells_is_hidden(host: Host, tmp_path: Path) -> None:
    columns = ("role", "type", "size", "nlink")
    found = rows(TABLE, host, columns, Constraint("pid", "=", 42), Constraint("role", "=", "exe"))
    assert found == [("exe", "file", 31, 1)]
    there = os.stat("/")
    more = ("allocated", "file_mode", "file_uid", "file_gid")
    known = (there.st_size, there.st_nlink, there.st_blocks * 512)
    owned = (f"{there.st_mode & 0o7777:04o}", there.st_uid, there.st_gid)
    assert rows(TABLE, host, (*columns, *more), Constraint("pid", "=", 43)) == [
        (role, "dir", *known, *owned) for role in ("cwd", "root")
    ]
    host.close()


@pytest.mark.parametrize("role", ["cwd", "root", "exe", "mem", "fd"])
def test_a_role_is_looked_for_alone(host: Host, role: str) -> None:
    columns = ("pid", "role", "target")
    everything: list[tuple[Any, ...]] = rows(TABLE, host, columns)
    asked = rows(TABLE, host, columns, Constraint("role", "=", role))
    assert asked == [row for row in everything if row[1] == role]
    host.close()
