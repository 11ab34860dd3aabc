"""A load to measure against: many network namespaces, a process with some sockets in each."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
from collections.abc import Iterator
from typing import Any, NoReturn

CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


def child(sockets: int, life: int, status: int) -> NoReturn:
    """One process: move to a namespace of its own, listen ``sockets`` times, wait for the end."""
    code = 1
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        kept = []
        for _ in range(sockets):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.listen()
            kept.append(sock)
        os.write(status, b"x")
        os.read(life, 1)
        code = 0
    finally:
        os._exit(code)


@contextlib.contextmanager
def inhabited(namespaces: int, sockets: int) -> Iterator[dict[str, Any]]:
    """So many namespaces with so many listeners each, for as long as the context lasts.

    :raises RuntimeError: when they cannot be made, as without root.
    """
    life, hold = os.pipe()
    status, report = os.pipe()
    pids = []
    try:
        for _ in range(namespaces):
            pid = os.fork()
            if pid == 0:
                os.close(hold)
                os.close(status)
                child(sockets, life, report)
            pids.append(pid)
        os.close(report)
        ready = 0
        while piece := os.read(status, 4096) if ready < namespaces else b"":
            ready += len(piece)
        if ready < namespaces:
            msg = f"only {ready} of {namespaces} namespaces could be made"
            raise RuntimeError(msg)
        yield {"pids": pids, "namespaces": namespaces, "tcp": namespaces * sockets}
    finally:
        for number in (hold, life, status):
            os.close(number)
        for pid in pids:
            os.waitpid(pid, 0)
