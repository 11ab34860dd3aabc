"""Where the results of a session go: to the screen, into the file of ``.output`` or of ``.once``."""

from __future__ import annotations

import os
from contextlib import contextmanager

from sockql.errors import UsageError
from sockql.render.output import Output, open_output, standard_output
from sockql.render.writers import render, writer_class
from sockql.shell.names import labels
from sockql.shell.pager import Paged, pager_command
from sockql.shell.screen import Look, is_drawing, screen_writer
from sockql.shell.terminal import Keyboard, colourful, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sockql.render.writers import Row, Writer
    from sockql.shell.settings import Settings


class Results:
    """The way of results out of the session."""

    def __init__(self, settings: Settings, keyboard: Keyboard) -> None:
        self._settings = settings
        self._keyboard = keyboard
        self._screen = standard_output()
        self._file: Output | None = None
        self._once: Output | None = None
        self._between = ""
        self.colours = colourful(1)

    # -- where to -------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Where results go, for people."""
        out = self.lasting
        return "the screen" if out.terminal else out.name

    @property
    def lasting(self) -> Output:
        """Where results go that no ``.once`` takes."""
        return self._file or self._screen

    @property
    def on_screen(self) -> bool:
        """Whether the next result is for eyes."""
        return (self._once or self.lasting).terminal

    def to_file(self, path: str) -> None:
        """Write all further results into ``path``, which is emptied first.

        :raises UsageError: when it cannot be opened.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        path = os.path.expanduser(path)
        try:
            out = Output(os.open(path, flags, 0o666), path, owned=True)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        self.to_screen()
        self._file = out

    def to_screen(self) -> None:
        """Write to the screen again."""
        out, self._file = self._file, None
        self._between = ""
        if out is not None:
            out.finish()

    def once(self, path: str) -> None:
        """Write the next result into ``path``, which appears when it is complete.

        :raises UsageError: when it cannot be written.
        """
        self.close_once()
        self._once = open_output(os.path.expanduser(path))

    def close_once(self) -> None:
        """Forget a ``.once`` that no result has come for."""
        out, self._once = self._once, None
        if out is not None:
            out.abandon()

    def close(self) -> None:
        """The session is over."""
        self.close_once()
        self.to_screen()

    def begin(self) -> None:
        """Something new was entered, whose first result needs nothing before it."""
        if self._file is None:
            self._between = ""

    # -- what -----------------------------------------------------------------------------

    def rows(self, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Write a result.

        :raises UsageError: when the file or device refuses.
        """
        with self._destination() as out:
            if out.terminal:
                with self._paged(out) as paged:
                    render(self._writer(columns), rows, paged, self._between)
                    self._between = "\n"
            else:
                self._plainly(columns, rows, out)

    def text(self, text: str) -> None:
        """Write a text for people, such as a schema.

        :raises UsageError: when the file or device refuses.
        """
        with self._destination() as out:
            if out.terminal:
                with self._paged(out) as paged:
                    paged.write(text)
            else:
                out.write(text)

    @contextmanager
    def _destination(self) -> Iterator[Output]:
        """Where this result goes; a file of ``.once`` is for this one alone."""
        once, self._once = self._once, None
        if once is not None:
            with once:
                yield once
            return
        out = self.lasting
        try:
            yield out
        except (UsageError, BrokenPipeError) as error:
            if out is not self._file:
                raise
            # A full disk, or a pipe without a reader, refuses the next result as well.
            self._file = None
            self._between = ""
            out.abandon()
            what = str(error) if isinstance(error, UsageError) else f"{out.name}: nobody reads it"
            raise UsageError(f"{what}; results go to the screen again") from None

    def _plainly(self, columns: Sequence[str], rows: Iterable[Row], out: Output) -> None:
        """For programs: nothing shortened, nothing resolved."""
        settings = self._settings
        writer = writer_class(settings.mode)(columns, header=settings.headers, terminal=False)
        if settings.null is not None and not settings.mode.startswith("json"):
            rows = _replaced(rows, settings.null)
        lasting = out in (self._file, self._screen)
        render(writer, rows, out, self._between if lasting else "")
        if lasting:
            self._between = writer.between

    def _writer(self, columns: Sequence[str]) -> Writer:
        settings = self._settings
        mode = "simple" if settings.mode == "table" else settings.mode
        if mode != "line" and not is_drawing(mode):
            return writer_class(mode)(columns, header=settings.headers, terminal=True)
        look = Look(
            size(1)[0],
            colours=self.colours,
            null="NULL" if settings.null is None else settings.null,
            widths=settings.widths,
            labels=labels(columns) if settings.resolve else None,
        )
        return screen_writer(mode, columns, look, header=settings.headers)

    @contextmanager
    def _paged(self, out: Output) -> Iterator[Paged]:
        """The screen, or a pager on it; what came before an error is shown."""
        command = pager_command(dict(os.environ)) if self._settings.pager else None
        paged = Paged(out, command, size(1), self._keyboard.cooked)
        try:
            yield paged
        except (Exception, KeyboardInterrupt) as error:
            running = paged.running
            paged.finish()
            # Leaving the pager early, or with Ctrl-C for more, is no error.
            if not (running and isinstance(error, (BrokenPipeError, KeyboardInterrupt))):
                raise
        except BaseException:
            paged.abandon()
            raise
        else:
            paged.finish()


def _replaced(rows: Iterable[Row], null: str) -> Iterator[Row]:
    """The rows, their NULLs as the user wants to see them."""
    for row in rows:
        yield tuple([null if cell is None else cell for cell in row]) if None in row else row
