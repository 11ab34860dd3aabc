"""What differs between two snapshots: rows that came, went, or are not what they were."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sockql import tables
from sockql.archive.layout import OWN
from sockql.errors import DataError, UsageError
from sockql.loading.names import quoted
from sockql.schema import View
from sockql.watch.differ import SAME, compare, identity, keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sockql.archive.replay import Replay
    from sockql.schema import Schema
    from sockql.watch.differ import Line


class TableDifference:
    """What differs in one table; ``lines`` are the rows that are not the same."""

    def __init__(
        self, table: str, columns: Sequence[str], identity: Collection[str], lines: Sequence[Line]
    ) -> None:
        self.table = table
        self.columns = columns
        #: Those of the columns by which rows are known.
        self.identity = identity
        self.lines = [line for line in lines if line.kind != SAME]
        self.counts = Counter(line.kind for line in self.lines)


class Comparison:
    """The columns in which each of the tables and views ``names`` of two snapshots is compared.

    By default the tables that were captured in both; ``doubts`` says which are left out.  Columns of
    ``select *`` are compared, and what identifies a row; ``hidden`` says all that were captured in
    both.  A column of ``ignore`` never makes a row different.

    :raises UsageError: for a table that there is not, and a column that none of them has.
    :raises DataError: for a table of ``names`` that was not captured, or has no column in common.
    """

    def __init__(
        self,
        before: Replay,
        after: Replay,
        names: Sequence[str] = (),
        *,
        hidden: bool = False,
        ignore: Sequence[str] = (),
    ) -> None:
        self._before = before
        self._after = after
        self._columns: dict[str, list[str]] = {}
        self.doubts = doubts(before, after)
        left_out = {name.lower() for name in ignore}
        known: set[str] = set()
        alone = sorted(before.archive.tables.keys() ^ after.archive.tables.keys())
        if alone and not names:
            self.doubts.append(f"not compared, for only one of them has it: {', '.join(alone)}")
        for name in _names(before, after, names):
            there, shown = _there(before, after, name)
            known.update(there)
            if not there:
                said = f"{name}: the snapshots have no column of it in common"
                if names:
                    raise DataError(said)
                self.doubts.append(said)
            needed = identity(name, _schema(name))
            self._columns[name] = [
                column
                for column in there
                if column in needed
                or (column.lower() not in left_out and (hidden or column in shown))
            ]
        _check_ignored(ignore, known, self._columns)

    def differences(self) -> Iterator[TableDifference]:
        """What differs, one table after the other."""
        for name, columns in self._columns.items():
            if columns:
                yield _difference(self._before, self._after, name, columns)


def _difference(
    before: Replay, after: Replay, name: str, columns: Sequence[str]
) -> TableDifference:
    listed = ", ".join(map(quoted, columns))
    sql = f"SELECT {listed} FROM {quoted(name)}"  # noqa: S608 (quoted)
    found = keys([(name, column) for column in columns], _schema, grouped=False)
    lines = compare(before.query(sql), after.query(sql), found)
    known = identity(name, _schema(name))
    return TableDifference(name, columns, known, lines)


def _names(before: Replay, after: Replay, names: Sequence[str]) -> list[str]:
    """The tables as they are called in the files, whatever the case they are named in."""
    if not names:
        return sorted(before.archive.tables.keys() & after.archive.tables.keys())
    called = {name.lower(): name for name in (*after.archive.tables, *before.archive.tables)}
    return list(dict.fromkeys(called.get(name.lower(), name.lower()) for name in names))


def _check_ignored(ignore: Sequence[str], known: Collection[str], names: Collection[str]) -> None:
    """Refuse a column that no table has: whoever misspells one wants to know."""
    folded = {column.lower(): column for column in known}
    for name in ignore:
        if name.lower() not in folded:
            from difflib import get_close_matches

            close = get_close_matches(name.lower(), folded, 1)
            meant = f"; did you mean {folded[close[0]]}?" if close else ""
            where = ", ".join(names) or "what both have"
            raise UsageError(f"--ignore {name}: no such column in {where}{meant}")


def _there(before: Replay, after: Replay, name: str) -> tuple[list[str], set[str]]:
    """The columns that both have of a table, and those that either shows of it."""
    declared = tables.load(name) if name in tables.NAMES else None
    if isinstance(declared, View):
        there = [column.name for column in declared.schema.columns]
        shown = set(there)
    else:
        known = [*before.archive.tables, *after.archive.tables]
        if name in OWN or (declared is None and name not in known):
            raise UsageError(f"no such table: {name}; there are {', '.join(sorted(set(known)))}")
        old = before.archive.table(name).schema
        new = after.archive.table(name).schema
        captured = {*before.archive.columns(name)} & {*after.archive.columns(name)}
        there = [column.name for column in new.columns if column.name in captured]
        shown = {column.name for column in (*old.visible, *new.visible)}
    return there, shown


def _schema(name: str) -> Schema | None:
    return tables.load(name).schema if name in tables.NAMES else None


def doubts(before: Replay, after: Replay) -> list[str]:
    """Why differences may not be what they seem, a line each."""
    said = []
    old, new = before.archive.facts, after.archive.facts
    if old["host"] != new["host"]:
        said.append(f"the snapshots are of different hosts, {old['host']} and {new['host']}")
    elif old["boot_id"] != new["boot_id"]:
        said.append(
            "the host was started anew in between: numbers of processes, inodes and cookies mean "
            "other things"
        )
    if (old["uid"] == 0) != (new["uid"] == 0):
        said.append("one snapshot was taken by root, the other not: they did not see the same")
    return said
