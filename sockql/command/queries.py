"""``sockql queries``: the saved queries, what each is for, and what is wrong with them."""

from __future__ import annotations

from sockql.command.running import open_engine, open_out, say, say_notices, write_json, write_rows
from sockql.command.terminal import columns, counted, escape
from sockql.command.wrapping import reading_columns
from sockql.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockql.command.options import Options


def run(options: Options) -> int:
    """List the queries, or ``show`` or ``check`` some; the exit status.

    :raises UsageError: for a query that does not exist, and wrong usage.
    """
    if options.file is not None or options.parameters:
        raise UsageError("queries takes no SQL and no parameters; sockql run NAME does")
    if not options.arguments:
        return _list(options)
    action, *names = options.arguments
    if options.tags or options.severity is not None or options.search is not None:
        raise UsageError(f"--tag, --severity and --search are for the list, not for {action}")
    if action == "show":
        return _show(options, names)
    if action == "check":
        return _check(options, names)
    raise UsageError(f"queries {action}: show or check? sockql queries --search {action} finds")


def _list(options: Options) -> int:
    from sockql.saved import describe
    from sockql.saved.library import Library, selected

    library = Library()
    queries = selected(
        library.all(),
        tags=options.tags,
        severity=options.severity,
        words=options.search or "",
    )
    with open_out(options) as out:
        if options.format == "json":
            write_json(list(map(describe.data, queries)), out)
        elif options.format is None:
            room = columns(1) if out.terminal else None
            write_rows(options, *describe.listed(queries, room), out)
            if not queries:
                say("no saved query has that tag, is so severe and speaks of all these words")
        else:
            write_rows(options, describe.COLUMNS, map(describe.row, queries), out)
    say_notices(library.notices)
    return 0


def _show(options: Options, names: Sequence[str]) -> int:
    from sockql.saved import describe
    from sockql.saved.library import Library

    if not names:
        raise UsageError("queries show: which query? sockql queries lists them")
    library = Library()
    queries = [library.find(name) for name in names]
    with open_out(options) as out:
        if options.format is None:
            text = "\n".join(describe.text(query, reading_columns(1)) for query in queries)
            out.write("".join(f"{escape(line)}\n" for line in text.split("\n")[:-1]))
        elif options.format == "json":
            write_json([{**describe.data(query), "sql": query.sql} for query in queries], out)
        else:
            rows = [(*describe.row(query), query.sql) for query in queries]
            write_rows(options, (*describe.COLUMNS, "sql"), rows, out)
    say_notices(library.notices)
    return 0


def _check(options: Options, paths: Sequence[str]) -> int:
    """Check the queries in files and directories, or all that have a name; 2 if one is wrong."""
    from sockql.command.diagnose import pointer
    from sockql.saved.check import check_files
    from sockql.saved.library import Library, files_in

    library = Library()
    files = files_in(paths, library) if paths else library.used()
    with open_out(options) as out, open_engine(options) as engine:
        problems = check_files(engine, files)
        if options.format is not None:
            rows = [(problem.path, problem.line, problem.text) for problem in problems]
            write_rows(options, ("file", "line", "problem"), rows, out)
        else:
            for problem in problems:
                lines = [escape(str(problem))]
                if problem.offset is not None:
                    lines += pointer(problem.sql, problem.offset, columns(1))
                out.write("".join(f"{line}\n" for line in lines))
    say_notices(library.notices)
    say(f"{counted(len(files), 'query', 'queries')}, {counted(len(problems), 'problem')}")
    return 2 if problems else 0
