r"""Fleet's files of GitOps: ``default.yml``, those of a team, and the lists that they name.

``policies`` and ``reports`` (once ``queries``) are lists; an element is a query, or names a file
with a list of them: ``path``, or a pattern, ``paths``.  Such a list may be read by itself.
In these files ``$NAME`` is for Fleet to fill in, from variables of where it runs, and ``\$`` is a
dollar sign.
Source: https://fleetdm.com/docs/configuration/yaml-files; pkg/spec/gitops.go, pkg/spec/spec.go
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from sockql.osquery.packs import fleet
from sockql.osquery.packs.pack import Pack, PackQuery
from sockql.osquery.packs.sources import beside, like, text_of

if TYPE_CHECKING:
    from typing import Final

    from sockql.osquery.packs.nodes import Node
    from sockql.osquery.packs.pack import PackFile

_POLICIES: Final = "policies"
_REPORTS: Final = "reports"
_SECTIONS: Final = (_POLICIES, _REPORTS, "queries")
#: What a pattern has in it, and a plain path has not.
_PATTERN: Final = "*?[{"
#: A dollar sign with backslashes before it, and the name behind it.
_VARIABLE: Final = re.compile(r"(\\*)\$(?:\{(\w+)\}|(\w+))?")


def is_one(document: Node) -> bool:
    """Whether a document is one of these files, and none that has a ``kind``."""
    if isinstance(document.value, list):
        return any(map(_is_item, document.value))
    if document.get("apiVersion") is not None or document.get("kind") is not None:
        return False
    return any(document.get(key) is not None for key in _SECTIONS)


def _is_item(node: Node) -> bool:
    return any(node.get(key) is not None for key in ("query", "path", "paths"))


def add(document: Node, found: PackFile) -> None:
    """Add the queries of such a file to ``found``."""
    if isinstance(document.value, list):
        name = _POLICIES if _has_policies(document) else _REPORTS
        found.packs.append(Pack(name, _unique(_items(document, name, found))))
        return
    for name in _SECTIONS:
        section = document.get(name)
        if section is not None and section.value is not None:
            with found.keeping():
                section.items(f"`{name}`")
                found.packs.append(Pack(name, _unique(_items(section, name, found))))


def _has_policies(document: Node) -> bool:
    """Whether a list by itself is one of policies: its file is called so, or it resolves."""
    return "polic" in os.path.basename(document.file).lower() or any(
        each.get(key) is not None for each in document.value for key in ("resolution", "critical")
    )


def _items(section: Node, name: str, found: PackFile, *, nested: bool = False) -> list[PackQuery]:
    queries: list[PackQuery] = []
    for item in section.value:
        if item.value is None:
            continue
        with found.keeping():
            item.mapping(f"each of `{name}`")
            path, pattern = item.get("path"), item.get("paths")
            if path is None and pattern is None:
                queries.append(_query(item, name, found))
                continue
            if nested:
                item.fail("a list that a `path` leads to cannot name further files")
            for named, file in _named(item, path, pattern, found):
                queries += _of_file(named, file, name, found)
    return queries


def _named(
    item: Node, path: Node | None, pattern: Node | None, found: PackFile
) -> list[tuple[Node, str]]:
    """The files that an element names, each with the node that does.

    :raises PackError: when it names none as Fleet would have it.
    """
    if path is not None and pattern is not None:
        item.fail("it has both `path` and `paths`")
    if path is not None:
        file = beside(path.text("`path`"), path)
        if any(c in path.value for c in _PATTERN) and not os.path.exists(file):
            path.fail(f"{path.value}: a pattern of files is given by `paths`")
        return [(path, file)]
    assert pattern is not None
    if not any(c in pattern.text("`paths`") for c in _PATTERN):
        pattern.fail(f"{pattern.value}: one file is given by `path`")
    files = [
        file
        for each in _braces(pattern.value)
        for file in like(each, pattern)
        if file.lower().endswith((".yml", ".yaml"))
    ]
    if not files:
        found.notices.append(f"{pattern.where}: no file is called like {pattern.value}")
    return [(pattern, file) for file in sorted(set(files))]


def _braces(pattern: str) -> list[str]:
    """What is between braces, one after another.

    >>> _braces("lib/{linux,all}/*.{yml,yaml}")
    ['lib/linux/*.yml', 'lib/linux/*.yaml', 'lib/all/*.yml', 'lib/all/*.yaml']
    """
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [each for word in found[1].split(",") for each in _braces(before + word + after)]


def _of_file(named: Node, file: str, name: str, found: PackFile) -> list[PackQuery]:
    """The queries of a list in a file of its own."""
    from sockql.osquery.packs.yaml_text import documents

    text = text_of(file, named)
    if not text.strip():
        return []
    queries = []
    for document in documents(text, file, found):
        with found.keeping():
            document.items("a file that a `path` leads to")
            queries += _items(document, name, found, nested=True)
    return queries


def _query(item: Node, name: str, found: PackFile) -> PackQuery:
    """:raises PackError: when it has no name."""
    called = item.get("name")
    if called is None:
        item.fail(f"each of `{name}` has to have a `name`")
    query = fleet.query_of(called.text("`name`"), item, found, policy=name == _POLICIES)
    kind = item.get("type")
    if kind is not None and kind.value == "patch":
        query.skip, query.wrong = "it is a patch policy, of which Fleet makes the query", False
        return query
    query.sql, variable = _filled(query.sql)
    if variable and query.skip is None:
        query.skip = f"it needs the variable {variable}, which Fleet would fill in"
    return query


def _filled(sql: str) -> tuple[str, str | None]:
    r"""The text with its dollar signs as they are meant, and the first variable in it.

    >>> _filled(r"select '^a\$x', 'a$' where $HOST = 1")
    ("select '^a$x', 'a$' where $HOST = 1", '$HOST')
    """
    variables: list[str] = []

    def fill(match: re.Match[str]) -> str:
        escapes = match[1]
        name = match[2] or match[3]
        if len(escapes) % 2:
            return escapes[: len(escapes) // 2] + match[0][len(escapes) :]
        if name:
            variables.append(f"${name}")
        return match[0]

    return _VARIABLE.sub(fill, sql), variables[0] if variables else None


def _unique(queries: list[PackQuery]) -> list[PackQuery]:
    """The same queries, of which the second of a name is an error, as it is for Fleet."""
    first: dict[str, PackQuery] = {}
    for query in queries:
        before = first.setdefault(query.name, query)
        if before is not query:
            query.skip = f"{query.where}: the one at {before.where} has its name"
            query.wrong = True
    return queries
