"""``sockql watch "SQL"``: a statement again and again, and what changes."""

from __future__ import annotations

import gc

from sockql.command.running import check_bindings, open_engine, say, sql_of
from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.command.options import Options


def run(options: Options) -> int:
    """Watch until the user has seen enough; the exit status."""
    from sockql.watch import rounds

    if options.archive is not None:
        raise UsageError("--from reads a file, in which nothing changes: there is nothing to watch")
    sql = sql_of(options)
    if options.bindings:
        check_bindings(options.bindings, sql)
    gc.enable()
    with open_engine(options) as engine:
        engine.timeout = options.seconds
        return rounds.run(options, engine, sql, say)
