"""Files that a file names: beside it, by path or by pattern.

Only regular files are read, as osquery does: a FIFO would keep the others waiting.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from glob import escape
from typing import TYPE_CHECKING

from sockql.errors import UsageError
from sockql.osquery.packs.nodes import PackError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockql.osquery.packs.nodes import Node


def beside(path: str, value: Node) -> str:
    """A path that is not absolute is one beside the file that names it in ``value``."""
    return os.path.join(os.path.dirname(value.file), path)


def like(pattern: str, value: Node) -> list[str]:
    """The files that a pattern stands for, which is one beside the file that names it in ``value``."""
    return matching(os.path.join(escape(os.path.dirname(value.file)), pattern))


def text_of(path: str, value: Node) -> str:
    """The text of the file at ``path``, which ``value`` names.

    :raises PackError: when it cannot be read, or is no regular file.
    """
    from sockql.command.running import read_text

    if "\0" in path:
        value.fail(f"{path!r} is no path")
    if os.path.exists(path) and not os.path.isfile(path):
        value.fail(f"{path}: it is no regular file")
    try:
        return read_text(path)
    except UsageError as error:
        raise PackError(f"{value.where}: {error}") from None


def matching(pattern: str) -> list[str]:
    """The regular files that a pattern of a shell stands for, in the order of their names.

    ``**`` stands for any number of directories, of which links are not followed: they may lead
    back. A name that begins with a dot has to be named by it.
    """
    start = "/" if pattern.startswith("/") else ""
    parts = [part for part in pattern.split("/") if part]
    if not parts or "\0" in pattern:
        return []
    return list(dict.fromkeys(_matching(start, parts)))


def _matching(directory: str, parts: Sequence[str]) -> Iterator[str]:
    part, *rest = parts
    if part == "**":
        yield from _matching(directory, rest or ["*"])
        for name in _names(directory, "*"):
            path = os.path.join(directory, name)
            if os.path.isdir(path) and not os.path.islink(path):
                yield from _matching(path, parts)
        return
    for name in _names(directory, part):
        path = os.path.join(directory, name)
        if rest and os.path.isdir(path):
            yield from _matching(path, rest)
        elif not rest and os.path.isfile(path):
            yield path


def _names(directory: str, part: str) -> list[str]:
    if not any(character in part for character in "*?["):
        return [part]
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return []
    dot = part.startswith(".")
    return sorted(n for n in names if fnmatchcase(n, part) and (dot or not n.startswith(".")))
