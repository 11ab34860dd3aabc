"""What the commands share: their SQL, an engine, where the output goes, a limit of time."""

from __future__ import annotations

import os
import sys

from sockql.errors import DataError, ReaderGone, SockqlError, TimeoutExpired, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType

    from sockql.command.options import Options
    from sockql.engine import Engine
    from sockql.render.output import Output
    from sockql.render.writers import Row
else:
    # The C module: signal itself imports enum, which costs a third of the interpreter's start.
    import _signal as signal


def say(text: str) -> None:
    """A message on standard error, if there is one: a line, broken at blanks on a terminal."""
    from sockql.command.wrapping import fit

    try:
        sys.stderr.write(fit(f"sockql: {text}", 2) + "\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        return  # closed or full: there is nobody else to tell


def answer(options: Options, sql: str, write: Callable[[Engine, Output], None]) -> int:
    """Let ``write`` put the answer to ``sql`` out, then say what it lacks; the exit status.

    :raises UsageError: for a parameter that ``sql`` does not have.
    """
    bindings = options.bindings
    if bindings:
        check_bindings(bindings, sql)
    return respond(options, options.seconds, write)


def respond(
    options: Options, seconds: float | None, write: Callable[[Engine, Output], None]
) -> int:
    """Let ``write`` put its answer out, then say what that lacks; the exit status.

    Each statement may take so many ``seconds``, None for no limit.
    """
    with open_out(options) as out, open_engine(options) as engine, Telling(lambda: engine.notices):
        engine.timeout = seconds
        engine.reader = out.attend
        write(engine, out)
        return 3 if options.strict and engine.notices else 0


class Telling:
    """Says what an answer lacks, after it, or before the error that ended it is said.

    ``notices`` gives a line for each thing that is missing.
    """

    def __init__(self, notices: Callable[[], Iterable[str]]) -> None:
        self._notices = notices

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or (issubclass(kind, SockqlError) and kind is not ReaderGone):
            say_notices(self._notices())


def say_notices(notices: Iterable[str]) -> None:
    """What there is to say beside an answer, each line once, on standard error."""
    from sockql.command.terminal import escape

    for notice in dict.fromkeys(notices):
        say(escape(notice))


def sql_of(options: Options) -> str:
    """The SQL: an argument, the file of ``-f``, or standard input.

    :raises UsageError: when there is none, or it cannot be read.
    """
    from sockql.command.options import text

    arguments = options.arguments
    if options.file is not None:
        if arguments:
            raise UsageError("there is SQL as an argument and in -f; give one of them")
        sql = read_text(options.file)
    elif arguments and arguments[0] != "-":
        sql = text(arguments[0])
    else:
        if any(argument.endswith("=-") for argument in options.load):
            raise UsageError("--load reads standard input; give the SQL as an argument or with -f")
        sql = read_text("-")
    if not sql.strip():
        raise UsageError("no SQL; give it as an argument, with -f FILE or on standard input")
    return sql


def read_text(path: str) -> str:
    """The text of a file, ``-`` being standard input.

    :raises UsageError: when it cannot be read, or is no UTF-8.
    """
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


def check_bindings(names: Iterable[str], sql: str) -> None:
    """Refuse ``-p`` for parameters that the SQL does not have."""
    from sockql.sqltext import tokens

    there = {token[1:] for _, token in tokens(sql) if token[0] in ":@$?"}
    for name in names:
        if name not in there:
            has = ", ".join(f":{name}" for name in sorted(there)) or "none"
            raise UsageError(f"-p {name}: the SQL has no parameter :{name}; its parameters: {has}")


def open_engine(options: Options) -> Engine:
    """An engine over the host and the files that the options name; close it when done.

    :raises DataError: when there are no processes.
    :raises UsageError: for a file of ``--load`` or ``--attach`` that is not what it should be, and
        for another word behind ``--stat``.
    """
    engine = _engine(options)
    if options.load or options.attach:
        from sockql.loading import join

        try:
            join(engine, options.load, options.attach)
        except BaseException:
            engine.close()
            raise
    return engine


def _engine(options: Options) -> Engine:
    if options.archive is not None:
        for flag, given in (
            ("--proc", options.proc),
            ("--netns", options.netns),
            ("--stat", options.stat),
        ):
            if given is not None:
                raise UsageError(f"--from reads a file: there is no {flag} to it")
        if options.osquery:
            raise UsageError("--from reads a file of sockql's tables: osquery's are not in it")
        if options.at == "":
            raise UsageError("--at: the time is empty; without --at it is the newest snapshot")
        from sockql.archive.replay import Replay

        return Replay(options.archive, options.at or "")
    if options.at is not None:
        raise UsageError("--at picks a snapshot: --from FILE says of which file")
    from sockql.engine import Engine
    from sockql.host import Host

    proc, scope, stat = options.proc, options.netns or "", options.examination
    if proc is None:
        return Engine(Host(scope=scope, stat=stat), options.dialect)
    try:
        if not any(map(str.isdigit, os.listdir(proc))):
            raise DataError(f"--proc {proc}: no processes there; is it a mounted procfs?")
    except OSError as error:
        raise DataError(f"--proc {proc}: {error.strerror}") from None
    return Engine(Host(proc, scope=scope, stat=stat), options.dialect)


def write_rows(options: Options, columns: Sequence[str], rows: Iterable[Row], out: Output) -> None:
    """Write ``rows`` in the format of the options."""
    from sockql.render.writers import render, writer_class

    writer = writer_class(options.format or "table")
    render(writer(columns, header=options.header, terminal=out.terminal), rows, out)


def write_json(data: object, out: Output) -> None:
    """Write ``data`` as indented JSON, which a terminal shows without control characters."""
    from json import dumps

    from sockql.command.terminal import escape_json

    text = dumps(data, ensure_ascii=False, indent=2) + "\n"
    out.write(escape_json(text) if out.terminal else text)


def open_out(options: Options) -> Output:
    """Standard output, or the file of ``-o``, which appears when the output is closed.

    :raises UsageError: when it cannot be written.
    """
    if options.output is None:
        from sockql.render.output import standard_output

        return standard_output()
    return open_file(options, options.output, "-o")


def open_file(options: Options, path: str, what: str) -> Output:
    """The file ``path`` that the option ``what`` names, which appears when the output is closed.

    :raises UsageError: when it cannot be written, or is read by the same command.
    """
    from sockql.render.output import open_output

    # Words without a slash are names of tables and queries.
    packs = options.words[:1] == ["pack"]
    read = [options.file, *(word for word in options.arguments if packs or "/" in word)]
    read += [word.partition("=")[2] for word in (*options.load, *options.parameters)]
    if path != "-" and any(word and _same_file(word, path) for word in read):
        raise UsageError(f"{path}: it is read as well; {what} another file")
    unwind_when_terminated()
    return open_output(path, what)


def _same_file(one: str, other: str) -> bool:
    """Whether both lead to one regular file; a terminal is read and written."""
    try:
        return os.path.isfile(one) and os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def unwind_when_terminated() -> None:
    """Let SIGTERM and SIGHUP raise, so that no temporary file stays behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminated)


def _terminated(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


class Alarm:
    """A limit in seconds that also ends a system call that blocks; None for no limit.

    The engine watches the clock itself, so this comes a little later; and again and again, for
    an exception may be raised where nobody hears of it.  ``check`` raises if the time is really
    over, where more than the clock decides about that.
    """

    def __init__(self, seconds: float | None, check: Callable[[], None] | None = None) -> None:
        self._seconds = seconds
        self._check = check

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
        if self._check is not None:
            self._check()
            return
        assert self._seconds is not None
        raise TimeoutExpired.of(self._seconds)
