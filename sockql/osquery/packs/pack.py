"""What a file of queries says: packs, their queries, and what belongs to all of them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sockql.errors import UsageError
from sockql.osquery.packs.nodes import PackError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class PackQuery:
    """A query of a pack.

    ``name`` is what the file calls it, ``scheduled`` what osquery's logs would.  ``skip`` is why
    it is not run, as far as the file tells; ``wrong`` says that this is a mistake in the file.  A
    ``policy`` passes when it has a row, and ``resolution`` says what to do when it has none, which
    is urgent for one that is ``critical``.
    """

    name: str
    sql: str = ""
    where: str = ""
    scheduled: str = ""
    description: str = ""
    skip: str | None = None
    wrong: bool = False
    policy: bool = False
    resolution: str = ""
    critical: bool = False


@dataclass
class Pack:
    """A pack: its queries in the order they run, and the queries that decide whether they do.

    ``skip`` is why none of them is run, as far as the file tells.
    """

    name: str
    queries: list[PackQuery]
    discovery: list[str] = field(default_factory=list)
    skip: str | None = None


@dataclass
class PackFile:
    """All that a file, and those that it names, say.

    ``views`` are SELECTs, and where they stand, by the names that queries may use; ``decorators``
    the queries whose first row goes with every result.  ``notices`` tell what was passed over, and
    ``mistakes`` what could not be understood while the rest could, a line each.
    """

    packs: list[Pack] = field(default_factory=list)
    views: dict[str, tuple[str, str]] = field(default_factory=dict)
    decorators: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Take an error for a mistake in one part of the file: the others still count."""
        try:
            yield
        except UsageError as error:
            self.mistakes.append(str(error))

    def checked(self) -> PackFile:
        """Itself.

        :raises PackError: the first mistake, when it leaves no query at all.
        """
        if self.mistakes and not any(pack.queries for pack in self.packs):
            raise PackError(self.mistakes[0])
        return self
