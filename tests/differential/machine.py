"""Runs programs inside the small machine, sockql among them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

ROOT = Path(__file__).parent.parent.parent
UNSHARE = ("unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")

Row = tuple[Any, ...]
Answer = TypeVar("Answer")

#: Asks sockql inside the machine; the rows come back as JSON.
_ASK = """
import json, sys
from sockql.engine import Engine
from sockql.errors import KernelRefused
from sockql.host import Host
class Refusing(Host):
    def netlink(self, protocol, request):
        raise KernelRefused(2, "netlink")
host = Refusing() if sys.argv[2:] else Host()
with Engine(host) as engine:
    rows = engine.query(sys.argv[1])
    json.dump({"rows": rows, "notices": engine.notices}, sys.stdout)
"""


class World:
    """The process ``tests.differential.world`` in its namespaces, and ways to look at it."""

    def __init__(self, folder: str) -> None:
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            [*UNSHARE, sys.executable, "-m", "tests.differential.world", folder],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            self.__exit__(None, None, None)
            raise ChildProcessError(f"the machine did not start: {self._process.returncode}")
        facts = json.loads(said)
        #: Its processes that hold sockets.
        self.pids: list[int] = facts["pids"]
        #: What its kernel lacks: name → why.
        self.missing: dict[str, str] = facts["missing"]
        pid = self._process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            (self._inside,) = file.read().split()

    def __enter__(self) -> World:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)

    def run(self, *command: str) -> bytes:
        """The standard output of a program that runs inside the machine."""
        done = subprocess.run(
            ["nsenter", "--target", self._inside, "--net", "--pid", "--mount", "--", *command],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        if done.returncode:
            raise AssertionError(f"{command[0]}: exit status {done.returncode}: {done.stderr!r}")
        return done.stdout

    def query(self, sql: str) -> list[Row]:
        """The rows that sockql gives inside the machine, in a fixed order."""
        answer = json.loads(self.run(sys.executable, "-c", _ASK, sql))
        assert answer["notices"] == []
        return ordered(tuple(row) for row in answer["rows"])

    def query_without_netlink(self, sql: str) -> list[Row]:
        """The rows when the kernel refuses every netlink request."""
        answer = json.loads(self.run(sys.executable, "-c", _ASK, sql, "refusing"))
        (notice,) = answer["notices"]
        assert notice.startswith("sockets: ")
        return ordered(tuple(row) for row in answer["rows"])

    def agree(self, sql: str, ask: Callable[[], Answer]) -> tuple[list[Row], Answer]:
        """The rows of ``sql`` and another program's answer about the same moment.

        The same rows before and after the other program was asked: nothing has changed
        meanwhile (a retransmission, the end of a TIME_WAIT).
        """
        deadline = time.monotonic() + 30
        rows = self.query(sql)
        while True:
            answer = ask()
            again = self.query(sql)
            if rows == again:
                return rows, answer
            if time.monotonic() > deadline:
                raise AssertionError(f"the rows never stay the same: {sql}")
            rows = again


def ordered(rows: Any) -> list[Row]:
    """Rows of mixed types and NULLs in an order of their own."""
    return sorted(rows, key=repr)
