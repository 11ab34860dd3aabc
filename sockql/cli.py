"""The command: from the words of the command line to the exit status.

Modules are imported where they are used: a query should cost little more than the interpreter.
"""

from __future__ import annotations

import os
import sys

from sockql.command.options import parse
from sockql.errors import DataError, SockqlError, TimeoutExpired, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable, Sequence
    from types import FrameType
    from typing import Final, NoReturn

    from sockql.command.options import Options
    from sockql.engine import Engine
    from sockql.render.output import Output
    from sockql.render.writers import Row
else:
    # The C module: signal itself imports enum, which costs a third of the interpreter's start.
    import _signal as signal

#: What a shell reports of a program that SIGPIPE ended, as it ends ``ls | head``.
BROKEN_PIPE: Final = 128 + signal.SIGPIPE


def run() -> NoReturn:
    """The command as a process: :func:`main`, and an end without ceremony.

    Taking the interpreter and SQLite to pieces takes 3 ms, and far longer after a large result;
    the kernel does it at once.
    """
    status = main()
    if sys.flags.dev_mode or sys.gettrace() is not None:
        sys.exit(status)  # somebody watches the end as well
    os._exit(status)  # what was written has been written: no buffer is left to flush


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; ``arguments`` are the words after its name.  Returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    _occupy()
    try:
        return _run(words)
    except BrokenPipeError:
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return _fail("interrupted", 130, words)
    except SockqlError as error:
        from sockql.command.diagnose import report
        from sockql.command.terminal import columns

        return _fail(report(error, columns(2)), error.status, words)
    except MemoryError:
        return _fail("out of memory", 3, words)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return _fail(f"{name}{error.strerror or error}", 3, words)
    except Exception as error:  # noqa: BLE001  a bug, but the user gets a line all the same
        what = f"{type(error).__name__}: {error}"
        return _fail(f"internal error: {what} (--debug shows where)", 3, words)


def _occupy() -> None:
    """Fill closed standard descriptors, or the next file would become standard output."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:
            os.open(os.devnull, os.O_RDWR)


def _say(text: str) -> None:
    """A line on standard error, if there is one."""
    try:
        sys.stderr.write(f"sockql: {text}\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        return  # closed or full: there is nobody else to tell


def _fail(text: str, status: int, words: Sequence[str]) -> int:
    """Say why, with the traceback of the current exception if ``--debug`` is among the words."""
    if "--debug" in words:
        import traceback

        traceback.print_exc()
    _say(text)
    return status


def _run(words: Sequence[str]) -> int:
    options = parse(words)
    if options.help or options.version:
        return _tell(options)
    command = options.command
    arguments = options.arguments
    name = command.name if command is not None else ""
    if name != "watch":
        _refuse_watching(options)
    if name == "completion":
        return _completion(options, arguments)
    if command is not None and not command.sql:
        return _describe(options, name, arguments)
    if not arguments and options.file is None and sys.stdin is not None and os.isatty(0):
        if command is not None:
            raise UsageError(f"{name}: which SQL? sockql {name} {command.metavar}")
        if sys.stdout is None or not os.isatty(1):
            return _tell(options)
        from sockql.shell import session as shell

        return shell.run(options)
    sql = _sql(options)
    return _watch(options, sql) if name == "watch" else _query(options, sql, planning=bool(name))


def _refuse_watching(options: Options) -> None:
    for flag, given in (("--interval", options.interval), ("--count", options.count)):
        if given is not None:
            raise UsageError(f"{flag} is an option of sockql watch")


def _tell(options: Options) -> int:
    """The version or the help."""
    from sockql.render.output import standard_output

    if options.version and not options.help:
        from sockql import __version__

        text = f"sockql {__version__}\n"
    else:
        from sockql.command.option_parser import build_parser

        text = build_parser().format_help()
    standard_output().write(text)
    return 0


def _completion(options: Options, arguments: Sequence[str]) -> int:
    """``completion``: the code for a shell."""
    from sockql.command.completion_script import script
    from sockql.command.options import SHELLS

    if not arguments:
        raise UsageError(f"completion: for which shell? {', '.join(SHELLS)}")
    text = script(arguments[0])
    with _open(options) as out:
        out.write(text)
    return 0


# -- what to run --------------------------------------------------------------------------------


def _sql(options: Options) -> str:
    """The SQL: an argument, the file of ``-f``, or standard input.

    :raises UsageError: when there is none, or it cannot be read.
    """
    from sockql.command.options import text

    arguments = options.arguments
    if options.file is not None:
        if arguments:
            raise UsageError("there is SQL as an argument and in -f; give one of them")
        sql = _read(options.file)
    elif arguments and arguments[0] != "-":
        sql = text(arguments[0])
    else:
        sql = _read("-")
    if not sql.strip():
        raise UsageError("no SQL; give it as an argument, with -f FILE or on standard input")
    if "\0" in sql:
        raise UsageError("the SQL has a NUL character in it")
    return sql


def _read(path: str) -> str:
    name = "standard input" if path == "-" else path
    try:
        with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
            data = file.read()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 text at byte {error.start}") from None


def _check_bindings(names: Iterable[str], sql: str) -> None:
    """Refuse ``-p`` for parameters that the SQL does not have."""
    from sockql.sqltext import tokens

    there = {token[1:] for _, token in tokens(sql) if token[0] in ":@$?"}
    for name in names:
        if name not in there:
            has = ", ".join(f":{name}" for name in sorted(there)) or "none"
            raise UsageError(f"-p {name}: the SQL has no parameter :{name}; its parameters: {has}")


def _engine(options: Options) -> Engine:
    from sockql.engine import Engine
    from sockql.host import Host

    proc, scope = options.proc, options.netns or ""
    if proc is None:
        return Engine(Host(scope=scope))
    try:
        if not any(map(str.isdigit, os.listdir(proc))):
            raise DataError(f"--proc {proc}: no processes there; is it a mounted procfs?")
    except OSError as error:
        raise DataError(f"--proc {proc}: {error.strerror}") from None
    return Engine(Host(proc, scope=scope))


# -- running it ---------------------------------------------------------------------------------


def _query(options: Options, sql: str, *, planning: bool) -> int:
    bindings = options.bindings
    if bindings:
        _check_bindings(bindings, sql)
    seconds = options.seconds
    with _open(options) as out, _engine(options) as engine:
        engine.timeout = seconds
        try:
            (_plan if planning else _results)(options, engine, sql, out)
        except SockqlError:
            _say_notices(engine)
            raise
        _say_notices(engine)
        return 3 if options.strict and engine.notices else 0


def _watch(options: Options, sql: str) -> int:
    from sockql.watch.rounds import run

    if options.bindings:
        _check_bindings(options.bindings, sql)
    with _engine(options) as engine:
        engine.timeout = options.seconds
        return run(options, engine, sql, _say)


def _say_notices(engine: Engine) -> None:
    from sockql.command.terminal import escape

    for notice in engine.notices:
        _say(escape(notice))


def _results(options: Options, engine: Engine, sql: str, out: Output) -> None:
    """Write the rows of each statement."""
    from time import perf_counter

    from sockql.command.progress import Progress
    from sockql.render.writers import render, writer_class

    format = writer_class(options.format or "table")
    results = engine.execute(sql, options.bindings)
    between = ""
    while True:
        started = perf_counter()
        with _Alarm(engine.timeout), Progress(engine.host) as progress:
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
            rows = "row" if count == 1 else "rows"
            _say(f"{count:,} {rows} in {perf_counter() - started:.3f} s")


def _plan(options: Options, engine: Engine, sql: str, out: Output) -> None:
    from sockql.command import describe
    from sockql.command.progress import Progress

    with _Alarm(engine.timeout), Progress(engine.host):
        plan = engine.plan(sql, options.bindings)
    if options.format is None:
        out.write(describe.plan_text(plan))
    elif options.format == "json":
        _write_json(describe.plan_data(plan), out)
    else:
        _write_rows(options, describe.PLAN_COLUMNS, describe.plan_rows(plan), out)


def _describe(options: Options, command: str, names: Sequence[str]) -> int:
    """``tables`` and ``schema``, which look at the declarations only."""
    from sockql import tables
    from sockql.command import describe

    if options.file is not None or options.parameters:
        raise UsageError(f"{command} takes no SQL and no parameters")
    for name in names:
        if name not in tables.NAMES:
            from difflib import get_close_matches

            close = get_close_matches(name.lower(), tables.NAMES, 1)
            meant = f"; did you mean `{close[0]}`?" if close else ""
            raise UsageError(f"no such table: {name}{meant}")
    schemas = [tables.load(name).schema for name in names or tables.NAMES]
    with _open(options) as out:
        if command == "tables":
            rows = describe.tables_rows(schemas)
            _write_rows(options, describe.TABLES_COLUMNS, rows, out)
        elif options.format is None:
            out.write(describe.schema_text(schemas))
        elif options.format == "json":
            _write_json(describe.schema_data(schemas), out)
        else:
            rows = describe.schema_rows(schemas)
            _write_rows(options, describe.SCHEMA_COLUMNS, rows, out)
    return 0


def _write_rows(options: Options, columns: Sequence[str], rows: Iterable[Row], out: Output) -> None:
    from sockql.render.writers import render, writer_class

    writer = writer_class(options.format or "table")
    render(writer(columns, header=options.header, terminal=out.terminal), rows, out)


def _write_json(data: object, out: Output) -> None:
    from json import dumps

    from sockql.command.terminal import escape_json

    text = dumps(data, ensure_ascii=False, indent=2) + "\n"
    out.write(escape_json(text) if out.terminal else text)


def _open(options: Options) -> Output:
    from sockql.render.output import open_output, standard_output

    if options.output is None:
        return standard_output()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Unwind, so that no temporary file stays behind.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminated)
    return open_output(options.output)


def _terminated(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


class _Alarm:
    """A limit in seconds that also ends a system call that blocks; None for no limit.

    The engine watches the clock itself, so this comes a little later; and again and again, for
    an exception may be raised where nobody hears of it.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        # More than a year is no limit, and setitimer(2) takes no more than time_t.
        if self._seconds is not None and self._seconds < 1e8:
            self._before = signal.signal(signal.SIGALRM, self._expired)
            signal.setitimer(signal.ITIMER_REAL, self._seconds + 0.1, 0.5)

    def __exit__(self, *_: object) -> None:
        if self._seconds is not None and self._seconds < 1e8:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)

    def _expired(self, _number: int, _frame: FrameType | None) -> None:
        raise TimeoutExpired(f"the statement took longer than {self._seconds:g} seconds")
