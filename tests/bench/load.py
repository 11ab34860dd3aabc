"""A load to measure against: many TCP connections, and other descriptors, over many processes.

    python tests/bench/load.py                                   50,000 TCP sockets, 50 processes
    python tests/bench/load.py --tcp 100000 --unix 50000 --pipes 50000 --files 50000

Process *i* listens on a loopback address of its own and connects to process *i + 1*, so each
connection has its two ends in two processes, and the ports of one address are never exhausted.
When everything is open, one line says so: ``READY`` and a JSON object with the pids and the exact
counts.  The load ends after ``--seconds``, on SIGINT or SIGTERM, and, when standard input is a
pipe, as soon as that closes; the processes end with their parent.  Sockets are closed by reset
(SO_LINGER of zero), so nothing stays behind in TIME_WAIT.

Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What a process has open besides its share: stdio, two pipes, and some room.
SPARE_DESCRIPTORS = 32
#: The queue of connections a listener may hold before they are accepted.
BACKLOG = 4096
#: Seconds until the load must be up.
START_DEADLINE = 120.0
#: No load outlives this, whatever --seconds says.
LONGEST = 3600.0

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def share(total: int, parts: int, index: int) -> int:
    """The part of ``total`` things that falls to number ``index`` of ``parts``."""
    return total // parts + (index < total % parts)


def address_of(index: int) -> str:
    """The loopback address on which process ``index`` listens."""
    return f"127.{1 + index // 250}.{1 + index % 250}.1"


def listener(address: str) -> socket.socket:
    """A TCP listener on a free port; what it accepts is reset on close as well."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    sock.bind((address, 0))
    sock.listen(BACKLOG)
    return sock


class Share:
    """What one process opens; everything is counted in descriptors of that process."""

    def __init__(self, arguments: argparse.Namespace, index: int) -> None:
        parts = arguments.processes
        connections = (arguments.tcp - arguments.listeners) // 2
        self.connects = share(connections, parts, index)
        self.accepts = share(connections, parts, (index - 1) % parts)
        # The first listener of a process is the one that its neighbour connects to.
        self.more_listeners = share(arguments.listeners, parts, index) - 1
        self.unix = 2 * share(arguments.unix // 2, parts, index)
        self.pipes = 2 * share(arguments.pipes // 2, parts, index)
        self.files = share(arguments.files, parts, index)

    @property
    def descriptors(self) -> int:
        """How many descriptors these are."""
        tcp = self.connects + self.accepts + 1 + self.more_listeners
        return tcp + self.unix + self.pipes + self.files


def open_share(mine: Share, own: socket.socket, peer: tuple[str, int]) -> list[Any]:
    """Open everything of ``mine``; returns what has to be kept alive."""
    kept: list[Any] = [own]
    own.setblocking(False)
    accepted = connected = 0
    while connected < mine.connects or accepted < mine.accepts:
        if connected < mine.connects:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            sock.connect(peer)
            kept.append(sock)
            connected += 1
        else:
            select.select([own], [], [], 1.0)
        with contextlib.suppress(BlockingIOError):
            while accepted < mine.accepts:
                kept.append(own.accept()[0])
                accepted += 1
    kept += [listener(own.getsockname()[0]) for _ in range(mine.more_listeners)]
    for _ in range(mine.unix // 2):
        kept += socket.socketpair()
    for _ in range(mine.pipes // 2):
        kept += os.pipe()
    kept += [os.open(__file__, os.O_RDONLY | os.O_CLOEXEC) for _ in range(mine.files)]
    return kept


def child(
    index: int, mine: Share, listeners: Sequence[socket.socket], life: int, status: int
) -> NoReturn:
    """One process of the load: open, report, wait for the end of ``life``."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        Path("/proc/self/comm").write_text(f"load-{index}")
        own = listeners[index]
        peer = listeners[(index + 1) % len(listeners)].getsockname()
        for sock in listeners:
            if sock is not own:
                sock.close()
        kept = open_share(mine, own, peer)
        descriptors = len(os.listdir("/proc/self/fd")) - 1
        os.write(status, b"%d %d\n" % (os.getpid(), descriptors))
        os.read(life, 1)
        del kept
        code = 0
    except OSError as error:
        os.write(status, f"error {error}\n".encode()[:256])
    finally:
        # Skips the clean-up of the interpreter: the kernel closes descriptors faster.
        os._exit(code)


def fail(text: str) -> NoReturn:
    """End with one line and the status of wrong usage."""
    print(f"load: {text}", file=sys.stderr)
    raise SystemExit(2)


def arguments_of(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(
        prog="load", description="Open many sockets and descriptors on loopback, and hold them."
    )
    add = parser.add_argument
    add("--tcp", type=int, default=50_000, help="TCP sockets, listeners included")
    add("--processes", type=int, default=50, help="processes that share them")
    add("--listeners", type=int, help="TCP listeners among them (default: one for each process)")
    add("--unix", type=int, default=0, help="unix stream sockets, connected in pairs")
    add("--pipes", type=int, default=0, help="ends of pipes")
    add("--files", type=int, default=0, help="descriptors of a plain file")
    add("--seconds", type=float, default=600.0, help="how long the load stays up")
    arguments = parser.parse_args(argv)
    if arguments.listeners is None:
        arguments.listeners = arguments.processes
    counts = (arguments.unix, arguments.pipes, arguments.files)
    if arguments.processes < 1 or min(counts) < 0 or any(n % 2 for n in counts[:2]):
        fail("needs a process, and even numbers of unix sockets and ends of pipes")
    if arguments.listeners < arguments.processes:
        fail("needs a listener for each process")
    if arguments.tcp < arguments.listeners or (arguments.tcp - arguments.listeners) % 2:
        fail("TCP sockets without the listeners must be an even number: a connection has two")
    if not 0 < arguments.seconds <= LONGEST:
        fail(f"--seconds must be more than 0 and at most {LONGEST:.0f}")
    return arguments


def raise_limit(needed: int) -> None:
    """Let each process have ``needed`` descriptors, or say that it cannot."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        fail(f"{needed} descriptors a process are more than the hard limit of {hard}")
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def reports(status: int, processes: int) -> dict[int, int]:
    """Pid to number of descriptors, once every process has reported."""
    deadline = time.monotonic() + START_DEADLINE
    text = b""
    while text.count(b"\n") < processes:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([status], [], [], left)[0]:
            fail(f"only {len(text.splitlines())} of {processes} processes are up in time")
        piece = os.read(status, 65536)
        text += piece
        if not piece or b"error" in text:
            lines = text.decode(errors="backslashreplace").splitlines()
            fail(next((line for line in lines if "error" in line), "a process ended early"))
    pairs = (line.split() for line in text.splitlines())
    return {int(pid): int(descriptors) for pid, descriptors in pairs}


def wait_for_end(seconds: float) -> None:
    """Return after ``seconds``, on a signal, or when standard input, if a pipe, is closed."""
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    watched = [awake]
    # A job in the background of a script has /dev/null there: that is no end of anything.
    mode = os.fstat(0).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        watched.append(0)
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        ready = select.select(watched, [], [], left)[0]
        if awake in ready or (0 in ready and not os.read(0, 4096)):
            break
    signal.set_wakeup_fd(-1)
    os.close(awake)
    os.close(wake)


def main(argv: Sequence[str] | None = None) -> int:
    """Open the load, say READY, hold it, close it."""
    arguments = arguments_of(argv)
    shares = [Share(arguments, index) for index in range(arguments.processes)]
    most = max(mine.descriptors for mine in shares)
    raise_limit(max(most, arguments.processes) + SPARE_DESCRIPTORS)
    started = time.monotonic()
    listeners = [listener(address_of(index)) for index in range(arguments.processes)]
    addresses = [sock.getsockname() for sock in listeners]
    life, hold = os.pipe()
    status, report = os.pipe()
    gc.freeze()
    pids = []
    try:
        for index, mine in enumerate(shares):
            pid = os.fork()
            if pid == 0:
                os.close(hold)
                os.close(status)
                child(index, mine, listeners, life, report)
            pids.append(pid)
        for sock in listeners:
            sock.close()
        os.close(report)
        os.close(life)
        descriptors = reports(status, len(shares))
        ready = {
            "pid": os.getpid(),
            "pids": pids,
            "tcp": arguments.tcp,
            "listeners": arguments.listeners,
            "established": arguments.tcp - arguments.listeners,
            "unix": arguments.unix,
            "pipes": arguments.pipes,
            "files": arguments.files,
            "descriptors": sum(descriptors.values()),
            "addresses": addresses,
            "seconds": round(time.monotonic() - started, 3),
        }
        print("READY", json.dumps(ready), flush=True)
        wait_for_end(arguments.seconds)
    finally:
        os.close(hold)
        for pid in pids:
            os.waitpid(pid, 0)
    return 0


@contextlib.contextmanager
def running(**counts: float) -> Iterator[dict[str, Any]]:
    """A load for as long as the context lasts; gives what its READY line says.

    ``counts`` are the options of the command line, ``running(tcp=1000, processes=4)``.

    :raises RuntimeError: when it does not come up, or has not lasted.
    """
    options = [f"--{name}={value}" for name, value in counts.items()]
    command = [sys.executable, __file__, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        word, _, ready = process.stdout.readline().partition(b" ")
        if word != b"READY":
            msg = "the load did not come up"
            raise RuntimeError(msg)
        try:
            yield json.loads(ready)
            if process.poll() is not None:
                msg = "the load ended early: what was measured last is of nothing"
                raise RuntimeError(msg)
        finally:
            process.stdin.close()


if __name__ == "__main__":
    sys.exit(main())
