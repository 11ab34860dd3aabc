"""Counters of the network stack: /proc/net/snmp, netstat, snmp6 and sctp/snmp.

Source: net/ipv4/proc.c, net/ipv6/proc.c, net/sctp/proc.c, net/mptcp/mib.c; proc(5).
"""

from __future__ import annotations

from sockql.errors import ParseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    #: Protocol, name, value.
    Counter: TypeAlias = tuple[str, str, int]


def parse_pairs(data: bytes, source: str) -> Iterator[Counter]:
    """Counters of snmp and netstat: a line of names, then one of as many values.

    Both lines start with the protocol: ``Ip: Forwarding DefaultTTL``, ``Ip: 1 64``.  ``source``
    names the file in the error.

    :raises ParseError: when the lines do not come in such pairs, or a value is no number.
    """
    lines = _lines(data, source)
    for names, values in zip(lines[::2], lines[1::2]):
        protocol, *words = names.split(" ")
        found, *numbers = values.split(" ")
        if len(protocol) < 2 or protocol[-1] != ":" or found != protocol:
            raise ParseError(f"{source}: {names[:80]!r} and {values[:80]!r}: no pair of lines")
        if len(words) != len(numbers):
            raise ParseError(f"{source}: {protocol} {len(words)} names, {len(numbers)} values")
        for word, number in zip(words, numbers):
            if not word:
                raise ParseError(f"{source}: {names[:80]!r}: a counter without a name")
            yield protocol[:-1], word, _value(number, f"{source}: {protocol} {word}")
    if len(lines) % 2:
        raise ParseError(f"{source}: {lines[-1][:80]!r}: names without values")


def parse_list(data: bytes, source: str) -> Iterator[Counter]:
    """Counters of snmp6 and sctp/snmp: a name and a value in each line.

    The name starts with the protocol, which ends in the first 6 (``Icmp6InMsgs``) or is Sctp.

    :raises ParseError: when a line is not made of these, or the value is no number.
    """
    for line in _lines(data, source):
        words = line.split()
        if len(words) != 2:
            raise ParseError(f"{source}: {line[:80]!r}: expected a name and a value")
        word, number = words
        if word.startswith("Sctp"):
            protocol, name = "Sctp", word[len("Sctp") :]
        else:
            before, six, name = word.partition("6")
            protocol = before + six
        if len(protocol) < 2 or protocol[-1] not in "6p" or not name:
            raise ParseError(f"{source}: {line[:80]!r}: no name of a counter")
        yield protocol, name, _value(number, f"{source}: {word}")


def _lines(data: bytes, source: str) -> list[str]:
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        quoted = data[max(error.start - 20, 0) : error.start + 20]
        raise ParseError(f"{source}: {quoted!r}: not ASCII") from None
    lines = text.split("\n")
    if lines.pop():
        raise ParseError(f"{source}: {text[-40:]!r}: no end of line")
    return lines


def _value(word: str, place: str) -> int:
    digits = word[1:] if word[:1] == "-" else word
    # The kernel's longest has twenty digits; int() would take hours for some that do not.
    if not digits.isdigit() or not digits.isascii() or len(digits) > 20:
        raise ParseError(f"{place}: {word[:40]!r} is no number")
    return int(word)
