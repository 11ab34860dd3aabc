"""``sockets`` from sock_diag and from the text files of /proc/net: the same rows."""

from __future__ import annotations

from tests.differential.machine import World, ordered

# Of a connection in SYN_RECV the text has the timeouts, sock_diag the retransmissions.
INET = """
    select family, protocol, socktype, state, src, sport, dst, dport, recv_queue, send_queue,
           accept_queue, inode, socket_uid, timer, iif(state = 'SYN_RECV', null, retransmits)
    from sockets where protocol in ('tcp', 'udp', 'udplite') and state <> 'BOUND_INACTIVE'
"""

UNIX = """
    select socktype, state, replace(src, '\\x00', '@'), inode, pid, fd
    from sockets left join fds using (inode) where family = 'unix' and inode is not null
"""


def test_inet_sockets_are_the_same_in_text(world: World) -> None:
    rows, text = world.agree(INET, lambda: world.query_without_netlink(INET))
    assert rows == ordered(text)


def test_unix_sockets_are_the_same_in_text(world: World) -> None:
    """Names with newlines among them; none of the machine's names forges a line."""
    rows, text = world.agree(UNIX, lambda: world.query_without_netlink(UNIX))
    assert rows == ordered(text)
