"""The prompt: an editor with history and completion, or plain lines where the terminal is dumb."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager

from sockql.shell.history import History, state_file
from sockql.shell.status import prompt, toolbar
from sockql.shell.terminal import colourful, dumb
from sockql.shell.text import finished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any, Protocol

    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from sockql.shell.session import Shell

    class Prompt(Protocol):
        """Where inputs come from."""

        def read(self, draft: str) -> str:
            """The next input, empty when it was given up; ``draft`` is what it begins with.

            :raises EOFError: when there are no more.
            :raises KeyboardInterrupt: when Ctrl-C came after it.
            """


def open_prompt(shell: Shell) -> Prompt:
    """The prompt that the terminal is good for, and a line of greeting."""
    history = History(state_file())
    shell.say(_greeting())
    if dumb():
        return Lines(shell, history)
    return Editor(shell, history)


def _greeting() -> str:
    import apsw

    from sockql import __version__

    sqlite = apsw.sqlite_lib_version()
    return f"sockql {__version__}, SQLite {sqlite}: .help for help, .quit to leave, ; ends SQL"


class Lines:
    """Lines as the terminal itself edits them, for terminals that can do nothing else."""

    def __init__(self, shell: Shell, history: History) -> None:
        self._shell = shell
        self._history = history
        history.load()  # nobody walks through it here, but it is shortened where it is too long

    def read(self, draft: str) -> str:
        text = draft
        while True:
            start = prompt(self._shell) if not text else "...> ".rjust(len(prompt(self._shell)))
            out = sys.stdout if sys.stdout.isatty() else sys.stderr
            out.write(start)
            out.flush()
            try:
                line = sys.stdin.buffer.readline()
            except KeyboardInterrupt:
                out.write("\n")
                return ""
            if not line:
                out.write("\n")
                raise EOFError
            text += line.decode("utf-8", "backslashreplace")
            if finished(text):
                text = text.rstrip("\n")
                self._history.append(text)
                self._history.tell(self._shell.complain)
                return text


class Editor:
    """prompt-toolkit's editor: several lines, until a semicolon ends them."""

    def __init__(self, shell: Shell, history: History) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.output import ColorDepth, create_output

        from sockql.shell.completer import ShellCompleter
        from sockql.shell.input import Keyed

        self._shell = shell
        self._history = history
        self._completer = ShellCompleter(shell)
        self._keys = Keyed(sys.stdin)
        output = create_output(always_prefer_tty=True)
        colours = colourful(output.fileno())
        self._session: PromptSession[str] = PromptSession(
            lambda: [("class:prompt", prompt(shell))],
            auto_suggest=AutoSuggestFromHistory(),
            bottom_toolbar=lambda: toolbar(shell, output.get_size().columns),
            color_depth=None if colours else ColorDepth.MONOCHROME,
            complete_in_thread=True,
            complete_while_typing=True,
            completer=self._completer,
            enable_open_in_editor=True,
            enable_suspend=True,
            history=_history(history),
            include_default_pygments_style=False,
            input=self._keys,
            key_bindings=_bindings(),
            multiline=True,
            output=output,
            prompt_continuation=lambda width, _line, _wrapped: "...> ".rjust(width),
            search_ignore_case=True,
            tempfile_suffix=".sql",
        )
        if colours:
            self._colour()
        self._completer.start()

    def _colour(self) -> None:
        from prompt_toolkit.lexers import PygmentsLexer
        from prompt_toolkit.styles import style_from_pygments_cls

        from sockql.shell.highlight import lexer_class, style_class

        self._session.lexer = PygmentsLexer(lexer_class(self._completer.catalogue))
        self._session.style = style_from_pygments_cls(style_class())

    def read(self, draft: str) -> str:
        from prompt_toolkit.enums import EditingMode

        self._completer.refresh()
        self._session.editing_mode = (
            EditingMode.VI if self._shell.settings.keys == "vi" else EditingMode.EMACS
        )
        with self._interruptible() as pressed:
            try:
                text = self._session.prompt(default=draft, handle_sigint=False)
            except KeyboardInterrupt:
                return ""
            self._history.tell(self._shell.complain)
            if self._keys.interrupted():
                raise KeyboardInterrupt
        if pressed:
            raise KeyboardInterrupt
        return text

    @contextmanager
    def _interruptible(self) -> Iterator[list[int]]:
        """Keep SIGINT for later, and hand it to the editor as well while that still listens.

        Between the end of an input and the end of :meth:`PromptSession.prompt` the terminal makes
        signals of Ctrl-C again, and prompt-toolkit's own handler would lose them there.
        """
        app = self._session.app
        pressed: list[int] = []

        def interrupt(number: int, _frame: FrameType | None) -> None:
            pressed.append(number)
            if app.is_running and not app.is_done and app.loop is not None:
                app.loop.call_soon_threadsafe(app.key_processor.send_sigint)

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield pressed
        finally:
            signal.signal(signal.SIGINT, before)


def _history(kept: History) -> Any:
    from prompt_toolkit.history import History as PromptHistory

    class Kept(PromptHistory):
        """prompt-toolkit's history in our file."""

        def load_history_strings(self) -> Iterator[str]:
            return reversed(kept.load())

        def append_string(self, string: str) -> None:
            if not string[:1].isspace():
                super().append_string(string)

        def store_string(self, string: str) -> None:
            kept.append(string)

    return Kept()


def _bindings() -> KeyBindings:
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import completion_is_selected, has_focus
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()

    @bindings.add("enter", filter=has_focus(DEFAULT_BUFFER) & ~completion_is_selected)
    def _run(event: KeyPressEvent) -> None:
        """Run what is complete, or go on in a new line."""
        buffer = event.current_buffer
        if finished(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.newline(copy_margin=False)

    @bindings.add("enter", filter=has_focus(DEFAULT_BUFFER) & completion_is_selected)
    def _take(event: KeyPressEvent) -> None:
        """Take the completion that is selected."""
        event.current_buffer.complete_state = None

    return bindings
