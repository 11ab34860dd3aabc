"""Lists become tables: what they hold, the types of columns, and what is wrong with a file."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils.utils import TypeTracker

from sockql.engine import Engine
from sockql.errors import UsageError
from sockql.host import Host
from sockql.loading import rows
from sockql.loading.lists import load
from sockql.loading.types import types
from sockql.render.writers import writer_class
from tests.test_cli import run


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(Host()) as engine:
        yield engine


def loaded(engine: Engine, path: Path, content: str | bytes) -> list[tuple[Any, ...]]:
    """The columns with their types, then the rows, of the table that the file becomes."""
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(data)
    load(engine, "list", str(path))
    columns = engine.query("select name, type from pragma_table_info('list')")
    return [*columns, *engine.query("select * from list")]


PORTS = [
    ("port", "INTEGER"), ("service", "TEXT"), ("share", "REAL"),
    (22, "ssh", 0.5), (80, None, 2.0), (443, 'a, "b"', None),
]  # fmt: skip


def test_a_csv_file(engine: Engine, tmp_path: Path) -> None:
    text = '\ufeffport,service,share\r\n22,ssh,0.5\n80,,2\n\n443,"a, ""b""",\n'
    assert loaded(engine, tmp_path / "ports.csv", text) == PORTS


def test_a_tsv_file(engine: Engine, tmp_path: Path) -> None:
    text = 'port\tservice\tshare\n22\tssh\t0.5\n80\t\t2\n443\ta, "b"\t\n'
    assert loaded(engine, tmp_path / "ports.TSV", text) == PORTS


def test_a_json_file(engine: Engine, tmp_path: Path) -> None:
    rows = [
        {"port": 22, "service": "ssh", "share": 0.5},
        {"port": 80, "share": 2.0},
        {"port": 443, "service": 'a, "b"', "share": None},
    ]
    assert loaded(engine, tmp_path / "ports.json", json.dumps(rows, indent=1)) == PORTS


def test_a_json_lines_file(engine: Engine, tmp_path: Path) -> None:
    text = """{"port": 22, "service": "ssh", "share": 0.5}
{"port":80,"share":2}

{"port": 443, "service": "a, \\"b\\""}"""
    assert loaded(engine, tmp_path / "ports.jsonl", text) == PORTS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\n1,x\n", [("a", "INTEGER"), ("b", "TEXT"), (1, "x")]),
        ("a,b\tc\n1,x\t2\n", [("a,b", "TEXT"), ("c", "INTEGER"), ("1,x", 2)]),
        ('\n [{"a": 1}]', [("a", "INTEGER"), (1,)]),
        ('{"a": 1}\n{"a": 2}', [("a", "INTEGER"), (1,), (2,)]),
        ('{"a": 1}', [("a", "INTEGER"), (1,)]),
    ],
)
def test_a_name_that_says_nothing_leaves_it_to_the_content(
    engine: Engine, tmp_path: Path, text: str, found: list[object]
) -> None:
    assert loaded(engine, tmp_path / "list", text) == found


def test_types_come_from_all_cells(engine: Engine, tmp_path: Path) -> None:
    text = "i,f,t,n,mixed\n1,1,1,,1\n-2,2.5,x,,1.5\n,,,,y\n"
    assert loaded(engine, tmp_path / "list.csv", text) == [
        ("i", "INTEGER"), ("f", "REAL"), ("t", "TEXT"), ("n", "TEXT"), ("mixed", "TEXT"),
        (1, 1.0, "1", None, "1"), (-2, 2.5, "x", None, "1.5"), (None, None, None, None, "y"),
    ]  # fmt: skip


def test_numbers_that_would_not_be_the_same_any_more_are_texts(
    engine: Engine, tmp_path: Path
) -> None:
    text = "mode,cookie,zero,plus\n0644,18446744073709551615,0,+5\n755,7,0.5,7\n"
    assert loaded(engine, tmp_path / "list.csv", text) == [
        ("mode", "TEXT"), ("cookie", "TEXT"), ("zero", "REAL"), ("plus", "INTEGER"),
        ("0644", "18446744073709551615", 0.0, 5), ("755", "7", 0.5, 7),
    ]  # fmt: skip


NUMBERS = st.integers(-(2**63), 2**63 - 1).map(str) | st.floats().map(repr)
COLUMNS = st.lists(
    st.none() | NUMBERS | st.sampled_from(["x", " 7", "+1", "1_0", "-0", "1e3", "0x1", "٣"])
)


@given(st.lists(COLUMNS, min_size=1, max_size=3))
def test_types_are_those_of_sqlite_utils(columns: list[list[str | None]]) -> None:
    table = list(zip(*columns))
    tracker = TypeTracker()
    for _ in tracker.wrap({str(i): cell for i, cell in enumerate(row)} for row in table):
        pass
    names = {"integer": "INTEGER", "float": "REAL", "text": "TEXT"}
    filled = [any(row[i] is not None for row in table) for i in range(len(columns))]
    assert types(len(columns), table) == [
        names[tracker.types[str(i)]] if filled[i] else "TEXT" for i in range(len(columns))
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_tells_the_encoding(
    engine: Engine, tmp_path: Path, encoding: str
) -> None:
    text = "port\tservice\r\n22\tsšh\r\n"
    assert loaded(engine, tmp_path / "list.tsv", text.encode(encoding)) == [
        ("port", "INTEGER"), ("service", "TEXT"), (22, "sšh"),
    ]  # fmt: skip


def test_a_long_list_takes_a_few_times_its_size(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        "a,b,c\n" + "".join(f"{i},host{i % 97},because of {i}\n" for i in range(300000))
    )

    def peak(*words: str) -> int:
        """Bytes of memory at most, beside what an empty list takes."""
        code = (
            "import resource, sys; from sockql.cli import main; main(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60
        )
        said = done.stdout.split()
        assert said[:-1] == ["n", "300000" if str(path) in words[1] else "0"]
        return int(said[-1])

    (tmp_path / "empty.csv").write_text("a,b,c\n")
    sql = "select count(*) as n from x"
    beside = peak("--load", f"x={tmp_path / 'empty.csv'}", "--csv", sql)
    assert peak("--load", f"x={path}", "--csv", sql) - beside < 10 * path.stat().st_size


def test_values_of_json_have_their_own_types(engine: Engine, tmp_path: Path) -> None:
    text = '[{"b": true, "o": {"x": [1]}, "i": 9223372036854775807, "f": 1e999, "m": 1},{"m": "é"}]'
    assert loaded(engine, tmp_path / "list.json", text) == [
        ("b", "INTEGER"), ("o", "TEXT"), ("i", "INTEGER"), ("f", "REAL"), ("m", "TEXT"),
        (1, '{"x": [1]}', 2**63 - 1, math.inf, "1"), (None, None, None, None, "é"),
    ]  # fmt: skip


def test_a_header_alone_is_a_table_without_rows(engine: Engine, tmp_path: Path) -> None:
    assert loaded(engine, tmp_path / "list.csv", "a,b\n") == [("a", "TEXT"), ("b", "TEXT")]


WRONG = [
    ("x.csv", "a,b\n1,2\n3\n", ":3: 1 cell, but the header names 2 columns"),
    ("x.csv", 'a,b\n"1\n2",2\n3,4,5\n', ":4: 3 cells, but the header names 2 columns"),
    ("x.csv", "a,b\n1,2\n", None),
    ("x.csv", "a,b,A\n", ":1: two columns are called A"),
    ("x.csv", "a,,b\n", ":1: column 2 has no name"),
    ("x.csv", 'a\n"1"2\n', ":2: ',' expected after '\"'"),
    ("x.csv", 'a\n1\n"2\n', ":3: unexpected end of data"),
    ("x.csv", "", ": no rows and no header, so there are no columns"),
    ("x.csv", b"a\n1\ncaf\xe9\n", ":3: not UTF-8 text (byte 0xe9); convert it first"),
    ("x.csv", "a\n1\n\0\n", ":3: a NUL character in the text"),
    ("x.tsv", "a\tb\n1\t2\n3\t4\t5\n", ":3: 3 cells, but the header names 2 columns"),
    ("x.csv", b"\xff\xfea\0\n", ": not UTF-16 text, though it begins as such"),
    ("x.json", "[]", ": no rows and no header, so there are no columns"),
    ("x.json", '[{"a": 1},\n {"a": 2}\n {"a": 3}]', ":3: , or ] is missing here: '{\"a\": 3}]'"),
    ("x.json", '[{"a": 1},\n]', ":2: Expecting value: ']'"),
    ("x.json", '[{"a": 1}', ":1: , or ] is missing here: end of file"),
    ("x.json", '[{"a": 1},\n\n [1]]', ":3: an object is wanted, not '[1]]'"),
    ("x.json", '[{"a": 1}]\n]', ":2: text after the array: ']'"),
    ("x.json", '[{"a": 9223372036854775808}]', ":1: 9223372036854775808 is beyond SQLite's integers"),
    ("x.json", '[{"a": NaN}]', ":1: NaN is no number that SQLite has"),
    ("x.json", '[{"a": "\\ud800"}]', ":1: '\\ud800' is not Unicode: half of a surrogate pair"),
    ("x.json", '[{"a": 1, "A": 2}]', ":1: two columns are called A"),
    ("x.json", '[{"a": ' + "[" * 10**5, ":1: nested too deeply"),
    ("x.jsonl", '{"a": 1}\n{"a": \n', ":3: Expecting value: end of file"),
    ("x.jsonl", '{"a": 1}\n17\n', ":2: an object is wanted, not '17'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), WRONG)
def test_what_is_wrong_is_told_with_its_line(
    engine: Engine, tmp_path: Path, name: str, content: str | bytes, message: str | None
) -> None:
    if message is None:
        loaded(engine, tmp_path / name, content)
        return
    with pytest.raises(UsageError) as caught:
        loaded(engine, tmp_path / name, content)
    assert str(caught.value) == f"{tmp_path / name}{message}"
    # Nothing is left of it.
    assert engine.query("select name from sqlite_temp_master") == []


def test_columns_that_have_to_be_there(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\nport,why\n22,admin\n")
    load(engine, "good", str(path), ["why", "port"])
    assert engine.query("select why, port from good") == [("admin", 22)]
    with pytest.raises(UsageError, match=r"list\.csv:2: no column user; it has port, why$"):
        load(engine, "bad", str(path), ["port", "user"])
    (tmp_path / "empty.json").write_text("[]")
    load(engine, "empty", str(tmp_path / "empty.json"), ["port", "why"])
    assert engine.query("select count(*), count(port) from empty") == [(0, 0)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sockets", "sockets is a table of sockql; take another name"),
        ("LISTENING", "LISTENING is a table of sockql; take another name"),
        # osquery's, which shipped queries ask as well.
        ("file", "there is a table file already; take another name"),
        ("temp", "temp is a name that SQLite keeps for itself"),
        ("sqlite_x", "sqlite_x is a name that SQLite keeps for itself"),
        (" ", "' ' is not a name"),
    ],
)
def test_names_that_are_taken(engine: Engine, tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text("a\n1\n")
    with pytest.raises(UsageError) as caught:
        load(engine, name, str(path))
    assert str(caught.value) == f"loading {path}: {message}"


def test_a_name_is_taken_once(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("a\n1\n")
    load(engine, 'odd "name"', str(path))
    assert engine.query('select a from "odd ""name"""') == [(1,)]
    with pytest.raises(UsageError, match="already exists"):
        load(engine, 'odd "name"', str(path))


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.tuples(*[st.none() | CELLS] * width), min_size=1
    )
)  # fmt: skip


@given(TABLES, st.sampled_from(["csv", "tsv", "json", "jsonl"]))
def test_what_sockql_writes_it_reads(table: list[tuple[str | None, ...]], format: str) -> None:
    names = [f"c{number}" for number in range(len(table[0]))]
    writer = writer_class(format)(names, header=True, terminal=False)
    text = writer.head(table) + writer.body(table) + writer.tail()
    found = getattr(rows, format)("x", text)
    if format == "tsv":
        # A line that is empty is no row.
        table = [row for row in table if len(row) > 1 or row[0]]
    assert (found.columns, list(found)) == (names, table)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2)))
def test_csv_is_what_the_library_writes(table: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["a", "b"], *table])
    assert list(rows.csv("x", file.getvalue())) == [tuple(row) for row in table]


# -- the command --------------------------------------------------------------------------------


def test_a_list_is_joined(tmp_path: Path) -> None:
    path = tmp_path / "allowed.csv"
    path.write_text("pid,why\n1,it is the first\n")
    sql = "select pid, why from processes join allowed using (pid)"
    assert run("--load", f"allowed={path}", "--json", sql) == (
        0,
        '[\n{"pid": 1, "why": "it is the first"}\n]\n',
        "",
    )


def test_standard_input_is_a_list() -> None:
    sql = "select b from x join y on x.a = y.a"
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("a\n1\n")
        file.flush()
        words = ["--load", "x=-", "--load", f"y={file.name}", "--csv", "--no-header"]
        assert run(*words, sql, input=b"a,b\n1,one\n2,two\n") == (0, "one\n", "")
        said = "sockql: standard input:3: 1 cell, but the header names 2 columns\n"
        assert run(*words, sql, input=b"a,b\n1,one\n2\n") == (2, "", said)
    words = ["--load", "x=-"]
    said = "sockql: --load reads standard input; give the SQL as an argument or with -f\n"
    assert run(*words, input=b"select 1") == (2, "", said)
    assert run(*words, "-", input=b"select 1") == (2, "", said)
    said = "sockql: --load: standard input is one list; name files for the others\n"
    assert run(*words, "--load", "y=-", "select 1", input=b"a\n1\n") == (2, "", said)


@pytest.mark.parametrize("argument", ["allowed", "=x", "allowed="])
def test_an_argument_that_is_not_name_and_file(argument: str) -> None:
    assert run("--load", argument, "select 1") == (
        2,
        "",
        f"sockql: --load {argument}: not NAME=FILE\n",
    )


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.csv"
    assert run("--load", f"a={missing}", "select 1") == (
        2,
        "",
        f"sockql: {missing}: No such file or directory\n",
    )
    assert run("--load", f"a={tmp_path}", "select 1") == (
        2,
        "",
        f"sockql: {tmp_path}: Is a directory\n",
    )
