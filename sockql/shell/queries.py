"""Saved queries: one .sql file each, the user's own before those that come with sockql."""

from __future__ import annotations

import os
import re

from sockql.errors import UsageError
from sockql.sqltext import parameters, statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Query:
    """A saved query: its SQL, and the first line of the comment before it."""

    __slots__ = ("doc", "name", "origin", "parameters", "sql")

    def __init__(self, name: str, sql: str, origin: str) -> None:
        self.name = name
        self.sql = sql
        self.origin = origin
        self.parameters = tuple(sorted(parameters(sql)))
        comments = []
        for line in sql.split("\n"):
            if not line.startswith("--"):
                break
            comments.append(line.lstrip("- ").rstrip())
        self.doc = next((comment for comment in comments if comment), "")


def directory() -> str:
    """The user's directory of saved queries.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/
    """
    config = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(config):
        config = os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(config, "sockql", "queries")


def saved() -> dict[str, Query]:
    """Every saved query that can be read, by name."""
    found = {}
    for name, text in _shipped().items():
        found[name] = Query(name, text, "sockql")
    folder = directory()
    try:
        files = os.listdir(folder)
    except OSError:
        files = []
    for file in files:
        name, dot, _ = file.rpartition(".sql")
        if dot and file.endswith(".sql"):
            path = os.path.join(folder, file)
            try:
                found[name] = Query(name, _text(path), path)
            except (OSError, UsageError):
                continue  # .run says why
    return dict(sorted(found.items()))


def find(name: str) -> Query:
    """The saved query called ``name``, or the one in the file that ``name`` is the path of.

    :raises UsageError: when there is none, or it cannot be read.
    """
    path = os.path.expanduser(name)
    if "/" not in path:
        path = os.path.join(directory(), f"{name}.sql")
        if not os.path.lexists(path):
            shipped = _shipped()
            if name in shipped:
                return Query(name, shipped[name], "sockql")
            from difflib import get_close_matches

            close = get_close_matches(name, saved(), 1)
            meant = f"did you mean {close[0]}?" if close else ".queries lists them"
            raise UsageError(f"no saved query {name}; {meant}")
    try:
        return Query(name, _text(path), path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def save(name: str, sql: str, *, replace: bool = False) -> str:
    """Keep ``sql`` as ``name`` for the user; the path of its file.

    :raises UsageError: when the name is none, or taken, or the file cannot be written.
    """
    if not _NAME.fullmatch(name) or name.endswith(".sql"):
        raise UsageError(
            f"{name}: a name has letters, digits, _, - and dots, and no .sql at its end"
        )
    if not statements(sql):
        raise UsageError("there is no statement to save")
    from sockql.render.output import open_output

    path = os.path.join(directory(), f"{name}.sql")
    if os.path.lexists(path) and not replace:
        raise UsageError(f"{path} is there already; .save -f {name} replaces it")
    try:
        os.makedirs(directory(), mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    with open_output(path) as out:
        out.write(sql.strip() + ("\n" if sql.rstrip().endswith(";") else ";\n"))
    return path


def _shipped() -> dict[str, str]:
    from importlib.resources import files

    return {
        entry.name.removesuffix(".sql"): entry.read_text("utf-8")
        for entry in files("sockql.queries").iterdir()
        if entry.name.endswith(".sql")
    }


def _text(path: str) -> str:
    with open(path, "rb") as file:
        data = file.read(1 << 20)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text at byte {error.start}") from None
