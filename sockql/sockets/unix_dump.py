"""The dump of unix sockets of a scan, and what replaces it where the kernel refuses.

Source: net/unix/diag.c; sock_diag(7).
"""

from __future__ import annotations

from itertools import chain

from sockql.diag import unix as unix_diag
from sockql.diag.inet import ALL_STATES, SOCK_DIAG_BY_FAMILY
from sockql.sockets.plan import UNIX_SOCKTYPES, state_words, unix_states
from sockql.sockets.record import (
    ESTABLISHED,
    NEEDS_PEER_NAMES,
    ORIGIN,
    SHOW_MASK,
    SHOW_PEER,
    SHOW_SHIFT,
    UNIX_STATES,
)
from sockql.sockets.whole import UNIX_COOKIE, Refused, unique, unseen, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sockql.sockets.record import SocketRecord
    from sockql.sockets.scan import Scan


def unix(scan: Scan) -> Iterator[Iterable[SocketRecord]]:
    """Batches of unix sockets, of the types that are asked for."""
    types = scan.request.values("socktype")
    for batch in _batches(scan):
        # The kernel is not asked for types.
        yield batch if types is None else [r for r in batch if r[ORIGIN].socktype in types]


def _batches(scan: Scan) -> Iterator[Iterable[SocketRecord]]:
    """Batches of unix sockets of all types."""
    request = scan.request
    states = asked = unix_states(request)
    show = request.needs & SHOW_MASK
    named = bool(request.needs & NEEDS_PEER_NAMES) and states >> ESTABLISHED & 1
    if named:
        # A peer may be in any state; only connected sockets have one.
        asked = ALL_STATES
    elif request.needs & NEEDS_PEER_NAMES:
        show &= ~SHOW_PEER
    words = [f"sock_diag unix show={show >> SHOW_SHIFT:#04x}"]
    if asked != ALL_STATES:
        words.append("states=" + state_words(asked, UNIX_STATES))
    name = " ".join(words)
    origins = {
        number: scan.origin("unix", None, socktype) for number, socktype in UNIX_SOCKTYPES.items()
    }
    packed = unix_diag.dump_request(states=asked, show=show >> SHOW_SHIFT)
    request.trace.note(name)
    try:
        received = _dump(scan, lambda v: unix_diag.decode(v, origins, name), packed, name)
        if named:
            yield unix_diag.name_peers(list(chain.from_iterable(received)), states)
        else:
            yield from received
    except Refused as refused:
        scan.replaced("unix", refused.error)
        from sockql.sockets.text import unix_batches

        yield from unix_batches(scan, origins, states, refused.error)


def _dump(
    scan: Scan,
    decode: Callable[[memoryview], Iterable[SocketRecord]],
    packed: bytes,
    name: str,
) -> Iterator[list[SocketRecord]]:
    """One dump, its rows unique by cookie.

    A socket that is bound moves to another chain, where the dump meets it again; there is no
    saying how much later.

    :raises Refused: when the kernel refused before the first row.
    """
    seen: set[int] = set()

    def batch(view: memoryview) -> list[SocketRecord]:
        return unique(decode(view), seen)

    def rest(view: memoryview) -> list[SocketRecord]:
        return batch(unseen(view, SOCK_DIAG_BY_FAMILY, UNIX_COOKIE, seen, name))

    # Chains are long: in the busiest of times three dumps may lack the same socket.
    for found in whole(scan.request, scan.host, packed, batch, rest, 3):
        scan.count(found)
        yield found
