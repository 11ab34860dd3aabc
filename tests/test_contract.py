"""What every table, column, function and saved query promises by being declared."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from sockql import connect, tables
from sockql.engine import Engine
from sockql.functions import FUNCTIONS, Function
from sockql.request import Request
from sockql.saved.check import check_files
from sockql.saved.library import files_in, is_name
from sockql.saved.query import read
from sockql.schema import BLOB, INTEGER, REAL, TEXT, UNITS, Column, Table
from sockql.snapshot import Snapshot
from tests.conftest import ROOT

TABLES = {table.schema.name: table for table in tables.load_all()}
COLUMNS = [
    pytest.param(table, column, id=f"{table.schema.name}.{column.name}")
    for table in TABLES.values()
    for column in table.schema.columns
]
EXAMPLES = [
    pytest.param(example, id=f"{table.schema.name}-{number}")
    for table in TABLES.values()
    for number, example in enumerate(table.schema.examples)
]
every_table = pytest.mark.parametrize("table", [*TABLES.values()], ids=[*TABLES])
every_column = pytest.mark.parametrize(("table", "column"), COLUMNS)

SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CLASSES = {INTEGER: int, REAL: float, TEXT: str, BLOB: bytes}

#: What people have in their scripts: the columns of `select *`, in this order.
VISIBLE = {
    "sockets": "netns family protocol socktype state src sport dst dport recv_queue send_queue"
    " inode socket_uid interface",
    "fds": "pid fd type target inode mode flags pos",
}
#: The tables that people join, and the columns by which they do.
CORE = ("fds", "processes", "sockets")
KEYS = {
    ("fds", "processes"): {"pid"},
    ("fds", "sockets"): {"inode"},
    ("processes", "sockets"): set(),
}


#: Names joined by commas: an empty text has none of them, which is known.
LISTS = {("fds", "flags")}
#: Texts that somebody chose, who may have chosen any.
CHOSEN = {("process_envs", "key"), ("process_envs", "value")}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


@pytest.fixture(scope="module")
def rows() -> Iterator[Rows]:
    """Rows of every table, with all columns, of a machine on which all kinds of things are open."""
    with ExitStack() as stack:
        open_things(stack)
        with connect() as made:
            yield Rows(made)


class Rows:
    """The columns of the tables as the live machine has them."""

    def __init__(self, engine: Engine) -> None:
        self.cells = cache(self._cells)
        self._engine = engine

    def _cells(self, table: str) -> dict[str, tuple[Any, ...]]:
        names = [column.name for column in TABLES[table].schema.columns]
        listed = ", ".join(f'"{name}"' for name in names)
        found = self._engine.query(f"select {listed} from {table}")
        assert found, f"{table} is empty although something is open"
        return dict(zip(names, zip(*found)))


def open_things(stack: ExitStack) -> None:
    """Open sockets of all kinds in several states, pipes, files, a lock, and a zombie."""

    def opened(family: int, kind: int) -> socket.socket:
        return stack.enter_context(socket.socket(family, kind))

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            listener = opened(family, socket.SOCK_STREAM)
            listener.bind((address, 0))
        except OSError:
            continue  # no IPv6 here
        listener.listen(3)
        client = opened(family, socket.SOCK_STREAM)
        client.connect(listener.getsockname())
        client.send(b"unread")
        if family == socket.AF_INET:
            stack.enter_context(listener.accept()[0])
        opened(family, socket.SOCK_STREAM).bind((address, 0))
        bound = opened(family, socket.SOCK_DGRAM)
        bound.bind((address, 0))
        opened(family, socket.SOCK_DGRAM).connect(bound.getsockname())
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        for end in socket.socketpair(socket.AF_UNIX, kind):
            stack.enter_context(end)
        named = opened(socket.AF_UNIX, kind)
        named.bind(str(folder / str(kind)))
        opened(socket.AF_UNIX, kind).bind(f"\0sockql-contract-{os.getpid()}-{kind}")
        if kind != socket.SOCK_DGRAM:
            named.listen(1)
    for descriptor in (*os.pipe(), os.open(folder, os.O_RDONLY), os.open(folder, os.O_PATH)):
        stack.callback(os.close, descriptor)
    file = stack.enter_context((folder / "deleted").open("w+b"))
    (folder / "deleted").unlink()
    file.write(b"x")
    fcntl.flock(file, fcntl.LOCK_EX)
    zombie = os.fork()
    if zombie == 0:
        os._exit(0)
    stack.callback(os.waitpid, zombie, 0)


def names(engine: Engine, query: str) -> tuple[str, ...]:
    """The columns of a query, which is not run to its end."""
    result = next(engine.execute(f"{query} limit 0"))
    result.close()
    return result.columns


# -- names and words ----------------------------------------------------------------------------


def test_every_file_is_a_table_and_every_table_a_file() -> None:
    files = {path.stem for path in (ROOT / "tables").glob("*.py")} - {"__init__"}
    assert set(tables.NAMES) == set(TABLES) == files
    assert list(tables.NAMES) == sorted(tables.NAMES)


@every_table
def test_a_table_says_in_sentences_what_its_rows_are(table: Table[Any]) -> None:
    schema = table.schema
    assert SNAKE_CASE.fullmatch(schema.name)
    assert table.__class__.__module__ == f"sockql.tables.{schema.name}"
    assert schema.doc[0].isupper()
    assert schema.doc.split("\n\n")[0].endswith(".")
    assert schema.doc.endswith(".")
    assert schema.examples


@every_column
def test_a_column_says_in_sentences_what_it_means(table: Table[Any], column: Column) -> None:
    assert SNAKE_CASE.fullmatch(column.name)
    assert column.doc.endswith(".")
    assert column.doc[0].isupper() or column.doc[0].isdigit()
    assert column.doc == " ".join(column.doc.split())
    assert column.source.strip()


@every_column
def test_a_column_declares_a_type_and_a_unit_that_exist(table: Table[Any], column: Column) -> None:
    assert column.type in CLASSES
    assert column.unit is None or column.unit in UNITS
    assert column.unit is None or column.type in (INTEGER, REAL)
    assert column.values is None or column.type == TEXT
    values = column.values or ()
    assert len({v.lower() if column.nocase else v for v in values}) == len(values)


@every_column
def test_a_column_can_be_named_without_quotes(
    engine: Engine, table: Table[Any], column: Column
) -> None:
    assert names(engine, f"select {column.name} from {table.schema.name}") == (column.name,)


def test_a_column_name_has_one_type_and_one_unit_in_all_tables() -> None:
    found: dict[str, set[tuple[str, str | None]]] = {}
    for table in TABLES.values():
        for column in table.schema.columns:
            found.setdefault(column.name, set()).add((column.type, column.unit))
    differing = {name: said for name, said in found.items() if len(said) > 1}
    # The value of a pair of name and value is what its name says, a number or a text.
    assert differing.keys() <= {"value"}, differing


@pytest.mark.parametrize("pair", [*combinations(CORE, 2)], ids="-".join)
def test_core_tables_share_only_the_columns_they_are_joined_by(pair: tuple[str, str]) -> None:
    left, right = (set(TABLES[name].schema.by_name) for name in pair)
    assert left & right == KEYS[pair]


def test_the_core_tables_join_by_those_columns(engine: Engine) -> None:
    natural = "select sockets.inode, fds.pid from sockets natural join fds natural join processes"
    assert names(engine, natural) == ("inode", "pid")


@pytest.mark.parametrize("name", [*VISIBLE])
def test_select_star_has_the_columns_that_scripts_rely_on(engine: Engine, name: str) -> None:
    assert names(engine, f"select * from {name}") == tuple(VISIBLE[name].split())


@every_table
def test_select_star_leaves_out_the_hidden_columns(engine: Engine, table: Table[Any]) -> None:
    visible = tuple(column.name for column in table.schema.visible)
    assert names(engine, f"select * from {table.schema.name}") == visible


# -- the live machine ---------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(engine: Engine, example: str) -> None:
    assert not example.rstrip().endswith(";")
    engine.query(example)


@every_column
def test_cells_have_the_type_of_their_column(rows: Rows, table: Table[Any], column: Column) -> None:
    cells = rows.cells(table.schema.name)[column.name]
    wanted = CLASSES[column.type]
    assert {type(cell) for cell in cells if cell is not None} <= {wanted}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        pytest.param(table, column, id=f"{table.schema.name}.{column.name}")
        for table in TABLES.values()
        for column in table.schema.columns
        if column.bulk is not None
    ],
)
def test_cells_made_in_bulk_are_those_made_one_by_one(table: Table[Any], column: Column) -> None:
    with connect() as engine:
        request = Request(table.schema, Snapshot(), columns={column.name})
        records = list(table.records(request, engine.host))
        assert records
        assert column.cells(records) == [column.get(record) for record in records]
        for record in records[:10]:
            assert column.cells([record]) == [column.get(record)]


@every_column
def test_a_column_that_is_null_says_when(rows: Rows, table: Table[Any], column: Column) -> None:
    if None in rows.cells(table.schema.name)[column.name]:
        assert re.search(r"\bNULL\b", column.doc)


@every_column
def test_a_closed_set_has_every_value_that_is_seen(
    rows: Rows, table: Table[Any], column: Column
) -> None:
    if column.values is not None:
        cells = rows.cells(table.schema.name)[column.name]
        assert set(cells) - {None} - set(column.values) == set()


@every_column
def test_no_cell_stands_for_nothing(rows: Rows, table: Table[Any], column: Column) -> None:
    """What is unknown is NULL, and nothing else."""
    if (table.schema.name, column.name) in CHOSEN:
        return
    nothing = {"", "?", "??", "-", "n/a", "unknown"} - set(column.values or ())
    if (table.schema.name, column.name) in LISTS:
        nothing.remove("")
    assert set(rows.cells(table.schema.name)[column.name]) & nothing == set()
    if column.unit is not None:
        assert -1 not in rows.cells(table.schema.name)[column.name]


# -- functions ----------------------------------------------------------------------------------

every_function = pytest.mark.parametrize("function", [*FUNCTIONS.values()], ids=[*FUNCTIONS])


@every_function
def test_a_function_says_in_sentences_what_it_gives(function: Function) -> None:
    assert SNAKE_CASE.fullmatch(function.name)
    assert function.doc.endswith(".")
    assert function.doc.split("\n\n")[0].replace("\n", " ").rstrip().endswith((".", "``."))


@every_function
def test_the_example_of_a_function_gives_what_it_says(engine: Engine, function: Function) -> None:
    assert function.name in function.example
    assert engine.query(function.example) == [(function.result,)]


@every_function
def test_a_function_of_null_is_null(engine: Engine, function: Function) -> None:
    for place in range(len(function.arguments)):
        arguments = ["'1'"] * len(function.arguments)
        arguments[place] = "NULL"
        assert engine.query(f"select {function.name}({', '.join(arguments)})") == [(None,)]


@pytest.mark.parametrize("path", files_in([str(ROOT / "queries")]), ids=os.path.basename)
def test_a_saved_query_has_a_header_and_passes_its_check(engine: Engine, path: str) -> None:
    """Its parameters are used, it prepares, and its keys are columns of the result."""
    assert [str(problem) for problem in check_files(engine, [path])] == []
    query = read(path)
    assert query.lines
    assert is_name(query.name)
