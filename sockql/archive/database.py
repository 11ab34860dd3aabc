"""The snapshot file as a store: written beside the old one, then put in its place."""

from __future__ import annotations

import json
import os
import sqlite3
from time import time
from typing import TYPE_CHECKING, Final

from sqlite_utils import Database

from sockql import unfinished
from sockql.archive.facts import facts
from sockql.archive.files import lock, refuse_links, refuse_unfinished, replace
from sockql.archive.layout import APPLICATION, FORMAT, OWN, identify
from sockql.archive.writing import PARENT, TableWriter
from sockql.errors import UsageError
from sockql.loading.databases import readable
from sockql.loading.names import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from sockql.host import Host
    from sockql.render.writers import Row
    from sockql.schema import Schema


#: Columns of a table at most, SQLITE_MAX_COLUMN.  Source: https://www.sqlite.org/limits.html
_COLUMNS: Final = 2000


class DatabaseFile:
    """A :class:`~sockql.archive.capture.Store`: the file ``path``, made anew or added to.

    A context manager: what was not finished when it is left has never been there.  ``waiting`` is
    called when somebody else writes the file, before waiting for that.

    :raises UsageError: when the file cannot be written, is a symbolic link, or holds something
        else than snapshots.
    """

    def __init__(
        self,
        path: str,
        host: Host,
        *,
        append: bool = False,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._host = host
        self._started = time()
        folder = os.path.dirname(path)
        unfinished.sweep(folder)
        self._temporary = unfinished.name(folder)
        #: Descriptors that are the locks of the temporary file and of ``path``.
        self._locks: list[int] = []
        self._tables: list[tuple[TableWriter, str | None]] = []
        self._append = append
        self._waiting = waiting
        self._before = self._look()
        try:
            if append:
                self._before = self._take_turns()
            try:
                self._locks.append(unfinished.make_file(self._temporary, 0o600))
            except OSError as error:
                raise UsageError(f"{path}: {error.strerror}") from None
            self._connection = sqlite3.connect(self._temporary, isolation_level=None)
            try:
                self._begin(append and self._before is not None)
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            self._abandon()
            raise UsageError(f"{path}: {error}") from None
        except BaseException:
            self._abandon()
            raise

    def _look(self) -> os.stat_result | None:
        """The status of the file that is there, if it is one that may be written over."""
        before = refuse_links(self._path)
        if before is not None:
            refuse_unfinished(self._path)
            identify(self._path)
        return before

    def _take_turns(self) -> os.stat_result | None:
        """Wait for all others that write the file; its status after that."""
        self._locks.append(lock(self._path, self._waiting))
        return self._look()

    def _begin(self, append: bool) -> None:
        connection = self._connection
        # Until it is put in its place nobody else sees it, and a crash leaves the old one.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -65536"):
            connection.execute(f"PRAGMA {pragma}")
        if append:
            # Whoever else has the file open sees all of it or none; and so do we.
            with readable(self._path) as uri:
                old = sqlite3.connect(uri, uri=True)
                try:
                    old.backup(connection)
                finally:
                    old.close()
        if not append:
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            for schema, key in OWN.values():
                columns = ", ".join(f"{c.name} {c.type}" for c in schema.columns)
                connection.execute(
                    f"CREATE TABLE {schema.name} ({columns}, PRIMARY KEY ({', '.join(key)}))"
                )
        connection.execute("BEGIN")
        self.snapshot = self._number()

    def _number(self) -> int:
        """The id of the new snapshot: one that nothing in the file has, whatever was taken out of it.

        :raises UsageError: when the file is not laid out as it was.
        """
        for name, (schema, _) in OWN.items():
            found = {row[1] for row in self._connection.execute(f"PRAGMA table_info({name})")}
            absent = [column for column in schema.by_name if column not in found]
            if absent:
                what = f"{name}.{absent[0]}" if found else name
                raise UsageError(f"{self._path}: damaged: {what} is missing")
        ((last,),) = self._connection.execute(
            "SELECT max(id) FROM (SELECT id FROM snapshots UNION SELECT snapshot FROM snapshot_tables)"
        )
        if last is not None and not (isinstance(last, int) and last < 2**63 - 1):
            raise UsageError(f"{self._path}: damaged: the last snapshot has the number {last!r}")
        return (last or 0) + 1

    def open(self, schema: Schema, query: str | None) -> None:
        """What follows are rows of this table."""
        self._finish_table()
        names = [writer.schema.name for writer, _ in self._tables]
        if query is not None:
            _check(schema)
        try:
            writer = TableWriter(
                self._connection, schema, snapshot=self.snapshot, parent=PARENT[0] in names
            )
        except sqlite3.Error as error:
            raise UsageError(f"{self._path}: {error}") from None
        except UsageError as error:
            instead = "" if query is None else "; --as may give another name"
            raise UsageError(f"{self._path}: {error}{instead}") from None
        self._tables.append((writer, query))

    def write(self, rows: Sequence[Row]) -> None:
        """Some rows of the table."""
        try:
            self._tables[-1][0].write(rows)
        except sqlite3.Error as error:
            raise UsageError(f"{self._path}: {error}") from None

    def _finish_table(self) -> None:
        if self._tables:
            self._tables[-1][0].finish()

    def finish(self, epoch: float, notices: Sequence[str]) -> None:
        """Describe the snapshot, and put the file in its place."""
        try:
            self._finish_table()
            self._describe(epoch, [*notices, *self._doubts()])
            self._connection.commit()  # which sqlite-utils has done by itself before its version 4
            self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.close()
            if self._append:
                refuse_unfinished(self._path)
            else:
                self._before = self._take_turns()
            replace(self._temporary, self._path, self._before)
        except sqlite3.Error as error:
            raise UsageError(f"{self._path}: {error}") from None
        except OSError as error:
            raise UsageError(f"{self._path}: {error.strerror}") from None
        self._temporary = ""

    def _doubts(self) -> list[str]:
        """What the tables tell of each other that a reader should know."""
        found = []
        table, pid = PARENT
        names = [writer.schema.name for writer, _ in self._tables]
        for writer, query in self._tables:
            name = writer.schema.name
            if writer.repeated:
                found.append(f"{name}: {writer.repeated} rows were seen twice and kept once")
            if query is None and name != table and table in names and pid in writer.schema.by_name:
                ((count,),) = self._connection.execute(
                    f"SELECT count(*) FROM {quoted(name)} a WHERE a.snapshot = ? AND a.{pid} IS NOT"  # noqa: S608 (quoted)
                    f" NULL AND NOT EXISTS (SELECT 1 FROM {table} b WHERE b.snapshot = a.snapshot"
                    f" AND b.{pid} = a.{pid})",
                    (self.snapshot,),
                )
                if count:
                    found.append(f"{name}: {count} rows name a process that {table} does not have")
        return found

    def _describe(self, epoch: float, notices: Sequence[str]) -> None:
        database = Database(self._connection)
        said = json.dumps(list(notices), ensure_ascii=False)
        duration = time() - self._started
        row = {**facts(self._host, epoch), "notices": said, "duration": duration}
        database.table("snapshots").insert({"id": self.snapshot, **row})
        for writer, query in self._tables:
            schema = writer.schema
            database.table("snapshot_tables").insert(
                {
                    "snapshot": self.snapshot,
                    "table_name": schema.name,
                    "row_count": writer.rows,
                    "captured": json.dumps([column.name for column in schema.columns]),
                    "query": query,
                    "description": schema.doc,
                }
            )
            database.table("snapshot_columns").upsert_all(
                [
                    {
                        "table_name": schema.name,
                        "column_name": column.name,
                        "position": column.position,
                        "type": writer.types[column.name.lower()],
                        "hidden": int(column.hidden),
                        "nocase": int(column.nocase),
                        "unit": column.unit,
                        "source": column.source,
                        "description": column.doc,
                    }
                    for column in schema.columns
                ],
                pk=("table_name", "column_name"),
            )

    def _abandon(self) -> None:
        if self._temporary:
            unfinished.discard(self._temporary)
        while self._locks:
            os.close(self._locks.pop())

    def __enter__(self) -> DatabaseFile:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._abandon()


def _check(schema: Schema) -> None:
    """Refuse a result that has no room beside the column ``snapshot``."""
    for column in schema.columns:
        if column.name.lower() == "snapshot":
            raise UsageError(
                f"--sql for {schema.name}: {column.name} is a column of every table in the file; "
                "rename it with AS"
            )
    if len(schema.columns) >= _COLUMNS:
        raise UsageError(
            f"--sql for {schema.name}: {len(schema.columns):,} columns, but a table has room for "
            f"{_COLUMNS - 1:,}"
        )
