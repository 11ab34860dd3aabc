"""The sockets of every network namespace: the planned dumps run, and what replaces them.

Source: net/core/sock_diag.c; sock_diag(7).
"""

from __future__ import annotations

from sockql.network.namespaces import survey
from sockql.network.scope import visit
from sockql.sockets.families import families, others
from sockql.sockets.inet_dumps import inet
from sockql.sockets.plan import kinds, wants_unix
from sockql.sockets.scan import Scan
from sockql.sockets.sockstat import counts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sockql.host import Host
    from sockql.request import Request
    from sockql.sockets.record import SocketRecord
    from sockql.sockets.scan import Tally


def batches(
    request: Request, host: Host, tally: Tally | None = None
) -> Iterator[Iterable[SocketRecord]]:
    """The records that may satisfy ``request``, a batch for each datagram.

    With ``tally``, which is :func:`sockql.sockets.tally.tally`, one may stand for many.

    :raises DataError: when neither sock_diag nor the text files can be read.
    """
    with_unix = wants_unix(request)
    tcp = 0

    def more() -> bool:
        """Whether namespaces that only a thread or a descriptor leads to may have a row.

        The kernel has one counter of the TCP sockets of all namespaces.  (Those in TIME_WAIT
        are in none; a namespace that has nobody in it and nothing but these is not looked for.)
        """
        every = counts(request, host).allocated
        beside = with_unix or any(protocol != "tcp" for _, protocol, _ in kinds(request))
        # MPTCP runs over TCP, whose sockets are counted.
        beside = beside or any(name != "mptcp" for name in families(request, host))
        return beside or every is None or tcp < every

    if "netns_name" in request.columns:
        # A mount of our own namespace may be found only after its sockets.
        survey(request, host).thorough(descriptors=False)
    for namespace, inside in visit(request, host, more, text=True):
        scan = Scan(request, inside, namespace, tally)
        try:
            yield from inet(scan)
            if with_unix:
                from sockql.sockets.unix_dump import unix

                yield from unix(scan)
            yield from others(scan)
        finally:
            scan.report()
        tcp += counts(request, inside).hashed("tcp") or 0
