"""The terminal while statements and other programs run."""

from __future__ import annotations

import os
import signal
import termios
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any, Final

# The place in the list that tcgetattr(3) gives.
_LOCAL: Final = 3


class Keyboard:
    """What is typed while there is no prompt: not echoed into the result, and not lost.

    The kernel keeps it for the next prompt.  It would throw it away at Ctrl-C, and when a line
    grows longer than its buffer for lines, so there are no lines and no flushing meanwhile; on a
    dumb terminal, where the kernel is the editor, there are.
    Source: termios(3), NOFLSH and ICANON.
    """

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None
        self._quiet: list[Any] | None = None

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Keep what is typed for later; Ctrl-C and Ctrl-Z work as always."""
        if dumb():
            yield
            return
        try:
            before = termios.tcgetattr(self._descriptor)
        except termios.error:  # it is no terminal, or none any more
            yield
            return
        quiet = list(before)
        quiet[_LOCAL] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
        quiet[_LOCAL] |= termios.ISIG | termios.NOFLSH
        self._before, self._quiet = before, quiet
        resumed = signal.signal(signal.SIGCONT, self._resumed)
        try:
            self._set(quiet)
            yield
        finally:
            signal.signal(signal.SIGCONT, resumed)
            self._before = self._quiet = None
            self._set(before)

    @contextmanager
    def cooked(self) -> Iterator[None]:
        """Give the terminal to another program as it was before :meth:`quiet`."""
        if self._before is None:
            yield
            return
        quiet = self._quiet
        self._set(self._before)
        self._quiet = None
        try:
            yield
        finally:
            self._quiet = quiet
            if quiet is not None:
                self._set(quiet)

    def _set(self, attributes: list[Any]) -> None:
        try:
            termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)
        except termios.error:
            return  # it has gone; SIGHUP says so

    def _resumed(self, _number: int, _frame: FrameType | None) -> None:
        """After Ctrl-Z and fg the terminal is as the other shell left it."""
        try:
            foreground = os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return
        if foreground and self._quiet is not None:
            self._set(self._quiet)


def dumb() -> bool:
    """Whether the terminal can do nothing but show text."""
    return os.environ.get("TERM", "dumb") == "dumb"


def colourful(descriptor: int) -> bool:
    """Whether escape sequences for colours may be sent to ``descriptor``.

    Source: https://no-color.org
    """
    return not os.environ.get("NO_COLOR") and not dumb() and os.isatty(descriptor)


def size(descriptor: int) -> tuple[int, int]:
    """Columns and lines of the terminal behind ``descriptor``, 80 and 24 where it does not say."""
    try:
        columns, lines = os.get_terminal_size(descriptor)
    except OSError:
        return 80, 24
    return columns or 80, lines or 24


def foreground(words: list[str]) -> int:
    """Run a program that has the terminal, Ctrl-C included; its exit status.

    :raises OSError: when it cannot be started.
    """
    from subprocess import Popen

    with Popen(words) as process:  # noqa: S603  the user's own
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
    return 128 - status if status < 0 else status
