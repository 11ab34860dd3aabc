"""Asking the shipped queries, and what their rows say of a process as /proc says it."""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sockql import connect
from sockql.saved.binding import bind
from sockql.saved.library import Library, shipped_directory
from sockql.saved.query import TABLE, Query
from sockql.saved.tables import Tables

Row = dict[str, Any]

HERE = "127.0.0.1"
#: The process that runs the tests, and its network namespace.
ME = os.getpid()
NETNS = os.stat("/proc/self/ns/net").st_ino


def shipped(name: str) -> Query:
    """The query of that name that comes with sockql."""
    return Library([shipped_directory()]).find(name)


def ask(name: str, **params: Any) -> list[Row]:
    """The rows of a shipped query as it runs by itself; ``params`` instead of its defaults."""
    query = shipped(name)
    binding = bind(query, [])
    assert params.keys() <= query.params.keys()
    for key, value in params.items():
        values = binding.tables if query.params[key].type == TABLE else binding.values
        values[key] = value
    with connect() as db, Tables(db, query, binding):
        for result in db.execute(query.sql, binding.values):
            return [dict(zip(result.columns, row)) for row in result]
    raise AssertionError(f"{name} has no statement")


def about(pid: int, name: str, **params: Any) -> list[Row]:
    """The rows of a shipped query that are about one process."""
    return [row for row in ask(name, **params) if row["pid"] == pid]


def ends(sock: socket.socket) -> Row:
    """The addresses of a connected socket, as the queries call them."""
    (src, sport), (dst, dport) = sock.getsockname(), sock.getpeername()
    return {"src": src, "sport": sport, "dst": dst, "dport": dport}


# -- what /proc says ------------------------------------------------------------------------


def status(pid: int, key: str) -> list[str]:
    """The words behind ``key`` in the status of a process."""
    for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
        if line.startswith(f"{key}:"):
            return line.split()[1:]
    raise AssertionError(key)


def username(uid: int) -> str | int:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return uid


def started(pid: int) -> str:
    """When a process started, in UTC."""
    boot = next(
        int(line.split()[1])
        for line in Path("/proc/stat").read_text().splitlines()
        if line.startswith("btime ")
    )
    ticks = int(
        Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    )
    seconds = boot + ticks // os.sysconf("SC_CLK_TCK")
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").replace("\0", " ")


def process(pid: int, *keys: str) -> Row:
    """The process as most queries show it: pid, name, user, path, and ``keys`` beside."""
    known: dict[str, Callable[[int], Any]] = {
        "cmdline": cmdline,
        "started": started,
        "parent": lambda pid: int(status(pid, "PPid")[0]),
    }
    return {
        "pid": pid,
        "name": Path(f"/proc/{pid}/comm").read_text().rstrip("\n"),
        "user": username(int(status(pid, "Uid")[1])),
        "path": os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)"),
        **{key: known[key](pid) for key in keys},
    }
