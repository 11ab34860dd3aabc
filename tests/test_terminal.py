from __future__ import annotations

import os
import pty
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.command.terminal import ESCAPED, columns, counted, display, escape, escape_json, width

wcwidth = pytest.importorskip("wcwidth")

ANY_TEXT = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sshd", "sshd"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("x\u202egnp.exe", r"x\u202egnp.exe"),
        ("\u2066a\u2069\u200b\ufeff\u061c", r"\u2066a\u2069\u200b\ufeff\u061c"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\U000e0041", r"\U000e0041"),
        ("\udc80", r"\udc80"),
        ("/run/dev-\\x2dsda", "/run/dev-\\x2dsda"),
        ("caf\u00e9\u00a0\u65e5\u672c \U0001f600", "caf\u00e9\u00a0\u65e5\u672c \U0001f600"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(ANY_TEXT)
def test_escaped_text_has_no_control_or_format_character(text: str) -> None:
    assert {unicodedata.category(c) for c in escape(text)} & ESCAPED == set()


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_all_other_text_stays_as_it_is(text: str) -> None:
    assert escape(text) == escape_json(text) == text


def test_json_escapes_are_those_of_json() -> None:
    assert escape_json('{"a": "\x7f\u202e"}\n\U000e0041') == (
        '{"a": "\\u007f\\u202e"}\n\\udb40\\udc41'
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (-7, "-7"), (0.1, "0.1"), (b"\x00\xff", "00ff"), ("a\nb", r"a\nb"), ("", "")],
)
def test_a_cell_is_shown_on_one_line(value: object, shown: str) -> None:
    assert display(value) == shown


def test_things_are_counted_as_people_say_it() -> None:
    assert [counted(n, "row") for n in (0, 1, 1204)] == ["0 rows", "1 row", "1,204 rows"]
    assert [counted(n, "query", "queries") for n in (1, 2)] == ["1 query", "2 queries"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "caf\u00e9",
        "cafe\u0301",
        "\u65e5\u672c\u8a9e",
        "\uff21\uff22",
        "\U0001f600",
        "\u0413\u0440\u0443\u0448\u0430",
        "\ud55c\uae00",
        "\u2500\u2502",
    ],
)
def test_the_width_is_that_of_wcwidth(text: str) -> None:
    assert width(text) == wcwidth.wcswidth(text)


def test_what_is_no_terminal_has_eighty_columns() -> None:
    read, write = os.pipe()
    try:
        assert columns(write) == 80
    finally:
        os.close(read)
        os.close(write)


def test_a_terminal_has_the_columns_it_says() -> None:
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 132, 0, 0))
        assert columns(slave) == 132
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        assert columns(slave) == 80
    finally:
        os.close(master)
        os.close(slave)


def test_ascii_needs_no_character_tables() -> None:
    import subprocess

    code = (
        "import sys; from sockql.command.terminal import escape, width; escape('a'); width('a');"
        "print('unicodedata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
