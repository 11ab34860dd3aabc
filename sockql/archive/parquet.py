"""Snapshots as Parquet files: ``DIR/TABLE/host=NAME/time=TIME/part-ID.parquet``.

Engines that know partitions in folders (DuckDB, Spark, Trino, ClickHouse) find the columns ``host``
and ``time`` in the paths, so the files do not have them.  The time is written without colons,
which some of them would read escaped: ``20261125T151200.123456Z`` sorts as it is.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING, Final

from sockql import unfinished
from sockql.archive.facts import facts
from sockql.archive.layout import OWN, UNTYPED
from sockql.errors import UsageError
from sockql.schema import BLOB, INTEGER, REAL, TEXT

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError:
    raise UsageError(
        "--parquet needs the Python package pyarrow: pip install 'sockql[parquet]'"
    ) from None

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Any

    from sockql.host import Host
    from sockql.render.writers import Row
    from sockql.schema import Schema, Value

_TYPES: Final = {
    INTEGER: pa.int64(),
    REAL: pa.float64(),
    TEXT: pa.string(),
    BLOB: pa.binary(),
    UNTYPED: pa.null(),  # which readers unite with any other type
}
#: Columns that the names of folders are.
_FOLDERS: Final = ("host", "time")
#: Rows of a row group: what a reader takes or leaves at once.
_GROUP: Final = 65536


class ParquetFolder:
    """A :class:`~sockql.archive.capture.Store`: files below the folder ``path``.

    They get their names, all at once as far as a file system can, when the snapshot is finished:
    ``snapshots`` last, so that a snapshot which is there is whole.  A context manager: what was
    not finished when it is left is taken away.

    :raises UsageError: when the folder cannot be written.
    """

    def __init__(self, path: str, host: Host) -> None:
        self._path = path
        self._host = host
        self._started = time()
        self._facts = facts(host, 0.0)
        self._writer: Any = None
        self._arrow: Any = None
        self._places: list[int] = []
        self._waiting: list[Row] = []
        #: Table, and the unfinished file.
        self._files: list[tuple[str, str]] = []
        # A folder of its own below DIR, which readers pass over because of its first letter.
        self._temporary = unfinished.name(path)
        try:
            os.makedirs(path, exist_ok=True)
            if os.path.islink(path):
                raise UsageError(f"{path}: a symbolic link; name the folder itself")
            unfinished.sweep(path)
            self._lock = unfinished.make_folder(self._temporary)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None

    def open(self, schema: Schema, query: str | None) -> None:
        """What follows are rows of this table."""
        try:
            self._close_table()
            columns = [c for c in schema.columns if c.name not in _FOLDERS]
            if query is not None and len(columns) < len(schema.columns):
                (taken, *_) = [c.name for c in schema.columns if c.name in _FOLDERS]
                raise UsageError(
                    f"--parquet: {taken} is a column of the folders; call that of "
                    f"{schema.name} something else"
                )
            self._places = [column.position for column in columns]
            self._arrow = pa.schema(
                [pa.field(c.name, _TYPES[c.type], metadata={"description": c.doc}) for c in columns]
            )
            file = os.path.join(self._temporary, f"{len(self._files)}.parquet")
            self._files.append((schema.name, file))
            self._writer = parquet.ParquetWriter(file, self._arrow, compression="zstd")
        except (OSError, pa.ArrowException) as error:
            raise self._failure(error) from None

    def write(self, rows: Sequence[Row]) -> None:
        """Some rows of the table."""
        self._waiting += rows
        if len(self._waiting) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        try:
            cells = list(zip(*rows))
            arrays = [
                _array(cells[place], field.type) for place, field in zip(self._places, self._arrow)
            ]
            table = pa.Table.from_arrays(arrays, schema=self._arrow)
            self._writer.write_table(table, row_group_size=_GROUP)
        except (OSError, pa.ArrowException) as error:
            raise self._failure(error) from None

    def _close_table(self) -> None:
        if self._writer is not None:
            self._flush()
            writer, self._writer = self._writer, None
            writer.close()

    def _failure(self, error: Exception) -> UsageError:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        return UsageError(f"{self._path}: {reason}")

    def finish(self, epoch: float, notices: Sequence[str]) -> None:
        """Describe the snapshot, and give all files their names."""
        self._facts = facts(self._host, epoch)
        schema, _ = OWN["snapshots"]
        row = {
            **self._facts,
            "id": None,  # of a file
            "notices": json.dumps(list(notices), ensure_ascii=False),
            "duration": time() - self._started,
        }
        self.open(schema, None)
        self.write([tuple([row[column.name] for column in schema.columns])])
        try:
            self._close_table()
            self._place()
        except (OSError, pa.ArrowException) as error:
            raise self._failure(error) from None

    def _place(self) -> None:
        """Give the files their names; all of them, or none when one cannot have it."""
        number = os.urandom(6).hex()
        placed: list[str] = []
        try:
            for table, file in self._files:
                _sync(file)
                folder = os.path.join(self._path, *self._folders(table))
                os.makedirs(folder, exist_ok=True)
                placed.append(os.path.join(folder, f"part-{number}.parquet"))
                os.rename(file, placed[-1])
                _sync(folder)
        except BaseException:
            for path in placed:
                with suppress(OSError):
                    os.unlink(path)
                    os.removedirs(os.path.dirname(path))
            raise

    def _folders(self, table: str) -> tuple[str, str, str]:
        from urllib.parse import quote

        moment = str(self._facts["time"]).replace("-", "").replace(":", "")
        host = quote(str(self._facts["host"] or "unknown"), safe="")
        return quote(table, safe=" "), f"host={host}", f"time={moment}"

    def __enter__(self) -> ParquetFolder:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        import shutil

        self._waiting = []
        if self._writer is not None:
            self._writer.close()
        shutil.rmtree(self._temporary, ignore_errors=True)
        os.close(self._lock)


def _array(cells: Sequence[Value], type: Any) -> Any:
    try:
        return pa.array(cells, type)
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        # The result of a query may have numbers among its texts.
        return pa.array([None if cell is None else _text(cell) for cell in cells], type)


def _text(cell: Value) -> str:
    return cell.hex() if isinstance(cell, bytes) else str(cell)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
