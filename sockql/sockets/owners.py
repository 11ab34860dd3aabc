"""The hidden columns of ``sockets`` that say why no process is found, and who will have it."""

from __future__ import annotations

from sockql.schema import integer, text
from sockql.sockets.record import INODE, NUMBER, ORIGIN, STATE, TIMER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.sockets.record import SocketRecord

#: Every value of ``sockets.owner_state``.
OWNER_STATES: Final = (
    *("held", "timewait", "request", "orphan", "unaccepted", "in_flight", "kernel", "unknown"),
)
#: idiag_timer of a connection in TIME_WAIT, also while it is counted as FIN_WAIT2.
_TIMEWAIT: Final = 3
#: Where the number is in the record of a netlink socket; the kernel's own have 0.
_PORTID: Final = NUMBER + 1
_CONNECTED: Final = ("stream", "seqpacket", "dccp")


def is_the_kernels(r: SocketRecord) -> bool:
    """Whether the socket itself says that the kernel made it."""
    return r[ORIGIN].family == "netlink" and not r[_PORTID]


def _owner_state(r: SocketRecord) -> str | None:
    origin = r[ORIGIN]
    if is_the_kernels(r):
        return "kernel"
    if r[INODE]:
        state: str | None = None if origin.owners is None else origin.owners.of(r[INODE])
        return state
    if r[TIMER] == _TIMEWAIT:
        return "timewait"
    name = origin.states.get(r[STATE])
    if name == "SYN_RECV":
        return "request"
    if name in ("ESTABLISHED", "CLOSE_WAIT") and origin.socktype in _CONNECTED:
        return "unaccepted"
    return "orphan" if origin.socktype in _CONNECTED else "kernel"


def _listener_inode(r: SocketRecord) -> int | None:
    listeners = r[ORIGIN].listeners
    found: int | None = None if listeners is None else listeners.inode_for(r)
    return found


class OwnerDetails:
    """Columns about who has a socket."""

    owner_state = text(
        "Why a process has it or none: held by a process; timewait, orphan (closed, and the kernel "
        "ends the connection), request (not yet a connection), unaccepted (waits for accept(2), "
        "see listener_inode); in_flight (no process has a descriptor of it, and some descriptors "
        "are on their way through unix sockets or registered with io_uring); kernel (none is, so "
        "it is the kernel's own); unknown when some process could not be read, and when it was "
        "closed meanwhile.",
        source="idiag_inode, /proc/PID/fd",
        get=_owner_state,
        values=OWNER_STATES,
        hidden=True,
    )
    listener_inode = integer(
        "Inode of the TCP, MPTCP, vsock or unix listener at which the connection waits for accept(2); of "
        "a unix connection on the row of its client, for the other end has none. NULL for those "
        "that wait nowhere, for other protocols, and when several listeners would do "
        "(SO_REUSEPORT).",
        source="idiag_src, idiag_sport, UNIX_DIAG_ICONS",
        get=_listener_inode,
        hidden=True,
        index=True,
    )
