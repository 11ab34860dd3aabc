"""Snapshot files that somebody has changed, or a disk has damaged: the right rows, or a clean error."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sockql.archive.diff import Comparison
from sockql.archive.layout import OWN
from sockql.archive.replay import Replay
from sockql.errors import DataError, QueryError, SockqlError, TimeoutExpired, UsageError
from tests.archive.world import take
from tests.test_cli import run

Found = TypeVar("Found")

#: What is not as it should be in nearly every column.
WRONG = (
    None, "xx", "", "yy:zz", -1, 0, 7, 2**63 - 1, -(2**63), 1e308, float("inf"), -1.5, b"\x00\xff",
    "[1]", "[" * 10000, '{"a": 1}', '["nope"]', '["uid", "UID"]', "a\0b", '"', "sqlite_schema",
)  # fmt: skip
QUERIES = (
    "select uid, username from users order by uid, username",
    "select n, t from mine where n = 5",
    "select username(0), count(*) from users where uid < 100 and username = 'root'",
)
#: How many random damages of bytes there are, and from where they come.
BYTES, SEED = 150, 20261125


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "host.db"
    for append in (False, True):
        take(path, "users,groups", append=append, results={"mine": "select 5 n, 'x' t"})
    return path


@pytest.fixture(scope="module")
def rows(good: Path) -> list[list[tuple[Any, ...]]]:
    found = answers(good)
    assert found[1] == [(5, "x")]
    assert found[2][0][0] == "root"
    return found


def answers(path: Path) -> list[list[tuple[Any, ...]]]:
    with Replay(str(path), "#1") as before, Replay(str(path), "#2") as after:
        for difference in Comparison(before, after).differences():
            assert difference.table
        return [after.query(sql) for sql in QUERIES]


def clean(error: SockqlError, path: Path) -> bool:
    """One line that names the file, or what no snapshot of it has."""
    text = str(error)
    named = str(path) in text or text.startswith(("no such table: ", "no such column: "))
    return named and "\n" not in text and len(text) < len(str(path)) + 250


def attempt(path: Path, what: Callable[[], Found]) -> Found | None:
    """What comes of it; None for a clean error."""
    error: SockqlError
    try:
        return what()
    except (DataError, UsageError, QueryError) as caught:
        error = caught
    assert clean(error, path), error
    return None


def asked(path: Path) -> list[list[tuple[Any, ...]]] | None:
    """The answers; None for a clean error."""
    return attempt(path, lambda: answers(path))


def added(path: Path) -> bool:
    """Whether a snapshot could be added; if not, that is a clean error, and the file is untouched."""
    before = path.read_bytes()
    done = attempt(path, lambda: take(path, "users", append=True)) is not None
    assert [entry for entry in path.parent.iterdir() if ".sockql" in entry.name] == []
    assert done or path.read_bytes() == before
    return done


@contextlib.contextmanager
def changed(good: Path, path: Path) -> Iterator[sqlite3.Connection]:
    path.write_bytes(good.read_bytes())
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = off")
    connection.execute("pragma synchronous = off")
    try:
        yield connection
    finally:
        connection.close()


CELLS = [(table, column.name) for table in OWN for column in OWN[table][0].columns]


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_any_cell_of_what_the_file_says_of_itself(
    good: Path, rows: object, tmp_path: Path, table: str, column: str
) -> None:
    path = tmp_path / "host.db"
    told = 0
    for value in (*WRONG, "not UTF-8"):
        cell = "cast(x'ff' as text)" if value == "not UTF-8" else "?"
        with changed(good, path) as database:
            # Where the key forbids it for all rows, in one of them.
            sql = f"update {table} set {column} = {cell}"
            values = () if value == "not UTF-8" else (value,)
            try:
                database.execute(sql, values)
            except sqlite3.IntegrityError:
                try:
                    database.execute(
                        f"{sql} where rowid = (select max(rowid) from {table})", values
                    )
                except sqlite3.IntegrityError:
                    continue  # NULL as a key
        found = asked(path)
        assert found is None or found == rows, value
        told += found is None
    # What a reader needs has no room for nonsense.
    needed = {"id", "epoch", "notices", "captured", "table_name", "column_name", "type"}
    assert told or column not in needed


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_nothing_is_added_to_nonsense(good: Path, tmp_path: Path, table: str, column: str) -> None:
    path = tmp_path / "host.db"
    with changed(good, path) as database:
        try:
            database.execute(f"update {table} set {column} = 'xx'")
        except sqlite3.IntegrityError:
            return  # a key, which the file keeps
    if added(path):
        asked(path)


SCHEMA: dict[str, str] = {
    "no snapshots": "delete from snapshots",
    "no tables": "delete from snapshot_tables",
    "no columns": "delete from snapshot_columns",
    "nothing": "delete from snapshots; delete from snapshot_tables; delete from snapshot_columns",
    "one column": "delete from snapshot_columns where column_name = 'uid'",
    "a view": "create table other as select * from users; drop table users;"
    "create view users as select * from other",
    "an endless view": "drop table users; create view users as with recursive c(x) as"
    " (select 1 union all select x + 1 from c) select x as snapshot, x as uid, 'a' as username from c",
    "a virtual table": "drop table mine; create virtual table mine using fts5(snapshot, n, t)",
    "a trigger": "create trigger spy after insert on users begin insert into mine(n) values(9); end",
    "texts for numbers": "update users set uid = 'x' || uid; update mine set n = 'five'",
    "blobs": "update users set username = cast(username as blob); update mine set t = x'ff'",
    "no text": "update users set username = cast(x'ff' as text)",
    **{f"no table {name}": f"drop table {name}" for name in (*OWN, "users", "mine")},
    **{f"no users.{name}": f"alter table users drop column {name}" for name in ("username", "shell")},
    **{f"no {table}.{column}": f"alter table {table} drop column {column}"
       for table, column in CELLS if column not in OWN[table][1]},
}  # fmt: skip
#: Changes after which the rows that were captured are others.
OTHER = ("texts for numbers", "blobs", "a view", "a virtual table")


@pytest.mark.parametrize("name", SCHEMA)
def test_tables_and_columns_that_are_not_there(
    good: Path, rows: object, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "host.db"
    with changed(good, path) as database:
        database.executescript(SCHEMA[name])
    if name == "an endless view":
        with Replay(str(path)) as replay:
            replay.timeout = 0.5
            with pytest.raises(TimeoutExpired):
                replay.query("select count(*) from users")
        return
    found = asked(path)
    assert found is None or found == rows or name in OTHER
    if name.startswith("no table") or name in ("no snapshots", "one column", "no text"):
        assert found is None
    added(path)


@pytest.mark.parametrize("part", ["header", "anywhere", "text"])
def test_damaged_bytes(good: Path, tmp_path: Path, part: str) -> None:
    """Rows, whatever a damaged cell says, or a clean error; never anything else."""
    path = tmp_path / "host.db"
    data = good.read_bytes()
    source = random.Random(f"{SEED} {part}")
    end = {"header": 100, "anywhere": len(data), "text": len(data)}[part]
    told = 0
    for _ in range(BYTES):
        damaged = bytearray(data)
        for _ in range(source.choice((1, 4, 64))):
            place = source.randrange(end)
            if part != "text" or 32 <= damaged[place] < 127:
                damaged[place] = source.randrange(256)
        path.write_bytes(damaged)
        told += asked(path) is None
    assert told > BYTES / 20


def test_a_truncated_file(good: Path, rows: object, tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    data = good.read_bytes()
    source = random.Random(SEED)
    for size in (0, 1, 99, 100, 4096, *(source.randrange(len(data)) for _ in range(40))):
        path.write_bytes(data[:size])
        assert asked(path) is None
        assert not added(path)


def test_one_that_is_replaced_while_it_is_read(good: Path, rows: object, tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    path.write_bytes(good.read_bytes())
    with Replay(str(path)) as replay:
        assert replay.query(QUERIES[0])
        # As --append does it: another file under the name.
        (tmp_path / "new.db").write_bytes(b"something else")
        (tmp_path / "new.db").rename(path)
        assert [replay.query(sql) for sql in QUERIES] == rows
    path.write_bytes(good.read_bytes())
    with Replay(str(path)) as replay:
        # In place: nothing can keep what was there.
        path.write_bytes(b"something else" * 10000)
        assert attempt(path, lambda: [replay.query(sql) for sql in QUERIES]) is None


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("update snapshots set notices = 'xx'", "damaged: snapshots.notices is 'xx'"),
        ("update snapshots set epoch = 'yy'", "damaged: snapshots.epoch is 'yy'"),
        ("update snapshot_tables set captured = '[[]]'", "damaged: snapshot_tables.captured is '[[]]'"),
        ("update snapshot_columns set type = 'DATE'", "damaged: snapshot_columns.type is 'DATE'"),
        ("delete from snapshots", "no snapshot"),
        ("drop table snapshots", "no such table: snapshots"),
    ],
)  # fmt: skip
def test_the_command_says_what_is_wrong(good: Path, tmp_path: Path, sql: str, message: str) -> None:
    path = tmp_path / "host.db"
    with changed(good, path) as database:
        database.execute(sql)
    said = (3, "", f"sockql: {path}: {message}\n")
    assert run("--from", str(path), "select uid from users") == said
    assert run("diff", str(path), str(good), "users") == said


def test_a_snapshot_that_was_taken_out_keeps_its_number(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    with changed(good, path) as database:
        database.execute("delete from snapshots")
    assert added(path)
    with Replay(str(path)) as replay:
        assert replay.query("select id from snapshots") == [(3,)]
        assert replay.query(QUERIES[0])
