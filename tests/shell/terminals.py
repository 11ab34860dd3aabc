"""Terminals for tests: a pseudo-terminal whose bytes are seen, and tmux, whose screen is."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What is run, after the name of the interpreter.
COMMAND = ("-m", "sockql")

#: Seconds that anything may take, on a machine that does other things as well.
PATIENCE = 60.0

CTRL_C = "\x03"
CTRL_D = "\x04"
ENTER = "\r"
ESCAPE = "\x1b"


def environment(home: Path, **changes: str) -> dict[str, str]:
    """What a session needs, and nothing of the tester's own."""
    return {
        "HOME": str(home),
        "INPUTRC": os.devnull,
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
        # A pseudo-terminal does not say where its cursor is.
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        **changes,
    }


def wait_until(what: Callable[[], bool], why: str) -> None:
    """Poll until ``what`` is true."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.005)


class Terminal:
    """A session on a pseudo-terminal of its own."""

    def __init__(
        self,
        home: Path,
        *options: str,
        size: tuple[int, int] = (24, 80),
        command: tuple[str, ...] = COMMAND,
        **env: str,
    ) -> None:
        self.dumb = env.get("TERM") == "dumb"
        self.child = pexpect.spawn(
            sys.executable,
            [*command, *options],
            cwd=home,
            dimensions=size,
            encoding="utf-8",
            env=environment(home, **env),
            maxread=65536,
            timeout=PATIENCE,
        )
        self.child.delaybeforesend = None
        self._gone = False
        self.prompt()

    def prompt(self) -> str:
        """Wait for the next prompt; what came before it."""
        before = ""
        if not self.dumb:
            # Bracketed paste is asked for with each prompt, however often that is drawn.
            self.child.expect(r"\x1b\[\?2004h")
            before = str(self.child.before)
        self.child.expect(r"sockql(\[[0-9:]+\])?>")
        return before or str(self.child.before)

    def enter(self, text: str) -> str:
        """Enter a line; what came after it, before the next prompt."""
        self.submit(text)
        return self.prompt()

    @property
    def frozen(self) -> bool:
        """Whether the last prompt has a time in it."""
        return "[" in str(self.child.after)

    @property
    def live(self) -> bool:
        """Whether it has none."""
        return not self.frozen

    def submit(self, text: str) -> None:
        """Enter a line and wait until the editor has let it go."""
        self.send(text + ("\n" if self.dumb else ENTER))
        if not self.dumb:
            self.child.expect(r"\x1b\[\?2004l")

    def makes_signals(self) -> bool:
        """Whether the terminal makes a signal of Ctrl-C, rather than a key."""
        return bool(termios.tcgetattr(self.child.child_fd)[3] & termios.ISIG)

    def send(self, text: str) -> None:
        """Type ``text``."""
        self.child.send(text)

    def expect(self, pattern: str) -> str:
        """Wait for ``pattern``; what came before it."""
        self.child.expect(pattern)
        return str(self.child.before)

    def end(self) -> int | None:
        """Wait for the end; the exit status, or minus the signal."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        if self.child.signalstatus is not None:
            return -self.child.signalstatus
        return self.child.exitstatus

    def hang_up(self) -> int:
        """Take the terminal away and wait for the end; the exit status, or minus the signal."""
        self.child.ptyproc.fileobj.close()  # type: ignore[attr-defined]
        self._gone = True
        ended: list[int] = []

        def gone() -> bool:
            pid, status = os.waitpid(self.child.pid or 0, os.WNOHANG)
            ended.extend([os.waitstatus_to_exitcode(status)] if pid else [])
            return bool(ended)

        wait_until(gone, "the session did not end")
        return ended[0]

    def busy(self) -> None:
        """Wait until the session has been computing for a while, after :meth:`submit`."""
        before = self.ticks()
        wait_until(lambda: self.ticks() >= before + 3, "the statement did not run")

    def ticks(self) -> int:
        """The time that the session has computed, in clock ticks."""
        text = Path(f"/proc/{self.child.pid}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return int(user) + int(system)

    def close(self) -> None:
        """End the session, however it is."""
        if not self._gone:
            self.child.close(force=True)


_NUMBERS = itertools.count()


class Tmux:
    """A session in a tmux server of its own."""

    def __init__(
        self, home: Path, *options: str, columns: int = 80, lines: int = 24, **env: str
    ) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not installed")
        self._socket = home / f"tmux-{next(_NUMBERS)}"
        variables = environment(home, **env)
        del variables["PROMPT_TOOLKIT_NO_CPR"]
        del variables["TERM"]  # tmux says what it is
        self._tmux(
            *("-f", os.devnull, "new-session", "-d", "-x", str(columns), "-y", str(lines)),
            *("env", "-i", *[f"{name}={value}" for name, value in variables.items()]),
            *("TERM=" + env.get("TERM", "screen-256color"),),
            *(sys.executable, *COMMAND, *options),
        )
        self._tmux("set-option", "-g", "window-size", "manual")

    def _tmux(self, *words: str) -> str:
        return subprocess.run(
            ["tmux", "-S", str(self._socket), *words],
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        ).stdout

    def keys(self, *keys: str) -> str:
        """Press keys by their names in tmux: ``C-c``, ``Enter``."""
        return self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type ``text`` as it is."""
        # A semicolon at the end would be tmux's own.
        self._tmux("send-keys", "-l", text[:-1] + "\\;" if text.endswith(";") else text)

    def enter(self, text: str) -> None:
        """Type ``text``, and Enter when it is on the screen."""
        self.type(text)
        shown = f"sockql> {text}"[:30]
        self.wait(lambda lines: any(line.startswith(shown) for line in lines[_last(lines) :]))
        self.keys("Enter")

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self) -> list[str]:
        """The lines of the screen, without the blanks at their ends and the empty ones below."""
        return self._tmux("capture-pane", "-p").rstrip("\n").split("\n")

    def wait(self, what: Callable[[list[str]], object]) -> list[str]:
        """Wait until the screen is as it should be."""
        deadline = time.monotonic() + PATIENCE
        while True:
            lines = self.screen()
            if what(lines):
                return lines
            assert time.monotonic() < deadline, "\n".join(lines)
            time.sleep(0.01)

    def wait_prompt(self) -> list[str]:
        """Wait until the last line but the toolbar is an empty prompt."""

        return self.wait(lambda lines: lines[_last(lines)] == "sockql>" and " | " in lines[-1])

    def close(self) -> None:
        """End the server and what runs in it."""
        subprocess.run(
            ["tmux", "-S", str(self._socket), "kill-server"],
            capture_output=True,
            timeout=PATIENCE,
        )


def _last(lines: list[str]) -> int:
    """The line of the last prompt, 0 if there is none."""
    found = [i for i, line in enumerate(lines) if line.startswith("sockql>")]
    return found[-1] if found else 0
