"""What completion found out about the place of the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sockql.completion.groups import Group
    from sockql.completion.sources import Source

# What is expected: ``Place.wants``.
NOTHING: Final = "nothing"  # keywords at most
COLUMNS: Final = "columns"  # of the table Place.qualifier, visible names only
COMMON: Final = "common"  # what the table Place.joined shares with those in Place.left
OPERAND: Final = "operand"
PARAMETERS: Final = "parameters"
PRAGMAS: Final = "pragmas"
QUALIFIED: Final = "qualified"  # columns of what goes by the name Place.qualifier
TABLES: Final = "tables"
TYPES: Final = "types"
VALUES: Final = "values"  # of the column Place.compared, within a literal


class Place:
    """What may stand at the cursor.

    ``wants`` is one of the constants above, ``keywords`` may stand there besides, the likeliest
    first, and ``urgent`` are those that are likelier than any name.  ``query`` is the group of the innermost query, ``clause`` and ``core`` the name of the
    clause in it and the number of its core.  ``levels`` has the tables of each query around
    the cursor, the innermost first.  ``compared`` is the column (qualifier and name) that a value
    is compared with, ``taken`` the values that its list has already.  ``joined`` is the table
    that a join condition is expected for, ``left`` has those before it, and ``on`` says that its
    ON is there already.
    """

    __slots__ = (
        "clause",
        "compared",
        "core",
        "group",
        "joined",
        "keywords",
        "left",
        "levels",
        "on",
        "qualifier",
        "query",
        "taken",
        "urgent",
        "wants",
    )

    def __init__(self, group: Group) -> None:
        self.group = group
        self.wants = NOTHING
        self.keywords: tuple[str, ...] = ()
        self.query = group
        self.core = 0
        self.urgent: tuple[str, ...] = ()
        self.levels: list[list[Source]] = []
        self.clause = ""
        self.qualifier = ""
        self.compared: tuple[str, str] | None = None
        self.taken: frozenset[str] = frozenset()
        self.joined: Source | None = None
        self.left: list[Source] = []
        self.on = False
