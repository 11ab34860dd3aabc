"""Records of one scan in groups, as GROUP BY, count(*) and look-ups want them, without sorting them.

All records of a group look alike to a statement that uses no other column, so one of them is
enough, whose cells are computed once, and their number.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from operator import itemgetter

from sockql.scan import folded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, Final, TypeAlias

    from sockql.scan import Scan
    from sockql.schema import Column

    #: The cells of a group by the position of their column, and the number of its records.
    Group: TypeAlias = tuple[dict[int, Any], int]

#: Getters, by position, for the records of a grouped scan: the cells themselves, by position.
CELLS: Final = tuple(itemgetter(position) for position in range(64))


def counted(scan: Scan, records: Iterator[Any]) -> list[Group]:
    """The groups of ``records``, which are not kept; without GROUP BY one of all, without cells."""
    columns = scan.groups
    counts: Counter[Any] = Counter()
    found: dict[Any, Any] = {}
    while batch := list(islice(records, 4096)):
        if columns:
            keys = keys_of(batch, columns)
            counts.update(keys)
            found.update(zip(keys, batch))
        else:
            counts[()] += len(batch)
    return _groups(scan, found, counts)


def ordered(scan: Scan, records: Iterable[Any]) -> Iterator[Any]:
    """``records`` in the order of their groups."""
    found = list(records)
    ranks = list(map(_rank, keys_of(found, scan.groups)))
    return (found[i] for i in sorted(range(len(found)), key=ranks.__getitem__))


def weighed(scan: Scan, pairs: Iterable[tuple[Any, int]]) -> list[Group]:
    """The groups of records each of which comes with the number that it stands for."""
    columns = scan.groups
    records = []
    weights = []
    for record, weight in pairs:
        records.append(record)
        weights.append(weight)
    keys = keys_of(records, columns) if columns else [()] * len(records)
    counts: Counter[Any] = Counter()
    for key, weight in zip(keys, weights):
        counts[key] += weight
    return _groups(scan, dict(zip(keys, records)), counts)


def _groups(scan: Scan, found: dict[Any, Any], counts: Counter[Any]) -> list[Group]:
    """Groups in SQLite's order, from a record and a number for each key."""
    if not scan.groups:
        return [({}, counts[()])]
    columns = [*scan.groups, *(term.column for term in scan.terms)]
    return [
        ({column.position: column.get(found[key]) for column in columns}, counts[key])
        for key in sorted(found, key=_rank)
    ]


def keys_of(records: list[Any], columns: Sequence[Column]) -> list[Any]:
    """For each record the cell of the column, or a tuple of cells when there are several."""
    parts = [
        [folded(column, column.get(record)) for record in records]
        if column.nocase and column.values is None
        else column.cells(records)
        for column in columns
    ]
    return parts[0] if len(parts) == 1 else list(zip(*parts))


def indexed(records: list[Any], columns: Sequence[Column]) -> dict[Any, Any]:
    """``{key: records}``, without the keys that hold a NULL: they equal nothing."""
    keys = keys_of(records, columns)
    index: dict[Any, Any] = dict(zip(keys, zip(records)))
    if len(index) != len(records):
        index = {}
        for key, record in zip(keys, records):
            index.setdefault(key, []).append(record)
    if len(columns) == 1:
        index.pop(None, None)
        return index
    return {key: found for key, found in index.items() if None not in key}


def _rank(key: Any) -> Any:
    """A sort key that orders cells as SQLite does: NULL, numbers, texts, blobs."""
    if isinstance(key, tuple):
        return tuple(map(_rank, key))
    if key is None:
        return 0, 0
    return (1 if isinstance(key, (int, float)) else 2 if isinstance(key, str) else 3), key
