"""The table mounts, on the running kernel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql import connect
from sockql.engine import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def test_findmnt_says_the_same_of_our_namespace(engine: Engine) -> None:
    if shutil.which("findmnt") is None:
        pytest.skip("no findmnt(8) (ENOENT)")
    columns = ["ID", "TARGET", "FSTYPE", "VFS-OPTIONS", "MAJ:MIN", "FSROOT", "PARENT"]
    done = subprocess.run(
        ["findmnt", "--kernel", "--list", "--json", "-o", ",".join(columns)],
        capture_output=True,
        check=True,
    )
    listed: list[dict[str, Any]] = json.loads(done.stdout)["filesystems"]
    ours = os.stat("/proc/self/ns/mnt").st_ino
    found = engine.query(
        "select mnt_id, mount_point, fstype, mount_options, dev, mount_root, parent_mnt_id"
        f" from mounts where ns_mnt = {ours}"
    )
    expected = [tuple(mount[name.lower()] for name in columns) for mount in listed]
    # The one says "no parent" of the topmost mount in its own way.
    assert sorted(row[:6] for row in found) == sorted(row[:6] for row in expected)


def test_a_mount_in_a_namespace_of_its_own_is_joined_to_its_files(
    engine: Engine, tmp_path: Path
) -> None:
    place = tmp_path / "a b"
    place.mkdir()
    script = 'mount -t tmpfs -o size=1m sockql-test "$0" && exec 7>"$0/x" && echo "$$" && read line'
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
            pytest.skip("no mount namespace of our own (EPERM)")
        inode = os.stat(f"/proc/{process.pid}/ns/mnt").st_ino
        found = engine.query(
            "select fd, target, mounts.mount_point, fstype, mount_source, ns_mnt"
            f" from fds join mounts using(mnt_id) where pid = {process.pid} and fd = 7"
        )
        process.stdin.write(b"\n")
    assert found == [(7, f"{place}/x", str(place), "tmpfs", "sockql-test", inode)]
