"""The view ``listening``."""

from __future__ import annotations

from sockql.schema import View, integer, text


class Listening(
    View,
    key=("netns", "family", "protocol", "src", "sport", "pid", "fd"),
    examples=[
        "select * from listening",
        "select protocol, src, sport, pid, name from listening where sport = 443",
        "select distinct protocol, src, sport from listening where pid is null",
        "select src, sport, accept_queue, backlog from listening where accept_queue > backlog / 2",
    ],
):
    """Sockets that others may turn to, one row for each descriptor that holds one.

    These are sockets that listen, of whatever family, and UDP sockets that have a port and no
    peer. One whose owner cannot be seen is a row as well.
    """

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="sockets.netns",
    )
    family = text("Address family.", source="sockets.family")
    protocol = text("Protocol. NULL for unix sockets.", source="sockets.protocol")
    socktype = text("Type of the socket, as given to socket(2).", source="sockets.socktype")
    src = text(
        "Own address; for unix sockets the path, with @ before an abstract name. NULL for unix "
        "sockets without a name.",
        source="sockets.src",
    )
    sport = integer("Own port; NULL for unix sockets.", source="sockets.sport")
    interface = text(
        "Interface to which the socket is bound; NULL for none and for unix sockets.",
        source="sockets.interface",
    )
    accept_queue = integer(
        "Connections that wait for accept(2); NULL unless listening.",
        source="sockets.accept_queue",
        unit="connections",
    )
    backlog = integer(
        "How many connections may wait for accept(2); NULL unless listening.",
        source="sockets.backlog",
        unit="connections",
    )
    socket_uid = integer(
        "User who made the socket; NULL where the kernel does not say.",
        source="sockets.socket_uid",
    )
    inode = integer(
        "Inode of the socket, as in socket:[N]; NULL once no descriptor refers to it.",
        source="sockets.inode",
    )
    pid = integer("Process that holds the socket; NULL when none can be seen.", source="fds.pid")
    fd = integer("Number of its descriptor; NULL when no process can be seen.", source="fds.fd")
    name = text(
        "Name of the process; NULL when none can be seen.",
        source="processes.name",
    )

    sql = """
        select sockets.netns, family, protocol, socktype, src, sport, interface, accept_queue,
               backlog, socket_uid, inode, pid, fd, name
        from sockets left join fds using (inode) left join processes using (pid)
        where state in ('LISTEN', 'UNCONN')
          and (state = 'LISTEN' or protocol in ('udp', 'udplite') and sport is not null)
    """


TABLE = Listening()
