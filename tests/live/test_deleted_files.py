"""The views deleted_files and process_tree, on the running kernel."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sockql import connect
from sockql.engine import Engine
from tests.live.children import child

#: What a process keeps in the test.
kept: list[mmap.mmap] = []


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def test_files_without_a_name_are_found_in_whatever_role(engine: Engine, tmp_path: Path) -> None:
    def prepare() -> dict[str, int]:
        names = ("opened", "mapped", "linked", "named (deleted)")
        opened = {name: os.open(tmp_path / name, os.O_CREAT | os.O_RDWR) for name in names}
        for descriptor in opened.values():
            os.write(descriptor, b"x" * 4096)
        kept.append(mmap.mmap(opened["mapped"], 4096))
        os.close(opened["mapped"])
        os.link(tmp_path / "linked", tmp_path / "another")
        (tmp_path / "folder").mkdir()
        os.chdir(tmp_path / "folder")
        (tmp_path / "folder").rmdir()
        for name in names[:-1]:
            (tmp_path / name).unlink()
        # mmap() has made a descriptor of its own, which is not looked for.
        os.closerange(max(opened.values()) + 1, 100)
        return opened

    with child(prepare) as (pid, opened):
        found = engine.query(
            "select role, fd, type, target, size, allocated > 0 from deleted_files"
            f" where pid = {pid} and target like '{tmp_path}%' order by target"
        )
        listed = (
            subprocess.run(
                ["lsof", "-nP", "+L1", "-a", "-p", str(pid), "-F", "fn0"],
                capture_output=True,
                text=True,
                check=False,
            ).stdout
            if shutil.which("lsof")
            else None
        )
    if os.geteuid():
        pytest.skip("map_files takes CAP_CHECKPOINT_RESTORE (EPERM)")
    size = found[0][4]
    assert found == [
        ("cwd", None, "dir", f"{tmp_path}/folder (deleted)", size, found[0][5]),
        ("mem", None, "file", f"{tmp_path}/mapped (deleted)", 4096, 1),
        (None, opened["opened"], "file", f"{tmp_path}/opened (deleted)", 4096, 1),
    ]
    if listed is not None:
        # It does not count the names of mapped files, so it does not list them here.
        fields = [line.split("\0") for line in listed.splitlines() if line.startswith("f")]
        theirs = {(field[0][1:], field[1][1:].removesuffix(" (deleted)")) for field in fields}
        assert theirs == {
            (role or str(fd), target.removesuffix(" (deleted)"))
            for role, fd, _, target, *_ in found
            if role != "mem"
        }


def test_a_family_is_a_branch_of_the_tree(engine: Engine) -> None:
    with child(lambda: None) as (pid, _):
        found = engine.query(
            f"select parent, depth, ancestors, lineage from process_tree where pid = {pid}"
        )
        above = [psutil.Process(), *psutil.Process().parents()][::-1]
        [[name]] = engine.query(f"select name from processes where pid = {pid}")
    numbers = "[" + ",".join(str(process.pid) for process in above) + "]"
    lineage = " > ".join([*(process.name() for process in above), name])
    assert found == [(os.getpid(), len(above), numbers, lineage)]
