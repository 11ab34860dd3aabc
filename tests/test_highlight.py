"""Colours at the prompt: what is told apart, and that it can be read anywhere."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
)

from sockql.completion.suggest import Catalogue
from sockql.shell.highlight import colours_wanted, lexer_class, style_class
from tests.completing import CATALOGUE

Python = Callable[..., "subprocess.CompletedProcess[str]"]

LEXER = lexer_class(lambda: CATALOGUE)


def pieces(text: str, known: Catalogue | None = CATALOGUE) -> list[tuple[object, str]]:
    """Type and text of everything but blanks."""
    found = lexer_class(lambda: known)().get_tokens_unprocessed(text)
    return [(type, piece) for _, type, piece in found if type is not Whitespace]


def test_names_are_told_apart() -> None:
    assert pieces('SELECT s.state, "x", count(*) FROM Sockets s WHERE sport > :p -- why') == [
        (Keyword, "SELECT"),
        (Name, "s"),
        (Punctuation, "."),
        (Name.Attribute, "state"),
        (Punctuation, ","),
        (String.Symbol, '"x"'),
        (Punctuation, ","),
        (Name.Function, "count"),
        (Punctuation, "("),
        (Operator, "*"),
        (Punctuation, ")"),
        (Keyword, "FROM"),
        (Name.Class, "Sockets"),
        (Name, "s"),
        (Keyword, "WHERE"),
        (Name.Attribute, "sport"),
        (Operator, ">"),
        (Name.Variable, ":p"),
        (Comment, "-- why"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type", [(Name.Attribute, "type")]),
        ("x.type", [(Name, "x"), (Punctuation, "."), (Name.Attribute, "type")]),
        ("key", [(Keyword, "key")]),
        ("x.key", [(Name, "x"), (Punctuation, "."), (Name, "key")]),
        ("nosuch(", [(Name, "nosuch"), (Punctuation, "(")]),
        ("lower", [(Name, "lower")]),
        ("inet_in (", [(Name.Function, "inet_in"), (Punctuation, "(")]),
        ("json_each(", [(Name.Class, "json_each"), (Punctuation, "(")]),
        ("1.5e3", [(Number, "1.5e3")]),
        ("'it''s'", [(String.Single, "'it''s'")]),
        ("'open; select", [(String.Single, "'open; select")]),
        ("`a``b` [c]", [(String.Symbol, "`a``b`"), (String.Symbol, "[c]")]),
        ("/* a /* b */ 1", [(Comment, "/* a /* b */"), (Number, "1")]),
        ("/* open", [(Comment, "/* open")]),
        ("a->>'$.b'", [(Name, "a"), (Operator, "->>"), (String.Single, "'$.b'")]),
        (".mode csv", [(Name.Builtin, ".mode"), (Text, " csv")]),
        (".mo csv", [(Name.Builtin, ".mo"), (Text, " csv")]),
        (r"\dt", [(Name.Builtin, r"\dt")]),
        (".nosuch 'x", [(Error, ".nosuch"), (Text, " 'x")]),
        (".plan select\n1", [(Name.Builtin, ".plan"), (Keyword, "select"), (Number, "1")]),
        (
            "select 1;\n.headers on\n-- c\nselect 2",
            [
                *((Keyword, "select"), (Number, "1"), (Punctuation, ";")),
                *((Name.Builtin, ".headers"), (Text, " on\n"), (Comment, "-- c")),
                *((Keyword, "select"), (Number, "2")),
            ],
        ),
    ],
)
def test_pieces(text: str, expected: list[tuple[object, str]]) -> None:
    assert pieces(text) == expected


def test_before_the_names_are_known_the_rest_is_coloured() -> None:
    assert pieces(".mode csv\nselect state from sockets where 1", None) == [
        (Name.Builtin, ".mode"),
        (Text, " csv\n"),
        (Keyword, "select"),
        (Name, "state"),
        (Keyword, "from"),
        (Name, "sockets"),
        (Keyword, "where"),
        (Number, "1"),
    ]


@given(st.text(alphabet="ab.;'\"`[]()-/*\\ \n:é\x00select", max_size=60))
def test_every_character_comes_back(text: str) -> None:
    at = 0
    for index, _, piece in LEXER().get_tokens_unprocessed(text):
        assert (index, bool(piece)) == (at, True)
        at += len(piece)
        assert text[index:at] == piece
    assert at == len(text)


def test_a_huge_paste_is_left_as_it_is() -> None:
    paste = "select 1;\n" * 100_000
    assert pieces(paste) == [(Text, paste)]


# -- colours ------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance of RRGGBB, see https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    channels = []
    for at in (0, 2, 4):
        value = int(colour[at : at + 2], 16) / 255
        channels.append(value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def in_palette(colour: str) -> bool:
    """Whether a terminal of 256 colours has exactly this one: its cube, or its greys."""
    channels = {int(colour[at : at + 2], 16) for at in (0, 2, 4)}
    return channels <= {0, 95, 135, 175, 215, 255} or (
        len(channels) == 1 and (channels.pop() - 8) % 10 == 0
    )


def test_colours_can_be_read_on_dark_and_on_light_terminals() -> None:
    colours = {style["color"] for _, style in style_class() if style["color"]}
    assert len(colours) > 5
    for colour in colours:
        for background in ("000000", "ffffff"):
            assert contrast(colour, background) > 4.2, (colour, background)
        assert in_palette(colour), colour


def test_no_background_is_set() -> None:
    assert style_class().background_color == ""
    assert all(not style["bgcolor"] for _, style in style_class())


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, True),
        ({"TERM": "xterm-256color"}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "0", "TERM": "xterm"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colours_are_not_for_everybody(environment: dict[str, str], wanted: bool) -> None:
    assert colours_wanted(environment) is wanted


def test_nothing_heavy_is_imported_before_it_is_used(python: Python) -> None:
    ran = python(
        "-c",
        "import sys, sockql.shell.highlight, sockql.completion.suggest\n"
        "print([m for m in ('apsw', 'pygments', 'prompt_toolkit') if m in sys.modules])",
    )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_prompt_toolkit_takes_lexer_and_style() -> None:
    from prompt_toolkit.document import Document
    from prompt_toolkit.lexers import PygmentsLexer
    from prompt_toolkit.styles import style_from_pygments_cls

    line = PygmentsLexer(LEXER).lex_document(Document("select state\nfrom sockets"))
    assert line(1)[-1] == ("class:pygments.name.class", "sockets")
    style = style_from_pygments_cls(style_class())
    assert style.get_attrs_for_style_str("class:pygments.name.class").color == "d700af"
