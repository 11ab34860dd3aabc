"""``sockql watch`` on a terminal: the whole screen, and keys that are heard during a query too.

Everything happens in one thread.  While a statement runs, whoever collects looks in every few
milliseconds (:attr:`Host.check`), and so does SQLite when it computes; that is when keys are
read and the screen is drawn.
"""

from __future__ import annotations

import os
import re
import signal
import termios
from contextlib import contextmanager
from select import POLLIN, poll
from time import monotonic
from typing import TYPE_CHECKING, Final

from sockql.command.progress import PATIENCE, PERIOD, Tally
from sockql.errors import Interrupted, UsageError
from sockql.render.output import Output
from sockql.shell.terminal import colourful, size
from sockql.watch.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from sockql.watch.rounds import Round, Schedule, Watch

#: Alternate screen, cursor hidden, no wrapping at the right edge; and back.
_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE: Final = "\x1b[?7h\x1b[?25h\x1b[?1049l"

_LOCAL: Final = 3  # the place of c_lflag in what tcgetattr(3) gives

#: Seconds between two looks at the keyboard while a statement runs.
_GLANCE: Final = 0.03
#: Instructions of SQLite between two looks.
_INSTRUCTIONS: Final = 50_000

_NAMES: Final = {
    b"q": "quit",
    b"Q": "quit",
    b"p": "pause",
    b"\x1b[A": "up",
    b"k": "up",
    b"\x1b[B": "down",
    b"j": "down",
    b"\x1b[C": "right",
    b"l": "right",
    b"\x1b[D": "left",
    b"h": "left",
    b"\x1b[5~": "page up",
    b"b": "page up",
    b"\x1b[6~": "page down",
    b" ": "page down",
    b"\x1b[H": "home",
    b"\x1b[1~": "home",
    b"g": "home",
    b"\x1b[F": "end",
    b"\x1b[4~": "end",
    b"G": "end",
}
#: A key: an escape sequence in one of its forms, or a byte.
_KEY: Final = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|.", re.DOTALL)


def show(
    watch: Watch, schedule: Schedule, interval: float, rounds: int | None, descriptor: int
) -> int:
    """Watch on the terminal behind ``descriptor`` until the user quits; the exit status.

    :raises UsageError: when there is no keyboard.
    """
    view = View(watch.sql, interval, colours=colourful(descriptor))
    with _keyboard() as keyboard, Terminal(keyboard, descriptor) as terminal:
        return _Session(watch, schedule, rounds, view, terminal).run()


@contextmanager
def _keyboard() -> Iterator[int]:
    """Where keys come from: standard input, or the terminal itself where that is the SQL."""
    if os.isatty(0):
        yield 0
        return
    try:
        descriptor = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"/dev/tty: {error.strerror}; watch needs a keyboard") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def decode(data: bytes) -> list[str]:
    """The keys that ``data`` from a terminal stands for, without those that mean nothing."""
    # Applications may ask for ESC O instead of ESC [; some terminals do not wait for that.
    found = [key.replace(b"\x1bO", b"\x1b[") for key in _KEY.findall(data)]
    return [_NAMES[key] for key in found if key in _NAMES]


class Terminal:
    """A screen of our own on a terminal; a context manager that gives the terminal back.

    Also when we are stopped (Ctrl-Z) or ended by a signal that raises.
    """

    def __init__(self, keyboard: int, descriptor: int) -> None:
        self._keyboard = keyboard
        self._descriptor = descriptor
        self._out = Output(descriptor, "the terminal")
        self._before: list[Any] = []
        self._shown: list[str] = []
        self._handlers: dict[int, Any] = {}
        self._wakeup = -1
        self._pipe = (-1, -1)
        self._poller = poll()

    def __enter__(self) -> Terminal:
        self._before = termios.tcgetattr(self._keyboard)
        # A signal writes a byte into the pipe, so that waiting ends.
        self._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._poller.register(self._keyboard, POLLIN)
        self._poller.register(self._pipe[0], POLLIN)
        handlers = (
            (signal.SIGWINCH, self._resized),
            (signal.SIGTSTP, self._stop),
            (signal.SIGCONT, self._resumed),
        )
        for number, handler in handlers:
            self._handlers[number] = signal.signal(number, handler)
        try:
            self._take()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        for end in self._pipe:
            os.close(end)

    # -- the screen -------------------------------------------------------------------------

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return size(self._descriptor)

    def draw(self, lines: list[str]) -> None:
        """Show ``lines``; only what is different is written, so that nothing flickers."""
        if len(lines) != len(self._shown):
            self._shown = []
        parts = [] if self._shown else ["\x1b[2J"]
        for i, line in enumerate(lines):
            if not self._shown or line != self._shown[i]:
                parts.append(f"\x1b[{i + 1}H{line}\x1b[K")
        self._shown = lines
        if parts:
            self._out.write("".join(parts))

    # -- keys -------------------------------------------------------------------------------

    def keys(self, seconds: float | None) -> list[str] | None:
        """The keys of the next ``seconds`` at most (None: for ever); None at the end of them.

        Comes back early, without any, when a signal has come.
        """
        milliseconds = None if seconds is None else max(0.0, min(seconds, 86400.0)) * 1000
        ready = dict(self._poller.poll(milliseconds))
        if self._pipe[0] in ready:
            os.read(self._pipe[0], 4096)
        if self._keyboard not in ready:
            return []
        try:
            data = os.read(self._keyboard, 4096)
        except BlockingIOError:
            return []
        except OSError:
            return None
        return decode(data) if data else None

    # -- taking and giving back -------------------------------------------------------------

    def _take(self) -> None:
        ours = list(self._before)
        # Keys at once and unseen; Ctrl-C and Ctrl-Z stay signals, which also end system calls.
        ours[_LOCAL] = ours[_LOCAL] & ~(termios.ICANON | termios.ECHO) | termios.ISIG
        termios.tcsetattr(self._keyboard, termios.TCSANOW, ours)
        self._shown = []
        self._out.write(_ENTER)

    def _give_back(self) -> None:
        try:
            self._out.write(_LEAVE)
            termios.tcsetattr(self._keyboard, termios.TCSANOW, self._before)
        except (OSError, UsageError, termios.error):
            return  # there is no terminal any more

    def _resized(self, _number: int, _frame: FrameType | None) -> None:
        self._shown = []

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._give_back()
        # Everyone else of the job is stopped by the same signal.
        os.kill(os.getpid(), signal.SIGSTOP)

    def _resumed(self, _number: int, _frame: FrameType | None) -> None:
        try:
            self._take()
        except (OSError, UsageError, termios.error):
            return  # it has gone meanwhile, which the next key will tell


class _Session:
    """Rounds and keys in turn."""

    def __init__(
        self, watch: Watch, schedule: Schedule, rounds: int | None, view: View, terminal: Terminal
    ) -> None:
        self._watch = watch
        self._schedule = schedule
        self._rounds = rounds
        self._view = view
        self._terminal = terminal
        self._leaving = False
        self._tally = Tally(watch.engine.host)
        self._next = 0.0
        self._drawn = 0.0

    def run(self) -> int:
        while not self._leaving:
            if not self._view.paused and monotonic() >= self._schedule.next:
                found = self._round()
                if found is None:
                    break
                self._view.take(found)
                self._schedule.advance(monotonic())
                if found.number == self._rounds:
                    return found.error.status if found.error is not None else 0
            self._draw()
            left = None if self._view.paused else self._schedule.next - monotonic()
            self._obey(left)
        return 0

    def _draw(self) -> None:
        self._terminal.draw(self._view.frame(*self._terminal.size))

    def _obey(self, seconds: float | None) -> None:
        """Wait so long for keys, and do what they say."""
        keys = self._terminal.keys(seconds)
        if keys is None or "quit" in keys:
            self._leaving = True
        for key in keys or ():
            self._view.key(key)

    def _round(self) -> Round | None:
        """A round during which keys are heard; None when the user does not wait for its end."""
        host, connection = self._watch.engine.host, self._watch.engine.connection
        check = host.check

        def glance() -> None:
            self._glance()
            check()

        def computing() -> bool:
            self._glance()
            return False

        self._tally = host.progress = Tally(host)
        self._next = monotonic() + _GLANCE
        self._drawn = monotonic() + PATIENCE
        host.check = glance
        connection.set_progress_handler(computing, _INSTRUCTIONS, id=self)
        try:
            return self._watch.round()
        except Interrupted:
            if self._leaving:
                return None
            raise
        finally:
            connection.set_progress_handler(None, id=self)
            host.check = check
            host.progress = None
            self._view.progress = ""

    def _glance(self) -> None:
        """Look at the keyboard while a statement runs, and say what it does if it takes long."""
        now = monotonic()
        if now < self._next:
            return
        self._next = now + _GLANCE
        before = self._view.paused
        keys = self._terminal.keys(0)
        if keys is None or "quit" in keys:
            self._leaving = True
            self._watch.engine.interrupt()
        for key in keys or ():
            self._view.key(key)
        if now >= self._drawn:
            self._drawn = now + PERIOD
            self._view.progress = self._tally.text
            self._draw()
        elif keys or before != self._view.paused:
            self._draw()
