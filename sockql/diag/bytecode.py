"""Filter programs for INET_DIAG_REQ_BYTECODE: the kernel leaves out what would not match.

A condition is a *piece*: a function that writes its instructions into an :class:`Assembler` such
that they run on into the next one when the condition holds, and jump to a label when it does not.
``both`` and ``either`` combine pieces.  :func:`assemble` gives the bytes.

The machine (net/ipv4/inet_diag.c, inet_diag_bc_run): each instruction is ``code u8, yes u8, no
u16`` and its arguments; it skips ``yes`` bytes when it holds, else ``no`` bytes.  A program accepts
when it arrives exactly at its end and rejects when it arrives four bytes behind it.  ``yes`` is too
short to jump with, so it always leads to the next instruction; that also is the way on which the
audit (inet_diag_bc_audit) walks through the program.  JMP is an instruction that never holds.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, AF_UNSPEC
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Final, TypeAlias

    Piece: TypeAlias = Callable[["Assembler", int], None]

JMP: Final = 1
S_GE: Final = 2
S_LE: Final = 3
D_GE: Final = 4
D_LE: Final = 5
S_COND: Final = 7
D_COND: Final = 8
DEV_COND: Final = 9  # Linux kernel commit 637c841dd7a5 (in v4.8)
MARK_COND: Final = 10  # Linux kernel commit a52e95abf772 (in v4.9)
CGROUP_COND: Final = 13  # Linux kernel commit b1f3e43dbfac (in v5.8)

#: The longest program: an attribute has 65535 bytes with its header, and is padded.
LONGEST: Final = 65528

_OP: Final = Struct("=BBH")
_HOST: Final = Struct("=BBxxi")  # struct inet_diag_hostcond: family, prefix_len, port
_ANY_PORT: Final = -1
_REJECT: Final = -1  # the label four bytes behind the end


class Assembler:
    """Instructions with labels, and where the labels are."""

    __slots__ = ("instructions", "labels", "length")

    def __init__(self) -> None:
        self.instructions: list[tuple[int, int, int, bytes]] = []  # offset, code, label, arguments
        self.labels: list[int] = []
        self.length = 0

    def label(self) -> int:
        """A label that is not placed yet."""
        self.labels.append(0)
        return len(self.labels) - 1

    def place(self, label: int) -> None:
        """Put ``label`` in front of the next instruction."""
        self.labels[label] = self.length

    def emit(self, code: int, otherwise: int, arguments: bytes = b"") -> None:
        """Append an instruction that jumps to the label ``otherwise`` when it does not hold."""
        self.instructions.append((self.length, code, otherwise, arguments))
        self.length += _OP.size + len(arguments)

    def program(self) -> bytes:
        """The bytes, jumps resolved."""
        parts: list[bytes] = []
        for offset, code, label, arguments in self.instructions:
            target = self.length + _OP.size if label == _REJECT else self.labels[label]
            parts.append(_OP.pack(code, _OP.size + len(arguments), target - offset))
            parts.append(arguments)
        return b"".join(parts)


def assemble(piece: Piece) -> bytes | None:
    """The program that accepts where ``piece`` holds; None when it would be too long."""
    assembler = Assembler()
    piece(assembler, _REJECT)
    return assembler.program() if assembler.length <= LONGEST else None


def both(pieces: Iterable[Piece]) -> Piece:
    """Holds where all of ``pieces`` hold."""
    parts = tuple(pieces)

    def emit(assembler: Assembler, otherwise: int) -> None:
        for part in parts:
            part(assembler, otherwise)

    return emit


def either(pieces: Sequence[Piece]) -> Piece:
    """Holds where one of ``pieces`` (at least one) holds."""

    def emit(assembler: Assembler, otherwise: int) -> None:
        end = assembler.label()
        for piece in pieces[:-1]:
            following = assembler.label()
            piece(assembler, following)
            assembler.emit(JMP, end)
            assembler.place(following)
        pieces[-1](assembler, otherwise)
        assembler.place(end)

    return emit


def host(code: int, family: int, address: bytes, length: int) -> Piece:
    """S_COND or D_COND: the address lies in a prefix of ``length`` bits.

    AF_INET holds for IPv4-mapped addresses of inet6 sockets, too; a length of 0 for any address
    of any family.
    """
    arguments = _HOST.pack(family, length, _ANY_PORT) + address
    return lambda assembler, otherwise: assembler.emit(code, otherwise, arguments)


def ports(source: bool, wanted: Iterable[tuple[int, int]]) -> Piece:
    """The source (or destination) port lies in one of the inclusive ranges, at least one.

    They become a binary search: for 1,000 single ports ten comparisons a socket instead of a
    thousand (50,000 sockets: 15 ms of kernel time, the audit included, instead of 98 ms).
    """
    least, most, exact = (S_GE, S_LE, S_COND) if source else (D_GE, D_LE, D_COND)
    ranges = merged(wanted)

    def emit(assembler: Assembler, otherwise: int, low: int, high: int) -> None:
        if high - low == 1:
            first, last = ranges[low]
            if first == last:
                # Not S_EQ (Linux 4.16): this is as fast, and understood by every kernel.
                assembler.emit(exact, otherwise, _HOST.pack(AF_UNSPEC, 0, first))
                return
            for code, port in ((least, first), (most, last)):
                # The port is in the "no" of a second, otherwise empty instruction.
                assembler.emit(code, otherwise, _OP.pack(0, 0, port))
            return
        middle = (low + high) // 2
        below, end = assembler.label(), assembler.label()
        assembler.emit(least, below, _OP.pack(0, 0, ranges[middle][0]))
        emit(assembler, otherwise, middle, high)
        assembler.emit(JMP, end)
        assembler.place(below)
        emit(assembler, otherwise, low, middle)
        assembler.place(end)

    return lambda assembler, otherwise: emit(assembler, otherwise, 0, len(ranges))


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers in as few inclusive ranges as possible, in ascending order."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def device(index: int) -> Piece:
    """The socket is bound to the interface with this index."""
    arguments = Struct("=I").pack(index)
    return lambda assembler, otherwise: assembler.emit(DEV_COND, otherwise, arguments)


def mark(value: int) -> Piece:
    """The socket has this mark; the kernel lets only CAP_NET_ADMIN ask."""
    arguments = Struct("=II").pack(value, 0xFFFFFFFF)
    return lambda assembler, otherwise: assembler.emit(MARK_COND, otherwise, arguments)


def cgroup(id: int) -> Piece:
    """The socket belongs to the cgroup with this id."""
    arguments = Struct("=Q").pack(id)
    return lambda assembler, otherwise: assembler.emit(CGROUP_COND, otherwise, arguments)


#: Bits of an address, by AF_*.
BITS: Final = {int(AF_INET): 32, int(AF_INET6): 128}
