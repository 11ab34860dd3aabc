"""The table threads on threads that the test makes, on the running kernel."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sockql import connect
from sockql.engine import Engine
from tests.live.children import child, state, wait_until

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_NAME = 15
CLONE_NEWNET = 0x40000000


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def named(name: bytes, then: Any = None) -> tuple[int, Any]:
    """A thread that calls itself ``name`` and does ``then``: its number, what that gave."""
    ready = threading.Event()
    said: list[Any] = []

    def run() -> None:
        libc.prctl(PR_SET_NAME, name, 0, 0, 0)
        said.append(threading.get_native_id())
        said.append(then() if then is not None else None)
        ready.set()
        threading.Event().wait()

    threading.Thread(target=run, daemon=True).start()
    assert ready.wait(10)
    return said[0], said[1]


def test_every_thread_is_a_row_with_its_own_name(engine: Engine) -> None:
    names = (b"a) R (\n", b"", b"\xff" * 15)

    def prepare() -> list[int]:
        libc.prctl(PR_SET_NAME, b"main", 0, 0, 0)
        return [named(name)[0] for name in names]

    with child(prepare) as (pid, tids):
        wait_until(lambda: state(pid) == "S")
        query = "select pid, tid, thread_name, status from threads"
        found = engine.query(f"{query} where pid = {pid} order by tid")
        alone = engine.query(f"{query} where tid = {tids[0]}")
        joined = engine.query(
            f"select tid, name from processes join threads using(pid) where parent = {os.getpid()}"
            " order by tid"
        )
        others = {thread.id for thread in psutil.Process(pid).threads()}
    shown = ("main", "a) R (\n", "", "\\xff" * 15)
    expected = [(pid, tid, name, "S") for tid, name in zip((pid, *tids), shown)]
    assert found == expected
    assert alone == expected[1:2]
    assert joined == [(tid, "main") for tid in (pid, *tids)]
    assert others == {pid, *tids}


def test_a_thread_in_another_network_namespace_is_found(engine: Engine) -> None:
    def move() -> tuple[int, int]:
        if libc.unshare(CLONE_NEWNET):
            return ctypes.get_errno(), 0
        return 0, Path("/proc/thread-self/ns/net").stat().st_ino

    with child(lambda: named(b"mover", move)) as (pid, (tid, (error, inode))):
        if error:
            pytest.skip(f"no network namespace of our own ({os.strerror(error)})")
        found = engine.query(
            "select tid, threads.ns_net from threads join processes using(pid)"
            f" where pid = {pid} and threads.ns_net != processes.ns_net"
        )
    assert found == [(tid, inode)]
