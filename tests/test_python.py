"""The functions of the package, against what this process has opened; docs/python.md runs."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

import sockql
from sockql.archive.writing import TableWriter
from sockql.errors import DataError, QueryError, UsageError
from sockql.tables import load
from tests.archive.world import take
from tests.conftest import ROOT, Python

ME = os.getpid()


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


def descriptors() -> list[str]:
    """The numbers of our descriptors, that of the listing among them."""
    return os.listdir("/proc/self/fd")


def test_a_query_gives_dictionaries() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        sql = (
            "select pid, fd, sport, fds.pid from sockets join fds using (inode) where sport = :port"
        )
        assert sockql.query(sql, {"port": port}, netns="self") == [
            {"pid": ME, "fd": listener.fileno(), "sport": port, "pid:1": ME}
        ]
    assert sockql.query("select 1 as a; select 2 as b, null as c") == [{"b": 2, "c": None}]
    assert sockql.query("select 1 where 0") == []
    assert sockql.query("") == []


def test_nothing_stays_open() -> None:
    before = descriptors()
    sockql.query("select count(*) from sockets", netns="self")
    with pytest.raises(QueryError, match="no such column"):
        sockql.query("select nope from sockets", netns="self")
    connection = sqlite3.connect(":memory:")
    sockql.materialise(connection, ["users"])
    connection.close()
    with pytest.raises(sockql.UsageError):
        sockql.connect(snapshot="/dev/null")
    assert descriptors() == before


def test_threads_and_children_have_their_answers() -> None:
    """An engine for each thread; a child of a process may go on with the one it has inherited."""
    found: list[Any] = []

    def ask() -> None:
        found.append(sockql.query(f"select pid from processes where pid = {ME}"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [[{"pid": ME}]] * 4
    with socket.create_server(("127.0.0.1", 0)) as listener, sockql.connect(netns="self") as engine:
        sql = f"select pid from sockets join fds using (inode) where sport = {listener.getsockname()[1]}"
        assert engine.query(sql) == [(ME,)]
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(writing, repr(sorted(engine.query(sql))).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading) as answer:
            assert answer.read() == repr(sorted([(ME,), (pid,)]))
        os.waitpid(pid, 0)
        assert engine.query(sql) == [(ME,)]


def test_a_snapshot_is_asked_in_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    take(path, "processes")
    sql = f"select pid from processes where pid = {ME}"
    assert sockql.query(sql, snapshot=path, at="newest") == [{"pid": ME}]
    with sockql.connect(snapshot=str(path)) as engine:
        assert list(engine.connection.execute(sql)) == [(ME,)]
    with pytest.raises(DataError, match="no snapshot #9"):
        sockql.connect(snapshot=path, at="#9")


# -- materialise --------------------------------------------------------------------------------


def test_tables_are_written_with_keys_and_indexes(database: sqlite3.Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, sockql.connect(netns="self") as engine:
        fd, inode = listener.fileno(), os.fstat(listener.fileno()).st_ino
        notices = sockql.materialise(database, source=engine)
    assert notices == engine.notices
    assert database.execute(
        "select p.pid, f.fd, s.state from sockets s join fds f using (inode)"
        " join processes p using (pid) where inode = ?",
        (inode,),
    ).fetchall() == [(ME, fd, "LISTEN")]
    for name in ("processes", "sockets", "fds"):
        found = {row[1]: row[2] for row in database.execute(f"pragma table_info({name})")}
        kept = (c for c in load(name).schema.columns if c.name != "probed_pid")
        assert found == {c.name: c.type for c in kept}
    assert [row[2:5] for row in database.execute("pragma foreign_key_list(fds)")] == [
        ("processes", "pid", "pid")
    ]
    plan = str(database.execute("explain query plan select * from fds where inode = 1").fetchall())
    assert "fds_inode" in plan


def test_a_database_of_sqlite_utils_and_odd_rows(tmp_path: Path) -> None:
    utils = sqlite_utils.Database(tmp_path / "mine.db")
    sockql.materialise(utils, ["users"], queries={"mine": "select 7 as n"})
    assert list(utils["mine"].rows) == [{"n": 7}]
    assert utils["users"].count == len(sockql.query("select uid from users"))
    utils.close()
    again = sqlite3.connect(tmp_path / "mine.db")
    again.row_factory = lambda cursor, row: {
        column[0]: cell for column, cell in zip(cursor.description, row)
    }
    sockql.materialise(again, ["users"], replace=True)
    assert again.execute("select n from mine").fetchall() == [{"n": 7}]
    again.close()


def test_all_of_it_or_nothing(database: sqlite3.Connection) -> None:
    database.execute("create table users(mine)")
    database.execute("insert into users values(1)")
    with pytest.raises(UsageError, match="has a table users already; replace=True replaces it"):
        sockql.materialise(database, ["users", "groups"])
    with pytest.raises(QueryError, match="no such column: nope"):
        sockql.materialise(database, ["users"], queries={"x": "select nope"}, replace=True)
    with pytest.raises(UsageError, match="no such table: nope"):
        sockql.materialise(database, ["nope"])
    assert database.in_transaction  # the program's own, which it may still take back
    assert database.execute("select * from users").fetchall() == [(1,)]
    assert database.execute("select name from sqlite_master").fetchall() == [("users",)]
    sockql.materialise(database, ["users"], replace=True)
    assert database.execute("select count(uid) > 0 from users").fetchone() == (1,)
    database.rollback()
    assert [row[1] for row in database.execute("pragma table_info(users)")] == ["mine"]


def test_where_foreign_keys_are_enforced(database: sqlite3.Connection) -> None:
    """Descriptors of processes that have ended are no mistake, and tables are replaced all the same."""
    database.execute("pragma foreign_keys = on")
    for _ in range(2):
        sockql.materialise(database, ["fds", "processes"], replace=True)
    assert database.execute("select count(*) > 2 from fds").fetchone() == (1,)
    assert database.execute("pragma foreign_key_list(fds)").fetchall() == []
    database.execute("create table notes(pid references processes(pid))")
    database.execute(f"insert into notes values({ME})")
    database.commit()
    with pytest.raises(
        sockql.UsageError, match="processes is not replaced, for another one refers"
    ):
        sockql.materialise(database, ["fds", "processes"], replace=True)
    assert database.execute("select count(*) > 2 from fds").fetchone() == (1,)


def test_a_number_that_sqlite_has_no_room_for(database: sqlite3.Connection) -> None:
    """Tables have none; what a function of the program gives is SQLite's already."""
    schema = load("groups").schema
    writer = TableWriter(database, schema)
    with pytest.raises(sockql.DataError, match="groups: a number beyond SQLite's integers"):
        writer.write([tuple(2**64 for _ in schema.columns)])


def test_a_temporary_table_of_the_same_name_is_another_one(database: sqlite3.Connection) -> None:
    database.execute("create temp table users(uid)")
    sockql.materialise(database, ["users"])
    assert database.execute("select count(*) from temp.users").fetchone() == (0,)
    assert database.execute("select count(*) from main.users where uid = 0").fetchone() == (1,)
    plan = database.execute("select tbl_name from main.sqlite_master where type = 'index'")
    assert {row[0] for row in plan} == {"users"}


def refused(tmp_path: Path, how: str) -> sqlite3.Connection:
    """A connection that cannot be written, with a table of the program's in it."""
    path = tmp_path / "mine.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("create table mine(n)")
    if how == "read only":
        return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    connection = sqlite3.connect(path, timeout=0)
    if how == "closed":
        connection.close()
    elif how == "full":
        connection.execute("pragma max_page_count = 3")
    elif how == "view":
        connection.execute("create view users as select 1")
    return connection


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("read only", "the database cannot be written: attempt to write a readonly database"),
        ("closed", "the database cannot be written: Cannot operate on a closed database."),
        ("full", "the database cannot be written: database or disk is full"),
        ("view", "the database has the view users, which is not replaced"),
    ],
)
def test_a_database_that_cannot_be_written(tmp_path: Path, how: str, message: str) -> None:
    connection = refused(tmp_path, how)
    with pytest.raises(sockql.UsageError) as caught:
        sockql.materialise(connection, ["users", "groups"], replace=True)
    assert str(caught.value) == message
    assert (how == "view") == (caught.value.__cause__ is None)
    connection.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "mine.db")) as database:
        found = database.execute("select name from sqlite_master where type = 'table'").fetchall()
        assert found == [("mine",)]


def test_one_that_somebody_else_writes_to(tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    with (
        contextlib.closing(sqlite3.connect(path)) as other,
        contextlib.closing(sqlite3.connect(path, timeout=0)) as mine,
    ):
        other.execute("create table theirs(n)")
        other.execute("begin immediate")
        with pytest.raises(sockql.UsageError, match="cannot be written: database is locked"):
            sockql.materialise(mine, ["users"])
        assert not mine.in_transaction


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tables": "fds"}, "tables: several texts are wanted, not 'fds'"),
        ({"tables": 5}, "tables: several texts are wanted, not 5"),
        ({"tables": [5]}, "tables: texts are wanted, not 5"),
        ({"tables": ["fsd"]}, "tables: no such table: fsd; did you mean fds?"),
        ({"tables": ["listening"]}, "tables: listening is a view; "),
        ({"tables": ["file"]}, r"tables: file: it reads only what .* queries={'file': SQL} keeps"),
        ({"queries": ["x"]}, "queries: SQL by name is wanted, not list"),
        ({"queries": {"x": 5}}, "queries: texts are wanted, not 5"),
        ({"queries": {"fds": "select 1"}}, "queries: fds is a table of sockql; take another name"),
        ({"queries": {"x": "select 1", "X": "select 1"}}, "queries: X is there twice; "),
        (
            {"queries": {"x": "select 1 a, 2 A"}},
            r"queries\['x'\]: the columns a and A differ in case",
        ),
        (
            {"queries": {"x": "select 1; select 2"}},
            r"queries\['x'\]: one statement is wanted, not 2",
        ),
        ({"target": "mine.db"}, "a connection of sqlite3 or a database of sqlite-utils is wanted"),
        ({"source": "mine.db"}, r"source: what connect\(\) gives is wanted, not str"),
    ],
)
def test_wrong_arguments(
    database: sqlite3.Connection, arguments: dict[str, Any], message: str
) -> None:
    given = {"target": database, "tables": ["users"], **arguments}
    with pytest.raises(sockql.UsageError, match="^" + message):
        sockql.materialise(**given)
    assert database.execute("select * from sqlite_master").fetchall() == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"x": 2**63}, "the parameter :x: 9223372036854775808 is beyond SQLite's integers"),
        ({"x": -(2**63) - 1}, "the parameter :x: -9223372036854775809 is beyond SQLite's integers"),
        ({"x": [1]}, "the parameter :x: list is no type that SQLite has"),
        ({"x": "\udc80"}, "the parameter :x: the text is not Unicode"),
        ([5], "parameters are values by name, not list"),
    ],
)
def test_parameters_that_cannot_be_bound(parameters: Any, message: str) -> None:
    with pytest.raises(sockql.Error) as caught:
        sockql.query("select :x", parameters)
    assert str(caught.value) == message
    assert sockql.query("select :x as x", {"x": 2**63 - 1}) == [{"x": 2**63 - 1}]


def test_errors_have_their_names_in_the_package() -> None:
    engine = sockql.connect()
    with pytest.raises(sockql.UsageError, match="SQL is a text, not int"):
        engine.query(5)  # type: ignore[arg-type]
    with pytest.raises(sockql.QueryError, match="the SQL is not Unicode"):
        engine.query("select '\udc80'")
    with pytest.raises(sockql.QueryError, match="the SQL has a NUL character in it"):
        engine.query("select '\0'")
    engine.close()
    engine.close()
    with pytest.raises(sockql.UsageError, match="the engine is closed"):
        engine.query("select 1")
    with pytest.raises(sockql.UsageError, match="stat is cached, fresh or never, not 'now'"):
        sockql.connect(stat="now")  # type: ignore[arg-type]
    for more in ({"netns": "self"}, {"proc": "/p"}, {"osquery": True}, {"stat": "never"}):
        with pytest.raises(
            sockql.UsageError, match="a snapshot is of a file: there is no proc, netns"
        ):
            sockql.connect(snapshot="host.db", **more)
    with pytest.raises(sockql.UsageError, match="at picks a snapshot: snapshot says of which file"):
        sockql.query("select 1", at="2h")
    assert issubclass(sockql.DataError, sockql.Error)
    assert not hasattr(sockql, "nothing")


@pytest.mark.parametrize("level", ["", None, "IMMEDIATE"])
def test_without_a_transaction_it_is_one(tmp_path: Path, level: Any) -> None:
    path = tmp_path / "mine.db"
    connection = sqlite3.connect(path, isolation_level=level)
    sockql.materialise(connection, ["users"])
    assert not connection.in_transaction
    other = sqlite3.connect(path)
    assert other.execute("select count(*) > 0 from users").fetchone() == (1,)
    other.close()
    connection.close()


# -- what it costs, and the page ----------------------------------------------------------------


def test_importing_costs_next_to_nothing(python: Python) -> None:
    """60 ms over Python alone are promised."""

    def seconds(code: str) -> float:
        started = time.perf_counter()
        assert python("-c", code).returncode == 0
        return time.perf_counter() - started

    differences = []
    for _ in range(9):
        nothing = seconds("pass")
        differences.append(seconds("import sockql") - nothing)
    assert statistics.median(differences) < 0.06
    done = python("-X", "importtime", "-c", "import sockql")
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {name for name in names if name.startswith("sockql")} == {"sockql"}


PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_an_example_of_the_page_runs(python: Python, block: str) -> None:
    if "pandas" in block:
        pytest.importorskip("pandas")
    done = python("-W", "error", "-W", "ignore::DeprecationWarning", "-c", block)
    assert (done.returncode, done.stderr) == (0, "")


def test_pandas_reads_what_was_materialised(database: sqlite3.Connection) -> None:
    pandas = pytest.importorskip("pandas")
    sockql.materialise(database, ["processes"])
    frame = pandas.read_sql_query(f"select pid, parent from processes where pid = {ME}", database)
    assert frame.to_dict("records") == [{"pid": ME, "parent": os.getppid()}]
