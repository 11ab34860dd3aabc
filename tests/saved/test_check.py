"""What is wrong with a query is found without running it, and said with its line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql.engine import Engine
from sockql.errors import UsageError
from sockql.host import Host
from sockql.saved.binding import bind
from sockql.saved.check import check, check_files
from sockql.saved.query import parse
from sockql.saved.tables import Tables
from tests.fakeproc import proc_tree

#: Runs for ever, so that a check which ran it would not end.
ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(Host(str(proc_tree({}, tmp_path)))) as made:
        yield made


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("select src, sport from sockets where state = 'LISTEN' and sport = :port;", []),
        (ENDLESS, []),
        ("-- title: T\n-- keys: [i]\n" + ENDLESS, []),
        (
            "-- title: T\n-- keys: [n]\n" + ENDLESS,
            ["2: keys: the result has no column n; it has i"],
        ),
        (
            "select src,\n  sprot from sockets",
            ["2: no such column: sprot; did you mean `sport`? @sprot from sockets"],
        ),
        ("select * from sokets", ["1: no such table: sokets; did you mean `sockets`? @sokets"]),
        ("\nselect pid form fds", ['2: near "fds": syntax error; did you mean `from`? @fds']),
        ("-- A\n;;select", ["2: incomplete input @"]),
        (
            "-- title: T\n-- params:\n--   a: {type: integer}\n--   b: {type: text}\nselect :a, :c",
            [
                "4: the parameter b is not used",
                "5: the parameter c is not declared in params @:c",
            ],
        ),
        (
            "-- title: T\n-- params:\n--   t: {type: table, columns: [a]}\n--   u: {type: table, columns: [a]}\nselect a from T",
            ["4: the table u is not used"],
        ),
        (
            "-- title: T\n-- params: {ok: {type: table, columns: [a]}}\nselect b\nfrom ok",
            ["3: no such column: b @b\nfrom ok"],
        ),
        ("select a from :t", ['1: near ":t": syntax error @:t']),
        ("select :a(b)", ["1: no value for the parameter :a(b)"]),
        ("with a as (select load_extension('x')) select * from a", ["1: not authorized to use"]),
        ("with a as (select 1) select * from main.sqlite_master, a", []),
    ],
)
def test_problems_are_found_without_running_the_query(
    engine: Engine, text: str, problems: list[str]
) -> None:
    found = check(engine, parse(text, "q.sql"))
    said = [
        f"{each.line}: {each.text}"
        + ("" if each.offset is None else f" @{each.sql[each.offset :]}")
        for each in found
    ]
    assert len(said) == len(problems)
    for one, wanted in zip(said, problems, strict=True):
        assert one.startswith(wanted)
    assert [str(each) for each in found] == [f"q.sql:{each.line}: {each.text}" for each in found]
    assert engine.query("select count(*) from sqlite_temp_master") == [(0,)]


def test_files_are_checked_one_after_the_other(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("select 1")
    (tmp_path / "b.sql").write_text("-- title: [\nselect 1")
    (tmp_path / "c.sql").write_text("select 1;\nselect 2")
    paths = [f"{tmp_path}/{name}.sql" for name in "abcd"]
    found = check_files(engine, paths)
    assert [(each.path, each.line) for each in found] == [
        (paths[1], 1),
        (paths[2], 2),
        (paths[3], None),
    ]
    assert str(found[0]).startswith(f"{paths[1]}:1: the header is not YAML: ")
    assert str(found[1]) == f"{paths[2]}:2: a second statement; a saved query is one"
    assert str(found[2]) == f"{paths[3]}: No such file or directory"


def test_a_default_is_a_table_while_the_query_runs(engine: Engine) -> None:
    query = parse(
        "-- title: T\n-- params:\n"
        "--   t: {type: table, columns: [a, 'b \" c'], default: [[1, x], [2.5, null]]}\n"
        'select a, "b "" c" from t',
        "q.sql",
    )
    binding = bind(query, [])
    with Tables(engine, query, binding):
        assert engine.query(query.sql) == [(1, "x"), (2.5, None)]
    with Tables(engine, query, binding):
        assert engine.query("select typeof(a) from t") == [("integer",), ("real",)]
        with pytest.raises(UsageError, match=r"^there is a temporary table t already$"):
            Tables(engine, query, binding).__enter__()
        assert engine.query("select count(*) from t") == [(2,)]
    assert engine.query("select count(*) from sqlite_temp_master") == [(0,)]


def test_a_table_is_gone_when_nobody_wanted_the_rest_of_the_rows(engine: Engine) -> None:
    query = parse(
        "-- title: T\n-- params: {t: {type: table, columns: [a], default: [[1], [2]]}}\n"
        "select a from t",
        "q.sql",
    )
    with Tables(engine, query, bind(query, [])):
        rows = iter(next(engine.execute(query.sql)))
        assert next(rows) == (1,)
    assert engine.query("select count(*) from sqlite_temp_master") == [(0,)]


def test_a_file_is_a_table_while_the_query_runs(engine: Engine, tmp_path: Path) -> None:
    query = parse(
        "-- title: T\n-- params: {allowed: {type: table, columns: [port, why]}}\n"
        "select why, port + 1 from allowed",
        "q.sql",
    )
    (tmp_path / "a=b.csv").write_text("why,port,more\nssh,22,x\n,443,y\n")
    (tmp_path / "list.json").write_text('[{"port": 22, "why": "ssh"}, {"port": 443, "why": null}]')
    for name in ("a=b.csv", "list.json"):
        with Tables(engine, query, bind(query, [f"allowed={tmp_path}/{name}"])):
            assert engine.query(query.sql) == [("ssh", 23), (None, 444)]
    (tmp_path / "ragged.csv").write_text("port,why\n22\n")
    (tmp_path / "other.csv").write_text("port,reason\n22,ssh\n")
    for name, said in (
        ("none.csv", ": No such file or directory"),
        ("ragged.csv", ":2: 1 cell, but the header names 2 columns"),
        ("other.csv", ":1: no column why; it has port, reason"),
    ):
        with pytest.raises(UsageError) as caught:
            Tables(engine, query, bind(query, [f"allowed={tmp_path}/{name}"])).__enter__()
        assert str(caught.value) == f"{tmp_path}/{name}{said}"
    assert engine.query("select count(*) from sqlite_temp_master") == [(0,)]
