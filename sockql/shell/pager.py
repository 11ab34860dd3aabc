"""Text for a screen, through a pager when it is longer than the screen."""

from __future__ import annotations

import os

from sockql.command.terminal import width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from subprocess import Popen
    from typing import Final

    from sockql.render.writers import Sink

#: Keep long lines whole and shift sideways, leave short texts and the screen alone, show colours.
DEFAULT: Final = "less -SRFX"


def pager_command(environment: dict[str, str]) -> list[str] | None:
    """The words of ``$PAGER``, or of :data:`DEFAULT`; None when there is no such program.

    Without a pager results are written as they are, so a wrong ``$PAGER`` loses nothing.
    """
    from shlex import split
    from shutil import which

    if environment.get("TERM") == "dumb":
        return None
    try:
        words = split(environment.get("PAGER", DEFAULT))
    except ValueError:
        return None
    if not words or words == ["cat"] or which(words[0]) is None:
        return None
    return words


class Paged:
    """Text that is held back until it is longer than the screen, and then given to a pager.

    A :class:`~sockql.render.writers.Sink`; :meth:`finish` writes what a screen can hold, or waits for the
    pager.  ``foreground`` is entered while the pager has the terminal.
    """

    def __init__(
        self,
        out: Sink,
        command: Sequence[str] | None,
        size: tuple[int, int],
        foreground: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._out = out
        self._command = command
        self._columns, lines = size
        self._room = lines - 1  # one is the next prompt's
        self._foreground = foreground
        self._held: list[str] = []
        self._process: Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the pager has taken over."""
        return self._process is not None

    def write(self, text: str) -> None:
        """Hold ``text`` back, or pass it on.

        :raises BrokenPipeError: when the pager was left before it had seen everything.
        """
        if self._process is not None:
            self._feed(text)
        elif self._command is None:
            self._out.write(text)
        else:
            self._held.append(text)
            self._room -= self._lines(text)
            if self._room < 0:
                self._start(self._command)

    def _lines(self, text: str) -> int:
        """Lines of the screen that ``text`` takes."""
        columns = max(1, self._columns)
        return sum([max(1, -(-width(line) // columns)) for line in text.splitlines()])

    def _start(self, command: Sequence[str]) -> None:
        from subprocess import PIPE, Popen

        held = "".join(self._held)
        self._held = []
        self._having = self._foreground()
        self._having.__enter__()
        try:
            # Whatever the locale says, what comes is UTF-8.
            environment = {"LESSCHARSET": "utf-8", **os.environ}
            self._process = Popen(  # noqa: S603  the user's own
                command, bufsize=0, stdin=PIPE, env=environment
            )
        except OSError:
            self._having.__exit__(None, None, None)
            self._command = None
            self._out.write(held)
            return
        self._feed(held)

    def _feed(self, text: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        while rest:
            rest = rest[os.write(self._process.stdin.fileno(), rest) :]

    def finish(self) -> None:
        """Show what was held back, or let the user read on until the pager ends."""
        if self._process is None:
            held = "".join(self._held)
            self._held = []
            if held:
                self._out.write(held)
            return
        from signal import SIG_IGN, SIGINT, signal

        assert self._process.stdin is not None
        # Ctrl-C means something to the pager, which shares the terminal with us.
        before = signal(SIGINT, SIG_IGN)
        try:
            self._process.stdin.close()
            self._process.wait()
        finally:
            signal(SIGINT, before)
            self._ended()

    def abandon(self) -> None:
        """The session ends: show nothing more."""
        self._held = []
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.terminate()
            self._process.wait()
            self._ended()

    def _ended(self) -> None:
        self._process = None
        self._having.__exit__(None, None, None)
