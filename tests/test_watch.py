from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql import cli
from sockql.dialect import SOCKQL
from sockql.engine import Engine
from sockql.errors import DataError, Interrupted, QueryError, TimeoutExpired, UsageError
from sockql.host import Host
from sockql.watch.differ import ADDED, CHANGED, REMOVED, SAME, Line
from sockql.watch.lines import Delimited, JsonLines, timestamp
from sockql.watch.rounds import Schedule, Watch, _groups, watch
from tests.conftest import ROOT
from tests.fakeproc import proc_tree, stat

PATIENCE = 30.0
COMMAND = [sys.executable, "-m", "sockql", "watch"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
NAMES = "select pid, name from processes order by pid"


class Machine:
    """A procfs whose processes come and go as a test says."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.proc = str(proc_tree({"1/stat": stat(1, b"init")}, root))

    def start(self, pid: int, name: bytes) -> None:
        """A process comes, or becomes another; whole at once, for somebody may be looking."""
        folder = Path(self.proc) / str(pid)
        folder.mkdir(exist_ok=True)
        new = self._root / "stat"
        new.write_bytes(stat(pid, name))
        new.rename(folder / "stat")

    def end(self, pid: int) -> None:
        folder = Path(self.proc) / str(pid)
        (folder / "stat").unlink()
        folder.rmdir()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def engine(machine: Machine) -> Iterator[Engine]:
    with Engine(Host(machine.proc)) as engine:
        yield engine


# -- rounds -------------------------------------------------------------------------------------


def test_rounds_tell_what_came_went_and_changed(engine: Engine, machine: Machine) -> None:
    watched = Watch(engine, NAMES)
    machine.start(2, b"two")
    first = watched.round()
    assert (first.number, first.first, first.rows) == (1, True, 2)
    assert first.lines == [Line(ADDED, (1, "init")), Line(ADDED, (2, "two"))]
    machine.end(2)
    machine.start(1, b"systemd")
    machine.start(3, b"three")
    second = watched.round()
    assert (second.number, second.first, second.rows) == (2, False, 2)
    assert second.lines == [
        Line(CHANGED, (1, "systemd"), (1, "init")),
        Line(REMOVED, (2, "two")),
        Line(ADDED, (3, "three")),
    ]
    third = watched.round()
    assert third.changes == []
    assert [line.kind for line in third.lines] == [SAME, SAME]


def test_a_count_is_one_row_that_changes(engine: Engine, machine: Machine) -> None:
    watched = Watch(engine, "select count(*) as n from processes")
    watched.round()
    machine.start(2, b"two")
    assert watched.round().changes == [Line(CHANGED, (2,), (1,))]


def test_groups_are_matched_by_what_they_are_grouped_by(engine: Engine, machine: Machine) -> None:
    watched = Watch(engine, "select name, count(*) as n from processes group by name")
    machine.start(2, b"two")
    watched.round()
    machine.start(3, b"two")
    assert watched.round().changes == [Line(CHANGED, ("two", 2), ("two", 1))]


@pytest.mark.parametrize(
    ("sql", "groups"),
    [
        ("select count(*) from fds", False),
        ("select pid, count(*) from fds GROUP BY pid", True),
        ("select 'group' from fds", False),
        ("select * from [socket_summary]", True),
        ("select * from listening", False),
    ],
)
def test_a_view_that_groups_is_a_statement_that_groups(sql: str, groups: bool) -> None:
    assert _groups(sql, SOCKQL) == groups


def test_keys_are_found_behind_other_names(engine: Engine, machine: Machine) -> None:
    sql = "with p as (select pid as id, name as n from processes) select n, id from p where id > :x"
    watched = Watch(engine, sql, {"x": 0})
    watched.round()
    machine.start(1, b"systemd")
    assert watched.round().changes == [Line(CHANGED, ("systemd", 1), ("init", 1))]


def test_a_round_tells_what_it_cost(engine: Engine) -> None:
    found = Watch(engine, NAMES).round()
    assert found.seconds > 0
    assert found.cpu >= 0
    assert re.fullmatch(r"\d+\.\d{3} s, cpu \d+\.\d{3} s", found.cost)
    found.received = 36120
    assert found.cost.endswith(" s, 36,120 bytes")


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("select 1; select 2", UsageError, "watch takes one statement, not 2"),
        ("-- nothing", UsageError, "watch takes one statement, not 0"),
        (
            "create temp table t(a)",
            UsageError,
            "watch takes a statement that has a result",
        ),
        ("select nope from processes", QueryError, "no such column: nope"),
    ],
)
def test_wrong_sql_ends_the_watch(
    engine: Engine, sql: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        Watch(engine, sql).round()
    assert str(caught.value) == message


class Flaky:
    """An engine's execute that fails in the rounds that a test says."""

    def __init__(self, engine: Engine, failures: dict[int, BaseException]) -> None:
        self._execute = engine.execute
        self._failures = failures
        self._round = 0

    def __call__(self, *arguments: Any) -> Any:
        self._round += 1
        if self._round in self._failures:
            raise self._failures[self._round]
        return self._execute(*arguments)


def test_a_round_that_fails_is_told_and_the_next_compares_with_the_last_good_one(
    engine: Engine, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: dict[int, BaseException] = {
        1: TimeoutExpired("too long"),
        3: QueryError("integer overflow"),
        4: DataError("gone"),
    }
    monkeypatch.setattr(engine, "execute", Flaky(engine, errors))
    watched = Watch(engine, NAMES)
    rounds = [watched.round(), watched.round()]
    machine.start(2, b"two")
    rounds += [watched.round(), watched.round(), watched.round()]
    assert [str(r.error) if r.error else None for r in rounds] == [
        "too long",
        None,
        "integer overflow",
        "gone",
        None,
    ]
    assert [len(r.changes) for r in rounds] == [0, 1, 0, 0, 1]
    assert [r.first for r in rounds] == [False, True, False, False, False]


def test_an_interrupt_is_not_a_round(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "execute", Flaky(engine, {1: Interrupted("interrupted")}))
    with pytest.raises(Interrupted):
        Watch(engine, NAMES).round()


# -- when ---------------------------------------------------------------------------------------


def test_rounds_keep_to_their_times() -> None:
    schedule = Schedule(2.0, 100.0)
    times = []
    for ended in (100.5, 102.0, 104.9, 111.0, 111.9):
        times.append(schedule.next)
        schedule.advance(ended)
    assert times == [100.0, 102.0, 104.0, 106.0, 112.0]


@given(
    st.floats(0.05, 100),
    st.floats(0, 1e6),
    st.lists(st.floats(0, 300), min_size=1, max_size=20),
)
def test_no_round_drifts_and_none_is_early(
    interval: float, start: float, lasting: list[float]
) -> None:
    schedule = Schedule(interval, start)
    for seconds in lasting:
        ended = schedule.next + seconds
        schedule.advance(ended)
        rounds = (schedule.next - start) / interval
        assert abs(rounds - round(rounds)) < 1e-6
        assert ended - 1e-6 < schedule.next <= ended + interval * (1 + 1e-6)


# -- lines --------------------------------------------------------------------------------------


def test_the_time_is_that_of_rfc_3339_in_utc() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000000Z"
    assert timestamp(1700000000.25) == "2023-11-14T22:13:20.250000Z"


def rounds(engine: Engine, machine: Machine) -> Any:
    """A first round, and one in which a process came, one went and one changed."""
    watched = Watch(engine, NAMES)
    machine.start(2, b"two")
    first = watched.round()
    machine.end(2)
    machine.start(1, b'a"b')
    machine.start(3, b"three")
    second = watched.round()
    first.time, second.time = 0.5, 1.5
    return first, second


def test_changes_as_json_have_the_old_cells_too(engine: Engine, machine: Machine) -> None:
    stream = JsonLines(header=True, terminal=False)
    first, second = rounds(engine, machine)
    assert stream.text(first) == (
        '{"time": "1970-01-01T00:00:00.500000Z", "round": 1, "change": "added", '
        '"row": {"pid": 1, "name": "init"}}\n'
        '{"time": "1970-01-01T00:00:00.500000Z", "round": 1, "change": "added", '
        '"row": {"pid": 2, "name": "two"}}\n'
    )
    start = '{"time": "1970-01-01T00:00:01.500000Z", "round": 2, "change": '
    assert stream.text(second) == (
        start + '"changed", "row": {"pid": 1, "name": "a\\"b"}, "before": {"name": "init"}}\n'
        f'{start}"removed", "row": {{"pid": 2, "name": "two"}}}}\n'
        f'{start}"added", "row": {{"pid": 3, "name": "three"}}}}\n'
    )


@pytest.mark.parametrize("header", [True, False])
def test_changes_as_csv_have_the_names_once(engine: Engine, machine: Machine, header: bool) -> None:
    stream = Delimited("csv", header=header, terminal=False)
    first, second = rounds(engine, machine)
    names = "time,round,change,pid,name\n" if header else ""
    assert stream.text(first) == names + (
        "1970-01-01T00:00:00.500000Z,1,added,1,init\n1970-01-01T00:00:00.500000Z,1,added,2,two\n"
    )
    assert stream.text(second) == (
        '1970-01-01T00:00:01.500000Z,2,changed,1,"a""b"\n'
        "1970-01-01T00:00:01.500000Z,2,removed,2,two\n"
        "1970-01-01T00:00:01.500000Z,2,added,3,three\n"
    )


def test_a_terminal_gets_no_control_characters(engine: Engine, machine: Machine) -> None:
    machine.start(1, b"\x1b[31m")
    found = Watch(engine, NAMES).round()
    for stream in (
        JsonLines(header=True, terminal=True),
        Delimited("tsv", header=True, terminal=True),
    ):
        assert "\x1b" not in stream.text(found)


# -- the command --------------------------------------------------------------------------------


def start(*words: str, **more: Any) -> subprocess.Popen[bytes]:
    more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **more}
    return subprocess.Popen([*COMMAND, *words], env=ENVIRONMENT, stderr=subprocess.PIPE, **more)


def test_each_change_is_a_line_when_it_happens(machine: Machine) -> None:
    process = start("-n", "0.05", "--proc", machine.proc, NAMES)
    assert process.stdout is not None
    with process:

        def said() -> dict[str, Any]:
            assert process.stdout is not None
            found: dict[str, Any] = json.loads(process.stdout.readline())
            return found

        first = said()
        machine.start(7, b"seven")
        second = said()
        machine.start(7, b"eleven")
        third = said()
        machine.end(7)
        fourth = said()
        process.send_signal(signal.SIGINT)
        _, why = process.communicate(timeout=PATIENCE)
    assert (process.returncode, why) == (130, b"sockql: interrupted\n")
    lines = [first, second, third, fourth]
    times = [line.pop("time") for line in lines]
    assert times == sorted(times)
    numbers = [line.pop("round") for line in lines]
    assert numbers[0] == 1
    assert numbers == sorted(set(numbers))
    assert lines == [
        {"change": "added", "row": {"pid": 1, "name": "init"}},
        {"change": "added", "row": {"pid": 7, "name": "seven"}},
        {
            "change": "changed",
            "row": {"pid": 7, "name": "eleven"},
            "before": {"name": "seven"},
        },
        {"change": "removed", "row": {"pid": 7, "name": "eleven"}},
    ]


def test_it_ends_after_the_rounds_that_were_asked_for(machine: Machine) -> None:
    process = start(
        *("-n", "0.01", "--count", "3", "--timing", "--csv", "--proc", machine.proc, NAMES)
    )
    said, why = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert [line.split(b",")[1:] for line in said.splitlines()] == [
        [b"round", b"change", b"pid", b"name"],
        [b"1", b"added", b"1", b"init"],
    ]
    cost = rb"\d\.\d{3} s, cpu \d\.\d{3} s"
    assert re.fullmatch(
        rb"sockql: round 1: 1 row, %b\n"
        rb"sockql: round 2: 1 row \+0 -0 ~0, %b\n"
        rb"sockql: round 3: 1 row \+0 -0 ~0, %b\n" % (cost, cost, cost),
        why,
    )


def test_a_reader_that_leaves_ends_it_though_nothing_changes(machine: Machine) -> None:
    process = start("-n", "3600", "--proc", machine.proc, NAMES)
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_quietly(machine: Machine, number: int) -> None:
    process = start("-n", "3600", "--proc", machine.proc, NAMES)
    assert process.stdout is not None
    with process:
        process.stdout.readline()
        process.send_signal(number)
        assert process.communicate(timeout=PATIENCE) == (b"", b"")
    assert process.returncode == 128 + number


def test_a_file_has_each_line_at_once(machine: Machine, tmp_path: Path) -> None:
    target = tmp_path / "changes"
    target.write_text("old")
    process = start("-n", "0.05", "-o", str(target), "--proc", machine.proc, NAMES)
    with process:
        deadline = time.monotonic() + PATIENCE
        while not target.read_text().endswith("\n"):
            assert time.monotonic() < deadline
        process.terminate()
        assert process.communicate(timeout=PATIENCE) == (b"", b"")
    assert json.loads(target.read_text())["row"] == {"pid": 1, "name": "init"}


def test_a_pipe_may_have_the_whole_result_of_each_round(machine: Machine) -> None:
    process = start("-n", "0.01", "--count=2", "--table", "--proc", machine.proc, NAMES)
    said, _ = process.communicate(timeout=PATIENCE)
    text = re.sub(r"(?m)^\S+Z (round.*), \d.*$", r"\1", said.decode())
    table = "pid  name\n---  ----\n  1  init\n"
    assert text == f"round 1: 1 row\n{table}\nround 2: 1 row +0 -0 ~0\n{table}"


def test_a_failed_round_is_told_and_the_last_one_gives_the_status() -> None:
    endless = "with recursive n(x) as (select 1 union all select x+1 from n) select max(x) from n"
    process = start("-n", "0.01", "--count", "2", "--timeout", "0.05", endless)
    said, why = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (124, b"")
    assert why.decode() == "".join(
        f"sockql: round {number}: the statement took longer than 0.05 seconds\n"
        for number in (1, 2)
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ["--json", "select 1"],
            (
                "watch has no format json: it writes a line for each change as --jsonl, --csv or "
                "--tsv, or the whole result of each round as --table"
            ),
        ),
        (["-n", "0", "select 1"], "--interval 0: not a positive number of seconds"),
        (["--count", "0", "select 1"], "--count 0: not a positive number of rounds"),
        (["select 1; select 2"], "watch takes one statement, not 2"),
        (
            ["-p", "x=1", "select 1"],
            "-p x: the SQL has no parameter :x; its parameters: none",
        ),
        (["-o", "/dev/null/x", "select 1"], "/dev/null/x: Not a directory"),
        (["selct 1"], 'near "selct": syntax error; did you mean `select`?\n  selct 1\n  ^'),
    ],
)
def test_wrong_usage_is_told(words: list[str], why: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["watch", *words]) == 2
    assert capfd.readouterr() == ("", f"sockql: {why}\n")


@pytest.mark.parametrize("flag", ["--interval", "--count"])
def test_other_commands_do_not_watch(flag: str, capfd: pytest.CaptureFixture[str]) -> None:
    for words in (["select 1"], ["tables"], ["plan", "select 1"]):
        assert cli.main([*words, flag, "3"]) == 2
        assert capfd.readouterr() == ("", f"sockql: {flag} is an option of sockql watch\n")


def test_what_a_round_lacks_is_said_once_for_each_kind(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    execute: Callable[..., Any] = engine.execute
    calls: list[None] = []

    def lacking(*arguments: Any) -> Any:
        calls.append(None)
        engine.host.notice(f"fds: {len(calls)} of 9 processes not readable")
        return execute(*arguments)

    monkeypatch.setattr(engine, "execute", lacking)
    said: list[str] = []
    more: Any = {"interval": 0.001, "rounds": 3, "say": said.append}
    assert watch(engine, "select 1 as a", **more) == 0
    assert watch(engine, "select 1 as a", strict=True, **more) == 3
    assert said == [f"fds: {number} of 9 processes not readable" for number in (1, 4)]
    assert len(capfd.readouterr().out.splitlines()) == 2
