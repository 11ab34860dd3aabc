"""``sockql watch "SQL"``: a statement again and again, and what changes."""

from __future__ import annotations

from sockql.command.running import check_bindings, open_engine, say, sql_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.command.options import Options


def run(options: Options) -> int:
    """Watch until the user has seen enough; the exit status."""
    from sockql.watch import rounds

    sql = sql_of(options)
    if options.bindings:
        check_bindings(options.bindings, sql)
    with open_engine(options) as engine:
        engine.timeout = options.seconds
        return rounds.run(options, engine, sql, say)
