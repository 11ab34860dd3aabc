"""What is being written has a lock; what its dead writer has left is taken away, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sockql import unfinished
from tests.test_cli import run

#: A program that makes something unfinished, says so, and waits for the end of its input.
WRITER = """
import sys
from sockql import unfinished
path = unfinished.name(sys.argv[2])
lock = getattr(unfinished, sys.argv[1])(*([path, 0o600] if sys.argv[1] == "make_file" else [path]))
print(path, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("make", ["make_file", "make_folder"])
def test_what_a_dead_process_has_left_is_taken_away(tmp_path: Path, make: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, make, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        path = Path(writer.stdout.readline().rstrip("\n"))
        if make == "make_folder":
            (path / "0.parquet").write_text("rows")
        unfinished.sweep(str(tmp_path))
        assert list(tmp_path.iterdir()) == [path]
        writer.kill()
    assert list(tmp_path.iterdir()) == [path]
    unfinished.sweep(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_nothing_else_is_taken_away(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("mine")
    (tmp_path / ".sockql-notes").write_text("mine")
    (tmp_path / ".sockql-link.tmp").symlink_to(target)
    os.mkfifo(tmp_path / ".sockql-fifo.tmp")
    before = sorted(tmp_path.iterdir())
    unfinished.sweep(str(tmp_path))
    unfinished.sweep(str(tmp_path / "missing"))
    assert sorted(tmp_path.iterdir()) == before
    assert target.read_text() == "mine"


def test_one_that_was_swept_away_before_it_was_locked_is_made_again(tmp_path: Path) -> None:
    """A process that sweeps may come between a file and its lock."""
    path = unfinished.name(str(tmp_path))
    swept = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    unfinished.sweep(str(tmp_path))
    assert not unfinished._hold(swept, path)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(swept)
    lock = unfinished.make_file(path, 0o600)
    unfinished.sweep(str(tmp_path))
    assert os.path.samestat(os.fstat(lock), os.lstat(path))
    os.close(lock)


def test_a_killed_query_leaves_its_output_to_the_next(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c"
    command = [sys.executable, "-m", "sockql", "--csv", "-o", str(out)]
    with subprocess.Popen([*command, endless]) as writer:
        deadline = time.monotonic() + 60
        while not list(tmp_path.iterdir()):
            assert time.monotonic() < deadline
        # Another one beside it leaves it alone.
        assert run("--csv", "-o", str(tmp_path / "beside.csv"), "select 1 as n") == (0, "", "")
        assert len(list(tmp_path.glob(".sockql-*"))) == 1
        writer.send_signal(signal.SIGKILL)
    assert run("--csv", "-o", str(out), "select 1 as n") == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside.csv", "out.csv"]
    assert out.read_text() == "n\n1\n"
