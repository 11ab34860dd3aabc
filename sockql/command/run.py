"""``sockql run NAME``: the rows of a saved query."""

from __future__ import annotations

from sockql.command.query import results
from sockql.command.running import respond, say_notices
from sockql.errors import QueryError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.command.options import Options
    from sockql.engine import Engine
    from sockql.render.output import Output


def run(options: Options) -> int:
    """Write the rows of a saved query; the exit status.

    :raises UsageError: when there is no such query, or it cannot be run with these parameters.
    """
    from sockql.saved.binding import bind
    from sockql.saved.library import Library
    from sockql.saved.tables import Tables

    if options.file is not None:
        raise UsageError("run takes no -f; a query in a file is named by its path: ./NAME.sql")
    if not options.arguments:
        raise UsageError("run: which query? sockql queries lists them")
    library = Library()
    query = library.find(options.arguments[0])
    say_notices(library.notices)
    binding = bind(query, options.parameters)

    def write(engine: Engine, out: Output) -> None:
        with Tables(engine, query, binding):
            try:
                results(options, engine, query.sql, out, binding.values)
            except QueryError as error:
                from sockql.saved.check import problem

                raise problem(query, error).error() from None

    seconds = options.seconds
    return respond(options, query.timeout if seconds is None else seconds, write)
