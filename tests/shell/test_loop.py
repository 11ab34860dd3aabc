"""The session on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sockql.shell.history import LIMIT, parse
from tests.shell.conftest import NewTerminal
from tests.shell.terminals import COMMAND, CTRL_C, CTRL_D, ENTER, PATIENCE, environment, wait_until

ENDLESS = "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c;"

#: Seconds within which a running statement has to stop.
PROMPTLY = 0.1


def history(home: Path) -> list[str]:
    return parse((home / ".local/state/sockql/history").read_bytes())


# -- input --------------------------------------------------------------------------------------


def test_a_statement_may_go_over_several_lines_and_ends_with_a_semicolon(
    terminal: NewTerminal, home: Path
) -> None:
    session = terminal(TERM="dumb")
    session.send("select 7 as a,\n")
    session.expect(r"\.\.\.>")
    session.send("  8 as b;\n")
    assert session.prompt().splitlines()[-3:] == ["  a   b", "---  --", "  7   8"]
    assert history(home) == ["select 7 as a,\n  8 as b;"]


def test_ctrl_d_leaves_with_status_0(terminal: NewTerminal) -> None:
    session = terminal()
    session.send(CTRL_D)
    assert session.end() == 0


@pytest.mark.parametrize("word", ["quit", "exit", ".quit", "\\q", ".qui", "exit;"])
def test_there_are_several_words_for_leaving(terminal: NewTerminal, word: str) -> None:
    session = terminal()
    session.send(word + ENTER)
    assert session.end() == 0


def test_quit_takes_an_exit_status(terminal: NewTerminal) -> None:
    session = terminal()
    session.send(".quit 7" + ENTER)
    assert session.end() == 7


def test_ctrl_c_gives_the_input_up(terminal: NewTerminal, home: Path) -> None:
    session = terminal()
    session.send("select 'never run';")
    session.expect("never run")
    session.send(CTRL_C)
    session.prompt()
    session.enter("select 1;")
    assert history(home) == ["select 1;"]


def test_an_unfinished_quote_goes_on_until_it_is_closed_or_given_up(terminal: NewTerminal) -> None:
    session = terminal()
    session.send("select 'open;" + ENTER)
    session.expect(r"\.\.\.>")
    session.send(CTRL_C)
    session.prompt()
    session.send("select 'open;" + ENTER)
    session.expect(r"\.\.\.>")
    session.send("closed' as x;" + ENTER)
    assert r"open;\nclosed" in session.prompt()


def test_a_paste_is_an_input_however_many_lines_it_has(terminal: NewTerminal, home: Path) -> None:
    session = terminal()
    session.send("\x1b[200~select 1 as a;\nselect 2 as b;\x1b[201~")
    session.expect("2")
    session.send(ENTER)
    shown = session.prompt()
    assert [line.strip() for line in shown.splitlines() if line.strip().isdigit()] == ["1", "2"]
    assert history(home) == ["select 1 as a;\nselect 2 as b;"]


@pytest.mark.parametrize("bracketed", [True, False])
def test_a_paste_of_a_megabyte_is_taken(
    terminal: NewTerminal, home: Path, *, bracketed: bool
) -> None:
    session = terminal()
    lines = [f"-- {number:04} {'x' * 91}" for number in range(10_000)]
    text = "\n".join(["select 6 * 7 as answer", *lines, ";"])
    assert len(text) > 1_000_000
    data = f"\x1b[200~{text}\x1b[201~\r" if bracketed else text.replace("\n", "\r") + "\r"
    encoded = data.encode()
    # pexpect would not read meanwhile, and the terminal's buffers are small.
    while encoded:
        encoded = encoded[os.write(session.child.child_fd, encoded[:1024]) :]
        while session.child.child_fd in _readable(session.child.child_fd):
            session.child.read_nonblocking(65536, timeout=0)
    session.expect(r"42\r\n")
    session.prompt()
    assert history(home) == [text]


def _readable(descriptor: int) -> list[int]:
    import select

    return select.select([descriptor], [], [], 0)[0]


def test_what_is_typed_while_a_statement_runs_is_not_lost(terminal: NewTerminal) -> None:
    session = terminal()
    session.submit(ENDLESS.replace(";", " limit 1;"))
    session.busy()
    session.send("select 'typed ' || 'ahead';" + ENTER)
    session.send(CTRL_C)
    session.expect("interrupted")
    session.expect(r"typed ahead\r\n")
    session.prompt()


def test_what_is_typed_while_the_session_starts_is_not_lost(home: Path) -> None:
    import pexpect

    child = pexpect.spawn(
        sys.executable, [*COMMAND], cwd=home, env=environment(home), encoding="utf-8"
    )
    child.delaybeforesend = None
    child.send("select 'early ' || 'bird';\r")
    child.expect(r"early bird\r\n")
    child.close(force=True)


def test_vi_keys_are_on_request_or_as_readline_has_them(terminal: NewTerminal, home: Path) -> None:
    session = terminal()
    session.enter(".keys vi")
    session.send("select 'wrong';\x1b")
    session.expect("wrong")
    # 0: first column, f': to the quote, l: behind it, cw: change the word.
    session.send("0f'lcwright")
    session.send(ENTER)
    session.expect(r"right\r\n")
    session.prompt()
    (home / "inputrc").write_text("set editing-mode vi\n")
    session = terminal(INPUTRC=str(home / "inputrc"))
    assert "keys are those of vi" in session.enter(".keys")


def test_a_dumb_terminal_gets_plain_text(terminal: NewTerminal) -> None:
    session = terminal(TERM="dumb")
    shown = session.enter("select null as x, 'a' as y;")
    session.send(".quit\n")
    rest = session.child.read()
    assert "\x1b" not in shown + rest
    assert shown.splitlines()[-3:] == ["x     y", "----  --", "NULL  a"]


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_history_grown_too_large_is_shortened_whatever_the_terminal(
    terminal: NewTerminal, home: Path, term: str
) -> None:
    file = home / ".local/state/sockql/history"
    file.parent.mkdir(parents=True, mode=0o700)
    entry = "select '" + "x" * 1000 + "';"
    file.write_text(f"\n# 2026-11-25 12:00:00\n+{entry}\n" * (LIMIT // len(entry) + 1))
    session = terminal(TERM=term)
    session.enter("select 7;")
    assert file.stat().st_size <= LIMIT // 2 + 100
    assert set(history(home)) == {entry, "select 7;"}
    assert history(home)[-2:] == [entry, "select 7;"]


def test_no_color_is_respected(terminal: NewTerminal) -> None:
    import re

    session = terminal(NO_COLOR="1")
    shown = session.enter("select null as x from nowhere; select null as x;")
    assert "no such table: nowhere" in shown
    # ESC [ … m with a colour or weight in it; reset is all there may be.
    assert set(re.findall(r"\x1b\[([0-9;]*)m", shown)) <= {"0", "", "7", "1"}
    assert not re.findall(r"\x1b\[[0-9;]*3[0-9][0-9;]*m", shown)


def test_the_first_prompt_is_there_in_time(terminal: NewTerminal) -> None:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        session = terminal()
        # On a machine that is busy with others, the time of this process alone says it.
        times.append(min(time.perf_counter() - started, session.ticks() / os.sysconf("SC_CLK_TCK")))
        if times[-1] <= 0.6:
            return
    pytest.fail(f"0.6 s are promised, measured {times}")


# -- interrupting -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [ENDLESS, "select count(*) from fds a, fds b, fds c, fds d;", ENDLESS[:-1] + " order by 1;"],
)
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_ctrl_c_stops_a_statement_promptly_and_the_session_lives_on(
    terminal: NewTerminal, sql: str, term: str
) -> None:
    session = terminal(TERM=term)
    times = []
    for _ in range(5):
        session.submit(sql)
        session.busy()
        started = time.perf_counter()
        session.send(CTRL_C)
        session.expect("interrupted")
        times.append(time.perf_counter() - started)
        session.prompt()
        assert "4321" in session.enter("select 4321;").replace("select 4321", "")
        if times[-1] <= PROMPTLY:
            return
    pytest.fail(f"{PROMPTLY} s are promised, measured {times}")


def test_ctrl_c_right_after_enter_is_heard(terminal: NewTerminal) -> None:
    session = terminal()
    for _ in range(3):
        session.send(ENDLESS + ENTER + CTRL_C + "select 'after' || 'wards';" + ENTER)
        session.expect("interrupted")
        session.expect(r"afterwards\r\n")
        session.prompt()


#: A session whose editor takes its time to leave, as on a busy machine.
LEAVES_SLOWLY = """
import asyncio
from prompt_toolkit.application import Application
leave = Application.cancel_and_wait_for_background_tasks
async def slowly(self):
    await leave(self)
    await asyncio.sleep(0.5)
Application.cancel_and_wait_for_background_tasks = slowly
from sockql.cli import run
run()
"""


def test_ctrl_c_is_heard_while_the_editor_is_leaving(terminal: NewTerminal) -> None:
    session = terminal(command=("-c", LEAVES_SLOWLY))
    for _ in range(3):
        session.submit(ENDLESS)
        wait_until(session.makes_signals, "the editor does not leave")
        session.send(CTRL_C)
        session.expect("interrupted")
        assert "4321" in session.enter("select 4321;").replace("select 4321", "")


def test_a_signal_is_ctrl_c_to_the_editor(terminal: NewTerminal) -> None:
    session = terminal()
    session.send("select 'given up")
    session.expect("given up")
    os.kill(session.child.pid or 0, signal.SIGINT)
    session.prompt()
    assert "4321" in session.enter("select 4321;").replace("select 4321", "")


def test_a_timeout_stops_a_statement(terminal: NewTerminal) -> None:
    session = terminal("--timeout", "0.2")
    assert "longer than 0.2 seconds" in session.enter(ENDLESS)
    session.enter(".timeout 0.3")
    assert "longer than 0.3 seconds" in session.enter(ENDLESS)


def test_ctrl_c_stops_the_whole_file_that_is_read(terminal: NewTerminal, home: Path) -> None:
    (home / "endless.sql").write_text(f"{ENDLESS}\nselect 'still ' || 'here';\n")
    session = terminal()
    session.submit(".read endless.sql")
    session.busy()
    session.send(CTRL_C)
    assert "still here" not in session.prompt()


# -- the end of the terminal --------------------------------------------------------------------


def test_a_terminal_that_disappears_ends_the_session_and_keeps_the_history(
    terminal: NewTerminal, home: Path
) -> None:
    session = terminal()
    session.enter("select 'kept';")
    assert session.hang_up() in (0, 128 + signal.SIGHUP)
    assert history(home) == ["select 'kept';"]


def test_a_terminal_that_disappears_stops_a_statement(terminal: NewTerminal, home: Path) -> None:
    session = terminal()
    session.send(f".once out.csv{ENTER}")
    session.prompt()
    session.submit(ENDLESS)
    session.busy()
    assert session.hang_up() == 128 + signal.SIGHUP
    assert history(home) == [".once out.csv", ENDLESS]
    assert [entry.name for entry in home.iterdir() if "sockql-" in entry.name] == []


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_terminal_that_disappears_stops_a_statement_where_no_signal_does(
    home: Path, term: str
) -> None:
    """The terminal controls no process, so that nobody gets SIGHUP."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *COMMAND],
        cwd=home,
        env=environment(home, TERM=term),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )

    def ticks() -> int:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    try:
        os.close(slave)
        said = b""
        while b"sockql>" not in said:
            said += os.read(master, 65536)
        os.write(master, ENDLESS.encode() + (b"\n" if term == "dumb" else b"\r"))
        kept = home / ".local/state/sockql/history"
        wait_until(lambda: kept.exists() and history(home) == [ENDLESS], "it was not entered")
        before = ticks()
        wait_until(lambda: ticks() >= before + 30, "it does not compute")
        os.close(master)
        assert process.wait(PATIENCE) == 128 + signal.SIGHUP
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("running", [True, False])
def test_sigterm_ends_the_session_and_leaves_the_terminal_as_it_was(
    terminal: NewTerminal, *, running: bool
) -> None:
    import termios

    session = terminal()
    if running:
        session.submit(ENDLESS)
        session.busy()
    session.child.kill(signal.SIGTERM)
    wait_until(lambda: not session.child.isalive(), "the session did not end")
    flags = termios.tcgetattr(session.child.child_fd)[3]
    assert flags & termios.ECHO
    assert flags & termios.ICANON
    assert session.end() == 128 + signal.SIGTERM


# -- history ------------------------------------------------------------------------------------


def test_the_history_is_private(terminal: NewTerminal, home: Path) -> None:
    session = terminal()
    session.enter("select 'one';")
    session.enter(" select 'secret';")
    session.send(CTRL_D)
    session.end()
    file = home / ".local/state/sockql/history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert history(home) == ["select 'one';"]


def test_a_history_that_cannot_be_kept_is_said_once(terminal: NewTerminal, home: Path) -> None:
    (home / ".local").write_text("a file where a directory should be")
    session = terminal()
    assert "the history is not kept" in session.enter("select 1;")
    assert "the history is not kept" not in session.enter("select 2;")


# -- output -------------------------------------------------------------------------------------


def test_a_hostile_process_name_cannot_speak_to_the_terminal(terminal: NewTerminal) -> None:
    evil = "\x1b]0;owned\x07\x1b[31mevil\r\nforged row"
    with subprocess.Popen([evil, "60"], executable="/bin/sleep") as process:
        try:
            session = terminal()
            shown = session.enter(f"select cmdline from processes where pid = {process.pid};")
            escaped = r"\x1b]0;owned\x07\x1b[31mevil\r\nforged row 60"
            assert escaped in shown
            assert "\x1b]0;" not in shown
            assert "\x1b[31mevil" not in shown
            for mode in ("line", "json", "csv", "grid", "markdown", "html"):
                session.enter(f".mode {mode}")
                shown = session.enter(f"select cmdline from processes where pid = {process.pid};")
                assert "\x1b]0;" not in shown
                assert "\x1b[31mevil" not in shown
                assert "owned" in shown
        finally:
            process.kill()


def test_an_output_to_a_full_disk_is_said_and_left(terminal: NewTerminal) -> None:
    session = terminal()
    session.enter(".output /dev/full")
    assert "/dev/full: No space left on device" in session.enter("select 123 as x;")
    assert "456\r\n" in session.enter("select 456 as x;")
    session.enter(".once /dev/full")
    assert "/dev/full: No space left on device" in session.enter("select 123 as x;")
    assert "456\r\n" in session.enter("select 456 as x;")


def test_a_file_that_reads_itself_is_refused(terminal: NewTerminal, home: Path) -> None:
    (home / "self.sql").write_text("select 'once';\n.read self.sql\n")
    (home / "other.sql").write_text(".read self.sql\n")
    session = terminal()
    shown = session.enter(".read other.sql")
    assert shown.count("once\r\n") == 1
    assert "self.sql:2: self.sql: it is being read already" in shown


def test_a_shell_command_has_the_terminal(terminal: NewTerminal) -> None:
    session = terminal()
    assert "exit status 3" in session.enter(".shell stty -a | grep -q ' icanon' && exit 3")
    assert "exit status 4" in session.enter(".shell stty -a | grep -q ' echo ' && exit 4")
    session.send(".shell echo ready; read x; echo got-$x\r")
    session.expect(r"ready\r\n")
    session.send("this\r")
    session.expect("got-this")
    session.prompt()


def test_an_edited_statement_comes_back_to_the_prompt(terminal: NewTerminal, home: Path) -> None:
    editor = home / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/before/after/ "$1"\n')
    editor.chmod(0o755)
    session = terminal(EDITOR=str(editor))
    session.enter("select 'before';")
    session.enter(".edit")
    session.expect("after")
    session.send(ENTER)
    session.expect("after\r\n")


def test_a_frozen_session_says_so_in_its_prompt(terminal: NewTerminal) -> None:
    session = terminal()
    session.enter(".freeze")
    assert session.frozen
    first = session.enter("select count(*) as n from processes;")
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        try:
            second = session.enter("select count(*) as n from processes;")
            assert first.split()[-1] == second.split()[-1]
            sql = f"select count(*) as n from processes where pid = {process.pid};"
            assert "  0\r\n" in session.enter(sql)
            session.enter(".thaw")
            assert session.live
            assert "  1\r\n" in session.enter(sql)
        finally:
            process.kill()


def test_the_command_line_sets_the_session_up(terminal: NewTerminal, home: Path) -> None:
    session = terminal("--csv", "--no-header", "--timing", "-p", "x=7", "-o", "out.csv")
    assert "1 row in" in session.enter("select :x, null, 'a,b';")
    session.send(".quit\r")
    assert session.end() == 0
    assert (home / "out.csv").read_text() == '7,,"a,b"\n'


def test_watching_ends_with_q_and_the_session_goes_on(terminal: NewTerminal) -> None:
    session = terminal()
    session.submit(".watch 0.1 select 'seen' as x;")
    session.expect("seen")
    session.expect("round 2")
    session.send("q")
    session.prompt()
    assert "4321" in session.enter("select 4321;")
    assert "not a positive number" in session.enter(".watch -1 select 1")
    assert "one statement, not 2" in session.enter(".watch select 1; select 2")
    session.enter("select 'last' as x;")
    session.submit("\\watch 0.1")
    session.expect("last")
    session.send("q")
    session.prompt()


def test_watched_changes_are_lines_in_a_file(terminal: NewTerminal, home: Path) -> None:
    import json

    session = terminal(TERM="dumb")
    session.enter(".output changes")
    session.submit(".watch 0.05 select 7 as seven, :p as p;")
    session.expect("no value for the parameter :p")
    session.prompt()
    session.enter(".param set p x")
    session.submit(".watch 0.05 select 7 as seven, :p as p;")
    changes = home / "changes"
    wait_until(lambda: changes.read_text().endswith("\n"), "there are no changes")
    session.send(CTRL_C)
    assert "interrupted" not in session.prompt()
    [change] = [json.loads(line) for line in changes.read_text().splitlines()]
    assert 7 in json.loads(json.dumps(change)).values() or "seven" in str(change)
    session.enter(".output")
    assert "4321" in session.enter("select 4321;")
