"""Queries of osquery's that are files of SQL, one each, with what they are for in comments.

The comment at the top is a description, and below it ``-- platform: linux`` and other words with a
colon, of which only the platform counts here.  A directory of such files is a pack, as is each
directory in it that has some.
Source: https://github.com/chainguard-dev/osquery-defense-kit, https://github.com/chainguard-dev/osqtool
"""

from __future__ import annotations

import os
import re
from glob import escape
from typing import TYPE_CHECKING

from sockql.osquery.packs import rules
from sockql.osquery.packs.nodes import Node
from sockql.osquery.packs.pack import Pack, PackQuery
from sockql.osquery.packs.sources import matching

if TYPE_CHECKING:
    from typing import Final

    from sockql.osquery.packs.pack import PackFile

_ENDING: Final = ".sql"
#: A word, or two, and a colon at the beginning of a comment.
_KEY: Final = re.compile(r"([a-z]+(?: [a-z]+)?):\s*(.*)")


def add(path: str, found: PackFile) -> None:
    """Add the query in the file at ``path`` to ``found``.

    :raises UsageError: when it cannot be read.
    """
    found.packs.append(Pack(_name(path), [_query(path)]))


def add_directory(path: str, found: PackFile) -> None:
    """Add the queries of all files in a directory, and below, to ``found``."""
    packs: dict[str, Pack] = {}
    for each in matching(f"{escape(path)}/**/*{_ENDING}"):
        with found.keeping():
            query = _query(each)
            packs.setdefault(os.path.dirname(each), Pack(_name(each), [])).queries.append(query)
    found.packs += packs.values()


def _name(path: str) -> str:
    """The name of the directory that a file is in."""
    return os.path.basename(os.path.dirname(os.path.abspath(path))) or "pack"


def _query(path: str) -> PackQuery:
    """:raises UsageError: when the file cannot be read."""
    from sockql.command.running import read_text

    text = read_text(path)
    keys, description = header(text)
    query = PackQuery(os.path.basename(path).removesuffix(_ENDING), text, f"{path}:1")
    query.scheduled = f"pack_{_name(path)}_{query.name}"
    query.description = description
    platform, line = keys.get("platform", ("", 1))
    query.skip = rules.other_platform(Node(platform, path, line))
    return query


def header(text: str) -> tuple[dict[str, tuple[str, int]], str]:
    r"""What the comment at the top says: words with a colon and their lines, and the description.

    >>> header("-- Who\n-- listens?\n--\n-- tags: a b\n-- platform: linux\nselect 1 -- one: two")
    ({'tags': ('a b', 4), 'platform': ('linux', 5)}, 'Who listens?')
    """
    keys: dict[str, tuple[str, int]] = {}
    description: list[str] = []
    done = False
    for number, line in enumerate(text.splitlines(), 1):
        comment = line.strip()
        if not comment.startswith("--"):
            break
        comment = comment[2:].strip()
        match = _KEY.fullmatch(comment)
        if match is not None:
            keys.setdefault(match[1], (match[2], number))
        done = done or match is not None or (not comment and bool(description))
        if comment and not done:
            description.append(comment)
    return keys, " ".join(description)
