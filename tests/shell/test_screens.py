"""What is on the screen, in tmux."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from tests.shell.conftest import NewTmux


def below(lines: list[str], command: str) -> list[str]:
    """What the command, at the last prompt with it, has written."""
    start = max(i for i, line in enumerate(lines) if line == f"sockql> {command}")
    rest = lines[start + 1 :]
    return rest[: next(i for i, line in enumerate(rest) if line.startswith("sockql"))]


def counting(rows: int) -> str:
    """A statement that gives the numbers from 1 to ``rows``."""
    return f"with recursive c(n) as (select 1 union all select n+1 from c limit {rows}) select n from c;"


def test_a_result_is_a_table_with_aligned_numbers_and_null_told_apart(tmux: NewTmux) -> None:
    session = tmux()
    session.wait_prompt()
    sql = "values (1, 'a', null), (1000, 'NULL', 2.5);"
    session.enter(sql)
    assert below(session.wait_prompt(), sql) == [
        "column1  column2  column3",
        "-------  -------  -------",
        "      1  a           NULL",
        "   1000  'NULL'       2.5",
    ]


def test_the_toolbar_says_host_privileges_last_result_and_mode(tmux: NewTmux) -> None:
    session = tmux(columns=120)
    host = os.uname().nodename
    root = "root" if os.geteuid() == 0 else "unprivileged: other users' descriptors hidden"
    assert session.wait_prompt()[-1].startswith(f" {host}:/proc | {root}")
    assert session.screen()[-1].endswith(" | table")
    session.enter(".mode json")
    session.wait(lambda lines: lines[-1].endswith(" | json"))
    session.enter("values (1), (2);")
    lines = session.wait(lambda lines: " | 2 rows in 0." in lines[-1])
    assert lines[-1].endswith(" s | json")


def test_a_row_that_cannot_fit_has_a_line_for_each_column(tmux: NewTmux) -> None:
    session = tmux(columns=40)
    session.wait_prompt()
    columns = [f"{number}{number * 1111111} as c{number}" for number in range(1, 6)]
    session.enter(".pager off")
    session.enter(f"select {', '.join(columns)};")
    lines = session.wait(lambda lines: any(line.startswith("c5 = ") for line in lines))
    start = lines.index("c1 = 11111111")
    assert lines[start : start + 5] == [
        "c1 = 11111111",
        "c2 = 22222222",
        "c3 = 33333333",
        "c4 = 44444444",
        "c5 = 55555555",
    ]


def test_a_long_text_loses_its_middle_to_fit_the_screen_as_it_is_now(tmux: NewTmux) -> None:
    session = tmux(columns=60)
    session.wait_prompt()
    sql = "select 1 n, hex(zeroblob(50)) || 'end' t;"
    session.enter(sql)
    # Two blanks and the width of n leave 55.
    assert below(session.wait_prompt(), sql)[-1] == f"  1  {'0' * 27}…{'0' * 24}end"
    session.resize(50, 20)
    session.wait(lambda lines: len(lines[-1]) <= 50)
    session.keys("C-l")
    session.wait_prompt()
    session.enter(sql)
    assert below(session.wait_prompt(), sql)[-1] == f"  1  {'0' * 22}…{'0' * 19}end"


@pytest.mark.skipif(shutil.which("less") is None, reason="less is not installed")
def test_a_result_longer_than_the_screen_is_in_a_pager(tmux: NewTmux, home: Path) -> None:
    session = tmux(columns=40, lines=12)
    session.wait_prompt()
    session.enter(counting(100))
    lines = session.wait(lambda lines: lines[-1] == ":")
    assert lines == ["  n", "---", *[f"{n:3}" for n in range(1, 10)], ":"]
    session.keys("G")
    session.wait(lambda lines: lines[-2:] == ["100", "(END)"])
    session.keys("q")
    session.wait_prompt()


def test_a_pager_of_ones_own_is_used_and_a_missing_one_is_not_missed(tmux: NewTmux) -> None:
    query = counting(30)
    for pager in ("/nowhere/pager -x", "cat", "'unfinished", ""):
        session = tmux(lines=12, PAGER=pager)
        session.wait_prompt()
        session.enter(query)
        lines = session.wait_prompt()
        assert " 30" in lines[-14:]
        session.close()
    session = tmux(lines=12, PAGER="sed s/^/paged/")
    session.wait_prompt()
    session.enter(query)
    assert "paged 30" in session.wait_prompt()


def test_a_pager_may_be_left_early(tmux: NewTmux) -> None:
    session = tmux(lines=12, PAGER="head -n 3")
    session.wait_prompt()
    session.enter(counting(1_000_000))
    assert "   1" in session.wait_prompt()
    session.enter("select 'alive' as x;")
    session.wait(lambda lines: "alive" in lines)


@pytest.mark.skipif(shutil.which("less") is None, reason="less is not installed")
@pytest.mark.parametrize("key", ["q", "C-c"])
def test_a_result_without_end_is_read_as_far_as_one_likes(tmux: NewTmux, key: str) -> None:
    session = tmux(lines=12)
    session.wait_prompt()
    session.enter(counting(-1))
    session.wait(lambda lines: lines[-1] == ":")
    session.keys(key)
    if key == "C-c":  # stops the statement, not the pager
        # The terminal throws away what is typed just before Ctrl-C.
        session.wait(lambda lines: session.keys("G") or "(END)" in lines[-1])
        session.keys("q")
    session.wait_prompt()
    session.enter("select 'alive' as x;")
    session.wait(lambda lines: "alive" in lines)


def test_completion_offers_columns_with_what_they_mean(tmux: NewTmux) -> None:
    session = tmux(columns=100)
    session.wait_prompt()
    session.type("select congest")
    session.wait(lambda lines: any("congestion" in line and "sockets:" in line for line in lines))
    session.keys("C-c")
    session.type("select 1 from processe")
    session.wait(lambda lines: any(line.lstrip().startswith("processes ") for line in lines))
    session.keys("Tab")
    session.wait(lambda lines: any(line == "sockql> select 1 from processes" for line in lines))


def test_completion_knows_the_tables_and_parameters_of_the_session(tmux: NewTmux) -> None:
    session = tmux(columns=100)
    session.wait_prompt()
    session.enter("create temp table mine as select 7 as lucky_number;")
    session.wait_prompt()
    session.type("select lucky_n")
    session.wait(lambda lines: any("lucky_number" in line for line in lines[3:]))


def test_up_and_ctrl_r_bring_the_history_back(tmux: NewTmux) -> None:
    session = tmux()
    session.wait_prompt()
    for text in ("select 'needle' as x;", "select 'hay';"):
        session.enter(text)
        session.wait_prompt()
    session.keys("Up")
    session.wait(lambda lines: "sockql> select 'hay';" in lines[6:])
    session.keys("C-c")
    session.keys("C-r")
    session.type("needl")
    session.wait(lambda lines: any("needle" in line for line in lines[8:]))
    session.keys("Enter")
    session.keys("Enter")
    session.wait(lambda lines: lines.count("needle") == 2)


def test_ports_and_users_have_names_on_request(tmux: NewTmux) -> None:
    session = tmux()
    session.wait_prompt()
    session.enter(".resolve on")
    session.wait_prompt()
    sql = "select 'tcp' as protocol, 22 as sport, 0 as uid, 40000 as dport;"
    session.enter(sql)
    try:
        ssh = f"22 ({socket.getservbyport(22, 'tcp')})"
    except OSError:
        ssh = "22"
    assert below(session.wait_prompt(), sql)[-1] == f"tcp       {ssh:>8}  0 (root)  40000"


def test_the_screen_survives_a_resize(tmux: NewTmux) -> None:
    session = tmux()
    session.wait_prompt()
    session.type("select 12345 as answer")
    session.wait(lambda lines: any("answer" in line for line in lines))
    session.resize(100, 30)
    session.wait(lambda lines: len(lines) >= 29)
    session.resize(60, 15)
    session.wait(lambda lines: len(lines) <= 15 and " | " in lines[-1])
    session.type(";")
    session.keys("Enter")
    session.wait(lambda lines: " 12345" in lines)
