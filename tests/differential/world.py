"""A small machine of its own: run in new network, pid and mount namespaces, it holds sockets.

It opens sockets of every kind and state that an unprivileged network stack can be brought into
without a real network, in several processes and under two users, says "ready" with the facts
that cannot be asked for later, and keeps everything until its standard input ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
STREAM, DGRAM, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
UDPLITE, MPTCP = 136, 262
NOBODY = 65534

#: What is opened stays open.
KEPT: list[socket.socket] = []
#: What the kernel of this machine does not have: name → errno name.
MISSING: dict[str, str] = {}


def keep(family: int, type: int, proto: int = 0) -> socket.socket:
    sock = socket.socket(family, type, proto)
    KEPT.append(sock)
    return sock


def listener(family: int, home: str, port: int = 0, backlog: int = 8) -> socket.socket:
    sock = keep(family, STREAM)
    sock.bind((home, port))
    sock.listen(backlog)
    return sock


def connect(server: socket.socket, home: str | None = None) -> socket.socket:
    sock = keep(server.family if home is None or ":" in home else INET, STREAM)
    address = server.getsockname()
    sock.connect((home, address[1]) if home else address)
    return sock


def accept(server: socket.socket) -> socket.socket:
    sock = server.accept()[0]
    KEPT.append(sock)
    return sock


def pair(family: int, home: str) -> tuple[socket.socket, socket.socket]:
    server = listener(family, home)
    client = connect(server)
    return client, accept(server)


def drop(sock: socket.socket) -> None:
    KEPT.remove(sock)
    sock.close()


def tcp_state(sock: socket.socket) -> int:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"line {sys._getframe(1).f_lineno}")


def stuff(sock: socket.socket) -> None:
    """Send until neither the peer's window nor the own buffer takes any more."""
    sock.setblocking(False)
    quiet = time.monotonic() + 0.2
    while time.monotonic() < quiet:
        with contextlib.suppress(BlockingIOError):
            sock.send(b"x" * 65536)
            quiet = time.monotonic() + 0.2


# -- stories ------------------------------------------------------------------------------------


def tcp_listeners() -> None:
    listener(INET, "127.0.0.1", 8001)
    listener(INET, "0.0.0.0", 8002, backlog=0)
    listener(INET6, "::1", 8003)
    listener(INET6, "::", 8004)
    only = keep(INET6, STREAM)
    only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    only.bind(("::", 8005))
    only.listen()
    for _ in range(2):
        shared = keep(INET, STREAM)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(("127.0.0.1", 8006))
        shared.listen(5)
    device = keep(INET, STREAM)
    device.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    device.bind(("0.0.0.0", 8007))
    device.listen(5)
    marked = keep(INET, STREAM)
    marked.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x2A)
    marked.bind(("127.0.0.1", 8008))
    marked.listen(5)
    optioned = keep(INET, STREAM)
    ip_recverr, ip_freebind, ip_transparent, ip_bind_address_no_port = 11, 15, 19, 24
    for option in (ip_recverr, ip_freebind, ip_transparent, ip_bind_address_no_port):
        optioned.setsockopt(socket.IPPROTO_IP, option, 1)
    optioned.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    optioned.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 5)
    optioned.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    optioned.bind(("192.0.2.1", 8013))  # an address of somebody else
    optioned.listen(5)
    waiting = listener(INET, "127.0.0.1", 8009, backlog=3)
    for _ in range(2):
        connect(waiting)


def tcp_connections() -> None:
    pair(INET, "127.0.0.1")
    client, _ = pair(INET6, "::1")
    client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x20)
    dual = listener(INET6, "::")
    connect(dual, "127.0.0.1")
    accept(dual)
    client, _ = pair(INET, "127.0.0.1")
    client.send(b"12345")
    client, _ = pair(INET, "127.0.0.1")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client, _ = pair(INET, "127.0.0.1")
    stuff(client)


def tcp_ends() -> None:
    client, server = pair(INET, "127.0.0.1")  # FIN_WAIT2, CLOSE_WAIT
    client.shutdown(socket.SHUT_WR)
    wait_for(lambda: tcp_state(client) == 5 and tcp_state(server) == 8)

    client, server = pair(INET, "127.0.0.1")  # FIN_WAIT1 behind a closed window
    stuff(client)
    client.shutdown(socket.SHUT_WR)
    wait_for(lambda: tcp_state(client) == 4)

    client, server = pair(INET, "127.0.0.1")  # CLOSING, FIN_WAIT2
    stuff(client)
    client.shutdown(socket.SHUT_WR)
    server.shutdown(socket.SHUT_WR)
    wait_for(lambda: tcp_state(client) == 11)

    client, server = pair(INET6, "::1")  # LAST_ACK behind a closed window
    stuff(client)
    server.shutdown(socket.SHUT_WR)
    wait_for(lambda: tcp_state(client) == 8)
    client.shutdown(socket.SHUT_WR)
    wait_for(lambda: tcp_state(client) == 9)

    client, server = pair(INET, "127.0.0.1")  # an orphan in FIN_WAIT1
    stuff(client)
    drop(client)

    for family, home in ((INET, "127.0.0.1"), (INET6, "::1")):
        client, server = pair(family, home)  # TIME_WAIT
        client.shutdown(socket.SHUT_WR)
        wait_for(lambda server=server: tcp_state(server) == 8)  # type: ignore[misc]
        drop(server)
        wait_for(lambda client=client: tcp_state(client) == 7)  # type: ignore[misc]
        drop(client)

    client, server = pair(INET, "127.0.0.1")  # an orphan in FIN_WAIT2
    drop(client)
    wait_for(lambda: tcp_state(server) == 8)


def tcp_beginnings() -> None:
    full = listener(INET, "127.0.0.1", backlog=0)
    connect(full)
    late = keep(INET, STREAM)
    late.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        late.connect(full.getsockname())  # SYN_SENT: the queue is full
    silent = listener(INET, "127.0.0.1")
    silent.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
    connect(silent)  # SYN_RECV at the listener: it waits for data
    bound = keep(INET, STREAM)
    bound.bind(("127.0.0.1", 8010))  # BOUND_INACTIVE
    keep(INET, STREAM)  # in no table of the kernel
    with unless_missing("mptcp"):
        server = keep(INET, STREAM, MPTCP)
        server.bind(("127.0.0.1", 8011))
        server.listen()
        client = keep(INET, STREAM, MPTCP)
        client.connect(server.getsockname())
        accept(server).send(b"hello")


def datagrams() -> None:
    for proto in (0, UDPLITE):
        with unless_missing("udplite" if proto else "udp"):
            bound = keep(INET, DGRAM, proto)
            bound.bind(("127.0.0.1", 0))
            bound6 = keep(INET6, DGRAM, proto)
            bound6.bind(("::", 0))
            sender = keep(INET, DGRAM, proto)
            sender.connect(bound.getsockname())
            sender.send(b"x" * 100)
            keep(INET6, DGRAM, proto).connect(("::1", bound6.getsockname()[1]))
            keep(INET6, DGRAM, proto).connect(("::ffff:127.0.0.1", bound.getsockname()[1]))
    for _ in range(2):
        shared = keep(INET, DGRAM)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        shared.bind(("0.0.0.0", 8012))
    keep(INET, DGRAM)  # in no table of the kernel
    with unless_missing("raw"):
        keep(INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        keep(INET, socket.SOCK_RAW, 253).connect(("127.0.0.1", 0))
        keep(INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    with unless_missing("icmp"):
        with open("/proc/sys/net/ipv4/ping_group_range", "w") as file:
            file.write("0 65535")
        keep(INET, DGRAM, socket.IPPROTO_ICMP).bind(("127.0.0.1", 0))
        keep(INET6, DGRAM, socket.IPPROTO_ICMPV6).bind(("::1", 0))


def unix_sockets() -> None:
    for name in (b"plain", b"with blank", b"new\nline", b"caf\xe9", b"@at", b"tail "):
        keep(UNIX, STREAM).bind(name)
    for name in (b"plain", b"with blank", b"n\0u\0l", b"caf\xe9", b"@at", b"l\nf", b"\0", b"at"):
        keep(UNIX, DGRAM).bind(b"\0" + name)
    keep(UNIX, STREAM).bind("")  # a name that the kernel chooses
    for type, path in ((STREAM, "stream"), (SEQPACKET, "seqpacket")):
        server = keep(UNIX, type)
        server.bind(path)
        server.listen(5)
        for _ in range(2):
            client = keep(UNIX, type)
            client.connect(path)
        client.send(b"123")
        keep(UNIX, type).connect(path)  # waits in the queue
        accept(server)
        accept(server).shutdown(socket.SHUT_WR)
        os.unlink(path)
    server = keep(UNIX, DGRAM)
    server.bind("datagram")
    sender = keep(UNIX, DGRAM)
    sender.connect("datagram")
    sender.send(b"12345")
    for type in (STREAM, DGRAM, SEQPACKET):
        one, two = socket.socketpair(UNIX, type)
        KEPT.extend((one, two))
        one.send(b"123")
    # A socket that no process holds: it is in flight.
    one, two = socket.socketpair(UNIX, STREAM)
    KEPT.extend((one, two))
    flying = keep(UNIX, STREAM)
    flying.bind("flying")
    socket.send_fds(one, [b"x"], [flying.fileno()])
    drop(flying)


@contextlib.contextmanager
def unless_missing(name: str) -> Iterator[None]:
    """Notes what the kernel refuses, so that the rest can still be compared."""
    try:
        yield
    except OSError as error:
        MISSING[name] = os.strerror(error.errno or 0)


# -- processes ----------------------------------------------------------------------------------


def fork(work: Callable[[], None]) -> int:
    """A child that keeps this process's sockets and those of ``work`` until it is killed."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(work, tell)
    os.close(tell)
    if not os.read(ready, 1):
        raise ChildProcessError(work.__name__)
    os.close(ready)
    return pid


def _child(work: Callable[[], None], tell: int) -> NoReturn:
    try:
        work()
        os.write(tell, b"x")
        while True:
            signal.pause()
    finally:
        os._exit(1)


def worker() -> None:
    """Shares what it inherits, and has a listener and a connection of its own."""
    pair(INET, "127.0.0.1")


def stranger() -> None:
    """Another user with sockets of its own only."""
    while KEPT:
        drop(KEPT[-1])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    pair(INET, "127.0.0.1")
    keep(INET, DGRAM).bind(("127.0.0.1", 0))
    keep(UNIX, STREAM).bind("\0stranger")


def loopback_up() -> None:
    siocsifflags, iff_up = 0x8914, 1
    with socket.socket(INET, DGRAM) as sock:
        fcntl.ioctl(sock, siocsifflags, struct.pack("16sh14x", b"lo", iff_up))


def main() -> None:
    os.chdir(sys.argv[1])
    loopback_up()
    tcp_listeners()
    children = [fork(worker), fork(stranger)]
    tcp_connections()
    datagrams()
    unix_sockets()
    tcp_beginnings()
    tcp_ends()
    print(json.dumps({"pids": [1, *children], "missing": MISSING}), flush=True)
    sys.stdin.read()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
