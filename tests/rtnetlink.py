"""Messages as rtnetlink sends them, and a host that answers with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import pack, unpack_from

from sockql.diag.netlink import (
    NLM_F_DUMP,
    NLM_F_MULTI,
    NLMSG_DONE,
    NLMSG_ERROR,
    attribute,
    message,
)
from sockql.host import Host

RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH = 16, 20, 24, 28

Attributes = Iterable[tuple[int, bytes]]


def made(type: int, header: bytes, attributes: Attributes = ()) -> bytes:
    """A message of an answer that has several."""
    body = b"".join(attribute(kind, payload) for kind, payload in attributes)
    return message(type, NLM_F_MULTI, header + body)


def link(
    index: int, name: bytes, attributes: Attributes = (), *, type: int = 1, flags: int = 0
) -> bytes:
    """RTM_NEWLINK."""
    header = pack("=BxHiII", 0, type, index, flags, 0)
    return made(RTM_NEWLINK, header, [(3, name + b"\0"), *attributes])


def u32(number: int) -> bytes:
    return pack("=I", number)


class Answering(Host):
    """A machine whose rtnetlink answers with ``messages``, by their type; errno where it is one.

    ``requests`` are those that came.
    """

    def __init__(
        self, messages: Iterable[bytes], proc: str, *, errnos: dict[int, int] | None = None
    ) -> None:
        super().__init__(proc)
        self._messages = list(messages)
        self._errnos = errnos or {}
        self.requests: list[bytes] = []

    def netlink(self, protocol: int, request: bytes) -> Iterator[memoryview]:
        assert protocol == 0
        self.requests.append(bytes(request))
        type, flags = unpack_from("=HH", request, 4)
        # Looking for the names of interfaces is not what a test is about.
        if type in self._errnos:
            answer = message(NLMSG_ERROR, 0, pack("=i", -self._errnos[type]) + request[:16])
            return iter((memoryview(bytearray(answer)),))
        answers = [found for found in self._messages if unpack_from("=H", found, 4)[0] == type - 2]
        if flags & NLM_F_DUMP:
            answers.append(message(NLMSG_DONE, NLM_F_MULTI, pack("=i", 0)))
        return (memoryview(bytearray(answer)) for answer in answers)
