"""``sockql watch``: a statement run again and again, and what changes from round to round.

On a terminal the result fills the screen (:mod:`sockql.watch.screen`).  Elsewhere each change is
a line, with the time at which its round began.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from time import monotonic, perf_counter, process_time, time
from typing import TYPE_CHECKING

from sockql.errors import (
    DataError,
    Interrupted,
    QueryError,
    ReaderGone,
    TimeoutExpired,
    UsageError,
)
from sockql.prepared import described
from sockql.schema import View
from sockql.sqltext import statements, tokens
from sockql.watch.differ import SAME, Line, compare, keys
from sockql.watch.lines import STREAMS, Delimited, JsonLines, Plain, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    from sockql.command.options import Options
    from sockql.dialect import Dialect
    from sockql.engine import Engine
    from sockql.render.output import Output
    from sockql.render.writers import Row
    from sockql.schema import Schema, Value
    from sockql.watch.differ import Key


class Round:
    """One round: what it found, what changed since the last that found something, what it cost.

    ``time`` is when it began, in seconds since the epoch; ``seconds`` how long it took, ``cpu``
    how much of that was spent computing, ``received`` the bytes that came over netlink.  With an
    ``error`` there are no lines.  ``first`` says that there was nothing to compare with.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.time = time()
        self.columns: tuple[str, ...] = ()
        self.lines: list[Line] = []
        self.rows = 0
        self.first = False
        self.error: DataError | QueryError | TimeoutExpired | None = None
        self.notices: list[str] = []
        self.seconds = 0.0
        self.cpu = 0.0
        self.received = 0

    @property
    def changes(self) -> list[Line]:
        """The lines that are not the same."""
        return [line for line in self.lines if line.kind != SAME]

    @property
    def cost(self) -> str:
        """``0.043 s, cpu 0.041 s, 36,120 bytes``."""
        received = f", {self.received:,} bytes" if self.received else ""
        return f"{self.seconds:.3f} s, cpu {self.cpu:.3f} s{received}"

    def count(self, kind: str) -> int:
        """How many lines are of ``kind``."""
        return sum(line.kind == kind for line in self.lines)


class Watch:
    """The rounds of one statement.

    :raises UsageError: when ``sql`` is not one statement that has a result.
    """

    def __init__(
        self, engine: Engine, sql: str, parameters: Mapping[str, Value] | None = None
    ) -> None:
        found = statements(sql)
        if len(found) != 1:
            raise UsageError(f"watch takes one statement, not {len(found)}")
        self.engine = engine
        self.sql = found[0]
        self._parameters = parameters or {}
        self._number = 0
        self._before: list[Row] | None = None
        self._keys: list[Key] = []

    def round(self) -> Round:
        """Run the statement once.

        What goes wrong is told by the round, and another one may do better.

        :raises QueryError: in the first round, for SQL is not mended by waiting.
        :raises Interrupted: when the engine was interrupted.
        """
        from sockql.command.running import Alarm

        engine = self.engine
        engine.notices.clear()
        self._number += 1
        found = Round(self._number)
        started, cpu = perf_counter(), process_time()
        try:
            with Alarm(engine.timeout):
                self._run(found)
        except QueryError as error:
            if self._number == 1:
                raise
            found.error = error
        except (DataError, TimeoutExpired) as error:
            found.error = error
        found.seconds, found.cpu = perf_counter() - started, process_time() - cpu
        found.notices = list(engine.notices)
        return found

    def _run(self, found: Round) -> None:
        result = next(self.engine.execute(self.sql, self._parameters))
        statement = self.engine.statement
        if not result.columns:
            result.close()
            raise UsageError("watch takes a statement that has a result")
        rows = list(result)
        found.columns = result.columns
        found.rows = len(rows)
        found.received = sum(trace.bytes for trace in statement.traces.values())
        if self._before is None:
            found.first = True
            self._keys = self._find_keys()
        found.lines = compare(self._before or [], rows, self._keys)
        self._before = rows

    def _find_keys(self) -> list[Key]:
        dialect = self.engine.dialect

        def schema(name: str) -> Schema | None:
            return dialect.load(name).schema if name in dialect else None

        found = described(self.engine, self.sql)
        origins = [(table, column) if table and column else None for *_, table, column in found]
        return keys(origins, schema, grouped=_groups(self.sql, dialect))


def _groups(sql: str, dialect: Dialect) -> bool:
    """Whether a statement has a GROUP BY, or one of the views that it names."""
    for _, token in tokens(sql):
        name = token.strip('"`[]').lower()
        if name == "group":
            return True
        if name in dialect:
            table = dialect.load(name)
            if isinstance(table, View) and _groups(table.sql, dialect):
                return True
    return False


class Schedule:
    """Rounds begin at whole multiples of ``interval`` seconds after the first.

    How long they take moves none of them; one whose time passes during another is left out.
    """

    def __init__(self, interval: float, now: float) -> None:
        self._interval = interval
        self._start = now
        #: When the next round begins.
        self.next = now

    def advance(self, now: float) -> None:
        """A round has ended; the next one is the first that is still to come."""
        passed = (now - self._start) // self._interval
        self.next = self._start + (passed + 1) * self._interval


# -- running ------------------------------------------------------------------------------------


def run(options: Options, engine: Engine, sql: str, say: Callable[[str], None]) -> int:
    """``sockql watch``; ``say`` takes what is not a result.  Returns the exit status.

    :raises UsageError: for a format that is neither lines nor a screen.
    """
    from sockql.render.output import attend

    descriptor, out = _open(options.output)
    engine.reader = lambda: attend(descriptor)
    with out:
        return watch(
            engine,
            sql,
            options.bindings,
            interval=options.every,
            rounds=options.rounds,
            format=options.format,
            header=options.header,
            strict=options.strict,
            timing=options.timing,
            to=(descriptor, out),
            say=say,
        )


def _open(path: str | None) -> tuple[int, Output]:
    """Where the lines go: standard output, or a file that they are added to as they come."""
    from sockql.render.output import Output, standard_output

    if path is None or path == "-":
        return 1, standard_output()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return descriptor, Output(descriptor, path, owned=True)


def watch(
    engine: Engine,
    sql: str,
    parameters: Mapping[str, Value] | None = None,
    *,
    interval: float = 2.0,
    rounds: int | None = None,
    format: str | None = None,
    header: bool = True,
    strict: bool = False,
    timing: bool = False,
    to: tuple[int, Output] | None = None,
    say: Callable[[str], None],
) -> int:
    """Run ``sql`` every ``interval`` seconds, ``rounds`` times or until the user has enough.

    Without a ``format`` the terminal's screen is used, where ``to`` (a descriptor and the output
    on it, else standard output) is one; on anything else the changes come as lines of JSON.
    Returns the exit status.

    :raises UsageError: for another format than :data:`STREAMS` and ``table``.
    :raises QueryError: for wrong SQL.
    :raises KeyboardInterrupt: at Ctrl-C.
    :raises ReaderGone: when nobody reads any more, even while nothing changes.
    """
    from sockql.render.output import attend
    from sockql.shell.terminal import dumb

    descriptor, out = to or _open(None)
    watched = Watch(engine, sql, parameters)
    schedule = Schedule(interval, monotonic())
    if format is None:
        format = "table" if out.terminal else "jsonl"
    with _signals(engine):
        if format == "table" and out.terminal and not dumb():
            from sockql.watch.screen import show

            return show(watched, schedule, interval, rounds, descriptor)
        stream: JsonLines | Delimited | Plain
        if format == "jsonl":
            stream = JsonLines(header=header, terminal=out.terminal)
        elif format in STREAMS:
            stream = Delimited(format, header=header, terminal=out.terminal)
        elif format == "table":
            stream = Plain(header=header, terminal=out.terminal)
        else:
            raise UsageError(
                f"watch has no format {format}: it writes a line for each change as --jsonl, "
                "--csv or --tsv, or the whole result of each round as --table"
            )
        status = 0
        told: set[str] = set()
        while True:
            found = watched.round()
            text = stream.text(found)
            if text:
                out.write(text)
            _tell(found, say, told, timing=timing)
            status = found.error.status if found.error is not None else 0
            if strict and told:
                status = status or 3
            if found.number == rounds:
                return status
            schedule.advance(monotonic())
            while (seconds := schedule.next - monotonic()) > 0:
                attend(descriptor, seconds)


def _tell(found: Round, say: Callable[[str], None], told: set[str], *, timing: bool) -> None:
    """Say what went wrong, and each kind of notice once."""
    from sockql.command.terminal import escape

    if found.error is not None:
        say(f"round {found.number}: {escape(str(found.error))}")
    for notice in found.notices:
        kind = "".join([character for character in notice if not character.isdigit()])
        if kind not in told:
            told.add(kind)
            say(escape(notice))
    if timing:
        say(f"round {found.number}: {summary(found)}")


@contextmanager
def _signals(engine: Engine) -> Iterator[None]:
    """End in an orderly way: the statement first, then what has been opened.

    The exception ends what waits in the kernel; the engine's own flag makes sure that the
    statement ends where an exception would be lost in a callback of SQLite.
    """

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        engine.interrupt()
        raise KeyboardInterrupt

    ending: list[int] = []

    def terminated(number: int, _frame: FrameType | None) -> None:
        ending.append(number)
        engine.interrupt()
        raise SystemExit(128 + number)

    handlers = {
        signal.SIGINT: (interrupted, signal.default_int_handler),
        signal.SIGTERM: (terminated, signal.SIG_DFL),
        signal.SIGHUP: (terminated, signal.SIG_DFL),
    }
    before = {}
    for number, (handler, default) in handlers.items():
        # A signal that is ignored stays so (nohup), and a session has handlers of its own.
        if signal.getsignal(number) == default:
            before[number] = signal.signal(number, handler)
    try:
        yield
    except ReaderGone:
        raise
    except Interrupted:
        if ending:
            raise SystemExit(128 + ending[0]) from None
        raise KeyboardInterrupt from None
    finally:
        for number, old in before.items():
            signal.signal(number, old)
