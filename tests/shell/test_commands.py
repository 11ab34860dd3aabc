"""Dot commands: each is declared once, and does what its help says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sockql import tables
from sockql.completion.catalogue import CHOICE, SQL, TABLE, Argument
from sockql.errors import UsageError
from sockql.shell.commands import Command, find, load
from sockql.shell.commands_tables import null_rule
from sockql.shell.session import Shell

Enter = Callable[..., tuple[str, str]]


@pytest.fixture
def enter(shell: Shell, capfd: pytest.CaptureFixture[str]) -> Enter:
    """Enter one thing after the other; what came on standard output and error."""

    def run(*texts: str) -> tuple[str, str]:
        for text in texts:
            shell.enter(text)
        found = capfd.readouterr()
        return found.out, found.err

    return run


# -- declarations -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", load().values(), ids=lambda command: command.name)
def test_every_command_explains_itself(command: Command, enter: Enter) -> None:
    assert re.fullmatch(r"[A-Z].*[^.]\.", command.help)
    assert re.fullmatch(r"\.[a-z]+", command.name)
    out, err = enter(f".help {command.name[1:]}")
    assert err == ""
    first, *rest = out.splitlines()
    assert first.partition("    also ")[0] == command.signature
    assert " ".join(rest).split() == f"{command.help} {command.details}".split()
    assert max(map(len, rest)) <= 80
    for alias in command.aliases:
        assert find(alias) is command
        assert enter(f".help {alias}")[0] == out


def test_help_lists_every_command_within_80_columns(enter: Enter) -> None:
    out, _ = enter(".help")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    listed = [line.split()[0] for line in lines if line.startswith(".")]
    assert listed == list(load())
    assert enter("\\?") == enter("help") == (out, "")


def test_a_prefix_will_do_that_no_other_begins_with() -> None:
    assert find(".desc").name == ".describe"
    assert find(".DESCRIBE").name == ".describe"
    assert find(".edit").name == ".edit"
    with pytest.raises(UsageError, match=r"^\.ex may be \.examples or \.expanded$"):
        find(".ex")
    with pytest.raises(UsageError, match=r"^\.he may be \.headers or \.help$"):
        find(".he")
    with pytest.raises(UsageError, match=r"no such command: \.tablse; did you mean \.tables\?"):
        find(".tablse")
    with pytest.raises(UsageError, match=r"no such command: \.zzz; \.help lists them"):
        find(".zzz")
    with pytest.raises(UsageError, match=r"no such command: \."):
        find(".")


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        *[("\\d", ".describe"), ("\\dt", ".tables"), ("\\x", ".expanded"), ("\\?", ".help")],
        *[("\\q", ".quit"), ("\\i", ".read"), ("\\o", ".output"), ("\\timing", ".timer")],
        *[("\\e", ".edit"), ("\\!", ".shell"), (".exit", ".quit"), (".parameter", ".param")],
    ],
)
def test_what_psql_and_sqlite_users_type_works(spelling: str, name: str) -> None:
    assert find(spelling).name == name


def test_arguments_say_what_they_take() -> None:
    commands = load()
    assert commands[".describe"].arguments == [Argument("TABLE", TABLE)]
    assert commands[".schema"].arguments == [Argument("TABLE", TABLE, repeat=True)]
    assert commands[".timer"].arguments == [Argument("on|off", CHOICE, ("on", "off"))]
    assert commands[".plan"].arguments == [Argument("SQL", SQL)]
    [format] = commands[".mode"].arguments
    assert format.kind == CHOICE
    assert {"table", "json", "csv", "psql", "rst"} <= set(format.choices)


def test_words_may_be_in_quotes() -> None:
    run = load()[".run"]
    assert run.words("a 'b c' \"d e\"") == ["a", "b c", "d e"]
    assert run.words("x y='1 2'") == ["x", "y=1 2"]
    assert load()[".param"].words("set x 'a b' c") == ["set", "x", "'a b' c"]
    assert run.words("x'y z'\"'\"") == ["xy z'"]
    for text in ("'open", '"open', "x it's"):
        with pytest.raises(UsageError, match="a quote is not closed"):
            run.words(text)


@pytest.mark.parametrize(
    "text", [".once", ".read", ".describe a b", ".run", ".timer on off", ".save", ".plan"]
)
def test_wrong_arguments_are_answered_with_the_usage(enter: Enter, text: str) -> None:
    out, err = enter(text)
    assert out == ""
    assert err == f"usage: {find(text.partition(' ')[0]).signature}\n"


@pytest.mark.parametrize(
    "text", [".timer maybe", ".headers 2", ".keys both", ".width x", ".quit x"]
)
def test_wrong_words_are_refused(enter: Enter, text: str) -> None:
    out, err = enter(text)
    assert out == ""
    assert err.count("\n") == 1


# -- tables -------------------------------------------------------------------------------------


def test_tables_lists_them_and_those_of_the_session(enter: Enter) -> None:
    out, _ = enter(".tables")
    assert [line.split()[0] for line in out.splitlines() if line[0] != " "] == list(tables.NAMES)
    enter("create temp table mine(a); create temp view sockets_mine as select 1;")
    for pattern in ("sock", "sock*", "SOCK%"):
        out, _ = enter(".mode csv", f".tables {pattern}")
        names = [line.partition(",")[0] for line in out.splitlines()[1:]]
        assert names == [
            *[name for name in tables.NAMES if name.startswith("sock")],
            "sockets_mine",
        ]
    assert enter(".tables mine")[0].splitlines()[1:] == ["mine,A table of this session."]


def test_schema_is_what_create_table_would_say(enter: Enter) -> None:
    out, _ = enter(".schema fds;")
    assert "CREATE TABLE fds (" in out
    assert re.search(r"^  pid +INTEGER", out, re.MULTILINE)
    every, _ = enter(".schema")
    assert every.count("CREATE TABLE") == len(tables.NAMES)
    assert out in every
    enter("create temp table mine(a, b)")
    assert enter(".schema mine")[0] == "CREATE TABLE mine(a, b);\n"
    assert enter(".schema sokets")[1] == "no such table: sokets; did you mean sockets?\n"


def test_describe_explains_every_column(enter: Enter) -> None:
    out, _ = enter(".describe sockets")
    schema = tables.load("sockets").schema
    for column in schema.columns:
        assert re.search(rf"^{column.name}  {column.type}", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80
    assert enter("\\d sockets")[0] == out
    assert enter("\\d") == enter(".tables")
    rows = json.loads(enter(".mode json", ".describe sockets")[0])
    assert [row["column"] for row in rows] == [column.name for column in schema.columns]
    inode = next(row for row in rows if row["column"] == "inode")
    assert inode["type"] == "INTEGER"
    assert inode["hidden"] == 0
    assert "NULL" in inode["null"]
    assert inode["source"] == schema.by_name["inode"].source


def test_the_rule_for_null_is_the_clause_that_has_the_word() -> None:
    assert null_rule("Inode; NULL once closed (see tid); else a number.") == "NULL once closed"
    assert null_rule("Never\n  nothing.") is None
    assert null_rule("It is NULL for\n listeners.") == "It is NULL for listeners"


@pytest.mark.parametrize("name", tables.NAMES)
def test_examples_can_be_entered(enter: Enter, shell: Shell, name: str) -> None:
    out, err = enter(f".examples {name}")
    assert (out != "", err) == (True, "")
    assert out.count(";\n") == len(tables.load(name).schema.examples)


def test_all_shows_every_row(enter: Enter) -> None:
    enter('create temp table "odd ""name" as select 7 as seven')
    assert enter(".mode csv", ".all 'odd \"name'")[0] == "seven\n7\n"


def test_functions_are_listed(enter: Enter) -> None:
    out, _ = enter(".mode tsv", ".functions inet_in")
    assert out.splitlines()[1].startswith("inet_in(address, prefix)\t1 when")


# -- output -------------------------------------------------------------------------------------


def test_mode_changes_the_format_and_lists_what_there_is(enter: Enter) -> None:
    enter(".mode json")
    assert enter("select 1 as a, null as b;")[0] == '[\n{"a": 1, "b": null}\n]\n'
    out, _ = enter(".mode")
    assert "\n* json" in out
    assert "psql" in out
    assert max(map(len, out.splitlines())) <= 80
    enter(".mode psql")
    assert enter("select 1 as a;")[0].splitlines()[0] == "+-----+"
    assert enter(".mode")[0].startswith("* psql\n")
    assert enter(".mode jsn")[1] == "jsn: no such format, did you mean json?\n"
    enter(".mode pretty")
    assert enter("select 1 as a;")[0] == "a\n-\n1\n"


def test_expanded_goes_there_and_back(enter: Enter, shell: Shell) -> None:
    enter(".mode csv", "\\x")
    assert enter("select 1 as a;")[0] == "a = 1\n"
    enter("\\x")
    assert enter("select 1 as a;")[0] == "a\n1\n"
    enter("\\x off")
    assert shell.settings.mode == "csv"


def test_headers_and_nullvalue(enter: Enter) -> None:
    enter(".mode csv", ".headers off")
    assert enter("select 1, null;")[0] == "1,\n"
    enter(".nullvalue 'not known'")
    assert enter("select 1, null, '';")[0] == "1,not known,\n"
    enter(".mode jsonl")
    assert enter("select null as a;")[0] == '{"a": null}\n'
    enter(".mode csv", ".nullvalue")
    assert enter("select 1, null;")[0] == "1,\n"


def test_timer_says_rows_and_seconds(enter: Enter) -> None:
    enter(".timer on")
    assert re.fullmatch(r"2 rows in 0\.\d{3} s\n", enter("values (1), (2);")[1])
    assert re.fullmatch(r"1 row in 0\.\d{3} s\n", enter("values (1);")[1])
    assert enter(".timer")[1] == "timer is off\n"


def test_once_is_for_the_next_result_only(enter: Enter, home: Path) -> None:
    enter(".mode csv", ".once 'one file.csv'")
    assert not (home / "one file.csv").exists()
    assert enter("select 1 as a;", "select 2 as b;")[0] == "b\n2\n"
    assert (home / "one file.csv").read_text() == "a\n1\n"
    enter(".once two.csv", "select nothing;")
    assert not (home / "two.csv").exists()
    assert sorted(os.listdir(home)) == ["one file.csv"] or len(os.listdir(home)) == 2
    assert "Is a directory" in enter(f".once {home}")[1]
    assert "No such file" in enter(".once /nowhere/file")[1]


def test_output_takes_all_results_until_it_is_left(enter: Enter, home: Path) -> None:
    (home / "out").write_text("old")
    enter(".mode csv", ".output out")
    assert enter("select 1 as a;", "select 2 as b;")[0] == ""
    assert (home / "out").read_text() == "a\n1\n\nb\n2\n"
    assert enter(".output", "select 3 as c;")[0] == "c\n3\n"
    enter("\\o ~/home-made", "select 4 as d;", "\\o")
    assert (home / "home-made").read_text() == "d\n4\n"
    assert "No such file" in enter(".output /nowhere/file")[1]


def test_an_output_that_is_full_is_left(enter: Enter) -> None:
    enter(".mode csv", ".output /dev/full")
    out, err = enter("select 1 as a;")
    assert out == ""
    expected = "/dev/full: No space left on device; results go to the screen again\n"
    assert err == expected
    assert enter("select 1 as a;")[0] == "a\n1\n"


def test_an_output_that_nobody_reads_is_left(enter: Enter, home: Path) -> None:
    os.mkfifo(home / "fifo")
    reader = os.open(home / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    enter(".output fifo")
    os.close(reader)
    assert enter("select 1;")[1] == "fifo: nobody reads it; results go to the screen again\n"


def test_print_and_echo(enter: Enter) -> None:
    assert enter(".print it's  so\x1b[31m")[0] == "it's  so\\x1b[31m\n"
    enter(".echo on", ".mode csv")
    assert enter("select 1 as a;\n select\n 2 as b;") == (
        "a\n1\n\nb\n2\n",
        "select 1 as a\nselect 2 as b\n",
    )


def test_show_has_every_setting(enter: Enter) -> None:
    enter(".mode csv", ".timeout 2.5", ".width 3 0 7")
    out, _ = enter(".show")
    settings = dict(line.split(",", 1) for line in out.splitlines()[1:])
    assert settings["mode"] == "csv"
    assert settings["timeout"] == "2.5"
    assert settings["width"] == "3 0 7"
    assert settings["proc"] == "/proc"


# -- data ---------------------------------------------------------------------------------------


def test_plan_and_types_take_the_rest_of_the_line(enter: Enter) -> None:
    out, err = enter(".plan select pid from fds where pid = 1;")
    assert err == ""
    assert "query plan" in out
    assert enter(".mode csv", ".plan select 1")[0].startswith("table,how,columns,")
    out, _ = enter(".types select pid, count(*) as n, pos, :x as x from fds; ")
    assert out == (
        "column,type,origin,unit\npid,INTEGER,fds.pid,\nn,,,\npos,INTEGER,fds.pos,bytes\nx,,,\n"
    )
    assert "one statement, not 2" in enter(".types select 1; select 2;")[1]
    out, err = enter(".types select wrong from fds")
    assert err.splitlines()[0].startswith("no such column: wrong")


def test_explain_is_sql(enter: Enter) -> None:
    enter(".mode csv")
    out, err = enter("explain query plan select * from fds;", "explain select 1;")
    assert err == ""
    assert "SCAN fds VIRTUAL TABLE" in out
    assert "ResultRow" in out


def test_parameters_are_bound(enter: Enter) -> None:
    enter(".mode csv", ".headers off")
    enter(
        ".param set n 7", ".param set :text 'it''s 7'", ".param set none null", ".param set t a b"
    )
    assert enter("select :n + 1, $text, @none, :t;")[0] == "8,it's 7,,a b\n"
    assert enter(".param")[0] == enter(".param list")[0] == ":n,7\n:text,it's 7\n:none,\n:t,a b\n"
    enter(".param unset t")
    assert "no value for the parameter :t" in enter("select :t;")[1]
    assert enter(".param unset t")[1] == "there is no parameter :t\n"
    enter(".param clear")
    assert enter(".param")[0] == ""
    for text in (".param set", ".param set x", ".param unset", ".param clear x", ".param all"):
        assert enter(text)[1].startswith("usage: ")


@pytest.mark.parametrize("name", ["a-b", "'a b'", "a.b", "a:b", ";", "-"])
def test_a_parameter_has_a_name_that_sql_can_have(enter: Enter, shell: Shell, name: str) -> None:
    said = f":{name.strip(chr(39))}: the name of a parameter has letters, digits, _ and $ only\n"
    assert enter(f".param set {name} 1") == ("", said)
    assert shell.settings.parameters == {}


@pytest.mark.parametrize("name", ["1x", "7", "_", "a$", "\u00e9"])
def test_a_parameter_may_have_any_name_that_sql_can_have(enter: Enter, name: str) -> None:
    enter(".mode csv", ".headers off", f".param set {name} 5")
    assert enter(f"select :{name};") == ("5\n", "")


def test_a_frozen_session_has_one_instant(enter: Enter, shell: Shell) -> None:
    enter(".mode csv", ".headers off", ".freeze")
    assert shell.frozen is not None
    count = "select count(*) from processes;"
    before = enter(count)[0]
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        try:
            assert enter(count)[0] == before
            enter(".thaw")
            sql = f"select count(*) from processes where pid = {process.pid};"
            assert enter(sql)[0] == "1\n"
        finally:
            process.kill()
    assert enter(".thaw")[1] == "nothing is frozen; see .help freeze\n"


def test_notices_are_said_once_a_kind_and_kept_for_the_last_statement(
    enter: Enter, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert enter(".notices")[1] == "nothing is known to be missing\n"
    execute = shell.engine.execute
    number = 0

    def noticing(*arguments: object) -> object:
        nonlocal number
        number += 1
        shell.engine.host.notice(f"fds: {number} of 210 processes not readable\x1b[31m")
        return execute(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shell.engine, "execute", noticing)
    escaped = "of 210 processes not readable\\x1b[31m\n"
    assert enter("select 1;")[1] == f"fds: 1 {escaped}"
    assert enter("select 1;")[1] == ""
    assert enter(".notices")[1] == f"fds: 2 {escaped}"


def test_another_procfs_can_be_read(enter: Enter, shell: Shell, home: Path) -> None:
    assert enter(".proc")[1] == "/proc\n"
    (home / "proc").mkdir()
    assert "no processes there" in enter(".proc proc")[1]
    assert "No such file" in enter(".proc /nowhere")[1]
    assert shell.proc == "/proc"
    (home / "proc" / "1").mkdir()
    enter(".timeout 7", ".proc ~/proc")
    assert shell.engine.host.proc_path == shell.proc == f"{home}/proc"
    assert shell.engine.timeout == 7


def test_network_namespaces_can_be_chosen(enter: Enter, shell: Shell) -> None:
    assert enter(".netns")[1] == "all\n"
    enter(".netns self", ".mode csv", ".headers off")
    assert shell.engine.host.scope == "self"
    assert enter("select count(distinct netns) <= 1 from sockets;")[0] == "1\n"
    assert enter(".netns")[1] == "self\n"
    assert enter(".netns nowhere")[1].startswith("nowhere: no network namespace is called that")
    assert enter(".netns")[1] == "self\n"
    [argument] = load()[".netns"].arguments
    assert argument.choices[:2] == ("all", "self")


def test_timeout(enter: Enter, shell: Shell) -> None:
    enter(".timeout 0.05")
    sql = "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c;"
    assert enter(sql)[1] == "the statement took longer than 0.05 seconds\n"
    enter(".timeout off")
    assert shell.engine.timeout is None
    assert "not a positive number" in enter(".timeout soon")[1]


# -- session ------------------------------------------------------------------------------------


def test_quit_has_an_exit_status(enter: Enter, shell: Shell) -> None:
    enter(".quit 300")
    assert shell.leaving is None
    enter(".exit 3")
    assert shell.leaving == 3


def test_version(enter: Enter) -> None:
    out, _ = enter(".version")
    assert [line.split()[0] for line in out.splitlines()] == ["sockql", "SQLite", "Python", "Linux"]


def test_a_file_of_statements_and_commands_is_run(enter: Enter, home: Path) -> None:
    (home / "a.sql").write_text(
        "\ufeff-- comment\n.mode csv\n.headers off\nselect 1,\n 2;\nselect wrong\n;\n.read b.sql\n"
    )
    (home / "b.sql").write_text("select 3;\n.nonsense\nselect 4")
    out, err = enter(".read a.sql")
    assert out == "1,2\n3\n4\n"
    assert [line for line in err.splitlines() if ":" in line] == [
        "a.sql:6: no such column: wrong",
        "b.sql:2: no such command: .nonsense; .help lists them",
    ]
    enter(".bail on")
    out, err = enter(".read a.sql")
    assert out == "1,2\n"
    assert "b.sql" not in err


def test_bail_holds_for_several_statements_as_well(enter: Enter) -> None:
    enter(".mode csv", ".headers off")
    assert enter("select 1; select wrong; select 2;")[0] == "1\n2\n"
    enter(".bail on")
    assert enter("select 1; select wrong; select 2;")[0] == "1\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"select '\xff';", "not UTF-8 text at byte 8"),
        (b".read bad.sql", "it is being read already"),
        (b"select '\0';", "the SQL has a NUL character in it"),
        (b"select 'open", "unrecognized token"),
    ],
)
def test_a_file_that_cannot_be_run_is_said(
    enter: Enter, home: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (home / "bad.sql").write_bytes(content)
    out, err = enter(".read bad.sql")
    assert out == ""
    assert said in err


def test_leaving_within_a_file_leaves_the_session(enter: Enter, shell: Shell, home: Path) -> None:
    (home / "leave.sql").write_text(".quit 5\nselect 'not run';")
    assert enter(".read leave.sql") == ("", "")
    assert shell.leaving == 5


def test_saved_queries_are_listed_run_and_replaced(enter: Enter, home: Path) -> None:
    enter(".mode csv", ".headers off")
    enter("select :n + 1, :text;")
    _, err = enter(".save plus_one -- Adds one.\nselect :n + 1 as n, :text as text")
    file = home / ".config/sockql/queries/plus_one.sql"
    assert err == f"saved as {file}\n"
    assert file.read_text() == "-- Adds one.\nselect :n + 1 as n, :text as text;\n"
    assert enter(".run plus_one n=41 text:text=7")[0] == "42,7\n"
    assert enter(".run plus_one n=41 'text=a b'")[0] == "42,a b\n"
    assert enter(".run plus_one n=1") == ("", "plus_one needs a value for text: text=VALUE\n")
    assert enter(".run plus_one m=1")[1] == "plus_one has no parameter m; it has n, text\n"
    assert enter(".run plus_one n")[1].startswith("n: not NAME=VALUE")
    assert enter(".run plus_won")[1] == "no saved query plus_won; did you mean plus_one?\n"
    assert enter(".queries ADDS plus") == (f'plus_one,report,,Adds one.,,"n, text",{file}\n', "")
    assert "is there already" in enter(".save plus_one select 2")[1]
    enter(".save -f plus_one select 2 as two")
    assert enter(".run plus_one")[0] == "2\n"
    enter("select 5;")
    enter(".save last")
    assert enter(".run last")[0] == "5\n"
    for name in ("../up", ".hidden", "a.sql", "''"):
        assert enter(f".save {name} select 1")[1] != ""
    for sql, said in (
        ("-- nothing", "none.sql:1: there is no statement in it\n"),
        ("select 1; select 2", "none.sql:1: a second statement; a saved query is one\n"),
        ("-- titel: T\n-- tags: []\nselect 1", "none.sql:1: the header has no key 'titel'"),
    ):
        assert enter(f".save none {sql}")[1].startswith(said)
    assert sorted(os.listdir(file.parent)) == ["last.sql", "plus_one.sql"]


def test_a_saved_query_takes_parameters_of_the_session_that_have_no_default(enter: Enter) -> None:
    enter(".mode csv", ".headers off")
    enter(
        ".save typed -- title: T\n"
        "-- params: {a: {type: integer}, b: {type: text, default: d}}\n"
        "select :a, :b, :c"
    )
    enter(".parameter set a 7", ".parameter set b 8", ".parameter set c 9")
    assert enter(".run typed") == ("7,d,9\n", "")
    assert enter(".run typed a=1 c=2") == ("1,d,2\n", "")
    enter(".parameter set a 'text'")
    assert enter(".run typed") == ("", "typed needs a value for a: a=INTEGER\n")


def test_a_mistake_in_a_saved_query_is_shown_in_its_file(enter: Enter, home: Path) -> None:
    enter(".mode csv")
    (home / "wrong.sql").write_text("-- A report.\n\nselect sprot\nfrom sockets;\n")
    assert enter(".run ./wrong.sql") == (
        "",
        "./wrong.sql:3: no such column: sprot; did you mean `sport`?\n  select sprot\n         ^\n",
    )
    (home / "slow.sql").write_text(
        "-- title: T\n-- timeout: 0.05\n"
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    )
    assert enter(".run ./slow.sql")[1] == "the statement took longer than 0.05 seconds\n"
    assert enter(".timeout 7", ".show")[0].count("timeout,7") == 1


def test_a_file_is_run_by_its_path(enter: Enter, home: Path) -> None:
    (home / "by path.sql").write_text("select :x as x")
    assert enter(".mode csv", ".run './by path.sql' x=1")[0] == "x\n1\n"
    assert "No such file" in enter(".run ./none.sql")[1]


def test_tables_that_a_query_takes_are_gone_after_it(enter: Enter, home: Path) -> None:
    (home / "table.sql").write_text(
        "-- title: T\n"
        "-- params: {allowed: {type: table, columns: [port, why], default: [[22, ssh]]}}\n"
        "select * from allowed"
    )
    enter(".mode csv")
    assert enter(".run ./table.sql") == ("port,why\n22,ssh\n", "")
    assert enter("select * from allowed;")[1].startswith("no such table: allowed")
    enter("create temp table allowed(a);")
    assert enter(".run ./table.sql")[1] == "there is a temporary table allowed already\n"
    assert enter("select count(*) as n from allowed;")[0] == "n\n0\n"


def test_queries_that_come_with_sockql_are_listed(enter: Enter) -> None:
    from importlib.resources import files

    shipped = [
        entry.name.removesuffix(".sql")
        for entry in files("sockql.queries").iterdir()
        if entry.name.endswith(".sql")
    ]
    out, err = enter(".mode json", ".queries")
    assert err == ""
    assert [row["query"] for row in json.loads(out)] == sorted(shipped)


def test_a_query_that_hides_another_says_so(enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    _, err = enter(".save twice select 2")
    path = err.removeprefix("saved as ").rstrip()
    monkeypatch.setenv("SOCKQL_QUERIES", "first")
    os.makedirs("first")
    Path("first/twice.sql").write_text("select 1 as one")
    notice = f"first/twice.sql is used, not {path}\n"
    enter(".mode csv")
    assert enter(".run twice") == ("one\n1\n", notice)
    assert enter(".queries twice")[1] == notice


def test_shell_runs_a_command_line(enter: Enter) -> None:
    assert enter(".shell echo a  'b  c'; exit 3") == ("a b  c\n", "exit status 3\n")
    assert enter("\\! kill -9 $$")[1] == "exit status 137\n"


def test_edit_brings_the_last_statement_back(
    enter: Enter, shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "editor").write_text('#!/bin/sh\nsed "s/1/2/" "$2" > "$2.new"; mv "$2.new" "$2"\n')
    (home / "editor").chmod(0o755)
    monkeypatch.setenv("VISUAL", f"{home}/editor --flag")
    enter("select 1;", ".edit")
    assert shell.draft == "select 2;"
    monkeypatch.setenv("VISUAL", "false")
    assert enter(".edit")[1] == "false: exit status 1\n"
    monkeypatch.setenv("VISUAL", "/nowhere/editor")
    assert "No such file" in enter(".edit")[1]


def test_a_bug_does_not_end_the_session(
    enter: Enter, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by \x1b[31mzero")

    monkeypatch.setattr(shell.engine, "execute", broken)
    assert enter("select 1;")[1] == (
        "internal error: ZeroDivisionError: by \\x1b[31mzero (--debug shows where)\n"
    )
