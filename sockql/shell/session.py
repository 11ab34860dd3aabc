"""The session: what is entered on a terminal, run until the user leaves."""

from __future__ import annotations

import os
import signal
import sys

from sockql.command.terminal import counted, escape
from sockql.command.wrapping import fit
from sockql.errors import Interrupted, QueryError, ReaderGone, SockqlError, UsageError
from sockql.render.output import attend
from sockql.shell.commands import find, is_command
from sockql.shell.measured import Measured
from sockql.shell.output import Results
from sockql.shell.settings import Settings
from sockql.shell.terminal import Keyboard, colourful, size
from sockql.shell.text import WORDS, pieces
from sockql.sqltext import statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import FrameType
    from typing import Final

    from sockql.command.options import Options
    from sockql.engine import Engine
    from sockql.render.writers import Row
    from sockql.saved.binding import Binding
    from sockql.saved.query import Query
    from sockql.schema import Value
    from sockql.shell.prompt import Prompt

#: Bytes of a file of SQL that are read at most.
_MOST: Final = 64 << 20

_RED: Final = "\x1b[31m"
_PLAIN: Final = "\x1b[0m"


def run(options: Options) -> int:
    """A session on the terminal; returns the exit status.

    :raises DataError: when there is no procfs to look at.
    :raises UsageError: for a wrong format, parameter, timeout or output.
    :raises BrokenPipeError: when standard output is a pipe that nobody reads any more.
    """
    if options.format is not None:
        from sockql.render.writers import writer_class

        writer_class(options.format)  # complain about a wrong one now
    shell = Shell(options)
    before = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGINT, shell.interrupt),
            (signal.SIGHUP, _terminated),
            (signal.SIGTERM, _terminated),
        )
    }
    try:
        with shell.keyboard.quiet():
            from sockql.shell.prompt import open_prompt  # long; what is typed meanwhile is kept

            if options.output is not None:
                shell.results.to_file(options.output)
            return shell.loop(open_prompt(shell))
    except ReaderGone:
        return 128 + signal.SIGHUP
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        shell.close()


def _terminated(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


class Shell:
    """The state of a session, and what is done with an input."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.engine = self._open(options)
        self.settings = Settings(options)
        self.keyboard = Keyboard()
        self.results = Results(self.settings, self.keyboard)
        #: When the frozen snapshot was taken, in seconds since the epoch.
        self.frozen: float | None = None
        #: Rows and seconds of the last result.
        self.last: tuple[int, float] | None = None
        #: The SQL that was entered last.
        self.sql = ""
        #: What the next prompt begins with.
        self.draft = ""
        #: The exit status, once the user wants to leave.
        self.leaving: int | None = None
        self._debug = options.debug
        self._colours = colourful(2)
        self._reading: list[tuple[int, int]] = []
        self._told: set[str] = set()

    @staticmethod
    def _open(options: Options) -> Engine:
        from sockql.command.running import open_engine

        engine = open_engine(options)
        engine.timeout = options.seconds
        engine.reader = lambda: attend(0)
        return engine

    @property
    def proc(self) -> str:
        """The procfs that is read, or the file of a snapshot."""
        return self.engine.host.proc_path

    @property
    def netns(self) -> str:
        """The network namespaces that are looked into."""
        return self._options.netns or "all"

    def move(self, **changes: str) -> None:
        """Look somewhere else: what ``changes`` say of the options ``proc`` and the like.

        Temporary tables and a frozen snapshot are let go.

        :raises DataError: when there is nothing to look at; then nothing has changed.
        """
        from copy import copy

        options = copy(self._options)
        vars(options).update(changes)
        engine = self._open(options)
        try:
            if "netns" in changes:
                engine.query("select 1 from sockets where family = 'xdp' limit 1")
        except BaseException:  # no such network namespace, or an interrupt
            engine.close()
            raise
        engine.notices.clear()
        engine.timeout = self.engine.timeout
        self.engine.close()
        self._options, self.engine, self.frozen = options, engine, None

    def loop(self, prompt: Prompt) -> int:
        """Take inputs from ``prompt`` until the user leaves; the exit status."""
        while self.leaving is None:
            try:
                draft, self.draft = self.draft, ""
                self.enter(prompt.read(draft))
            except KeyboardInterrupt:
                self.say("interrupted")  # it came just before the statement, or after it
            except EOFError:
                break
        return self.leaving or 0

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Ctrl-C while something runs.

        The exception ends what waits in the kernel; the engine's own flag makes sure that the
        statement ends where an exception would be lost in a callback of SQLite.
        """
        self.engine.interrupt()
        raise KeyboardInterrupt

    def close(self) -> None:
        """Let go of files and of the engine."""
        try:
            self.results.close()
        except SockqlError as error:
            self.complain(str(error))
        self.engine.close()

    # -- saying -----------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """A message that is no result."""
        self._write(fit(text, 2))

    def complain(self, text: str) -> None:
        """A message that says what is wrong."""
        text = fit(text, 2)
        self._write(f"{_RED}{text}{_PLAIN}" if self._colours else text)

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        except (AttributeError, OSError, ValueError):
            return  # there is nobody to hear

    def tell_notices(self) -> None:
        """What the answer lacks; in a session once for each kind."""
        for notice in self.engine.notices:
            kind = "".join([character for character in notice if not character.isdigit()])
            if kind not in self._told:
                self._told.add(kind)
                self.say(escape(notice))

    # -- running ----------------------------------------------------------------------------

    def enter(self, text: str) -> None:
        """Run what was entered: a dot command, or statements of SQL."""
        self.results.begin()
        word = text.strip().rstrip(";").lower()
        text = WORDS.get(word, text)
        if is_command(text):
            self._guarded(lambda: self.command(text))
        elif text.strip():
            self.sql = text.strip()
            self.run_sql(text)

    def command(self, text: str) -> None:
        """Run a dot command.

        :raises UsageError: when there is no such command, or it is used wrongly.
        """
        word, *rest = text.strip().split(None, 1)
        arguments = rest[0] if rest else ""
        if not arguments or "SQL" not in find(word.rstrip(";")).usage:
            word, arguments = word.rstrip(";"), arguments.rstrip("; \t\n")
        found = find(word)
        found.call(self, found.words(arguments))

    def run_sql(
        self, text: str, parameters: Mapping[str, Value] | None = None, where: str = ""
    ) -> bool:
        """Run each statement of ``text``; errors are said, after ``where``.

        Returns whether to go on: no error, or no ``.bail``.
        """
        from sockql.command.options import text as encodable

        bound = {**self.settings.parameters, **(parameters or {})}
        found: list[str] = []
        if not self._guarded(lambda: found.extend(statements(encodable(text))), where):
            return not self.settings.bail
        for statement in found:
            if self.settings.echo:
                self.say(escape(" ".join(statement.split())))
            done = self._guarded(lambda: self._statement(statement, bound), where)  # noqa: B023
            if not done and (self.settings.bail or self._stopped):
                return False
        return True

    def run_query(self, query: Query, binding: Binding) -> None:
        """Run a saved query, with the tables that it takes and within its own limit of time.

        :raises QueryError: with the place in the query's file.
        """
        from sockql.saved.check import problem
        from sockql.saved.tables import Tables

        self.sql = query.sql.strip()
        before = self.engine.timeout
        if before is None:
            self.engine.timeout = query.timeout
        try:
            with Tables(self.engine, query, binding):
                self._statement(query.sql, binding.values)
        except QueryError as error:
            raise problem(query, error).error() from None
        finally:
            self.engine.timeout = before

    def _guarded(self, action: Callable[[], None], where: str = "") -> bool:
        """Run ``action`` and say what went wrong; whether nothing did."""
        self._stopped = False
        try:
            action()
        except ReaderGone:
            raise
        except (KeyboardInterrupt, Interrupted):
            self._stopped = True
            self.say("interrupted")
        except SockqlError as error:
            from sockql.command.diagnose import report

            self.complain(where + report(error, size(2)[0], "."))
        except BrokenPipeError:
            raise
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            self.complain(where + escape(f"{name}{error.strerror or error}"))
        except MemoryError:
            self.complain(f"{where}out of memory")
        except Exception as error:  # noqa: BLE001  a bug must not end the session
            if self._debug:
                import traceback

                traceback.print_exc()
            what = f"internal error: {type(error).__name__}: {error} (--debug shows where)"
            self.complain(where + escape(what))
        else:
            return True
        return False

    def _statement(self, sql: str, parameters: Mapping[str, Value]) -> None:
        from sockql.command.progress import Progress
        from sockql.command.running import Alarm

        engine = self.engine
        engine.notices.clear()
        self.last = None
        measured = Measured()
        try:
            with Progress(engine.host) as progress:
                with Alarm(engine.timeout):
                    result = measured.first(engine.execute(sql, parameters))
                    found = progress.until_rows(result) if self.results.on_screen else result
                    rows: Iterable[Row] = measured.rows(found)
                    if engine.timeout is not None or not result.columns:
                        # The time that the user takes to read does not count.
                        rows = list(rows)
                if result.columns:
                    self.results.rows(result.columns, rows)
                result.close()
            self.last = (measured.count, measured.seconds)
        finally:
            self.tell_notices()
        if self.settings.timer:
            self.say(f"{counted(measured.count, 'row')} in {measured.seconds:.3f} s")

    def read(self, path: str) -> None:
        """Run the commands and statements in a file.

        :raises UsageError: when it cannot be read, or is being read already.
        """
        with open(os.path.expanduser(path), "rb") as file:
            status = os.fstat(file.fileno())
            identity = (status.st_dev, status.st_ino)
            if identity in self._reading:
                raise UsageError(f"{path}: it is being read already")
            data = file.read(_MOST + 1)
        if len(data) > _MOST:
            raise UsageError(f"{path}: larger than {_MOST >> 20} MiB")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: not UTF-8 text at byte {error.start}") from None
        self._reading.append(identity)
        try:
            for line, piece in pieces(text):
                where = f"{escape(path)}:{line}: "
                if is_command(piece):
                    done = self._guarded(lambda: self.command(piece), where)  # noqa: B023
                else:
                    done = self.run_sql(piece, where=where)
                if self.leaving is not None or self._stopped:
                    return
                if not done and self.settings.bail:
                    return
        finally:
            self._reading.pop()
