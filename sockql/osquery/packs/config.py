"""osquery's files: packs, and configurations, which name packs in files of their own.

What osquery does with a mistake is kept: a query that it would not schedule is there with the
reason, a pack that cannot be read is a mistake, and the others run.  Only what has no query at all
is an error.
Source: osquery/config/packs.cpp, osquery/config/config.cpp,
https://osquery.readthedocs.io/en/stable/deployment/configuration/
"""

from __future__ import annotations

import os
from glob import escape
from typing import TYPE_CHECKING

from sockql.osquery.packs import rules
from sockql.osquery.packs.json_text import Stripped, parse
from sockql.osquery.packs.nodes import Node, PackError
from sockql.osquery.packs.pack import Pack, PackFile, PackQuery
from sockql.osquery.packs.sources import beside, like, matching, text_of

if TYPE_CHECKING:
    from typing import Final

#: What only a configuration has at its top.
_CONFIGURATION: Final = (
    *("schedule", "packs", "views", "decorators", "options", "file_paths", "file_accesses"),
    *("exclude_paths", "events", "yara", "prometheus_targets", "auto_table_construction"),
)
#: The pack of what stands under ``schedule``; osquery's name for it.
_MAIN: Final = "main"
#: The name under ``packs`` that stands for a pattern of files.
_PATTERN: Final = "*"
#: A decorator's interval is a multiple of this many seconds.
_MINUTE: Final = 60


def read(path: str) -> PackFile:
    """What the file at ``path`` says; ``-`` is standard input, a directory all packs in it.

    :raises UsageError: when it cannot be read.
    :raises PackError: when it is neither a pack, nor a configuration, nor Fleet's YAML, nor SQL.
    """
    from sockql.osquery.packs import sql_files

    found = PackFile()
    if os.path.isdir(path):
        for each in matching(f"{escape(path)}/*.conf"):
            with found.keeping():
                _add_file(each, found)
        sql_files.add_directory(path, found)
        if not found.packs and not found.mistakes:
            raise PackError(f"{path}: there is no file *.conf or *.sql in it")
    elif path.endswith(".sql"):
        sql_files.add(path, found)
    else:
        _add_file(path, found)
    return found.checked()


def _add_file(path: str, found: PackFile) -> None:
    """:raises UsageError: as :func:`read` does."""
    from sockql.command.running import read_text

    text = read_text(path)
    file = "standard input" if path == "-" else path
    if not Stripped(text).text.lstrip().startswith(("{", "[")):
        from sockql.osquery.packs import fleet

        fleet.add(text, file, found)
        return
    node = parse(text, file, found.notices)
    top = node.mapping("a pack")
    if "apiVersion" in top:
        from sockql.osquery.packs import fleet

        fleet.add_documents([node], found)
        if not found.packs and not found.mistakes:
            node.fail("there is no query in it")
    elif any(key in top for key in _CONFIGURATION):
        _add_configuration(node, found)
        for more in matching(f"{escape(path)}.d/*.conf") if path != "-" else ():
            with found.keeping():
                _add_configuration(parse(text_of(more, node), more, found.notices), found)
    elif "queries" in top:
        found.packs.append(_pack(_stem(path), node, found))
    else:
        node.fail("this is neither a pack, which has `queries`, nor a configuration of osquery")


def _stem(path: str) -> str:
    return "pack" if path == "-" else os.path.splitext(os.path.basename(path))[0]


# -- a configuration ----------------------------------------------------------------------------


def _add_configuration(node: Node, found: PackFile) -> None:
    members = node.mapping("a configuration")
    options = node.get("options")
    delimiter = options.get("pack_delimiter") if options is not None else None
    between = delimiter.value if delimiter and isinstance(delimiter.value, str) else "_"
    if schedule := members.get("schedule"):
        with found.keeping():
            queries = _queries(schedule, "`schedule`", found)
            for query in queries:
                query.scheduled = query.name
            found.packs.append(Pack(_MAIN, queries))
    if packs := members.get("packs"):
        with found.keeping():
            for name, value in packs.mapping("`packs`").items():
                _add_packs(name, value, found, between)
    if views := members.get("views"):
        with found.keeping():
            for name, value in views.mapping("`views`").items():
                with found.keeping():
                    found.views[name] = (value.text(f"the view `{name}`"), value.where)
    if decorators := members.get("decorators"):
        with found.keeping():
            _add_decorators(decorators, found)


def _add_packs(name: str, value: Node, found: PackFile, between: str) -> None:
    """Add the packs that a member of ``packs`` stands for."""
    with found.keeping():
        for each, path in _named(name, value, found):
            with found.keeping():
                pack = value if path is None else _file(path, value, found)
                found.packs.append(_pack(each, pack, found, between))


def _named(name: str, value: Node, found: PackFile) -> list[tuple[str, str | None]]:
    """The packs that a member of ``packs`` stands for: the name and the file, None for itself.

    :raises PackError: when it is neither an object nor a path.
    """
    if isinstance(value.value, dict):
        return [(name, None)]
    if not isinstance(value.value, str):
        value.fail(f"the pack `{name}` has to be an object or the path of a file, not {value.kind}")
    if name != _PATTERN:
        return [(name, beside(value.value, value))]
    # osquery's % is one level of the path and %% all below it.
    pattern = value.value.replace("%%", "**").replace("%", "*")
    paths = like(pattern, value)
    if not paths:
        found.notices.append(f"{value.where}: no file is called like {value.value}")
    return [(_stem(path), path) for path in paths]


def _file(path: str, value: Node, found: PackFile) -> Node:
    """The pack in a file that ``value`` names.

    :raises PackError: when it cannot be read, or is no JSON.
    """
    return parse(text_of(path, value), path, found.notices)


def _add_decorators(node: Node, found: PackFile) -> None:
    for when, value in node.mapping("`decorators`").items():
        if when in ("load", "always"):
            found.decorators += _texts(value, f"the decorators `{when}`", found)
        elif when == "interval":
            with found.keeping():
                for seconds, queries in value.mapping("the decorators `interval`").items():
                    number = rules.size(Node(seconds, queries.file, queries.line))
                    if not number or number % _MINUTE:
                        found.notices.append(
                            f"{queries.where}: the interval {seconds} is no multiple of {_MINUTE}"
                        )
                        continue
                    what = f"the decorators of {seconds} seconds"
                    found.decorators += _texts(queries, what, found)


def _texts(node: Node, what: str, found: PackFile) -> list[str]:
    """The texts of a list; what is none is a mistake, for osquery it is not there."""
    texts = []
    with found.keeping():
        for each in node.items(what):
            with found.keeping():
                texts.append(each.text(f"each of {what}"))
    return texts


# -- a pack -------------------------------------------------------------------------------------


def _pack(name: str, node: Node, found: PackFile, between: str = "_") -> Pack:
    members = node.mapping(f"the pack `{name}`")
    for key in ("platform", "version"):
        found.notices += filter(None, [rules.ignored(node, key)])
    skip = (
        rules.other_shard(node.get("shard"))
        or rules.other_platform(node.get("platform"))
        or rules.newer_version(node.get("version"))
    )
    discovery: list[str] = []
    if (queries := node.get("discovery")) is not None:
        if isinstance(queries.value, list):
            discovery = _texts(queries, "the queries under `discovery`", found)
        else:
            found.notices.append(
                f"{queries.where}: `discovery` is {queries.kind}, not a list: "
                "it counts for nothing in osquery"
            )
    if "queries" not in members:
        found.notices.append(f"{node.where}: the pack `{name}` has no `queries`")
        return Pack(name, [], discovery, skip)
    pack = Pack(name, _queries(members["queries"], "`queries`", found), discovery, skip)
    for query in pack.queries:
        query.scheduled = between.join(("pack", name, query.name))
    return pack


def _queries(node: Node, what: str, found: PackFile) -> list[PackQuery]:
    """The queries of an object, in the order in which osquery starts them."""
    queries = []
    for name, value in node.mapping(what).items():
        priority = value.get("startup_priority")
        first = rules.size(priority) if priority is not None else None
        queries.append((first is None, first or 0, name, _query(name, value, found)))
    return [query for *_, query in sorted(queries, key=lambda each: each[:3])]


def _query(name: str, node: Node, found: PackFile) -> PackQuery:
    query = PackQuery(name, where=node.where)
    if not isinstance(node.value, dict):
        query.wrong = True
        query.skip = f"{node.where}: a query has to be an object, not {node.kind}"
        return query
    for key in ("platform", "version"):
        found.notices += filter(None, [rules.ignored(node, key)])
    description = node.get("description")
    if description is not None and isinstance(description.value, str):
        query.description = description.value
    query.skip = (
        rules.other_shard(node.get("shard"))
        or rules.other_platform(node.get("platform"))
        or rules.newer_version(node.get("version"))
    )
    sql = node.get("query")
    if sql is not None and isinstance(sql.value, str):
        query.sql = sql.value
        query.where = sql.where
    if query.skip is None:
        query.skip = _mistake(name, node, sql)
        query.wrong = query.skip is not None
    return query


def _mistake(name: str, node: Node, sql: Node | None) -> str | None:
    """Why osquery would not schedule the query although it is meant for this host."""
    if sql is None:
        return f"{node.where}: it has no `query`"
    if not isinstance(sql.value, str):
        return f"{sql.where}: `query` has to be a text, not {sql.kind}"
    if not sql.value.strip():
        return f"{sql.where}: `query` is empty"
    reserved = rules.reserved_name(name)
    if reserved is not None:
        return f"{node.where}: {reserved}"
    return rules.wrong_interval(node.get("interval"))
