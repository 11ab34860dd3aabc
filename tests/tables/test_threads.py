"""The table threads over a directory laid out like /proc."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockql.host import Host
from sockql.request import Constraint
from sockql.tables.threads import TABLE
from tests import fakeproc
from tests.fakeproc import STATUS, Link, Tree, proc_tree, rows

VISIBLE = [column.name for column in TABLE.schema.visible]
HIDDEN = [column.name for column in TABLE.schema.columns if column.hidden]
TREE: Tree = {
    "stat": b"cpu 1 2 3\nbtime 1700000000\n",
    "42/stat": fakeproc.stat(42, threads=2),
    "42/task/42/stat": fakeproc.stat(42, b"main", threads=2),
    "42/task/42/status": STATUS,
    "42/task/42/wchan": b"0",
    "42/task/100/stat": fakeproc.stat(100, b"a) (\n\xff", "D", start=2000, exit_signal=-1),
    "42/task/100/status": STATUS.replace(b"1000\t1001", b"7\t8"),
    "42/task/100/wchan": b"io_schedule",
    "42/task/100/cgroup": b"0::/threaded\n",
    "42/task/100/ns/net": Link("net:[77]"),
    "42/task/100/ns/mnt": Link("mnt:[78]"),
    "43/stat": fakeproc.stat(43),
    "43/task/43/stat": fakeproc.stat(43),
}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(str(proc_tree(TREE, tmp_path)))


def test_a_thread_is_a_row_the_main_one_too(host: Host) -> None:
    assert rows(TABLE, host, VISIBLE) == [
        (42, 42, "main", "S", 2, 2500, 500, 1700000010, 5),
        (42, 100, "a) (\n\\xff", "D", 2, 2500, 500, 1700000020, 5),
        (43, 43, "sleep", "S", 2, 2500, 500, 1700000010, 5),
    ]
    assert host.notices == []
    host.close()


def test_hidden_columns_are_of_the_thread_itself(host: Host) -> None:
    [found] = rows(TABLE, host, HIDDEN, Constraint("tid", "=", 100))
    assert dict(zip(HIDDEN, found)) == {
        "sched_priority": 25,
        "rt_priority": 40,
        "sched_policy": "SCHED_FIFO",
        "minflt": 10,
        "majflt": 12,
        "start_ticks": 2000,
        "delayacct_blkio_ticks": 6,
        "wchan": "io_schedule",
        "uid": 7,
        "euid": 8,
        "nspid": "[42,2]",
        "cap_effective": "000000000000000f",
        "seccomp": "filter",
        "thread_sig_pending": "0000000000000000",
        "sig_blocked": "0000000000000002",
        "cpus_allowed": "0-1",
        "voluntary_ctxt_switches": 150,
        "nonvoluntary_ctxt_switches": 5,
        "cgroup_path": "/threaded",
        "ns_net": 77,
        "ns_mnt": 78,
    }
    host.close()


@pytest.mark.parametrize(
    ("constraints", "found"),
    [
        ((Constraint("pid", "=", 42),), [42, 100]),
        ((Constraint("pid", "in", frozenset({43, 44})),), [43]),
        ((Constraint("tid", "=", 43),), [43]),
        ((Constraint("tid", "in", frozenset({-1, 42, 100, 7})),), [42, 100]),
        ((Constraint("pid", "=", 43), Constraint("tid", "=", 100)), []),
        ((Constraint("pid", ">", 43),), []),
    ],
)
def test_conditions_are_met_exactly(
    host: Host, constraints: tuple[Constraint, ...], found: list[int]
) -> None:
    assert [row[0] for row in rows(TABLE, host, ["tid"], *constraints)] == found
    host.close()
