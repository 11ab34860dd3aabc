"""What queries that were written for osquery rely on, and what goes wrong where it is not kept.

Each test is one pitfall: something that osquery, or a copy of it, gets wrong, or that a published
query takes for granted.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from sockql import osquery
from sockql.dialect import OSQUERY
from sockql.engine import Engine
from sockql.errors import QueryError
from sockql.host import Host
from sockql.schema import Table

ME = os.getpid()


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(Host(scope="self"), OSQUERY) as engine:
        yield engine


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def sleeper() -> Iterator[int]:
    """The pid of a process that waits until it is told to end."""
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.stdin.write(b"\n")
        child.stdin.flush()


def conditions(engine: Engine, sql: str) -> dict[str, list[str]]:
    """The conditions that reach each table of a statement."""
    return {each.table: [*map(repr, each.constraints)] for each in engine.plan(sql).tables}


# 1. LIMIT and OFFSET come as conditions on column 0, with operators of their own.


def test_limit_is_not_a_condition_on_the_first_column(engine: Engine, sleeper: int) -> None:
    assert conditions(engine, "select name from processes limit 1 offset 1") == {"processes": []}
    # There are this process and that one, but more need not be.
    assert len(engine.query("select pid from processes limit 1 offset 1")) == 1
    assert engine.query(f"select pid from processes where pid = {ME} limit 3") == [(ME,)]
    assert engine.query("select pid from processes limit 0") == []
    assert [pid for (pid,) in engine.query("select pid from processes limit -1")] == sorted(
        pid for (pid,) in engine.query("select pid from processes")
    )


# 2. The bit of "=" is set in the numbers of GLOB and REGEXP.


def test_glob_and_regexp_are_not_equality(engine: Engine, sleeper: int) -> None:
    text = str(sleeper)
    assert (sleeper,) in engine.query(f"select pid from processes where pid glob '{text[:-1]}*'")
    assert engine.query(f"select pid from processes where pid regexp '^{text}$'") == [(sleeper,)]
    assert engine.query(f"select pid from processes where pid like '{text}'") == [(sleeper,)]


# 3. A value has the type that it was written with.


@pytest.mark.parametrize("spelled", ["{}", "'{}'", "' {} '", "{}.0", "'{}.0'", "cast({} as text)"])
def test_a_number_may_be_written_as_a_text(engine: Engine, spelled: str) -> None:
    pid = spelled.format(ME)
    assert engine.query(f"select pid, typeof(pid) from processes where pid = {pid}") == [
        (ME, "integer")
    ]
    assert engine.query(
        f"select distinct pid from process_open_files where pid in ({pid}, 'x')"
    ) == [(ME,)]


def test_a_text_that_is_the_number_reaches_the_table(engine: Engine) -> None:
    assert conditions(engine, f"select name from processes where pid = '{ME}'") == {
        "processes": [f"pid = {ME}"]
    }


# 4. A view with expressions loses affinity and conditions.


def test_the_tables_are_tables_and_their_columns_have_affinity(
    engine: Engine, stack: ExitStack
) -> None:
    assert all(isinstance(osquery.load(name), Table) for name in osquery.NAMES)
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = listener.getsockname()[1]
    sql = "select local_port, remote_port from process_open_sockets where pid = '{}' and state = 'LISTEN'"
    mine = f"{sql.format(ME)} and local_port = '{port}'"
    assert engine.query(mine) == [(port, 0)]
    assert engine.query(f"{mine} and remote_port = '0'") == [(port, 0)]
    assert engine.query(f"{mine} and remote_port != '0'") == []
    assert engine.query(f"select port from listening_ports where port = '{port}'") == [(port,)]


# 5. A column that osquery does not have makes a name ambiguous.


def test_unqualified_names_of_published_queries_are_unambiguous(
    engine: Engine, stack: ExitStack
) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = listener.getsockname()[1]
    process = psutil.Process()
    found = engine.query(
        "select name, cmdline, cwd, port, address, fd, parent, username"
        " from listening_ports join processes using (pid) join users using (uid)"
        f" where port = {port}"
    )
    assert found == [
        (
            process.name(),
            " ".join(process.cmdline()),
            os.getcwd(),
            *(port, "127.0.0.1", listener.fileno()),
            *(os.getppid(), process.username()),
        )
    ]
    assert engine.query(
        "select name, local_port, net_namespace from process_open_sockets"
        f" join processes using (pid) where local_port = {port} and remote_address != '' and pid = {ME}"
    ) == [(process.name(), port, str(os.stat("/proc/self/ns/net").st_ino))]


# 6. Whichever way a join is written, the inner table must not be read for each row of the outer.


@pytest.mark.parametrize(
    "joined",
    [
        "processes p join process_open_sockets s using (pid)",
        "process_open_sockets s join processes p using (pid)",
        "processes p cross join process_open_sockets s using (pid)",
        "process_open_sockets s cross join processes p using (pid)",
        "processes p left join process_open_sockets s using (pid)",
    ],
)
def test_each_order_of_a_join_has_the_rows_and_reads_once(
    engine: Engine, stack: ExitStack, joined: str
) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = listener.getsockname()[1]
    sql = f"select p.name, s.local_port from {joined} where s.local_port = {port}"
    assert engine.query(sql) == [(psutil.Process().name(), port)]
    processes = len(psutil.pids())
    plan = {each.table: each for each in engine.plan(sql).tables}
    # Looked at for each row of the other table, collected at most once for each process.
    assert plan["processes"].rows <= 2 * processes + 10
    asked = plan["process_open_sockets"].requests
    assert asked == sorted(set(asked), key=asked.index)
    # What has no port is not asked for, where SQLite hands the condition over; what is none of
    # osquery's never is.
    others = [each for each in asked if "unix" in each or "netlink" in each or "vsock" in each]
    assert others == (["sock_diag unix show=0x05"] if "left" in joined else [])
    assert [each for each in asked if each.startswith("/proc/*/fd")] == ["/proc/*/fd"]


# 7. OR over one column is IN; over several, SQLite checks it; a plus keeps a condition back.


def test_or_has_the_rows_of_both(engine: Engine, sleeper: int) -> None:
    both = sorted([(ME,), (sleeper,)])
    one = f"select pid from processes where pid = {ME} or pid = '{sleeper}' order by pid"
    assert engine.query(one) == both
    assert conditions(engine, one) == {"processes": [f"pid in {tuple(sorted([ME, sleeper]))}"]}
    parent = f"select pid from processes where pid = {ME} or parent = {ME} order by pid"
    assert {(ME,), (sleeper,)} <= set(engine.query(parent))
    kept = f"select pid from processes where +pid = {ME}"
    assert (engine.query(kept), conditions(engine, kept)) == ([(ME,)], {"processes": []})


# 8. LEFT JOIN with a condition on the right table; a required column whose values come by IN.


def test_a_left_join_keeps_what_has_no_partner(engine: Engine, sleeper: int) -> None:
    joined = (
        "from processes p left join process_open_sockets s on s.pid = p.pid"
        f" and s.local_port = -5 where p.pid in ({ME}, {sleeper})"
    )
    assert engine.query(f"select p.pid, s.pid {joined} order by 1") == sorted(
        [(ME, None), (sleeper, None)]
    )
    assert engine.query(f"select p.pid {joined} and s.pid is null order by 1") == sorted(
        [(ME,), (sleeper,)]
    )
    assert engine.query(f"select p.pid {joined} and s.pid > 0") == []


def test_a_required_column_may_have_its_value_from_anywhere(engine: Engine, tmp_path: Path) -> None:
    one, two = (tmp_path / name for name in ("one", "two"))
    one.write_bytes(b"1")
    two.write_bytes(b"22")
    both = [(str(one), 1), (str(two), 2)]
    paths = f"'{one}', '{two}'"
    for sql in (
        f"select path, size from file where path in ({paths}) order by 1",
        f"select path, size from file where path = '{one}' or path = '{two}' order by 1",
        f"select path, size from file where path in (values ('{one}'), ('{two}')) order by 1",
        f"with p(path) as (values ('{one}'), ('{two}')) select path, size from p join file using (path)",
        f"with p(path) as (values ('{one}'), ('{two}')) select path, size from p left join file using (path)",
        f"select path, size from file where directory = '{tmp_path}' order by 1",
    ):
        assert (sql, engine.query(sql)) == (sql, both)
    with pytest.raises(QueryError):
        engine.query("select * from file")


# 9. What is asked for by its number is looked up, not searched for in the listing.


def test_a_thread_is_there_by_its_number_and_in_no_listing(engine: Engine) -> None:
    """How a published query finds processes that a rootkit takes out of the listing of /proc."""
    started, stop = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        stop.wait()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    started.wait()
    tid = thread.native_id
    assert engine.query(f"select pid from processes where pid = {tid}") == [(tid,)]
    assert engine.query(f"select pid from processes where pid in ({tid}, {ME})") == sorted(
        [(ME,), (tid,)]
    )
    assert engine.query(f"select pid from processes where +pid = {tid}") == []
    # As published: numbers that have a process, and are in no listing of the same statement.
    hidden = (
        f"with n(x) as (values ({tid}), ({ME})) select x from n join processes p on x = p.pid"
        " where x not in (select pid from processes)"
    )
    assert engine.query(hidden) == [(tid,)]
    # A listing that another query of a pack has asked for is no answer either.
    listing = "select pid from processes"
    engine.share()
    for sql in (listing, hidden):
        engine.foresee(sql)
    assert (ME,) in engine.query(listing)
    assert engine.query(hidden) == [(tid,)]
    engine.thaw()
    stop.set()
    thread.join()


# 10. A text is not a part of a path.


@pytest.mark.parametrize("table", ["processes", "process_envs", "process_open_files"])
@pytest.mark.parametrize(
    "pid", ["self", "thread-self", "../proc/1", "1/task/1", "-1", "", ".", "net", "0x1", "1;1"]
)
def test_what_is_no_number_is_no_process(engine: Engine, table: str, pid: str) -> None:
    assert engine.query(f"select pid from {table} where pid = :pid", {"pid": pid}) == []
    assert engine.query(f"select pid from {table} where pid in (:pid, 'x')", {"pid": pid}) == []


# 11. Published queries have texts in double quotes.


def test_a_text_may_stand_in_double_quotes(engine: Engine) -> None:
    sql = f'select name from processes where state != "no such state" and pid = "{ME}"'
    assert engine.query(sql) == [(psutil.Process().name(),)]
    assert engine.query('select "pid" from "processes" where "pid" = 1') == [(1,)]
    with (
        Engine(Host()) as plain,
        pytest.raises(QueryError, match='no such column: "no such state"'),
    ):
        plain.query('select name from processes where status != "no such state"')


# 12. NULL and '' are different, and queries compare with one or the other.


def test_null_and_the_empty_text_are_where_osquery_has_them(
    engine: Engine, stack: ExitStack, tmp_path: Path
) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = listener.getsockname()[1]
    unix = stack.enter_context(socket.socket(socket.AF_UNIX))
    path = str(tmp_path / "s")
    unix.bind(path)
    unix.listen()

    def rows(columns: str, table: str, inode: int) -> list[tuple[Any, ...]]:
        return engine.query(f"select {columns} from {table} where socket = {inode}")

    inodes = [os.fstat(each.fileno()).st_ino for each in (listener, unix)]
    listening = "select address is null, path is null, port, path from listening_ports"
    assert engine.query(f"{listening} where port = {port} and pid = {ME}") == [(0, 1, port, None)]
    assert engine.query(f"{listening} where path = '{path}' and pid = {ME}") == [(1, 0, 0, path)]
    # A NULL is not unequal to anything, so this leaves out the sockets of the network.
    unequal = f"select distinct port from listening_ports where path <> '' and pid = {ME}"
    assert engine.query(unequal) == [(0,)]
    columns = "local_address, remote_address, local_port, remote_port, path, state"
    assert rows(columns, "process_open_sockets", inodes[0]) == [
        ("127.0.0.1", "0.0.0.0", port, 0, "", "LISTEN")
    ]
    assert rows(columns, "process_open_sockets", inodes[1]) == [("", "", 0, 0, path, "")]
    for nameless in socket.socketpair():
        stack.enter_context(nameless)
        inode = os.fstat(nameless.fileno()).st_ino
        assert rows(columns, "process_open_sockets", inode) == [("", "", 0, 0, "", "")]
        assert rows("*", "listening_ports", inode) == []
    assert engine.query("select count(*) from processes where pid = ''") == [(0,)]
    (kernel,) = engine.query(
        f"select path = '', cmdline = '', cwd = '' from processes where pid = {ME}"
    )
    assert kernel == (0, 0, 0)
