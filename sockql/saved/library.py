"""Where saved queries are found, and which one a name means."""

from __future__ import annotations

import os

from sockql.errors import UsageError
from sockql.saved.query import name_of, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Final

    from sockql.saved.query import Query

#: Names directories of saved queries, separated by colons.
VARIABLE: Final = "SOCKQL_QUERIES"


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


class Library:
    """The saved queries in some directories; of two with one name the first one counts.

    Without ``paths`` the directories are those of :func:`search_path`.  ``notices`` has a line
    for each query that another one hides, and for each file that cannot be used.
    """

    def __init__(self, paths: Iterable[str] | None = None) -> None:
        self.paths = search_path() if paths is None else list(paths)
        self.notices: list[str] = []
        self._files: dict[str, str] | None = None

    @property
    def files(self) -> dict[str, str]:
        """The path of each query by its name, sorted; hidden ones are left out, and noticed."""
        if self._files is None:
            found: dict[str, str] = {}
            for path in self._listed():
                first = found.setdefault(name_of(path), path)
                if first != path:
                    self._notice(f"{first} hides {path}")
            self._files = dict(sorted(found.items()))
        return self._files

    def find(self, name: str) -> Query:
        """The query called ``name``; with a slash in it, the one in the file of that path.

        :raises UsageError: when there is none, or it cannot be used.
        """
        if "/" in name:
            return read(os.path.expanduser(name))
        files = self.files
        if name in files:
            return read(files[name])
        from difflib import get_close_matches

        close = get_close_matches(name, files, 1)
        if close:
            meant = f"did you mean {close[0]}?"
        elif os.path.exists(name):
            meant = f"the file is ./{name}"
        else:
            meant = "sockql queries lists them"
        raise UsageError(f"no saved query {name}; {meant}")

    def all(self) -> list[Query]:
        """Every query that can be used, sorted by name; the others are noticed."""
        found = []
        for path in self.files.values():
            try:
                found.append(read(path))
            except UsageError as error:
                self._notice(str(error))
        return found

    def _listed(self) -> Iterator[str]:
        for directory in dict.fromkeys(self.paths):
            try:
                names = os.listdir(directory)
            except FileNotFoundError:
                continue  # the user's directory is there once something is saved
            except OSError as error:
                self._notice(f"{directory}: {error.strerror}")
                continue
            for name in sorted(names):
                if name.endswith(".sql") and name[0] != ".":
                    yield os.path.join(directory, name)

    def _notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)
