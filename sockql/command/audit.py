"""``sockql audit``: the audits among the saved queries, on one snapshot of the host."""

from __future__ import annotations

import os
from contextlib import ExitStack
from time import perf_counter, time

from sockql.command.options import positive
from sockql.command.running import (
    open_engine,
    open_file,
    open_out,
    say,
    say_notices,
    write_json,
    write_rows,
)
from sockql.errors import Interrupted, ReaderGone, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.audit.baseline import Baseline
    from sockql.audit.choose import Chosen
    from sockql.audit.outcome import Report
    from sockql.audit.runner import Limits
    from sockql.command.options import Options
    from sockql.engine import Engine
    from sockql.render.output import Output


def run(options: Options) -> int:
    """Run the audits and report; the exit status.

    :raises UsageError: for audits that do not exist, files that cannot be read or written, and a
        baseline of other queries.
    """
    from sockql.audit.choose import choose
    from sockql.audit.outcome import Report

    if options.file is not None:
        raise UsageError("audit takes no -f; a query in a file is named by its path: ./NAME.sql")
    limits = _limits(options)
    fail_on = _fail_on(options)
    chosen = choose(options.arguments, tags=options.tags, severity=options.severity)
    baseline = _baseline(options, chosen)
    said = ""
    with ExitStack() as stack:
        files = _open_files(options, stack, baseline)
        # A report for programs may take the place of the one for people.
        printed = None if _printed(options) else stack.enter_context(open_out(options))
        engine = stack.enter_context(open_engine(options))
        if printed is not None and not files:
            engine.reader = printed.attend
        say_notices(chosen.notices)
        report = Report(engine.host.name, time(), engine.taken)
        report.fail_on, report.strict = fail_on, options.strict
        started = perf_counter()
        try:
            _audit(options, engine, chosen, report, baseline, limits)
        except ReaderGone:
            raise
        except (Interrupted, KeyboardInterrupt):
            report.seconds = perf_counter() - started
            if options.format is None and report.outcomes and printed is not None:
                _write(options, report, printed)
                say(f"interrupted after {len(report.outcomes)} of {len(chosen.queries)} audits")
            raise
        if baseline is not None:
            said = _settle(options, report, baseline, chosen)
        report.seconds = perf_counter() - started
        _write_files(report, files, baseline)
        if printed is not None:
            _write(options, report, printed)
    if said:  # now that it is in the file
        say(said)
    return report.status


def _audit(
    options: Options,
    engine: Engine,
    chosen: Chosen,
    report: Report,
    baseline: Baseline | None,
    limits: Limits,
) -> None:
    """Fill ``report`` with an outcome for each audit, as they come."""
    from sockql.audit import runner
    from sockql.audit.outcome import Outcome
    from sockql.command.progress import Progress
    from sockql.saved.query import AUDIT, Query

    for name, reason in chosen.broken:
        query = Query(name, "", "", title="A query file that cannot be used", kind=AUDIT)
        outcome = Outcome(query)
        outcome.error = reason
        report.outcomes.append(outcome)
    bound = runner.bindings(chosen.queries, options.parameters)
    with Progress(engine.host):
        for outcome in runner.run(engine, chosen.queries, bound, limits, baseline):
            report.outcomes.append(outcome)


def _settle(options: Options, report: Report, baseline: Baseline, chosen: Chosen) -> str:
    """Update the baseline, if it is to be, and note what of it is of no use any more.

    Returns what there is to say once the file is written.
    """
    from sockql.audit.baseline import changes
    from sockql.command.terminal import escape

    said = ""
    if baseline.updating:
        added = gone = 0
        for outcome in report.outcomes:
            more, less = baseline.update(outcome, options.reason or "")
            added, gone = added + more, gone + less
            baseline.apply(outcome)
        said = escape(f"{baseline.path}: {changes(added, gone)}")
    report.expired = baseline.expired(report.outcomes)
    report.unused = baseline.unused(report.outcomes)
    report.unknown = baseline.unknown(chosen.known)
    return said


# -- the command line ---------------------------------------------------------------------------


def _limits(options: Options) -> Limits:
    from sockql.audit.runner import Limits

    total = None if options.budget is None else positive("--budget", options.budget)
    return Limits(options.seconds, total)


def _fail_on(options: Options) -> int:
    """The least severity of a finding that fails, as an index of SEVERITIES."""
    from sockql.saved.query import SEVERITIES

    severity = options.fail_on or SEVERITIES[0]
    if severity not in SEVERITIES:
        raise UsageError(f"--fail-on {severity}: not one of {', '.join(SEVERITIES)}")
    return SEVERITIES.index(severity)


def _baseline(options: Options, chosen: Chosen) -> Baseline | None:
    from sockql.audit.baseline import Baseline
    from sockql.render.output import is_standard_output

    if options.baseline is None:
        for flag, given in (("--update-baseline", options.update_baseline),
                            ("--reason", options.reason is not None)):  # fmt: skip
            if given:
                raise UsageError(f"{flag}: of which baseline? --baseline FILE")
        return None
    if options.reason is not None and not options.update_baseline:
        raise UsageError("--reason goes with --update-baseline")
    if not options.baseline:
        raise UsageError("--baseline: the name of the file is empty")
    if is_standard_output(options.baseline):
        raise UsageError(f"--baseline {options.baseline}: a baseline is a file that is kept")
    updating = options.update_baseline
    if updating and not os.path.lexists(options.baseline):
        return Baseline(options.baseline, updating=True)
    baseline = Baseline.read(options.baseline, updating=updating)
    baseline.check(chosen.known)
    return baseline


def _open_files(options: Options, stack: ExitStack, baseline: Baseline | None) -> dict[str, Output]:
    """The files that reports go to, by what they are; each appears when all is done.

    :raises UsageError: for one that cannot be written, and one that is named twice.
    """
    named = {"junit": options.junit, "sarif": options.sarif}
    if baseline is not None and baseline.updating:
        named["baseline"] = baseline.path
    places: dict[str, str] = {}
    if options.output is not None:
        places[_place(options.output)] = "-o"
    elif options.format is not None:
        places["-"] = f"--{options.format}"
    if baseline is not None and not baseline.updating:
        # It is only read, but what accepts the known rows must not become a report of them.
        other = places.setdefault(_place(baseline.path), "--baseline")
        if other != "--baseline":
            raise UsageError(f"{baseline.path}: the file of --baseline and of {other}")
    files = {}
    for what, path in named.items():
        if path is None:
            continue
        other = places.setdefault(_place(path), f"--{what}")
        if other != f"--{what}":
            raise UsageError(f"{path}: the file of --{what} and of {other}")
        files[what] = stack.enter_context(open_file(options, path, f"--{what}"))
    return files


def _place(path: str) -> str:
    """Where ``path`` leads, ``-`` for standard output."""
    from sockql.render.output import is_standard_output

    return "-" if is_standard_output(path) else os.path.realpath(path)


def _printed(options: Options) -> bool:
    """Whether a report for programs goes to standard output, in place of the one for people."""
    reports = [path for path in (options.junit, options.sarif) if path]
    return options.output is None and "-" in map(_place, reports)


# -- writing it ---------------------------------------------------------------------------------


def _write(options: Options, report: Report, out: Output) -> None:
    from sockql.audit import documents, text

    if options.format is None:
        from sockql.command.terminal import columns
        from sockql.shell.terminal import colourful

        room = columns(1) if out.terminal else None
        out.write(text.people(report, colours=out.terminal and colourful(1), room=room))
    elif options.format == "json":
        write_json(documents.data(report), out)
    elif options.format == "markdown":
        out.write(text.markdown(report))
    else:
        write_rows(options, text.COLUMNS, text.rows(report), out)


def _write_files(report: Report, files: dict[str, Output], baseline: Baseline | None) -> None:
    """Write and close the files, before a reader of the report may have had enough (``| head``)."""
    if "junit" in files:
        from sockql.audit import junit

        files["junit"].write(junit.document(report))
    if "sarif" in files:
        from sockql.audit import sarif

        files["sarif"].write(sarif.document(report))
    if "baseline" in files:
        assert baseline is not None
        files["baseline"].write(baseline.text())
    for file in files.values():
        file.finish()
