"""``sockql audit``: the audits among the saved queries, on one snapshot of the host."""

from __future__ import annotations

import os
from contextlib import ExitStack
from time import perf_counter, time

from sockql.command.options import positive
from sockql.command.running import (
    open_engine,
    open_out,
    say,
    unwind_when_terminated,
    write_json,
    write_rows,
)
from sockql.errors import Interrupted, UsageError

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
    from sockql.command.terminal import escape

    if options.file is not None:
        raise UsageError("audit takes no -f; a query in a file is named by its path: ./NAME.sql")
    limits = _limits(options)
    fail_on = _fail_on(options)
    chosen = choose(options.arguments, tags=options.tags, severity=options.severity)
    baseline = _baseline(options, chosen)
    with ExitStack() as stack:
        out = stack.enter_context(open_out(options))
        files = _open_files(options, stack, baseline)
        engine = stack.enter_context(open_engine(options))
        for notice in chosen.notices:
            say(escape(notice))
        report = Report(engine.host.name, time())
        report.fail_on, report.strict = fail_on, options.strict
        started = perf_counter()
        try:
            _audit(options, engine, chosen, report, baseline, limits)
        except (Interrupted, KeyboardInterrupt):
            report.seconds = perf_counter() - started
            if options.format is None and report.outcomes:
                _write(options, report, out)
                say(f"interrupted after {len(report.outcomes)} of {len(chosen.queries)} audits")
            raise
        if baseline is not None:
            _settle(options, report, baseline)
        report.seconds = perf_counter() - started
        _write(options, report, out)
        _write_files(report, files, baseline)
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


def _settle(options: Options, report: Report, baseline: Baseline) -> None:
    """Update the baseline, if it is to be, and note what of it is of no use any more."""
    from sockql.audit.baseline import changes

    if baseline.updating:
        added = gone = 0
        for outcome in report.outcomes:
            more, less = baseline.update(outcome, options.reason or "")
            added, gone = added + more, gone + less
            baseline.apply(outcome)
        say(f"{baseline.path}: {changes(added, gone)}")
    report.expired = baseline.expired(report.outcomes)
    report.unused = baseline.unused(report.outcomes)


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

    if options.baseline is None:
        for flag, given in (("--update-baseline", options.update_baseline),
                            ("--reason", options.reason is not None)):  # fmt: skip
            if given:
                raise UsageError(f"{flag}: of which baseline? --baseline FILE")
        return None
    if options.reason is not None and not options.update_baseline:
        raise UsageError("--reason goes with --update-baseline")
    updating = options.update_baseline
    if updating and not os.path.lexists(options.baseline):
        return Baseline(options.baseline, updating=True)
    baseline = Baseline.read(options.baseline, updating=updating)
    baseline.check([query.name for query in chosen.queries], chosen.known)
    return baseline


def _open_files(options: Options, stack: ExitStack, baseline: Baseline | None) -> dict[str, Output]:
    """The files that reports go to, by what they are; each appears when all is done.

    :raises UsageError: for one that cannot be written, and one that is named twice.
    """
    from sockql.render.output import open_output

    named = {"junit": options.junit, "sarif": options.sarif}
    if baseline is not None and baseline.updating:
        named["baseline"] = baseline.path
    places: dict[str, str] = {}
    if options.output is not None:
        places[os.path.realpath(options.output)] = "-o"
    if baseline is not None and not baseline.updating:
        # It is only read, but what accepts the known rows must not become a report of them.
        other = places.setdefault(os.path.realpath(baseline.path), "--baseline")
        if other != "--baseline":
            raise UsageError(f"{baseline.path}: the file of --baseline and of {other}")
    files = {}
    for what, path in named.items():
        if path is None:
            continue
        if not path.startswith("/dev/") and os.path.islink(path):
            # Somebody else may have laid it there.
            raise UsageError(f"{path}: a symbolic link; name the file that --{what} is to write")
        other = places.setdefault(os.path.realpath(path), f"--{what}")
        if other != f"--{what}":
            raise UsageError(f"{path}: the file of --{what} and of {other}")
        unwind_when_terminated()
        files[what] = stack.enter_context(open_output(path))
    return files


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
    if "junit" in files:
        from sockql.audit import junit

        files["junit"].write(junit.document(report))
    if "sarif" in files:
        from sockql.audit import sarif

        files["sarif"].write(sarif.document(report))
    if "baseline" in files:
        assert baseline is not None
        files["baseline"].write(baseline.text())
