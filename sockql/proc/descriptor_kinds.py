"""What a request wants of sockets, and what of the other descriptors.

Sockets are most of the descriptors where there are many; what only others are asked for is not
read of them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.request import Request

#: Columns that have nothing to say of a socket, so that a condition on one excludes it.
_NULL_OF_SOCKETS: Final = ("file_inode", "mount_point", "ns_inode", "ns_type", "tty_index")


def needs_by_kind(request: Request) -> tuple[int, int]:
    """The bits of :attr:`Request.needs <sockql.request.Request>` of sockets, and of all others."""
    sockets = others = 0
    for part in request.parts or (request,):
        if may_be_socket(part):
            sockets |= part.needs
        if _may_be_other(part):
            others |= part.needs
    return sockets, others


def socket_inodes(request: Request) -> frozenset[int] | None:
    """The only inodes that a socket may have that is a row for ``request``; None for any."""
    found: frozenset[int] = frozenset()
    for part in request.parts or (request,):
        if may_be_socket(part):
            inodes = part.values("inode")
            if inodes is None:
                return request.values("inode")
            found |= inodes
    return found


def may_be_socket(request: Request) -> bool:
    """Whether a socket may be a row for ``request``."""
    types = request.values("type")
    if types is not None and "socket" not in types:
        return False
    # Only what has a path can be deleted.
    if request.values("deleted") == frozenset((1,)):
        return False
    return not any(map(request.constrained, _NULL_OF_SOCKETS))


def _may_be_other(request: Request) -> bool:
    """Whether anything but a socket may be a row for ``request``."""
    return not request.constrained("inode") and request.values("type") != frozenset(("socket",))
