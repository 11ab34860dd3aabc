"""The view ``socket_summary``."""

from __future__ import annotations

from sockql.schema import View, integer, text


class SocketSummary(
    View,
    key=("netns", "family", "protocol", "socktype", "state"),
    examples=[
        "select * from socket_summary",
        "select state, sum(sockets) from socket_summary where protocol = 'tcp' group by state",
    ],
):
    """How many sockets there are, one row for each namespace, family, protocol, type and state."""

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="sockets.netns",
    )
    family = text("Address family.", source="sockets.family")
    protocol = text("Protocol. NULL for unix sockets.", source="sockets.protocol")
    socktype = text("Type of the sockets, as given to socket(2).", source="sockets.socktype")
    state = text("State of the sockets; NULL where the family has none.", source="sockets.state")
    sockets = integer("Number of sockets.", source="sockets")

    sql = """
        select netns, family, protocol, socktype, state, count(*) as sockets
        from sockets
        group by netns, family, protocol, socktype, state
    """


TABLE = SocketSummary()
