"""Statements that do nothing but join and copy: loops over scans, and cells for the result.

SQLite runs such a statement with a call into Python for each row, each cell and each look-up of
an inner loop.  When its bytecode is nothing else (no comparison is left to SQLite, nothing is
computed, sorted or limited), the same loops are run here over batches of records, with the same
rows in the same order, in a quarter of the time.
"""

from __future__ import annotations

from itertools import chain, compress, islice, repeat

from sockql.schema import INTEGER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Final, TypeAlias

    from sockql.run import Run
    from sockql.scan import Scan, Scans
    from sockql.schema import Column

    #: One row of EXPLAIN: addr, opcode, p1, p2, p3, p4, …
    Opcode: TypeAlias = Sequence[Any]
    #: The cells of joined rows, a list for each slot.
    Batch: TypeAlias = dict[int, Sequence[Any]]

#: The opcodes of loops that copy, without those that load a constant.
_LOOPING: Final = frozenset(
    {
        "Goto",
        "Halt",
        "Init",
        "ResultRow",
        "SCopy",
        "Transaction",
        "VColumn",
        "VFilter",
        "VNext",
        "VOpen",
    }
)
CONSTANTS: Final = frozenset({"Int64", "Integer", "Real", "String8", "Variable"})
#: Rows of the outermost loop that are joined at once: few at first, for the first rows to come
#: soon, then as many as fit the processor's cache.
_FIRST: Final = 16
_BATCH: Final = 1024
#: Joined rows at once, however many match.
_MOST: Final = 8192


class Cell:
    """A cell of the record of the loop number ``loop``, counted from the outermost."""

    __slots__ = ("loop", "position")

    def __init__(self, loop: int, position: int) -> None:
        self.loop = loop
        self.position = position

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cell) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[int, int]:
        return self.loop, self.position


class Constant:
    """A value that stays the same: a literal, or the parameter number ``parameter`` from 1."""

    __slots__ = ("parameter", "value")

    def __init__(self, value: Any, parameter: int = 0) -> None:
        self.value = value
        self.parameter = parameter


class Loop:
    """One loop: a scan, and where the values of its terms come from."""

    __slots__ = ("scan", "values")

    def __init__(self, scan: Scan, values: list[Cell | Constant]) -> None:
        self.scan = scan
        self.values = values


class Loops:
    """The loops of a statement from the outermost to the innermost, and the result's cells."""

    __slots__ = ("loops", "result")

    def __init__(self, loops: list[Loop], result: list[Cell]) -> None:
        self.loops = loops
        self.result = result

    def rows(
        self,
        records: Iterator[Any],
        run: Callable[[Scan], Run],
        parameters: Sequence[Any],
        check: Callable[[], None],
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of the statement, for the ``records`` of the outermost loop.

        ``run`` gives the :class:`Run` of an inner scan, ``parameters`` are the values of the
        parameters in their order; ``check`` is called from time to time.
        """
        slots = self._slots()
        levels = [
            _Level(self, number, run(loop.scan), parameters, slots)
            for number, loop in enumerate(self.loops)
            if number
        ]
        own = [(slot, self.column(cell)) for cell, slot in slots.items() if not cell.loop]
        result = [slots[cell] for cell in self.result]
        size = _FIRST
        while batch := list(islice(records, size)):
            cells: Batch = {slot: column.cells(batch) for slot, column in own}
            for joined in _join(cells, len(batch), levels, check):
                yield from zip(*[joined[slot] for slot in result])
            size = _BATCH

    def _slots(self) -> dict[Cell, int]:
        """A number for each cell that the result or an inner loop uses."""
        keys = [value for loop in self.loops for value in loop.values if isinstance(value, Cell)]
        return {cell: slot for slot, cell in enumerate(dict.fromkeys([*self.result, *keys]))}

    def joined(self, scan: Scan) -> set[str]:
        """The columns of ``scan`` that inner loops look up: a row with NULL there is of no use."""
        numbers = [number for number, loop in enumerate(self.loops) if loop.scan is scan]
        if len(numbers) != 1:
            return set()
        return {
            self.column(value).name
            for loop in self.loops
            for value, term in zip(loop.values, loop.scan.terms)
            if isinstance(value, Cell) and value.loop == numbers[0] and term.operator == "="
        }

    def column(self, cell: Cell) -> Column:
        """The column that ``cell`` is of."""
        return self.loops[cell.loop].scan.table.schema.columns[cell.position]


class _Level:
    """An inner loop while it runs.

    ``own`` are the slots of its own cells with their columns, ``outer`` those of outer loops that
    are still needed when it has run, by the result or by a loop further in.
    """

    def __init__(
        self,
        loops: Loops,
        number: int,
        run: Run,
        parameters: Sequence[Any],
        slots: Mapping[Cell, int],
    ) -> None:
        self.run = run
        self.own = [(s, loops.column(cell)) for cell, s in slots.items() if cell.loop == number]
        later = {value for loop in loops.loops[number + 1 :] for value in loop.values}
        self.outer = [
            slot
            for cell, slot in slots.items()
            if cell.loop < number and (cell in loops.result or cell in later)
        ]
        #: Constants, and for cells None.
        self.values: list[Any] = []
        #: The place among the values, and the slot, of each cell.
        self.cells: list[tuple[int, int]] = []
        self.integers = True
        for i, value in enumerate(loops.loops[number].values):
            if isinstance(value, Constant):
                at = value.parameter
                self.values.append(parameters[at - 1] if at else value.value)
            else:
                self.values.append(None)
                self.cells.append((i, slots[value]))
                self.integers = self.integers and loops.column(value).type == INTEGER

    def matches(self, cells: Batch) -> list[Sequence[Any]]:
        """For each row of ``cells`` the records that this loop runs over."""
        columns: list[Any] = list(map(repeat, self.values))
        for i, slot in self.cells:
            columns[i] = cells[slot]
        rows = zip(*columns)
        run = self.run
        if not self.integers or len(self.cells) > 1 or run.keys != [i for i, _ in self.cells]:
            return list(map(run.rows, rows))
        # The first look-up builds the index; integers are found in it as they are.
        first = run.rows(next(rows))
        keys = columns[self.cells[0][0]]
        run.trace.scans += len(keys) - 1
        return [first, *map(run.index.get, islice(keys, 1, None), repeat(()))]


def _join(
    cells: Batch, count: int, levels: list[_Level], check: Callable[[], None]
) -> Iterator[Batch]:
    """``count`` rows of ``cells`` joined with what ``levels`` have for them, in smaller parts.

    Cells are made as far out as they can be: those of a process once, not for each descriptor.
    """
    if not levels:
        yield cells
        return
    check()
    level = levels[0]
    matches = level.matches(cells)
    sizes = list(map(len, matches))
    start = 0
    while start < count:
        # As many rows as match not too much, but one at least.
        end, total = start, 0
        while end < count and (total + sizes[end] <= _MOST or end == start):
            total += sizes[end]
            end += 1
        if total:
            part = sizes[start:end]
            found = list(chain.from_iterable(matches[start:end]))
            wide = {slot: _repeated(cells[slot][start:end], part) for slot in level.outer}
            for at in range(0, total, _MOST):
                records = found[at : at + _MOST]
                joined: Batch = {slot: wide[slot][at : at + _MOST] for slot in level.outer}
                for slot, column in level.own:
                    joined[slot] = column.cells(records)
                yield from _join(joined, len(records), levels[1:], check)
        start = end


def _repeated(cells: Sequence[Any], sizes: list[int]) -> list[Any]:
    """Each of ``cells`` as often as ``sizes`` says."""
    if max(sizes) <= 1:
        return list(compress(cells, sizes))
    return list(chain.from_iterable(map(repeat, cells, sizes)))


def recognise(opcodes: Sequence[Opcode], scans: Scans) -> Loops | None:
    """The loops that the bytecode is, None when it does anything else.

    Source: https://www.sqlite.org/opcode.html
    """
    if any(row[1] not in _LOOPING and row[1] not in CONSTANTS for row in opcodes):
        return None
    body, tail = _halves(opcodes)
    registers: dict[int, Cell | Constant] = {}
    loops: list[Loop] = []
    cursors: dict[int, int] = {}
    starts: list[Opcode] = []
    for row in [*tail, *body]:
        address, opcode, p1, p2, p3, p4 = row[:6]
        if opcode in CONSTANTS:
            registers[p2] = constant(row)
        elif opcode == "SCopy":
            if p1 not in registers:
                return None
            registers[p2] = registers[p1]
        elif opcode == "VColumn":
            if p1 not in cursors:
                return None
            registers[p3] = Cell(cursors[p1], p2)
        elif opcode == "VFilter":
            scan = scans.find(p4)
            if scan is None:
                return None
            count = scan.limit or len(scan.terms)
            values = [registers.get(p3 + 2 + i) for i in range(count)]
            if any(value is None for value in values):
                return None
            cursors[p1] = len(loops)
            starts.append(row)
            loops.append(Loop(scan, [value for value in values if value is not None]))
        elif opcode == "ResultRow":
            result = [registers.get(p1 + i) for i in range(p2)]
            ends = [end for end in body if end[0] > address]
            if not loops or not _nested(starts, ends) or not _joined(loops):
                return None
            cells = [cell for cell in result if isinstance(cell, Cell)]
            return Loops(loops, cells) if len(cells) == len(result) else None
    return None


def _halves(opcodes: Sequence[Opcode]) -> tuple[list[Opcode], list[Opcode]]:
    """The opcodes up to Halt, and the constants after it, which are loaded first."""
    end = next((i for i, row in enumerate(opcodes) if row[1] == "Halt"), len(opcodes))
    return list(opcodes[:end]), [row for row in opcodes[end:] if row[1] in CONSTANTS]


def constant(row: Opcode) -> Constant:
    """What an opcode that loads a constant loads."""
    _, opcode, p1, _, p3, p4, *_ = row
    if opcode == "Integer":
        return Constant(p1)
    if opcode == "Variable":
        return Constant(None, p1)
    if opcode == "String8":
        return Constant(p4)
    if p4 is not None:
        return Constant(int(p4) if opcode == "Int64" else float(p4))
    # Since SQLite 3.54 the halves of 64 bits are in P1 and P3.
    bits = p3 << 32 | p1 & 0xFFFFFFFF
    if opcode == "Int64":
        return Constant(bits)
    from struct import pack, unpack

    return Constant(*unpack("=d", pack("=q", bits)))


def _nested(starts: list[Opcode], ends: list[Opcode]) -> bool:
    """Whether the loops that start are just those that end, each within the one before."""
    if [row[1] for row in ends] != ["VNext"] * len(starts):
        return False
    for start, end in zip(starts, reversed(ends)):
        # The same cursor; VNext goes on after VFilter, which leaves to what follows VNext.
        if end[2] != start[2] or end[3] != start[0] + 1 or start[3] != end[0] + 1:
            return False
    return True


def _joined(loops: list[Loop]) -> bool:
    """Whether each inner loop depends on an outer one: a product may be too large for batches."""
    return all(any(isinstance(v, Cell) for v in loop.values) for loop in loops[1:])
