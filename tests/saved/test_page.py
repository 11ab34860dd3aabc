"""What docs/queries.md tells people to write and to type is right."""

from __future__ import annotations

import re

from sockql import connect
from sockql.saved.check import check
from sockql.saved.library import Library, shipped_directory
from sockql.saved.query import KEYS, TYPES, parse
from tests.conftest import ROOT
from tests.test_docs import blocks

PAGE = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")


def test_the_example_is_a_query_that_passes_its_check() -> None:
    ((_, text),) = blocks(PAGE, "sql")
    query = parse(text, "example.sql")
    assert query.lines
    with connect() as db:
        assert [str(problem) for problem in check(db, query)] == []


def test_the_examples_name_queries_and_tags_that_are_there() -> None:
    library = Library([shipped_directory()])
    ((_, text),) = blocks(PAGE, "sh")
    for name in re.findall(r"(?:run|show) ([\w-]+)", text):
        assert library.find(name).name == name
    tags = {tag for query in library.all() for tag in query.tags}
    assert set(re.findall(r"--tag ([\w-]+)", text)) <= tags


def test_every_query_key_and_type_is_on_the_page() -> None:
    names = {query.name for query in Library([shipped_directory()]).all()}
    assert set(re.findall(r"^### (.*)$", PAGE, re.MULTILINE)) == names
    assert set(re.findall(r"^\| `([a-z ]+)` \|", PAGE, re.MULTILINE)) == {*KEYS, *TYPES}
