"""The table namespaces on namespaces that the test makes, on the running kernel."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql import connect
from sockql.engine import Engine
from tests.live.children import child

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def in_a_thread(opened: bool) -> tuple[int, int, int | None]:
    """``(errno, inode, descriptor)`` of a network namespace that a thread has made for itself.

    The thread stays, or it opens the namespace and ends.
    """
    said: list[tuple[int, int, int | None]] = []
    ready = threading.Event()

    def run() -> None:
        if libc.unshare(CLONE_NEWNET):
            said.append((ctypes.get_errno(), 0, None))
        else:
            place = "/proc/thread-self/ns/net"
            said.append((0, os.stat(place).st_ino, os.open(place, os.O_RDONLY) if opened else None))
        ready.set()
        if not opened:
            threading.Event().wait()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    if opened:
        thread.join()
    return said[0]


@pytest.mark.parametrize("opened", [False, True], ids=["thread", "descriptor"])
def test_a_namespace_is_found_by_whatever_keeps_it(engine: Engine, opened: bool) -> None:
    with child(lambda: in_a_thread(opened)) as (pid, (error, inode, _)):
        if error:
            pytest.skip(f"no network namespace of our own ({os.strerror(error)})")
        found = engine.query(
            "select process_count, pid, descriptor_count, mount_point from namespaces"
            f" where ns_type = 'net' and ns_inode = {inode}"
        )
    assert found == [(0, None, 1, None) if opened else (1, pid, 0, None)]


def test_a_mounted_namespace_without_processes_is_found(engine: Engine, tmp_path: Path) -> None:
    place = tmp_path / "name space"
    place.touch()
    script = (
        'unshare --net true && unshare --net="$0" true && stat -L -c %i "$0" && read line;'
        ' umount "$0"'
    )
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            pytest.skip("no network and mount namespaces of our own (EPERM)")
        found = engine.query(
            "select process_count, pid, descriptor_count, mount_point from namespaces"
            f" where ns_type = 'net' and ns_inode = {int(said)}"
        )
        process.stdin.write(b"\n")
    assert found == [(0, None, 0, str(place))]


def test_lsns_says_the_same(engine: Engine) -> None:
    if shutil.which("lsns") is None:
        pytest.skip("no lsns(8) (ENOENT)")
    columns = ["TYPE", "NS", "ONS", "PNS"]

    def listed() -> set[tuple[object, ...]] | None:
        done = subprocess.run(["lsns", "--json", "-o", ",".join(columns)], capture_output=True)
        if done.returncode:
            return None  # a process ended while it was looked at
        answer = json.loads(done.stdout)["namespaces"]
        return {
            (space["type"], *(int(space[name.lower()]) or None for name in columns[1:]))
            for space in answer
        }

    for _ in range(10):
        before = listed()
        found = engine.query(
            "select ns_type, ns_inode, owner_ns_inode, parent_ns_inode from namespaces"
            " where pid is not null"
        )
        if before is not None and before == listed():  # nobody came or went meanwhile
            break
    else:
        pytest.skip("namespaces come and go all the time (EAGAIN)")
    assert before <= set(found)
    mine = {(kind, os.stat(f"/proc/self/ns/{kind}").st_ino) for kind in ("net", "user", "mnt")}
    assert mine <= {row[:2] for row in found}
