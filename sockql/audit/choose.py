"""Which audits are run."""

from __future__ import annotations

import os

from sockql.audit.outcome import by_severity
from sockql.errors import UsageError
from sockql.saved.library import VARIABLE, Library, files_in, selected
from sockql.saved.query import AUDIT, name_of, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sockql.saved.query import Query


class Chosen:
    """The audits to run, the most severe first.

    ``broken`` has the query files that were to be run and are none, and the directories that
    cannot be read, each as a line; ``notices`` tell which queries are hidden by others of the same
    name; ``known`` are the names of all audits that were found, run or not.
    """

    def __init__(self) -> None:
        self.queries: list[Query] = []
        self.broken: list[tuple[str, str]] = []
        self.notices: list[str] = []
        self.known: set[str] = set()


def choose(
    words: Sequence[str], *, tags: Sequence[str] = (), severity: str | None = None
) -> Chosen:
    """The audits that ``words`` name, all of the search path when there are none.

    A word with a slash in it is the path of a query file, or of a directory of them; others are
    names of saved queries.  A file that is no query does not keep the others from being run.

    :raises UsageError: for a name that is none of an audit, two audits with one name, and when
        there is nothing to run.
    """
    chosen = Chosen()
    library = Library()
    found: list[Query] = []
    if not words:
        _take(chosen, found, library.used())
        # Who names a directory in vain has audits that would not be missed.
        chosen.broken += [(f"${VARIABLE}", said) for said in library.unread]
    for word in words:
        path = os.path.expanduser(word)
        if "/" in word and os.path.isdir(path):
            _take(chosen, found, files_in([path]))
            continue
        query = library.find(word)
        if query.kind != AUDIT:
            raise UsageError(f"{word} is a report, not an audit: sockql run {word} shows it")
        found.append(query)
    broken = {said for _, said in chosen.broken}
    chosen.notices = [notice for notice in library.notices if notice not in broken]
    chosen.known = {query.name for query in found} | set(library.files)
    chosen.known |= {name for name, _ in chosen.broken}
    _refuse_twins(found)
    chosen.queries = by_severity(selected(found, tags=tags, severity=severity))
    if not chosen.queries and not chosen.broken:
        if not found:
            raise UsageError("there is no audit there; sockql queries lists the saved queries")
        raise UsageError(f"none of {len(found)} audits has that tag and is so severe")
    return chosen


def _take(chosen: Chosen, found: list[Query], paths: Iterable[str]) -> None:
    """Take the audits among the query files ``paths``."""
    for path in paths:
        try:
            query = read(path)
        except UsageError as error:
            chosen.broken.append((name_of(path), str(error)))
            continue
        if query.kind == AUDIT:
            found.append(query)


def _refuse_twins(found: list[Query]) -> None:
    """Take each audit once; names are what results and baselines go by, so they have to differ."""
    paths: dict[str, str] = {}
    for query in list(found):
        if query.name not in paths:
            paths[query.name] = query.path
            continue
        path = paths[query.name]
        if os.path.realpath(path) != os.path.realpath(query.path):
            raise UsageError(f"two audits are called {query.name}: {path} and {query.path}")
        found.remove(query)
