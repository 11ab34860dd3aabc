"""``sockql "SQL"``: the rows of each statement."""

from __future__ import annotations

from sockql.command.running import Alarm, answer, say, sql_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sockql.command.options import Options
    from sockql.engine import Engine
    from sockql.render.output import Output
    from sockql.render.writers import Row
    from sockql.schema import Value


def run(options: Options) -> int:
    """Write the rows of each statement; the exit status."""
    sql = sql_of(options)
    params = options.bindings
    return answer(options, sql, lambda engine, out: results(options, engine, sql, out, params))


def results(
    options: Options, engine: Engine, sql: str, out: Output, params: Mapping[str, Value]
) -> None:
    """Write the rows of each statement, with ``:name`` bound from ``params``."""
    from time import perf_counter

    from sockql.command.progress import Progress
    from sockql.command.terminal import counted
    from sockql.render.writers import render, writer_class

    format = writer_class(options.format or "table")
    results = engine.execute(sql, params)
    between = ""
    while True:
        started = perf_counter()
        with Alarm(engine.timeout), Progress(engine.host) as progress:
            result = next(results, None)
            if result is None:
                return
            found: Iterable[Row] = progress.until_rows(result) if out.terminal else result
            if result.columns:
                writer = format(result.columns, header=options.header, terminal=out.terminal)
                count = render(writer, found, out, between)
                between = writer.between
            else:
                count = sum(1 for _ in found)
        if options.timing:
            say(f"{counted(count, 'row')} in {perf_counter() - started:.3f} s")
