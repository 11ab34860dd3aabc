"""The file of history, which several sessions add to."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.shell import history as shell_history
from sockql.shell.history import History, parse, state_file
from tests.shell.terminals import ROOT


@pytest.fixture
def file(home: Path) -> Path:
    return home / "state" / "sockql" / "history"


def test_entries_come_back_in_order_whatever_is_in_them(file: Path) -> None:
    entries = [
        "select 1;",
        "select\n  2;",
        "a + b",
        "# no comment\n\n+ 3",
        "ünï \\x \u2028",
        "x\udc80",
    ]
    history = History(str(file))
    for entry in entries:
        history.append(entry)
    assert history.problem is None
    assert History(str(file)).load() == [*entries[:-1], "x\\udc80"]


def test_file_and_directories_are_private_whatever_the_umask(file: Path) -> None:
    before = os.umask(0)
    try:
        History(str(file)).append("x")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent, file.parents[1])]
    assert modes == [0o600, 0o700, 0o700]


def test_a_file_that_others_may_read_is_made_private(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\n# x\n+old\n")
    file.chmod(0o644)
    assert History(str(file)).load() == ["old"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("entry", ["", " select 1;", "\tselect 1;", "\nselect 1;"])
def test_what_begins_with_a_blank_is_not_kept(file: Path, entry: str) -> None:
    History(str(file)).append(entry)
    assert not file.exists()


def test_several_sessions_at_once_lose_and_tear_nothing(file: Path) -> None:
    code = (
        "import sys; from sockql.shell.history import History; h = History(sys.argv[1]);"
        "[h.append(f'{sys.argv[2]} {n}\\nsecond line' + 'x' * 5000) for n in range(100)];"
        "sys.exit(h.problem)"
    )
    sessions = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(file), name],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for name in "abcd"
    ]
    assert [session.wait(60) for session in sessions] == [0] * 4
    entries = History(str(file)).load()
    assert len(entries) == 400
    for name in "abcd":
        mine = [entry for entry in entries if entry.startswith(name)]
        assert mine == [f"{name} {n}\nsecond line" + "x" * 5000 for n in range(100)]


def test_a_file_grown_too_large_loses_its_oldest_entries(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_history, "LIMIT", 4000)
    first, second = History(str(file)), History(str(file))
    for number in range(100):
        first.append(f"entry {number} {'x' * 30}")
    assert file.stat().st_size > 4000
    kept = second.load()
    assert kept == [f"entry {number} {'x' * 30}" for number in range(100 - len(kept), 100)]
    assert 0 < len(kept) < 50
    # The first session goes on in the new file.
    first.append("afterwards")
    assert second.load() == [*kept, "afterwards"]
    assert [path.name for path in file.parent.iterdir()] == ["history"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_a_killed_session_left_is_in_nobodys_way(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_history, "LIMIT", 1000)
    kept = History(str(file))
    for number in range(60):
        kept.append(f"select {number};")
    file.with_name(f"{file.name}.new").write_text("half of")
    entries = kept.load()
    assert (kept.problem, entries[-1]) == (None, "select 59;")
    assert History(str(file)).load() == entries
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_an_entry_that_is_too_large_by_itself_is_kept(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_history, "LIMIT", 1000)
    history = History(str(file))
    for entry in ("small", "y" * 5000):
        history.append(entry)
    assert history.load() == ["y" * 5000]


def test_a_torn_entry_does_not_spoil_its_neighbours(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\n# when\n+whole\n\n# when\n+to")
    History(str(file)).append("after")
    assert History(str(file)).load() == ["whole", "to", "after"]


def test_a_full_disk_leaves_the_file_as_it_was(file: Path) -> None:
    History(str(file)).append("before")
    size = file.stat().st_size
    code = (
        "import resource, signal, sys; from sockql.shell.history import History\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 20}, {size + 20}))\n"
        "h = History(sys.argv[1]); h.append('x' * 1000); print(h.problem)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"the history is not kept: {file}: No space left on device\n"
    assert History(str(file)).load() == ["before"]
    assert file.stat().st_size == size


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "foreign"])
def test_only_a_file_of_our_own_is_written(file: Path, kind: str) -> None:
    file.parent.mkdir(parents=True)
    target = file.parent / "target"
    target.write_text("mine")
    if kind == "link":
        file.symlink_to(target)
    elif kind == "fifo":
        os.mkfifo(file)
    elif kind == "directory":
        file.mkdir()
    else:
        file.write_text("")
        try:
            os.chown(file, 65533, -1)
            file.write_text("theirs")
        except PermissionError:
            pytest.skip("only root can give files away")
    history = History(str(file))
    history.append("select 1;")
    assert history.problem is not None
    assert history.problem.startswith(f"the history is not kept: {file}")
    assert target.read_text() == "mine"
    said: list[str] = []
    history.tell(said.append)
    history.tell(said.append)
    assert said == [history.problem]


def test_the_file_is_where_the_standard_has_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_file() == f"{home}/.local/state/sockql/history"
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert state_file() == "/var/state/sockql/history"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert state_file() == f"{home}/.local/state/sockql/history"


def test_a_file_of_prompt_toolkit_is_read(file: Path) -> None:
    from prompt_toolkit.history import FileHistory

    file.parent.mkdir(parents=True)
    theirs = FileHistory(str(file))
    for entry in ("one", "two\nlines"):
        theirs.store_string(entry)
    assert History(str(file)).load() == ["one", "two\nlines"]
    History(str(file)).append("three\nmore")
    assert list(theirs.load_history_strings()) == ["three\nmore", "two\nlines", "one"]


@given(st.binary())
def test_no_file_is_too_odd_to_be_read(data: bytes) -> None:
    assert isinstance(parse(data), list)
