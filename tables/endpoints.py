"""The table ``endpoints``."""

from __future__ import annotations

from operator import itemgetter

from sockql.endpoints import pairs as endpoints
from sockql.proc import costs as process_costs
from sockql.request import Request
from sockql.schema import EQUAL, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.endpoints.pairs import Endpoint
    from sockql.host import Host


class Endpoints(
    Table["Endpoint"],
    examples=[
        "select kind, peer_pid, peer_fd from endpoints where pid = 1",
        "select fd, peer_pid, name from endpoints e join processes p on p.pid = peer_pid",
        "select pid, fd, file_inode from endpoints where kind = 'pipe' and peer_pid is null",
    ],
):
    """Who is at the other end, one row for each descriptor and each descriptor at its other end.

    What was connected to something that no process holds any more has a row of its own; what
    never had another end, as a listener without clients, or has it on another host, has none. A
    connection that waits for accept(2) leads to its listener. The rows of pidfds and epoll
    instances go one way, all others both ways.
    """

    pid = integer(
        "Process that has the descriptor.",
        source="/proc/PID",
        get=itemgetter(endpoints.PID),
        push=EQUAL,
        exact=True,
    )
    fd = integer(
        "Number of the descriptor.",
        source="/proc/PID/fd",
        get=itemgetter(endpoints.FD),
        push=EQUAL,
    )
    kind = text(
        "What the two are ends of: a unix, tcp, udp (connected) or vsock socket, a pipe, a fifo, "
        "a POSIX message queue (mqueue), a pseudoterminal (pty), an eventfd; or what leads from "
        "one to the other: a pidfd to its process, an epoll instance to each of its targets.",
        source="/proc/PID/fd/FD",
        get=itemgetter(endpoints.KIND),
        push=EQUAL,
        values=endpoints.KINDS,
    )
    inode = integer(
        "Inode of the socket, as in socket:[N]; NULL for everything that is no socket (see "
        "file_inode).",
        source="/proc/PID/fd/FD",
        get=itemgetter(endpoints.INODE),
        push=EQUAL,
        index=True,
    )
    peer_pid = integer(
        "Process that has the other end; NULL when nobody holds it or who does cannot be read.",
        source="/proc/PID",
        get=itemgetter(endpoints.PEER_PID),
        push=EQUAL,
    )
    peer_fd = integer(
        "Descriptor of that process; NULL for a pidfd, whose other end is the process, and when "
        "peer_pid is NULL.",
        source="/proc/PID/fd",
        get=itemgetter(endpoints.PEER_FD),
    )
    peer_inode = integer(
        "Inode of the socket at the other end; NULL when that is no socket, was closed, or waits "
        "for accept(2) at a listener that several share.",
        source="UNIX_DIAG_PEER, UNIX_DIAG_ICONS, idiag_inode",
        get=itemgetter(endpoints.PEER_INODE),
        push=EQUAL,
        index=True,
    )
    direction = text(
        "Which way data can go: r from the other end, w to it, rw both; NULL when neither, and "
        "for what no data goes through: a connection that is not accepted, a pidfd, an epoll "
        "instance.",
        source="/proc/PID/fd/FD, st_mode, UNIX_DIAG_SHUTDOWN, idiag_state",
        get=itemgetter(endpoints.DIRECTION),
        values=("r", "w", "rw"),
        hidden=True,
    )
    netns = integer(
        "Inode of the network namespace of the socket, as in net:[N]; NULL for everything that "
        "is no socket, and when it cannot be read.",
        source="/proc/self/ns/net",
        get=itemgetter(endpoints.NETNS),
        hidden=True,
    )
    peer_netns = integer(
        "Inode of the network namespace of the socket at the other end; NULL when that is no "
        "socket or was closed, and when it cannot be read.",
        source="/proc/self/ns/net",
        get=itemgetter(endpoints.PEER_NETNS),
        hidden=True,
    )
    via = text(
        "How the other end is known: peer, the kernel names it; queue, it is the listener where "
        "the connection waits, or a client that waits there; address, it has the reversed "
        "addresses; file, it is open on the same device and inode; tty, it is the other side of "
        "the terminal with this number in the same devpts; id, it has the same eventfd-id; "
        "fdinfo, the descriptor names it.",
        source="sock_diag(7), proc(5)",
        get=itemgetter(endpoints.VIA),
        values=("peer", "queue", "address", "file", "tty", "id", "fdinfo"),
        hidden=True,
    )
    file_inode = integer(
        "Inode of the pipe, queue, terminal or anonymous inode on its device; that of an anonymous "
        "inode is shared by all of them; NULL for sockets (see inode).",
        source="st_ino",
        get=itemgetter(endpoints.FILE_INODE),
        hidden=True,
    )
    peer_file_inode = integer(
        "The same of the other end; NULL for sockets (see peer_inode), a pidfd, and when peer_pid "
        "is NULL.",
        source="st_ino",
        get=itemgetter(endpoints.PEER_FILE_INODE),
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Endpoint]:
        return endpoints.rows(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        from sockql.tables.fds import TABLE

        # Whoever is asked for, the other end may be anywhere.
        rows, cost = process_costs.fds(Request(TABLE.schema, request.snapshot, columns=()), host)
        rows /= 2
        if request.constrained("pid") or request.constrained("peer_pid"):
            rows /= process_costs.count(request, host)
        if request.constrained("fd"):
            rows = min(rows, 2.0)
        if request.constrained("inode") or request.constrained("peer_inode"):
            rows = min(rows, 2.0 * len(request.values("inode") or (0,)))
        return max(rows, 1.0), cost


TABLE = Endpoints()
