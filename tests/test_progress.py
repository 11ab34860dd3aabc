from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql.command import progress
from sockql.command.progress import PATIENCE, PERIOD, Progress, Tally
from sockql.engine import Engine
from sockql.host import Host
from tests.fakeproc import proc_tree, stat


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "perf_counter", clock)
    return clock


class Screen:
    """A terminal that stands for standard output and standard error."""

    def __init__(self) -> None:
        self.terminals = {1, 2}
        self._said = ""

    def isatty(self, descriptor: int) -> bool:
        return descriptor in self.terminals

    def write(self, descriptor: int, data: bytes) -> int:
        assert descriptor == 2
        self._said += data.decode()
        return len(data)

    def text(self) -> str:
        said, self._said = self._said, ""
        return said


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(progress, "os", screen)
    monkeypatch.setattr("sockql.command.terminal.screen_columns", lambda _descriptor: 80)
    return screen


@pytest.mark.parametrize(
    ("calls", "text"),
    [
        ([], ""),
        ([("fds", 4210, 10300)], "fds: 4,210 of 10,300 processes"),
        ([("processes", 0, 3)], "processes: 0 of 3"),
        ([("sockets", 12000, None)], "sockets: 12,000"),
        ([("fds", 5, 9), ("sockets", 1, None)], "sockets: 1"),
        ([("sockets", 100, None), ("sockets", 250, None), ("sockets", 30, None)], "sockets: 380"),
        ([("processes", 0, 1)] * 2, "processes: 2 of 3"),
        ([("processes", 0, 1)] * 1234, "processes: 1,234"),
        ([("fds", 0, 1), ("sockets", 7, None), ("fds", 0, 1)], "fds: 2 of 3 processes"),
    ],
)
def test_what_is_collected_is_counted(
    calls: list[tuple[str, int, int | None]], text: str, tmp_path: Path
) -> None:
    tally = Tally(Host(str(proc_tree({f"{pid}/stat": stat(pid) for pid in (1, 2, 3)}, tmp_path))))
    for call in calls:
        tally(*call)
    assert tally.text == text


def test_a_join_tells_of_how_many_processes_it_has_read_some(tmp_path: Path) -> None:
    tree: dict[str, bytes | None] = {f"{pid}/stat": stat(pid) for pid in range(1, 9)}
    host = Host(str(proc_tree(tree, tmp_path)))
    host.progress = tally = Tally(host)
    with Engine(host) as engine:
        engine.query("create temp table wanted as select 3 as pid union select 5 union select 7")
        found = engine.query("select name from wanted cross join processes using (pid)")
    assert len(found) == 3
    assert tally.text == "processes: 3 of 8"


def test_nothing_is_said_of_what_is_quick(screen: Screen, clock: Clock) -> None:
    host = Host()
    with Progress(host):
        assert host.progress is not None
        clock.now += PATIENCE - 0.001
        host.progress("fds", 1, 2)
    assert host.progress is None
    assert screen.text() == ""


def test_the_line_is_rewritten_in_place_not_too_often_and_taken_away(
    screen: Screen, clock: Clock
) -> None:
    host = Host()
    with Progress(host):
        assert host.progress is not None
        clock.now += PATIENCE
        host.progress("fds", 99, 100)
        assert screen.text() == "\rfds: 99 of 100 processes"
        clock.now += PERIOD / 2
        host.progress("sockets", 1, None)
        assert screen.text() == ""
        clock.now += PERIOD
        host.progress("sockets", 2, None)
        assert screen.text() == "\rsockets: 3" + " " * 14
    assert screen.text() == "\r" + " " * 10 + "\r"


def test_the_line_goes_before_the_first_row(screen: Screen, clock: Clock) -> None:
    host = Host()

    def rows() -> Iterator[int]:
        assert host.progress is not None
        clock.now += PATIENCE
        host.progress("fds", 0, 2)
        yield 1
        assert host.progress is None
        yield 2

    with Progress(host) as shown:
        found: list[int] = []
        for row in shown.until_rows(rows()):
            if not found:
                assert screen.text().endswith("\r" + " " * 21 + "\r")
            found.append(row)
    assert found == [1, 2]
    assert screen.text() == ""


def test_the_line_goes_where_there_are_no_rows(screen: Screen, clock: Clock) -> None:
    host = Host()
    with Progress(host) as shown:
        assert host.progress is not None
        clock.now += PATIENCE
        host.progress("x", 0, None)
        assert list(shown.until_rows([])) == []
        assert screen.text() == "\rx: 0\r    \r"


@pytest.mark.parametrize(("columns", "blanks"), [(80, 6), (6, 5)])
def test_what_the_terminal_shows_of_ctrl_c_goes_with_the_line(
    screen: Screen,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    blanks: int,
) -> None:
    monkeypatch.setattr("sockql.command.terminal.screen_columns", lambda _descriptor: columns)
    host = Host()

    def interrupted() -> None:
        with Progress(host):
            assert host.progress is not None
            clock.now += PATIENCE
            host.progress("x", 0, None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert screen.text() == "\rx: 0\r" + " " * blanks + "\r"


def test_a_narrow_terminal_gets_a_part(
    screen: Screen, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sockql.command.terminal.screen_columns", lambda _descriptor: 10)
    host = Host()
    with Progress(host):
        assert host.progress is not None
        clock.now += PATIENCE
        host.progress("fds", 4210, 10300)
        assert screen.text() == "\rfds: 4,21"


def test_a_terminal_that_is_gone_is_left_alone(
    screen: Screen, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(screen, "write", gone)
    with Progress(Host()) as shown:
        clock.now += PATIENCE
        shown("fds", 1, 2)


@pytest.mark.parametrize("terminals", [{1}, {2}, set()])
def test_what_is_redirected_is_left_alone(
    screen: Screen, clock: Clock, terminals: set[int]
) -> None:
    screen.terminals = terminals
    host = Host()
    with Progress(host):
        assert host.progress is None
        clock.now += PATIENCE
    assert screen.text() == ""


def test_without_a_terminal_nobody_is_told(clock: Clock) -> None:
    # pytest has put files where standard output and error were.
    host = Host()
    with Progress(host) as shown:
        assert host.progress is None
        clock.now += 10
        shown("fds", 1, 2)
        assert list(shown.until_rows([1, 2])) == [1, 2]


def test_tables_tell_how_far_they_have_come(tmp_path: Path) -> None:
    tree: dict[str, bytes | None] = {f"{pid}/stat": stat(pid) for pid in (1, 2, 3)}
    tree |= {f"{pid}/fd": None for pid in (1, 2, 3)}
    host = Host(str(proc_tree(tree, tmp_path)))
    told: list[tuple[str, int, int | None]] = []
    host.progress = lambda *what: told.append(what)
    with Engine(host) as engine:
        engine.query("select name from processes")
        assert told == [("processes", done, 3) for done in range(3)]
        told.clear()
        engine.query("select target from fds")
        assert told == [("fds", done, 3) for done in range(3)]


def test_sockets_are_counted_as_they_come() -> None:
    host = Host()
    host.progress = tally = Tally(host)
    with Engine(host) as engine:
        ((count,),) = engine.query("select count(*) from sockets where family = 'unix'")
    if not tally.text:
        pytest.skip("ENOENT: the unix sockets of this kernel come from /proc/net")
    assert tally.text == f"sockets: {count:,}"


def test_what_only_computes_says_so(screen: Screen, clock: Clock) -> None:
    host = Host()
    with Engine(host) as engine, Progress(host):
        numbers = "with recursive n(x) as (select 1 union all select x + 1 from n limit 100000)"
        engine.query(f"{numbers} select count(*) from n")
        assert screen.text() == ""
        clock.now += PATIENCE
        engine.query(f"{numbers} select count(*) from n")
        assert screen.text() == "\rcomputing"
    assert screen.text() == "\r" + " " * 9 + "\r"
