"""``sockql run`` and ``sockql queries``, as they are typed."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from sockql import cli

LISTENING = """\
-- title: Listeners on a port
-- description: |
--   Whoever listens.
--
--   On one port only.
-- tags: [net]
-- severity: low
-- params: {port: {type: integer, description: Port to look for.}}
select src, sport from sockets
where protocol = 'tcp' and state = 'LISTEN' and sport = :port
"""
BOTH = "-- Both \x1b[31m things.\nselect :a as a, :b as b;\n"
SLOW = (
    "-- title: Slow\n-- timeout: 0.05\n"
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the environment's queries, which are all that there are by their names."""
    made = tmp_path / "queries"
    made.mkdir()
    monkeypatch.setenv("SOCKQL_QUERIES", str(made))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    for name, text in (("zz-listening", LISTENING), ("zz-both", BOTH), ("zz-slow", SLOW)):
        (made / f"{name}.sql").write_text(text)
    return made


def sockql(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = cli.main(words)
    return status, *capfd.readouterr()


def test_a_query_is_run_with_parameters_of_their_types(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        given = ("-p", f"port=0{port}", "--json", "--netns", "self")
        status, out, err = sockql(capfd, "run", "zz-listening", *given)
    assert (status, json.loads(out), err) == (0, [{"src": "127.0.0.1", "sport": port}], "")
    assert sockql(capfd, "run", "zz-both", "-p", "a:text=1", "-p", "b=1.5", "--csv") == (
        0,
        "a,b\n1,1.5\n",
        "",
    )


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["run"], 2, "run: which query? sockql queries lists them"),
        (["run", "a", "b"], 2, "run takes no argument 'b'"),
        (["run", "-f", "x.sql"], 2, "run takes no -f; a query in a file is named by its path"),
        (["run", "zz-bot"], 2, "no saved query zz-bot; did you mean zz-both?"),
        (["run", "./none.sql"], 2, "./none.sql: No such file or directory"),
        (["run", "zz-both"], 2, "zz-both needs a value for a, b: -p a=VALUE -p b=VALUE"),
        (["run", "zz-listening"], 2, "zz-listening needs a value for port: -p port=INTEGER"),
        (
            ["run", "zz-listening", "-p", "port=http"],
            2,
            "zz-listening: port: an integer is wanted, not 'http'",
        ),
        (
            ["run", "zz-listening", "-p", "prot=1"],
            2,
            "zz-listening has no parameter prot; did you mean port?",
        ),
        (["run", "zz-slow"], 124, "the statement took longer than 0.05 seconds"),
        (["run", "zz-slow", "--timeout", "0.1"], 124, "the statement took longer than 0.1 seconds"),
        (["queries", "zz-both"], 2, "queries zz-both: show or check? sockql queries --search zz-"),
        (["queries", "show"], 2, "queries show: which query? sockql queries lists them"),
        (["queries", "show", "yy"], 2, "no saved query yy; sockql queries lists them"),
        (["queries", "-p", "a=1"], 2, "queries takes no SQL and no parameters"),
        (["queries", "check", "--tag", "a"], 2, "--tag, --severity and --search are for the list"),
        (["queries", "--severity", "bad"], 2, "--severity bad: not one of info, low, medium, high"),
        (["queries", "check", "config"], 2, "no saved query config; sockql queries lists them"),
        (["queries", "check", "./config"], 2, "./config: No such file or directory"),
        (["run", "zz-both", "--search", "x"], 2, "--search is an option of sockql queries"),
    ],
)
def test_wrong_usage_is_one_line(
    capfd: pytest.CaptureFixture[str], words: list[str], status: int, said: str
) -> None:
    found, out, err = sockql(capfd, *words)
    assert found == status
    assert said in out + err
    if words[:2] != ["queries", "check"]:
        assert (out, err.count("\n"), err.startswith(f"sockql: {said}")) == ("", 1, True)


def test_a_broken_file_does_not_run(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    for text, said in (
        ("-- title: T\n-- titel: U\nselect 1", "2: the header has no key 'titel'; did you mean"),
        ("select 1;\nselect 2", "2: a second statement; a saved query is one\n"),
        ("\ncreate temp table a(b)", "2: create: a saved query only reads: it begins with"),
    ):
        (folder / "bad.sql").write_text(text)
        status, out, err = sockql(capfd, "run", "bad", "-o", "out.csv")
        assert (status, out) == (2, "")
        assert err.startswith(f"sockql: {folder}/bad.sql:{said}")
    assert not os.path.exists("out.csv")


def test_a_mistake_is_shown_in_the_file(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "bad.sql").write_text("-- A report.\n\nselect 1,\n  sprot from sockets;\n")
    assert sockql(capfd, "run", "bad") == (
        2,
        "",
        (
            f"sockql: {folder}/bad.sql:4: no such column: sprot; did you mean `sport`?\n"
            "  sprot from sockets;\n"
            "  ^\n"
        ),
    )


def test_what_hides_another_query_is_said(
    capfd: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "config/sockql/queries"
    own.mkdir(parents=True)
    (own / "zz-both.sql").write_text("select 1 as one")
    notice = f"sockql: {folder}/zz-both.sql is used, not {own}/zz-both.sql\n"
    assert sockql(capfd, "run", "zz-both", "-p", "a=1", "-p", "b=2", "--csv") == (
        0,
        "a,b\n1,2\n",
        notice,
    )
    assert sockql(capfd, "queries", "--search", "zz-both")[2] == notice
    assert sockql(capfd, "run", f"{own}/zz-both.sql", "--csv") == (0, "one\n1\n", "")


def test_queries_are_listed_in_every_format(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    status, out, err = sockql(capfd, "queries", "--search", "zz-", "--csv")
    assert (status, err) == (0, "")
    assert out == (
        "query,kind,severity,title,tags,parameters,file\n"
        f'zz-both,report,,Both \x1b[31m things.,,"a, b",{folder}/zz-both.sql\n'
        f"zz-listening,report,low,Listeners on a port,net,port,{folder}/zz-listening.sql\n"
        f"zz-slow,report,,Slow,,,{folder}/zz-slow.sql\n"
    )
    status, out, err = sockql(capfd, "queries", "--search", "zz-", "--severity", "info", "--json")
    listening = {
        "query": "zz-listening",
        "file": f"{folder}/zz-listening.sql",
        "title": "Listeners on a port",
        "description": "Whoever listens.\n\nOn one port only.",
        "tags": ["net"],
        "severity": "low",
        "kind": "report",
        "expect": None,
        "parameters": [
            {
                "name": "port",
                "type": "integer",
                "required": True,
                "default": None,
                "description": "Port to look for.",
            }
        ],
        "keys": [],
        "references": [],
        "false positives": [],
        "live": False,
        "timeout": None,
    }
    assert (status, json.loads(out), err) == (0, [listening], "")
    status, out, err = sockql(capfd, "queries", "--tag", "net", "--search", "zz-", "--no-header")
    assert (status, out.split(), err) == (
        0,
        ["zz-listening", "report", "low", "Listeners", "on", "a", "port", "net"],
        "",
    )
    status, out, err = sockql(capfd, "queries", "--search", "zz-listening nosuchword")
    assert (status, out.split("\n")[2:], err) == (
        0,
        [""],
        "sockql: no saved query has that tag, is so severe and speaks of all these words\n",
    )
    assert sockql(capfd, "queries", "check", "zz-listenin") == (
        2,
        "",
        "sockql: no saved query zz-listenin; did you mean zz-listening?\n",
    )
    (folder / "zz-bad.sql").write_text("-- title: []\nselect 1")
    status, out, err = sockql(capfd, "queries", "--search", "zz-", "--tsv", "--no-header")
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        "zz-both",
        "zz-listening",
        "zz-slow",
    ]
    assert (status, err) == (
        0,
        f"sockql: {folder}/zz-bad.sql:1: title: text is wanted, not a list\n",
    )


def test_a_query_is_shown_with_everything_it_says(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "zz-all.sql").write_text(
        "-- title: All\n-- kind: audit\n-- severity: high\n-- keys: [a, b]\n-- tags: [x, y]\n"
        "-- params:\n--   t: {type: table, columns: [c, d], default: [[1, 2]]}\n"
        "--   n: {type: text, default: null}\n--   m: {type: text, default: x}\n"
        "-- false positives: [one, two]\n-- references: https://example.com\n-- timeout: 1.5\n"
        "/* why */ select 1 as a,\r\n:n || :m as b from t -- so\n;\n"
    )
    assert sockql(capfd, "queries", "show", "zz-all", "zz-both") == (
        0,
        (
            "zz-all: All\n"
            "  kind             audit, high; expects no rows\n"
            "  tags             x, y\n"
            "  parameters       t (table of c, d, 1 row unless given)\n"
            "                   n (text, NULL unless given)\n"
            "                   m (text, 'x' unless given)\n"
            "  keys             a, b\n"
            "  timeout          1.5 seconds\n"
            "  false positives  one\n"
            "                   two\n"
            "  references       https://example.com\n"
            f"  file             {folder}/zz-all.sql\n"
            "\n"
            "select 1 as a,\n:n || :m as b from t -- so\n"
            "\n"
            "zz-both: Both \\x1b[31m things.\n"
            "  kind        report\n"
            "  parameters  a (any)\n"
            "              b (any)\n"
            f"  file        {folder}/zz-both.sql\n"
            "\n"
            "select :a as a, :b as b\n"
        ),
        "",
    )
    status, out, err = sockql(capfd, "queries", "show", "zz-both", "--json")
    (data,) = json.loads(out)
    assert (status, data["query"], data["sql"], err) == (0, "zz-both", BOTH, "")
    columns = "query,kind,severity,title,tags,parameters,file,sql\n"
    assert sockql(capfd, "queries", "show", "zz-slow", "--csv") == (
        0,
        f'{columns}zz-slow,report,,Slow,,,{folder}/zz-slow.sql,"{SLOW}"\n',
        "",
    )


def test_queries_are_checked_without_being_run(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    good = sockql(capfd, "queries", "check", "queries")
    assert good == (0, "", "sockql: 3 queries, 0 problems\n")
    named = sockql(capfd, "queries", "check", "zz-both", "./queries/zz-slow.sql")
    assert named == (0, "", "sockql: 2 queries, 0 problems\n")
    (folder / "bad.sql").write_text("select\n  sprot from sockets")
    (folder / "b.sql").write_text("-- title: T\n-- keys: [x]\n-- timeout: x\nselect 1")
    assert sockql(capfd, "queries", "check", "queries", "queries/bad.sql") == (
        2,
        "queries/b.sql:3: timeout: a number is wanted, not text x\n"
        + 2
        * (
            "queries/bad.sql:2: no such column: sprot; did you mean `sport`?\n"
            "  sprot from sockets\n"
            "  ^\n"
        ),
        "sockql: 6 queries, 3 problems\n",
    )
    assert sockql(capfd, "queries", "check", "queries", "--csv", "-o", "out.csv")[0] == 2
    assert Path("out.csv").read_text() == (
        "file,line,problem\n"
        'queries/b.sql,3,"timeout: a number is wanted, not text x"\n'
        "queries/bad.sql,2,no such column: sprot; did you mean `sport`?\n"
    )
    status, out, err = sockql(capfd, "queries", "check", "--json")
    found = [(os.path.basename(row["file"]), row["line"]) for row in json.loads(out)]
    assert (status, found) == (2, [("b.sql", 3), ("bad.sql", 2)])
    assert err.endswith(" queries, 2 problems\n")


def test_a_query_takes_a_file_or_the_rows_of_its_default(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "table.sql").write_text(
        "-- title: T\n"
        "-- params: {allowed: {type: table, columns: [port, why], default: [[22, ssh]]}}\n"
        "select * from allowed"
    )
    assert sockql(capfd, "run", "table", "--csv") == (0, "port,why\n22,ssh\n", "")
    Path("list.tsv").write_text("port\twhy\n80\tweb\n")
    assert sockql(capfd, "run", "table", "--csv", "-p", "allowed=list.tsv") == (
        0,
        "port,why\n80,web\n",
        "",
    )
    assert sockql(capfd, "run", "table", "--csv", "-p", "allowed=none.tsv", "-o", "out.csv") == (
        2,
        "",
        "sockql: none.tsv: No such file or directory\n",
    )
    assert not os.path.exists("out.csv")


def test_a_snapshot_that_lacks_a_table_is_a_problem_of_each_query(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert sockql(capfd, "snapshot", "s.db", "--tables", "mounts", "--netns", "self")[0] == 0
    (folder / "a.sql").write_text("-- A.\n\nselect 1 from users")
    (folder / "b.sql").write_text("select count(*) > 0 as mounted from mounts")
    assert sockql(capfd, "--from", "s.db", "run", "b", "--csv")[:2] == (0, "mounted\n1\n")
    status, out, err = sockql(capfd, "--from", "s.db", "queries", "check", "a", "b")
    assert (status, err) == (2, "sockql: 2 queries, 1 problem\n")
    assert out.startswith(f"{folder}/a.sql:3: s.db: the table users was not captured")
    assert out.count("\n") == 1


def test_the_list_fits_a_terminal() -> None:
    from sockql.command.terminal import width
    from sockql.saved.describe import listed
    from sockql.saved.library import Library, shipped_directory

    queries = Library([shipped_directory()]).all()
    for room, names in (
        (200, ("query", "kind", "severity", "title", "tags")),
        (120, ("query", "kind", "severity", "title")),
        (80, ("query", "severity", "title")),
    ):
        columns, rows = listed(queries, room)
        assert columns == names
        assert [row[0] for row in rows] == [query.name for query in queries]
        lengths = [
            max(width(str(cell or "")) for cell in (name, *cells))
            for name, cells in zip(columns, zip(*rows))
        ]
        assert sum(lengths) + 2 * len(lengths) <= room
