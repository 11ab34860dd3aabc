"""Interfaces, addresses, routes and neighbours: rtnetlink asked here, decoded by pyroute2.

The requests and the framing are our own, so that they go through the host like all others; the
messages, with their hundreds of attributes, are pyroute2's to take apart.  It takes a third of a
second to import: only :func:`decoder` does, and only while a table collects.

Source: include/uapi/linux/rtnetlink.h, net/core/rtnetlink.c; rtnetlink(7).
"""

from __future__ import annotations

from errno import ESRCH
from sys import byteorder

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
from sockql.errors import KernelRefused, ParseError
from sockql.network.links import (
    IFLA_EXT_MASK,
    IFLA_IFNAME,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    RTM_NEWLINK,
    read_links,
)
from sockql.network.scope import visit
from sockql.request import MAXIMUM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from struct import Struct
    from typing import Any, Final

    from sockql.host import Host
    from sockql.request import Request
    from sockql.schema import Getter, Value

RTM_NEWADDR: Final = 20
RTM_GETADDR: Final = 22
RTM_NEWROUTE: Final = 24
RTM_GETROUTE: Final = 26
RTM_NEWNEIGH: Final = 28
RTM_GETNEIGH: Final = 30

#: Sizes of struct ifinfomsg, ifaddrmsg, rtmsg, ndmsg, which come before the attributes.
_HEADERS: Final = {RTM_NEWLINK: 16, RTM_NEWADDR: 8, RTM_NEWROUTE: 12, RTM_NEWNEIGH: 12}

#: The column for which each of them needs the names of interfaces.
_NAMED: Final = {
    RTM_NEWLINK: "master",
    RTM_NEWADDR: "interface",
    RTM_NEWROUTE: "interface",
    RTM_NEWNEIGH: "interface",
}

#: Address families by the names of the column ``family``.
FAMILIES: Final = {"inet": 2, "inet6": 10}
FAMILY_NAMES: Final = {number: name for name, number in FAMILIES.items()}

#: ARPHRD_TUNNEL, _SIT, _IPGRE and ARPHRD_TUNNEL6, _IP6GRE: link layers whose addresses are IP's.
_OVER_INET: Final = (768, 776, 778)
_OVER_INET6: Final = (769, 823)

#: A lifetime that never ends (INFINITY_LIFE_TIME), an unlimited number of anything.
FOREVER: Final = 0xFFFFFFFF


class Namespace:
    """One network namespace: its inode, the host that asks in it, and its interfaces by index."""

    __slots__ = ("_names", "host", "netns")

    def __init__(self, netns: int | None, host: Host) -> None:
        self.netns = netns
        self.host = host
        self._names: dict[int, str] | None = None

    @property
    def names(self) -> dict[int, str]:
        """Names of the interfaces by index, read when first asked for; none once it has gone.

        :raises DataError: when the kernel refuses.
        """
        if self._names is None:
            try:
                self._names = read_links(self.host)
            except KernelRefused as error:
                if error.errno != ESRCH:
                    raise
                self._names = {}
        return self._names


class Message:
    """A decoded message, the record of the tables: header fields, attributes by name.

    ``raw`` is the whole message, for what pyroute2 decodes only in its most frequent form.
    """

    __slots__ = ("attributes", "fields", "namespace", "raw")

    def __init__(
        self,
        namespace: Namespace,
        fields: Mapping[str, Any],
        attributes: Mapping[str, Any],
        raw: bytes,
    ) -> None:
        self.namespace = namespace
        self.fields = fields
        self.attributes = attributes
        self.raw = raw


def namespaces(request: Request, host: Host, *, text: bool = False) -> Iterator[Namespace]:
    """The network namespaces that ``request`` is about; each is open until the next is taken.

    With ``text`` also those that let nobody in, whose files can be read.
    """
    for namespace, inside in visit(request, host, text=text):
        yield Namespace(namespace.inode, inside)


def messages(
    request: Request,
    namespace: Namespace,
    name: str,
    packed: bytes,
    decode: Callable[[bytes], Any],
    keep: Callable[[memoryview, int], bool] | None = None,
) -> Iterator[Message]:
    """The answer to ``packed``, decoded message by message.

    ``name`` is the request for people.  ``keep(view, offset)`` may look at a message's header at
    ``offset``, before the decoding, which is a thousand times as expensive.

    :raises DataError: when the kernel refuses, or answers what is not a message of its kind.
    """
    trace, host = request.trace, namespace.host
    trace.note(name)
    # RTM_GETxxx is answered by RTM_NEWxxx, two numbers below it.
    answer = HEADER.unpack_from(packed)[1] - 2
    if _NAMED[answer] in request.columns:
        namespace.names  # noqa: B018 (read while the namespace is open)
    for view in host.netlink(NETLINK_ROUTE, packed):
        host.check()
        trace.bytes += len(view)
        for start, end in answers(view, answer, name):
            if keep is not None and not keep(view, start + HEADER.size):
                continue
            raw = bytes(view[start:end])
            try:
                fields = decode(raw)
                decoded = fields["attrs"]
            except Exception as error:  # noqa: BLE001 (a decoder of others: whatever it raises)
                raise ParseError(
                    f"{name}: {error or type(error).__name__}: {raw.hex(' ')}"
                ) from None
            yield Message(namespace, fields, dict(_sound(decoded, raw, answer)), raw)


def _sound(decoded: list[tuple[str, Any]], raw: bytes, type: int) -> Iterator[tuple[str, Any]]:
    """The attributes without the numbers that pyroute2 read beyond the end of a short one."""
    payloads = attributes(memoryview(raw)[HEADER.size + _HEADERS[type] :]).values()
    if len(payloads) != len(decoded):
        yield from decoded  # one is repeated, and which is which nobody knows
        return
    for (name, value), payload in zip(decoded, payloads):
        if not isinstance(value, int) or value == int.from_bytes(
            payload, byteorder, signed=value < 0
        ):
            yield name, value


def decoder(module: str, name: str) -> Callable[[bytes], Any]:
    """What takes a message of pyroute2's class ``name`` apart."""
    from importlib import import_module

    made = getattr(import_module(f"pyroute2.netlink.rtnl.{module}"), name)

    def decode(raw: bytes) -> Any:
        found = made(raw)
        found.decode()
        return found

    return decode


def request_message(type: int, header: bytes, details: bytes = b"", *, dump: bool = True) -> bytes:
    """A request: a dump, or for the one object that ``header`` and the attributes name."""
    flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else 0)
    return message(type, flags, header + details)


def family_number(request: Request) -> int:
    """The only address family that is asked for, AF_UNSPEC when there is more than one."""
    wanted = request.values("family")
    return FAMILIES[next(iter(wanted))] if wanted is not None and len(wanted) == 1 else 0


def indexes(request: Request, namespace: Namespace) -> set[int] | None:
    """Indexes of the only interfaces that are asked for, by index or by name; None for all."""
    found: set[int] | None = None
    numbers = request.values("ifindex") if "ifindex" in request.schema.by_name else None
    if numbers is not None:
        found = set(numbers)
    wanted = request.values("interface")
    if wanted is not None:
        named = {index for index, name in namespace.names.items() if name in wanted}
        found = named if found is None else found & named
    return found


def header_filter(
    layout: Struct, request: Request, index_at: int | None, only: set[int] | None
) -> Callable[[memoryview, int], bool]:
    """Keeps the messages of the families and interfaces that are asked for.

    ``layout`` is that of the header, the family its first field, the interface's index the field
    ``index_at``.
    """
    wanted = request.values("family")
    families = {FAMILIES[name] for name in (FAMILIES if wanted is None else wanted)}

    def keep(view: memoryview, offset: int) -> bool:
        if len(view) - offset < layout.size:
            return True  # the decoder says what is wrong with it
        fields = layout.unpack_from(view, offset)
        if fields[0] not in families:
            return False
        return only is None or index_at is None or fields[index_at] in only

    return keep


def gone(error: KernelRefused) -> bool:
    """Whether the kernel says that what was asked for by name or number does not exist."""
    from errno import EADDRNOTAVAIL, EINVAL, ENODEV, ERANGE

    return error.errno in (EADDRNOTAVAIL, EINVAL, ENODEV, ERANGE)


# -- cells --------------------------------------------------------------------------------------


def text_of(value: object) -> str | None:
    """A name as text: pyroute2 leaves it bytes when it is not UTF-8; NULL for none."""
    if isinstance(value, (bytes, bytearray)):
        value = bytes(value).rstrip(b"\0").decode("utf-8", "backslashreplace")
    return str(value) if value else None


def address_of(value: object) -> str | None:
    """An IP address; NULL for none and where the attribute has not an address's length."""
    return value if isinstance(value, str) and value else None


def nested(attributes: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What the attribute ``name`` is made of, nothing when it is not there.

    pyroute2 leaves an attribute bytes when it is shorter than what it decodes.
    """
    found = attributes.get(name)
    if isinstance(found, (bytes, str, int, type(None))):
        return {}
    if "attrs" in found:
        return dict(found["attrs"])
    fields: Mapping[str, Any] = found
    return fields


def number_of(value: object) -> int | None:
    """A number as SQLite holds it; NULL beyond 2**63 - 1 and where there is none."""
    return value if isinstance(value, int) and value <= MAXIMUM else None


def flag_names(bits: int, names: Mapping[int, str]) -> str | None:
    """The names of the bits that are set, joined by commas; NULL for none.

    Bits without a name are one hexadecimal number at the end.
    """
    words = [name for bit, name in names.items() if bits & bit]
    rest = bits & ~sum(names)
    if rest:
        words.append(f"{rest:#x}")
    return ",".join(words) or None


def named(number: int | None, names: Mapping[int, str]) -> str | None:
    """The name of ``number``, the number itself in decimal where it has none."""
    return None if number is None else names.get(number, str(number))


def get_netns(r: Message) -> Value:
    """Getter of ``netns``."""
    return r.namespace.netns


def get_family(r: Message) -> Value:
    """Getter of ``family``."""
    return FAMILY_NAMES.get(r.fields["family"])


def number(name: str) -> Getter:
    """Getter of the attribute ``name`` that is a number."""
    return lambda r: number_of(r.attributes.get(name))


def positive(name: str) -> Getter:
    """Getter of the attribute ``name`` that is a number, of which 0 means none."""
    return lambda r: number_of(r.attributes.get(name)) or None


def string(name: str) -> Getter:
    """Getter of the attribute ``name`` that is a text."""
    return lambda r: text_of(r.attributes.get(name))


def interface_name(name: str) -> Getter:
    """Getter of the name of the interface whose index is the attribute ``name``."""

    def get(r: Message) -> Value:
        index = r.attributes.get(name)
        return r.namespace.names.get(index) if index else None

    return get


def interface_request(index: int = 0, name: bytes = b"") -> bytes:
    """Asks for one interface by its index or name, for all of them when neither is given."""
    from struct import pack

    details = attribute(IFLA_EXT_MASK, pack("=I", RTEXT_FILTER_SKIP_STATS))
    if name:
        details += attribute(IFLA_IFNAME, name + b"\0")
    header = pack("=BxHiII", 0, 0, index, 0, 0)
    return request_message(RTM_GETLINK, header, details, dump=not (index or name))


def link_address(type: int) -> Getter:
    """Getter of the link-layer address in attribute ``type`` of an interface.

    Bytes in hexadecimal with colons between them; an IP address where the link layer is IP.
    pyroute2 takes every such address for an Ethernet address.
    """
    from _socket import AF_INET, AF_INET6, inet_ntop

    def get(r: Message) -> Value:
        raw = raw_attributes(r).get(type)
        if not raw:
            return None
        if len(raw) == 4 and r.fields["ifi_type"] in _OVER_INET:
            return inet_ntop(AF_INET, raw)
        if len(raw) == 16 and r.fields["ifi_type"] in _OVER_INET6:
            return inet_ntop(AF_INET6, raw)
        return raw.hex(":")

    return get


def raw_attributes(r: Message) -> dict[int, bytes]:
    """The attributes of a message, not decoded, by type."""
    header = _HEADERS[HEADER.unpack_from(r.raw)[1]]
    return attributes(memoryview(r.raw)[HEADER.size + header :])


def clock_ticks() -> int:
    """USER_HZ: the kernel's unit of time in these messages, per second."""
    from os import sysconf

    return sysconf("SC_CLK_TCK")
