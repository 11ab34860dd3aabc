"""The table ``snmp``."""

from __future__ import annotations

from itertools import chain
from operator import itemgetter

from sockql.errors import DataError
from sockql.network.rtnetlink import namespaces
from sockql.network.snmp import parse_list, parse_pairs
from sockql.request import MAXIMUM
from sockql.schema import EQUAL, Table, integer, text
from sockql.sockets.sockstat import parse, read_net

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.network.rtnetlink import Namespace
    from sockql.network.snmp import Counter
    from sockql.request import Request

    #: Network namespace, protocol, name, value.
    SnmpRecord: TypeAlias = tuple[int | None, str, str, int | None]

NETNS, PROTOCOL, NAME, VALUE = range(4)


def _sockstat(protocol: str) -> Callable[[bytes, str], Iterator[Counter]]:
    def counters(data: bytes, _source: str) -> Iterator[Counter]:
        for name, value in parse(data).items():
            yield protocol, name, value

    return counters


#: File below /proc/net → the protocols that are found there, in small letters, and its parser.
_FILES: Final = {
    "snmp": (("ip", "icmp", "icmpmsg", "tcp", "udp", "udplite"), parse_pairs),
    "netstat": (("tcpext", "ipext", "mptcpext"), parse_pairs),
    "snmp6": (("ip6", "icmp6", "udp6", "udplite6"), parse_list),
    "sctp/snmp": (("sctp",), parse_list),
    "sockstat": (("sockstat",), _sockstat("Sockstat")),
    "sockstat6": (("sockstat6",), _sockstat("Sockstat6")),
}
_KNOWN: Final = frozenset(chain.from_iterable(protocols for protocols, _ in _FILES.values()))


class Snmp(
    Table["SnmpRecord"],
    key=("name", "protocol", "netns"),
    examples=[
        "select * from snmp where protocol = 'Tcp'",
        "select name, value from snmp where protocol = 'TcpExt' and name like 'Listen%'",
        "select protocol, name, value from snmp where name like '%Err%' and value > 0",
    ],
):
    """Counters of the network stack, one row for each, as the kernel names them.

    Most are those of the SNMP MIBs and count since the network namespace exists; Sockstat and
    Sockstat6 tell how many sockets there are, and the memory of their buffers in pages.
    """

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="/proc/self/ns/net",
        get=itemgetter(NETNS),
        push=EQUAL,
    )
    protocol = text(
        "Protocol or group of counters: Ip, Icmp, Tcp, Udp, TcpExt, IpExt, Ip6, Udp6, …, compared "
        "without case.",
        source="/proc/net/snmp, netstat, snmp6, sctp/snmp, sockstat",
        get=itemgetter(PROTOCOL),
        nocase=True,
        push=EQUAL,
    )
    name = text(
        "Name of the counter, in Sockstat with its protocol (TCP.inuse).",
        source="/proc/net/snmp, netstat, snmp6, sctp/snmp, sockstat",
        get=itemgetter(NAME),
    )
    value = integer(
        "Value of the counter; NULL beyond 2**63 - 1 and when it means that there is no limit "
        "(MaxConn).",
        source="/proc/net/snmp, netstat, snmp6, sctp/snmp, sockstat",
        get=itemgetter(VALUE),
    )

    def records(self, request: Request, host: Host) -> Iterator[SnmpRecord]:
        return chain.from_iterable(
            _read(request, space) for space in namespaces(request, host, text=True)
        )

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return (60.0, 200.0) if request.constrained("protocol") else (400.0, 600.0)


def _read(request: Request, namespace: Namespace) -> Iterator[SnmpRecord]:
    wanted = request.values("protocol")
    if wanted is not None:
        wanted = frozenset(str(word).lower() for word in wanted)
    host, failure = namespace.host, ""
    readable = False
    for name, (protocols, parse_file) in _FILES.items():
        # What none of the files is known for may be new in any of them.
        if wanted is not None and wanted <= _KNOWN and wanted.isdisjoint(protocols):
            continue
        if host.netns is None:
            path = f"{host.proc_path}/self/net/{name}"
        else:
            path = f"net/{name} of network namespace {host.netns}"
        request.trace.note(f"/proc/net/{name}")
        try:
            data = b"".join(read_net(host, name))
        except FileNotFoundError:
            readable = readable or name not in ("snmp", "netstat")
            continue  # the kernel was built without it
        except ProcessLookupError:
            return  # the namespace has gone
        except OSError as error:
            failure = f"{path}: {error.strerror}"
            host.notice(f"snmp: {failure}")
            continue
        readable = True
        request.trace.bytes += len(data)
        yield from _records(namespace.netns, parse_file(data, path))
    if failure and not readable and host.netns is None:
        raise DataError(f"snmp: {failure}")


def _records(netns: int | None, counters: Iterable[Counter]) -> Iterator[SnmpRecord]:
    for protocol, name, value in counters:
        yield netns, protocol, name, value if 0 <= value <= MAXIMUM else None


TABLE = Snmp()
