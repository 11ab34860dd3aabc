"""Sockets counted by state where they come from, without making a record of each.

Of a datagram whose messages are all of one length, the bytes of a field are a slice with a step:
264 sockets are counted in the time that five records take.

Source: include/uapi/linux/inet_diag.h, struct inet_diag_msg.
"""

from __future__ import annotations

from sockql.diag.inet import decode, same_length
from sockql.diag.netlink import HEADER
from sockql.sockets.record import CLOSE, LISTEN
from sockql.sockets.whole import INET_COOKIE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from sockql.sockets.record import Origin, SocketRecord

#: The columns by which sockets are told apart here: the state, and what a dump has in common.
COLUMNS: Final = frozenset(
    {"family", "netns", "netns_name", "protocol", "socktype", "source", "state"}
)

_FAMILY: Final = HEADER.size  # idiag_family
_STATE: Final = HEADER.size + 1  # idiag_state


class Alike(tuple["Any", ...]):  # noqa: SLOT001  a tuple has no room for slots
    """A record that stands for ``rows`` sockets, all alike in the :data:`COLUMNS`."""

    rows: int


def weight(record: SocketRecord) -> int:
    """The number of sockets that ``record`` stands for."""
    return record.rows if isinstance(record, Alike) else 1


def tally(
    view: memoryview, type: int, origins: Mapping[int, Origin], request: str
) -> tuple[set[int], list[SocketRecord]] | None:
    """The cookies of a datagram, and a record for each state that its sockets have.

    None where the sockets have to be looked at one by one: messages of several lengths or
    families, cookies that repeat, and states of which the cookies have to be remembered.
    """
    length = same_length(view, type)
    if not length:
        return None
    families = view[_FAMILY::length].tobytes()
    states = view[_STATE::length].tobytes()
    found = set(states)
    if families.count(families[0]) != len(families) or not found.isdisjoint((CLOSE, LISTEN)):
        return None
    words = view.cast("I")
    step, at = length // 4, INET_COOKIE // 4
    cookies = set(words[at::step].tolist())
    if len(cookies) != len(states) or any(words[at + 1 :: step].tolist()):
        return None
    records: list[SocketRecord] = []
    for state in found:
        start = states.index(state) * length
        (record,) = decode(view[start : start + length], type, origins, request)
        alike = Alike(record)
        alike.rows = states.count(state)
        records.append(alike)
    return cookies, records
