"""An engine whose tables are those of a snapshot."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sockql.archive.layout import OWN
from sockql.archive.reader import Archive
from sockql.engine import Engine
from sockql.errors import QueryError
from sockql.host import Host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockql.analysis import Analysis
    from sockql.schema import Value


class _File(Host):
    """Not a machine but a file: whatever would look at this host fails."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(archive.path)
        self._archive = archive

    @property
    def name(self) -> str | None:
        """The name of the machine that the snapshot is of."""
        name: str | None = self._archive.facts["host"]
        return name


class Replay(Engine):
    """An engine over the snapshot of the file ``path`` that ``at`` means, by default the newest.

    The same statements, views, functions and saved queries work as on the live host.  The table
    ``snapshots`` and its kin say what is in the file.  ``username`` answers from the captured table
    of users, and where that is missing NULL, with a notice; ``service`` has the names of this host.

    :raises UsageError: when the file is no snapshot file, or ``at`` no time.
    :raises DataError: when it has no such snapshot.
    """

    def __init__(self, path: str, at: str = "") -> None:
        self.archive = Archive(path, at)
        self.file = path
        self.taken = str(self.archive.facts["time"])
        super().__init__(_File(self.archive))
        # Every name that the live host would answer to, osquery's too.
        names = {*self.dialect.names, *self.dialect.others, *self.archive.tables, *OWN}
        for name in names:
            self.add(name, partial(self.archive.table, name))
        self._users: dict[int, str] | None = None
        self.named.leave("username")
        self.connection.create_scalar_function("username", self._username, 1, deterministic=True)

    def freeze(self) -> float:
        """A snapshot is frozen already.  Returns when it was taken, in seconds since the epoch."""
        return float(self.archive.facts["epoch"])

    def _analyse(self, sql: str, params: Mapping[str, Value]) -> Analysis:
        analysis = super()._analyse(sql, params)
        # Each by itself: of statements that share, one must not fail for what another asks.
        for name, columns in analysis.columns.items():
            self.archive.require(name, columns)
        return analysis

    def close(self) -> None:
        """Close the connection and the file."""
        super().close()
        self.archive.close()

    def __enter__(self) -> Replay:
        return self

    def _username(self, *arguments: Value) -> str | None:
        (uid,) = arguments
        if uid is None:
            return None
        if "users" not in self.archive.tables:
            self.host.notice(
                f"{self.archive.path}: username() is NULL: the table users was not captured"
            )
            return None
        if self._users is None:
            rows = self.archive.rows(
                "SELECT uid, username FROM users WHERE snapshot = ?",
                (self.archive.snapshot,),
                self.host.check,
            )
            self._users = {}
            for number, name in rows:
                self._users.setdefault(number, name)
        try:
            return self._users.get(int(uid))
        except ValueError:
            raise QueryError(f"username: {uid!r} is not a uid") from None
