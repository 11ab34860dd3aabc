"""Files that queries are joined with: lists as temporary tables, databases attached for reading."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockql.engine import Engine


def join(engine: Engine, lists: Iterable[str] = (), databases: Iterable[str] = ()) -> None:
    """Make files known to the queries of ``engine``, each given as ``NAME=FILE``.

    :raises UsageError: for a name that is taken, or a file that is not what it should be.
    """
    from sockql.errors import UsageError
    from sockql.loading.databases import attach
    from sockql.loading.lists import load
    from sockql.loading.names import split

    named = [split("--load", argument) for argument in lists]
    if [path for _, path in named].count("-") > 1:
        raise UsageError("--load: standard input is one list; name files for the others")
    for name, path in named:
        load(engine, name, path)
    for argument in databases:
        attach(engine, *split("--attach", argument))
