"""Measure sockql and the programs it is compared with, side by side on one load.

    python -m tests.bench.run --sockql /path/to/venv/bin/sockql

The sockql measured must be installed, not a checkout.  All programs run in turn, round after
round, as whole processes whose output goes to a pipe; the medians, their ratios and the bounds
are written to docs/benchmarks.md, and everything measured to docs/benchmarks.json.  As root the
measurement has network and pid namespaces of its own, so that exactly the load is there to be
found.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.load import running
from tests.bench.measure import environment, trace
from tests.bench.namespaces import inhabited
from tests.bench.questions import (
    AUDIT_BOUND,
    BOUNDS,
    HUGE,
    LARGE,
    LARGE_BOUNDS,
    LARGE_SUBJECTS,
    MANY,
    MANY_BOUNDS,
    MANY_MOST_MEMORY,
    MANY_SUBJECTS,
    MOST_MEMORY,
    MOST_MEMORY_STATES,
    MOST_SECONDS_NAMESPACES,
    MOST_SNAPSHOT,
    NAMESPACES,
    SNAPSHOT_BOUND,
    STANDARD,
    STANDARD_SUBJECTS,
    Bench,
    say,
)
from tests.bench.report import (
    PAGE,
    load_text,
    lsof_version,
    measured,
    memory_line,
    output_of,
    seconds_line,
    section,
    standard_limits,
)

UNSHARE = ("--net", "--pid", "--fork", "--kill-child", "--mount-proc")
ROOT = Path(__file__).resolve().parent.parent.parent


def interpreter_of(sockql: Path) -> str:
    """The Python that runs ``sockql``, which must not run it from this checkout."""
    python = str(sockql.parent / "python")
    code = "import sockql; print(sockql.__file__)"
    where = subprocess.run(
        [python, "-I", "-c", code], env=environment(), check=True, capture_output=True, text=True
    ).stdout.strip()
    if Path(where).is_relative_to(ROOT):
        raise SystemExit(f"{sockql} runs the checkout; install it with pip install .")
    return python


def smaller(load: dict[str, int], times: int) -> dict[str, int]:
    """The load with as many processes and so many times less of all else, in even numbers."""
    return {
        name: count if name == "processes" else count // times // 2 * 2
        for name, count in load.items()
    }


def others() -> tuple[int, int]:
    """The processes that are there without the load, and how many descriptors they have."""
    processes = descriptors = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue
        processes += 1
    return processes, descriptors


def measure_standard(
    arguments: argparse.Namespace, python: str
) -> tuple[str, dict[str, Any], bool]:
    """Measure everything on the standard load: the page, the record, whether all is kept."""
    load = smaller(STANDARD, arguments.divide)
    processes, descriptors = others()
    if descriptors > load["tcp"] / 10:
        say(f"warning: others have {descriptors:,} descriptors: this machine is not quiet")
    with running(**load) as ready:
        say(f"up after {ready['seconds']} s: {load_text(ready)}")
        bench = Bench(arguments.sockql, python, ready)
        bench.run(STANDARD_SUBJECTS, arguments.rounds)
        traces = {}
        with TemporaryDirectory() as folder:
            for name in ("nothing", "one"):
                traces[name] = trace(bench.subjects[name].command, Path(folder) / name)
    if arguments.inside:
        bench.check_rows()
    verdicts = [bench.verdict(bound) for bound in BOUNDS]
    page = PAGE.format(
        date=dt.datetime.now(dt.timezone.utc).date().isoformat(),
        kernel=platform.release(),
        python=output_of(python, "--version").removeprefix("Python "),
        cores=os.cpu_count(),
        sockql=output_of(arguments.sockql, "--version").removeprefix("sockql "),
        ss=output_of("ss", "--version").replace(" utility,", ""),
        lsof=lsof_version(),
        netstat=output_of("netstat", "--version"),
        others=f"{processes:,} other processes with {descriptors:,} descriptors",
    )
    limits = standard_limits(bench, traces)
    page += section(load_text(ready), bench, verdicts, limits)
    record = measured(bench)
    record["traces"] = {
        name: traced and {**asdict(traced), "processes": len(traced.processes)}
        for name, traced in traces.items()
    }
    missed = any(v.kept is False for v in verdicts) or not all(line[3] for line in limits)
    return page, record, not missed


def measure_large(arguments: argparse.Namespace, python: str) -> tuple[str, dict[str, Any], bool]:
    """Measure the join on the large load: the page, the record, whether all is kept."""
    load = smaller(LARGE, arguments.divide)
    with running(**load) as ready:
        say(f"up after {ready['seconds']} s: {load_text(ready)}")
        bench = Bench(arguments.sockql, python, ready)
        bench.run(LARGE_SUBJECTS, max(arguments.rounds // 2, 1))
    if arguments.inside:
        bench.check_rows()
    verdicts = [bench.verdict(bound) for bound in LARGE_BOUNDS]
    page = section(load_text(ready), bench, verdicts)
    return page, measured(bench), not any(verdict.kept is False for verdict in verdicts)


def measure_many(arguments: argparse.Namespace, python: str) -> tuple[str, dict[str, Any], bool]:
    """Measure descriptors of all kinds and their ends: the page, the record, whether all is kept."""
    load = smaller(MANY, arguments.divide)
    with running(**load) as ready:
        say(f"up after {ready['seconds']} s: {load_text(ready)}")
        bench = Bench(arguments.sockql, python, ready)
        bench.run(MANY_SUBJECTS, max(arguments.rounds // 2, 1))
    if arguments.inside:
        bench.check_rows()
    verdicts = [bench.verdict(bound) for bound in MANY_BOUNDS]
    memory = max(bench.subjects[name].memory for name in ("fds", "processes", "ends", "unix ends"))
    kept = memory <= MANY_MOST_MEMORY
    limit = memory_line("Peak memory of any of these", memory, MANY_MOST_MEMORY)
    page = section(load_text(ready), bench, verdicts, [limit])
    return page, measured(bench), kept and all(verdict.kept is not False for verdict in verdicts)


def measure_kept(arguments: argparse.Namespace, python: str) -> tuple[str, dict[str, Any], bool]:
    """Measure audits and snapshots: the page, the record, whether all is kept."""
    with running(**smaller(STANDARD, arguments.divide)) as ready, TemporaryDirectory() as folder:
        say(f"up after {ready['seconds']} s: {load_text(ready)}")
        bench = Bench(arguments.sockql, python, ready)
        file = Path(folder) / "snapshot.db"
        bench.add_snapshot(file)
        bench.run(["snapshot", "every cell"], max(arguments.rounds // 2, 1))
        size = file.stat().st_size
        bench.add_audits(Path(folder) / "report.txt")
        bench.run(["audits", "slowest audit"], arguments.rounds)
    verdicts = [bench.verdict(bound) for bound in (AUDIT_BOUND, SNAPSHOT_BOUND)]
    kept = size <= MOST_SNAPSHOT
    limit = (
        "Size of the snapshot",
        f"{size / 1e6:.0f} MB",
        f"≤ {MOST_SNAPSHOT / 1e6:.0f} MB",
        kept,
    )
    page = section(f"Audits and snapshots of {load_text(ready)}", bench, verdicts, [limit])
    return page, measured(bench), kept and all(verdict.kept is not False for verdict in verdicts)


def measure_huge(arguments: argparse.Namespace, python: str) -> tuple[str, dict[str, Any], bool]:
    """Measure the memory of scans of very many sockets: the page, the record, whether all is kept."""
    with running(**smaller(HUGE, arguments.divide)) as ready:
        say(f"up after {ready['seconds']} s: {load_text(ready)}")
        bench = Bench(arguments.sockql, python, ready)
        bench.run(["all states", "all csv"], 2)
    lines = [
        memory_line(what, bench.subjects[name].memory, most)
        for what, name, most in (
            ("Peak memory of counting by state", "all states", MOST_MEMORY_STATES),
            ("Peak memory of all rows as CSV", "all csv", MOST_MEMORY),
        )
    ]
    page = section(load_text(ready), bench, limits=lines)
    return page, measured(bench), all(line[3] for line in lines)


def measure_namespaces(
    arguments: argparse.Namespace, python: str
) -> tuple[str, dict[str, Any], bool]:
    """Measure a scan of many network namespaces: the page, the record, whether it is kept."""
    with inhabited(**NAMESPACES) as ready:
        bench = Bench(arguments.sockql, python, ready)
        bench.run(["select 1", "everywhere"], arguments.rounds)
    bench.check_rows()
    what = "all sockets, net of start-up"
    lines = [seconds_line(bench, "everywhere", what, MOST_SECONDS_NAMESPACES)]
    load = f"{ready['namespaces']} network namespaces, {NAMESPACES['sockets']} sockets in each"
    page = section(load, bench, limits=lines)
    return page, measured(bench), lines[0][3]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write the page; 1 when a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run")
    add = parser.add_argument
    add("--sockql", required=True, help="the installed command to measure")
    add("--rounds", type=int, default=7, help="how often each program runs (default: 7)")
    add("--divide", type=int, default=1, help="make the load so many times smaller")
    add("--no-large", action="store_true", help="leave out the large loads")
    add("--no-many", action="store_true", help="leave out that of descriptors of all kinds")
    add("--output", default=str(ROOT / "docs" / "benchmarks.md"), help="the page to write")
    add("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    arguments.sockql = str(Path(arguments.sockql).absolute())
    if os.geteuid() == 0 and not arguments.inside:
        # Namespaces of its own: nobody else's sockets and processes are waded through; and what
        # others compute in the meantime has to wait.
        os.setpriority(os.PRIO_PROCESS, 0, -15)
        again = 'exec "$0" -m tests.bench.run --inside "$@"'
        words = [sys.executable, *(sys.argv[1:] if argv is None else argv)]
        os.execvp(
            "unshare", ["unshare", *UNSHARE, "sh", "-c", f"ip link set lo up; {again}", *words]
        )
    python = interpreter_of(Path(arguments.sockql))
    page, record, kept = measure_standard(arguments, python)
    result: dict[str, Any] = {"kernel": platform.release(), "standard": record}
    more, result["kept"], other_kept = measure_kept(arguments, python)
    page, kept = page + more, kept and other_kept
    if not arguments.no_large:
        more, result["large"], large_kept = measure_large(arguments, python)
        page, kept = page + more, kept and large_kept
        more, result["huge"], huge_kept = measure_huge(arguments, python)
        page, kept = page + more, kept and huge_kept
    if not arguments.no_many:
        more, result["many"], many_kept = measure_many(arguments, python)
        page, kept = page + more, kept and many_kept
    if arguments.inside:
        more, result["namespaces"], namespaces_kept = measure_namespaces(arguments, python)
        page, kept = page + more, kept and namespaces_kept
    output = Path(arguments.output)
    output.write_text(page, encoding="utf-8")
    output.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(page)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
