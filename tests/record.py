"""Record a machine: ``python -m tests.record STORY`` (as root).

The story runs in network, pid and mount namespaces of its own, so nothing of the machine's other
processes and sockets can get into the recording.  Then the story's queries are asked, and what
the kernel answered is written below tests/recorded/.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from sockql.engine import Engine
from sockql.tables.sockets import TABLE as SOCKETS
from tests.machines import RECORDED, Recorder, copy_proc, store

ROOT = Path(__file__).parent.parent

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
STREAM, DGRAM, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
# Of include/uapi/asm-generic/socket.h, include/uapi/linux/in.h.
SO_COOKIE, SO_MEMINFO = 57, 55
#: Options of inet sockets that sock_diag reports, too: column → level, option.
OPTIONS = {
    "tos": (socket.IPPROTO_IP, socket.IP_TOS),
    "recverr": (socket.IPPROTO_IP, 11),
    "freebind": (socket.IPPROTO_IP, 15),
    "mc_loop": (socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP),
    "transparent": (socket.IPPROTO_IP, 19),
    "mc_all": (socket.IPPROTO_IP, 49),
    "bind_address_no_port": (socket.IPPROTO_IP, 24),
    "recverr_rfc4884": (socket.IPPROTO_IP, 26),
    "mark": (socket.SOL_SOCKET, socket.SO_MARK),
    "class_id": (socket.SOL_SOCKET, socket.SO_PRIORITY),
}
TCP_CC_INFO = 26
OPTIONS6 = {
    "v6only": (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY),
    "tclass": (socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
}

Facts = dict[str, Any]


class Cast(dict[str, socket.socket]):
    """The sockets of a story, by the names that its facts have."""

    def open(self, name: str, family: int, type: int, proto: int = 0) -> socket.socket:
        self[name] = sock = socket.socket(family, type, proto)
        return sock

    def accept(self, name: str, listener: str) -> socket.socket:
        self[name] = sock = self[listener].accept()[0]
        return sock


def fact(sock: socket.socket) -> Facts:
    """What a socket knows of itself, asked for by other ways than sock_diag."""

    def option(level: int, name: int) -> int:
        return sock.getsockopt(level, name)

    (cookie,) = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))
    memory = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64)
    facts: Facts = {
        "fd": sock.fileno(),
        "inode": os.fstat(sock.fileno()).st_ino,
        "cookie": cookie,
        "memory": struct.unpack(f"={len(memory) // 4}I", memory),
    }
    options = {} if sock.family == UNIX else dict(OPTIONS)
    if sock.family == INET6:
        options.update(OPTIONS6)
    facts.update((name, option(*place)) for name, place in options.items())
    if sock.family != UNIX and sock.type == STREAM:
        name = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
        facts["congestion"] = name.partition(b"\0")[0].decode()
        facts["tcp_info"] = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512).hex()
        facts["cc_info"] = sock.getsockopt(socket.IPPROTO_TCP, TCP_CC_INFO, 64).hex()
    if sock.family == UNIX and isinstance(name := sock.getsockname(), str) and name:
        status = os.stat(os.fsencode(name))
        facts["file"] = {
            "inode": status.st_ino,
            "device": f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}",
        }
    return facts


class Story(NamedTuple):
    """``begin`` opens sockets; ``end``, once they are recorded, looks at what was hidden."""

    doc: str
    begin: Callable[[Cast], dict[str, Facts]]
    end: Callable[[Cast], dict[str, Facts]]
    queries: list[str]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError


def _state(sock: socket.socket) -> int:
    return int(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0])


# -- mixed --------------------------------------------------------------------------------------


def begin_mixed(cast: Cast) -> dict[str, Facts]:
    """Sockets of every family and protocol that sockql had first."""
    # TCP over IPv4: a listener, a connection with 5 bytes unread, one that waits for accept(2).
    web = cast.open("web", INET, STREAM)
    web.bind(("127.0.0.1", 8080))
    web.listen(5)
    for name, port in (("client", 40001), ("closer", 40003)):
        cast.open(name, INET, STREAM).bind(("127.0.0.1", port))
        cast[name].connect(("127.0.0.1", 8080))
        cast.accept(f"{name}'s server", "web")
    cast.open("pending", INET, STREAM).bind(("127.0.0.1", 40002))
    cast["pending"].connect(("127.0.0.1", 8080))
    cast["client"].send(b"12345")
    cast["client"].setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    cast["client"].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # TIME_WAIT: the side that closes first.
    gone = {"closer": fact(cast["closer"])}
    server = cast.pop("closer's server")
    cast["closer"].shutdown(socket.SHUT_WR)
    _until(lambda: _state(server) == 8)
    server.close()
    _until(lambda: _state(cast["closer"]) == 7)
    cast.pop("closer").close()
    # TCP over IPv6: a listener for both families, and a connection of each.
    dual = cast.open("dual", INET6, STREAM)
    dual.bind(("::", 8081))
    dual.listen(16)
    mapped = cast.open("mapped", INET, STREAM)
    mapped.bind(("127.0.0.1", 40004))
    mapped.connect(("127.0.0.1", 8081))
    cast.accept("mapped's server", "dual")
    six = cast.open("six", INET6, STREAM)
    six.bind(("::1", 40005))
    six.connect(("::1", 8081))
    cast.accept("six's server", "dual")
    # Marked, bound to a device.
    marked = cast.open("marked", INET, STREAM)
    marked.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x2A)
    marked.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    marked.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 5)
    for name in ("freebind", "transparent", "bind_address_no_port"):
        marked.setsockopt(*OPTIONS[name], 1)
    marked.bind(("0.0.0.0", 8082))
    marked.listen(1)
    # Bound and nothing else.
    cast.open("inactive", INET, STREAM).bind(("127.0.0.1", 8083))
    # UDP; the datagram is left unread.
    cast.open("dns", INET, DGRAM).bind(("127.0.0.1", 5353))
    asker = cast.open("asker", INET, DGRAM)
    asker.bind(("127.0.0.1", 40006))
    asker.connect(("127.0.0.1", 5353))
    asker.send(b"x" * 100)
    for name in ("recverr", "recverr_rfc4884"):
        asker.setsockopt(*OPTIONS[name], 1)
    for name in ("mc_loop", "mc_all"):
        asker.setsockopt(*OPTIONS[name], 0)
    os.seteuid(1000)
    cast.open("user's", INET6, DGRAM).bind(("::1", 5354))
    os.seteuid(0)
    cast["user's"].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x20)
    cast.open("lite", INET, DGRAM, 136).bind(("127.0.0.1", 5355))
    # Unix sockets; names are what they were when bound.
    app = cast.open("app", UNIX, STREAM)
    app.bind("app.sock")
    app.listen(5)
    cast.open("app client", UNIX, STREAM).connect("app.sock")
    cast.accept("app server", "app").send(b"1234567")
    cast.open("app pending", UNIX, STREAM).connect("app.sock")
    cast.open("abstract", UNIX, DGRAM).bind(b"\0log")
    cast.open("logger", UNIX, DGRAM).connect(b"\0log")
    cast.open("nul", UNIX, SEQPACKET).bind(b"\0a\0b")
    cast["nul"].listen(2)
    cast.open("newline", UNIX, STREAM).bind("new\nline")
    cast.open("latin", UNIX, STREAM).bind(b"caf\xe9")
    cast.open("at", UNIX, STREAM).bind("@log")
    cast["left"], cast["right"] = socket.socketpair(UNIX, DGRAM)
    return gone


def end_mixed(cast: Cast) -> dict[str, Facts]:
    with cast["web"].accept()[0] as server:
        return {"pending's server": fact(server)}


#: Every column, hidden ones included.
_ALL = ", ".join(SOCKETS.schema.by_name)

STORIES = {
    "mixed": Story(
        "TCP over both families (listening, waiting for accept, established, v4-mapped, "
        "TIME_WAIT, marked and bound to a device, bound only), UDP, UDP-Lite, and unix sockets "
        "with every kind of name.",
        begin_mixed,
        end_mixed,
        [
            "select * from sockets",
            f"select {_ALL} from sockets",
            # CROSS JOIN: whichever table a plan reads first, its request is recorded.
            "select cookie, pid, fd from sockets cross join fds using(inode)",
            "select cookie, pid, fd from fds cross join sockets using(inode)",
            "select pid, sport from sockets cross join fds using(inode) where state='LISTEN'",
            "select pid, sport from fds cross join sockets using(inode) where state='LISTEN'",
        ],
    ),
}


# -- telling it ---------------------------------------------------------------------------------


def tell(story: Story, ready: int, go_on: int) -> NoReturn:
    """The story's process: begin, wait until it was recorded, end, and hand over the facts."""
    try:
        cast = Cast()
        facts = story.begin(cast)
        facts.update((name, fact(sock)) for name, sock in cast.items())
        os.write(ready, b"x")
        os.read(go_on, 1)
        facts.update(story.end(cast))
        os.write(ready, json.dumps(facts).encode())
    finally:
        os._exit(0)


def loopback_up() -> None:
    siocsifflags, iff_up = 0x8914, 1
    with socket.socket(INET, DGRAM) as sock:
        fcntl.ioctl(sock, siocsifflags, struct.pack("16sh14x", b"lo", iff_up))


def record(name: str, folder: Path) -> None:
    """Record the story ``name`` to ``folder``; this process has its own namespaces."""
    story = STORIES[name]
    loopback_up()
    folder.mkdir(parents=True)
    ready, tell_ready = os.pipe()
    wait_go_on, go_on = os.pipe()
    with tempfile.TemporaryDirectory() as scratch:
        pid = os.fork()
        if pid == 0:
            os.chdir(scratch)
            null = os.open("/dev/null", os.O_RDWR)
            for number in range(3):
                os.dup2(null, number)
            tell(story, tell_ready, wait_go_on)
        os.close(tell_ready)
        if os.read(ready, 1) != b"x":
            raise ChildProcessError(f"the story {name} failed")
        host = Recorder()
        with Engine(host) as engine:
            for sql in story.queries:
                engine.query(sql)
        store(host.exchanges, folder)
        interpreter = os.readlink(f"/proc/{pid}/exe")
        copy_proc(
            folder / "proc",
            [pid],
            {
                interpreter: "/usr/bin/python3",
                sys.executable: "/usr/bin/python3",
                scratch: "/srv/story",
                str(folder): "/srv/recorded",
            },
        )
        os.write(go_on, b"x")
        with open(ready, "rb") as rest:
            facts: dict[str, Any] = {"sockets": json.load(rest)}
        os.waitpid(pid, 0)
    _own_counters(folder / "proc" / "net" / "sockstat", facts["sockets"])
    facts["pid"] = pid
    facts["cgroup_id"] = cgroup_id()
    facts["netns"] = os.stat("/proc/self/ns/net").st_ino
    facts["byteorder"] = sys.byteorder
    (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "about.toml").write_text(_about(name, story))


def _own_counters(sockstat: Path, sockets: Facts) -> None:
    """Replace what the kernel counts over all namespaces: sockets and memory of TCP."""
    own = sum("congestion" in facts for facts in sockets.values())
    text = re.sub(r"alloc \d+ mem \d+", f"alloc {own} mem 0", sockstat.read_text())
    sockstat.write_text(text)


def cgroup_id() -> int | None:
    """The inode of this process's directory in the cgroup2 file system; None without one."""
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split() for line in file]
    with open("/proc/self/cgroup") as file:
        paths = [line[3:-1] for line in file if line.startswith("0::")]
    for mount in mounts:
        if mount[mount.index("-") + 1] == "cgroup2" and paths:
            return os.stat(mount[4] + paths[0]).st_ino
    return None


def _about(name: str, story: Story) -> str:
    queries = "".join(f"    {json.dumps(sql)},\n" for sql in story.queries)
    return (
        f"kernel = {json.dumps(_kernel())}\n"
        f"machine = {json.dumps(platform.machine())}\n"
        f'command = "python -m tests.record {name}"\n'
        f"story = {json.dumps(story.doc)}\n"
        f"queries = [\n{queries}]\n"
    )


def _kernel() -> str:
    return platform.release().partition("-")[0]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.record", description=__doc__)
    parser.add_argument("story", choices=STORIES)
    parser.add_argument("--inside", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        record(options.story, Path(options.inside))
        return
    final = RECORDED / f"{'.'.join(_kernel().split('.')[:2])}-{options.story}"
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / final.name
        unshare = ("unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")
        inside = (sys.executable, "-m", "tests.record", options.story, "--inside", str(made))
        subprocess.run([*unshare, *inside], cwd=ROOT, check=True)
        shutil.rmtree(final, ignore_errors=True)
        shutil.copytree(made, final, symlinks=True)
    print(final)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
