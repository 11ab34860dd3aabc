from __future__ import annotations

import os
import pty

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.command.terminal import escape, width
from sockql.command.wrapping import fit, listing, reflow, wrap
from tests.test_cli import on_terminal, run

TEXT = st.text(st.characters(), max_size=200)


@given(TEXT, st.integers(1, 60), st.text(" -*", max_size=6))
def test_no_word_is_broken_and_no_line_could_be_longer(text: str, room: int, first: str) -> None:
    lines = wrap(text, room, first)
    other = " " * len(first)
    assert lines[0].startswith(first.rstrip())
    assert all(line.startswith(other) for line in lines[1:])
    words = [line[len(first) :].split(" ") for line in lines]
    assert [word for line in words for word in line if word] == [*map(escape, text.split())]
    for line in lines:
        assert width(line) <= room or " " not in line[len(first) :]
    for line, following in zip(lines, words[1:]):
        assert width(line) + 1 + width(following[0]) > room


def test_options_and_paths_stay_whole() -> None:
    assert wrap("see --update-baseline and /var/lib/a-b/c", 16, "> ", "  ") == [
        "> see",
        "  --update-baseline",
        "  and",
        "  /var/lib/a-b/c",
    ]


def test_wide_characters_count_as_wide_as_they_are() -> None:
    assert wrap("\u65e5\u672c \u8a9e", 6) == ["\u65e5\u672c", "\u8a9e"]
    assert wrap("\u65e5\u672c \u8a9e", 7) == ["\u65e5\u672c \u8a9e"]


def test_paragraphs_are_kept_apart_and_examples_as_they_are() -> None:
    text = "One two\nthree.\n\n    a  b\n    c\x1b\n\nFour."
    assert reflow(text, 9, "  ") == [
        *("  One two", "  three.", ""),
        *("      a  b", "      c\\x1b", ""),
        "  Four.",
    ]


def test_a_listing_gives_a_long_name_a_line_of_its_own() -> None:
    pairs = [("a", "First."), ("b" * 30, "Second, which is longer than the room there is.")]
    assert listing(pairs, 40, " ") == [
        " a  First.",
        " " + "b" * 30,
        "    Second, which is longer than the",
        "    room there is.",
    ]
    assert listing([], 80) == []


def test_a_message_is_broken_on_a_terminal_only() -> None:
    read, write = os.pipe()
    master, slave = pty.openpty()  # which says nothing of its width
    long = "sockql: " + "word " * 15 + "/run/end\n  " + "a" * 78 + "\n  short"
    try:
        assert fit(long, write) == long
        assert fit(long, slave) == (
            "sockql: " + ("word " * 14).rstrip() + "\n  word /run/end\n  " + "a" * 78 + "\n  short"
        )
    finally:
        for descriptor in (read, write, master, slave):
            os.close(descriptor)


@pytest.mark.parametrize("columns", [40, 61, 80])
def test_an_error_is_a_line_that_a_terminal_shows_without_breaking_words(columns: int) -> None:
    words = ("run", "no-such-query-as-this-one-of-all")
    status, _, line = run(*words)
    assert (status, line.count("\n")) == (2, 1)
    shown = on_terminal(*words, columns=columns)[1]
    assert shown.split() == line.split()
    assert max(map(len, shown.splitlines())) <= max(columns, max(map(len, line.split())) + 2)
