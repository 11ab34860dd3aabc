"""``sockql pack`` and ``--osquery`` as a user has them, over packs that are written here."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import sockql
from sockql.dialect import OSQUERY, SOCKQL, Dialect
from sockql.engine import Engine
from sockql.errors import QueryError
from sockql.host import Host
from sockql.osquery import functions
from sockql.osquery.packs import running
from sockql.osquery.packs.config import read
from sockql.osquery.packs.pack import Pack, PackFile, PackQuery
from sockql.proc import procfs
from tests import fakeproc
from tests.conftest import ROOT
from tests.fakeproc import proc_tree
from tests.test_cli import on_terminal, run, start

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(content, name)``: the path of a file that has it; what is no text as JSON."""

    def make(content: Any, name: str = "sample.conf") -> str:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return make


def queries(**sql: str) -> dict[str, Any]:
    return {"queries": {name: {"query": text} for name, text in sql.items()}}


# -- what comes of a pack -----------------------------------------------------------------------

PACK = {
    "queries": {
        "me": {
            "query": "select pid, pid * 2 as twice from processes where pid = PID",
            "interval": 10,
            "description": "The\n test.",
        },
        "none": {"query": "select 1 where 0", "interval": "10"},
        "kexts": {"query": "select * from kernel_extensions", "platform": "darwin"},
        "packages": {"query": "select * from deb_packages"},
        "carved": {"query": "select carve(path) from processes"},
        "future": {"query": "select 1", "version": "99"},
    }
}


def my_pack(write: Write) -> str:
    return write(json.dumps(PACK).replace("PID", str(os.getpid())))


SKIPPED = [
    ("carved", "skipped", "it needs the function carve, which is not here"),
    (
        *("future", "skipped"),
        "it needs osquery 99, and what is here answers as osquery 5.23.1",
    ),
    ("kexts", "skipped", "it is for the platform darwin"),
]
PACKAGES = ("packages", "skipped", "it needs the table deb_packages, which is not here")


def timeless(text: str) -> str:
    """A listing with the seconds left out."""
    return re.sub(r" in [0-9.]+ s$", "", text, flags=re.MULTILINE)


def test_the_rows_of_each_query_and_what_came_of_all(write: Write) -> None:
    status, said, complained = run("pack", my_pack(write), "--netns", "self")
    assert (status, complained) == (0, "")
    pid, twice = str(os.getpid()), str(2 * os.getpid())
    wide = max(len(twice), len("twice"))
    assert timeless(said).splitlines() == [
        "sample: me",
        "The test.",
        "",
        f"{'pid':>{len(pid)}}  {'twice':>{wide}}",
        f"{'-' * len(pid)}  {'-' * wide}",
        f"{pid}  {twice:>{wide}}",
        "",
        "sample",
        "  carved    skipped: it needs the function carve, which is not here",
        "  future    skipped: it needs osquery 99, and what is here answers as osquery 5.23.1",
        "  kexts     skipped: it is for the platform darwin",
        "  me        1 row",
        "  none      0 rows",
        "  packages  skipped: it needs the table deb_packages, which is not here",
        "",
        "6 queries: 4 skipped, 2 ran",
    ]


def test_a_nul_character_in_one_query_leaves_the_others(write: Write) -> None:
    queries = {"nul": {"query": "select '\0'"}, "one": {"query": "select 1"}}
    path = write({"queries": queries})
    status, said, complained = run("pack", path, "--csv", "--netns", "self")
    assert (status, complained) == (2, "")
    assert [
        (row["query"], row["result"], row["why"]) for row in csv.DictReader(said.splitlines())
    ] == [
        ("nul", "error", f"{path}:1: the SQL has a NUL character in it"),
        ("one", "ran", ""),
    ]


def test_a_summary_for_programs(write: Write) -> None:
    status, said, complained = run("pack", my_pack(write), "--csv", "--netns", "self")
    assert (status, complained) == (0, "")
    rows = list(csv.DictReader(said.splitlines()))
    assert [
        (row["pack"], row["query"], row["result"], row["rows"], row["why"]) for row in rows
    ] == [
        *(("sample", name, result, "", why) for name, result, why in SKIPPED),
        ("sample", "me", "ran", "1", ""),
        ("sample", "none", "ran", "0", ""),
        ("sample", *PACKAGES[:2], "", PACKAGES[2]),
    ]
    assert [float(row["seconds"]) < 60 for row in rows if row["seconds"]] == [True, True]


def test_the_rows_of_several_statements_are_all_there(write: Write) -> None:
    path = write(
        queries(same="select 1 as a; select 2 as a;", other="select 1 as a; select 2 as b")
    )
    status, said, complained = run("pack", path, "--jsonl")
    assert (status, complained) == (0, "")
    found = {each["query"]: each for each in map(json.loads, said.splitlines())}
    assert (found["same"]["columns"], found["same"]["rows"]) == (["a"], [{"a": 1}, {"a": 2}])
    assert found["other"]["rows"] == [{"a": 1, "b": None}, {"a": None, "b": 2}]


def test_a_query_that_could_not_read_everything_is_incomplete(write: Write) -> None:
    nobody = "select 1 from os_version where pid_with_namespace = 2147483647"
    policy = "apiVersion: v1\nkind: policy\nspec: {name: %s, query: '%s'%s}\n"
    path = write(
        policy % ("p", f"{nobody} union select 2", "")
        + "---\n"
        + policy % ("q", nobody, ", resolution: Look.")
        + f"---\napiVersion: v1\nkind: report\nspec: {{name: r, query: '{nobody}'}}\n"
    )
    lacks = "os_version: /proc/2147483647/root: No such file or directory"
    status, said, complained = run("pack", path)
    assert (status, complained) == (1, f"sockql: {lacks}\n")
    assert re.sub(r"[0-9.]+ s,", "T s,", said).splitlines() == [
        "policies",
        "  p  passed, incomplete",
        "  q  failed, incomplete; Look.",
        "",
        "reports",
        "  r  0 rows in T s, incomplete",
        "",
        "3 queries: 1 passed, 1 failed, 1 ran",
    ]
    _, said, _ = run("pack", path, "--tsv")
    assert [row["why"] for row in csv.DictReader(said.splitlines(), delimiter="\t")] == [lacks] * 3


@pytest.mark.parametrize("format", ["--json", "--jsonl"])
def test_everything_for_programs(write: Write, format: str) -> None:
    path = write(
        {
            "schedule": {
                "b": {"query": "select \"text\" as t, x'00ff' as blob, 1e999 as big, null as n"},
                "a": {"query": "select 1", "platform": "windows", "description": "Not here."},
            },
            "decorators": {
                "load": ["select 'abc' as uuid, 1 as one union select 'b', 2"],
                "always": ["select nope", "select 2 * v.one as two from v"],
            },
            "views": {"v": "select 1 as one"},
        }
    )
    status, said, complained = run("pack", path, format)
    assert status == 0
    assert complained == "sockql: the decorator select nope: no such column: nope\n"
    found = json.loads(said) if format == "--json" else list(map(json.loads, said.splitlines()))
    assert [outcome.pop("seconds") is None for outcome in found] == [True, False]
    decorations = {"uuid": "abc", "one": 1, "two": 2}
    assert found == [
        {
            "pack": "main",
            "query": "a",
            "name": "a",
            "description": "Not here.",
            "policy": False,
            "critical": False,
            "resolution": "",
            "sql": "select 1",
            "where": f"{path}:1",
            "result": "skipped",
            "why": "it is for the platform windows",
            "notices": [],
            "columns": [],
            "decorations": decorations,
            "rows": [],
        },
        {
            "pack": "main",
            "query": "b",
            "name": "b",
            "description": "",
            "policy": False,
            "critical": False,
            "resolution": "",
            "sql": "select \"text\" as t, x'00ff' as blob, 1e999 as big, null as n",
            "where": f"{path}:1",
            "result": "ran",
            "why": None,
            "notices": [],
            "columns": ["t", "blob", "big", "n"],
            "decorations": decorations,
            "rows": [{"t": "text", "blob": "00ff", "big": float("inf"), "n": None}],
        },
    ]


def test_of_no_queries_json_is_an_empty_array(write: Write) -> None:
    path = write({"queries": {}})
    assert run("pack", path, "--json") == (0, "[]\n", "")
    assert run("pack", path, "--jsonl") == (0, "", "")


def test_output_goes_to_a_file_when_it_is_whole(write: Write, tmp_path: Path) -> None:
    target = tmp_path / "result.jsonl"
    path = write(queries(a="select 1 as x"))
    assert run("pack", path, "--jsonl", "-o", str(target)) == (0, "", "")
    assert json.loads(target.read_text())["rows"] == [{"x": 1}]
    assert run("pack", write("{"), "-o", str(target))[0] == 2
    assert json.loads(target.read_text())["rows"] == [{"x": 1}]


def test_names_that_a_terminal_would_obey_are_escaped(write: Write) -> None:
    path = write(
        {"queries": {"\x1b[2J": {"query": "select 'a\x1b[31m' as c", "description": "\x07"}}}
    )
    status, said = on_terminal("pack", path)
    assert status == 0
    assert "\x1b" not in said.replace("\x1b[?", "")
    assert "sample: \\x1b[2J" in said
    assert "a\\x1b[31m" in said


# -- one query ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["me", "sample/me", "pack_sample_me"])
def test_one_query_has_the_rows_in_any_format(write: Write, name: str) -> None:
    pid = os.getpid()
    status, said, complained = run("pack", my_pack(write), "--query", name, "--csv")
    assert (status, said, complained) == (0, f"pid,twice\n{pid},{2 * pid}\n", "")


def test_one_query_uses_views_and_discovery(write: Write) -> None:
    path = write(
        {
            "views": {"me": "select 7 as x"},
            "packs": {
                "yes": {**queries(a="select x from me"), "discovery": ["select 1"]},
                "no": {**queries(b="select 1"), "discovery": ["select 1 where  0"]},
                "bad": {**queries(c="select 1"), "discovery": ["select nope"]},
            },
        }
    )
    assert run("pack", path, "--query", "a", "--csv") == (0, "x\n7\n", "")
    assert run("pack", path, "--query", "b", "--csv") == (
        *(3, ""),
        "sockql: b: its discovery query has no row: select 1 where 0\n",
    )
    assert run("pack", path, "--query", "c", "--csv") == (
        *(3, ""),
        "sockql: c: its discovery query failed: select nope: no such column: nope\n",
    )


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("kexts", 3, "kexts: it is for the platform darwin"),
        ("packages", 3, "packages: it needs the table deb_packages, which is not here"),
        ("package", 2, "--query package: there is no such query; did you mean packages?"),
        ("xyzzy", 2, "--query xyzzy: there is no such query"),
    ],
)
def test_one_query_that_does_not_run(write: Write, name: str, status: int, message: str) -> None:
    assert run("pack", my_pack(write), "--query", name) == (status, "", f"sockql: {message}\n")


def test_one_query_whose_name_is_in_two_packs(write: Write) -> None:
    path = write({"packs": {"one": queries(a="select 1 as x"), "two": queries(a="select 2 as x")}})
    assert run("pack", path, "--query", "a") == (
        *(2, ""),
        "sockql: --query a: say which: one/a or two/a\n",
    )
    assert run("pack", path, "--query", "two/a", "--csv") == (0, "x\n2\n", "")


def test_wrong_sql_of_one_query_has_a_mark_under_it(write: Write) -> None:
    status, said, complained = run(
        "pack", write(queries(a="select staat from processes")), "--query", "a"
    )
    assert (status, said) == (2, "")
    assert complained.splitlines() == [
        "sockql: no such column: staat; did you mean `state`?",
        "  select staat from processes",
        "         ^",
    ]


# -- policies and exit statuses -----------------------------------------------------------------

POLICIES = """\
apiVersion: v1
kind: policy
spec:
  name: somebody is root
  query: select 1 from users where uid = 0
---
apiVersion: v1
kind: policy
spec:
  name: nobody is root
  query: select 1 where not exists (select 1 from users where uid = 0)
  resolution: |
    Think again.
    Or do not.
"""


def test_a_policy_passes_when_it_has_a_row(write: Write) -> None:
    path = write(POLICIES, "policies.yml")
    status, said, complained = run("pack", path)
    assert (status, complained) == (1, "")
    assert said.splitlines() == [
        "policies",
        "  somebody is root  passed",
        "  nobody is root    failed; Think again. Or do not.",
        "",
        "2 queries: 1 passed, 1 failed",
    ]
    assert run("pack", path, "--query", "somebody is root", "--csv") == (
        *(0, "1\n1\n"),
        "sockql: somebody is root: passed\n",
    )
    assert run("pack", path, "--query", "nobody is root", "--csv") == (
        *(1, "1\n"),
        "sockql: nobody is root: failed; Think again. Or do not.\n",
    )


@pytest.mark.parametrize(
    ("file", "words", "status"),
    [
        (queries(a="select 1", b="select * from deb_packages"), (), 0),
        (queries(a="select 1", b="select * from deb_packages"), ("--strict",), 3),
        ({"queries": {"a": {"query": "x", "platform": "darwin"}}}, ("--strict",), 0),
        (queries(a="select 1", b="selec 1"), (), 2),
        ({"queries": {"a": {"interval": 1}}}, (), 2),
        (queries(a="select 1; attach 'x' as y"), (), 2),
    ],
)
def test_the_exit_status(write: Write, file: Any, words: tuple[str, ...], status: int) -> None:
    assert run("pack", write(file), *words)[0] == status


def test_a_query_that_takes_too_long_ends_and_the_others_run(write: Write) -> None:
    endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n"
    path = write(queries(a=endless + " where x < 0", b="select 1"))
    status, said, _ = run("pack", path, "--csv", "--timeout", "0.2")
    assert status == 124
    assert [row["why"] for row in csv.DictReader(said.splitlines())] == [
        "the statement took longer than 0.2 seconds",
        "",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pack",), "pack: which file? sockql pack FILE"),
        (("pack", "a", "b"), "pack takes no argument 'b'"),
        (("pack", "a", "-p", "x=1"), "pack takes no -f and no parameters; sockql pack FILE"),
        (("pack", "none.conf"), "none.conf: No such file or directory"),
        (("--query", "a", "select 1"), "--query is an option of sockql pack"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], message: str) -> None:
    assert run(*words) == (2, "", f"sockql: {message}\n")


def test_a_broken_file_is_one_line_that_says_where(write: Write) -> None:
    path = write('{"queries": {\n  "a": {"query": "select 1"},\n}}')
    assert run("pack", path) == (
        *(2, ""),
        f"sockql: {path}:2: there is a comma before }}, where nothing follows it\n",
    )


def test_a_pack_comes_on_standard_input() -> None:
    text = json.dumps(queries(a="select 1 as x")).encode()
    assert run("pack", "-", "--query", "pack/a", "--csv", input=text) == (0, "x\n1\n", "")
    assert run("pack", "-", input=b"{")[2] == (
        "sockql: standard input:1: a name in double quotes is expected, not the end of the file\n"
    )


# -- one snapshot -------------------------------------------------------------------------------


def test_all_queries_of_a_pack_see_one_instant() -> None:
    """A process that ends between two queries is in the answers of both."""
    with (
        Engine(Host(), OSQUERY) as engine,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child,
    ):
        pid = child.pid
        sql = f"select pid from processes where pid = {pid} or name = ''"
        pack = Pack("p", [PackQuery("a", sql), PackQuery("b", sql)])
        found = running.outcomes(engine, PackFile([pack]), nullcontext)
        first = next(found).rows
        child.communicate(b"\n")
        second = next(found).rows
        assert (first, second, list(found)) == ([(pid,)], [(pid,)], [])
        assert engine.query(sql) == []


def test_at_the_end_one_line_tells_what_all_queries_lack_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(name: str, directory: int) -> bytes:
        if name in ("io", "environ", "cgroup"):
            raise PermissionError(13, "Permission denied")
        return read_file(name, directory)

    read_file = procfs.read
    monkeypatch.setattr(procfs, "read", refusing)
    tree = {f"{pid}/stat": fakeproc.stat(pid) for pid in (42, 43)}
    tree |= {f"{pid}/{name}": b"" for pid in (42, 43) for name in ("io", "environ", "cgroup")}
    queries = [
        PackQuery("io", "select disk_bytes_read from processes where pid < 43"),
        PackQuery("cgroup", "select cgroup_path from processes where pid = 43"),
        PackQuery("environment", "select key from process_envs"),
        PackQuery("name", "select pid from processes"),
    ]
    with Engine(Host(str(proc_tree(tree, tmp_path))), OSQUERY) as engine:
        found = running.outcomes(engine, PackFile([Pack("p", queries)]), nullcontext)
        said = [outcome.notices for outcome in found]
        refused = "processes not readable (EACCES); run as root or with CAP_SYS_PTRACE"
        assert said == [
            [f"processes: io of 1 of 1 {refused}"],
            [f"processes: cgroup of 1 of 1 {refused}"],
            [f"process_envs: environ of 2 of 2 {refused}"],
            [],
        ]
        assert sorted(engine.notices) == [
            f"process_envs: environ of 2 of 2 {refused}",
            f"processes: cgroup, io of 2 of 2 {refused}",
        ]


def test_views_are_made_and_wrong_ones_are_told(write: Write) -> None:
    path = write(
        {
            "schedule": {"a": {"query": 'select * from good join "odd "" name"'}},
            "views": {
                "good": "select 1 as x;",
                'odd " name': "select 2 as y",
                "two": "select 1; select 2",
                "wrong": "selec 1",
            },
        }
    )
    file = read(path)
    with Engine(Host(), OSQUERY) as engine:
        running.make_views(engine, file)
        (found,) = running.outcomes(engine, file, nullcontext)
    assert (found.rows, found.reason) == ([(1, 2)], None)
    assert file.notices == [
        f"{path}:1: the view two: a view is one SELECT",
        f'{path}:1: the view wrong: near "selec": syntax error',
    ]


# -- the connection -----------------------------------------------------------------------------


@pytest.fixture(params=[SOCKQL, OSQUERY], ids=["sockql", "osquery"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    dialect: Dialect = request.param
    return dialect


def test_each_dialect_has_the_tables_of_both(dialect: Dialect) -> None:
    from sockql import osquery, tables

    assert set(dialect.names) | set(dialect.others) == {*tables.NAMES, *osquery.NAMES}
    assert dialect.names == (osquery.NAMES if dialect.as_osquery else tables.NAMES)
    for name in dialect.names:
        own = osquery.load(name) if dialect.as_osquery else tables.load(name)
        assert dialect.load(name) is own
    with pytest.raises(KeyError):
        dialect.load("nothing")


def test_a_name_that_both_have_is_that_of_the_dialect(dialect: Dialect) -> None:
    with Engine(Host(), dialect) as engine:
        (row,) = engine.query("select * from processes where pid = 1")
        assert len(row) == len(dialect.load("processes").schema.visible)
        assert engine.query(
            "select count(*) > 0 from fds where pid = :me", {"me": os.getpid()}
        ) == [(1,)]
        assert engine.query("select count(*) > 0 from process_open_files") == [(1,)]


def test_double_quotes_are_texts_for_osquery_only() -> None:
    with Engine(Host(), OSQUERY) as engine:
        assert engine.query('select "a text", "pid" from processes where pid = 1') == [
            ("a text", 1)
        ]
    with Engine(Host()) as engine, pytest.raises(QueryError, match='no such column: "a text"'):
        engine.query('select "a text"')


def test_functions_are_osquerys_where_sqlite_has_others() -> None:
    asked = "select log(exp(2)), typeof(ceil(1.5)), concat_ws(null, 'a', 'b')"
    with Engine(Host(), OSQUERY) as engine:
        assert engine.query(asked) == [(2.0, "integer", "ab")]
    with Engine(Host()) as engine:
        ((log, kind, text),) = engine.query(asked)
        assert (round(log, 6), kind, text) == (0.868589, "real", None)
        with pytest.raises(QueryError, match="no such function: find_file_path_in_cmd"):
            engine.query("select find_file_path_in_cmd('/bin/sh')")


def test_functions_and_collations_are_found_in_views_and_quotes(dialect: Dialect) -> None:
    with Engine(Host(), dialect) as engine:
        engine.query(
            "create temp view v as select SHA1('x') as h, '1.10' as n union select 'b', '1.9'"
        )
        assert engine.query("select n, \"split\"(n, '.', 1) from v order by n collate VERSION") == [
            ("1.9", "9"),
            ("1.10", "10"),
        ]


def test_a_view_of_sockqls_own_tables_says_so_with_osquery() -> None:
    with Engine(Host(), OSQUERY) as engine:
        message = "listening is a view of sockql's own tables; leave out --osquery"
        for _ in range(2):
            with pytest.raises(QueryError, match=message):
                engine.query("select * from listening")
        # An alias may be called like it, as in the example that everybody copies.
        joined = "processes as process join process_open_files as listening using (pid)"
        assert engine.query(f"select listening.pid from {joined} where process.pid = -1") == []


def test_the_option_is_for_every_command_that_takes_sql(write: Write) -> None:
    assert run("--osquery", "--csv", 'select "x" as c') == (0, "c\nx\n", "")
    assert run("plan", "--osquery", "--json", 'select "x"')[0] == 0
    status, said, _ = run("schema", "--osquery", "--csv", "processes")
    assert status == 0
    names = [row["column"] for row in csv.DictReader(said.splitlines())]
    assert names[:5] == ["pid", "name", "path", "cmdline", "state"]
    status, said, _ = run("tables", "--osquery", "--csv")
    assert [row["table"] for row in csv.DictReader(said.splitlines())] == [*OSQUERY.names]


def test_hints_are_about_the_tables_of_the_connection() -> None:
    assert run("--osquery", "select stat from processes")[2].startswith(
        "sockql: no such column: stat; did you mean `state`?\n"
    )


def test_the_shell_speaks_osquery() -> None:
    status, said = on_terminal("--osquery", stdin=True, typed=b'select "x" || 1;\n.exit\n')
    assert status == 0
    assert "x1" in said


def test_a_frozen_connection_leaves_out_what_a_condition_has_to_say() -> None:
    with Engine(Host(scope="self"), OSQUERY) as engine:
        engine.freeze()
        before = engine.query("select unix_time from time")
        assert engine.query("select path from file where path = '/'") == [("/",)]
        assert engine.query("select unix_time from time") == before
        engine.thaw()


def test_who_interrupts_a_pack_is_told_what_came_of_the_queries_before(write: Write) -> None:
    endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n"
    path = write(queries(a="select 1 as x", b=endless + " where x < 0"))
    process = start(
        "pack", path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout as out, process.stderr as errors:
        assert [out.readline() for _ in range(6)] == [
            b"sample: a\n",
            b"\n",
            b"x\n",
            b"-\n",
            b"1\n",
            b"\n",
        ]
        process.send_signal(signal.SIGINT)
        assert timeless(out.read().decode()) == "sample\n  a  1 row\n\n1 query: 1 ran\n"
        assert errors.read() == b"sockql: interrupted\n"
        assert process.wait(30) == 130


def test_a_program_opens_the_connection() -> None:
    with sockql.connect(osquery=True) as db:
        assert db.query('select "x", state is not null from processes where pid = 1') == [("x", 1)]


def test_the_page_names_what_both_have() -> None:
    page = (ROOT / "docs" / "osquery.md").read_text()
    row = re.search(r"^\| (.*?) \| sockql's \| osquery's \|$", page, re.MULTILINE)
    assert row is not None
    both = {name for name in SOCKQL.names if name not in OSQUERY.others}
    assert set(re.findall(r"`(\w+)`", row[1])) == both
    everywhere = {*functions.modules(osquery=False)}
    osquery_only = {*functions.modules(osquery=True)} - everywhere
    listed = re.search(r"^\| (.*?), … \| SQLite's \| osquery's \|$", page, re.MULTILINE)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) <= osquery_only


def test_a_query_of_a_pack_finds_what_it_finds_alone() -> None:
    """What the queries share is collected with the columns and rows that any of them needs."""
    me = os.getpid()
    asked = [
        f"select pid, name, cmdline, cwd, uid from processes where pid = {me}",
        f"select pid, path, parent from processes where pid in (1, {me}) order by pid",
        "select name, count(*) > 0 from processes where pid = 1 group by 1",
        f"select fd, path from process_open_files where pid = {me} and fd < 3 order by fd",
        "select count(*) > 0 from process_open_files",
        f"select key from process_envs where pid = {me} and key = 'PATH'",
        "select path, size > 0 from file where path = '/etc/passwd'",
        "select path from file where directory = '/etc' and filename = 'hosts'",
        "select uid, username from users where uid = 0",
        "select username, g.gid from users join user_groups g using (uid) where uid = 0",
        f"select u.uid, p.name from processes p left join users u using (uid) where p.pid = {me}",
        "select interface, mtu from interface_details where interface = 'lo'",
    ]
    pack = Pack("p", [PackQuery(str(number), sql) for number, sql in enumerate(asked)])
    with Engine(Host(scope="self"), OSQUERY) as engine:
        alone = [engine.query(sql) for sql in asked]
        together = [each.rows for each in running.outcomes(engine, PackFile([pack]), nullcontext)]
    assert together == alone
