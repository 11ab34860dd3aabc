"""``sockql plan "SQL"``: what a statement asks of the kernel, and what that costs."""

from __future__ import annotations

from sockql.command.running import Alarm, answer, sql_of, write_json, write_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.command.options import Options
    from sockql.engine import Engine
    from sockql.render.output import Output


def run(options: Options) -> int:
    """Run the statement, throw its rows away and write how they came; the exit status."""
    sql = sql_of(options)
    return answer(options, sql, lambda engine, out: _plan(options, engine, sql, out))


def _plan(options: Options, engine: Engine, sql: str, out: Output) -> None:
    from sockql.command import describe
    from sockql.command.progress import Progress
    from sockql.command.terminal import columns

    with Alarm(engine.timeout), Progress(engine.host):
        plan = engine.plan(sql, options.bindings)
    if options.format is None:
        out.write(describe.plan_text(plan, columns(1) if out.terminal else None))
    elif options.format == "json":
        write_json(describe.plan_data(plan), out)
    else:
        write_rows(options, describe.PLAN_COLUMNS, describe.plan_rows(plan), out)
