"""Fleet's files: YAML, several documents in one, of the kinds report, query, policy and pack.

A query that is written for no platform runs on all.  A pack names queries of the same file.
Source: https://fleetdm.com/docs, the files of its standard query library
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from sockql.osquery.packs import rules
from sockql.osquery.packs.nodes import Node, PackError
from sockql.osquery.packs.pack import Pack, PackQuery

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from sockql.osquery.packs.pack import PackFile

#: libyaml's parser where PyYAML was built with it: ten times as fast, with the same nodes.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Lists within lists; Fleet's documents have four.
_DEEPEST: Final = 100

_POLICY: Final = "policy"
_PACK: Final = "pack"
_KINDS: Final = ("report", "query", _POLICY, _PACK)
#: What the packs of queries that are in no pack of the file are called, by their kind.
_PLURALS: Final = {"report": "reports", "query": "queries", _POLICY: "policies"}


def add(text: str, file: str, found: PackFile) -> None:
    """Add what the documents of ``text`` say to ``found``.

    :raises PackError: when it is no YAML, or none of Fleet's.
    """
    try:
        documents = [
            _node(document, file, {})
            for document in yaml.compose_all(text, _LOADER)
            if document is not None and document.tag != "tag:yaml.org,2002:null"
        ]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise PackError(f"{file}:{line}: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise PackError(f"{file}:1: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise PackError(f"{file}:1: it is nested too deeply") from None
    if not documents:
        raise PackError(f"{file}:1: there is nothing in it")
    add_documents(documents, found)


def add_documents(documents: Iterable[Node], found: PackFile) -> None:
    """Add what Fleet's documents say to ``found``: a pack for each kind, and those of the file.

    :raises PackError: for a document that is none of Fleet's.
    """
    kinds: dict[str, list[PackQuery]] = {}
    packs: list[tuple[str, Node]] = []
    for document in documents:
        kind = _kind(document)
        spec = document.get("spec")
        if spec is None:
            document.fail(f"the {kind} has no `spec`")
        name = spec.mapping("`spec`").get("name")
        if name is None:
            spec.fail(f"the {kind} has no `name`")
        if kind == _PACK:
            packs.append((name.text("`name`"), spec))
        else:
            query = _query(name.text("`name`"), spec, policy=kind == _POLICY)
            kinds.setdefault(kind, []).append(query)
    known = {
        query.name: query for queries in kinds.values() for query in queries if not query.policy
    }
    used: set[str] = set()
    for title, spec in packs:
        found.packs.append(_pack(title, spec, known))
        used.update(query.name for query in found.packs[-1].queries)
    for kind, queries in kinds.items():
        rest = [query for query in queries if query.policy or query.name not in used]
        if rest:
            found.packs.append(Pack(_PLURALS[kind], rest))


def _kind(document: Node) -> str:
    members = document.mapping("a document")
    if "apiVersion" not in members or "kind" not in members:
        document.fail("this is none of Fleet's documents, which have `apiVersion` and `kind`")
    kind = members["kind"].text("`kind`")
    if kind not in _KINDS:
        members["kind"].fail(f"the kind {kind} is not one of {', '.join(_KINDS)}")
    return kind


def _query(name: str, spec: Node, *, policy: bool = False) -> PackQuery:
    query = PackQuery(name, where=spec.where, scheduled=name, policy=policy)
    for key in ("description", "resolution"):
        said = spec.get(key)
        if said is not None and isinstance(said.value, str):
            setattr(query, key, said.value.strip())
    query.skip = rules.other_platform(spec.get("platform")) or rules.newer_version(
        spec.get("min_osquery_version")
    )
    sql = spec.get("query")
    if sql is None or not isinstance(sql.value, str) or not sql.value.strip():
        if query.skip is None:
            what = "has no `query`" if sql is None else f"has {sql.kind} for a `query`"
            query.skip, query.wrong = f"{spec.where}: it {what}", True
        return query
    query.sql = sql.value
    query.where = sql.where
    return query


def _pack(name: str, spec: Node, known: dict[str, PackQuery]) -> Pack:
    queries = []
    members = spec.get("queries")
    for each in members.items("`queries`") if members is not None else ():
        called = each.get("query")
        if called is None:
            each.fail("a query of a pack has to name a `query` of this file")
        named = called.text("`query`")
        if named not in known:
            called.fail(f"there is no query {named!r} in this file")
        query = known[named]
        skip = (
            rules.other_shard(each.get("shard"))
            or rules.other_platform(each.get("platform"))
            or rules.newer_version(each.get("version"))
        )
        scheduled = f"pack/{name}/{named}"
        queries.append(
            PackQuery(
                query.name,
                query.sql,
                query.where,
                scheduled,
                query.description,
                query.skip or skip,
                query.wrong,
            )
        )
    return Pack(name, queries, skip=rules.other_platform(spec.get("platform")))


def _node(node: yaml.Node, file: str, done: dict[int, Node], depth: int = 0) -> Node:
    """PyYAML's node as ours; scalars that are not in quotes are what YAML 1.1 takes them for.

    ``done`` has those that were made before: an alias is the node that it stands for, or a small
    file could stand for more than any memory holds.
    """
    if id(node) in done:
        return done[id(node)]
    line = node.start_mark.line + 1
    if depth > _DEEPEST:
        raise PackError(f"{file}:{line}: it is nested too deeply")
    if isinstance(node, yaml.MappingNode):
        members: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise PackError(f"{file}:{key.start_mark.line + 1}: a name has to be a text")
            members[key.value] = _node(value, file, done, depth + 1)
        made = Node(members, file, line)
    elif isinstance(node, yaml.SequenceNode):
        made = Node([_node(value, file, done, depth + 1) for value in node.value], file, line)
    else:
        made = Node(_scalar(node), file, line)
    done[id(node)] = made
    return made


def _scalar(node: yaml.Node) -> object:
    text: str = node.value
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on")
    if kind in ("int", "float"):
        try:
            return int(text) if kind == "int" else float(text)
        except ValueError:  # 0x10, 1_000, 1:30: YAML's ways of writing a number
            return text
    return text
