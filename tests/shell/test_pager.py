"""What a screen holds is written, what is longer goes to a pager."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sockql.shell.pager import Paged, pager_command


class Sink:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


class Foreground:
    """Counts how often the terminal was given away, and back."""

    def __init__(self) -> None:
        self.given = self.back = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.given += 1
        yield
        self.back += 1


def pager(path: Path, code: str) -> list[str]:
    """A pager that is a Python program; ``out`` is the file it may write."""
    return [sys.executable, "-c", f"import sys; out = open({str(path)!r}, 'wb'); {code}"]


COPY = "out.write(sys.stdin.buffer.read()); out.close()"


def test_what_fits_is_written_in_one_piece_at_the_end(tmp_path: Path) -> None:
    sink, foreground = Sink(), Foreground()
    paged = Paged(sink, pager(tmp_path / "out", COPY), (80, 4), foreground)
    paged.write("one\ntwo\n")
    assert sink.text == ""
    paged.write("three\n")
    paged.finish()
    assert sink.text == "one\ntwo\nthree\n"
    assert not (tmp_path / "out").exists()
    assert foreground.given == 0


def test_what_is_longer_goes_to_the_pager(tmp_path: Path) -> None:
    sink, foreground = Sink(), Foreground()
    paged = Paged(sink, pager(tmp_path / "out", COPY), (80, 4), foreground)
    paged.write("one\ntwo\nthree\n")
    paged.write("fö\udc80r\n")
    assert paged.running
    paged.write("five\n")
    paged.finish()
    assert not paged.running
    assert sink.text == ""
    assert (tmp_path / "out").read_text() == "one\ntwo\nthree\nfö\\udc80r\nfive\n"
    assert (foreground.given, foreground.back) == (1, 1)


def test_a_line_that_is_wider_than_the_screen_counts_as_several(tmp_path: Path) -> None:
    sink = Sink()
    paged = Paged(sink, pager(tmp_path / "out", COPY), (10, 4), Foreground())
    paged.write("x" * 31 + "\n")
    assert paged.running
    paged.finish()


def test_a_pager_that_is_left_early_is_a_broken_pipe(tmp_path: Path) -> None:
    foreground = Foreground()
    paged = Paged(Sink(), pager(tmp_path / "out", "sys.stdin.close()"), (80, 2), foreground)
    with pytest.raises(BrokenPipeError):
        paged.write("a line of some length\n" * 1_000_000)
    paged.finish()
    assert (foreground.given, foreground.back) == (1, 1)


def test_without_a_pager_everything_is_written_as_it_comes() -> None:
    sink = Sink()
    paged = Paged(sink, None, (80, 2), Foreground())
    paged.write("one\n")
    assert sink.text == "one\n"
    paged.write("two\nthree\n")
    paged.finish()
    assert sink.text == "one\ntwo\nthree\n"


def test_a_pager_that_cannot_be_started_loses_nothing(tmp_path: Path) -> None:
    sink, foreground = Sink(), Foreground()
    paged = Paged(sink, [str(tmp_path / "none")], (80, 2), foreground)
    paged.write("one\ntwo\n")
    paged.write("three\n")
    paged.finish()
    assert sink.text == "one\ntwo\nthree\n"
    assert (foreground.given, foreground.back) == (1, 1)


def test_an_abandoned_pager_is_ended(tmp_path: Path) -> None:
    foreground = Foreground()
    code = "import signal; signal.pause()"
    paged = Paged(Sink(), pager(tmp_path / "out", code), (80, 2), foreground)
    paged.write("one\ntwo\n")
    paged.abandon()
    assert not paged.running
    assert foreground.back == 1


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ({"PAGER": "sh -c 'cat -A'"}, ["sh", "-c", "cat -A"]),
        ({"PAGER": "cat"}, None),
        ({"PAGER": ""}, None),
        ({"PAGER": "/nowhere/pager"}, None),
        ({"PAGER": "'unfinished"}, None),
        ({"PAGER": "sh", "TERM": "dumb"}, None),
    ],
)
def test_the_pager_is_what_the_environment_says_if_it_is_there(
    environment: dict[str, str], command: list[str] | None
) -> None:
    assert pager_command(environment) == command


def test_the_usual_pager_is_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    less = tmp_path / "less"
    less.write_text("#!/bin/sh\n")
    less.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pager_command({}) == ["less", "-SRFX"]
    monkeypatch.setenv("PATH", os.devnull)
    assert pager_command({}) is None
