from __future__ import annotations

from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql import tables
from sockql.command import diagnose
from sockql.command.diagnose import _ELSEWHERE, hint, locate, pointer, report
from sockql.command.terminal import escape, width
from sockql.dialect import Dialect
from sockql.errors import DataError, QueryError
from sockql.schema import Table, integer, text
from sockql.sqltext import character_offset


class Sockets(Table[Any]):
    """Sockets."""

    state = text("State.", source="s", get=len, values=("LISTEN", "CLOSE"), nocase=True)
    sport = integer("Port.", source="s", get=len)
    dport = integer("Port.", source="s", get=len)
    inode = integer("Inode.", source="s", get=len)
    socket_uid = integer("User.", source="s", get=len)
    interface = text("Name.", source="s", get=len)


class Fds(Table[Any]):
    """Descriptors."""

    pid = integer("Process.", source="s", get=len)
    inode = integer("Inode.", source="s", get=len)
    target = text("Target.", source="s", get=len)


class Processes(Table[Any]):
    """Processes."""

    pid = integer("Process.", source="s", get=len)
    name = text("Name.", source="s", get=len)
    uid = integer("User.", source="s", get=len)
    parent = integer("Parent.", source="s", get=len)


KNOWN: dict[str, Table[Any]] = {"sockets": Sockets(), "fds": Fds(), "processes": Processes()}


class Known(Dialect):
    """These tables and no others."""

    def __init__(self) -> None:
        super().__init__(as_osquery=False)
        self.names, self.others = tuple(KNOWN), ()

    def load(self, name: str) -> Table[Any]:
        return KNOWN[name]


@pytest.fixture(autouse=True)
def known_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnose, "SOCKQL", Known())


def sqlite_error(sql: str) -> QueryError:
    """What SQLite says of ``sql``, over tables with these columns."""
    connection = apsw.Connection(":memory:")
    try:
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
        for table in KNOWN.values():
            connection.execute(table.schema.ddl())
        with pytest.raises(apsw.SQLError) as caught:
            connection.execute(sql)
        offset = getattr(caught.value, "error_offset", -1)
        return QueryError(str(caught.value), sql=sql, offset=character_offset(sql, offset))
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("sql", "message", "hinted"),
    [
        ("select * from sokets", "no such table: sokets", "did you mean `sockets`?"),
        ("select * from SOCKET", "no such table: SOCKET", "did you mean `sockets`?"),
        ("select * from xyzzy", "no such table: xyzzy", None),
        ("select sprot from sockets", "no such column: sprot", "did you mean `sport`?"),
        ("select s.sprot from sockets s", "no such column: s.sprot", "did you mean `sport`?"),
        ("select S.sprot from sockets AS s", "no such column: S.sprot", "did you mean `sport`?"),
        ("select t.sport from sockets s", "no such column: t.sport", None),
        (
            "select socket.sport from sockets",
            "no such column: socket.sport",
            "did you mean `sockets`?",
        ),
        (
            "select sockets.sport from sockets s",
            "no such column: sockets.sport",
            "the table is called `s` here",
        ),
        (
            "select 1 from sockets join fds using(inod)",
            "cannot join using column inod - column not present in both tables",
            "did you mean `inode`?",
        ),
        ("select local_port from sockets", "no such column: local_port", "did you mean `sport`?"),
        ("select uid from sockets", "no such column: uid", "did you mean `socket_uid`?"),
        ("select uid from fds", "no such column: uid", "the column is in `processes`"),
        ("select ppid from processes", "no such column: ppid", "did you mean `parent`?"),
        ("select xyzzy from sockets", "no such column: xyzzy", None),
        (
            "select name, sport from sockets",
            "no such column: name",
            "the column is in `processes`",
        ),
        ("select sport", "no such column: sport", "the column is in `sockets`"),
        ("select sprot", "no such column: sprot", None),
        (
            "select pid from sockets",
            "no such column: pid",
            "the column is in `fds` and `processes`",
        ),
        (
            "select 1 from sockets where state = listen",
            "no such column: listen",
            "a text stands in single quotes: 'listen'",
        ),
        (
            "select inode from sockets join fds",
            "ambiguous column name: inode",
            "say which: sockets.inode or fds.inode",
        ),
        (
            "select inode from sockets s join fds f",
            "ambiguous column name: inode",
            "say which: s.inode or f.inode",
        ),
        ("select inet_inn(1, 2)", "no such function: inet_inn", "did you mean `inet_in`?"),
        ("select cuont(1)", "no such function: cuont", "did you mean `count`?"),
        ("select xyzzy(1)", "no such function: xyzzy", None),
        ("selct 1", 'near "selct": syntax error', "did you mean `select`?"),
        ("select pid form fds f", 'near "fds": syntax error', "did you mean `from`?"),
        ("select pid from fds gruop by 1", 'near "by": syntax error', "did you mean `group`?"),
        ("select 1 +* 2", 'near "*": syntax error', None),
        (
            'select "LISTEN" from sockets',
            'no such column: "LISTEN" - should this be a string literal in single-quotes?',
            None,
        ),
    ],
)
def test_what_was_probably_meant_is_said(sql: str, message: str, hinted: str | None) -> None:
    assert str(sqlite_error(sql)) == message
    assert hint(message, sql) == hinted


@pytest.mark.parametrize(
    ("word", "on_the_command_line", "in_a_session"),
    [
        ("tabels", "sockql tables", ".tables"),
        ("zombies", "sockql run zombies", ".run zombies"),
        (" deleted-executble ", "sockql run deleted-executable", ".run deleted-executable"),
        ("Sockets", 'sockql "select * from sockets"', "select * from sockets;"),
        ("help", "sockql --help", None),
    ],
)
def test_a_word_alone_may_be_a_command_a_query_or_a_table(
    word: str, on_the_command_line: str, in_a_session: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOCKQL_QUERIES", raising=False)
    error = sqlite_error(word)
    first = f'near "{word.strip().partition("-")[0]}": syntax error'
    assert report(error, 80).split("\n")[0] == f"{first}; did you mean `{on_the_command_line}`?"
    meant = f"; did you mean `{in_a_session}`?" if in_a_session else ""
    assert report(error, 80, ".").split("\n")[0] == first + meant


@pytest.mark.parametrize("sql", ["xyzzy", "zombies 1", "'zombies'", "4 zombies"])
def test_more_than_a_word_is_no_command(sql: str) -> None:
    assert "sockql" not in report(sqlite_error(sql), 80)


def test_what_is_not_authorized_is_explained() -> None:
    assert hint("not authorized", "attach 'x' as y") == (
        "sockql reads, and writes nothing but temporary tables"
    )


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "select sprot from sockets",
            "no such column: sprot; did you mean `sport`?\n  select sprot from sockets\n         ^",
        ),
        (
            "select 1\nfrom\t\tsokets -- é",
            "no such table: sokets; did you mean `sockets`?\n  from  sokets -- é\n        ^",
        ),
        (
            "select 'é日本', nope\nfrom sockets",
            "no such column: nope\n  select 'é日本', nope\n                  ^",
        ),
        (
            "select 1 from\n",
            "incomplete input\n  select 1 from\n               ^",
        ),
        (
            "    select 'a\x1b[31m', from sockets",
            "near \"from\": syntax error\n  select 'a\\x1b[31m', from sockets\n" + " " * 22 + "^",
        ),
    ],
)
def test_a_caret_stands_below_the_place(sql: str, expected: str) -> None:
    assert report(sqlite_error(sql), 80) == expected


def test_the_hint_of_the_error_itself_comes_first() -> None:
    error = QueryError("no such table: fd", sql="select 1 from fd", hint="look again")
    assert (
        report(error, 80) == "no such table: fd; look again\n  select 1 from fd\n                ^"
    )


def test_an_error_without_a_place_is_one_line() -> None:
    assert report(QueryError("too much", sql="select 1"), 80) == "too much"
    assert report(DataError("/proc: No such file or directory"), 80) == (
        "/proc: No such file or directory"
    )


def test_names_in_a_message_cannot_reach_the_terminal_raw() -> None:
    assert report(DataError("/tmp/\x1b[2J\n: gone"), 80) == "/tmp/\\x1b[2J\\n: gone"


def test_a_missing_parameter_is_pointed_at() -> None:
    sql = "select 1, :port"
    assert locate("no value for the parameter :port", sql) == 10


def test_a_quoted_name_is_found() -> None:
    assert locate("no such table: a b", 'select 1 from "a b"') == 14
    assert locate("no such table: main.a b", "select 1 from main.[a b]") == 19


def test_a_long_line_is_cut_around_the_caret() -> None:
    sql = "select " + "a, " * 100 + "nope, " + "b, " * 100
    line, caret = pointer(sql, sql.index("nope"), 40)
    assert (line, caret) == (
        "  …a, a, a, a, a, a, a, a, nope, b, b, …",
        "                           ^",
    )


@given(
    st.text(st.sampled_from("ab (\t\n\x1b\u202eé日\u0301") | st.characters()),
    st.integers(0, 200),
    st.integers(0, 120),
)
def test_the_caret_is_below_the_character_and_the_line_fits(
    sql: str, offset: int, limit: int
) -> None:
    offset = min(offset, len(sql))
    line, caret = pointer(sql, offset, limit)
    assert escape(line) == line
    assert width(line) <= max(limit, 20)
    below = caret.index("^")
    assert caret == " " * below + "^"
    before = next(i for i in range(len(line) + 1) if width(line[:i]) == below)
    character = escape(sql[offset].replace("\t", " ")) if sql[offset : offset + 1] > "\n" else ""
    rest = line[before:].lstrip("\u0301")
    assert rest.startswith((character.strip(), "…")) or width(character) == 0


def test_what_other_programs_call_it_exists_here() -> None:
    names = set(tables.NAMES)
    for table in tables.load_all():
        names |= set(table.schema.by_name)
    assert set(_ELSEWHERE.values()) - names == set()
