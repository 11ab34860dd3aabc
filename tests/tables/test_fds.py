"""The table fds over directories laid out like /proc."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql.errors import DataError, ParseError
from sockql.host import Host
from sockql.proc import procfs
from sockql.request import UNKNOWN, Constraint, Request
from sockql.snapshot import Snapshot
from sockql.tables.fds import TABLE
from tests import fakeproc
from tests.fakeproc import Link, Tree, proc_tree, rows

FDINFO = b"pos:\t7\nflags:\t0100001\nmnt_id:\t16\nino:\t1061\n"
CLOEXEC = b"pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t1061\n"
VISIBLE = [column.name for column in TABLE.schema.visible]
MORE = (
    *("mount_point", "ns_type", "ns_inode", "tty_index", "scm_fds"),
    *("sock_protoname", "selinux", "driver", "device"),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three processes: a server, its worker that shares a socket, and a zombie."""
    (tmp_path / "socket:[1]").write_text("a file that is called like a socket")
    return proc_tree(
        {
            "42/stat": fakeproc.stat(42, b"server"),
            "42/fd/0": Link(tmp_path / "socket:[1]"),
            "42/fd/3": Link("socket:[99]"),
            "42/fd/4": Link("pipe:[100]"),
            "42/fd/5": Link("anon_inode:[eventfd]"),
            "42/fdinfo/0": FDINFO,
            "42/fdinfo/3": CLOEXEC,
            "42/fdinfo/4": FDINFO,
            "42/fdinfo/5": CLOEXEC + b"eventfd-id: 3\n",
            "42/task/42/stat": b"",
            "43/stat": fakeproc.stat(43, b"worker"),
            "43/fd/3": Link("socket:[99]"),
            "43/fd/12": Link("socket:[101]"),
            "43/fdinfo/3": CLOEXEC,
            "43/fdinfo/12": CLOEXEC,
            "43/task/43/stat": b"",
            "44/stat": fakeproc.stat(44, b"dead", "Z"),
            "44/fd": None,
            "44/task/44/fd": None,
            "self": Link("42"),
        },
        tmp_path,
    )


@pytest.fixture
def host(tree: Path) -> Iterator[Host]:
    host = Host(str(tree))
    yield host
    host.close()


def test_a_descriptor_is_a_row_of_each_process_that_has_it(host: Host, tmp_path: Path) -> None:
    assert sorted(rows(TABLE, host, VISIBLE)) == [
        (42, 0, "file", str(tmp_path / "socket:[1]"), None, "w", "", 7),
        (42, 3, "socket", "socket:[99]", 99, "rw", "O_CLOEXEC", None),
        (42, 4, "pipe", "pipe:[100]", None, "w", "", None),
        (42, 5, "eventfd", "anon_inode:[eventfd]", None, "rw", "O_CLOEXEC", None),
        (43, 3, "socket", "socket:[99]", 99, "rw", "O_CLOEXEC", None),
        (43, 12, "socket", "socket:[101]", 101, "rw", "O_CLOEXEC", None),
    ]
    assert host.notices == []


def test_hidden_columns_are_of_files_unless_they_say_otherwise(host: Host, tmp_path: Path) -> None:
    file = os.stat(tmp_path / "socket:[1]")
    hidden = ["fd", *(c.name for c in TABLE.schema.columns if c.hidden and c.name != "dev")]
    (first, third, fourth, fifth) = sorted(
        rows(TABLE, host, hidden, Constraint("pid", "=", 42)), key=lambda row: int(row[0])
    )
    assert dict(zip(hidden, first)) == {
        "fd": 0,
        "tid": None,
        "cloexec": 0,
        "mnt_id": 16,
        "file_inode": file.st_ino,
        "rdev": None,
        "size": 35,
        "allocated": file.st_blocks * 512,
        "nlink": 1,
        "deleted": 0,
        "file_mode": f"{file.st_mode & 0o7777:04o}",
        "file_uid": file.st_uid,
        "file_gid": file.st_gid,
        "info": None,
        "locks": None,
        **dict.fromkeys(MORE),
    }
    nothing = dict.fromkeys(hidden)
    assert dict(zip(hidden, third)) == {**nothing, "fd": 3, "cloexec": 1, "mnt_id": 16}
    assert dict(zip(hidden, fourth)) == {
        **nothing,
        "fd": 4,
        "cloexec": 0,
        "mnt_id": 16,
        "file_inode": 100,
    }
    assert dict(zip(hidden, fifth)) == {
        **nothing,
        "fd": 5,
        "cloexec": 1,
        "mnt_id": 16,
        "info": '{"eventfd-id": 3}',
    }


@pytest.mark.parametrize(
    ("constraints", "found"),
    [
        ((Constraint("pid", "=", 43),), [(43, 3), (43, 12)]),
        ((Constraint("pid", "=", 45),), []),
        ((Constraint("pid", "in", frozenset({43, 44, 45})),), [(43, 3), (43, 12)]),
        ((Constraint("pid", ">", 42),), [(43, 3), (43, 12)]),
        ((Constraint("fd", "=", 3),), [(42, 3), (43, 3)]),
        ((Constraint("fd", "=", -1),), []),
        ((Constraint("fd", "in", frozenset({0, 12})),), [(42, 0), (43, 12)]),
        ((Constraint("inode", "=", 99),), [(42, 3), (43, 3)]),
        ((Constraint("inode", "in", frozenset({100, 101})),), [(43, 12)]),
        ((Constraint("inode", "=", UNKNOWN),), [(42, 3), (43, 3), (43, 12)]),
        ((Constraint("type", "=", "socket"),), [(42, 3), (43, 3), (43, 12)]),
        ((Constraint("type", "=", "file"),), [(42, 0)]),
        # Which of the few without a path is left to SQLite.
        ((Constraint("type", "=", "pipe"),), [(42, 4), (42, 5)]),
        ((Constraint("type", "=", "pipe"), Constraint("inode", "=", UNKNOWN)), []),
        ((Constraint("pid", "=", 42), Constraint("pid", "=", 43)), []),
    ],
    ids=lambda value: "-".join(map(repr, value)) if isinstance(value, tuple) else None,
)
@pytest.mark.parametrize(
    "columns", [("pid", "fd"), ("pid", "fd", *VISIBLE[2:])], ids=["few", "all"]
)
def test_a_condition_chooses_what_is_read(
    host: Host,
    columns: tuple[str, ...],
    constraints: tuple[Constraint, ...],
    found: list[tuple[int, int]],
) -> None:
    assert sorted(row[:2] for row in rows(TABLE, host, columns, *constraints)) == found


def test_only_what_the_columns_need_is_read(
    host: Host, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: set[str] = set()

    def watch(name: str) -> None:
        original = getattr(os, name)

        def watched(path: str, *args: object, **kwargs: object) -> object:
            # How many threads there are is looked at everywhere.
            if kwargs.get("dir_fd") is not None and path != "../task":
                calls.add(f"{name} {path}" if name == "open" else name)
            return original(path, *args, **kwargs)

        monkeypatch.setattr(os, name, watched)

    for name in ("open", "readlink", "stat", "lstat"):
        watch(name)

    def calls_for(columns: str, *constraints: Constraint) -> set[str]:
        calls.clear()
        rows(TABLE, host, columns.split(), *constraints)
        return {call for call in calls if not call.startswith("open 44/")}

    directories = {"open 42/fd", "open 43/fd"}
    assert calls_for("pid fd") == directories
    assert calls_for("pid inode") == directories | {"readlink"}
    assert calls_for("pid fd mode") == directories | {"lstat"}
    assert calls_for("pid inode", Constraint("pid", "=", 42)) == {
        "open 42/fd",
        "open ../stat",
        "readlink",
    }
    assert calls_for("flags", Constraint("pid", "=", 43), Constraint("fd", "=", 3)) == {
        "open 43/fd",
        "open ../stat",
        "open ../fdinfo",
        "open 3",
    }
    calls.clear()
    rows(TABLE, host, ["type"], Constraint("pid", "=", 42), Constraint("type", "=", "socket"))
    assert "stat" not in calls


def test_no_process_is_listed_for_one_that_is_given(host: Host) -> None:
    asked = Request(
        TABLE.schema,
        Snapshot(),
        columns=["fd", "flags"],
        constraints=[Constraint("pid", "in", frozenset({42, 43}))],
    )
    list(TABLE.records(asked, host))
    assert asked.trace.requests == [
        f"{host.proc_path}/{file}" for file in ("42/fd", "43/fd", "42/fdinfo", "43/fdinfo")
    ]
    everything = Request(TABLE.schema, Snapshot(), columns=["inode"])
    list(TABLE.records(everything, host))
    assert everything.trace.requests == [f"{host.proc_path}/*/fd"]


def test_the_number_of_a_thread_is_no_process(tmp_path: Path) -> None:
    tree = proc_tree(
        {
            "42/stat": fakeproc.stat(42),
            "42/fd/1": Link("socket:[5]"),
            "43/stat": fakeproc.stat(43, exit_signal=-1),
            "43/fd/1": Link("socket:[5]"),
        },
        tmp_path,
    )
    host = Host(str(tree))
    assert rows(TABLE, host, ["pid"], Constraint("pid", "in", frozenset({42, 43}))) == [(42,)]
    host.close()


def test_of_a_dead_main_thread_the_tables_of_the_others_are_shown(tmp_path: Path) -> None:
    tree = proc_tree(
        {
            "42/stat": fakeproc.stat(42, b"dead", "Z", threads=5),
            "42/fd": None,
            "42/task/42/fd": None,
            "42/task/43/fd": None,
            "42/task/100/fd/3": Link("socket:[9]"),
            "42/task/100/fd/4": Link("pipe:[8]"),
            "42/task/100/fdinfo/3": CLOEXEC,
            "42/task/100/fdinfo/4": CLOEXEC,
            # Without kcmp(2), which is of this machine, tables that look alike are one.
            "42/task/101/fd/3": Link("socket:[9]"),
            "42/task/101/fd/4": Link("pipe:[8]"),
            "42/task/102/fd/3": Link("socket:[7]"),
            "42/task/102/fd/4": Link("pipe:[8]"),
        },
        tmp_path,
    )
    host = Host(str(tree))
    columns = ["pid", "tid", "fd", "type", "flags"]
    first = [(42, 100, 3, "socket", "O_CLOEXEC"), (42, 100, 4, "pipe", "O_CLOEXEC")]
    second = [(42, 102, 3, "socket", None), (42, 102, 4, "pipe", None)]
    (tree / "42/task/102/fdinfo").mkdir()
    assert sorted(rows(TABLE, host, columns[:4])) == [row[:4] for row in first + second]
    assert rows(TABLE, host, columns, Constraint("fd", "=", 4))[0] == first[1]
    assert rows(TABLE, host, ["tid"], Constraint("inode", "=", 9)) == [(100,)]
    assert len(rows(TABLE, host, ["pid"])) == 4
    host.close()


def test_a_thread_with_a_table_of_its_own_is_shown_too(tmp_path: Path) -> None:
    tree = proc_tree(
        {
            "42/stat": fakeproc.stat(42, threads=3),
            "42/fd/3": Link("socket:[9]"),
            "42/task/42/fd/3": Link("socket:[9]"),
            "42/task/50/fd/3": Link("socket:[9]"),
            "42/task/51/fd/3": Link("socket:[10]"),
        },
        tmp_path,
    )
    host = Host(str(tree))
    assert rows(TABLE, host, ["tid", "fd", "inode"]) == [(None, 3, 9), (51, 3, 10)]
    host.close()


MOUNTINFO = b"""\
16 1 254:0 / /mnt\\040point rw - ext4 /dev/root rw
17 16 0:4 net:[300] /run/netns/box rw - nsfs nsfs rw
"""


def test_what_few_ask_for_is_hidden(tmp_path: Path) -> None:
    elsewhere = b"pos:\t0\nflags:\t0\nmnt_id:\t%d\n"
    tree = proc_tree(
        {
            "42/stat": fakeproc.stat(42),
            "42/task/42/stat": b"",
            "42/ns/mnt": Link("mnt:[7]"),
            "42/mountinfo": MOUNTINFO,
            "42/fd/0": Link("/dev/null"),
            "42/fd/1": Link("/run/netns/box"),
            "42/fd/2": Link("user:[301]"),
            "42/fd/3": Link("socket:[99]"),
            "42/fd/4": Link("/elsewhere"),
            "42/fd/5": Link("/nowhere"),
            "42/fdinfo/0": FDINFO + b"tty-index:\t5\n",
            "42/fdinfo/1": elsewhere % 17,
            "42/fdinfo/2": elsewhere % 4,
            "42/fdinfo/3": elsewhere % 9 + b"scm_fds: 2\n",
            "42/fdinfo/4": elsewhere % 90,
            "42/fdinfo/5": elsewhere % 91,
            "43/stat": fakeproc.stat(43),
            "43/ns/mnt": Link("mnt:[8]"),
            "43/root": Link("/"),
            "43/mountinfo": b"90 1 254:0 / /inner rw - ext4 /dev/root rw\n",
        },
        tmp_path,
    )
    host = Host(str(tree))
    columns = ["fd", "mount_point", "ns_type", "ns_inode", "tty_index", "scm_fds"]
    found = rows(TABLE, host, columns, Constraint("pid", "=", 42))
    assert sorted(found, key=lambda row: int(row[0])) == [
        (0, "/mnt point", None, None, 5, None),
        (1, "/run/netns/box", "net", 300, None, None),
        (2, None, "user", 301, None, None),
        (3, None, None, None, None, 2),
        (4, "/inner", None, None, None, None),
        (5, None, None, None, None, None),
    ]
    host.close()


def test_a_reused_number_is_not_mixed_up_between_tables_of_a_statement(host: Host) -> None:
    snapshot = Snapshot(shared=True)
    before = Request(TABLE.schema, snapshot)
    _, other = procfs.parse_stat(fakeproc.stat(43, b"other", start=5))
    assert procfs.is_row(43, other, before)
    assert set(rows(TABLE, host, ["pid"], snapshot=snapshot)) == {(42,)}
    assert set(rows(TABLE, host, ["pid"])) == {(42,), (43,)}


def test_what_has_gone_meanwhile_is_left_out_silently(
    host: Host, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.readlink

    def closing(path: str, *, dir_fd: int) -> str:
        if path == "12":
            raise FileNotFoundError(2, "")
        if path == "4":
            raise ProcessLookupError(3, "")
        return original(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "readlink", closing)
    for columns in (["pid", "inode", "fd"], ["pid", "inode", "fd", "flags"]):
        found = [row[:3] for row in rows(TABLE, host, columns, Constraint("inode", "=", UNKNOWN))]
        assert sorted(found) == [(42, 99, 3), (43, 99, 3)]
    assert sorted(rows(TABLE, host, ["fd", "target"], Constraint("pid", "=", 43))) == [
        (3, "socket:[99]")
    ]
    assert host.notices == []


def test_links_that_are_refused_leave_the_descriptor_with_nulls_and_a_notice(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for root without CAP_SYS_PTRACE, who may list the directory all the same."""

    def refusing(path: str, *, dir_fd: int) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "readlink", refusing)
    found = rows(TABLE, host, ["fd", "type", "target", "inode", "mode"], Constraint("pid", "=", 43))
    assert sorted(found) == [(3, None, None, None, "rw"), (12, None, None, None, "rw")]
    assert rows(TABLE, host, ["pid"], Constraint("inode", "=", UNKNOWN)) == []
    assert rows(TABLE, host, ["pid"], Constraint("type", "=", "file")) == []
    assert host.notices == [
        "fds: 1 of 1 processes not readable (EACCES); run as root or with CAP_SYS_PTRACE",
        "fds: 2 of 3 processes not readable (EACCES); run as root or with CAP_SYS_PTRACE",
    ]


def test_numbers_that_no_process_has_are_not_counted(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(path: str, *, dir_fd: int) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "readlink", refusing)
    rows(TABLE, host, ["inode"], Constraint("pid", "in", frozenset(range(43, 99))))
    assert host.notices == [
        "fds: 1 of 2 processes not readable (EACCES); run as root or with CAP_SYS_PTRACE"
    ]


def test_a_path_longer_than_a_page_leaves_the_rest(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_long(path: str, *, dir_fd: int) -> str:
        raise OSError(36, "File name too long")

    monkeypatch.setattr(os, "readlink", too_long)
    constraints = Constraint("pid", "=", 42), Constraint("fd", "=", 0)
    found = rows(TABLE, host, ["fd", "type", "target", "file_inode"], *constraints)
    assert found == [(0, "file", None, os.stat(tmp_path / "socket:[1]").st_ino)]
    assert rows(TABLE, host, ["fd"], *constraints, Constraint("inode", "=", 1)) == []


def test_a_file_system_that_does_not_answer_is_told_in_a_notice(tmp_path: Path) -> None:
    tree: Tree = {"42/stat": fakeproc.stat(42), "42/fd/1": Link("/nowhere/at/all")}
    host = Host(str(proc_tree(tree, tmp_path)))
    assert rows(TABLE, host, ["fd", "type", "target", "size"]) == [
        (1, None, "/nowhere/at/all", None)
    ]
    assert host.notices == [
        "fds: 1 file could not be examined (ENOENT); what stat(2) tells of them is NULL"
    ]
    host.close()


def test_other_errors_are_one_line(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: str, *, dir_fd: int) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "readlink", failing)
    for columns in (["inode"], ["target"]):
        with pytest.raises(DataError, match=r"/4[23]/fd/[0-9]+: Input/output error"):
            rows(TABLE, host, columns, Constraint("inode", "=", UNKNOWN))


def test_no_descriptor_left_is_one_line(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(name: str, directory: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(procfs, "open_directory", failing)
    with pytest.raises(DataError, match=r"/4[234]/fd: Too many open files"):
        rows(TABLE, host, ["inode"])


@pytest.mark.parametrize("columns", [["inode"], ["inode", "flags", "target"]])
def test_a_socket_without_a_number_is_quoted(tmp_path: Path, columns: list[str]) -> None:
    tree: Tree = {"42/stat": fakeproc.stat(42), "42/fd/1": Link("socket:[x]")}
    host = Host(str(proc_tree(tree, tmp_path)))
    with pytest.raises(ParseError, match="/proc/42/fd/1: 'socket:\\[x\\]'"):
        rows(TABLE, host, columns, Constraint("inode", "=", UNKNOWN))
    host.close()


def test_a_target_that_is_no_utf_8_is_escaped(tmp_path: Path) -> None:
    hostile = os.fsdecode(b"/memfd:\xff\n\x1b[31m)\xc3\xa9 (deleted)")
    tree: Tree = {"42/stat": fakeproc.stat(42), "42/fd/1": Link(hostile), "42/fdinfo/1": FDINFO}
    host = Host(str(proc_tree(tree, tmp_path)))
    assert rows(TABLE, host, ["target"]) == [("/memfd:\\xff\n\x1b[31m)é (deleted)",)]
    host.close()


def test_a_scan_looks_whether_to_stop(tree: Path) -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    host = Host(str(tree), check=stop)
    with pytest.raises(Stop):
        rows(TABLE, host, ["pid"])
    host.close()


def test_a_scan_that_is_left_closes_its_descriptors(host: Host) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert host.proc
    records = iter(TABLE.records(Request(TABLE.schema, Snapshot()), host))
    next(records)
    records.close()  # type: ignore[attr-defined]
    assert len(os.listdir("/proc/self/fd")) == before + 1


def test_a_device_has_a_driver_and_the_small_ones_a_name(tmp_path: Path) -> None:
    tree: dict[str, bytes | Link | None] = {
        "42/stat": fakeproc.stat(42, b"server"),
        "42/fd/0": Link("/dev/null"),
        "42/fd/1": Link("/dev/net/tun"),
        "42/fd/2": Link(tmp_path),
        "42/task/42/stat": b"",
        "devices": b"Character devices:\n  1 mem\n 10 misc\n  1 other\n\nBlock devices:\n  1 ramdisk\n",
        "misc": b"200 tun\n229 fuse\n",
        "partitions": b"major minor  #blocks  name\n\n   1        3       4096 ram3\n",
    }
    host = Host(str(proc_tree(tree, tmp_path)))
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("no /dev/net/tun (ENOENT)")
    assert sorted(rows(TABLE, host, ["fd", "rdev", "driver", "device"])) == [
        (0, "1:3", "mem", None),
        (1, "10:200", "misc", "tun"),
        (2, None, None, None),
    ]
    host.close()


def test_without_the_lists_of_drivers_there_are_none(host: Host) -> None:
    assert set(rows(TABLE, host, ["driver", "device"])) == {(None, None)}


@pytest.mark.parametrize(
    ("filesystems", "label"),
    [(b"nodev\tproc\nnodev\tselinuxfs\n\text4\n", "system_u:object_r:etc_t:s0"), (b"", None)],
    ids=["SELinux", "without"],
)
def test_a_label_is_asked_for_where_the_kernel_has_selinux(
    tmp_path: Path, filesystems: bytes, label: str | None
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    try:
        os.setxattr(file, "security.selinux", b"system_u:object_r:etc_t:s0\0")
    except OSError as error:
        pytest.skip(f"no label can be given here ({errno.errorcode[error.errno or 0]})")
    tree: dict[str, bytes | Link | None] = {
        "42/stat": fakeproc.stat(42, b"server"),
        "42/fd/0": Link(file),
        "42/task/42/stat": b"",
        "filesystems": filesystems,
    }
    host = Host(str(proc_tree(tree, tmp_path)))
    assert rows(TABLE, host, ["fd", "selinux"]) == [(0, label)]
    host.close()
