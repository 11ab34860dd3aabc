"""Tables of processes while others appear and vanish by the thousand, on the running kernel."""

from __future__ import annotations

import os
import time

import pytest

from sockql import connect
from tests.live.children import child

QUERIES = (
    "select distinct pid from fds",
    "select distinct pid from fds join processes using(pid)",
    "select distinct pid from fds where type is not null and flags is not null",
    "select distinct pid from endpoints where kind = 'pipe' and peer_pid is not null",
    "select distinct pid from process_files where deleted = 0",
    "select pid from processes where uid is not null and container_id is null",
    "select distinct pid from process_files where role = 'cwd'",
    "select distinct pid from process_maps",
    "select distinct pid from process_envs",
    "select distinct pid from process_limits",
    "select distinct pid from threads where status is not null",
    "select pid from process_tree where depth >= 0",
)


def storm() -> None:
    """Fork and end as fast as can be, for ten seconds at most."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)


@pytest.mark.parametrize("query", QUERIES)
def test_who_stays_is_found_and_nobody_is_found_twice(query: str) -> None:
    pipe = os.pipe()
    with child(os.pipe) as (stays, _), child(lambda: None, storm), connect() as engine:
        for _ in range(5):
            found = [row[0] for row in engine.query(query)]
            assert {stays, os.getpid()} <= set(found)
            assert len(found) == len(set(found))
    for end in pipe:
        os.close(end)


def test_a_row_never_mixes_two_processes() -> None:
    """All that is read of a process is of one: what it inherits and what tells it from others."""
    with child(lambda: None, storm) as (pid, _), connect() as engine:
        for _ in range(20):
            for child_pid, parent, session, name in engine.query(
                f"select pid, parent, session, name from processes where parent = {pid}"
            ):
                [expected] = engine.query(f"select session, name from processes where pid = {pid}")
                assert child_pid != parent
                assert (session, name) == expected
