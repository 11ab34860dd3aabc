"""``sockets`` on a recorded machine, through SQL: what the story did is what the rows say."""

from __future__ import annotations

from sockql.tables.sockets import TABLE
from tests.machines import Recorded
from tests.tables.mixed import COLUMNS, MOVING, VISIBLE, ask, every, names, visible


def test_the_visible_columns_of_every_socket(host: Recorded) -> None:
    who = names(host)
    found = {}
    for cookie, *cells in ask(host, "select cookie, * from sockets where family <> 'netlink'"):
        assert who[cookie] not in found
        found[who[cookie]] = dict(zip(TABLE.schema.by_name, cells))
    assert found == {name: visible(host, name) for name in VISIBLE}


def test_every_column_of_every_socket(host: Recorded) -> None:
    who = names(host)
    found = {}
    for cells in ask(host):
        row = dict(zip(COLUMNS, cells))
        found[who[row["cookie"]]] = row
    # Time goes on between the story and its recording.
    moving = {name: [row.pop(column) for column in MOVING] for name, row in found.items()}
    expires = {name: cells[0] for name, cells in moving.items()}
    expected = {name: every(host, name) for name in VISIBLE}
    for row in expected.values():
        for column in MOVING:
            del row[column]
    assert found == expected
    running = {name: limit for name, limit in expires.items() if limit is not None}
    assert sorted(running) == ["client", "closer"]
    assert 0 < running["client"] <= 7_200_000
    assert 0 < running["closer"] <= 60_000
    connected = {name for name, row in found.items() if row["rtt"] is not None}
    assert connected == {name for name, cells in moving.items() if None not in cells[1:]}
    assert host.notices == []


def test_a_recorded_machine_says_the_same_again(host: Recorded) -> None:
    assert ask(host) == ask(host)


def test_sockets_joined_with_the_process_that_holds_them(host: Recorded) -> None:
    facts = host.facts["sockets"]
    sql = "select cookie, pid, fd from sockets join fds using(inode) join processes using(pid)"
    held = [name for name in VISIBLE if visible(host, name)["inode"] is not None]
    expected = [(facts[name]["cookie"], host.facts["pid"], facts[name]["fd"]) for name in held]
    assert sorted(ask(host, sql)) == sorted(expected)


def test_the_first_question_of_all(host: Recorded) -> None:
    sql = "select pid, sport from sockets join fds using(inode) where state='LISTEN'"
    pid = host.facts["pid"]
    expected = [(pid, None), (pid, None), (pid, 8080), (pid, 8081), (pid, 8082)]
    assert sorted(ask(host, sql), key=repr) == sorted(expected, key=repr)
