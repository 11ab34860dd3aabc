"""What holds for every query that is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockql.saved.library import Library, shipped_directory
from sockql.saved.query import AUDIT, TABLE, Query

QUERIES = Library([shipped_directory()]).all()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_says_what_it_is_for(query: Query) -> None:
    assert query.description.endswith(".")
    assert query.tags
    assert not query.title.endswith(".")
    if query.kind == AUDIT:
        assert query.keys
        assert query.false_positives
    assert all(text.endswith(".") for text in query.false_positives)
    assert all(param.description.endswith(".") for param in query.params.values())
    assert all(not param.required for param in query.params.values())


def test_every_query_is_tried_in_a_test() -> None:
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert [query.name for query in QUERIES if f'"{query.name}"' not in tests] == []


def test_a_list_is_for_one_query() -> None:
    """``sockql audit -p NAME=FILE`` is for every audit that has the parameter."""
    names = [name for query in QUERIES for name, p in query.params.items() if p.type == TABLE]
    assert sorted(names) == sorted(set(names))
    assert len(names) > 5
