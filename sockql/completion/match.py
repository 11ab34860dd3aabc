"""How well a typed word fits a name: whole, as its beginning, by parts of words, by letters."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from sockql.completion.catalogue import ALIAS, COLUMN, TABLE, Suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# How a name fits, best first.
EXACT: Final = 0
PREFIX: Final = 1
PARTS: Final = 2  # beginnings of its words: ``ru`` in resident_usage
LATER: Final = 3  # the same, from a later word on: ``usage``
LETTERS: Final = 4  # all letters in order: ``rsusg``

#: The ranks that a suggestion can have among those that fit equally well.
RANKS: Final = 16

_NAMES: Final = frozenset({ALIAS, COLUMN, TABLE})
_SEPARATORS: Final = frozenset("_- ./=")


class Candidate(NamedTuple):
    """A name that may be offered: what is inserted and shown, and its rank, 0 the best.

    ``match`` is what the typed word is compared with, in lower case.  Candidates of one rank
    that fit equally well keep the order they are given in.
    """

    text: str
    display: str
    meta: str
    kind: str
    rank: int
    match: str


def choose(candidates: Iterable[Candidate], partial: str, start: int) -> list[Suggestion]:
    """The candidates that fit ``partial``, best first; of equal texts the first one only."""
    fit = matcher(partial.lower())
    length = len(partial)
    found = []
    for order, candidate in enumerate(candidates):
        quality = fit(candidate.match)
        if quality is None:
            continue
        if quality[0] == LETTERS and length < (2 if candidate.kind in _NAMES else 3):
            continue  # nearly everything has these letters somewhere
        found.append((quality[0] * RANKS + candidate.rank, quality[1], order, candidate))
    found.sort(key=_position)
    chosen: dict[str, Suggestion] = {}
    for priority, _, _, (text, display, meta, kind, _, _) in found:
        if text not in chosen:
            chosen[text] = Suggestion(text, start, display, meta, kind, priority)
    return list(chosen.values())


def _position(entry: tuple[int, int, int, Candidate]) -> tuple[int, int, int]:
    return entry[:3]


def matcher(pattern: str) -> Callable[[str], tuple[int, int] | None]:
    """A function that says how a name in lower case fits ``pattern``: class and distance.

    None when it does not.  The distance tells equals of a class apart, the smaller the better.
    """
    if not pattern:
        return _anything
    letters = _letters(pattern)

    def fit(name: str) -> tuple[int, int] | None:
        if name.startswith(pattern):
            return (PREFIX, 0) if len(name) > len(pattern) else (EXACT, 0)
        match = letters(name)
        if match is None:
            return None
        first = _by_parts(pattern, name)
        if first is None:
            return LETTERS, match.end() - match.start()
        return (PARTS, 0) if first == 0 else (LATER, 0)

    return fit


def _anything(_name: str) -> tuple[int, int]:
    return PREFIX, 0


@lru_cache(maxsize=64)
def _letters(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """A search for the letters of ``pattern`` in order; it never goes back over a name."""
    rest = (f"[^{re.escape(letter)}]*{re.escape(letter)}" for letter in pattern[1:])
    return re.compile(re.escape(pattern[0]) + "".join(rest), re.DOTALL).search


@lru_cache(maxsize=4096)
def _starts(name: str) -> list[int]:
    """Where the words of a name begin."""
    return [i for i in range(len(name)) if i == 0 or name[i - 1] in _SEPARATORS]


def _by_parts(pattern: str, name: str) -> int | None:
    """Where in ``name`` the letters begin when each one begins a word of it or follows the last.

    None when they do not.
    """
    starts = _starts(name)
    for first in starts:
        if name.startswith(pattern, first):
            return first
        if name[first] != pattern[0]:
            continue
        ends = {first}
        for letter in pattern[1:]:
            after = {end + 1 for end in ends if name[end + 1 : end + 2] == letter}
            if ends:
                least = min(ends)
                after.update(i for i in starts if i > least and name[i] == letter)
            ends = after
        if ends:
            return first
    return None
