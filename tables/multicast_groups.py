"""The table ``multicast_groups``."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from operator import itemgetter
from struct import pack

from sockql.errors import DataError, ParseError
from sockql.network.rtnetlink import namespaces
from sockql.schema import EQUAL, Table, integer, text
from sockql.sockets.sockstat import read_net

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    #: Interface's index and name, group, users, whether static.
    Group: TypeAlias = tuple[int, str, str, int, "int | None"]
    #: Network namespace, family, and a group.
    GroupRecord: TypeAlias = tuple[int | None, str, int, str, str, int, int | None]

NETNS, FAMILY, IFINDEX, INTERFACE, GROUP, USERS, STATIC = range(7)


def igmp(lines: list[bytes]) -> Iterator[Group]:
    """Groups in the lines of /proc/net/igmp.

    The line of an interface is followed by one for each group, whose address is a number in the
    host's byte order.

    :raises ParseError: when a line is not laid out like that.
    """
    interface: tuple[int, str] | None = None
    for line in lines[1:]:
        try:
            if line[:1].isdigit():
                head, separator, _ = line.partition(b":")
                index, name = head.split(None, 1)
                if not separator:
                    raise ValueError  # noqa: TRY301
                interface = int(index), _name(name.rstrip())
            else:
                address, users, *_ = line.split()
                if interface is None:
                    raise ValueError  # noqa: TRY301
                group = inet_ntop(AF_INET, pack("=I", _hex(address, 8)))
                yield (*interface, group, int(users), None)
        except ValueError:
            raise ParseError(f"/proc/net/igmp: {line!r}") from None


def igmp6(lines: list[bytes]) -> Iterator[Group]:
    """Groups in the lines of /proc/net/igmp6.

    :raises ParseError: when a line has not index, name, address, number of users.
    """
    for line in lines:
        try:
            index, name, address, users, *_ = line.split()
            _hex(address, 32)
            group = inet_ntop(AF_INET6, bytes.fromhex(address.decode("ascii")))
            yield int(index), _name(name), group, int(users), None
        except ValueError:
            raise ParseError(f"/proc/net/igmp6: {line!r}") from None


def dev_mcast(lines: list[bytes]) -> Iterator[Group]:
    """Link-layer addresses in the lines of /proc/net/dev_mcast.

    :raises ParseError: when a line has not index, name, users, static users, address.
    """
    for line in lines:
        try:
            index, name, users, static, address = line.split()
            raw = bytes.fromhex(address.decode("ascii"))
            yield int(index), _name(name), raw.hex(":"), int(users), int(int(static) > 0)
        except ValueError:
            raise ParseError(f"/proc/net/dev_mcast: {line!r}") from None


def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _hex(word: bytes, digits: int) -> int:
    if len(word) != digits or not word.isalnum():
        raise ValueError
    return int(word, 16)


_FILES: Final = {
    "inet": ("igmp", igmp),
    "inet6": ("igmp6", igmp6),
    "packet": ("dev_mcast", dev_mcast),
}


class MulticastGroups(
    Table["GroupRecord"],
    examples=[
        "select interface, group_address, users from multicast_groups where family = 'inet'",
        "select group_address, count(*) from multicast_groups group by group_address",
    ],
):
    """Multicast groups that were joined, one row for each interface and group.

    The link-layer addresses that the interfaces listen to have the family packet.
    """

    netns = integer(
        "Inode of the network namespace, as in net:[N]; NULL when it cannot be read.",
        source="/proc/self/ns/net",
        get=itemgetter(NETNS),
        push=EQUAL,
    )
    interface = text(
        "Name of the interface.",
        source="/proc/net/igmp Device",
        get=itemgetter(INTERFACE),
    )
    family = text(
        "Address family; packet for link-layer addresses.",
        source="/proc/net/igmp, igmp6, dev_mcast",
        get=itemgetter(FAMILY),
        push=EQUAL,
        exact=True,
        values=tuple(_FILES),
    )
    group_address = text(
        "Address of the group.",
        source="/proc/net/igmp Group",
        get=itemgetter(GROUP),
        index=True,
    )
    users = integer(
        "How often the group was joined.",
        source="/proc/net/igmp Users",
        get=itemgetter(USERS),
    )

    # -- hidden -------------------------------------------------------------------------------

    ifindex = integer(
        "Index of the interface.",
        source="/proc/net/igmp Idx",
        get=itemgetter(IFINDEX),
        hidden=True,
    )
    static_address = integer(
        "1 for a link-layer address that a user added, 0 for one that the kernel needs; NULL "
        "for IP groups.",
        source="/proc/net/dev_mcast",
        get=itemgetter(STATIC),
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[GroupRecord]:
        wanted = request.values("family")
        for namespace in namespaces(request, host, text=True):
            for family, (name, parse) in _FILES.items():
                if wanted is None or family in wanted:
                    for group in parse(_lines(request, namespace.host, name)):
                        yield (namespace.netns, family, *group)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 20.0, 200.0


def _lines(request: Request, host: Host, name: str) -> list[bytes]:
    """The lines of a file, none when the kernel was built without it or the namespace has gone."""
    request.trace.note(f"/proc/net/{name}")
    try:
        data = b"".join(read_net(host, name))
    except (FileNotFoundError, ProcessLookupError):
        return []
    except OSError as error:
        if host.netns is None:
            raise DataError(f"{host.proc_path}/self/net/{name}: {error.strerror}") from None
        host.notice(f"multicast_groups: {name} of network namespace {host.netns}: {error.strerror}")
        return []
    request.trace.bytes += len(data)
    return data.split(b"\n")[:-1]


TABLE = MulticastGroups()
