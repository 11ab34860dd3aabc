"""What changed from one result to the next: rows matched by what identifies them.

Pure functions over rows.  A row is *changed* only where its identity is beyond doubt: no other
row of either result has the same key.  All else came or went, as a whole.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from sockql.render.writers import Row
    from sockql.schema import Schema

    #: Table and column that a column of the result shows, None for one that is computed.
    Origin: TypeAlias = "tuple[str, str] | None"
    Key: TypeAlias = "tuple[int, ...]"

SAME: Final = "same"
ADDED: Final = "added"
REMOVED: Final = "removed"
CHANGED: Final = "changed"

#: The columns that identify a row of a table, the best ones first; ``?`` marks those that help
#: where they are there.  In a join pid may come from either table, which is why names count.  Of
#: other tables the declarations say the key, or what rows are found by, which is good enough.
_IDENTITIES: Final = {
    "sockets": (
        ("cookie",),
        ("inode",),
        ("src?", "sport", "dst?", "dport?", "family?", "protocol?", "netns?"),
        ("src", "dst?", "family?", "protocol?", "netns?"),
    ),
    "fds": (("pid", "fd", "tid?"),),
    "interfaces": (("interface", "netns?"), ("ifindex", "netns?")),
    "neighbors": (("address", "interface?", "netns?"),),
    "process_envs": (("pid", "key"),),
    "process_limits": (("pid", "resource"),),
    "process_maps": (("pid", "start_address"),),
    "processes": (("pid", "start_time?"),),
    "snmp": (("name", "protocol?", "netns?"),),
}


class Line:
    """A row and what became of it; ``before`` is what it was when it is changed."""

    __slots__ = ("before", "kind", "row")

    def __init__(self, kind: str, row: Row, before: Row | None = None) -> None:
        self.kind = kind
        self.row = row
        self.before = before

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Line) and self._parts() == other._parts()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Line{self._parts()}"

    def _parts(self) -> tuple[str, Row, Row | None]:
        return self.kind, self.row, self.before

    @property
    def cells(self) -> list[int]:
        """The positions of the cells that are not what they were."""
        if self.before is None:
            return []
        return [i for i, (old, new) in enumerate(zip(self.before, self.row)) if old != new]


def compare(before: Sequence[Row], after: Sequence[Row], keys: Iterable[Key] = ()) -> list[Line]:
    """The rows of ``after`` in their order, what has gone from ``before`` where it stood.

    ``keys`` are positions of cells that together identify a row, tried one after the other; the
    key of no cells identifies the only row of a result.  Without any a row can only come and go.
    """
    old: dict[int, int] = {}  # from places in after to places in before
    missing = _equal(before, after, old)
    for key in keys:
        fresh = [i for i in range(len(after)) if i not in old]
        if not missing or not fresh:
            break
        _by_key(before, after, key, missing, fresh, old)
    gone: dict[int, list[Row]] = {}
    new = {i: j for j, i in old.items()}
    place = -1
    for i, row in enumerate(before):
        if i in missing:
            gone.setdefault(place, []).append(row)
        else:
            place = new[i]
    lines = [Line(REMOVED, row) for row in gone.get(-1, ())]
    for j, row in enumerate(after):
        if j not in old:
            lines.append(Line(ADDED, row))
        elif before[old[j]] == row:
            lines.append(Line(SAME, row))
        else:
            lines.append(Line(CHANGED, row, before[old[j]]))
        lines += [Line(REMOVED, row) for row in gone.get(j, ())]
    return lines


def _equal(before: Sequence[Row], after: Sequence[Row], old: dict[int, int]) -> set[int]:
    """Match equal rows, one for one; the places in ``before`` that are left."""
    places: dict[Row, list[int]] = {}
    for i in reversed(range(len(before))):
        places.setdefault(before[i], []).append(i)
    missing = set(range(len(before)))
    for j, row in enumerate(after):
        waiting = places.get(row)
        if waiting:
            old[j] = waiting.pop()
            missing.discard(old[j])
    return missing


def _by_key(
    before: Sequence[Row],
    after: Sequence[Row],
    key: Key,
    missing: set[int],
    fresh: Iterable[int],
    old: dict[int, int],
) -> None:
    """Match the rows that are left by ``key``, where it is that of one row in either result."""

    def of(row: Row) -> Row:
        return tuple([row[position] for position in key])

    counts = Counter(map(of, before)), Counter(map(of, after))
    left = {of(before[i]): i for i in missing}
    for j in fresh:
        found = of(after[j])
        # NULL says that there is nothing to know the row by.
        known = not key or any(cell is not None for cell in found)
        if known and found in left and counts[0][found] == counts[1][found] == 1:
            old[j] = left[found]
            missing.discard(old[j])


def keys(
    origins: Sequence[Origin], schema: Callable[[str], Schema | None], *, grouped: bool
) -> list[Key]:
    """What identifies the rows of a result: keys for :func:`compare`.

    ``origins`` has the table and column of each column of the result, ``schema`` gives the
    declaration of a table, None for one that is not declared; ``grouped`` says that the statement
    groups, so that the columns which are not computed tell its groups apart.
    """
    there: dict[str, int] = {}
    for position, origin in enumerate(origins):
        if origin is not None:
            there.setdefault(origin[1], position)
    if not there:
        return [] if grouped else [()]
    tables = dict.fromkeys(origin[0] for origin in origins if origin is not None)
    identity = {place for table in tables for place in _identity(table, there, schema)}
    found = [tuple(sorted(identity))] if identity else []
    if grouped:
        found.append(tuple(sorted(there.values())))
    return found


def identity(table: str, declared: Schema | None) -> tuple[str, ...]:
    """The columns that identify a row of ``table`` best, those that help among them."""
    for names in _IDENTITIES.get(table, ()):
        return tuple(name.rstrip("?") for name in names)
    return () if declared is None else declared.key


def _identity(
    table: str, there: dict[str, int], schema: Callable[[str], Schema | None]
) -> Iterator[int]:
    """The positions of the columns that identify a row of ``table``; none where too few are."""
    for names in _IDENTITIES.get(table, ()):
        if all(name in there for name in names if name[-1] != "?"):
            for name in names:
                if name.rstrip("?") in there:
                    yield there[name.rstrip("?")]
            return
    declared = schema(table) if table not in _IDENTITIES else None
    if declared is not None and declared.key and all(name in there for name in declared.key):
        yield from (there[name] for name in declared.key)
    elif declared is not None:
        # What the source finds rows by, or few rows share.
        for column in declared.columns:
            if (column.lookup or column.index) and column.name in there:
                yield there[column.name]
