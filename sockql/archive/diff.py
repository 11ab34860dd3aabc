"""What differs between two snapshots: rows that came, went, or are not what they were."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sockql import tables
from sockql.archive.layout import OWN
from sockql.errors import UsageError
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


def common(before: Replay, after: Replay) -> list[str]:
    """The tables that were captured in both."""
    return sorted(before.archive.tables.keys() & after.archive.tables.keys())


def differences(
    before: Replay,
    after: Replay,
    names: Sequence[str],
    *,
    hidden: bool = False,
    ignore: Collection[str] = (),
) -> Iterator[TableDifference]:
    """The differences in the tables and views ``names``, one after the other.

    Columns of ``select *`` are compared, and what identifies a row; ``hidden`` says all that were
    captured in both.  A column of ``ignore`` never makes a row different.

    :raises UsageError: for a table that there is not.
    :raises DataError: for one that was not captured.
    """
    for name in names:
        columns = _columns(before, after, name, hidden, ignore)
        listed = ", ".join(map(quoted, columns))
        sql = f"SELECT {listed} FROM {quoted(name)}"  # noqa: S608 (quoted)
        found = keys([(name, column) for column in columns], _schema, grouped=False)
        lines = compare(before.query(sql), after.query(sql), found)
        known = identity(name, _schema(name))
        yield TableDifference(name, columns, known, lines)


def _columns(
    before: Replay, after: Replay, name: str, hidden: bool, ignore: Collection[str]
) -> list[str]:
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
    needed = identity(name, _schema(name))
    return [
        column
        for column in there
        if column in needed or (column not in ignore and (hidden or column in shown))
    ]


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
