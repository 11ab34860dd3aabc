"""What a one-shot query imports, and what its start costs."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.conftest import Python

COMMAND = "from sockql.cli import run; run()"
JOIN = (
    "select pid, sport from sockets join fds using(inode) join processes using(pid)"
    " where state = 'LISTEN' and inet_in(src, '127.0.0.0/8')"
)

#: Each of these costs a good part of what the whole start may cost, or more.
EXPENSIVE = {
    "argparse",
    "asyncio",
    "ctypes",
    "dataclasses",
    "enum",
    "inspect",
    "ipaddress",
    "json",
    "logging",
    "multiprocessing",
    "pathlib",
    "prompt_toolkit",
    "pygments",
    "pyroute2",
    "re",
    "socket",
    "sqlite3",
    "sqlite_utils",
    "subprocess",
    "tabulate",
    "typing",
    "unittest",
}

#: The modules of ours that a query of one table has a use for, most of them in every query.
WANTED = {
    "sockql",
    *("sockql.cli", "sockql.command", "sockql.command.commands", "sockql.command.declarations"),
    *("sockql.command.declare", "sockql.command.options", "sockql.command.query"),
    *("sockql.command.progress", "sockql.command.running", "sockql.command.terminal"),
    *("sockql.analysis", "sockql.authorizer", "sockql.counts", "sockql.dialect", "sockql.engine"),
    *("sockql.errors", "sockql.grouping", "sockql.host", "sockql.loops", "sockql.named"),
    *("sockql.request", "sockql.result", "sockql.run", "sockql.scan", "sockql.schema"),
    *("sockql.snapshot", "sockql.sqltext", "sockql.statement", "sockql.stopping", "sockql.vtab"),
    *("sockql.osquery", "sockql.osquery.functions"),  # for the names of what is there
    *("sockql.render", "sockql.render.json_writers", "sockql.render.output"),
    *("sockql.render.writers",),
    *("sockql.proc", "sockql.proc.containers", "sockql.proc.costs", "sockql.proc.details"),
    *("sockql.proc.examine", "sockql.proc.fdinfo", "sockql.proc.files", "sockql.proc.libc"),
    *("sockql.proc.limits", "sockql.proc.maps", "sockql.proc.more", "sockql.proc.mount_points"),
    *("sockql.proc.mountinfo", "sockql.proc.procfs", "sockql.proc.status", "sockql.proc.walk"),
    *("sockql.tables", "sockql.tables.processes"),
}

#: `select 1` against an interpreter that does nothing, the ratio that is promised.
RATIO = 3.0
RUNS = 11
#: Another process may take the processor in the middle of a measurement; not of all of them.
TRIES = 5


def modules(python: Python, code: str, *arguments: str) -> set[str]:
    """Every module that is imported while ``code`` runs, by what -X importtime says."""
    done = python("-X", "importtime", "-c", code, *arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


@pytest.mark.parametrize("sql", ["select 1", JOIN, "select username(uid), name from processes"])
@pytest.mark.parametrize("format", ["--json", "--jsonl", "--csv", "--tsv", "--line", "--table"])
def test_a_one_shot_query_imports_nothing_that_is_expensive(
    python: Python, format: str, sql: str
) -> None:
    own = ("--netns", "self")  # entering another one takes ctypes before Python 3.12
    found = modules(python, COMMAND, format, *own, sql) - modules(python, "pass")
    assert "sockql.engine" in found
    assert found & EXPENSIVE == set()


def test_a_one_shot_query_imports_nothing_that_it_has_no_use_for(python: Python) -> None:
    found = modules(python, COMMAND, "--json", "select pid from processes limit 1")
    assert {name for name in found if name.partition(".")[0] == "sockql"} - WANTED == set()


def test_neither_does_one_in_osquerys_words(python: Python) -> None:
    sql = "select p.name, s.local_port from process_open_sockets s join processes p using (pid)"
    words = ("--osquery", "--json", "--netns", "self", sql)
    found = modules(python, COMMAND, *words) - modules(python, "pass")
    assert "sockql.osquery.tables.process_open_sockets" in found
    assert found & EXPENSIVE == set()
    # Nor does the list of functions import the functions.
    assert [name for name in found if name.startswith("sockql.osquery.functions.")] == []


@pytest.mark.parametrize(
    "sql",
    [
        "select pid, port from listening_ports",
        "select path, type from file where path like '/etc/%'",
        "select name, path from processes",
        "select hostname from system_info",
        "select path, blocks from mounts",
    ],
)
def test_osquerys_tables_cost_no_more_than_our_own(python: Python, sql: str) -> None:
    own = ("--osquery", "--json", "--netns", "self")
    found = modules(python, COMMAND, *own, sql) - modules(python, "pass")
    assert any(name.startswith("sockql.osquery.tables.") for name in found)
    assert found & EXPENSIVE == set()


def test_a_table_is_imported_when_a_statement_names_it(python: Python) -> None:
    found = modules(python, COMMAND, "--json", "select count(*) from fds")
    prefix = "sockql.tables."
    assert {name for name in found if name.startswith(prefix)} == {prefix + "fds"}


def seconds(python: Python, *arguments: str) -> float:
    started = time.perf_counter()
    done = python(*arguments)
    elapsed = time.perf_counter() - started
    assert done.returncode == 0, done.stderr
    return elapsed


def ratio(python: Python) -> float:
    """Median against median, the two taking turns."""
    nothing, query = [], []
    for _ in range(RUNS):
        nothing.append(seconds(python, "-c", "pass"))
        query.append(seconds(python, "-c", COMMAND, "select 1"))
    return statistics.median(query) / statistics.median(nothing)


def test_a_query_starts_within_three_times_the_start_of_the_interpreter(python: Python) -> None:
    seconds(python, "-c", COMMAND, "select 1")  # compiles what has never run
    ratios = []
    for _ in range(TRIES):
        ratios.append(ratio(python))
        if ratios[-1] <= RATIO:
            return
    pytest.fail(f"{RATIO} times is promised, measured {ratios}")
