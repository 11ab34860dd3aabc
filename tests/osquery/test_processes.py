"""osquery's tables of processes over recorded /proc trees."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sockql.errors import DataError
from sockql.host import Host
from tests.fakeproc import PROCESSES, STATUS, Link, Tree, proc_tree, stat
from tests.osquery.asking import ask

ENVIRON = b"A=1\0\0\xe9=2\0nothing\0=x\0LD_PRELOAD=/tmp/a=b.so\0"
MAPS = b"""\
00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/a b
00652000-00655000 rw-p 00000000 08:02 173521      /usr/bin/c (deleted)
00e03000-00e24000 rw-p 00000000 00:00 0           [heap]
7ffd0000-7ffd1000 r--p 00000000 00:00 0
7ffe0000-7ffe1000 rw-s ffff000 fe:10 9            /dev/shm/x\\012y
"""


def on(tree: Tree, tmp_path: Path, sql: str) -> list[tuple[Any, ...]]:
    return ask(Host(str(proc_tree(tree, tmp_path))), sql)


def test_every_column_of_a_process_a_kernel_thread_and_a_zombie(tmp_path: Path) -> None:
    sql = "select *, elevated_token, translated from processes order by pid"
    process, thread, zombie = on(PROCESSES, tmp_path, sql)
    absent = (None, None)
    tick = 1000 // os.sysconf("SC_CLK_TCK")
    started = 1700000000 + 1000 * tick // 1000
    assert process == (
        *(42, "a) b\n\\xff", "/bin/sleep", "/bin/sleep  caf\\xe9 x", "S", "/tmp/gone (deleted)"),
        *("/", 1000, 100, 1001, 101, 1002, 102, 1, 0),
        *(1600 * 1024, 4096, 250 * tick, 50 * tick, 5, 10),
        *(started, 1, 42, 1, 5, "/x"),
        *absent,
    )
    assert thread == (
        *(43, "kworker/0:0", "", "", "I", "", "", 0, 0, 0, 0, 0, 0, -1, 0),
        *(None, None, 250 * tick, 50 * tick, None, None, started, 2, 43, 1, 5, ""),
        *absent,
    )
    assert zombie == (
        *(44, "", "", "", "Z", "", "", 1, 1, 1, 1, 1, 1, -1, 0),
        *(None, None, 250 * tick, 50 * tick, None, None, started, 0, 44, 1, 5, ""),
        *absent,
    )


def test_the_control_group_is_that_of_the_first_line(tmp_path: Path) -> None:
    tree = {**PROCESSES, "42/cgroup": b"0::/system.slice/a:b.service\n1:cpu:/y\n"}
    found = on(tree, tmp_path, "select cgroup_path from processes where pid = 42")
    assert found == [("/system.slice/a:b.service",)]


def test_a_process_without_a_known_boot_time_started_at_minus_one(tmp_path: Path) -> None:
    tree = {name: data for name, data in PROCESSES.items() if name != "stat"}
    found = on(tree, tmp_path, "select start_time from processes where pid = 42")
    assert found == [(-1,)]


@pytest.mark.parametrize("pid", ["'self'", "'42/../43'", "''", "null", "-1", "'0x2a'"])
def test_what_is_no_number_is_no_process(tmp_path: Path, pid: str) -> None:
    assert on(PROCESSES, tmp_path, f"select pid from processes where pid = {pid}") == []


@pytest.mark.parametrize("pid", ["42", "'42'", "42.0", "' 42 '"])
def test_a_number_may_be_a_text(tmp_path: Path, pid: str) -> None:
    assert on(PROCESSES, tmp_path, f"select pid from processes where pid = {pid}") == [(42,)]


def test_all_variables_of_an_environment(tmp_path: Path) -> None:
    found = on({**PROCESSES, "42/environ": ENVIRON}, tmp_path, "select * from process_envs")
    assert found == [
        (42, "A", "1"),
        (42, "\\xe9", "2"),
        (42, "nothing", "nothing"),
        (42, "", "x"),
        (42, "LD_PRELOAD", "/tmp/a=b.so"),
    ]


def test_the_mappings_of_a_process(tmp_path: Path) -> None:
    sql = "select * from process_memory_map where pid = 42"
    assert on({**PROCESSES, "42/maps": MAPS}, tmp_path, sql) == [
        (42, "0x00400000", "0x00452000", "r-xp", 4096, "08:02", 173521, "/usr/bin/a b", 0),
        (42, "0x00652000", "0x00655000", "rw-p", 0, "08:02", 173521, "/usr/bin/c", 0),
        (42, "0x00e03000", "0x00e24000", "rw-p", 0, "00:00", 0, "[heap]", 1),
        (42, "0x7ffd0000", "0x7ffd1000", "r--p", 0, "00:00", 0, "", 0),
        (42, "0x7ffe0000", "0x7ffe1000", "rw-s", 268431360, "fe:10", 9, "/dev/shm/x\ny", 0),
    ]


def test_the_namespaces_of_a_process_are_texts(tmp_path: Path) -> None:
    sql = "select * from process_namespaces where pid in (42, 43)"
    numbers = {
        name.rpartition("/")[2]: str(link).strip("]").rpartition("[")[2]
        for name, link in PROCESSES.items()
        if name.startswith("42/ns/")
    }
    wanted = [numbers[name] for name in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")]
    assert on(PROCESSES, tmp_path, sql) == [(42, *wanted), (43, *[None] * 7)]


def test_open_files_are_what_is_neither_socket_nor_pipe_nor_anonymous(tmp_path: Path) -> None:
    links = [
        *("/dev/null", "socket:[7]", "pipe:[8]", "anon_inode:[eventfd]", "/tmp/pipe:x"),
        *("/tmp/gone (deleted)", "/memfd:m (deleted)", "net:[9]", "/tmp/caf\udce9"),
    ]
    tree: Tree = {f"42/fd/{number}": Link(link) for number, link in enumerate(links)}
    sql = "select fd, path from process_open_files where pid = 42 order by fd"
    assert on({**PROCESSES, **tree, "42/task/42": None}, tmp_path, sql) == [
        (0, "/dev/null"),
        (4, "/tmp/pipe:x"),
        (5, "/tmp/gone (deleted)"),
        (6, "/memfd:m (deleted)"),
        (7, "net:[9]"),
        (8, "/tmp/caf\\xe9"),
    ]


def test_a_thread_is_found_by_its_number_though_no_listing_has_it(tmp_path: Path) -> None:
    tree = {**PROCESSES, "45/stat": stat(45, exit_signal=-1), "45/status": STATUS}
    sql = "select pid from processes where pid = 45"
    assert on(tree, tmp_path, sql) == [(45,)]


def test_a_machine_without_processes_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no processes here"):
        on({"uptime": b"1 1\n"}, tmp_path, "select * from processes")
