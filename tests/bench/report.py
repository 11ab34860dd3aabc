"""What was measured, as a page for people and as JSON."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.measure import Subject, Traced
from tests.bench.questions import MOST_MEMORY, MOST_NETLINK, Bench, Bound, Verdict

#: What was looked at, what was found, the bound, and whether it is kept.
Line = tuple[str, str, str, bool]

PAGE = """\
# Benchmarks

Written by `python -m tests.bench.run`; [benchmarks.json](benchmarks.json) has every sample.

{date} · Linux {kernel} · Python {python} · {cores} cores · sockql {sockql}, {ss}, lsof {lsof},
{netstat}

Each figure is the median of whole processes, from fork to exit, their output read from a pipe.
The programs take turns within one run. *Net of start-up* is the time less that of
`sockql "select 1"`; nothing is taken off the time of the peer. The peak of a program that needs
less memory than what started it (13 MB) is not told apart from that. Beside the load there were
{others}.
"""

_VERDICTS = (
    "| question | sockql, ms | peer | peer, ms | ratio | bound | |",
    "|---|---:|---|---:|---:|---|---|",
)
_LIMITS = ("| | found | bound | |", "|---|---|---|---|")
_COSTS = (
    "| command | wall, ms | processor, ms | peak memory, MB | rows | runs |",
    "|---|---:|---:|---:|---:|---:|",
)

#: What stands for a command that says less, or too much, by itself.
OTHER_WORDS = {
    "every": "sockql without it",
    "every cell": "select count(*), count(a), count(b), … of each table",
}


def output_of(*command: str) -> str:
    """The first line that a program prints of its version; a dash where it is not installed."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "-"
    return (done.stdout + done.stderr).strip().partition("\n")[0].strip()


def lsof_version() -> str:
    """The revision of lsof, which it prints among other things."""
    try:
        done = subprocess.run(["lsof", "-v"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "-"
    words = (done.stdout + done.stderr).split()
    return words[words.index("revision:") + 1] if "revision:" in words else "?"


def measured(bench: Bench) -> dict[str, Any]:
    """Everything that was measured on one load, for the JSON beside the page."""
    return {
        "load": {key: value for key, value in bench.ready.items() if isinstance(value, int)},
        "subjects": {
            name: {
                "command": words_of(subject),
                "seconds": subject.wall,
                "cpu_seconds": subject.cpu,
                "memory_bytes": subject.memory,
                "rows": subject.rows,
                "samples": [asdict(sample) for sample in subject.samples],
            }
            for name, subject in bench.subjects.items()
            if subject.samples
        },
    }


def section(
    title: str, bench: Bench, verdicts: Sequence[Verdict] = (), limits: Sequence[Line] = ()
) -> str:
    """What was measured on one load: ratios, bounds that name no peer, and everything that was run."""
    tables = [
        (_VERDICTS, verdict_rows(verdicts, bench)),
        (_LIMITS, limit_texts(limits)),
        (_COSTS, cost_rows(bench)),
    ]
    parts = ["\n".join([*head, *rows]) for head, rows in tables if rows]
    return "\n" + "\n\n".join([f"## {title}", *parts]) + "\n"


def milliseconds(seconds: float | None) -> str:
    """A time as the tables have it."""
    return "-" if seconds is None else f"{seconds * 1000:,.1f}"


def _most(bound: Bound) -> str:
    """What is promised, as the tables have it."""
    return f"≤ {bound.most:g}" + (f", and {bound.more:g} s" if bound.more else "")


def verdict_rows(verdicts: Sequence[Verdict], bench: Bench) -> list[str]:
    """The lines of the table of ratios."""
    rows = []
    for verdict in verdicts:
        bound, peer = verdict.bound, bench.subjects[verdict.bound.peer]
        command = OTHER_WORDS.get(bound.peer) or " ".join(words_of(peer))
        if verdict.ratio is None:
            ratio, word = "-", f"{peer.command[0]} is not installed"
        else:
            ratio, word = f"{verdict.ratio:.2f}", "kept" if verdict.kept else "**missed**"
        rows.append(
            f"| {bound.question} | {milliseconds(verdict.seconds)} | `{command}`"
            f" | {milliseconds(verdict.peer_seconds)} | {ratio} | {_most(bound)} | {word} |"
        )
    return rows


def standard_limits(bench: Bench, traces: dict[str, Traced | None]) -> list[Line]:
    """The bounds that name no peer, of the standard load."""
    lines = [memory_line("Peak memory of the join", bench.subjects["join"].memory, MOST_MEMORY)]
    nothing, one = traces["nothing"], traces["one"]
    if nothing is not None:
        received, folders = nothing.netlink_bytes, nothing.fd_folders
        kept = received < MOST_NETLINK
        lines += [
            ("`dport = 443`: received from netlink", f"{received:,} bytes", "< 64 KiB", kept),
            ("`dport = 443`: `/proc/*/fd` opened", str(folders), "none", folders == 0),
        ]
    if one is not None:
        others = len(one.processes - {bench.pid})
        lines.append(("one process: other processes opened", str(others), "none", others == 0))
    return lines


def memory_line(what: str, memory: float, most: float) -> Line:
    """The line of a bound on a peak of memory, in bytes."""
    return what, f"{memory / 1e6:.0f} MB", f"≤ {most / 1e6:.0f} MB", memory <= most


def seconds_line(bench: Bench, subject: str, what: str, most: float) -> Line:
    """The line of a bound on the wall time of ``subject``, net of start-up."""
    seconds = bench.subjects[subject].wall - bench.subjects["select 1"].wall
    return what, f"{seconds:.2f} s", f"≤ {most:g} s", seconds <= most


def limit_texts(lines: Sequence[Line]) -> list[str]:
    """The lines of a table of bounds that name no peer."""
    return [
        f"| {what} | {found} | {bound} | {'kept' if kept else '**missed**'} |"
        for what, found, bound, kept in lines
    ]


def words_of(subject: Subject) -> list[str]:
    """The command, without the folders of what it names."""
    return [Path(word).name if word[:1] == "/" else word for word in subject.command]


def cost_rows(bench: Bench) -> list[str]:
    """The lines of the table of everything that was run."""
    rows = []
    for subject in bench.subjects.values():
        if subject.samples:
            words = words_of(subject)
            if subject.name == "every cell":
                words[-1] = OTHER_WORDS[subject.name]
            command = " ".join(f'"{word}"' if " " in word else word for word in words)
            rows.append(
                f"| `{command}` | {milliseconds(subject.wall)} | {milliseconds(subject.cpu)}"
                f" | {subject.memory / 1e6:.1f} | {subject.rows:,} | {len(subject.samples)} |"
            )
    return rows


def load_text(ready: dict[str, Any]) -> str:
    """A load in words."""
    return (
        f"{ready['tcp']:,} TCP sockets ({ready['listeners']:,} of them listening),"
        f" {ready['unix']:,} unix sockets, {ready['pipes']:,} ends of pipes and"
        f" {ready['files']:,} files: {ready['descriptors']:,} descriptors in"
        f" {len(ready['pids'])} processes"
    )
