"""The table process_envs over a directory laid out like /proc."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockql.host import Host
from sockql.proc import procfs
from sockql.request import Constraint
from sockql.tables.process_envs import TABLE, variables
from tests import fakeproc
from tests.fakeproc import Tree, proc_tree, rows

COLUMNS = ("pid", "key", "value")
TREE: Tree = {
    "42/stat": fakeproc.stat(42),
    "42/environ": b"A=1\0EMPTY=\0=C=x=y\0A=2\0nothing\0caf\xe9=\xff\n\0\0\0",
    "43/stat": fakeproc.stat(43),
    "43/environ": b"",
    "44/stat": fakeproc.stat(44, state="Z"),
}


def test_a_variable_is_a_row_whatever_it_holds(tmp_path: Path) -> None:
    host = Host(str(proc_tree(TREE, tmp_path)))
    assert rows(TABLE, host, COLUMNS) == [
        (42, "A", "1"),
        (42, "EMPTY", ""),
        (42, "=C", "x=y"),
        (42, "A", "2"),
        (42, "nothing", None),
        (42, "caf\\xe9", "\\xff\n"),
    ]
    assert rows(TABLE, host, COLUMNS, Constraint("pid", "=", 43)) == []
    assert rows(TABLE, host, ["key"], Constraint("pid", "<", 42)) == []
    assert host.notices == []
    host.close()


def test_a_process_that_started_later_under_its_number_is_another(tmp_path: Path) -> None:
    from sockql.snapshot import Snapshot

    host = Host(str(proc_tree(TREE, tmp_path)))
    snapshot = Snapshot(shared=True)
    snapshot.memo["start times"] = {42: b"7"}
    assert rows(TABLE, host, COLUMNS, snapshot=snapshot) == []
    host.close()


def test_numbers_that_no_process_has_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = procfs.read

    def refusing(name: str, directory: int) -> bytes:
        if name == "environ":
            raise PermissionError(13, "Permission denied")
        return read(name, directory)

    monkeypatch.setattr(procfs, "read", refusing)
    tree = {**TREE, "45/stat": fakeproc.stat(45, exit_signal=-1)}
    host = Host(str(proc_tree(tree, tmp_path)))
    assert rows(TABLE, host, COLUMNS, Constraint("pid", "in", frozenset(range(40, 99)))) == []
    assert host.notices == [
        (
            "process_envs: environ of 2 of 3 processes not readable (EACCES); "
            "run as root or with CAP_SYS_PTRACE"
        )
    ]
    host.close()


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"", []), (b"\0\0", []), (b"A=1", [(b"A", b"1")]), (b"=", [(b"=", None)])],
)
def test_what_is_left_of_an_environment(
    data: bytes, found: list[tuple[bytes, bytes | None]]
) -> None:
    assert variables(data) == found
