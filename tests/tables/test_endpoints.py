"""The table endpoints over a machine that is put together by hand."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.request import UNKNOWN, Constraint, Request
from sockql.snapshot import Snapshot
from sockql.tables.endpoints import TABLE
from tests import fakeproc
from tests.fakeproc import Link, proc_tree
from tests.sockmessages import Scripted, Unix, answering, attribute, in_one

PEER, ICONS = 2, 3
HEAD = b"pos:\t0\nflags:\t02\nmnt_id:\t16\nino:\t9\n"

#: The server 42 and its worker 43 share the accepted end of a connection that 44 made; another
#: client waits, and one end is held by nobody.
SOCKETS = [
    Unix(1, 10, 100, 1, attribute(ICONS, struct.pack("=II", 0, 103))),
    Unix(1, 1, 101, 2, attribute(PEER, struct.pack("=I", 102))),
    Unix(1, 1, 102, 3, attribute(PEER, struct.pack("=I", 101))),
    Unix(1, 1, 103, 4, attribute(PEER, struct.pack("=I", 0))),
    Unix(1, 1, 104, 5, attribute(PEER, struct.pack("=I", 105))),
    Unix(1, 1, 105, 6, attribute(PEER, struct.pack("=I", 104))),
]
EXPECTED = [
    (42, 3, "unix", 100, 44, 4, 103, None, "queue"),
    (42, 4, "unix", 101, 44, 3, 102, "rw", "peer"),
    (42, 5, "eventfd", None, 43, 5, None, "rw", "id"),
    (42, 6, "pidfd", None, 43, None, None, None, "fdinfo"),
    (43, 3, "unix", 101, 44, 3, 102, "rw", "peer"),
    (43, 5, "eventfd", None, 42, 5, None, "rw", "id"),
    (44, 3, "unix", 102, 42, 4, 101, "rw", "peer"),
    (44, 3, "unix", 102, 43, 3, 101, "rw", "peer"),
    (44, 4, "unix", 103, 42, 3, 100, None, "queue"),
    (44, 5, "unix", 104, None, None, 105, "rw", "peer"),
]
COLUMNS = [
    *("pid", "fd", "kind", "inode", "peer_pid", "peer_fd", "peer_inode"),
    *("direction", "via"),
]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Scripted]:
    files: dict[str, Any] = {
        "42/fd/3": Link("socket:[100]"),
        "42/fd/4": Link("socket:[101]"),
        "42/fd/5": Link("anon_inode:[eventfd]"),
        "42/fdinfo/5": HEAD + b"eventfd-count: 0\neventfd-id: 7\n",
        "42/fd/6": Link("anon_inode:[pidfd]"),
        "42/fdinfo/6": HEAD + b"Pid:\t43\nNSpid:\t43\n",
        "43/fd/3": Link("socket:[101]"),
        "43/fd/5": Link("anon_inode:[eventfd]"),
        "43/fdinfo/5": HEAD + b"eventfd-count: 0\neventfd-id: 7\n",
        "44/fd/3": Link("socket:[102]"),
        "44/fd/4": Link("socket:[103]"),
        "44/fd/5": Link("socket:[104]"),
        "self": Link("42"),
        "42/ns/net": Link("net:[4026531833]"),
    }
    for pid in (42, 43, 44):
        files[f"{pid}/stat"] = fakeproc.stat(pid)
        files[f"{pid}/task/{pid}/stat"] = b""
    unix = in_one(one.pack() for one in SOCKETS)
    made = Scripted(answering({(1, 0): unix}), proc_tree(files, tmp_path))
    yield made
    made.close()


def delivered(host: Scripted, *constraints: Constraint) -> list[tuple[Any, ...]]:
    """The rows as the table delivers them, those that the conditions leave."""
    request = Request(TABLE.schema, Snapshot(), columns=COLUMNS, constraints=constraints)
    getters = [TABLE.schema.by_name[name].get for name in COLUMNS]
    rows = [tuple(get(record) for get in getters) for record in TABLE.records(request, host)]
    for constraint in constraints:
        place = COLUMNS.index(constraint.column)
        if constraint.operator == "=" and constraint.value is not UNKNOWN:
            rows = [row for row in rows if row[place] == constraint.value]
    return sorted(rows, key=repr)


def test_every_descriptor_leads_to_all_that_hold_the_other_end(host: Scripted) -> None:
    assert delivered(host) == EXPECTED


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("pid", pid) for pid in (42, 43, 44, 45)),
        *(("peer_pid", pid) for pid in (42, 43, 44)),
        *(("inode", inode) for inode in (100, 101, 102, 104, 999)),
        *(("peer_inode", inode) for inode in (100, 101, 105)),
        ("kind", "eventfd"),
        ("kind", "pidfd"),
        ("fd", 3),
    ],
)
def test_a_condition_leaves_the_rows_that_meet_it(host: Scripted, column: str, value: Any) -> None:
    place = COLUMNS.index(column)
    assert delivered(host, Constraint(column, "=", value)) == [
        row for row in EXPECTED if row[place] == value
    ]


def test_conditions_on_both_ends_are_both_met(host: Scripted) -> None:
    assert delivered(host, Constraint("pid", "=", 44), Constraint("peer_pid", "=", 43)) == [
        (44, 3, "unix", 102, 43, 3, 101, "rw", "peer")
    ]
    assert delivered(host, Constraint("pid", "=", 44), Constraint("inode", "=", 104)) == [
        (44, 5, "unix", 104, None, None, 105, "rw", "peer")
    ]


def test_a_join_on_the_inode_asks_for_sockets_alone(host: Scripted) -> None:
    wanted = [row for row in EXPECTED if row[3] is not None]
    assert delivered(host, Constraint("inode", "=", UNKNOWN)) == wanted


def test_no_socket_is_asked_for_where_none_can_be_an_answer(host: Scripted) -> None:
    delivered(host, Constraint("kind", "=", "eventfd"))
    delivered(host, Constraint("pid", "=", 45))
    assert host.requests == []


def test_unix_sockets_are_found_without_asking_for_others(host: Scripted) -> None:
    delivered(host, Constraint("inode", "=", 101))
    assert {request[16] for _, request in host.requests} == {1}


def test_where_nothing_can_match_nothing_is_read(host: Scripted) -> None:
    for constraints in (
        (Constraint("pid", "=", 42), Constraint("pid", "=", 43)),
        (Constraint("kind", "=", "pipe"), Constraint("inode", "=", 101)),
    ):
        assert delivered(host, *constraints) == []
    assert host.requests == []


def test_a_number_that_stands_for_something_else_is_no_target(
    host: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    status = (tmp_path / "file").stat()
    device = (status.st_dev >> 8 & 0xFFF) << 20 | status.st_dev & 0xFF
    target = b"tfd: %8d events: 19 data: 0  pos:0 ino:%x sdev:%x\n"
    files: dict[str, bytes | Link | None] = {
        "44/fd/7": Link(tmp_path / "file"),
        "44/fd/8": Link("anon_inode:[eventpoll]"),
        "44/fdinfo/8": HEAD
        + target % (7, status.st_ino, device)
        + target % (7, status.st_ino + 1, device)
        + target % (9, status.st_ino, device),
    }
    proc_tree(files, tmp_path)
    assert delivered(host, Constraint("kind", "=", "epoll")) == [
        (44, 8, "epoll", None, 44, 7, None, None, "fdinfo"),
        (44, 8, "epoll", None, None, None, None, None, "fdinfo"),
        (44, 8, "epoll", None, None, None, None, None, "fdinfo"),
    ]


def test_the_estimate_is_that_of_a_walk_over_all_processes(host: Scripted) -> None:
    def rows(*names: str) -> float:
        conditions = [Constraint(name, "=", UNKNOWN) for name in names]
        request = Request(TABLE.schema, Snapshot(), constraints=conditions)
        return TABLE.estimate(request, host)[0]

    assert rows() >= rows("pid") >= rows("pid", "fd") >= 1
    assert rows() >= rows("inode") >= 1
