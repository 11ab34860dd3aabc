"""osquery's table ``routes``."""

from __future__ import annotations

from sockql.network.rtnetlink import FAMILIES, address_of
from sockql.osquery.ask import ask, same
from sockql.osquery.columns import integer, like, or_zero, text
from sockql.osquery.network import one_namespace
from sockql.schema import Table
from sockql.tables.routes import TABLE as ROUTES
from sockql.tables.routes import Routes as Ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request
    from sockql.tables.routes import Hop

#: RTN_* that osquery has names for.
_TYPES: Final = {1: "gateway", 2: "local", 3: "broadcast", 4: "anycast"}
_COLUMNS: Final = ("interface", "destination", "gateway", "metric")


def _destination(r: Hop) -> str:
    found = address_of(r[0].attributes.get("RTA_DST"))
    nobody = "::" if r[0].fields["family"] == FAMILIES["inet6"] else "0.0.0.0"  # noqa: S104
    return found or nobody


def _netmask(r: Hop) -> int:
    length: int = r[0].fields["dst_len"]
    return 0 if length in (32, 128) and "RTA_DST" in r[0].attributes else length


class Routes(
    Table["Hop"],
    examples=[
        "select gateway, interface from routes where netmask = 0 and type = 'gateway'",
        "select destination, netmask, interface, metric from routes where type = 'gateway'",
    ],
):
    """Routes of all tables of our network namespace, one row for each next hop of each route.

    osquery reads the first 64 KiB of the kernel's answer, and has one row without interface for a
    route with several next hops.
    """

    destination = text(
        "Network that the route leads to; 0.0.0.0 or :: for the default route.",
        source="RTA_DST",
        get=_destination,
    )
    netmask = integer(
        "Number of leading bits of the destination that name the network; 0 for a route to a "
        "single host.",
        source="rtm_dst_len",
        get=_netmask,
    )
    gateway = like(Ours.gateway)
    source = like(Ours.preferred_source)
    flags = integer(
        "Flags, RTM_F_ and RTNH_F_ of <linux/rtnetlink.h>.",
        source="rtm_flags",
        get=lambda r: r[0].fields["flags"],
    )
    interface = like(Ours.interface)
    mtu = like(
        ROUTES.schema.by_name["mtu"],
        "Largest packet that is sent; 0 where none is set.",
        get=or_zero(ROUTES.schema.by_name["mtu"].get),
    )
    metric = like(Ours.metric)
    type = text(
        "Type of the route: gateway (any unicast route), local, broadcast, anycast or other.",
        source="rtm_type RTN_",
        get=lambda r: _TYPES.get(r[0].fields["type"], "other"),
    )
    hopcount = like(
        ROUTES.schema.by_name["hoplimit"],
        "Hop limit or TTL of packets on the route; 0 where none is set.",
        get=or_zero(ROUTES.schema.by_name["hoplimit"].get),
    )

    def records(self, request: Request, host: Host) -> Iterator[Hop]:
        constraints = [*one_namespace(request, host), *same(request, "interface")]
        return ask(ROUTES, request, host, _COLUMNS, constraints)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 30.0, 3000.0


TABLE = Routes()
