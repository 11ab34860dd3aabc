"""The layout of a snapshot file: an SQLite database that says of itself what is in it.

``snapshots`` has a row for each snapshot, ``snapshot_tables`` one for each table of each,
``snapshot_columns`` one for each column.  All other tables have the names and columns that they
have in sockql, hidden ones too, after a column ``snapshot``.
"""

from __future__ import annotations

from typing import Final

from sockql.errors import UsageError
from sockql.loading.databases import examine
from sockql.schema import Declared, integer, real, text

#: PRAGMA application_id: "sock".
APPLICATION: Final = 0x736F636B
#: PRAGMA user_version: raised when older versions could not read the file any more.
FORMAT: Final = 1

#: The type of a column of a result in which there is no value: whatever comes later stays as it is.
UNTYPED: Final = ""

_FILE: Final = "the snapshot"


class Snapshots(Declared):
    """Snapshots in the file, one row for each."""

    id = integer("Number of the snapshot in its file.", source=_FILE)
    time = text("When it was taken, in UTC.", source="clock_gettime(2)")
    epoch = real("When it was taken.", source="clock_gettime(2)", unit="seconds since the epoch")
    host = text("Name of the host; NULL when it cannot be read.", source="sys/kernel/hostname")
    boot_id = text(
        "What tells this run of the kernel from others: numbers of processes, inodes and cookies "
        "mean the same things only within one. NULL when it cannot be read.",
        source="sys/kernel/random/boot_id",
    )
    kernel = text(
        "Release of the kernel; NULL when it cannot be read.", source="sys/kernel/osrelease"
    )
    procfs = text("The procfs that was read.", source="--proc")
    netns_scope = text("The network namespaces that were looked into.", source="--netns")
    uid = integer("User who took it.", source="geteuid(2)")
    capabilities = text(
        "Effective capabilities of whoever took it, a bit mask in hexadecimal; NULL when it cannot "
        "be read.",
        source="/proc/self/status CapEff",
    )
    notices = text("What could not be seen, a JSON array of texts.", source=_FILE)
    duration = real("How long it took to collect and write.", source=_FILE, unit="seconds")
    version = text("Version of sockql.", source="sockql --version")


class SnapshotTables(Declared):
    """Tables of each snapshot, one row for each."""

    snapshot = integer("The snapshot.", source="snapshots.id")
    table_name = text("Name of the table.", source=_FILE)
    row_count = integer("Number of its rows.", source=_FILE)
    captured = text("Names of the columns that were captured, a JSON array.", source=_FILE)
    query = text("The SQL whose result it is; NULL for a table of sockql.", source="--sql")
    description = text("What a row of it is.", source="sockql schema")


class SnapshotColumns(Declared):
    """Columns of the tables in the file, one row for each, as the newest snapshot has them."""

    table_name = text("Name of the table.", source=_FILE)
    column_name = text("Name of the column.", source=_FILE)
    position = integer("Place of the column in its table in sockql, from 0.", source=_FILE)
    type = text(
        "INTEGER, REAL, TEXT or BLOB; empty for a column of a result that had no value at first.",
        source="sockql schema",
    )
    hidden = integer("1 when select * leaves the column out, else 0.", source="sockql schema")
    nocase = integer("1 when its texts are compared without case, else 0.", source="sockql schema")
    unit = text("Unit of a number; NULL for none.", source="sockql schema")
    source = text("Name under which the kernel or proc(5) has the value.", source="sockql schema")
    description = text("What a cell of it means.", source="sockql schema")


#: The tables that a file has beside those that were captured, and their keys.
OWN: Final = {
    "snapshots": (Snapshots.schema, ("id",)),
    "snapshot_tables": (SnapshotTables.schema, ("snapshot", "table_name")),
    "snapshot_columns": (SnapshotColumns.schema, ("table_name", "column_name")),
}


def identify(path: str) -> None:
    """Make sure that ``path`` is a snapshot file which this version understands.

    :raises UsageError: when it is not.
    """
    header = examine(path)
    # https://www.sqlite.org/fileformat2.html, section 1.3: 68, application_id; 60, user_version.
    if int.from_bytes(header[68:72], "big") != APPLICATION:
        raise UsageError(
            f"{path}: a database, but no snapshot of sockql; --attach NAME={path} reads its tables"
        )
    version = int.from_bytes(header[60:64], "big")
    if version > FORMAT:
        raise UsageError(
            f"{path}: written by a newer sockql, in format {version}; this one reads {FORMAT}"
        )
