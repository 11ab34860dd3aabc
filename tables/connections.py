"""The view ``connections``."""

from __future__ import annotations

from sockql.schema import View, integer, text


class Connections(
    View,
    examples=[
        "select * from connections where dport = 443",
        "select name, count(*) from connections where protocol = 'tcp' group by name",
        (
            "select name, sport, peer_name, dport from connections "
            "where protocol = 'tcp' and peer_pid is not null"
        ),
    ],
):
    """Connected sockets, one row for each, whoever called whom, and who is at the other end.

    A connection within a network namespace has a row for each of its ends. Connections that are
    not open yet or no longer (SYN_RECV, TIME_WAIT) are only in sockets.
    """

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="sockets.netns",
    )
    family = text("Address family.", source="sockets.family")
    protocol = text("Protocol. NULL for unix sockets.", source="sockets.protocol")
    state = text("State of the socket.", source="sockets.state")
    src = text(
        "Own address, or the name of a unix socket; NULL for unix sockets without a name.",
        source="sockets.src",
    )
    sport = integer("Own port; NULL for protocols without.", source="sockets.sport")
    dst = text(
        "Address of the peer, or its name for unix sockets; NULL when it has none.",
        source="sockets.dst",
    )
    dport = integer("Port of the peer; NULL for protocols without.", source="sockets.dport")
    inode = integer(
        "Inode of the socket, as in socket:[N]; NULL once no descriptor refers to it or before "
        "accept(2) made one.",
        source="sockets.inode",
    )
    pid = integer(
        "Process that holds the socket, of several the one with the lowest number; NULL when "
        "none can be seen.",
        source="fds.pid",
    )
    name = text("Name of that process; NULL when none can be seen.", source="processes.name")
    peer_inode = integer(
        "Inode of the socket at the other end; NULL when it is not in this network namespace or "
        "has none.",
        source="sockets.inode, UNIX_DIAG_PEER",
    )
    peer_pid = integer(
        "Process that holds the other end, of several the one with the lowest number; NULL when "
        "none can be seen.",
        source="fds.pid",
    )
    peer_name = text(
        "Name of the process at the other end; NULL when none can be seen.",
        source="processes.name",
    )

    # Scalar subqueries, not joins: SQLite leaves out those that a statement does not name, and a
    # socket with several holders stays one row.  An IPv4-mapped address is that of an IPv4 socket
    # at the other end.
    sql = """
        select netns, family, protocol, state, src, sport, dst, dport, inode, pid,
               (select name from processes where processes.pid = ends.pid) as name,
               peer_inode, peer_pid,
               (select name from processes where processes.pid = ends.peer_pid) as peer_name
        from (
            select netns, family, protocol, state, src, sport, dst, dport, inode,
                   (select min(fds.pid) from fds where fds.inode = found.inode) as pid,
                   peer_inode,
                   (select min(fds.pid) from fds where fds.inode = found.peer_inode) as peer_pid
            from (
                select netns, family, protocol, state, src, sport, dst, dport, inode,
                       iif(family = 'unix', sockets.peer_inode, (
                           select other.inode
                           from sockets as other
                           where other.sport = sockets.dport
                             and other.dport = sockets.sport
                             and other.protocol = sockets.protocol
                             and other.netns is sockets.netns
                             and replace(other.src, '::ffff:', '')
                               = replace(sockets.dst, '::ffff:', '')
                             and replace(other.dst, '::ffff:', '')
                               = replace(sockets.src, '::ffff:', '')
                       )) as peer_inode
                from sockets
                where state in ('ESTABLISHED', 'SYN_SENT', 'FIN_WAIT1', 'FIN_WAIT2',
                                'CLOSE_WAIT', 'LAST_ACK', 'CLOSING')
            ) as found
        ) as ends
    """


TABLE = Connections()
