"""Statements that only count: the rows of one scan, all of them or by the columns of GROUP BY.

SQLite counts with three calls into Python for each row.  When its bytecode is nothing else (every
condition is decided by the engine, nothing is computed, sorted or limited), the rows are counted
where they come from.
"""

from __future__ import annotations

from sockql.loops import CONSTANTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, Final

    from sockql.loops import Opcode
    from sockql.scan import Scan, Scans

#: What says nothing about the rows: constants, and the begin and the end of a program.
_ASIDE: Final = CONSTANTS | {"Goto", "Halt", "Init", "Noop", "Null", "Transaction"}

#: What only moves cells to their places, as often as there are columns in the result.
_MOVES: Final = frozenset({"Copy", "VColumn"})

#: ``SELECT count(*) FROM t``
_ALL: Final = ("VOpen", "VFilter", "AggStep", "VNext", "AggFinal", "ResultRow")

#: ``SELECT a, count(*) FROM t GROUP BY a``
_GROUPED: Final = (
    *("Gosub", "VOpen", "VFilter", "Compare", "Jump", "Gosub", "Move", "IfPos", "Gosub"),
    *("AggStep", "If", "VNext", "Gosub", "Return", "IfPos", "Return", "AggFinal"),
    *("ResultRow", "Return", "Return"),
)

#: The place of the number of rows in a result.
COUNT: Final = -1


class Counts:
    """A scan whose rows are counted; ``result`` has positions of its columns, or COUNT."""

    __slots__ = ("result", "scan")

    def __init__(self, scan: Scan, result: list[int]) -> None:
        self.scan = scan
        self.result = result

    def rows(self, tallies: Iterable[tuple[Mapping[int, Any], int]]) -> Iterator[tuple[Any, ...]]:
        """The rows of the statement: the cells and the number of rows of each group."""
        for cells, count in tallies:
            yield tuple([count if place == COUNT else cells[place] for place in self.result])


def recognise(opcodes: Sequence[Opcode], scans: Scans) -> Counts | None:
    """What the bytecode counts, None when it does anything else.

    Source: https://www.sqlite.org/opcode.html
    """
    rows = [row for row in opcodes if row[1] not in _ASIDE]
    filters = [row for row in rows if row[1] == "VFilter"]
    scan = scans.find(filters[0][5]) if len(filters) == 1 else None
    if scan is None or scan.limit or scan.once:
        return None
    if any(row[1] == "AggStep" and (row[5] != "count(0)" or row[2]) for row in rows):
        return None
    names = tuple([row[1] for row in rows if row[1] not in _MOVES])
    if names == _ALL:
        alone = not scan.groups and not any(row[1] == "VColumn" for row in rows)
        return Counts(scan, [COUNT]) if alone and rows[-1][3] == 1 else None
    if names != _GROUPED or not scan.groups:
        return None
    return _grouped(rows, scan)


def _grouped(rows: list[Opcode], scan: Scan) -> Counts | None:
    """What is where in the result of a GROUP BY."""
    positions = {column.position for column in scan.groups}
    registers: dict[int, int] = {}
    result: Opcode | None = None
    for row in rows:
        _, opcode, p1, p2, p3 = row[:5]
        if opcode == "VColumn":
            if p2 not in positions:
                return None
            registers[p3] = p2
        elif opcode == "AggFinal":
            registers[p1] = COUNT
        elif opcode == "Copy":
            for i in range(p3 + 1):
                if p1 + i in registers:
                    registers[p2 + i] = registers[p1 + i]
        elif opcode == "ResultRow":
            result = row
    if result is None:
        return None
    places = [registers.get(result[2] + i) for i in range(result[3])]
    known = [place for place in places if place is not None]
    return Counts(scan, known) if len(known) == len(places) else None
