"""The table cgroups on groups that the test makes, on the running kernel."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql import connect
from sockql.proc.cgroup_tree import hierarchies
from tests.live.children import child, wait_until


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of version 2."""
    found = hierarchies(Path("/proc/self/mountinfo").read_bytes()).get(None)
    if found is None:
        pytest.skip("no cgroup2 is mounted (ENODEV)")
    made = Path(found[0]) / f"sockql-test-{os.getpid()}"
    try:
        made.mkdir()
    except OSError as error:
        pytest.skip(f"no control group of our own ({os.strerror(error.errno or 0)})")
    yield made
    wait_until(lambda: (made / "cgroup.procs").read_text() == "")
    made.rmdir()


def test_a_group_is_joined_to_its_processes_and_sockets(group: Path) -> None:
    def enter() -> int:
        (group / "cgroup.procs").write_text("0")
        made = socket.socket()
        made.bind(("127.0.0.1", 0))
        made.listen()
        return int(made.getsockname()[1]) + 0 * made.detach()

    with child(enter) as (pid, port), connect() as engine:
        path = f"/{group.name}"
        ours = f"cgroup_path = '{path}' and hierarchy is null"
        found = engine.query(
            f"select cgroup_path, cgroup_id, process_count from cgroups where {ours}"
        )
        joined = engine.query(
            f"select pid from processes join cgroups using(cgroup_path) where {ours}"
        )
        sockets = engine.query(
            "select sport from sockets join cgroups using(cgroup_id)"
            f" where {ours} and state = 'LISTEN'"
        )
    assert found == [(path, group.stat().st_ino, 1)]
    assert joined == [(pid,)]
    assert sockets == [(port,)]
