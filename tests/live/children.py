"""Processes that a test makes: what they have open, who they are, where they live."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import pickle
import pkgutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sockql

# A child may give up its rights and then be unable to read the checkout, so nothing is left to be
# imported in it.
for _module in pkgutil.walk_packages(sockql.__path__, "sockql."):
    if not _module.name.endswith("__main__"):
        importlib.import_module(_module.name)

#: Far from the descriptors of a child, which start at 0.
_PIPE = 900


def _pause() -> None:
    while True:
        signal.pause()


@contextlib.contextmanager
def child(
    prepare: Callable[[], Any], then: Callable[[], Any] = _pause
) -> Iterator[tuple[int, Any]]:
    """A process without any descriptors that calls ``prepare`` and then does ``then``.

    Gives its pid and what ``prepare`` returned; the process is killed in the end.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            result = fcntl.fcntl(writing, fcntl.F_DUPFD, _PIPE)
            os.closerange(0, result)
            os.closerange(result + 1, result + 100)
            try:
                said = pickle.dumps((None, prepare()))
            except BaseException:  # noqa: BLE001 (whatever it was, the parent says it)
                said = pickle.dumps((traceback.format_exc(), None))
            os.write(result, said)
            os.close(result)
            then()
        finally:
            os._exit(0)
    os.close(writing)
    try:
        with open(reading, "rb") as answer:
            data = answer.read()
        error, value = pickle.loads(data) if data else ("the child died", None)
        assert error is None, error
        yield pid, value
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return when ``condition`` holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        os.sched_yield()


def state(pid: int) -> str:
    """The run state of a process, as its status says."""
    for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
        if line.startswith("State:"):
            return line.split()[1]
    raise AssertionError("no state")


def in_pid_namespace(program: str, mount: str = "") -> str:
    """Output of a Python ``program`` that is process 1 of a pid namespace with its own /proc.

    ``mount`` are options for another mount of /proc.  Skips where that is not allowed.
    """
    root = Path(__file__).resolve().parents[2]
    command = 'exec "$0" -c "$1"'
    if mount:
        command = f"mount -t proc -o {mount} proc /proc || exit 77; {command}"
    try:
        done = subprocess.run(
            [
                "unshare",
                "--pid",
                "--fork",
                "--mount-proc",
                "sh",
                "-c",
                command,
                sys.executable,
                program,
            ],
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    except FileNotFoundError:
        pytest.skip("no unshare(1) (ENOENT)")
    if "unshare: " in done.stderr or done.returncode == 77:
        pytest.skip(f"no pid namespace of our own: {done.stderr.strip()} (EPERM)")
    assert done.returncode == 0, done.stderr
    return done.stdout
