"""What SQLite's bytecode and query plan say about a statement before it runs."""

from __future__ import annotations

from sockql import counts, loops
from sockql.loops import constant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Final

    from sockql.counts import Counts
    from sockql.loops import Loops
    from sockql.scan import Scan, Scans


class Analysis:
    """What EXPLAIN says about a statement.

    ``columns`` has the columns in use by table, exact where SQLite's mask of 64 bits is not.
    ``scans`` are the scans of virtual tables, one for each cursor, in the order they are opened.
    ``once`` are the tables of which one cursor makes one pass: their rows can be streamed.
    ``constants`` has, for each of them, the values of its terms that the text of the statement
    gives, by position.
    ``numbered`` are the scans whose rows the statement asks the rowids of.
    ``queried`` are the columns, by table, of which a scan is given the values of an ``IN`` at
    once although a query gives them, which may give none.
    ``varying`` has, by scan, the positions of the values that an outer loop gives.
    ``loops`` is the whole statement when it does nothing but join and copy, ``counts`` when it
    does nothing but count.
    """

    __slots__ = (
        *("columns", "constants", "counts", "loops", "numbered", "once", "queried", "scans"),
        "varying",
    )

    def __init__(self) -> None:
        self.columns: dict[str, set[str]] = {}
        self.constants: list[dict[int, Any]] = []
        self.counts: Counts | None = None
        self.loops: Loops | None = None
        self.numbered: set[int] = set()
        self.scans: list[Scan] = []
        self.once: set[str] = set()
        self.queried: set[tuple[str, str]] = set()
        self.varying: dict[int, set[int]] = {}


#: Opcodes that put a constant or a parameter into register P2.
_LOADS: Final = frozenset({"Blob", "Int64", "Integer", "Real", "String", "String8", "Variable"})

#: Those of them that say what the constant is.
_LITERALS: Final = frozenset({"Int64", "Integer", "Real", "String8"})

#: Opcodes of a list of expressions whose P2 is no address.
_LISTING: Final = _LOADS | {
    *("Affinity", "Column", "Copy", "FilterAdd", "IdxInsert", "MakeRecord", "Null"),
    *("OpenEphemeral", "SCopy", "VColumn"),
}

#: Opcodes that begin something to loop over.
_SOURCES: Final = frozenset({"InitCoroutine", "OpenDup", "OpenEphemeral", "OpenRead", "VOpen"})


def analyse(
    opcodes: Iterable[Sequence[Any]], tree: Callable[[], Iterable[Sequence[Any]]], scans: Scans
) -> Analysis:
    """Read the bytecode and the query plan of a statement.

    ``opcodes`` are the rows of EXPLAIN: addr, opcode, p1, p2, p3, p4, …; ``tree`` those of
    EXPLAIN QUERY PLAN: id, parent, unused, detail; they are only asked for when there is more
    than one loop.  A virtual table shows up as VFilter with our text in p4 and VColumn with the
    cursor in p1 and the column in p2.  A value is taken for constant when its register is loaded
    with a constant once; :class:`Run` notices if that was wrong.
    Source: https://www.sqlite.org/opcode.html
    """
    found = Analysis()
    cursors: dict[int, Scan] = {}
    used: list[tuple[int, int]] = []
    filters: list[tuple[Scan, int]] = []
    loads: dict[int, int] = {}
    literals: dict[int, Any] = {}
    fetched: set[int] = set()
    queried: set[int] = set()
    lists = _lists(opcodes := list(opcodes))
    sources = 0
    for row in opcodes:
        _, opcode, p1, p2, p3, p4, *_ = row
        if opcode == "VFilter":
            scan = scans.find(p4)
            if scan is not None:
                cursors[p1] = scan
                found.scans.append(scan)
                # r[P3] is idxNum, r[P3+1] the number of values, then the values.
                filters.append((scan, p3 + 2))
        elif opcode == "Rowid":
            if p1 in cursors:
                found.numbered.add(cursors[p1].id)
            fetched.add(p2)
        elif opcode == "VInitIn":
            # r[P2] stands for what is in cursor P1.
            if not _filled(opcodes, p1):
                queried.add(p2)
            elif p1 in lists:
                literals[p2], loads[p2] = lists[p1], 1
        elif opcode == "VColumn":
            used.append((p1, p2))
        elif opcode == "Column":
            fetched.add(p3)
        elif opcode in _LOADS:
            loads[p2] = loads.get(p2, 0) + 1
            if opcode in _LITERALS:
                literals[p2] = constant(row).value
        sources += opcode in _SOURCES
    for scan in found.scans:
        found.columns.setdefault(scan.table.schema.name, set())
    for cursor, position in used:
        if cursor in cursors:
            schema = cursors[cursor].table.schema
            found.columns[schema.name].add(schema.columns[position].name)
    for scan, first in filters:
        columns = found.columns[scan.table.schema.name]
        columns.update(term.column.name for term in scan.terms if term.ours)
        varying = found.varying.setdefault(scan.id, set())
        found.constants.append(
            {
                i: literals[first + i]
                for i in range(len(scan.terms))
                if first + i in literals and loads[first + i] == 1
            }
        )
        for i, term in enumerate(scan.terms):
            if term.operator == "in" and first + i in queried:
                found.queried.add((scan.table.schema.name, term.column.name))
            if term.operator != "in" and loads.get(first + i) != 1:
                varying.add(i)
    # SQLite goes through the values of an IN that it does not give us at once.
    looped = {
        scan.id
        for scan, first in filters
        if not fetched.isdisjoint(range(first, first + len(scan.terms)))
    }
    names = [scan.table.schema.name for scan in found.scans]
    if len(names) == 1 and sources == 1:
        found.once = set(names)
    elif names:
        # In a plan a scan ends in "INDEX idxNum:idxStr", and our idxStr is "table:id".
        outer = {line.rpartition(" INDEX ")[2] for line in _outermost(tree())}
        for scan in found.scans:
            name = scan.table.schema.name
            outermost = f"{scan.id}:{name}:{scan.id}" in outer
            if outermost and names.count(name) == 1 and scan.id not in looped:
                found.once.add(name)
    if names and names[0] in found.once:
        found.loops = loops.recognise(opcodes, scans)
        found.counts = counts.recognise(opcodes, scans)
    return found


def _lists(opcodes: Sequence[Sequence[Any]]) -> dict[int, frozenset[Any]]:
    """The lists of literals, as in ``IN (1, 2)``, by the number of their cursors.

    Each value is loaded, made a record and inserted, one after the other; a list with anything
    else in it is left out.
    """
    found: dict[int, set[Any]] = {}
    unknown: set[int] = set()
    for i, (_, opcode, cursor, record, *_) in enumerate(opcodes):
        if opcode != "IdxInsert":
            continue
        load, make = opcodes[max(i - 2, 0)], opcodes[max(i - 1, 0)]
        if load[1] in _LITERALS and make[1] == "MakeRecord" and make[2:5] == (load[3], 1, record):
            value = constant(load).value
            found.setdefault(cursor, set()).add(value)
        else:
            unknown.add(cursor)
    return {cursor: frozenset(values) for cursor, values in found.items() if cursor not in unknown}


def _filled(opcodes: Sequence[Sequence[Any]], cursor: int) -> bool:
    """Whether there is a value in the list ``cursor`` in any case: the last is put in always.

    So it is in a list of expressions, and in what ends in ``UNION ALL SELECT 0``.
    """
    begin = last = None
    for i, (_, opcode, p1, p2, *_) in enumerate(opcodes):
        if opcode == "OpenDup" and p1 == cursor:
            return _filled(opcodes, p2)
        if opcode == "OpenEphemeral" and p1 == cursor:
            begin = i
        elif begin is not None and p1 == cursor:
            if opcode == "IdxInsert":
                last = i
            elif opcode in ("NullRow", "VInitIn"):
                # No jump leads past it.
                return last is not None and not any(
                    row[3] > last for row in opcodes[begin:i] if row[1] not in _LISTING
                )
    return False


def _outermost(tree: Iterable[Sequence[Any]]) -> list[str]:
    """The scans of a query plan that run once: first in their loop, in no repeated subquery."""
    repeated: set[int] = set()
    looping: set[int] = set()
    outer: list[str] = []
    for id, parent, _, detail in tree:
        if parent in repeated or "CORRELATED" in detail or "RECURSIVE" in detail:
            repeated.add(id)
        if detail.startswith(("SCAN", "SEARCH")):
            if parent not in repeated and parent not in looping:
                outer.append(detail)
            looping.add(parent)
    return outer
