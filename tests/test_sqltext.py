"""SQL text is cut where SQLite would cut it."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.errors import QueryError
from sockql.sqltext import character_offset, parameters, statements, tokens


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select 1", ["select 1"]),
        ("select 1;", ["select 1"]),
        (" ; ;; ", []),
        ("select ';'; select \";\"", ["select ';'", ' select ";"']),
        ("select 1 -- ; no\n; select 2", ["select 1 -- ; no\n", " select 2"]),
        ("select 1 /* ; */; /* only a comment */", ["select 1 /* ; */"]),
        ("select [a;b], `c;d`; x", ["select [a;b], `c;d`", " x"]),
        ("select 'it''s;'; y", ["select 'it''s;'", " y"]),
        ("select 'open; x", ["select 'open; x"]),
        ("select 1 /* open; x", ["select 1 /* open; x"]),
    ],
)
def test_statements_end_at_semicolons_that_are_not_quoted(sql: str, expected: list[str]) -> None:
    assert statements(sql) == expected


def test_a_nul_character_is_refused() -> None:
    with pytest.raises(QueryError, match=r"^the SQL has a NUL character in it$"):
        statements("select 1; select '\0'")


@given(st.text(alphabet="ab;'\"`[]-/*\n é$:@1", max_size=40))
def test_any_text_is_cut_without_loss(sql: str) -> None:
    for offset, token in tokens(sql):
        assert sql[offset : offset + len(token)] == token
    assert all(statement in sql for statement in statements(sql))


@given(
    st.lists(
        st.sampled_from(["select 1", "select ';'", 'select "x;" /* c; */', "values(2)"]), min_size=1
    )
)
def test_statements_agree_with_sqlite(parts: list[str]) -> None:
    ran: list[str] = []
    connection = apsw.Connection(":memory:")

    def record(_cursor: object, sql: str, _bindings: object) -> bool:
        ran.append(sql)
        return True

    connection.exec_trace = record
    script = ";".join(parts)
    connection.execute(script).fetchall()
    assert [s.strip() for s in statements(script)] == [s.strip(";") for s in ran]


@pytest.mark.parametrize(
    ("sql", "offset", "expected"),
    [("abc", 1, 1), ("é x", 3, 2), ("日本 x", 7, 3), ("abc", -1, None), ("a", 9, 1)],
)
def test_offsets_count_characters(sql: str, offset: int, expected: int | None) -> None:
    assert character_offset(sql, offset) == expected


def test_parameters_are_found_outside_of_texts_and_comments() -> None:
    assert parameters("select :a, ':b', $c /* :d */, [:e], a-:f -- :g\n, @h") == {*"acfh"}
