"""The walk over descriptors where the kernel does not let it in, or time passes meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.errors import DataError
from sockql.host import Host
from sockql.proc import descriptors, procfs
from sockql.proc import tables as process_tables
from sockql.request import Constraint
from sockql.tables.fds import TABLE
from tests import fakeproc
from tests.fakeproc import Link, Tree, proc_tree, rows

FDINFO = b"pos:\t7\nflags:\t0100001\nmnt_id:\t16\nino:\t1061\n"
NOTICE = "fds: {} of {} processes not readable (EACCES); run as root or with CAP_SYS_PTRACE"

Refuse = Callable[..., None]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A process, and another one whose main thread has ended."""
    tree: Tree = {
        "42/stat": fakeproc.stat(42),
        "42/fd/1": Link("socket:[5]"),
        "42/fd/2": Link("/dev/null"),
        "42/fdinfo/1": FDINFO,
        "42/fdinfo/2": FDINFO,
        "42/task/42/fd/1": Link("socket:[5]"),
        "43/stat": fakeproc.stat(43, state="Z", threads=4),
        "43/fd": None,
        "43/task/43/fd": None,
        "43/task/44/fd/3": Link("socket:[6]"),
        "43/task/45/fd/4": Link("socket:[7]"),
        "43/task/46/fd/4": Link("socket:[7]"),
    }
    host = Host(str(proc_tree(tree, tmp_path)))
    yield host
    host.close()


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Let a function of the module fail for some names, as the kernel refuses them."""

    def refuse(module: Any, function: str, *names: str, errno: int = 13) -> None:
        original = getattr(module, function)

        def refusing(name: str, *args: Any, **kwargs: Any) -> Any:
            if name in names:
                raise OSError(errno, os.strerror(errno))
            return original(name, *args, **kwargs)

        monkeypatch.setattr(module, function, refusing)

    return refuse


COLUMNS = ["pid", "tid", "fd"]
EVERYTHING = [(42, None, 1), (42, None, 2), (43, 44, 3), (43, 45, 4)]


def test_all_of_it_is_there_when_nothing_is_refused(host: Host) -> None:
    assert sorted(rows(TABLE, host, COLUMNS)) == EVERYTHING
    assert host.notices == []


def test_the_threads_are_asked_where_the_dead_main_thread_is_refused(
    host: Host, refuse: Refuse
) -> None:
    refuse(procfs, "open_directory", "43/fd", "43/fd")
    assert sorted(rows(TABLE, host, COLUMNS)) == EVERYTHING
    assert host.notices == []


def test_a_refused_thread_is_counted(host: Host, refuse: Refuse) -> None:
    refuse(procfs, "open_directory", "43/fd", "43/fd", "44/fd")
    assert sorted(rows(TABLE, host, COLUMNS)) == [*EVERYTHING[:2], (43, 45, 4)]
    assert host.notices == [NOTICE.format(1, 2)]


def test_threads_that_cannot_be_compared_add_nothing(host: Host, refuse: Refuse) -> None:
    refuse(process_tables, "_look", 43, 44, 45, 46)
    assert sorted(rows(TABLE, host, COLUMNS)) == EVERYTHING[:2]
    assert host.notices == [NOTICE.format(1, 2)]


def test_a_refused_process_is_counted(host: Host, refuse: Refuse) -> None:
    refuse(procfs, "open_directory", "42/fd")
    assert rows(TABLE, host, COLUMNS) == EVERYTHING[2:]
    assert host.notices == [NOTICE.format(1, 2)]


def test_a_process_that_shows_nothing_at_all_is_counted(host: Host, refuse: Refuse) -> None:
    refuse(procfs, "open_directory", "42/fd", "42/task")
    refuse(procfs, "read", "42/stat")
    assert rows(TABLE, host, COLUMNS) == EVERYTHING[2:]
    assert host.notices == [NOTICE.format(1, 2)]


def test_a_refused_process_that_ends_is_not_counted(host: Host, refuse: Refuse) -> None:
    refuse(procfs, "open_directory", "42/fd", "43/fd")
    refuse(procfs, "read", "../stat", errno=3)
    assert rows(TABLE, host, COLUMNS) == []
    assert host.notices == []


def test_refused_fdinfo_leaves_the_mode_of_the_link(host: Host, refuse: Refuse) -> None:
    one = Constraint("pid", "=", 42)
    columns = ["fd", "type", "mode", "flags", "pos", "cloexec", "mnt_id", "info", "locks"]
    nothing = [None] * 6
    expected = [(1, "socket", "rw", *nothing), (2, "chr", "rw", *nothing)]
    refuse(procfs, "read", "1", "2")
    assert sorted(rows(TABLE, host, columns, one)) == expected
    refuse(procfs, "open_directory", "../fdinfo")
    assert sorted(rows(TABLE, host, columns, one)) == expected
    assert host.notices == [NOTICE.format(1, 1)]


@pytest.mark.parametrize("errno", [5, 24])
def test_what_is_neither_gone_nor_refused_is_an_error(
    host: Host, refuse: Refuse, errno: int
) -> None:
    refuse(procfs, "read", "1", errno=errno)
    with pytest.raises(DataError, match=f"42/fd/1: {os.strerror(errno)}"):
        rows(TABLE, host, ["flags"], Constraint("pid", "=", 42))


def test_a_listing_that_fails_is_an_error(host: Host, refuse: Refuse) -> None:
    refuse(procfs, "open_directory", "../task", errno=24)
    with pytest.raises(DataError, match="43/fd: Too many open files"):
        rows(TABLE, host, COLUMNS, Constraint("pid", "=", 43))


def test_a_long_table_is_left_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = 0

    def check() -> None:
        nonlocal checks
        checks += 1

    tree: Tree = {f"42/fd/{number}": Link(f"socket:[{number}]") for number in range(10)}
    monkeypatch.setattr(descriptors, "_BATCH", 4)
    host = Host(str(proc_tree(tree, tmp_path)), check)
    assert sorted(rows(TABLE, host, ["inode"])) == [(number,) for number in range(10)]
    assert checks == 3
    checks = 0
    assert len(rows(TABLE, host, ["inode"], Constraint("type", "=", "socket"))) == 10
    assert checks == 3
    host.close()
