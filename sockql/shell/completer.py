"""Completion at the prompt: prompt-toolkit asks, :func:`sockql.completion.suggest.suggest` answers."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread

from prompt_toolkit.completion import Completer, Completion

from sockql.completion.suggest import Catalogue, SavedQuery, standard, suggest
from sockql.schema import Column, Schema
from sockql.shell.commands import is_command, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from sockql.engine import Engine
    from sockql.shell.session import Shell


#: Seconds that the first completion may wait for the declarations, in its own thread.
_PATIENCE: Final = 10.0


class ShellCompleter(Completer):
    """What may come next, from the declarations and from what the session has of its own.

    prompt-toolkit calls :meth:`get_completions` in a thread, so that typing never waits; it must
    not use the engine.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._standard: Catalogue | None = None
        self._now: Catalogue | None = None
        self._own: dict[str, Schema] = {}
        self._loading: Thread | None = None
        self._queries: tuple[SavedQuery, ...] | None = None

    def start(self) -> None:
        """Begin to :meth:`load` in a thread."""
        self._loading = Thread(target=self.load, daemon=True)
        self._loading.start()

    def load(self) -> None:
        """Look at all declarations, while the user reads the first prompt."""
        self._standard = replace(
            standard(self._shell.engine.dialect), commands=tuple(load().values())
        )
        self._now = None

    def refresh(self) -> None:
        """Look at what statements and commands may have changed since the last prompt."""
        self._own = own_tables(self._shell.engine)
        self._now = None
        self._queries = None

    def catalogue(self) -> Catalogue | None:
        """Everything that may be named; None until that is known."""
        if self._now is None and self._standard is not None:
            self._now = replace(
                self._standard,
                tables={**self._standard.tables, **self._own},
                parameters=tuple(self._shell.settings.parameters),
            )
        return self._now

    def get_completions(
        self, document: Document, _complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        if self._loading is not None:
            self._loading.join(_PATIENCE)
        catalogue = self.catalogue()
        if catalogue is None:
            return
        if is_command(document.text):
            if self._queries is None:
                self._queries = _saved_queries()
            catalogue = replace(catalogue, queries=self._queries)
        cursor = document.cursor_position
        for found in suggest(document.text, cursor, catalogue):
            yield Completion(
                found.text, found.start - cursor, display=found.display, display_meta=found.meta
            )


def _saved_queries() -> tuple[SavedQuery, ...]:
    from sockql.saved.library import Library

    return tuple(SavedQuery(each.name, each.title, tuple(each.params)) for each in Library().all())


def own_tables(engine: Engine) -> dict[str, Schema]:
    """The temporary tables and views of the session, as if they were declared."""
    found = {}
    for name, kind in engine.query(
        "select name, type from sqlite_temp_master where type in ('table', 'view')"
    ):
        columns = []
        for position, (column, type) in enumerate(
            engine.query("select name, type from pragma_table_xinfo(:name)", {"name": name})
        ):
            each = Column(type, "", source="", get=lambda _record: None)
            each.name, each.position = column, position
            columns.append(each)
        found[name] = Schema(name, f"A {kind} of this session.", tuple(columns), ())
    return found
