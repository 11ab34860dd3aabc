"""Dot commands and their arguments, and what a suggestion says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockql import tables
from sockql.completion.catalogue import (
    ALIAS,
    COLUMN,
    COMMAND,
    FILE,
    FUNCTION,
    JOIN,
    QUERY,
    TABLE,
    VALUE,
    list_directory,
)
from sockql.completion.suggest import Catalogue, Suggestion, standard, suggest
from sockql.functions import FUNCTIONS
from sockql.schema import text
from tests.completing import CATALOGUE, ODD, answer, cases, catalogue, check, nothing, schema, texts

#: Everything that is offered.
LINES = cases(
    r"""
.|  =>  COMMANDS
↵  .|  =>  COMMANDS
.ta|  =>  .tables
.t|  =>  .tables, .timeout
.MO|  =>  .mode
.hlp|  =>  .help
.nosuch|  =>
.nosuch |  =>
.tables |  =>  fds, processes, sockets
.tables so|  =>  sockets
.tables fds |  =>
.schema |  =>  all, fds, processes, sockets
.schema fds |  =>  all, fds, processes, sockets
.desc so|  =>  sockets
.t |  =>
.mode |  =>  table, json, csv, tsv
.mode c|  =>  csv
.mode 'c|  =>  csv
.mode csv |  =>
.headers o|  =>  on, off
.help |  =>  COMMANDS
.help mo|  =>  .mode
.help .mo|  =>  .mode
\|  =>  \dt, \d, \?
\d|  =>  \d, \dt
\d |  =>  fds, processes, sockets
\dt p|  =>  processes
\? he|  =>  .headers, .help
\nosuch |  =>
.run |  =>  listeners, deleted-files, 'odd name'
.run li|  =>  listeners
.run files|  =>  deleted-files
.run listeners |  =>  port=, address=
.run listeners a|  =>  address=
.run listeners port=22 |  =>  address=
.run deleted-files |  =>
.param |  =>  port, pid
.param port |  =>
.read |  =>  'my file.sql', notes.sql, sub/
.read no|  =>  notes.sql
.read my|  =>  'my file.sql'
.read 'my |  =>  'my file.sql'
.read .|  =>  .profile
.read sub/|  =>  sub/listen.sql
.read nosuch/|  =>
.read ~/|  =>  ~/x.csv
.read -|  =>  -f, -q
.read -f |  =>  'my file.sql', notes.sql, sub/
.read -q n|  =>  notes.sql
.output n|  =>  notes.sql
.proc |  =>  sub/
.timeout |  =>
.timeout 5|  =>
.plan |  =>  select, with, ...
.plan select | from processes  =>  PROCESSES, ...
.plan select name↵from | where 1  =>  processes, fds, sockets, ...
.watch |  =>  select, with, ...
.watch 5 |  =>  select, with, ...
.watch 5|  =>
.watch 0.5 select | from processes  =>  PROCESSES, ...
.watch select | from processes  =>  PROCESSES, ...
.plan select * from sockets where state = 'L|  =>  LISTEN'
.plan select 1; select | from processes  =>  PROCESSES, ...
# a command is a line between statements
select 1;↵.mo|  =>  .mode
-- first↵.mo|  =>  .mode
/* first↵*/↵ .mo|  =>  .mode
select 1; .mo|  =>
select fds↵.|  =>  FDS
.mode csv↵select | from processes  =>  PROCESSES, ...
.read it's↵select | from processes  =>  PROCESSES, ...
.mode cs|↵.headers on  =>  csv
select 1↵.5|  =>
.5|  =>
"""
)


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_dot_commands(line: str, expected: list[str]) -> None:
    check(texts(answer(line)), expected)


def test_a_suggestion_replaces_the_word_before_the_cursor() -> None:
    assert answer("select fd, st| from sockets")[0] == Suggestion(
        "state", 11, "state", "TCP state", COLUMN, 18
    )
    assert answer("select s.st| from sockets s")[0].start == 9
    assert answer("select * from sockets where state = 'li|")[0].start == 37
    assert answer('select "st| from sockets')[0].start == 8
    assert answer("select :po|")[0].start == 8
    assert answer(".mode c|")[0].start == 6
    assert answer(".read 'my|")[0].start == 6
    assert answer("select 1;\n .mo|")[0].start == 11
    assert answer(".plan select na| from processes")[0].start == 13


@pytest.mark.parametrize(
    ("line", "display", "meta", "kind"),
    [
        ("select sta| from sockets", "state", "TCP state", COLUMN),
        ("select rec| from sockets", "recv_queue", "Bytes not read yet, in bytes", COLUMN),
        ("select rtt| from sockets", "rtt", "Round-trip time, in microseconds (hidden)", COLUMN),
        ("select spo|", "sport", "sockets: Own port", COLUMN),
        ("select inode| ", "inode", "fds, sockets: Inode of the socket", COLUMN),
        ("select * from so|", "sockets", "Sockets, one row for each", TABLE),
        (
            "select inet| from sockets",
            "inet_in(address, prefix)",
            "1 when the IP address lies in the CIDR prefix, else 0",
            FUNCTION,
        ),
        (
            "select * from json_e|",
            "json_each(X, path)",
            "one row for each element of a JSON array or object",
            FUNCTION,
        ),
        ("select count(*) * 2 as n from fds order by n|", "n", "count(*) * 2", ALIAS),
        ("select x.n| from (select max(fd) as n from fds) x", "n", "max(fd)", COLUMN),
        ("select * from sockets where state = 'LI|", "LISTEN", "state", VALUE),
        ("select * from sockets join fds us|", "using(inode)", "Inode of the socket", JOIN),
        ("with l as (select 1) select * from l|", "l", "common table expression", ALIAS),
        (".tab|", ".tables PATTERN", "The tables.", COMMAND),
        (".run list|", "listeners", "Who listens where.", QUERY),
        (".read sub/l|", "listen.sql", "", FILE),
    ],
)
def test_the_menu_says_what_each_one_is(line: str, display: str, meta: str, kind: str) -> None:
    first = answer(line)[0]
    assert (first.display, first.meta, first.kind) == (display, meta, kind)


def test_the_best_match_comes_first_whatever_its_rank() -> None:
    """A hidden column that begins with the letters beats a visible one that merely has them."""
    found = answer("select rt| from sockets")
    assert texts(found, COLUMN) == ["rtt", "sport"]
    assert [each.priority for each in found] == sorted(each.priority for each in found)


def test_the_cursor_may_be_outside_of_the_text() -> None:
    assert suggest("select pid fr", 99, CATALOGUE) == suggest("select pid fr", 13, CATALOGUE)
    assert suggest("sel", -5, CATALOGUE) == suggest("sel", 0, CATALOGUE)


def test_an_empty_catalogue_still_knows_sql() -> None:
    empty = Catalogue(tables={})
    assert texts(answer("sel|", empty)) == ["select"]
    assert texts(answer("select * from |", empty)) == ["json_each(", "json_tree("]
    assert answer(".|", empty) == []


def test_names_that_need_quotes_get_them() -> None:
    known = catalogue(ODD)
    assert texts(answer("select * from o|", known), TABLE) == ['"odd table"']
    assert texts(answer('select | from "odd table"', known), COLUMN) == [
        '"group"', "values_", '"two words"', '"a""b"', '"1st"'
    ]  # fmt: skip
    assert texts(answer('select "| from "odd table"', known), COLUMN) == [
        'group"', 'values_"', 'two words"', 'a""b"', '1st"'
    ]  # fmt: skip
    assert texts(answer('select x."|" from "odd table" x', known), COLUMN) == [
        "group", "values_", "two words", 'a""b', "1st"
    ]  # fmt: skip


def test_values_with_quotes_in_them_stay_one_literal() -> None:
    values = text("V.", source="x", get=nothing, values=("it's",))
    known = catalogue(schema("t", values, names=["v"]))
    assert texts(answer("select * from t where v = '|", known)) == ["it''s'"]
    assert texts(answer("select * from t where v = i|", known), VALUE) == ["'it''s'"]


def test_a_directory_is_listed_as_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "a.sql").write_text("select 1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert list(list_directory("")) == [("queries", True)]
    assert list(list_directory("queries/")) == [("a.sql", False)]
    assert list(list_directory("~/queries/")) == [("a.sql", False)]
    with pytest.raises(FileNotFoundError):
        list_directory("nosuch/")


def test_the_standard_catalogue_has_every_table_and_function() -> None:
    known = standard()
    assert list(known.tables) == list(tables.NAMES)
    assert {function.name for function in known.functions} >= set(FUNCTIONS)
