"""The table processes over directories laid out like /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.errors import DataError
from sockql.host import Host
from sockql.proc import procfs
from sockql.proc.files import TICKS
from sockql.request import UNKNOWN, Constraint, Request
from sockql.snapshot import Snapshot
from sockql.tables.processes import TABLE
from tests import fakeproc
from tests.fakeproc import Link, Tree, proc_tree, rows

VISIBLE = [column.name for column in TABLE.schema.visible]
ALL = [column.name for column in TABLE.schema.columns]
HIDDEN = [name for name in ALL if name not in VISIBLE]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return proc_tree(fakeproc.PROCESSES, tmp_path)


@pytest.fixture
def host(tree: Path) -> Iterator[Host]:
    host = Host(str(tree))
    yield host
    host.close()


def test_a_process_is_a_row(host: Host) -> None:
    server, kernel, zombie = (dict(zip(VISIBLE, row)) for row in sorted(rows(TABLE, host, VISIBLE)))
    common = {
        "user_time": 250 * 1000 // TICKS,
        "system_time": 50 * 1000 // TICKS,
        "start_time": 1700000000 + 1000 // TICKS,
        "threads": 1,
        "nice": 5,
    }
    assert server == {
        **common,
        "pid": 42,
        "name": "a) b\n\\xff",
        "path": "/bin/sleep",
        "cmdline": "/bin/sleep  caf\\xe9 x",
        "status": "S",
        "cwd": "/tmp/gone (deleted)",
        "root": "/",
        "uid": 1000,
        "gid": 100,
        "euid": 1001,
        "egid": 101,
        "suid": 1002,
        "sgid": 102,
        "on_disk": 1,
        "resident_size": 1600 * 1024,
        "total_size": 4096,
        "disk_bytes_read": 5,
        "disk_bytes_written": 10,
        "parent": 1,
        "pgroup": 42,
    }
    ids = ("uid", "gid", "euid", "egid", "suid", "sgid")
    assert kernel == {
        **dict.fromkeys(VISIBLE),
        **dict.fromkeys(ids, 0),
        **common,
        "pid": 43,
        "name": "kworker/0:0",
        "status": "I",
        "parent": 2,
        "pgroup": 43,
    }
    assert zombie == {
        **dict.fromkeys(VISIBLE),
        **dict.fromkeys(ids, 1),
        **common,
        "pid": 44,
        "name": "",
        "status": "Z",
        "pgroup": 44,
    }
    assert host.notices == []


def test_everything_else_is_hidden(host: Host) -> None:
    found = rows(TABLE, host, HIDDEN, Constraint("pid", "=", 42))
    ticks = 1000 // TICKS
    assert [dict(zip(HIDDEN, row)) for row in found] == [
        {
            "argv": '["/bin/sleep", "", "caf\\\\xe9 x"]',
            "exe_deleted": 0,
            "cgroup_path": "/user.slice",
            "ns_cgroup": 100,
            "ns_ipc": 101,
            "ns_mnt": 102,
            "ns_net": 103,
            "ns_pid": 104,
            "ns_time": 105,
            "ns_user": 106,
            "ns_uts": 107,
            "fd_count": None,
            "loginuid": 1000,
            "oom_score": 666,
            "oom_score_adj": -5,
            "wchan": "do_wait",
            "rchar": 1,
            "wchar": 2,
            "syscr": 3,
            "syscw": 4,
            "cancelled_write_bytes": 6,
            "fsuid": 1003,
            "fsgid": 103,
            "supplementary_groups": "[4,27,4294967294]",
            "umask": "0027",
            "tracer_pid": 7,
            "nspid": "[42,2]",
            "cap_inheritable": "0000000000000000",
            "cap_permitted": "00000000000000ff",
            "cap_effective": "000000000000000f",
            "cap_bounding": "000001ffffffffff",
            "cap_ambient": "0000000000000010",
            "no_new_privs": 1,
            "seccomp": "filter",
            "seccomp_filters": 3,
            "sig_pending": "0000000000000001",
            "sig_blocked": "0000000000000002",
            "sig_ignored": "0000000000000004",
            "sig_caught": "0000000000000008",
            "cpus_allowed": "0-1",
            "mems_allowed": "0",
            "voluntary_ctxt_switches": 150,
            "nonvoluntary_ctxt_switches": 5,
            "vm_peak": 3060 * 1024,
            "vm_hwm": 1688 * 1024,
            "vm_lck": 4 * 1024,
            "vm_data": 360 * 1024,
            "vm_stk": 132 * 1024,
            "vm_exe": 20 * 1024,
            "vm_lib": 1528 * 1024,
            "vm_pte": 48 * 1024,
            "vm_swap": 16 * 1024,
            "rss_anon": 112 * 1024,
            "rss_file": 1480 * 1024,
            "rss_shmem": 8 * 1024,
            "session": 42,
            "tty": "pts/1",
            "tpgid": 42,
            "kernel_thread": 0,
            "minflt": 10,
            "majflt": 12,
            "children_user_time": 70 * ticks,
            "children_system_time": 30 * ticks,
            "sched_priority": 25,
            "rt_priority": 40,
            "sched_policy": "SCHED_FIFO",
            "processor": 2,
            "start_ticks": 1000,
            "delayacct_blkio_ticks": 6,
            "elapsed_time": 5010.25 - 1000 / TICKS,
            "container_id": None,
            "container_runtime": None,
            "pod_uid": None,
            "systemd_unit": None,
            "systemd_user_unit": None,
            "systemd_slice": "user.slice",
            "pss": 4096,
            "uss": 14 * 1024,
            "swap": 8192,
            "security_label": "docker-default (enforce)",
            "autogroup": 116,
            "autogroup_nice": -5,
            "limit_nofile": 1024,
            "limit_nproc": None,
            "limit_core": 0,
            "limit_memlock": None,
            "task_flags": 0x400000,
            "cpu_percent": 100.0 * 300 / TICKS / (5010.25 - 1000 / TICKS),
            "memory_percent": 10.0,
            "probed_pid": 42,
        }
    ]


def test_a_probed_number_need_not_be_listed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: [n for n in listed(path) if n != "42"])
    columns = ["pid", "name", "probed_pid"]
    probed = Constraint("probed_pid", "in", frozenset(range(1, 1000)))
    assert {row[0] for row in rows(TABLE, host, columns)} == {43, 44}
    found = rows(TABLE, host, columns, probed, Constraint("pid", "in", frozenset((42, 44, 77))))
    assert sorted(found) == [(42, "a) b\n\\xff", 42), (44, "", 44)]


def test_what_is_unset_is_null(host: Host) -> None:
    columns = [
        "kernel_thread",
        "loginuid",
        "wchan",
        "argv",
        "vm_peak",
        "seccomp",
        "seccomp_filters",
        *("container_id", "systemd_unit", "pss", "uss", "swap", "security_label", "autogroup"),
    ]
    assert rows(TABLE, host, columns, Constraint("pid", "=", 43)) == [
        (1, None, None, None, None, "disabled", *[None] * 8)
    ]


def test_a_process_that_started_now_has_no_share_of_the_cpu_yet(tmp_path: Path) -> None:
    tree: Tree = {"42/stat": fakeproc.stat(42, start=10 * TICKS), "uptime": b"10.00 1.00\n"}
    host = Host(str(proc_tree(tree, tmp_path)))
    assert rows(TABLE, host, ["cpu_percent"]) == [(None,)]
    host.close()


def test_a_container_is_known_by_its_control_group(tmp_path: Path) -> None:
    id, pod = "0123456789abcdef" * 4, "1b2c3d4e-5f60-4718-9a0b-c1d2e3f40516"
    slice_name = f"kubepods-pod{pod.replace('-', '_')}.slice"
    tree: Tree = {
        "42/stat": fakeproc.stat(42),
        "42/cgroup": f"0::/kubepods.slice/{slice_name}/cri-containerd-{id}.scope\n".encode(),
    }
    host = Host(str(proc_tree(tree, tmp_path)))
    columns = ["container_id", "container_runtime", "pod_uid", "systemd_unit", "systemd_slice"]
    unit = f"cri-containerd-{id}.scope"
    assert rows(TABLE, host, columns) == [(id, "containerd", pod, unit, slice_name)]
    host.close()


@pytest.mark.parametrize("comm", [b")", b"x) S 1 (", b"\n", b"a b", b"", b"\xff" * 15])
def test_a_hostile_name_changes_no_other_column(tmp_path: Path, comm: bytes) -> None:
    host = Host(str(proc_tree({"42/stat": fakeproc.stat(42, comm)}, tmp_path)))
    columns = ["pid", "name", "status", "parent", "start_ticks"]
    name = comm.decode("utf-8", "backslashreplace")
    assert rows(TABLE, host, columns) == [(42, name, "S", 1, 1000)]
    assert rows(TABLE, host, ["pid"], Constraint("name", "=", name)) == [(42,)]
    host.close()


def executable(tmp_path: Path, link: str) -> tuple[Any, ...]:
    """path, on_disk and exe_deleted of a process whose exe is ``link`` below its root."""
    root = tmp_path / "root"
    tree: Tree = {"42/stat": fakeproc.stat(42), "42/exe": Link(link)}
    proc = proc_tree(tree, tmp_path)
    if os.path.lexists(root):
        # The kernel's link says "/", wherever it leads; only a directory can do as much.
        root.rename(proc / "42/root")
    host = Host(str(proc))
    (row,) = rows(TABLE, host, ["path", "on_disk", "exe_deleted"])
    host.close()
    return row


def test_a_deleted_executable_keeps_its_path(tmp_path: Path) -> None:
    assert executable(tmp_path, "/bin/gone (deleted)") == ("/bin/gone", 0, 1)


def test_a_replaced_executable_is_on_disk_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "root/bin").mkdir(parents=True)
    (tmp_path / "root/bin/tool").write_text("a newer one")
    assert executable(tmp_path, "/bin/tool (deleted)") == ("/bin/tool", 1, 1)


def test_a_name_that_ends_in_deleted_is_kept(tmp_path: Path) -> None:
    # In a copy the link itself leads to the file, in procfs the kernel does.
    path = tmp_path / "tool (deleted)"
    path.write_text("")
    (tmp_path / "root").symlink_to("/")
    assert executable(tmp_path, str(path)) == (str(path), 1, 0)


def test_only_the_files_that_the_columns_need_are_read(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    readlink = os.readlink
    original = procfs.read

    def reading(name: str, directory: int) -> bytes:
        read.append(name)
        return original(name, directory)

    def linking(name: bytes, *, dir_fd: int) -> bytes:
        read.append(name.decode())
        return readlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(procfs, "read", reading)
    monkeypatch.setattr(os, "readlink", linking)

    def files(columns: str, *constraints: Constraint) -> list[str]:
        read.clear()
        rows(TABLE, host, columns.split(), *constraints)
        return read[:]

    one = Constraint("pid", "=", 42)
    assert files("pid") == []
    assert files("pid name parent", one) == ["stat"]
    assert files("uid gid", one) == ["stat", "status"]
    assert files("path ns_net", one) == ["stat", "exe", "ns/net"]
    assert files("start_time", one) == ["stat", "stat"]
    assert files("start_time", Constraint("name", "=", "kworker/0:0")) == ["stat"] * 4
    # Of the processes with another name nothing but the name is read.
    of_one = files("cmdline cwd", Constraint("name", "=", "kworker/0:0"))
    assert sorted(of_one) == ["cmdline", "cwd", "stat", "stat", "stat"]


@pytest.mark.parametrize(
    ("constraints", "found"),
    [
        ((Constraint("pid", "=", 43),), [43]),
        ((Constraint("pid", "in", frozenset({42, 43, 7})),), [42, 43]),
        ((Constraint("pid", ">=", 43),), [43, 44]),
        ((Constraint("name", "=", "kworker/0:0"),), [43]),
        ((Constraint("status", "in", frozenset({"Z", "I"})),), [43, 44]),
        ((Constraint("uid", "=", 1000),), [42]),
        ((Constraint("parent", "=", 2),), [43]),
        ((Constraint("kernel_thread", "=", 0), Constraint("uid", "=", 1)), [44]),
        ((Constraint("parent", "=", UNKNOWN),), [42, 43, 44]),
        ((Constraint("pid", "=", 42), Constraint("uid", "=", 1)), []),
        ((Constraint("pid", ">", 5), Constraint("pid", "<", 5)), []),
    ],
    ids=lambda value: "-".join(map(repr, value)) if isinstance(value, tuple) else None,
)
@pytest.mark.parametrize("columns", [["pid"], ["pid", *ALL[1:]]], ids=["pid", "all"])
def test_a_condition_chooses_what_is_read(
    host: Host, columns: list[str], constraints: tuple[Constraint, ...], found: list[int]
) -> None:
    assert sorted(row[0] for row in rows(TABLE, host, columns, *constraints)) == found


def test_the_files_are_told_to_the_plan(host: Host) -> None:
    def requests(columns: list[str], *constraints: Constraint) -> list[str]:
        asked = Request(TABLE.schema, Snapshot(), columns=columns, constraints=constraints)
        list(TABLE.records(asked, host))
        return asked.trace.requests

    assert requests(["pid"]) == []
    assert requests(["name"]) == [f"{host.proc_path}/*/stat"]
    assert requests(["name", "path"]) == [f"{host.proc_path}/*/{{exe,stat}}"]
    assert requests(["uid"], Constraint("pid", "=", 42)) == [f"{host.proc_path}/42/{{stat,status}}"]


def test_the_number_of_a_thread_is_no_process(tmp_path: Path) -> None:
    tree: Tree = {"42/stat": fakeproc.stat(42), "43/stat": fakeproc.stat(43, exit_signal=-1)}
    host = Host(str(proc_tree(tree, tmp_path)))
    assert rows(TABLE, host, ["pid"], Constraint("pid", "in", frozenset({42, 43}))) == [(42,)]
    host.close()


def test_a_reused_number_is_not_mixed_up_between_tables_of_a_statement(host: Host) -> None:
    snapshot = Snapshot(shared=True)
    _, other = procfs.parse_stat(fakeproc.stat(43, b"other", start=5))
    assert procfs.is_row(43, other, Request(TABLE.schema, snapshot))
    assert sorted(rows(TABLE, host, ["pid"], snapshot=snapshot)) == [(42,), (44,)]


def test_a_process_that_ends_half_way_is_left_out(
    host: Host, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = procfs.read

    def ending(name: str, directory: int) -> bytes:
        if name == "status" and b"42" in original("stat", directory)[:2]:
            (tree / "42/stat").unlink()
            raise ProcessLookupError(3, "No such process")
        return original(name, directory)

    monkeypatch.setattr(procfs, "read", ending)
    assert sorted(rows(TABLE, host, ["pid", "name", "uid"])) == [
        (43, "kworker/0:0", 0),
        (44, "", 1),
    ]
    assert host.notices == []


def test_what_is_refused_is_null_and_told_in_one_notice(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    readlink = os.readlink
    read = procfs.read

    def refusing(name: str, directory: int) -> bytes:
        if name == "io":
            raise PermissionError(13, "Permission denied")
        return read(name, directory)

    def refusing_links(name: bytes, *, dir_fd: int) -> bytes:
        if name == b"exe":
            raise PermissionError(13, "Permission denied")
        return readlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(procfs, "read", refusing)
    monkeypatch.setattr(os, "readlink", refusing_links)
    columns = ["pid", "path", "on_disk", "disk_bytes_read", "disk_bytes_written", "root"]
    assert sorted(rows(TABLE, host, columns)) == [
        (42, None, None, None, None, "/"),
        (43, None, None, None, None, None),
        (44, None, None, None, None, None),
    ]
    assert host.notices == [
        (
            "processes: exe, io of 1 of 3 processes not readable (EACCES); "
            "run as root or with CAP_SYS_PTRACE"
        )
    ]


def refuse(monkeypatch: pytest.MonkeyPatch, process: str) -> None:
    original = procfs.open_directory

    def refusing(name: str, directory: int) -> int:
        if name == process:
            raise PermissionError(1, "Operation not permitted")
        return original(name, directory)

    monkeypatch.setattr(procfs, "open_directory", refusing)


def test_a_process_that_lets_nobody_in_is_a_row_all_the_same(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "42")
    assert (42, None, None) in rows(TABLE, host, ["pid", "name", "uid"])
    assert rows(TABLE, host, ["pid"], Constraint("name", "=", "")) == [(44,)]
    assert host.notices == [
        "processes: 1 of 3 processes not readable (EPERM); run as root or with CAP_SYS_PTRACE"
    ]


def test_numbers_that_no_process_has_are_not_counted(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "42")
    asked = Constraint("pid", "in", frozenset(range(40, 5000)))
    assert [pid for pid, _ in rows(TABLE, host, ["pid", "name"], asked)] == [42, 43, 44]
    assert host.notices == [
        "processes: 1 of 3 processes not readable (EPERM); run as root or with CAP_SYS_PTRACE"
    ]


@pytest.mark.parametrize("failing", ["open_directory", "read"])
def test_other_errors_are_one_line(
    host: Host, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(name: str, directory: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(procfs, failing, fail)
    with pytest.raises(DataError, match=r"/4[234](/stat)?: Too many open files"):
        rows(TABLE, host, ["name"])


def test_a_copy_without_boot_time_has_no_start_times(tmp_path: Path) -> None:
    host = Host(str(proc_tree({"42/stat": fakeproc.stat(42)}, tmp_path)))
    assert rows(TABLE, host, ["start_time", "elapsed_time", "start_ticks"]) == [(None, None, 1000)]
    host.close()
