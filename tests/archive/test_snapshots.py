"""What a snapshot file holds, against what this process has opened itself and other programs read."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

from sockql.archive import capture
from sockql.archive.database import DatabaseFile
from sockql.archive.reader import Archive
from sockql.archive.replay import Replay
from sockql.engine import Engine
from sockql.errors import DataError, QueryError, UsageError
from sockql.host import Host
from sockql.schema import View
from sockql.tables import load, load_all
from tests.archive.world import columns, live, take
from tests.machines import Recorded

ME = os.getpid()


@pytest.fixture(scope="module")
def things() -> Iterator[tuple[int, int, int, int]]:
    """A listener and a pipe: port, descriptor, inode, and the end of the pipe."""
    reader, writer = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        inode = os.fstat(listener.fileno()).st_ino
        yield listener.getsockname()[1], listener.fileno(), inode, reader
    os.close(reader)
    os.close(writer)


@pytest.fixture(scope="module")
def file(things: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("snapshots") / "host.db"
    with live() as engine:
        results = {"mine": f"select fd, type from fds where pid = {ME}", "none": "select 1 where 0"}
        take(path, "sockets,fds,processes,users,mounts", results=results, engine=engine)
    return path


@pytest.fixture
def database(file: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(file)
    yield connection
    connection.close()


def test_it_is_found_again_with_the_library_of_python(
    database: sqlite3.Connection, things: tuple[int, int, int, int]
) -> None:
    port, fd, inode, _ = things
    sql = (
        "select p.pid, f.fd, s.src, s.sport, s.state, s.inode from sockets s"
        " join fds f using (snapshot, inode) join processes p using (snapshot, pid)"
        " where s.sport = ? and s.state = 'listen' and s.inode = ?"  # compared without case
    )
    assert database.execute(sql, (port, inode)).fetchall() == [
        (ME, fd, "127.0.0.1", port, "LISTEN", inode)
    ]


def test_the_snapshot_says_of_what_it_is(database: sqlite3.Connection) -> None:
    database.row_factory = sqlite3.Row
    (row,) = map(dict, database.execute("select * from snapshots"))
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = file.read().strip()
    assert (row["host"], row["boot_id"], row["kernel"], row["uid"], row["netns_scope"]) == (
        os.uname().nodename,
        boot,
        os.uname().release,
        os.geteuid(),
        "self",
    )
    # SQLite rounds to milliseconds, up to the next second perhaps.
    (seconds,) = database.execute("select unixepoch(time) from snapshots").fetchone()
    assert abs(seconds - row["epoch"]) <= 1
    assert isinstance(json.loads(row["notices"]), list)


@pytest.mark.parametrize("table", ["sockets", "fds", "processes", "users"])
def test_a_table_has_every_column_its_type_key_and_documentation(file: Path, table: str) -> None:
    database = sqlite_utils.Database(file)
    found = {column.name: column.type for column in database[table].columns}
    assert found.pop("snapshot") == "INTEGER"
    assert found == {column.name: column.type for column in columns(table)}
    documented = {
        row["column_name"]: (row["type"], row["hidden"], row["unit"], row["description"])
        for row in database["snapshot_columns"].rows_where("table_name = ?", [table])
    }
    assert documented == {c.name: (c.type, int(c.hidden), c.unit, c.doc) for c in columns(table)}
    key = load(table).schema.key
    pks = database.table(table).pks  # in what order depends on the version
    assert set(pks) == ({"snapshot", *key} if key else {"rowid"})
    database.close()


def test_foreign_keys_lead_to_the_snapshot_and_the_process(database: sqlite3.Connection) -> None:
    def keys(table: str) -> set[tuple[str, str, str]]:
        return {
            (row[2], row[3], row[4])
            for row in database.execute(f"pragma foreign_key_list({table})")
        }

    assert keys("processes") == {("snapshots", "snapshot", "id")}
    assert keys("fds") == {
        ("snapshots", "snapshot", "id"),
        ("processes", "snapshot", "snapshot"),
        ("processes", "pid", "pid"),
    }
    dangling = database.execute("pragma foreign_key_check").fetchall()
    (notices,) = database.execute("select notices from snapshots").fetchone()
    assert bool(dangling) == ("name a process that processes does not have" in notices)


def test_look_ups_have_an_index(database: sqlite3.Connection) -> None:
    for condition in ("inode = 5", "sport = 5", "cookie = 5"):
        sql = f"explain query plan select * from sockets where snapshot = 1 and {condition}"
        assert "USING INDEX" in str(database.execute(sql).fetchall())


def test_the_results_of_queries_are_tables(database: sqlite3.Connection) -> None:
    found = database.execute("select fd, type from mine").fetchall()
    # Of the same instant as the table.
    assert found == database.execute("select fd, type from fds where pid = ?", (ME,)).fetchall()
    assert found
    types = [row[1:3] for row in database.execute("pragma table_info(mine)")]
    assert types == [("snapshot", "INTEGER"), ("fd", "INTEGER"), ("type", "TEXT")]
    assert database.execute("select * from none").fetchall() == []


# -- queries ------------------------------------------------------------------------------------


def test_the_same_statements_answer_from_the_file(
    file: Path, things: tuple[int, int, int, int]
) -> None:
    port, fd, inode, pipe = things
    with Replay(str(file)) as replay:
        assert replay.query(
            "select pid, fd, src, state, username(socket_uid) from sockets join fds using (inode)"
            " join processes using (pid) where sport = :port and inode = :inode",
            {"port": port, "inode": inode},
        ) == [(ME, fd, "127.0.0.1", "LISTEN", _name(os.getuid()))]
        assert replay.query(f"select type from fds where pid = {ME} and fd = {pipe}") == [("pipe",)]
        # A view, and hidden columns.
        assert replay.query(f"select pid, fd from listening where inode = {inode}") == [(ME, fd)]
        assert replay.query(f"select cookie > 0 from sockets where inode = {inode}") == [(1,)]
        assert replay.query("select id, host from snapshots") == [(1, os.uname().nodename)]
        names = next(replay.execute("select * from sockets limit 0")).columns
        assert names == tuple(c.name for c in columns("sockets") if not c.hidden)


def _name(uid: int) -> str | None:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def test_every_row_comes_back_as_it_was(tmp_path: Path) -> None:
    """Of a recorded machine, whose rows do not change between two looks."""
    path = tmp_path / "recorded.db"
    names = ("sockets", "fds", "processes")
    with Engine(Recorded.load("6.18-mixed")) as engine:
        queries = {
            name: f"select {', '.join(c.name for c in columns(name))} from {name}" for name in names
        }
        engine.host.scope = "self"
        before = {name: engine.query(sql) for name, sql in queries.items()}
        take(path, ",".join(names), engine=engine)
    with Replay(str(path)) as replay:
        for name, sql in queries.items():
            assert sorted(map(repr, replay.query(sql))) == sorted(map(repr, before[name]))
            assert before[name]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "select * from cgroups",
            r"the table cgroups was not captured in the snapshot of 2\S+; snapshot_tables has",
        ),
        # osquery's, which would answer from the live host.
        ("select * from process_open_files", "the table process_open_files was not captured"),
        ("select count(*) from listening_ports", "the table listening_ports was not captured"),
        ("select nope from fds", "no such column: nope"),
        ("select * from nope", "no such table: nope"),
        ("delete from fds", "not authorized|may not be modified"),
    ],
)
def test_what_was_not_captured_is_told(file: Path, sql: str, message: str) -> None:
    with Replay(str(file)) as replay, pytest.raises((DataError, QueryError), match=message):
        replay.query(sql)


def test_a_column_that_was_not_captured_is_told(file: Path, tmp_path: Path) -> None:
    """As in a file that an older version wrote."""
    path = tmp_path / "older.db"
    path.write_bytes(file.read_bytes())
    database = sqlite3.connect(path)
    names = [c.name for c in columns("fds") if c.name not in ("size", "mode")]
    database.execute(
        "update snapshot_tables set captured = ? where table_name = 'fds'", (json.dumps(names),)
    )
    database.commit()
    database.close()
    with Replay(str(path)) as replay:
        for sql in ("select size from fds", "select 1 from fds where size = 5 and pid = -1"):
            with pytest.raises(DataError, match=r"fds\.size was not captured in the snapshot of 2"):
                replay.query(sql)
        # What select * shows is what there is.
        assert "mode" not in next(replay.execute("select * from fds limit 0")).columns
        assert replay.query(f"select count(*) > 2 from fds where pid = {ME}") == [(1,)]


def test_nothing_of_this_host_is_read(file: Path) -> None:
    with Replay(str(file)) as replay:
        assert replay.host.proc_path == str(file)
        with pytest.raises(DataError, match="Not a directory"):
            _ = replay.host.proc


def test_names_of_users_are_those_of_the_file(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(file.read_bytes())
    database = sqlite3.connect(path)
    database.execute("update users set username = 'somebody' where uid = 0")
    database.commit()
    database.close()
    with Replay(str(path)) as replay:
        assert replay.query("select username(0), username(null), username('0')") == [
            ("somebody", None, "somebody")
        ]
    take(tmp_path / "without.db", "processes")
    with Replay(str(tmp_path / "without.db")) as replay:
        assert replay.query("select username(0)") == [(None,)]
        assert replay.notices == [
            f"{tmp_path}/without.db: username() is NULL: the table users was not captured"
        ]


def test_notices_come_with_the_table_that_they_are_about(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    take(path, "processes,users")
    database = sqlite3.connect(path)
    database.execute("update snapshots set notices = ?", (json.dumps(["users: some are missing"]),))
    database.commit()
    database.close()
    with Replay(str(path)) as replay:
        replay.query("select count(*) from processes")
        assert replay.notices == []
        replay.query("select count(*) from users")
        assert replay.notices == ["users: some are missing"]


# -- several snapshots --------------------------------------------------------------------------


def test_snapshots_are_added(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    take(path, "users,processes", append=True)
    with open(os.devnull) as more:
        take(path, "fds,processes", append=True, results={"extra": "select 7 as n"})
        fd = more.fileno()
    with Replay(str(path)) as replay:
        assert replay.archive.snapshot == 2
        assert replay.query(f"select target from fds where pid = {ME} and fd = {fd}") == [
            ("/dev/null",)
        ]
        assert replay.query("select n from extra") == [(7,)]
        with pytest.raises(DataError, match="the table users was not captured"):
            replay.query("select * from users")
    with Replay(str(path), "#1") as replay:
        assert replay.query(f"select count(*) from processes where pid = {ME}") == [(1,)]
        assert replay.query("select count(*) > 0 from users") == [(1,)]
        with pytest.raises(DataError, match="the table fds was not captured"):
            replay.query("select * from fds")
    with pytest.raises(DataError, match=r"no snapshot #3; it has #1 of 2\S+, #2 of 2\S+$"):
        Archive(str(path), "#3")
    # Without --append it is a new file.
    take(path, "users")
    with Replay(str(path), "oldest") as replay:
        assert replay.query("select count(*) from snapshots") == [(1,)]


def test_a_column_that_is_new_joins_an_older_file(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    take(path, "users")
    database = sqlite3.connect(path)
    database.execute("alter table users drop column shell")
    names = [c.name for c in columns("users") if c.name != "shell"]
    database.execute("update snapshot_tables set captured = ?", (json.dumps(names),))
    database.commit()
    database.close()
    take(path, "users", append=True)
    with Replay(str(path)) as replay, Replay(str(path), "#1") as older:
        sql = "select uid, username from users"
        assert replay.query(sql) == older.query(sql)
        assert replay.query("select count(shell) > 0 from users") == [(1,)]
        with pytest.raises(DataError, match=r"users\.shell was not captured"):
            older.query("select shell from users")


@pytest.mark.parametrize("there", [True, False])
def test_all_that_add_at_the_same_time_have_their_snapshot(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "host.db"
    if there:
        take(path, "users")
    command = [sys.executable, "-m", "sockql", "--netns", "self", "snapshot", str(path)]
    # Long enough that all of them have begun before the first one is done.
    slow = "with recursive c(x) as (select 1 union all select x + 1 from c limit 3000000) select max(x) from c"
    words = ["--append", "--tables", "users", "--sql", slow, "--as", "slow"]
    adding = [subprocess.Popen([*command, *words]) for _ in range(4 - there)]
    assert [process.wait(60) for process in adding] == [0] * (4 - there)
    with Replay(str(path)) as replay:
        assert replay.query("select id from snapshots") == [(1,), (2,), (3,), (4,)]
        assert replay.query("select count(*) from snapshot_tables where table_name = 'users'") == [
            (4,)
        ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["host.db"]


def test_one_that_begins_a_file_anew_waits_for_one_that_adds(tmp_path: Path) -> None:
    """Whatever comes last is there in the end: nothing that was replaced comes back."""
    path = tmp_path / "host.db"
    take(path, "users")
    with live() as engine, DatabaseFile(str(path), engine.host, append=True) as adding:
        command = [sys.executable, "-m", "sockql", "--netns", "self", "snapshot", str(path)]
        anew = subprocess.Popen([*command, "--tables", "groups"])
        with pytest.raises(subprocess.TimeoutExpired):
            anew.wait(3)
        capture.take(engine, ["users"], {}, [adding])
    assert anew.wait(60) == 0
    with Replay(str(path)) as replay:
        assert replay.query("select snapshot, table_name from snapshot_tables") == [(1, "groups")]


# -- which tables -------------------------------------------------------------------------------


def test_the_tables_of_a_snapshot() -> None:
    every = {t.schema.name for t in load_all() if not isinstance(t, View)}
    assert set(capture.names(None)) == every - {"process_envs"}
    assert set(capture.names("all")) == every
    assert capture.names(" FDS,processes,fds") == ("processes", "fds")
    for given, message in (
        ("fsd", "--tables: no such table: fsd; did you mean fds?"),
        ("listening", "--tables: listening is a view; with its tables captured it answers"),
        ("file", "--tables: file: it reads only what a statement asks for by name, so that no "),
        ("fds,hash", "--tables: hash: it reads only what a statement asks for by name, so that "),
        ("process_open_pipes", "--tables: process_open_pipes: it is one of osquery's tables, and "),
    ):
        with pytest.raises(UsageError, match="^" + message.replace("?", r"\?")):
            capture.names(given)


def test_a_table_that_cannot_be_read_is_left_out_or_an_error(tmp_path: Path) -> None:
    class Blind(Host):
        def open_net(self, name: str) -> int:
            raise FileNotFoundError(2, "No such file or directory", name)

    def attempt(required: bool) -> list[str]:
        host = Blind(str(tmp_path))
        with Engine(host) as engine, DatabaseFile(str(tmp_path / "x.db"), host) as file:
            return capture.take(engine, ["users"], {"n": "select 1"}, [file], required=required)

    (notice,) = attempt(False)
    assert notice.startswith("users: not captured: ")
    with Replay(str(tmp_path / "x.db")) as replay:
        assert replay.query("select * from n") == [(1,)]
        assert replay.notices == []
        assert replay.archive.notices == [notice]
    with pytest.raises(DataError):
        attempt(True)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"fds": "select 1"}, "--as: fds is a table of sockql"),
        ({"snapshots": "select 1"}, "--as: snapshots is a table of every snapshot file"),
        ({"x": "select 1; select 2"}, "--sql for x: one statement is wanted, not 2"),
        ({"x": ""}, "--sql for x: one statement is wanted, not 0"),
        ({"x": "select nope"}, "no such column: nope"),
        ({"x": "create temp table y(z)"}, "--sql for x: the statement has no result"),
    ],
)
def test_results_that_cannot_be_captured(
    tmp_path: Path, results: dict[str, str], message: str
) -> None:
    def attempt() -> None:
        capture.check_results(results)
        take(tmp_path / "x.db", "users", results=results)

    with pytest.raises((UsageError, QueryError), match=message):
        attempt()
    assert list(tmp_path.iterdir()) == []


def test_the_types_of_a_result_are_those_of_its_cells(tmp_path: Path) -> None:
    sql = "select 1 i, 2.5 f, 'x' t, x'00ff' b, null n, 1 as i union all select 2, 1, 5, null, null, 3"
    take(tmp_path / "x.db", "users", results={"odd": sql})
    database = sqlite3.connect(tmp_path / "x.db")
    assert [row[1:3] for row in database.execute("pragma table_info(odd)")][1:] == [
        ("i", "INTEGER"), ("f", "REAL"), ("t", "TEXT"), ("b", "BLOB"), ("n", ""),
        ("i:1", "INTEGER"),
    ]  # fmt: skip
    found: list[Any] = database.execute("select * from odd").fetchall()
    assert found == [(1, 1, 2.5, "x", b"\x00\xff", None, 1), (1, 2, 1.0, "5", None, None, 3)]
    database.close()
