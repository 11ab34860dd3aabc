"""The questions, the programs they are put to, and the bounds that sockql has to keep."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sockql.saved.library import Library, shipped_directory
from sockql.saved.query import AUDIT
from sockql.tables import load
from tests.bench.measure import Subject, measure

STANDARD = {"tcp": 50_000, "processes": 50}
LARGE = {"tcp": 100_000, "processes": 50, "unix": 50_000, "pipes": 50_000, "files": 50_000}
#: Descriptors of all kinds: half of them sockets, a quarter pipes, a quarter files.
MANY = {"tcp": 50_000, "processes": 200, "unix": 50_000, "pipes": 50_000, "files": 50_000}
HUGE = {"tcp": 300_000, "processes": 60}
NAMESPACES = {"namespaces": 100, "sockets": 20}

JOIN = (
    "select state, src, sport, dst, dport, pid, fd, name"
    " from sockets join fds using(inode) join processes using(pid)"
    " where protocol = 'tcp'"
)
STATES = "select state, count(*) from sockets where protocol = 'tcp' group by 1"
EVERY = (
    "select state, recv_queue, send_queue, src, sport, dst, dport"
    " from sockets where protocol = 'tcp'"
)
RTT = EVERY.replace(" from", ", rtt from")
EVERYWHERE = "select netns, state, src, sport from sockets where family = 'inet'"
LISTENERS = "select src, sport from sockets where protocol = 'tcp' and state = 'LISTEN'"
NOTHING = JOIN + " and dport = 443"
FDS = "select pid, fd, type, target from fds"
PROCESSES = "select count(name), count(cmdline), count(uid), count(resident_size) from processes"
UNIX_ENDS = "select pid, fd, peer_pid, peer_fd from endpoints where kind = 'unix'"


@dataclass(frozen=True)
class Bound:
    """One line of the report: what is asked, of whom, and what it may cost at most."""

    question: str
    subject: str
    peer: str
    most: float  # times what the peer takes
    net: bool = False  # without the start-up of sockql
    more: float = 0.0  # and so many seconds on top


@dataclass(frozen=True)
class Verdict:
    """A bound and what was measured of it; ``ratio`` is None where the peer is not installed."""

    bound: Bound
    seconds: float
    peer_seconds: float | None
    ratio: float | None

    @property
    def kept(self) -> bool | None:
        """Whether the bound is kept; None where nothing was measured."""
        if self.peer_seconds is None:
            return None
        return self.seconds <= self.bound.most * self.peer_seconds + self.bound.more


BOUNDS = (
    Bound("`select 1`, against an interpreter that does nothing", "select 1", "python", 3),
    Bound("listeners, net of start-up", "listeners", "ss listeners", 1, net=True),
    Bound("TCP sockets by state", "states", "ss all", 0.9),
    Bound("every TCP socket, 7 columns", "every", "ss all", 2),
    Bound("the same with `rtt`", "rtt", "every", 1.6),
    Bound("every TCP socket with its processes", "join", "ss owners", 0.6),
    Bound("every TCP socket with its processes", "join", "lsof", 0.6),
    Bound("every TCP socket with its processes", "join", "netstat", 0.45),
    Bound("`dport = 443` with owners, no match, net", "nothing", "ss nothing", 0.2, net=True),
    Bound("descriptors of one process, net of start-up", "one", "lsof one", 1, net=True),
)
#: What is asked of the standard load.
STANDARD_SUBJECTS = (
    *("python", "select 1", "listeners", "states", "every", "rtt", "join", "nothing", "one"),
    *("ss listeners", "ss all", "ss owners", "ss nothing", "lsof", "lsof one", "netstat"),
)
LARGE_SUBJECTS = ("join", "ss owners", "lsof", "netstat")
MANY_SUBJECTS = (
    *("select 1", "fds", "processes", "ends", "unix ends"),
    *("lsof all", "lsfd", "ps", "lsof ends", "lsof unix ends"),
)
LARGE_BOUNDS = tuple(
    Bound("every TCP socket with its processes", "join", peer, 0.35)
    for peer in ("ss owners", "lsof", "netstat")
)
MANY_BOUNDS = (
    Bound("all descriptors: process, number, type, target", "fds", "lsof all", 0.5),
    Bound("all descriptors: process, number, type, target", "fds", "lsfd", 0.6),
    Bound("all processes: name, command line, user, memory", "processes", "ps", 1, more=0.1),
    Bound("other ends of one process, net of start-up", "ends", "lsof ends", 0.5, net=True),
    Bound("other ends of all unix sockets", "unix ends", "lsof unix ends", 0.5),
)
AUDIT_BOUND = Bound(
    "every shipped audit, against the slowest alone", "audits", "slowest audit", 1.5, more=1.0
)
SNAPSHOT_BOUND = Bound("`snapshot`, against counting every cell", "snapshot", "every cell", 4)
CAPTURED = ("sockets", "fds", "processes")
MOST_SNAPSHOT = 30_000_000
MOST_MEMORY = 200_000_000
MANY_MOST_MEMORY = 250_000_000
MOST_MEMORY_STATES = 120_000_000
MOST_SECONDS_NAMESPACES = 1.0
MOST_NETLINK = 64 * 1024


class Bench:
    """The subjects of one load, measured in turn."""

    def __init__(self, sockql: str, python: str, ready: dict[str, Any]) -> None:
        self.ready = ready
        self.sockql = sockql
        self.pid = ready["pids"][len(ready["pids"]) // 2]
        csv = (sockql, "--csv")
        one = f"select fd, type, target, inode, mode, flags, pos from fds where pid = {self.pid}"
        ask = (sockql, "--tsv", "--no-header")
        listed = (
            Subject("python", (python, "-c", "pass")),
            Subject("select 1", (*ask, "select 1")),
            Subject("listeners", (*ask, LISTENERS)),
            Subject("states", (*ask, STATES)),
            Subject("every", (*ask, EVERY)),
            Subject("rtt", (*ask, RTT)),
            Subject("join", (*ask, JOIN)),
            Subject("nothing", (*ask, NOTHING)),
            Subject("one", (*ask, one)),
            Subject("fds", (sockql, "--csv", "--no-header", FDS)),
            Subject("processes", (*ask, PROCESSES)),
            Subject("ends", (*ask, f"select * from endpoints where pid = {self.pid}")),
            Subject("unix ends", (*ask, UNIX_ENDS)),
            Subject("ss listeners", ("ss", "-Htln")),
            Subject("ss all", ("ss", "-Htan")),
            Subject("ss owners", ("ss", "-Htanp")),
            Subject("ss nothing", ("ss", "-Htanp", "dport", "=", ":443")),
            Subject("lsof", ("lsof", "-nP", "-iTCP"), headers=1),
            Subject("lsof one", ("lsof", "-nP", "-p", str(self.pid)), headers=1),
            Subject("lsof all", ("lsof", "-nP"), headers=1),
            Subject("lsof ends", ("lsof", "-nP", "+E", "-p", str(self.pid)), headers=1),
            Subject("lsof unix ends", ("lsof", "-nP", "+E", "-U"), headers=1),
            Subject("lsfd", ("lsfd", "-n", "-o", "PID,FD,TYPE")),
            Subject("ps", ("ps", "-eo", "pid,uid,rss,comm,args"), headers=1),
            Subject("netstat", ("netstat", "-tanp"), headers=2),
            Subject("all states", (*csv, "select state, count(*) from sockets group by 1"), 1),
            Subject("all csv", (*csv, "select * from sockets where protocol = 'tcp'"), 1),
            Subject("everywhere", (*ask, EVERYWHERE)),
        )
        self.subjects = {subject.name: subject for subject in listed}

    def add_snapshot(self, file: Path) -> None:
        """The subjects of a snapshot, which is written to ``file``."""
        counts = []
        for name in CAPTURED:
            columns = [f'count("{c.name}")' for c in load(name).schema.columns if not c.parameter]
            counts.append(f"select count(*), {', '.join(columns)} from {name}")
        tables = ",".join(CAPTURED)
        for subject in (
            Subject("snapshot", (self.sockql, "snapshot", str(file), "--tables", tables)),
            Subject("every cell", (self.sockql, "--csv", "; ".join(counts))),
        ):
            self.subjects[subject.name] = subject

    def add_audits(self, report: Path) -> None:
        """The subjects of all shipped audits, and of that which takes longest when run alone.

        What they find goes to the file ``report``.
        """
        audits = [
            query.name for query in Library([shipped_directory()]).all() if query.kind == AUDIT
        ]
        command = (self.sockql, "audit", "-o", str(report))
        alone = {name: measure((*command, name)).wall for name in audits}
        slowest = max(alone, key=lambda name: alone[name])
        self.subjects["audits"] = Subject("audits", command)
        self.subjects["slowest audit"] = Subject("slowest audit", (*command, slowest))

    def run(self, names: Sequence[str], rounds: int) -> None:
        """Measure the subjects, one after the other, ``rounds`` times; the first time is lost."""
        subjects = [self.subjects[name] for name in names]
        there = [subject for subject in subjects if subject.path is not None]
        for subject in there:
            say(f"  warm-up: {subject.name}")
            subject.run(keep=False)
        for number in range(rounds):
            say(f"  round {number + 1} of {rounds}")
            for subject in there:
                subject.run()
                # What takes a tenth of a second is measured more often than what takes one.
                for _ in range(2 if subject.samples[-1].wall < 0.2 else 0):
                    subject.run()

    def verdict(self, bound: Bound) -> Verdict:
        """What was measured, held against ``bound``."""
        start_up = self.subjects["select 1"].wall if bound.net else 0.0
        seconds = max(self.subjects[bound.subject].wall - start_up, 0.0)
        peer = self.subjects[bound.peer]
        if not peer.samples:
            return Verdict(bound, seconds, None, None)
        return Verdict(bound, seconds, peer.wall, seconds / peer.wall)

    def check_rows(self) -> None:
        """Make sure that all programs have found the load, and nothing but the load.

        :raises ValueError: when one has not.
        """
        tcp, listeners = self.ready["tcp"], self.ready.get("listeners")
        expected = {
            **dict.fromkeys(
                ("every", "rtt", "everywhere", "join", "ss all", "ss owners", "lsof", "netstat"),
                tcp,
            ),
            **dict.fromkeys(("listeners", "ss listeners"), listeners),
            **dict.fromkeys(("nothing", "ss nothing"), 0),
            **dict.fromkeys(("states",), 2),
            **dict.fromkeys(("unix ends", "lsof unix ends"), self.ready.get("unix")),
        }
        for name, rows in expected.items():
            subject = self.subjects[name]
            if subject.samples and subject.rows != rows:
                raise ValueError(f"{name} has {subject.rows} rows, the load {rows}")


def say(text: str) -> None:
    """Tell whoever waits what is being done."""
    print(text, file=sys.stderr, flush=True)
