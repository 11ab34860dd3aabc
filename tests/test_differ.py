from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql import tables
from sockql.schema import Schema
from sockql.watch.differ import _IDENTITIES, ADDED, CHANGED, REMOVED, SAME, Line, compare, keys

CELLS = st.one_of(st.none(), st.integers(0, 3), st.sampled_from(["a", "b"]))
RESULTS = st.lists(st.tuples(CELLS, CELLS), max_size=12)
KEYS = st.lists(st.sampled_from([(), (0,), (1,), (0, 1)]), max_size=3)


def schema(name: str) -> Schema | None:
    return tables.load(name).schema if name in tables.NAMES else None


# -- compare ------------------------------------------------------------------------------------


def test_a_first_result_is_all_new() -> None:
    assert compare([], [(1, "a"), (2, "b")], [(0,)]) == [
        Line(ADDED, (1, "a")),
        Line(ADDED, (2, "b")),
    ]


def test_rows_are_matched_by_their_key() -> None:
    before = [(1, "a"), (2, "b"), (3, "c")]
    after = [(3, "c"), (1, "x"), (4, "d")]
    assert compare(before, after, [(0,)]) == [
        Line(SAME, (3, "c")),
        Line(CHANGED, (1, "x"), (1, "a")),
        Line(REMOVED, (2, "b")),
        Line(ADDED, (4, "d")),
    ]


def test_what_has_gone_stands_where_it_stood() -> None:
    before = [(1,), (2,), (3,), (4,)]
    assert compare(before, [(2,), (4,)]) == [
        Line(REMOVED, (1,)),
        Line(SAME, (2,)),
        Line(REMOVED, (3,)),
        Line(SAME, (4,)),
    ]


def test_without_a_key_rows_come_and_go_as_often_as_they_are_there() -> None:
    before = [("a",), ("a",), ("b",)]
    after = [("a",), ("c",), ("b",), ("b",)]
    lines = compare(before, after)
    assert Counter((line.kind, line.row) for line in lines) == {
        (SAME, ("a",)): 1,
        (SAME, ("b",)): 1,
        (REMOVED, ("a",)): 1,
        (ADDED, ("b",)): 1,
        (ADDED, ("c",)): 1,
    }


def test_a_key_that_several_rows_have_identifies_none_of_them() -> None:
    before = [(1, "a"), (1, "b")]
    after = [(1, "a"), (1, "c")]
    assert [line.kind for line in compare(before, after, [(0,)])] == [SAME, REMOVED, ADDED]
    assert [line.kind for line in compare([(1, "a")], after, [(0,)])] == [SAME, ADDED]
    assert [line.kind for line in compare([(1, "b")], after, [(0,)])] == [REMOVED, ADDED, ADDED]


def test_null_identifies_nothing_unless_another_cell_does() -> None:
    assert [line.kind for line in compare([(None, 1)], [(None, 2)], [(0,)])] == [REMOVED, ADDED]
    before, after = [(7, None, 1)], [(7, None, 2)]
    assert compare(before, after, [(0, 1)]) == [Line(CHANGED, (7, None, 2), (7, None, 1))]


def test_the_key_of_no_cells_is_that_of_an_only_row() -> None:
    assert compare([(5,)], [(6,)], [()]) == [Line(CHANGED, (6,), (5,))]
    assert [line.kind for line in compare([(5,)], [(6,), (7,)], [()])] == [REMOVED, ADDED, ADDED]


def test_a_second_key_is_for_what_the_first_does_not_match() -> None:
    before = [("init", 1, 10), ("bash", 1, 5), ("bash", 2, 7)]
    after = [("init", 1, 11), ("bash", 1, 6), ("bash", 2, 7)]
    assert compare(before, after, [(0,), (0, 1)]) == [
        Line(CHANGED, ("init", 1, 11), ("init", 1, 10)),
        Line(CHANGED, ("bash", 1, 6), ("bash", 1, 5)),
        Line(SAME, ("bash", 2, 7)),
    ]


def test_the_cells_that_changed_are_told() -> None:
    assert Line(CHANGED, (1, "b", None, 4), (1, "a", 3, 4)).cells == [1, 2]
    assert Line(ADDED, (1, "b")).cells == []


@given(RESULTS, RESULTS, KEYS)
def test_the_differences_lead_from_one_result_to_the_other(
    before: list[tuple[object, ...]],
    after: list[tuple[object, ...]],
    by: list[tuple[int, ...]],
) -> None:
    lines = compare(before, after, by)
    assert [line.row for line in lines if line.kind != REMOVED] == after
    had = Counter(line.row for line in lines if line.kind in (SAME, REMOVED))
    had += Counter(line.before for line in lines if line.before is not None)
    assert had == Counter(before)
    for line in lines:
        assert (line.kind == CHANGED) == (line.before is not None) == bool(line.cells)
        if line.before is not None:
            assert any(all(line.row[i] == line.before[i] for i in key) for key in by)


@given(RESULTS, KEYS)
def test_nothing_changes_from_a_result_to_itself(
    rows: list[tuple[object, ...]], by: list[tuple[int, ...]]
) -> None:
    assert compare(rows, rows, by) == [Line(SAME, row) for row in rows]


# -- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("sockets.state sockets.cookie sockets.inode", [(1,)]),
        ("sockets.inode sockets.state sockets.sport", [(0,)]),
        ("sockets.src sockets.sport sockets.state sockets.family", [(0, 1, 3)]),
        ("sockets.src sockets.state sockets.family", [(0, 2)]),
        ("sockets.state sockets.recv_queue", []),
        ("fds.pid fds.fd fds.target", [(0, 1)]),
        ("fds.pid fds.fd fds.tid", [(0, 1, 2)]),
        ("fds.pid fds.target", []),
        ("processes.pid processes.name", [(0,)]),
        ("processes.name processes.start_time processes.pid", [(1, 2)]),
        ("processes.name", []),
        ("fds.pid fds.fd sockets.state sockets.cookie processes.name", [(0, 1, 3)]),
        ("fds.pid processes.name", [(0,)]),
        ("- -", [()]),
        ("processes.pid -", [(0,)]),
        ("snmp.value snmp.name snmp.protocol", [(1, 2)]),
        ("interfaces.ifindex interfaces.rx_bytes", [(0,)]),
        ("interfaces.ifindex interfaces.interface", [(1,)]),
        ("process_envs.pid process_envs.value", []),
        ("nothing.id", []),
        ("", [()]),
    ],
)
def test_keys_come_from_the_columns_of_the_tables(
    columns: str, expected: list[tuple[int, ...]]
) -> None:
    origins = [
        None if word == "-" else (word.split(".")[0], word.split(".")[1])
        for word in columns.split()
    ]
    assert keys(origins, schema, grouped=False) == expected


def test_identities_are_columns_of_their_tables() -> None:
    for table, identities in _IDENTITIES.items():
        columns = tables.load(table).schema.by_name
        names = {name.rstrip("?") for identity in identities for name in identity}
        assert names - set(columns) == set()


def test_groups_are_told_apart_by_what_is_not_computed() -> None:
    state, pid, name = ("sockets", "state"), ("processes", "pid"), ("processes", "name")
    assert keys([state, None], schema, grouped=True) == [(0,)]
    assert keys([name, None, pid], schema, grouped=True) == [(2,), (0, 2)]
    assert keys([None], schema, grouped=True) == []


def test_other_tables_are_known_by_what_they_are_looked_up_by() -> None:
    found = tables.load("fds").schema
    origins = [("mine", "target"), ("mine", "pid"), ("mine", "inode")]
    assert keys(origins, lambda _name: found, grouped=False) == [(1, 2)]
