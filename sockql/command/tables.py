"""``sockql tables`` and ``sockql schema``: the declarations, without a look at the machine."""

from __future__ import annotations

from sockql.command.running import open_out, write_json, write_rows
from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.command.options import Options


def run(options: Options) -> int:
    """Write what the declarations say; the exit status.

    :raises UsageError: for a table that does not exist.
    """
    from sockql.command import describe
    from sockql.command.wrapping import listing, reading_columns

    command, names = options.words[0], options.arguments
    if options.file is not None or options.parameters:
        raise UsageError(f"{command} takes no SQL and no parameters")
    dialect = options.dialect
    for name in names:
        if name not in dialect:
            from difflib import get_close_matches

            close = get_close_matches(name.lower(), dialect.names, 1)
            meant = f"; did you mean `{close[0]}`?" if close else ""
            raise UsageError(f"no such table: {name}{meant}")
    schemas = [dialect.load(name).schema for name in names or dialect.names]
    with open_out(options) as out:
        if command == "tables" and options.format is None and out.terminal:
            lines = listing(describe.tables_rows(schemas), reading_columns(1))
            out.write("".join([f"{line}\n" for line in lines]))
        elif command == "tables":
            rows = describe.tables_rows(schemas)
            write_rows(options, describe.TABLES_COLUMNS, rows, out)
        elif options.format is None:
            room = reading_columns(1) if out.terminal else None
            out.write(describe.schema_text(schemas, room))
        elif options.format == "json":
            write_json(describe.schema_data(schemas), out)
        else:
            rows = describe.schema_rows(schemas)
            write_rows(options, describe.SCHEMA_COLUMNS, rows, out)
    return 0
