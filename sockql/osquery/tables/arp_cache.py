"""osquery's table ``arp_cache``."""

from __future__ import annotations

from operator import itemgetter

from sockql.errors import DataError, ParseError
from sockql.network.rtnetlink import namespaces
from sockql.osquery.columns import text
from sockql.proc.procfs import readable_text
from sockql.schema import Table
from sockql.sockets.sockstat import read_net

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    #: The words of a line.
    Entry: TypeAlias = list[str]

#: ATF_COM and ATF_PERM of <linux/if_arp.h>.
_PERMANENT: Final = 0x6


def parse(data: bytes) -> Iterator[Entry]:
    """The entries in /proc/net/arp: address, type, flags, link-layer address, mask, device.

    :raises ParseError: when a line is not laid out as documented.
    """
    for line in data.split(b"\n")[1:]:
        words = readable_text(line).split(None, 5)
        if not words:
            continue
        try:
            int(words[2], 16)
            words[5] = words[5].rstrip()
        except (IndexError, ValueError):
            raise ParseError(f"net/arp: {line[:200]!r}: expected six words") from None
        yield words


class ArpCache(
    Table["Entry"],
    examples=["select address, mac, interface from arp_cache where permanent = '1'"],
):
    """Neighbours of our network namespace by ARP, one row for each IPv4 address.

    Those of IPv6 are in `neighbors`.
    """

    address = text("IPv4 address.", source="/proc/net/arp IP address", get=itemgetter(0))
    mac = text(
        "Link-layer address, zeros while there is none.",
        source="/proc/net/arp HW address",
        get=itemgetter(3),
        nocase=True,
    )
    interface = text("Name of the interface.", source="/proc/net/arp Device", get=itemgetter(5))
    permanent = text(
        "1 when the entry stays until it is deleted, else 0.",
        source="/proc/net/arp Flags",
        get=lambda entry: "1" if int(entry[2], 16) == _PERMANENT else "0",
    )

    def records(self, request: Request, host: Host) -> Iterator[Entry]:
        for namespace in namespaces(request, host, text=True):
            request.trace.note("/proc/net/arp")
            try:
                data = b"".join(read_net(namespace.host, "arp"))
            except FileNotFoundError:
                pass  # the kernel was built without IPv4
            except OSError as error:
                raise DataError(f"{host.proc_path}/self/net/arp: {error.strerror}") from None
            else:
                yield from parse(data)
            return  # the first is our own, or the one that --netns names

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 10.0, 100.0


TABLE = ArpCache()
