from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockql.errors import DataError
from sockql.watch.differ import ADDED, CHANGED, REMOVED, SAME, Line
from sockql.watch.rounds import Round
from sockql.watch.screen import decode
from sockql.watch.view import View
from tests.conftest import ROOT
from tests.test_watch import Machine

PATIENCE = 30.0
NAMES = "select pid, name from processes order by pid"
ENDLESS = "with recursive n(x) as (select 1 union all select x + 1 from n) select max(x) from n"
KEYS = "q: quit  p: pause, and go on  arrows, PgUp, PgDn, Home, End: scroll"
STYLE = re.compile(r"\x1b\[[0-9;]*m")


# -- what is on the screen, without one -----------------------------------------------------------


def a_round(number: int, columns: tuple[str, ...], lines: list[Line]) -> Round:
    found = Round(number)
    found.columns, found.lines = columns, lines
    found.first = number == 1
    found.rows = sum(line.kind != REMOVED for line in lines)
    found.time = time.mktime((2026, 1, 2, 3, 4, 5, 0, 0, -1))
    return found


def plain(frame: list[str]) -> list[str]:
    return [STYLE.sub("", line).rstrip() for line in frame]


def test_a_frame_is_the_round_the_sql_the_rows_and_the_keys() -> None:
    view = View("select *\n  from x", 2.0, colours=False)
    rows = [(1, "init", None), (20, "ssh\x1b[31md", 7.5)]
    view.take(a_round(1, ("pid", "name", "load"), [Line(ADDED, row) for row in rows]))
    assert plain(view.frame(80, 8)) == [
        "03:04:05  round 1  2 rows, 0.000 s, cpu 0.000 s  (every 2 s)",
        "select * from x",
        "  pid  name          load",
        "    1  init          NULL",
        r"   20  ssh\x1b[31md   7.5",
        "",
        "",
        KEYS,
    ]


def test_what_came_went_and_changed_is_marked() -> None:
    view = View("q", 2.0, colours=True)
    view.take(a_round(1, ("pid", "name"), [Line(ADDED, (1, "a"))]))
    assert plain(view.frame(80, 6))[3] == "    1  a"
    lines = [
        Line(SAME, (1, "a")),
        Line(CHANGED, (2, "new"), (2, "old")),
        Line(ADDED, (3, "c")),
        Line(REMOVED, (4, "d")),
    ]
    view.take(a_round(2, ("pid", "name"), lines))
    frame = view.frame(80, 9)
    assert plain(frame)[0].startswith("03:04:05  round 2  3 rows +1 -1 ~1, ")
    assert plain(frame)[3:7] == ["    1  a", "~   2  new", "+   3  c", "-   4  d"]
    assert "\x1b[7mnew\x1b[0m" in frame[4]
    assert "\x1b[7m2" not in frame[4]
    assert "\x1b[32m3\x1b[0m" in frame[5]
    assert "\x1b[31md\x1b[0m" in frame[6]


def test_without_colours_marks_and_other_styles_say_it() -> None:
    view = View("q", 2.0, colours=False)
    lines = [Line(ADDED, (1,)), Line(REMOVED, (2,)), Line(CHANGED, (3,), (0,))]
    view.take(a_round(2, ("n",), lines))
    frame = view.frame(80, 8)
    assert not any(re.search(r"\x1b\[[34]\d", line) for line in frame)
    assert plain(frame)[3:6] == ["+ 1", "- 2", "~ 3"]
    assert "\x1b[7m3\x1b[0m" in frame[5]


def test_a_round_that_fails_leaves_the_rows_and_says_why() -> None:
    view = View("q", 2.0, colours=False)
    view.take(a_round(1, ("n",), [Line(ADDED, (1,))]))
    failed = a_round(2, (), [])
    failed.error = DataError("gone\n")
    view.take(failed)
    frame = plain(view.frame(80, 6))
    assert frame[0] == "03:04:05  round 2  failed, 0.000 s, cpu 0.000 s  (every 2 s)"
    assert frame[3:] == ["  1", "", r" gone\n"]
    view.take(a_round(3, ("n",), [Line(SAME, (1,))]))
    assert plain(view.frame(80, 6))[5] == KEYS


def test_notices_and_progress_take_the_place_of_the_keys() -> None:
    view = View("q", 2.0, colours=False)
    found = a_round(1, ("n",), [Line(ADDED, (1,))])
    found.notices = ["fds: 1 of 2", "x\x07"]
    view.take(found)
    assert plain(view.frame(80, 6))[5] == r"fds: 1 of 2; x\x07"
    view.progress = "fds: 1 of 2 processes"
    assert plain(view.frame(80, 6))[5] == "fds: 1 of 2 processes"


def test_keys_scroll_as_far_as_there_is_something() -> None:
    view = View("q", 2.0, colours=False)
    view.take(a_round(1, ("n",), [Line(ADDED, (n,)) for n in range(10)]))

    def shown(*keys: str) -> list[int]:
        for key in keys:
            view.key(key)
        return [int(line) for line in plain(view.frame(80, 8))[3:7]]

    assert shown() == [0, 1, 2, 3]
    assert shown("down", "down") == [2, 3, 4, 5]
    assert shown("page down") == [6, 7, 8, 9]
    assert shown("page down", "down") == [6, 7, 8, 9]
    assert shown("up") == [5, 6, 7, 8]
    assert shown("page up") == [1, 2, 3, 4]
    assert shown("page up", "up") == [0, 1, 2, 3]
    assert shown("end") == [6, 7, 8, 9]
    assert shown("home") == [0, 1, 2, 3]


def test_what_is_too_wide_is_cut_in_its_middle_or_scrolled_to() -> None:
    view = View("q", 2.0, colours=False)
    names = tuple(f"c{i}" for i in range(4))
    view.take(a_round(1, names, [Line(ADDED, ("a" * 20 + "z",) * 3 + (7,))]))
    assert plain(view.frame(50, 6))[3] == "  " + "aaaaaa…aaaaaz  " * 3 + " 7"
    assert plain(view.frame(24, 6))[3] == "  aaaaaaaaaaaaaaaaaaaaz"
    for _ in range(20):
        view.key("right")
    assert plain(view.frame(24, 6))[3].endswith("z   7")
    view.key("home")
    assert plain(view.frame(24, 6))[2] == "  c0"


@pytest.mark.parametrize("lines", range(1, 9))
@pytest.mark.parametrize("columns", [1, 2, 10, 200])
def test_a_frame_fits_any_screen(columns: int, lines: int) -> None:
    view = View("select '\u4e00\u4e00\u4e00'", 2.0, colours=True)
    view.frame(columns, lines)
    cells = ("\u4e00" * 30, None, 5)
    view.take(a_round(1, ("\u4e00", "b", "c"), [Line(ADDED, cells)] * 20))
    for key in ("", "right", "right", "end"):
        view.key(key)
        frame = plain(view.frame(columns, lines))
        assert len(frame) == lines
        assert all(len(line) + line.count("\u4e00") < max(columns, 2) for line in frame)


def test_columns_do_not_jump() -> None:
    view = View("q", 2.0, colours=False)
    view.take(a_round(1, ("a", "b"), [Line(ADDED, ("wide one", 1))]))
    view.take(a_round(2, ("a", "b"), [Line(CHANGED, ("x", 1), ("wide one", 1))]))
    assert plain(view.frame(80, 6))[3] == "~ x         1"


def test_keys_are_told_from_what_terminals_send() -> None:
    assert decode(b"qp\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1bOF") == [
        *("quit", "pause", "up", "down", "page up", "page down", "home", "end"),
    ]
    assert decode(b"\x1b[1;5A\x1b[<0;1;1M\xc3\xa4\x00x\x1b") == []


# -- in tmux --------------------------------------------------------------------------------------


class Tmux:
    """A shell in a tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        environment = {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "PS1": "$ ",
            "PYTHONPATH": str(ROOT),
            "TERM": "screen-256color",
        }
        self._run(
            *("-f", os.devnull, "new-session", "-d", "-x", "80", "-y", "12"),
            *("env", "-i", *(f"{name}={value}" for name, value in environment.items())),
            *("bash", "--norc", "--noprofile", "-i"),
        )
        self._run("set-option", "-g", "window-size", "manual")
        self.wait(lambda lines: lines == ["$"])

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words], capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def enter(self, text: str) -> None:
        self._run("send-keys", "-l", text)
        self._run("send-keys", "Enter")

    def watch(self, *words: str) -> None:
        self.enter(shlex.join([sys.executable, "-m", "sockql", "watch", *words]))

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def resize(self, columns: int, lines: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self, *, styled: bool = False) -> list[str]:
        text = self._run("capture-pane", "-p", *(["-e"] if styled else []))
        return [line.rstrip() for line in text.rstrip("\n").split("\n")]

    def wait(self, ready: Callable[[list[str]], bool]) -> list[str]:
        deadline = time.monotonic() + PATIENCE
        while True:
            lines = self.screen()
            if ready(lines):
                return lines
            assert time.monotonic() < deadline, "\n".join(lines)

    def wait_for(self, text: str) -> list[str]:
        return self.wait(lambda lines: any(text in line for line in lines))

    def process(self) -> int:
        """The sockql that runs in the shell."""
        shell = self._run("display-message", "-p", "#{pane_pid}").strip()
        found = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        assert len(found) == 1
        return int(found[0])

    def cursor(self) -> str:
        """1 when the cursor is visible."""
        return self._run("display-message", "-p", "#{cursor_flag}").strip()

    def alternate(self) -> str:
        """1 while a program has the screen to itself."""
        return self._run("display-message", "-p", "#{alternate_on}").strip()

    def status(self) -> str:
        """The exit status of the last command, once it has ended and the prompt is back."""
        self.enter("echo status $?")
        lines = self.wait(lambda lines: any(re.match(r"status \d+", line) for line in lines))
        return next(line for line in reversed(lines) if line.startswith("status "))

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    if shutil.which("tmux") is None or shutil.which("bash") is None:
        pytest.skip("tmux or bash is not installed")
    tmux = Tmux(tmp_path)
    yield tmux
    tmux.close()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def body(lines: list[str]) -> list[str]:
    """A screen without its first line, which has times in it."""
    return lines[1:]


def test_the_screen_shows_rows_as_they_come_change_and_go(tmux: Tmux, machine: Machine) -> None:
    machine.start(2, b"\x1b[31mred\n")
    tmux.watch("-n", "0.2", "--proc", machine.proc, NAMES)
    lines = tmux.wait_for("init")
    assert body(lines) == [
        NAMES,
        "  pid  name",
        "    1  init",
        r"    2  \x1b[31mred\n",
        *[""] * 6,
        KEYS,
    ]
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  round \d+  2 rows.*, \d\.\d{3} s, cpu \d\.\d{3} s  \(every 0\.2 s\)",
        lines[0],
    )
    tmux.press("p")
    tmux.wait_for("PAUSED")
    machine.start(1, b"systemd")
    machine.end(2)
    machine.start(3, b"three")
    paused = tmux.screen()
    assert body(paused) == body(lines)
    assert (tmux.cursor(), tmux.alternate()) == ("0", "1")
    tmux.press("p")
    lines = tmux.wait_for("three")
    assert not any("PAUSED" in line for line in lines)
    tmux.press("q")
    tmux.wait(lambda lines: lines[-1] == "$")
    assert tmux.status() == "status 0"


def test_marks_and_styles_tell_what_changed(tmux: Tmux, machine: Machine) -> None:
    machine.start(2, b"two")
    tmux.watch("-n", "2", "--proc", machine.proc, NAMES)
    tmux.wait_for("  init")
    machine.start(1, b"systemd")
    machine.end(2)
    machine.start(3, b"three")
    lines = tmux.wait_for("+   3")
    tmux.press("p")
    tmux.wait_for("PAUSED")
    assert lines[3:6] == ["~   1  systemd", "-   2  two", "+   3  three"]
    assert " 2 rows +1 -1 ~1, " in lines[0]
    styled = tmux.screen(styled=True)
    assert "\x1b[7msystemd" in styled[3]
    assert "\x1b[31m" in styled[4]
    assert "\x1b[32m" in styled[5]


def test_quitting_gives_the_terminal_back(tmux: Tmux, machine: Machine) -> None:
    tmux.enter("echo before")
    tmux.wait_for("before")
    tmux.watch("-n", "0.1", "--proc", machine.proc, NAMES)
    tmux.wait_for("  init")
    tmux.press("q")
    lines = tmux.wait(lambda lines: lines[-1] == "$" and "before" in lines)
    assert not any("init" in line for line in lines)
    assert tmux.status() == "status 0"
    # The shell's own editor sets the terminal as it likes; other programs get what was left.
    tmux.enter("stty -a")
    lines = tmux.wait(lambda lines: lines[-1] == "$" and any("icanon" in line for line in lines))
    modes = " ".join(lines).split()
    assert {"icanon", "echo", "isig"} <= set(modes)
    assert (tmux.cursor(), tmux.alternate()) == ("1", "0")


def test_an_interrupt_gives_the_terminal_back(tmux: Tmux, machine: Machine) -> None:
    tmux.watch("-n", "600", "--proc", machine.proc, NAMES)
    tmux.wait_for("  init")
    tmux.press("C-c")
    tmux.wait_for("sockql: interrupted")
    assert tmux.status() == "status 130"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("sql", [NAMES, ENDLESS])
def test_a_signal_gives_the_terminal_back(
    tmux: Tmux, machine: Machine, number: int, sql: str
) -> None:
    tmux.watch("-n", "600", "--proc", machine.proc, sql)
    tmux.wait(lambda lines: lines[-1].startswith("q: quit") or lines[0].startswith("every"))
    os.kill(tmux.process(), number)
    tmux.wait(lambda lines: any(line.startswith("$ ") for line in lines))
    assert tmux.status() == f"status {128 + number}"


def test_keys_are_heard_while_a_statement_runs(tmux: Tmux) -> None:
    tmux.watch(ENDLESS)
    tmux.wait_for("every 2 s")
    tmux.press("p")
    tmux.press("q")
    tmux.wait(lambda lines: any(line.startswith("$ ") for line in lines))
    assert tmux.status() == "status 0"


def test_an_interrupt_stops_a_statement_that_runs(tmux: Tmux) -> None:
    tmux.watch(ENDLESS)
    tmux.wait_for("every 2 s")
    tmux.press("C-c")
    tmux.wait_for("sockql: interrupted")
    assert tmux.status() == "status 130"


def test_it_can_be_stopped_and_brought_back(tmux: Tmux, machine: Machine) -> None:
    tmux.watch("-n", "600", "--proc", machine.proc, NAMES)
    tmux.wait_for("  init")
    tmux.press("C-z")
    tmux.wait_for("Stopped")
    tmux.enter("echo $((6 * 7))")
    tmux.wait_for("42")
    tmux.enter("fg")
    # The screen may be looked at while it is being drawn.
    tmux.wait(
        lambda lines: (
            lines[-1] == KEYS
            and any("  init" in line for line in lines)
            and not any("42" in line for line in lines[3:])
        )
    )
    tmux.press("q")
    assert tmux.status() == "status 0"


def test_another_size_is_drawn_at_once_and_keys_scroll(tmux: Tmux, machine: Machine) -> None:
    for pid in range(2, 21):
        machine.start(pid, b"p%d" % pid)
    tmux.watch("-n", "600", "--proc", machine.proc, NAMES)
    tmux.wait(lambda lines: lines[-2:] == ["    8  p8", KEYS])
    tmux.resize(40, 8)
    lines = tmux.wait(lambda lines: len(lines) == 8 and lines[-1] == KEYS[:39].rstrip())
    assert lines[3:7] == ["    1  init", "    2  p2", "    3  p3", "    4  p4"]
    tmux.press("Down", "PageDown")
    tmux.wait(lambda lines: lines[3:7] == ["    6  p6", "    7  p7", "    8  p8", "    9  p9"])
    tmux.press("End")
    tmux.wait(lambda lines: lines[3:7] == ["   17  p17", "   18  p18", "   19  p19", "   20  p20"])
    tmux.press("Home")
    tmux.wait(lambda lines: lines[3] == "    1  init")
    tmux.resize(80, 30)
    tmux.wait(lambda lines: lines[22:] == ["   20  p20", *[""] * 6, KEYS])
    tmux.press("q")
    assert tmux.status() == "status 0"


def test_keys_come_from_the_terminal_when_the_sql_comes_from_a_pipe(
    tmux: Tmux, machine: Machine
) -> None:
    command = [sys.executable, "-m", "sockql", "watch", "-n", "600", "--proc", machine.proc]
    tmux.enter(f"echo {shlex.quote(NAMES)} | {shlex.join(command)}")
    tmux.wait_for("  init")
    tmux.press("q")
    assert tmux.status() == "status 0"


def test_it_ends_after_the_rounds_that_were_asked_for(tmux: Tmux, machine: Machine) -> None:
    tmux.watch("-n", "0.1", "--count", "3", "--proc", machine.proc, NAMES)
    tmux.wait(lambda lines: lines[-1] == "$")  # what is typed before is a key
    assert tmux.status() == "status 0"


def test_it_ends_when_the_terminal_does(tmux: Tmux, machine: Machine) -> None:
    tmux.watch("-n", "600", "--proc", machine.proc, NAMES)
    tmux.wait_for("  init")
    process = tmux.process()
    tmux.close()
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline


SESSION = """
import os, sys, termios
from sockql.engine import Engine
from sockql.host import Host
from sockql.shell.terminal import Keyboard
from sockql.watch.rounds import watch
keyboard = Keyboard()
with keyboard.quiet(), Engine(Host(sys.argv[1])) as engine:
    engine.query("select 1")
    for _ in range(2):
        before = termios.tcgetattr(0)
        status = watch(engine, sys.argv[2], interval=600, say=print)
        print("back", status, termios.tcgetattr(0) == before, engine.query("select 6 * 7"))
        os.read(0, 1)
"""


def test_a_session_has_its_terminal_and_engine_back(tmux: Tmux, machine: Machine) -> None:
    tmux.enter(shlex.join([sys.executable, "-c", SESSION, machine.proc, NAMES]))
    for number in (1, 2):
        tmux.wait(lambda lines: lines[-1] == KEYS)
        tmux.press("q")
        tmux.wait(lambda lines: lines.count("back 0 True [(42,)]") == number)  # noqa: B023
        tmux.press("x")
    assert tmux.status() == "status 0"


def test_a_dumb_terminal_gets_text_only(tmux: Tmux, machine: Machine, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sockql", "watch", "-n", "0.1", "--count", "2"]
    line = shlex.join([*command, "--proc", machine.proc, NAMES])
    if shutil.which("script") is None:
        pytest.skip("script is not installed")
    tmux.enter(f"TERM=dumb script -qec {shlex.quote(line)} {tmp_path}/typescript; echo done")
    tmux.wait(lambda lines: "done" in lines)
    said = (tmp_path / "typescript").read_text()
    assert "\x1b" not in said
    assert said.count("pid  name\n---  ----\n  1  init\n") == 2
