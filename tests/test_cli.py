from __future__ import annotations

import errno
import fcntl
import json
import os
import pty
import select
import signal
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import termios
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import sockql
from sockql import cli, tables
from sockql.command import running
from sockql.command.progress import PATIENCE
from sockql.engine import Engine
from sockql.errors import DataError, Interrupted, TimeoutExpired
from sockql.host import Host
from tests.conftest import ROOT
from tests.fakeproc import stat as stat_text

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
ENVIRONMENT.pop("COLUMNS", None)  # the tester's own
COMMAND = [sys.executable, "-m", "sockql"]
ENDLESS = "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n"
DEADLINE = 30


def run(*words: str | bytes, **more: Any) -> tuple[int, str, str]:
    """Status, standard output and standard error of ``sockql`` with these words."""
    more.setdefault("stdin", subprocess.DEVNULL) if "input" not in more else None
    more = {"env": ENVIRONMENT, **more}
    done = subprocess.run([*COMMAND, *words], capture_output=True, timeout=DEADLINE, **more)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def start(*words: str, **more: Any) -> subprocess.Popen[bytes]:
    more = {"stdin": subprocess.DEVNULL, "env": ENVIRONMENT, **more}
    return subprocess.Popen([*COMMAND, *words], **more)


def on_terminal(
    *words: str, stdin: bool = False, typed: bytes = b"", columns: int = 0
) -> tuple[int, str]:
    """Status and output of ``sockql`` on a terminal of its own, after ``typed``.

    The terminal has so many ``columns``, and does not say how many when there are 0.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.write(master, typed)
    said = b""
    # What is typed here does not belong into the history of whoever runs the tests.
    with TemporaryDirectory() as state, open(master, "rb", buffering=0) as terminal:
        process = start(
            *words,
            stdin=slave if stdin else subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
            env={**ENVIRONMENT, "TERM": "dumb", "XDG_STATE_HOME": state},
        )
        os.close(slave)
        while True:
            assert select.select([terminal], [], [], DEADLINE)[0], "the terminal stays silent"
            try:
                said += terminal.read(65536)
            except OSError:  # EIO: how Linux says that the last writer is gone
                break
        status = process.wait(DEADLINE)
    return status, said.decode().replace("\r\n", "\n")


# -- where the SQL comes from -------------------------------------------------------------------


def test_sql_comes_as_an_argument() -> None:
    assert run("--csv", "select 1 as a") == (0, "a\n1\n", "")


@pytest.mark.parametrize("words", [[], ["-"], ["-f", "-"]])
def test_sql_comes_on_standard_input(words: list[str]) -> None:
    assert run("--csv", *words, input=b"select 'e\xcc\x81' as a;\n") == (0, "a\ne\u0301\n", "")


def test_sql_comes_from_a_file_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "query.sql"
    for start_of_file in (b"", b"\xef\xbb\xbf"):
        file.write_bytes(start_of_file + b"-- a remark\nselect 1 as a")
        assert run("--csv", "-f", str(file)) == (0, "a\n1\n", "")


def test_sql_from_two_places_is_refused() -> None:
    assert run("-f", "/dev/null", "select 1") == (
        2,
        "",
        "sockql: there is SQL as an argument and in -f; give one of them\n",
    )


@pytest.mark.parametrize("data", [b"", b" \n\t\n"])
def test_no_sql_at_all_is_wrong_usage(data: bytes) -> None:
    assert run(input=data) == (
        2,
        "",
        "sockql: no SQL; give it as an argument, with -f FILE or on standard input\n",
    )


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "query.sql"
    file.write_bytes(b"select '\xff'")
    assert run("-f", str(file)) == (2, "", f"sockql: {file}: not UTF-8 text at byte 8\n")
    file.write_bytes(b"select 1\0")
    assert run("-f", str(file)) == (2, "", "sockql: the SQL has a NUL character in it\n")


def test_bytes_of_an_argument_that_are_not_utf8_are_spelled_as_tables_spell_them() -> None:
    words = ("--csv", "-p", b"a=/tmp/\xff", b"select '/tmp/\xff' as x, :a = '/tmp/\\xff' as y")
    assert run(*words) == (0, "x,y\n/tmp/\\xff,1\n", "")


def test_the_error_of_a_multi_line_file_points_into_its_line(tmp_path: Path) -> None:
    file = tmp_path / "query.sql"
    file.write_text("select 1 as a;\n\nselect 2,\n\tnope(3)\n")
    assert run("--csv", "-f", str(file)) == (
        2,
        "a\n1\n",
        "sockql: no such function: nope\n  nope(3)\n  ^\n",
    )


# -- on a terminal ------------------------------------------------------------------------------


def test_without_sql_on_a_terminal_the_shell_is_run(tmp_path: Path) -> None:
    status, said = on_terminal(stdin=True, typed=b".mode\n.quit 7\n")
    assert status == 7
    assert "sockql> " in said
    status, said = on_terminal("--csv", "--proc", str(tmp_path), stdin=True, columns=300)
    assert (status, said) == (
        3,
        f"sockql: --proc {tmp_path}: no processes there; is it a mounted procfs?\n",
    )


def test_without_sql_and_without_a_terminal_to_write_to_the_help_is_shown() -> None:
    master, slave = pty.openpty()
    try:
        status, said, why = run(stdin=slave)
    finally:
        os.close(slave)
        os.close(master)
    assert (status, said, why) == (0, run("--help")[1], "")
    assert said.startswith('usage: sockql [options] "SQL"\n')


def test_a_long_query_says_what_it_does_until_its_rows_come(tmp_path: Path) -> None:
    """Reading a process takes as long as this test wants."""
    for pid in (1, 2):
        (tmp_path / str(pid)).mkdir()
        os.mkfifo(tmp_path / str(pid) / "stat")
    master, slave = pty.openpty()
    process = start(
        *("--proc", str(tmp_path), "--csv", "select pid, name from processes order by pid"),
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    said = b""
    with open(master, "rb", buffering=0) as terminal:
        first, second = map(int, os.listdir(tmp_path))
        with open(tmp_path / str(first) / "stat", "wb") as fifo:
            # It waits for us by now; so long that its patience ends.
            assert not select.select([terminal], [], [], PATIENCE + 0.2)[0]
            fifo.write(stat_text(first, b"x"))
        while b"processes: " not in said:
            assert select.select([terminal], [], [], DEADLINE)[0]
            said += terminal.read(65536)
        assert said == b"\rprocesses: 1 of 2"
        with open(tmp_path / str(second) / "stat", "wb") as fifo:
            fifo.write(stat_text(second, b"x"))
        while True:
            try:
                said += terminal.read(65536)
            except OSError:
                break
    assert process.wait(DEADLINE) == 0
    line = b"\rprocesses: 1 of 2"
    assert said == line + b"\r" + b" " * 17 + b"\rpid,name\r\n1,x\r\n2,x\r\n"


def test_plan_without_sql_on_a_terminal_does_not_wait() -> None:
    assert on_terminal("plan", stdin=True) == (
        2,
        'sockql: plan: which SQL? sockql plan "SQL"\n',
    )


HOSTILE = "select char(27) || ']0;x' || char(7) || char(155) || char(10) || char(8238) as a"


@pytest.mark.parametrize(
    ("format", "shown"),
    [
        ("table", "a\n" + "-" * 21 + "\n" + r"\x1b]0;x\x07\x9b\n\u202e" + "\n"),
        ("json", '[\n{"a": "' + r"\u001b]0;x\u0007\u009b\n\u202e" + '"}\n]\n'),
        ("jsonl", '{"a": "' + r"\u001b]0;x\u0007\u009b\n\u202e" + '"}\n'),
        ("csv", "a\n" + r"\x1b]0;x\x07\x9b\n\u202e" + "\n"),
        ("tsv", "a\n" + r"\x1b]0;x\x07\x9b\n\u202e" + "\n"),
        ("line", "a = " + r"\x1b]0;x\x07\x9b\n\u202e" + "\n"),
    ],
)
def test_a_terminal_gets_no_control_characters(format: str, shown: str) -> None:
    shown = shown.replace("-" * 21, "-" * len(r"\x1b]0;x\x07\x9b\n\u202e"))
    assert on_terminal(f"--{format}", HOSTILE) == (0, shown)


@pytest.mark.parametrize("format", ["csv", "json"])
def test_a_pipe_gets_the_exact_text(format: str) -> None:
    status, said, _ = run(f"--{format}", HOSTILE)
    exact = "\x1b]0;x\x07\x9b\n\u202e"
    assert status == 0
    assert (json.loads(said)[0]["a"] if format == "json" else said) == (
        exact if format == "json" else f'a\n"{exact}"\n'
    )


def test_a_hostile_name_in_a_message_is_escaped() -> None:
    assert run("-f", "/nonexistent/\x1b[31m\n") == (
        2,
        "",
        "sockql: /nonexistent/\\x1b[31m\\n: No such file or directory\n",
    )


# -- the end of the reader, of the disk, of patience ----------------------------------------------


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "json", "line", "html", "table"])
def test_first_rows_come_at_once_and_a_broken_pipe_is_quiet(format: str) -> None:
    process = start(f"--{format}", ENDLESS, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.wait(DEADLINE) == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    "words",
    [
        ["select 1"],
        ["--version"],
        ["--help"],
        ["watch", "--help"],
        ["tables"],
        ["schema", "fds"],
        ["plan", "select 1"],
        ["watch", "select 1"],
        ["run", "./one.sql"],
        ["queries"],
        ["queries", "show", "./one.sql"],
        ["queries", "check", "./wrong.sql"],
        ["audit", "./one.sql"],
        ["audit", "--json", "./one.sql"],
        ["audit", "--sarif", "findings", "--junit", "tests", "./one.sql"],
        ["pack", "one.conf"],
        ["pack", "--query", "one", "one.conf"],
        ["snapshot", "--sql", "select 1 as a", "--as", "b", "--tables", "snmp", "findings"],
        ["completion", "bash"],
    ],
    ids=" ".join,
)
def test_a_reader_that_was_never_there_is_quiet(words: list[str], tmp_path: Path) -> None:
    head = "-- title: One\n-- kind: audit\n-- severity: low\n"
    (tmp_path / "one.sql").write_text(f"{head}select 1 as a;\n")
    (tmp_path / "wrong.sql").write_text("selct 1;\n")
    queries = {"one": {"query": "select 1 as a", "interval": 1}}
    (tmp_path / "one.conf").write_text(json.dumps({"queries": queries}))
    read, write = os.pipe()
    os.close(read)
    try:
        process = start(*words, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE)
    finally:
        os.close(write)
    assert process.communicate(timeout=DEADLINE)[1] == b""
    assert process.returncode == 128 + signal.SIGPIPE
    # What goes elsewhere is there all the same.
    assert (tmp_path / "findings").exists() == ("findings" in words)
    assert (tmp_path / "tests").exists() == ("tests" in words)
    assert not list(tmp_path.glob("*.tmp"))


#: It computes for ever and never has a row.
ROWLESS = f"select count(*) from ({ENDLESS})"
#: What computes, and would write to standard output when that has ended.
COMPUTING = [
    [ROWLESS],
    ["--table", f"{ENDLESS} order by 1 desc"],
    ["plan", ROWLESS],
    ["run", "./endless.sql"],
    ["audit", "./endless.sql"],
    ["pack", "endless.conf"],
    ["watch", ROWLESS],
    ["watch", "select 1"],
]


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A folder with a saved query and a pack that never end."""
    (tmp_path / "endless.sql").write_text(
        f"-- title: It never ends\n-- kind: audit\n-- severity: low\n{ROWLESS};\n"
    )
    queries = {"endless": {"query": ROWLESS, "interval": 1}}
    (tmp_path / "endless.conf").write_text(json.dumps({"queries": queries}))
    return tmp_path


def computing(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has computed for some tenths of a second, or waits for its next round."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) >= 0.4 * os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("words", COMPUTING, ids=" ".join)
def test_a_reader_that_goes_while_nothing_is_written_ends_it_quietly(
    words: list[str], endless: Path
) -> None:
    with start(*words, cwd=endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            if words[-1] == "select 1":
                assert process.stdout.readline()
            else:
                deadline = time.monotonic() + DEADLINE
                while not computing(process):
                    assert process.poll() is None, process.stderr.read()
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
            process.stdout.close()
            assert (process.wait(DEADLINE), process.stderr.read()) == (141, b"")
        finally:
            process.kill()


def test_a_terminal_that_hangs_up_ends_it_where_no_signal_does() -> None:
    master, slave = pty.openpty()
    process = start(
        ROWLESS,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    try:
        os.close(slave)
        deadline = time.monotonic() + DEADLINE
        while not computing(process):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.close(master)
        assert process.wait(DEADLINE) == 141
    finally:
        process.kill()
        process.wait()


def test_a_socket_that_only_takes_has_a_reader() -> None:
    """As the standard output of a service, which systemd and its journal have shut for reading."""
    ours, journals = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    count = "with recursive n(x) as (select 1 union all select x + 1 from n limit 4000000) "
    with ours, journals:
        ours.shutdown(socket.SHUT_RD)
        journals.shutdown(socket.SHUT_WR)
        process = start("--csv", f"{count} select count(*) from n", stdout=ours)
        assert process.wait(DEADLINE) == 0
        assert journals.recv(100) == b"count(*)\n4000000\n"


def test_what_goes_into_a_file_is_finished_without_a_reader(tmp_path: Path) -> None:
    count = "with recursive n(x) as (select 1 union all select x + 1 from n limit 3000000) "
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        file = tmp_path / "rows"
        process = start(
            *("--csv", "-o", str(file), f"{count} select count(*) as n from n"),
            stdout=pipe,
            stderr=subprocess.PIPE,
        )
        assert process.communicate(timeout=DEADLINE)[1] == b""
    assert (process.returncode, file.read_text()) == (0, "n\n3000000\n")


@pytest.mark.parametrize("words", [["select 1"], ["--version"], ["--help"], ["tables"]])
def test_a_full_disk_is_one_line(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        process = start(*words, stdout=full, stderr=subprocess.PIPE)
        _, said = process.communicate(timeout=DEADLINE)
    assert (process.returncode, said) == (2, b"sockql: standard output: No space left on device\n")


def closed(number: int, *words: str) -> tuple[int, bytes, bytes]:
    """Run with one of the standard descriptors closed."""
    shell = f'exec "$@" {number}<&-'
    done = subprocess.run(
        ["/bin/sh", "-c", shell, "sh", *COMMAND, *words],
        env=ENVIRONMENT,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE,
    )
    return done.returncode, done.stdout, done.stderr


def test_closed_standard_descriptors_harm_nobody() -> None:
    assert closed(0, "--csv", "select 1") == (0, b"1\n1\n", b"")
    assert closed(1, "--csv", "select 1") == (2, b"", b"sockql: standard output is closed\n")
    assert closed(2, "--csv", "select 1") == (0, b"1\n1\n", b"")
    assert closed(2, "--csv", "selct 1") == (2, b"", b"")
    assert closed(0)[0] == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130)])
def test_an_interrupt_is_one_line(number: int, status: int) -> None:
    process = start(
        "--csv", ENDLESS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    _, said = process.communicate(timeout=DEADLINE)
    assert (process.returncode, said) == (status, b"sockql: interrupted\n")


def test_an_interrupt_stops_a_statement_without_rows() -> None:
    process = start(
        "--timing",
        f"select 1; select count(*) from ({ENDLESS})",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"sockql: 1 row in ")
    process.send_signal(signal.SIGINT)
    assert process.stderr.read() == b"sockql: interrupted\n"
    process.stderr.close()
    assert process.wait(DEADLINE) == 130


def test_the_timeout_stops_a_computation() -> None:
    started = time.monotonic()
    status, said, why = run("--timeout", "0.2", f"select count(*) from ({ENDLESS})")
    assert (status, said, why) == (
        124,
        "",
        "sockql: the statement took longer than 0.2 seconds\n",
    )
    assert time.monotonic() - started < 10


def test_the_timeout_ends_a_system_call_that_blocks() -> None:
    read, write = os.pipe()  # which nobody reads
    try:
        process = start("--timeout", "0.3", "--csv", ENDLESS, stdout=write, stderr=subprocess.PIPE)
        _, said = process.communicate(timeout=DEADLINE)
    finally:
        os.close(read)
        os.close(write)
    assert (process.returncode, said) == (
        124,
        b"sockql: the statement took longer than 0.3 seconds\n",
    )


def test_a_timeout_of_years_is_no_timeout() -> None:
    assert run("--timeout", "1e300", "--csv", "select 1 a") == (0, "a\n1\n", "")


def test_output_waits_for_a_descriptor_that_does_not_block() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    process = start("--tsv", "--no-header", f"{ENDLESS} limit 100000", stdout=write)
    os.close(write)
    with open(read, "rb") as file:
        lines = file.read().split()
    assert process.wait(DEADLINE) == 0
    assert lines == [b"%d" % number for number in range(1, 100_001)]


# -- output to a file ---------------------------------------------------------------------------


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    assert run("-o", str(target), "--csv", "select 1 a") == (0, "", "")
    assert target.read_text() == "a\n1\n"
    assert os.listdir(tmp_path) == ["out.csv"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask


def test_a_statement_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    status, said, _ = run("-o", str(target), "--csv", "select 1 a; select 1 from nowhere")
    assert (status, said) == (2, "")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    target = real / "out.csv"
    target.write_text("old")
    target.chmod(0o640)
    folder = tmp_path / "folder"
    folder.symlink_to(real)
    assert run("-o", str(folder / "out.csv"), "--csv", "select 1 a") == (0, "", "")
    assert folder.is_symlink()
    assert target.read_text() == "a\n1\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert os.listdir(real) == ["out.csv"]


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_in_place_of_the_output_is_not_followed(
    tmp_path: Path, there: bool
) -> None:
    target = tmp_path / "precious"
    if there:
        target.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(target)
    assert run("-o", str(link), "--csv", "select 1 a") == (
        2,
        "",
        f"sockql: {link}: a symbolic link; name the file itself\n",
    )
    assert sorted(os.listdir(tmp_path)) == (["link", "precious"] if there else ["link"])
    assert not there or target.read_text() == "old"


def test_output_does_not_take_the_place_of_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {
        "q.sql": "select 1 as a",
        "list.csv": "a\n1\n",
        "p.conf": '{"queries": {"q": {"query": "select 1"}}}',
        "users": "the output of another day",
    }
    for name, text in files.items():
        Path(name).write_text(text)
    Path("link.sql").symlink_to("q.sql")
    for words, name in (
        (["-f", "q.sql"], "q.sql"),
        (["-f", "link.sql"], "./q.sql"),
        (["run", "./q.sql"], "q.sql"),
        (["--load", "list=list.csv", "select * from list"], "list.csv"),
        (["pack", "p.conf"], "p.conf"),
    ):
        said = f"sockql: {name}: it is read as well; -o another file\n"
        assert run(*words, "-o", name) == (2, "", said)
    assert {name: Path(name).read_text() for name in files} == files
    assert run("schema", "users", "-o", "users") == (0, "", "")
    assert Path("users").read_text() != files["users"]


def test_text_does_not_take_the_place_of_a_database(tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("create table t(a)")
    before = path.read_bytes()
    said = f"sockql: {path}: a database of SQLite; take another file for text\n"
    for words in (["--attach", f"x={path}", "select * from x.t"], ["select 1"]):
        assert run(*words, "-o", str(path)) == (2, "", said)
    assert path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="EPERM: only root gives files away")
def test_root_leaves_a_file_with_its_owner(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    os.chown(target, 12345, 54321)
    assert run("-o", str(target), "--csv", "select 1 a") == (0, "", "")
    assert (target.stat().st_uid, target.stat().st_gid) == (12345, 54321)


def test_a_fifo_and_a_device_are_written_straight(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = start("-o", str(fifo), "--csv", "select 1 a")
    assert fifo.read_text() == "a\n1\n"
    assert process.wait(DEADLINE) == 0
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert run("-o", "/dev/null", "select 1") == (0, "", "")


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_name_is_appended_to(path: str, tmp_path: Path) -> None:
    target = tmp_path / "log"
    target.write_text("before\n")
    with target.open("ab") as log:
        process = start("-o", path, "--csv", "select 1 a", stdout=log)
        assert process.wait(DEADLINE) == 0
    assert target.read_text() == "before\na\n1\n"


def test_a_file_is_left_alone_when_the_command_is_ended(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    process = start(
        "--timing",
        "-o",
        str(target),
        f"select 1; select count(*) from ({ENDLESS})",
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    with process.stderr:
        process.stderr.readline()
        assert len(os.listdir(tmp_path)) == 2
        process.terminate()
        assert process.wait(DEADLINE) == 128 + signal.SIGTERM
    assert os.listdir(tmp_path) == ["out.csv"]
    assert target.read_text() == "old"


# -- what else it says --------------------------------------------------------------------------


def test_the_version_is_one_line() -> None:
    assert run("--version") == (0, f"sockql {sockql.__version__}\n", "")


def test_timing_is_a_line_for_each_statement() -> None:
    status, said, times = run("--timing", "--csv", "--no-header", "select 1; values (1), (2)")
    assert (status, said) == (0, "1\n1\n2\n")
    assert [line.rsplit(" ", 2)[0] for line in times.splitlines()] == [
        "sockql: 1 row in",
        "sockql: 2 rows in",
    ]


def test_nothing_is_left_open() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "sockql", "--csv", "select 1 a"],
        env=ENVIRONMENT,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a\n1\n", b"")


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run the command here, over an engine whose host is at hand."""

    def main(*words: str, host: Host | None = None, fail: BaseException | None = None) -> Any:
        def engine(_options: object) -> Engine:
            if fail is not None:
                raise fail
            return Engine(host or Host())

        monkeypatch.setattr(running, "open_engine", engine)
        status = cli.main(words)
        said = capfd.readouterr()
        return status, said.out, said.err

    return main


def noticing() -> Host:
    host = Host()
    host.notice("fds: 1 of 2 processes not readable")
    host.notice("sockets: \x1b[31m")
    return host


def test_notices_follow_the_rows_on_standard_error(in_process: Any) -> None:
    expected = "sockql: fds: 1 of 2 processes not readable\nsockql: sockets: \\x1b[31m\n"
    assert in_process("--csv", "select 1 a", host=noticing()) == (0, "a\n1\n", expected)
    assert in_process("--strict", "--csv", "select 1 a", host=noticing()) == (
        3,
        "a\n1\n",
        expected,
    )
    assert in_process("--strict", "--csv", "select 1 a") == (0, "a\n1\n", "")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (DataError("/proc: gone"), 3, "/proc: gone"),
        (TimeoutExpired("too long"), 124, "too long"),
        (Interrupted("interrupted"), 130, "interrupted"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 3, "out of memory"),
        (OSError(errno.EMFILE, "Too many open files"), 3, "Too many open files"),
        (FileNotFoundError(errno.ENOENT, "Gone", "/proc/1"), 3, "/proc/1: Gone"),
        (ZeroDivisionError("x"), 3, "internal error: ZeroDivisionError: x (--debug shows where)"),
    ],
)
def test_every_error_is_one_line_and_a_status(
    in_process: Any, error: BaseException, status: int, said: str
) -> None:
    assert in_process("select 1", fail=error) == (status, "", f"sockql: {said}\n")


def test_a_traceback_is_shown_for_debugging_only(in_process: Any) -> None:
    status, said, why = in_process("--debug", "select 1", fail=DataError("gone"))
    assert (status, said) == (3, "")
    assert why.startswith("Traceback (most recent call last):\n")
    assert why.endswith("sockql.errors.DataError: gone\nsockql: gone\n")


def test_the_procfs_is_the_one_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    status, said, why = run("--proc", str(tmp_path), "--csv", "select 1 a")
    assert (status, said, why) == (0, "a\n1\n", "")
    assert run("--proc", str(tmp_path / "1"), "select 1") == (
        3,
        "",
        f"sockql: --proc {tmp_path / '1'}: no processes there; is it a mounted procfs?\n",
    )


# -- tables, schema, plan -----------------------------------------------------------------------


def test_tables_are_listed_with_their_first_line() -> None:
    status, said, _ = run("tables", "--json")
    assert status == 0
    assert json.loads(said) == [
        {"table": table.schema.name, "description": table.schema.doc.split("\n")[0]}
        for table in tables.load_all()
    ]
    assert [line.split()[0] for line in run("tables", "--no-header")[1].splitlines()] == list(
        tables.NAMES
    )


@pytest.mark.parametrize("names", [[], ["fds"], ["processes", "fds"]])
def test_the_schema_says_all_of_the_declarations(names: list[str]) -> None:
    schemas = [tables.load(name).schema for name in names or tables.NAMES]
    status, said, _ = run("schema", *names, "--json")
    assert status == 0
    assert [
        (s["table"], c["column"], c["type"], c["hidden"], c["nocase"], c["unit"], c["source"])
        for s in json.loads(said)
        for c in s["columns"]
    ] == [
        (s.name, c.name, c.type, c.hidden, c.nocase, c.unit, c.source)
        for s in schemas
        for c in s.columns
    ]
    text = run("schema", *names)[1]
    for schema in schemas:
        assert f"\nCREATE TABLE {schema.name} (\n" in f"\n{text}"
        for example in schema.examples:
            assert f"-- Example: {example}\n" in text
        for column in schema.columns:
            assert " ".join(column.doc.split()) in text
    rows = run("schema", *names, "--tsv", "--no-header")[1].splitlines()
    assert [row.split("\t")[:2] for row in rows] == [
        [s.name, c.name] for s in schemas for c in s.columns
    ]


def test_the_schema_without_its_remarks_is_sql() -> None:
    import apsw

    text = run("schema")[1]
    connection = apsw.Connection(":memory:")
    connection.execute(text)
    found = connection.execute("select name from sqlite_schema where type = 'table'").fetchall()
    connection.close()
    assert found == [(name,) for name in tables.NAMES]


@pytest.mark.parametrize("words", [["tables"], ["schema"], ["schema", "users"]], ids=" ".join)
def test_on_a_terminal_what_is_long_goes_on_in_the_next_line(words: list[str]) -> None:
    status, shown = on_terminal(*words, columns=80)
    plain = run(*words)[1]
    assert status == 0
    for line in shown.splitlines():
        # A word that is longer than its room sticks out: the name of a file, say.
        assert len(line) <= 80 or " " not in line.rpartition("-- ")[2], line

    def spoken(text: str) -> list[str]:
        """The words, without the marks of comments, the title and its rule."""
        return [word for word in text.split() if word.strip("-") and word != "--"]

    found = spoken(shown)
    assert found == spoken(plain)[len(spoken(plain)) - len(found) :]
    assert len(found) >= len(spoken(plain)) - 2  # the names of the columns of a table
    if words[0] == "schema":
        known = sqlite3.connect(":memory:")
        known.executescript(shown.replace(" HIDDEN", ""))  # still SQL
        known.close()


def test_a_plan_fits_a_terminal() -> None:
    sql = "select src, sport from sockets where protocol = 'tcp' and dport between 8000 and 8999"
    status, shown = on_terminal("plan", sql, columns=80)
    assert status == 0
    lines = shown.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("  requests    sock_diag"))
    # How long the states are depends on the kernel.
    request = run("plan", sql)[1].partition("  requests    ")[2].partition("\n")[0]
    assert request.endswith(" bytecode='dport 8000-8999'")
    assert lines[start + 1].startswith(" " * 14) == (len(request) > 80 - 14)
    assert " ".join("\n".join(lines[start:]).split()).startswith("requests " + request)
    assert max(map(len, lines)) <= 80


def test_a_plan_says_what_a_table_was_asked_and_gave() -> None:
    sql = f"select fd from fds where pid = {os.getpid()}"
    status, said, _ = run("plan", "--json", sql)
    plan = json.loads(said)
    assert status == 0
    assert plan["sql"] == sql
    assert plan["rows"] > 0
    (table,) = plan["tables"]
    assert table["table"] == "fds"
    assert set(table["columns"]) >= {"fd"}
    assert table["conditions"] == [f"pid = {os.getpid()}"]
    assert table["rows"] >= plan["rows"]
    status, text, _ = run("plan", sql)
    assert status == 0
    assert text.startswith("fds: ")
    assert f"  conditions  pid = {os.getpid()}\n" in text
    assert "\nquery plan\n  SCAN fds VIRTUAL TABLE" in text


def test_a_plan_comes_as_rows_too() -> None:
    status, said, _ = run(
        "plan", "--tsv", "--no-header", f"select fd from fds where pid = {os.getpid()}"
    )
    assert (status, said.split("\t")[0]) == (0, "fds")


def test_json_of_several_statements_is_a_stream_of_arrays() -> None:
    """Which jq reads as it comes; nothing tells two statements from one whose rows are arrays."""
    status, out, _ = run(
        "--json", "select 1 as n union select 2; select 'x' as t; select 3 where 0"
    )
    assert status == 0
    decoder, found = json.JSONDecoder(), []
    while out := out.lstrip():
        array, end = decoder.raw_decode(out)
        found.append(array)
        out = out[end:]
    assert found == [[{"n": 1}, {"n": 2}], [{"t": "x"}], []]


@pytest.mark.parametrize(("words", "collects"), [("'select 1'", False), ("watch 'select 1'", True)])
def test_only_what_stays_collects_garbage(words: str, collects: bool) -> None:
    # Whatever asks for the engine is asked whether there is a collector by then.
    code = (
        "import gc, os, shlex, sys; from sockql import cli; from sockql.command import running\n"
        "def opened(options): print(gc.isenabled(), flush=True); os._exit(0)\n"
        "running.open_engine = opened\n"
        f"sys.argv[1:] = shlex.split({words!r}); cli.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{collects}\n"
