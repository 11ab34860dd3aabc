"""Where saved queries are found, and which one a name means."""

from __future__ import annotations

import os
import re

from sockql.errors import UsageError
from sockql.saved.query import name_of, parse, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Final

    from sockql.saved.query import Query

#: Names directories of saved queries, separated by colons.
VARIABLE: Final = "SOCKQL_QUERIES"

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NO_NAME: Final = "not the name of a query, which has letters, digits, _, - and dots"


def user_directory(environment: Mapping[str, str] = os.environ) -> str:
    """The user's directory of saved queries.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/
    """
    config = environment.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(config):
        config = os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(config, "sockql", "queries")


def shipped_directory() -> str:
    """The directory of the queries that come with sockql."""
    from sockql import queries

    return os.path.abspath(queries.__path__[0])


def search_path(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The directories where queries are looked for, the first one first."""
    named = [path for path in environment.get(VARIABLE, "").split(":") if path]
    return [*named, user_directory(environment), shipped_directory()]


def is_name(name: str) -> bool:
    """Whether a query can be called so: people type it, shells complete it, it is a file's name."""
    return _NAME.fullmatch(name) is not None and not name.endswith(".sql")


class Library:
    """The saved queries in some directories; of two with one name the first one counts.

    Without ``paths`` the directories are those of :func:`search_path`.  ``notices`` has a line
    for each query that another one hides, and for each file that cannot be used; ``unread`` are
    those about directories that were named and cannot be read.
    """

    def __init__(self, paths: Iterable[str] | None = None) -> None:
        self.paths = search_path() if paths is None else list(paths)
        self.notices: list[str] = []
        self.unread: list[str] = []
        self._files: dict[str, list[str]] | None = None

    @property
    def files(self) -> Mapping[str, Sequence[str]]:
        """The paths of each query by its name, sorted; the first one counts."""
        if self._files is None:
            found: dict[str, list[str]] = {}
            for path in self._listed():
                found.setdefault(name_of(path), []).append(path)
            self._files = dict(sorted(found.items()))
        return self._files

    def find(self, name: str) -> Query:
        """The query called ``name``; with a slash in it, the one in the file of that path.

        :raises UsageError: when there is none, or it cannot be used.
        """
        if "/" in name:
            return read(os.path.expanduser(name))
        if name in self.files:
            return self._first(self.files[name])
        from difflib import get_close_matches

        starting = [each for each in self.files if each.startswith(name)]
        close = get_close_matches(name, self.files, 1) or starting
        if close:
            meant = f"did you mean {close[0]}?"
        elif os.path.exists(name):
            meant = f"a file is named by a path: ./{name}"
        else:
            meant = "sockql queries lists them"
        raise UsageError(f"no saved query {name}; {meant}")

    def all(self) -> list[Query]:
        """Every query that can be used, sorted by name; the others are noticed."""
        found = []
        for paths in self.files.values():
            try:
                found.append(self._first(paths))
            except UsageError as error:
                self._notice(str(error))
        return found

    def used(self) -> list[str]:
        """The file of each name, sorted by name; those that they hide are noticed."""
        return list(map(self._used, self.files.values()))

    def _used(self, paths: Sequence[str]) -> str:
        for hidden in paths[1:]:
            self._notice(f"{paths[0]} is used, not {hidden}")
        return paths[0]

    def _first(self, paths: Sequence[str]) -> Query:
        return read(self._used(paths))

    def _listed(self) -> Iterator[str]:
        for directory in dict.fromkeys(self.paths):
            try:
                with os.scandir(directory) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                said = f"{directory}: {error.strerror}"
                if directory != user_directory():
                    self.unread.append(said)
                # The user's directory is there once something has been saved.
                if directory != user_directory() or not isinstance(error, FileNotFoundError):
                    self._notice(said)
                continue
            for entry in found:
                if not _is_query(entry.name):
                    continue
                if not entry.is_file():  # reading a FIFO would never end
                    self._notice(f"{entry.path}: not a file")
                elif is_name(name_of(entry.path)):
                    yield entry.path
                else:
                    self._notice(f"{entry.path}: {_NO_NAME}")

    def _notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)


def files_in(paths: Iterable[str], library: Library | None = None) -> list[str]:
    """Files as they are, the query files in directories, sorted, and those that ``library`` names.

    :raises UsageError: for a directory that cannot be read, or has none, and what is only a name
        and that of no query.
    """
    found = []
    for path in paths:
        if library is not None and path in library.files and not os.path.exists(path):
            found.append(library.files[path][0])
        elif library is not None and is_name(path) and not os.path.lexists(path):
            library.find(path)  # which says what was probably meant
        elif os.path.isdir(path):
            found += _in_directory(path)
        else:
            found.append(path)
    return found


def _in_directory(path: str) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(path) if _is_query(name))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if not names:
        raise UsageError(f"{path}: there are no .sql files in this directory")
    return [os.path.join(path, name) for name in names]


def _is_query(file: str) -> bool:
    return file.endswith(".sql") and file[0] != "."


def selected(
    queries: Iterable[Query],
    *,
    tags: Sequence[str] = (),
    severity: str | None = None,
    words: str = "",
) -> list[Query]:
    """Those that have one of ``tags``, are at least so severe, and speak of all of ``words``.

    :raises UsageError: for a severity that does not exist, and a tag that no query has.
    """
    from sockql.saved.query import SEVERITIES

    queries = list(queries)
    known = sorted({tag for query in queries for tag in query.tags})
    for tag in tags:
        if tag not in known:
            from difflib import get_close_matches

            close = get_close_matches(tag, known, 1)
            meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            if not known:
                meant = "none of them has any tag"
            raise UsageError(f"--tag {tag}: no query has it; {meant}")
    least = 0
    if severity is not None:
        if severity not in SEVERITIES:
            raise UsageError(f"--severity {severity}: not one of {', '.join(SEVERITIES)}")
        least = SEVERITIES.index(severity)
    found = []
    for query in queries:
        if tags and not set(tags) & set(query.tags):
            continue
        if severity is not None and (
            query.severity is None or SEVERITIES.index(query.severity) < least
        ):
            continue
        said = " ".join([query.name, query.title, query.description, *query.tags]).lower()
        if all(word in said for word in words.lower().split()):
            found.append(query)
    return found


def save(name: str, sql: str, *, replace: bool = False) -> str:
    """Keep ``sql`` as the user's query ``name``; the path of its file.

    :raises UsageError: when the name is none, or taken, the SQL is no query, or the file cannot
        be written.
    """
    if not is_name(name):
        raise UsageError(
            f"{name}: a name has letters, digits, _, - and dots, and no .sql at its end"
        )
    parse(sql, f"{name}.sql")
    from sockql.render.output import open_output

    directory = user_directory()
    path = os.path.join(directory, f"{name}.sql")
    if os.path.lexists(path) and not replace:
        raise UsageError(f"{path} is there already; .save -f {name} replaces it")
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    with open_output(path) as out:
        out.write(sql.strip() + ("\n" if sql.rstrip().endswith(";") else ";\n"))
    return path
