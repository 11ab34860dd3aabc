"""Results as a screen has them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.command.terminal import escape, width
from sockql.render.tabulated import formats
from sockql.render.writers import render
from sockql.shell.screen import Look, fit, is_drawing, screen_writer, shorten

_FRAME = "|+│┤┃║╣┐┘╮╯╕╛┑┙╗╝┓┛"
DRAWINGS = [name for name in formats() if is_drawing(name)]
ROWS = [(1, "tcp", None), (65535, "udp", "x")]


class Sink:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


def shown(
    columns: list[str],
    rows: list[tuple[Any, ...]],
    room: int = 80,
    style: str = "simple",
    *,
    header: bool = True,
    **look: Any,
) -> list[str]:
    sink = Sink()
    writer = screen_writer(style, columns, Look(room, **look), header=header)
    assert render(writer, rows, sink) == len(rows)
    return sink.text.split("\n")[:-1]


def test_numbers_are_aligned_at_the_right_and_null_is_told_from_text() -> None:
    assert shown(["sport", "protocol", "x"], [*ROWS, (7, "NULL", "")]) == [
        "sport  protocol  x",
        "-----  --------  ----",
        "    1  tcp       NULL",
        "65535  udp       x",
        "    7  'NULL'",
    ]


def test_null_may_be_shown_as_anything_and_stays_different_from_that() -> None:
    assert shown(["a", "b"], [(None, ""), ("-", "x")], null="-") == [
        "a    b",
        "---  --",
        "-",
        "'-'  x",
    ]
    assert shown(["a", "b"], [(None, "")], null="") == ["a    b", "---  --", "     ''"]


def test_names_are_left_out_on_request() -> None:
    assert shown(["a", "b"], [(1, "x")], header=False) == ["  1  x"]
    assert shown(["a", "b"], [], header=False) == []


def test_without_rows_the_names_are_shown() -> None:
    assert shown(["pid", "name"], []) == ["pid  name", "---  ----"]


def test_colours_are_for_names_and_null_only() -> None:
    lines = shown(["a"], [(None,), ("x",)], colours=True)
    assert lines == ["\x1b[1ma\x1b[0m", "----", "\x1b[2mNULL\x1b[0m", "x"]
    lines = shown(["a"], [(None,)], style="line", colours=True)
    assert lines == ["\x1b[1ma\x1b[0m = \x1b[2mNULL\x1b[0m"]


def test_nothing_reaches_the_terminal_that_it_would_obey() -> None:
    evil = "\x1b[2J\r\n\u202egnp.exe"
    for style in ("simple", "psql", "line"):
        lines = shown([evil], [(evil,)], style=style)
        assert all(line.isprintable() for line in lines)
        assert any(escape(evil) in line for line in lines)


@pytest.mark.parametrize("style", DRAWINGS)
@pytest.mark.parametrize("header", [True, False])
def test_every_drawing_of_tabulate_has_straight_edges(style: str, *, header: bool) -> None:
    lines = shown(
        ["pid", "a long name", "wide"],
        [(1, "x", None), (12345, "yy", "日本"), (7, None, "")],
        style=style,
        header=header,
    )
    # Lines that end in the frame, not in a cell, end at the same place.
    assert len({width(line) for line in lines if line[-1] in _FRAME}) <= 1
    if header:
        assert sum("a long name" in line for line in lines) == 1
    body = [line for line in lines if "12345" in line]
    assert len(body) == 1
    assert "yy" in body[0]


def test_a_drawing_is_as_tabulate_draws_it() -> None:
    from tabulate import tabulate

    rows = [["abc", "d"], ["e", "fgh"]]
    for style in DRAWINGS:
        # As long as names are two shorter than cells, tabulate adds nothing of its own.
        drawn = tabulate(rows, headers=["a", "b"], tablefmt=style, disable_numparse=True)
        mine = shown(["a", "b"], [tuple(row) for row in rows], style=style)
        assert [line.split() for line in mine] == [line.split() for line in drawn.split("\n")]
        if style != "pretty":  # it centres
            assert mine == [line.rstrip() for line in drawn.split("\n")]


def test_long_texts_lose_their_middle_and_numbers_nothing() -> None:
    rows = [(1234567890, "/usr/lib/systemd/systemd-journald", "short")]
    lines = shown(["inode", "path", "name"], rows, room=40)
    assert lines == [
        "     inode  path                   name",
        "----------  ---------------------  -----",
        "1234567890  /usr/lib/s…d-journald  short",
    ]


def test_a_row_that_cannot_fit_has_a_line_for_each_column_and_is_whole() -> None:
    rows = [(1234567890123456789, "x" * 50, None), (1, "y", "z")]
    assert shown(["a", "text", "b"], rows, room=25) == [
        "   a = 1234567890123456789",
        f"text = {'x' * 50}",
        "   b = NULL",
        "",
        "   a = 1",
        "text = y",
        "   b = z",
    ]


def test_widths_may_be_given() -> None:
    rows = [(123456, "abcdefghij", "k")]
    lines = shown(["a", "b", "c"], rows, widths=(4, 5))
    assert lines[2] == "12…6  ab…ij  k"
    assert shown(["a", "b"], [(1, "x")], widths=(0, 6))[1] == "---  ------"


def test_rows_behind_the_first_thousand_keep_the_columns() -> None:
    rows: list[tuple[Any, ...]] = [(i, "short") for i in range(1000)]
    rows += [(1000, "long" * 30), (10**9, "s")]
    lines = shown(["n", "text"], rows, room=40)
    assert len(lines) == 1004
    assert lines[1001] == "999  short"
    assert lines[1002].startswith("1000  longlonglong")
    assert width(lines[1002]) <= 41
    assert lines[1003] == "1000000000  s"


def test_labels_are_shown_and_stay_numbers() -> None:
    rows = [(22, "x"), (40000, "y")]
    lines = shown(
        ["sport", "t"], rows, labels={0: lambda row: "22 (ssh)" if row[0] == 22 else None}
    )
    assert lines[2:] == ["22 (ssh)  x", "   40000  y"]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.data(), st.integers(0, 120))
def test_fitting_takes_from_the_widest(natural: list[int], data: st.DataObject, room: int) -> None:
    least = [data.draw(st.integers(1, size)) for size in natural]
    found = fit(natural, least, room)
    if sum(least) > room:
        assert found == (natural if sum(natural) <= room else None)
        return
    assert found is not None
    assert all(low <= size <= high for low, size, high in zip(least, found, natural))
    assert sum(found) == min(sum(natural), room)
    cut = [size for size, high, low in zip(found, natural, least) if size < high and size > low]
    # None that was cut is narrower than what another was left, by more than a blank.
    assert all(size >= max(cut, default=0) - 1 for size in cut)


@given(st.text(), st.integers(0, 40))
def test_shortening_keeps_within_the_room_and_both_ends(text: str, room: int) -> None:
    text = escape(text)
    found = shorten(text, room)
    assert width(found) <= room
    if found != text:
        head, _, tail = found.partition("…")
        assert text.startswith(head)
        assert text.endswith(tail)
    else:
        assert width(text) <= room


@given(
    st.lists(st.tuples(st.integers(), st.text(max_size=30), st.none() | st.floats()), max_size=5),
    st.integers(20, 100),
)
def test_no_line_of_a_table_is_wider_than_the_screen(
    rows: list[tuple[Any, ...]], room: int
) -> None:
    lines = shown(["n", "text", "other"], rows, room=room)
    if not any(line.startswith("    n = ") for line in lines):
        assert max(map(width, lines)) <= room
