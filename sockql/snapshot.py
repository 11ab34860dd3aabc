"""The instant that one statement sees."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from sockql.request import Constraint


class Snapshot:
    """What was collected for one statement, reused by every cursor of it.

    ``lists`` holds collected records by (table, set of conditions).  ``memo`` is the tables' own: facts that are resolved once in
    a statement (names of interfaces, start times of processes), under a key of the table's
    choice.  ``shared`` says that several tables of the statement look at processes, so that one
    must make sure to see the process that the other saw.
    """

    __slots__ = ("lists", "memo", "shared")

    def __init__(self, *, shared: bool = False) -> None:
        self.shared = shared
        self.lists: dict[tuple[str, frozenset[Constraint]], list[Any]] = {}
        self.memo: dict[Hashable, Any] = {}
