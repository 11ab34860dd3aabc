"""Network interfaces: their names by index, as rtnetlink tells them.

Source: include/uapi/linux/rtnetlink.h, include/uapi/linux/if_link.h; rtnetlink(7).
"""

from __future__ import annotations

from errno import ESRCH
from struct import Struct

from sockql.diag.netlink import (
    HEADER,
    NETLINK_ROUTE,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    answers,
    attribute,
    attributes,
    message,
)
from sockql.errors import DataError, ParseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.request import Request

RTM_NEWLINK: Final = 16
RTM_GETLINK: Final = 18
IFLA_IFNAME: Final = 3
IFLA_EXT_MASK: Final = 29
#: Leave out the statistics of the address families, a good part of a message.
RTEXT_FILTER_SKIP_STATS: Final = 1 << 3

_LINK: Final = Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_MASK: Final = Struct("=I")
_REQUEST: Final = message(
    RTM_GETLINK,
    NLM_F_REQUEST | NLM_F_DUMP,
    _LINK.pack(0, 0, 0, 0, 0) + attribute(IFLA_EXT_MASK, _MASK.pack(RTEXT_FILTER_SKIP_STATS)),
)


def read_links(host: Host) -> dict[int, str]:
    """Names of all interfaces of the network namespace, by index.

    :raises DataError: when the kernel refuses or answers nonsense.
    """
    return {index: name for index, _, name in _read(host)}


def read_flags(host: Host) -> dict[int, int]:
    """Flags (IFF_*) of all interfaces of the network namespace, by index.

    :raises DataError: when the kernel refuses or answers nonsense.
    """
    return {index: flags for index, flags, _ in _read(host)}


def _read(host: Host) -> Iterator[tuple[int, int, str]]:
    """``(index, flags, name)`` of each interface."""
    for view in host.netlink(NETLINK_ROUTE, _REQUEST):
        host.check()
        for start, end in answers(view, RTM_NEWLINK, "rtnetlink links"):
            body = start + HEADER.size
            if end - body < _LINK.size:
                raise ParseError(f"rtnetlink link at offset {start}: {view[start:end].hex(' ')}")
            raw = attributes(view[body + _LINK.size : end]).get(IFLA_IFNAME)
            if raw is not None:
                _, _, index, flags, _ = _LINK.unpack_from(view, body)
                yield index, flags, raw.rstrip(b"\0").decode("utf-8", "backslashreplace")


class Links(dict[int, "str | None"]):
    """Names of interfaces by index; asked for when a socket that is bound to one is first seen.

    An index without an interface is None: the interface is gone, or the kernel did not answer
    (then with a notice).
    """

    __slots__ = ("_failure", "_host", "_read", "_request")

    def __init__(self, request: Request, host: Host) -> None:
        self._request = request
        self._host = host
        self._read = False
        self._failure = ""

    def __missing__(self, index: int) -> str | None:
        self.read()
        if self._failure:
            # Said again: it may be another statement that asks.
            self._host.notice(self._failure)
            return None
        return self.setdefault(index, None)

    def read(self) -> None:
        """Ask the kernel, once."""
        if self._read:
            return
        self._read = True
        if not self._host.asks:
            return
        self._request.trace.note("rtnetlink links")
        try:
            self.update(read_links(self._host))
        except DataError as error:
            # A namespace that has gone meanwhile has no names, which is normal.
            if getattr(error, "errno", 0) != ESRCH:
                self._failure = f"sockets: names of interfaces are missing: {error}"
                self._host.notice(self._failure)

    def indexes(self, names: frozenset[str]) -> list[int] | None:
        """Indexes of the interfaces called ``names``; None when it is not known which there are."""
        self.read()
        if not self:
            return None
        return sorted(index for index, name in self.items() if name in names)


def links(request: Request, host: Host) -> Links:
    """The interfaces as ``request``'s statement sees them."""
    memo, key = request.snapshot.memo, ("links", host.netns)
    found = memo.get(key)
    if not isinstance(found, Links):
        found = memo[key] = Links(request, host)
    return found
