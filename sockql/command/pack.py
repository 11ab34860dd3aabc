"""``sockql pack FILE``: the queries of a pack, those that are for this host run, the others named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockql.command.running import Alarm, Telling, open_engine, open_out, say, write_rows
from sockql.command.terminal import counted, escape, escape_json, width
from sockql.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, Final

    from sockql.command.options import Options
    from sockql.engine import Engine
    from sockql.osquery.packs.pack import PackFile
    from sockql.osquery.packs.running import Outcome
    from sockql.render.output import Output

#: What the summary has of each query.
COLUMNS: Final = ("pack", "query", "result", "rows", "seconds", "why")


def run(options: Options) -> int:
    """Run the pack, or one query of it; the exit status.

    :raises UsageError: when the file is no pack, or has no such query.
    """
    from sockql.osquery.packs.config import read

    if options.file is not None or options.parameters:
        raise UsageError("pack takes no -f and no parameters; sockql pack FILE")
    if not options.arguments:
        raise UsageError("pack: which file? sockql pack FILE")
    file = read(options.arguments[0])
    options.osquery = True
    seconds = options.seconds
    with (
        open_out(options) as out,
        open_engine(options) as engine,
        Telling(lambda: [*file.mistakes, *file.notices, *engine.notices]),
    ):
        engine.timeout = seconds
        engine.reader = out.attend
        if options.query is not None:
            status = _one(options, engine, file, options.query, out)
        else:
            status = _all(options, engine, file, out)
        if options.strict and engine.notices and status == 0:
            return 3
        return status


class _Limited:
    """The limit of time of a query, and its line on the terminal."""

    def __init__(self, engine: Engine) -> None:
        from sockql.command.progress import Progress

        self._alarm = Alarm(engine.timeout)
        self._progress = Progress(engine.host)

    def __enter__(self) -> None:
        self._alarm.__enter__()
        self._progress.__enter__()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._progress.__exit__(kind)
        self._alarm.__exit__()


# -- one query ----------------------------------------------------------------------------------


def _one(options: Options, engine: Engine, file: PackFile, name: str, out: Output) -> int:
    """The rows of one query, as ``sockql --osquery`` would write them."""
    from sockql.osquery.packs import running

    pack, query = running.find(file, name)
    running.make_views(engine, file)
    reason = running.not_here(engine, pack, lambda: _Limited(engine))
    found = running.outcome(engine, pack, query, reason, lambda: _Limited(engine))
    if found.error is not None:
        raise found.error
    if found.reason is not None:
        say(escape(f"{name}: {found.reason}"))
        return found.status or 3
    write_rows(options, found.columns, found.rows, out)
    if query.policy:
        say(escape(f"{query.name}: {_verdict(found)}"))
    _say_timing(options, found)
    return found.status


# -- all of them --------------------------------------------------------------------------------


def _all(options: Options, engine: Engine, file: PackFile, out: Output) -> int:
    from sockql.osquery.packs import running

    def limited() -> _Limited:
        return _Limited(engine)

    found: list[Outcome] = []

    def each() -> Iterator[Outcome]:
        for outcome in running.outcomes(engine, file, limited):
            found.append(outcome)
            _say_timing(options, outcome)
            yield outcome

    running.make_views(engine, file)
    if options.format in ("json", "jsonl"):
        _write_json(options, running.decorations(engine, file, limited), each(), out)
    elif options.format in (None, "table"):
        _write_text(options, each(), out)
    else:
        write_rows(options, COLUMNS, map(_summary, each()), out)
    return running.worst(file, found, strict=options.strict)


def _say_timing(options: Options, outcome: Outcome) -> None:
    if options.timing and outcome.seconds is not None:
        rows = counted(len(outcome.rows), "row")
        say(escape(f"{outcome.query.name}: {rows} in {outcome.seconds:.3f} s"))


def _summary(outcome: Outcome) -> tuple[Any, ...]:
    """What came of a query, as :data:`COLUMNS` names the cells."""
    ran = outcome.seconds is not None
    return (
        outcome.pack.name,
        outcome.query.name,
        outcome.result,
        len(outcome.rows) if ran else None,
        round(outcome.seconds, 3) if outcome.seconds is not None else None,
        "; ".join(outcome.notices) or None if ran else outcome.reason,
    )


def _verdict(outcome: Outcome) -> str:
    """What came of a query, in words."""
    from sockql.osquery.packs import running

    if outcome.reason is not None:
        return f"{outcome.result}: {outcome.reason}"
    # What could not be read is said at the end.
    partly = ", incomplete" if outcome.notices else ""
    if outcome.result == running.RAN:
        return f"{counted(len(outcome.rows), 'row')} in {outcome.seconds or 0:.3f} s{partly}"
    if outcome.result == running.FAILED:
        failed = ("failed (critical)" if outcome.query.critical else "failed") + partly
        resolution = " ".join(outcome.query.resolution.split())
        return f"{failed}; {resolution}" if resolution else failed
    return outcome.result + partly


def _write_text(options: Options, outcomes: Iterable[Outcome], out: Output) -> None:
    """The rows of each query that has some, then a line for each query and what came of it."""
    from sockql.osquery.packs.running import RAN

    listed = []
    try:
        for outcome in outcomes:
            listed.append(outcome)
            if outcome.result == RAN and outcome.rows:
                title = escape(f"{outcome.pack.name}: {outcome.query.name}")
                about = escape(" ".join(outcome.query.description.split()))
                out.write(f"{title}\n{about}\n\n" if about else f"{title}\n\n")
                write_rows(options, outcome.columns, outcome.rows, out)
                out.write("\n")
    finally:  # also when the user has had enough
        out.write("".join([f"{line}\n" for line in _listing(listed)]))


def _listing(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line for each query, those of a pack below its name, and how many came to what."""
    from collections import Counter
    from itertools import groupby

    for _, pack in groupby(outcomes, key=lambda outcome: id(outcome.pack)):
        queries = [(escape(outcome.query.name), outcome) for outcome in pack]
        yield escape(queries[0][1].pack.name)
        widest = max(width(name) for name, _ in queries)
        for name, outcome in queries:
            yield f"  {name}{' ' * (widest - width(name))}  {escape(_verdict(outcome))}"
        yield ""
    counts = Counter(outcome.result for outcome in outcomes)
    parts = [f"{count:,} {result}" for result, count in counts.items()]
    every = counted(len(outcomes), "query", "queries")
    yield f"{every}{': ' if parts else ''}{', '.join(parts)}"


def _write_json(
    options: Options, decorations: dict[str, Any], outcomes: Iterable[Outcome], out: Output
) -> None:
    """An object for each query: in an array, or each on a line of its own."""
    first, between, last = ("[\n", ",\n", "\n]\n") if options.format == "json" else ("", "\n", "\n")
    count = 0
    for outcome in outcomes:
        text = _object(outcome, decorations)
        out.write((between if count else first) + (escape_json(text) if out.terminal else text))
        count += 1
    if count:
        out.write(last)
    elif options.format == "json":
        out.write("[]\n")


def _object(outcome: Outcome, decorations: dict[str, Any]) -> str:
    from json import dumps

    from sockql.render.json_writers import JsonLines

    def spelled(columns: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> list[str]:
        """Rows as the JSON of every result has them: numbers are numbers, bytes hexadecimal."""
        writer = JsonLines(tuple(columns), header=True, terminal=False)
        return [writer.body([row]).rstrip("\n") for row in rows]

    query = outcome.query
    about = {
        "pack": outcome.pack.name,
        "query": query.name,
        "name": query.scheduled,
        "description": query.description,
        "policy": query.policy,
        "critical": query.critical,
        "resolution": query.resolution,
        "sql": query.sql,
        "where": query.where,
        "result": outcome.result,
        "why": outcome.reason,
        "seconds": outcome.seconds and round(outcome.seconds, 6),
        "notices": outcome.notices,
        "columns": outcome.columns,
    }
    text = dumps(about, ensure_ascii=False)[:-1]
    (decorated,) = spelled(decorations, [tuple(decorations.values())])
    rows = ", ".join(spelled(outcome.columns, outcome.rows))
    return f'{text}, "decorations": {decorated}, "rows": [{rows}]}}'
