"""The instant that one statement sees, or several that share it."""

from __future__ import annotations

from itertools import chain
from time import perf_counter

from sockql.errors import DataError
from sockql.grouping import indexed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from typing import Any

    from sockql.host import Host
    from sockql.proc.procfs import Refusals
    from sockql.request import Constraint, Request
    from sockql.schema import Column, Table
    from sockql.sharing import Sharing


class Records(list["Any"]):
    """Collected records and, by what is looked up in them, the indexes that were built."""

    __slots__ = ("_indexes",)

    def __init__(self, records: Iterable[Any]) -> None:
        super().__init__(records)
        self._indexes: dict[tuple[Column, ...], Mapping[Any, Sequence[Any]]] = {}

    def by(self, columns: tuple[Column, ...]) -> Mapping[Any, Sequence[Any]]:
        """The records by the cells of ``columns``, see :func:`sockql.grouping.indexed`."""
        found = self._indexes.get(columns)
        if found is None:
            found = self._indexes[columns] = indexed(self, columns)
        return found


class Collection:
    """What one request brought: the records, or the error; and what they lack.

    ``notices`` and ``refusals`` are kept where statements share a snapshot, so that each of them
    can say what its answer lacks.  ``lists`` has the records that meet the terms of a scan.
    """

    __slots__ = ("error", "lists", "notices", "records", "refusals", "request")

    def __init__(self, request: Request, records: list[Any]) -> None:
        self.request = request
        self.records = records
        self.error: DataError | None = None
        self.lists: dict[Hashable, Records] = {}
        self.notices: Sequence[str] = ()
        self.refusals: Iterable[Refusals] = ()


class Snapshot:
    """What was collected for one statement, reused by every cursor of it.

    ``memo`` is the tables' own: facts that are resolved once in a statement (names of interfaces,
    start times of processes), under a key of the table's choice; ``refusals`` are those of each
    table.  ``shared`` says that several tables of the statement look at processes, so that one
    must make sure to see the process that the other saw.  ``sharing`` is what several statements
    want together; None for a snapshot that ends with its statement.
    """

    __slots__ = (
        "_collections",
        "_lookups",
        "_since",
        "_spent",
        "memo",
        "refusals",
        "shared",
        "sharing",
    )

    def __init__(self, *, shared: bool = False, sharing: Sharing | None = None) -> None:
        self.shared = shared or sharing is not None
        self.sharing = sharing
        self.memo: dict[Hashable, Any] = {}
        self.refusals: dict[str, Refusals] = {}
        self._collections: dict[str, list[Collection]] = {}
        self._lookups: dict[tuple[str, frozenset[Constraint]], Collection] = {}
        self._spent = 0.0
        self._since: float | None = None

    def find(self, request: Request) -> Collection | None:
        """What an earlier scan collected, if it has all that ``request`` asks for."""
        for collection in self._collections.get(request.schema.name, ()):
            if request.within(collection.request):
                return collection
        return None

    def collect(
        self, table: Table[Any], request: Request, host: Host, *, lookup: bool = False
    ) -> tuple[Collection, bool]:
        """What answers ``request``, and whether it was collected for this very request.

        ``lookup`` says that it is one of many requests, each for another value.

        :raises DataError: when the source cannot be read, for all who share it.
        """
        if self.sharing is not None:
            collection = self._shared_collection(table, request, host)
            if collection.error is not None:
                raise collection.error
            return collection, False
        # The scan remembers by itself what it has looked up.
        found = None if lookup else self.find(request)
        if found is not None:
            return found, False
        records = _read(table, request, host)
        collection = Collection(request, records if lookup else Records(records))
        if not lookup:
            self._collections.setdefault(request.schema.name, []).append(collection)
        return collection, True

    def _shared_collection(self, table: Table[Any], request: Request, host: Host) -> Collection:
        assert self.sharing is not None
        identity = request.schema.name, frozenset(request.constraints)
        found = self._lookups.get(identity) or self.find(request)
        if found is None or not request.columns <= found.request.columns:
            wider = self.sharing.widened(table, request, host)
            found = self._collect_for_all(table, wider, host)
            if wider.looks_up:
                self._lookups[identity] = found
            else:
                found.records = Records(found.records)
                self._collections.setdefault(request.schema.name, []).append(found)
        return found

    def _collect_for_all(self, table: Table[Any], request: Request, host: Host) -> Collection:
        """Collect what others will use as well, and keep what it lacks."""
        collection = Collection(request, [])
        said, host.notices = host.notices, []
        refusals, self.refusals = self.refusals, {}
        self._since = perf_counter()
        try:
            collection.records = _read(table, request, host)
        except DataError as error:
            collection.error = error
        finally:
            self._spent += perf_counter() - self._since
            self._since = None
            collection.refusals = self.refusals.values()
            if host.notices:
                counted = {text for refused in collection.refusals for text in refused.said}
                collection.notices = [text for text in host.notices if text not in counted]
            host.notices, self.refusals = said, refusals
        return collection

    def notices(self) -> list[str]:
        """What lacks of all that statements share: of each table what was refused in one line."""
        found: dict[str, None] = {}
        refusals: dict[str, list[Refusals]] = {}
        for collection in (*chain(*self._collections.values()), *self._lookups.values()):
            found.update(dict.fromkeys(collection.notices))
            for refused in collection.refusals:
                refusals.setdefault(refused.table, []).append(refused)
        for several in refusals.values():
            found.update(dict.fromkeys(several[0].merged(several).lines()))
        return list(found)

    def seconds(self) -> float:
        """How long it took to collect what is shared, the collection that runs now included."""
        running = 0.0 if self._since is None else perf_counter() - self._since
        return self._spent + running


def _read(table: Table[Any], request: Request, host: Host) -> list[Any]:
    started = perf_counter()
    records = list(table.records(request, host))
    request.trace.seconds += perf_counter() - started
    request.trace.rows += len(records)
    return records
