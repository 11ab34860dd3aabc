"""Parsers of the files of a process, and the rules about whom a scan visits."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.errors import DataError, ParseError
from sockql.host import Host
from sockql.proc import files as process_files
from sockql.proc import procfs
from sockql.request import Constraint, Request
from sockql.snapshot import Snapshot
from sockql.tables.processes import TABLE
from tests import fakeproc
from tests.fakeproc import proc_tree

COMMS = [
    b"sleep",
    b"",
    b")",
    b"(",
    b") R 1 2 3",
    b"a b",
    b"a\nb",
    b"x) (y",
    b"\xff" * 15,
    "naïve".encode(),
]


@pytest.mark.parametrize("comm", COMMS)
def test_comm_ends_at_the_last_parenthesis(comm: bytes) -> None:
    found, fields = procfs.parse_stat(fakeproc.stat(42, comm, "D"))
    assert found == comm
    assert fields[procfs.STATE] == b"D"
    assert fields[procfs.FLAGS] == b"4194304"
    assert fields[procfs.THREADS] == b"1"
    assert fields[procfs.START_TIME] == b"1000"
    assert fields[procfs.EXIT_SIGNAL] == b"17"
    assert len(fields) == 50


@given(st.binary(max_size=15))
def test_any_comm_comes_back_whole(comm: bytes) -> None:
    assert procfs.parse_stat(fakeproc.stat(42, comm))[0] == comm


@pytest.mark.parametrize("data", [b"", b"42", b"42 (sleep", b"42 sleep) S", b"42 (sleep) S 1 2 3"])
def test_a_strange_stat_is_quoted(data: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        procfs.parse_stat(data)
    assert repr(data) in str(caught.value)


def test_a_parse_error_is_one_about_data() -> None:
    assert ParseError.status == 3
    assert issubclass(ParseError, DataError)


STATUS_WORDS = st.lists(
    st.sampled_from([b"Uid:", b"\t", b"1000", b"\n", b" kB", b"VmPeak:", b"Groups:", b"btime "])
    | st.binary(max_size=8)
).map(b"".join)


@given(STATUS_WORDS)
def test_any_bytes_are_understood_or_refused_as_a_parse_error(data: bytes) -> None:
    """No getter, no parser raises anything else, and all cells are what SQLite takes."""
    process = process_files.Process(42)
    names = ("stat", "status", "cmdline", "io", "cgroup", "loginuid", "oom_score", "wchan")
    process.files = dict.fromkeys((*names, "oom_score_adj", "exe", "cwd", "root", "ns/net"), data)
    process.boot, process.uptime = 10, 20.5
    for column in TABLE.schema.columns:
        try:
            cell = column.get(process)
        except ParseError as error:
            found = str(error)
            assert "/proc/PID/" in found
        else:
            assert cell is None or isinstance(cell, (int, float, str))
            assert not isinstance(cell, int) or -(2**63) <= cell < 2**63
            assert not isinstance(cell, str) or cell.encode() is not None
    for parse in (process_files.boot_time, process_files.up_time, procfs.parse_stat):
        try:
            parse(data)
        except ParseError as error:
            found = str(error)
            assert "/proc/" in found


@given(st.lists(st.binary(max_size=22), min_size=19, max_size=52))
def test_any_fields_of_stat_are_understood_or_refused_as_a_parse_error(fields: list[bytes]) -> None:
    process = process_files.Process(42)
    process.files["stat"] = b"42 (x) " + b" ".join(fields)
    for column in TABLE.schema.columns:
        try:
            cell = column.get(process)
        except ParseError as error:
            found = str(error)
            assert "/proc/PID/stat" in found
        else:
            assert not isinstance(cell, int) or -(2**63) <= cell < 2**63


@pytest.mark.parametrize(
    ("data", "arguments", "line"),
    [
        (b"", [], None),
        (b"a\0", [b"a"], "a"),
        (b"a\0b c\0", [b"a", b"b c"], "a b c"),
        (b"a\0\0b\0", [b"a", b"", b"b"], "a  b"),
        (b"a\0\0", [b"a", b""], "a"),
        (b"\0", [b""], ""),
        (b"nginx: worker process", [b"nginx: worker process"], "nginx: worker process"),
        (b"postgres: x \0\0\0", [b"postgres: x ", b"", b""], "postgres: x"),
        (b"caf\xe9\0\n\0", [b"caf\xe9", b"\n"], "caf\\xe9"),
    ],
)
def test_arguments_are_split_at_their_ends(
    data: bytes, arguments: list[bytes], line: str | None
) -> None:
    assert process_files.arguments(data) == arguments
    assert process_files.command_line(data) == line


def test_a_line_is_found_by_its_whole_key() -> None:
    data = b"rchar: 1\nread_bytes: 2\ncancelled_write_bytes: 3\nwrite_bytes: 4"
    keys = (b"rchar", b"char", b"write_bytes", b"bytes", b"read_bytes")
    assert [process_files.line(data, key) for key in keys] == [b"1", None, b"4", None, b"2"]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"0::/user.slice/a b\n", "/user.slice/a b"),
        (b"9:name=systemd:/x:y\n0::/v2\n", "/v2"),
        (b"9:name=systemd:/x:y\n1:cpu:/\n", "/x:y"),
        (b"", None),
    ],
)
def test_the_control_group_is_that_of_version_2(data: bytes, path: str | None) -> None:
    assert process_files.cgroup_path(data) == path


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, None),
        (os.makedev(136, 1), "pts/1"),
        (os.makedev(137, 3), "pts/259"),
        (os.makedev(136, 70000), "pts/70000"),
        (os.makedev(4, 1), "tty1"),
        (os.makedev(4, 64), "ttyS0"),
        (os.makedev(5, 1), "console"),
        (os.makedev(204, 64), "204:64"),
    ],
)
def test_a_terminal_has_the_name_below_dev(number: int, name: str | None) -> None:
    signed = number - 2**32 if number >= 2**31 else number
    assert process_files.terminal(signed) == name


@pytest.mark.parametrize(
    ("link", "number"),
    [
        ("net:[4026531833]", 4026531833),
        (b"pipe:[7]", 7),
        ("anon_inode:[eventfd]", None),
        ("anon_inode:inotify", None),
        ("net:[12", None),
        ("net:[]", None),
        (b"", None),
        ("x:[\u0661]", None),
        ("x:[9223372036854775808]", None),
        ("x:[" + "9" * 5000 + "]", None),
    ],
)
def test_the_number_in_brackets_is_a_number_or_none(link: str | bytes, number: int | None) -> None:
    assert procfs.bracketed(link) == number


def test_a_read_takes_the_whole_of_a_long_file(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    for length in (0, 1, procfs._CHUNK - 1, procfs._CHUNK, procfs._CHUNK + 1, 300_000):
        (tmp_path / "file").write_bytes(b"x" * length)
        assert procfs.read("file", directory) == b"x" * length
    os.close(directory)


# -- whom a scan visits -------------------------------------------------------------------------


def request(*constraints: Constraint, snapshot: Snapshot | None = None) -> Request:
    return Request(TABLE.schema, snapshot or Snapshot(), constraints=constraints)


def test_only_numbers_are_processes(tmp_path: Path) -> None:
    host = Host(str(proc_tree({"42/stat": b"", "7/stat": b"", "self/stat": b""}, tmp_path)))
    names, given = procfs.pids(request(), host)
    assert (sorted(names), given) == (["42", "7"], False)
    host.close()


def test_bounds_and_values_choose_among_them(tmp_path: Path) -> None:
    tree = proc_tree({f"{pid}/stat": b"" for pid in (1, 5, 10, 20)}, tmp_path)
    host = Host(str(tree))
    low, high = Constraint("pid", ">", 1), Constraint("pid", "<=", 10)
    assert sorted(procfs.pids(request(low, high), host)[0]) == ["10", "5"]
    assert procfs.pids(request(Constraint("pid", "in", frozenset({9, 5, -1, 0}))), host) == (
        ["5", "9"],
        True,
    )
    host.close()


@pytest.mark.parametrize("constraints", [(), (Constraint("pid", "=", 1),)])
def test_a_directory_without_processes_is_no_procfs(
    tmp_path: Path, constraints: tuple[Constraint, ...]
) -> None:
    host = Host(str(proc_tree({"version": b"Linux"}, tmp_path)))
    with pytest.raises(DataError, match="no processes here; is it a procfs\\?"):
        procfs.pids(request(*constraints), host)
    host.close()


def test_a_statement_lists_the_processes_once(tmp_path: Path) -> None:
    tree = proc_tree({"1/stat": b""}, tmp_path)
    host, snapshot = Host(str(tree)), Snapshot()
    assert procfs.pids(request(snapshot=snapshot), host)[0] == ["1"]
    (tree / "2").mkdir()
    assert procfs.pids(request(snapshot=snapshot), host)[0] == ["1"]
    assert sorted(procfs.pids(request(), host)[0]) == ["1", "2"]
    host.close()


def test_a_number_that_was_given_to_another_process_is_no_row() -> None:
    """Between two tables of a statement; each table alone may see either."""
    _, first = procfs.parse_stat(fakeproc.stat(42, start=1000))
    _, second = procfs.parse_stat(fakeproc.stat(42, start=2000))
    asked = request(snapshot=Snapshot(shared=True))
    assert [procfs.is_row(42, fields, asked) for fields in (first, second, first)] == [
        True,
        False,
        True,
    ]
    alone = request(snapshot=Snapshot())
    assert [procfs.is_row(42, fields, alone) for fields in (first, second)] == [True, True]


def test_a_thread_is_no_row() -> None:
    _, fields = procfs.parse_stat(fakeproc.stat(42, exit_signal=-1))
    assert not procfs.is_row(42, fields, request())


@pytest.mark.parametrize(
    ("stat", "nothing"),
    [
        (fakeproc.stat(42), False),
        (fakeproc.stat(42, flags=0x208040), True),
        (fakeproc.stat(42, state="Z"), True),
        (fakeproc.stat(42, state="Z", threads=2), False),
    ],
    ids=["process", "kernel thread", "zombie", "dead main thread"],
)
def test_who_has_nothing_is_not_counted_as_unreadable(stat: bytes, nothing: bool) -> None:
    assert procfs.has_nothing(procfs.parse_stat(stat)[1]) is nothing


def test_refusals_of_a_statement_make_one_notice(tmp_path: Path) -> None:
    tree = {f"{pid}/stat": fakeproc.stat(pid) for pid in (1, 2, 3)}
    tree["4/stat"] = fakeproc.stat(4, flags=0x208040)
    host, asked = Host(str(proc_tree(tree, tmp_path))), request()
    for name in ("1", "2", "3", "4"):
        refusals = procfs.Refusals.of("processes", asked, [name])
        if name != "2":
            refusals.add(name, PermissionError(1 if name == "3" else 13, ""), host, "exe")
        refusals.report(host)
    assert host.notices == [
        (
            "processes: exe of 2 of 4 processes not readable (EPERM); "
            "run as root or with CAP_SYS_PTRACE"
        )
    ]
    host.close()


def test_the_kernels_procfs_is_told_from_a_copy(tmp_path: Path) -> None:
    real, copy = Host(), Host(str(proc_tree({"1/stat": b""}, tmp_path)))
    assert (procfs.is_procfs(real), procfs.is_procfs(copy)) == (True, False)
    real.close()
    copy.close()


def test_a_directory_never_leads_to_a_process_with_the_same_number() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    host = Host()
    directory = procfs.open_directory(f"{pid}/fd", host.proc)
    assert procfs.parse_stat(procfs.read("../stat", directory))[1][1] == str(os.getpid()).encode()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with pytest.raises(OSError, match=r"No such (process|file or directory)") as caught:
        procfs.read("../stat", directory)
    assert caught.value.errno in procfs.GONE
    os.close(directory)
    host.close()
