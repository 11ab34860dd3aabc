"""What scans of processes and descriptors are said to cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.host import Host
from sockql.proc import costs as process_costs
from sockql.request import UNKNOWN, Constraint, Request
from sockql.schema import Table
from sockql.snapshot import Snapshot
from sockql.tables import fds, processes
from tests.fakeproc import PROCESSES, proc_tree

Cost = Callable[..., tuple[float, float]]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    files = {"sys/fs/file-nr": b"300\t0\t1000\n"}
    host = Host(str(proc_tree({**PROCESSES, **files}, tmp_path)))
    yield host
    host.close()


def costs(table: Table[Any], host: Host) -> Cost:
    def cost(*constraints: Constraint) -> tuple[float, float]:
        return table.estimate(Request(table.schema, Snapshot(), constraints=constraints), host)

    return cost


def test_processes_are_cheaper_by_number(host: Host) -> None:
    cost = costs(processes.TABLE, host)
    everything, one = cost(), cost(Constraint("pid", "=", UNKNOWN))
    two = cost(Constraint("pid", "in", frozenset({1, 2})))
    assert [everything[0], one[0], two[0]] == [3, 1, 2]
    assert one[1] < two[1]
    assert one[1] < everything[1]
    assert cost(Constraint("pid", ">", UNKNOWN))[1] < everything[1]
    assert cost(Constraint("name", "=", UNKNOWN)) == everything


def test_descriptors_are_cheaper_of_one_process(host: Host) -> None:
    cost = costs(fds.TABLE, host)
    everything, one = cost(), cost(Constraint("pid", "=", UNKNOWN))
    two = cost(Constraint("pid", "in", frozenset({1, 2})))
    assert [everything[0], one[0], two[0]] == [300, 100, 200]
    assert one[1] < two[1] < everything[1]
    assert cost(Constraint("fd", "=", 3), Constraint("pid", "=", 42))[0] == 1
    # To find a socket everything is read.
    assert cost(Constraint("inode", "=", UNKNOWN)) == (1, everything[1])
    assert cost(Constraint("type", "=", "socket"))[0] < everything[0]


def test_without_the_number_of_open_files_it_is_guessed(host: Host) -> None:
    os.unlink(f"{host.proc_path}/sys/fs/file-nr")
    rows, microseconds = costs(fds.TABLE, host)()
    assert rows > 3
    assert microseconds > rows


def test_the_kernel_says_how_many_processes_there_are() -> None:
    host = Host()
    listed = sum(map(str.isdecimal, os.listdir("/proc")))
    counted = process_costs.count(Request(processes.TABLE.schema, Snapshot()), host)
    host.close()
    # Those of inner pid namespaces and of other mounts count as well.
    assert counted >= listed / 2
