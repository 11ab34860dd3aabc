"""A machine of a few files, query files, and ``sockql audit`` run on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sockql import cli
from tests.fakeproc import Link, Tree, proc_tree, stat

#: Status, standard output, standard error.
Done = tuple[int, str, str]
#: A name of a process that a terminal would obey, and XML cannot have.
HOSTILE = "e\x1b[2J<&|"

PROCESSES: Tree = {
    "1/stat": stat(1, b"init", parent=0),
    "42/stat": stat(42, HOSTILE.encode()),
    "42/fd/3": Link("/nowhere/at all"),
    "43/stat": stat(43, b"worker"),
    "44/stat": stat(44, b"worker", parent=42),
    "sys/kernel/hostname": b"stage\n",
}

QUERIES = {
    "workers": (
        "-- title: Workers that run\n-- severity: high\n-- kind: audit\n-- tags: [work]\n"
        "-- description: Nobody is to work.\n-- keys: [name, parent]\n"
        "-- references: [https://example.org/work]\n-- false positives: [They are paid.]\n"
        "select pid, name, parent from processes where name = 'worker' order by pid"
    ),
    "hostile": (
        "-- title: Names of terminals' nightmares\n-- severity: low\n-- kind: audit\n"
        "select pid, name from processes where name like 'e%'"
    ),
    "started": (
        "-- title: Somebody was the first\n-- severity: medium\n-- kind: audit\n"
        "-- expect: rows\nselect pid from processes where pid = 1"
    ),
    "lost": (
        "-- title: Files that are lost\n-- severity: critical\n-- kind: audit\n"
        "select pid, fd, size from fds where size > 5"
    ),
    "list": "-- title: A report\nselect pid from processes",
}


class Machine:
    """A copy of a /proc and a directory of queries; called with the words after ``audit``."""

    def __init__(self, root: Path, run: Callable[..., Done]) -> None:
        self.root = root
        self.queries = root / "queries"
        self.run = run

    def write(self, **queries: str) -> None:
        for name, text in queries.items():
            (self.queries / f"{name}.sql").write_text(text)

    def __call__(self, *words: str) -> Done:
        return self.run("audit", "--proc", str(self.root / "proc"), *words)

    def json(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("--json", *words)[1])
        return found


@pytest.fixture
def machine(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Machine:
    proc_tree(PROCESSES, tmp_path)
    (tmp_path / "queries").mkdir()
    monkeypatch.setenv("SOCKQL_QUERIES", str(tmp_path / "queries"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    shipped = str(tmp_path_factory.mktemp("shipped"))
    monkeypatch.setattr("sockql.saved.library.shipped_directory", lambda: shipped)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Done:
        capfd.readouterr()
        status = cli.main(words)
        return (status, *capfd.readouterr())

    made = Machine(tmp_path, run)
    made.write(**QUERIES)
    return made
