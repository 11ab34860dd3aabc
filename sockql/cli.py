"""The command: from the words of the command line to the exit status.

Modules are imported where they are used: a query should cost little more than the interpreter.
"""

from __future__ import annotations

import gc
import os
import sys

from sockql.command.options import parse
from sockql.command.running import say
from sockql.errors import ReaderGone, SockqlError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
    from typing import Final, NoReturn

    from sockql.command.options import Options
else:
    # The C module: signal itself imports enum, which costs a third of the interpreter's start.
    import _signal as signal

#: What a shell reports of a program that SIGPIPE ended, as it ends ``ls | head``.
BROKEN_PIPE: Final = 128 + signal.SIGPIPE


def run() -> NoReturn:
    """The command as a process: :func:`main`, and an end without ceremony.

    Who answers one question makes few cycles, and records by the hundred thousand that a collector
    would go through; only what stays (a session, a watch) turns it on.  Taking the interpreter and
    SQLite to pieces takes 3 ms, and far longer after a large result; the kernel does it at once.
    """
    gc.disable()
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
    except (BrokenPipeError, ReaderGone):
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


def _fail(text: str, status: int, words: Sequence[str]) -> int:
    """Say why, with the traceback of the current exception if ``--debug`` is among the words."""
    if "--debug" in words:
        import traceback

        traceback.print_exc()
    say(text)
    return status


def _run(words: Sequence[str]) -> int:
    options = parse(words)
    if options.help or options.version:
        return _tell(options)
    command = options.command
    arguments = options.arguments
    options.check()
    wants_sql = command is None or command.sql
    if wants_sql and not arguments and options.file is None and _is_terminal(sys.stdin, 0):
        if command is not None:
            raise UsageError(f"{command.name}: which SQL? sockql {command.name} {command.metavar}")
        if not _is_terminal(sys.stdout, 1):
            return _tell(options)
        from sockql.shell import session

        gc.enable()
        return session.run(options)
    if command is None:
        from sockql.command import query

        return query.run(options)
    run_command: Callable[[Options], int] = __import__(command.module, fromlist=["run"]).run
    return run_command(options)


def _is_terminal(stream: object, descriptor: int) -> bool:
    return stream is not None and os.isatty(descriptor)


def _tell(options: Options) -> int:
    """The version or the help."""
    from sockql.render.output import standard_output

    if options.version and not options.help:
        from sockql import __version__

        text = f"sockql {__version__}\n"
    else:
        from sockql.command.helptext import help_text

        text = help_text(options.command)
    standard_output().write(text)
    return 0
