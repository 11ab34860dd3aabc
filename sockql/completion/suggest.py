"""Completion: what may be typed next, as a pure function of the text before and behind the cursor.

    suggest("select | from sockets", 7, standard())

needs no terminal and no engine, reads nothing but what the :class:`Catalogue` lists, never raises
and offers nothing but names that exist there or in the statement itself.  A prompt wraps it in a
few lines; see :class:`Suggestion` for what goes where.  The work is bounded: in a statement or an
input that is too long for it nothing is offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockql.completion.candidates import candidates
from sockql.completion.catalogue import (
    Argument,
    Catalogue,
    Command,
    Function,
    SavedQuery,
    Suggestion,
    standard,
)
from sockql.completion.commands import Line, takes_sql
from sockql.completion.match import choose
from sockql.completion.tokens import cut, locate

if TYPE_CHECKING:
    from typing import Final

__all__: Final = (
    "Argument",
    "Catalogue",
    "Command",
    "Function",
    "SavedQuery",
    "Suggestion",
    "standard",
    "suggest",
)


def suggest(text: str, cursor: int, catalogue: Catalogue) -> list[Suggestion]:
    """What may replace the word before ``cursor``, an index in ``text``; the best first.

    Only the statement, or the dot command, that the cursor is in counts.  Nothing is offered in
    comments, in literals that are not compared with a closed set, and where a new name is given.
    """
    cursor = max(0, min(cursor, len(text)))
    segment = locate(text, cursor, lambda word: takes_sql(catalogue, word))
    if segment is None:
        return []
    start = segment.first
    if segment.is_command:
        line = Line(text[start:cursor], start, catalogue)
        if line.sql is None:
            return choose(line.candidates(), line.partial, line.start)
        start = line.sql
    statement = cut(text, start, cursor)
    if statement is None:
        return []
    if text[cursor - 1 : cursor] == ";" and not statement.before:
        return []  # the statement has just been ended, who knows whether there is another
    return choose(candidates(text, statement, catalogue), statement.partial, statement.start)
