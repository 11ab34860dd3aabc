"""Where an input ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.shell.text import finished, pieces
from sockql.sqltext import statements


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n ",
        "select 1;",
        "select 1;  -- why",
        "select 1; /* why\n not */",
        "select ';';",
        'select "a""b;" from x;',
        "select [a;b]; ",
        "-- nothing but a comment",
        "/* nor\nhere */",
        ";",
        ".mode",
        ".mode 'unfinished",
        "\\d sockets",
        "quit",
        " Exit ",
        "help",
    ],
)
def test_a_finished_input_is_run(text: str) -> None:
    assert finished(text)


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "select 1; select 2",
        "select ';",
        'select "a;',
        "select `a;",
        "select [a;",
        "select 1 /* ;",
        "/* ;",
        "select 1 -- ;",
        "select 1 - ;2",
        "quit the",
        ".5",
    ],
)
def test_an_unfinished_input_goes_on(text: str) -> None:
    assert not finished(text)


def test_a_file_is_cut_into_commands_and_statements() -> None:
    text = (
        "-- a file\n"
        ".mode csv\n"
        "\n"
        "select 1,\n"
        "  '.mode json;\n"
        ".mode line' as x; select 2;\n"
        "\\x\n"
        "-- why\n"
        "select 3 -- .mode;\n"
        ".5;\n"
        "/* ;\n"
        ".mode */ select 4\n"
    )
    assert list(pieces(text)) == [
        (2, ".mode csv"),
        (4, "\nselect 1,\n  '.mode json;\n.mode line' as x; select 2;"),
        (7, "\\x"),
        (9, "-- why\nselect 3 -- .mode;\n.5;"),
        (12, "/* ;\n.mode */ select 4\n"),
    ]


def test_a_quote_that_is_never_closed_takes_no_time() -> None:
    text = "select '" + "one; two\n" * 200_000
    assert list(pieces(text)) == [(1, text)]
    assert not finished(text)


SQL = st.text(alphabet="ab;'\"`[]-/*\n .", max_size=60)


@given(SQL)
def test_pieces_lose_no_statement(text: str) -> None:
    text = text.replace(".", "x")  # no commands
    found = [each for _, piece in pieces(text) for each in statements(piece)]
    assert [each.strip() for each in found] == [each.strip() for each in statements(text)]


@given(SQL)
def test_a_finished_input_has_a_semicolon_behind_every_statement(text: str) -> None:
    if finished(text) and "." not in text:
        assert not statements(text) or len(statements(f"{text}\n;")) == len(statements(text))
        assert statements(f"{text}\nnext")[-1].strip().endswith("next")
