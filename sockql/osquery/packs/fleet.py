"""Fleet's documents: YAML, several in a file, of the kinds report, query, policy and pack.

A query that is written for no platform runs on all.  A pack names queries of the same file.  A
document that cannot be used is a mistake, the others count.
Source: https://fleetdm.com/docs, the files of its standard query library; pkg/spec/spec.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockql.osquery.packs import rules
from sockql.osquery.packs.nodes import PackError
from sockql.osquery.packs.pack import Pack, PackQuery

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from sockql.osquery.packs.nodes import Node
    from sockql.osquery.packs.pack import PackFile

_POLICY: Final = "policy"
_PACK: Final = "pack"
_KINDS: Final = ("report", "query", _POLICY, _PACK)
#: Kinds of Fleet's that have no queries to run.
_OTHERS: Final = ("config", "enroll_secret", "fleet", "label", "team", "user_roles")
#: What the packs of queries that are in no pack of the file are called, by their kind.
_PLURALS: Final = {"report": "reports", "query": "queries", _POLICY: "policies"}
_VERSION: Final = "v1"
#: Which hosts a query is for, as far as only Fleet's server knows.
_LABELS: Final = ("labels_include_any", "labels_include_all", "labels_exclude_any")


def add(text: str, file: str, found: PackFile) -> None:
    """Add what the documents of ``text`` say to ``found``.

    :raises PackError: when it is no YAML, or there is neither a query nor a mistake in it.
    """
    from sockql.osquery.packs import gitops
    from sockql.osquery.packs.yaml_text import documents

    others = []
    for document in documents(text, file, found):
        if gitops.is_one(document):
            gitops.add(document, found)
        else:
            others.append(document)
    add_documents(others, found)
    if not found.packs and not found.mistakes:
        raise PackError(f"{file}:1: there is no query in it")


def add_documents(documents: Iterable[Node], found: PackFile) -> None:
    """Add what Fleet's documents say to ``found``: a pack for each kind, and those of the file."""
    kinds: dict[str, list[PackQuery]] = {}
    packs: list[tuple[str, Node]] = []
    for document in documents:
        with found.keeping():
            kind = _kind(document)
            if kind in _OTHERS:
                found.notices.append(f"{document.where}: a document of the kind {kind} is no query")
                continue
            version = _other_version(document)
            name, spec = _spec(document, kind)
            if kind != _PACK:
                query = query_of(name, spec, found, policy=kind == _POLICY)
                if version is not None:
                    query.skip, query.wrong = version, True
                kinds.setdefault(kind, []).append(query)
            elif version is not None:
                found.mistakes.append(version)
            else:
                packs.append((name, spec))
    known = _known(kinds)
    used: set[str] = set()
    for title, spec in packs:
        with found.keeping():
            found.packs.append(_pack(title, spec, known, found))
            used.update(query.name for query in found.packs[-1].queries)
    for kind, queries in kinds.items():
        rest = [query for query in queries if query.policy or query.name not in used]
        if rest:
            found.packs.append(Pack(_PLURALS[kind], rest))


def _kind(document: Node) -> str:
    """:raises PackError: for a document that is none of Fleet's, or has no name."""
    members = document.mapping("a document")
    if "apiVersion" not in members or "kind" not in members:
        document.fail(
            "this is none of Fleet's documents, which have `apiVersion` and `kind`, or `policies` "
            "or `reports`"
        )
    kind = members["kind"].text("`kind`").lower()
    if kind not in _KINDS and kind not in _OTHERS:
        members["kind"].fail(f"the kind {kind} is not one of {', '.join(_KINDS)}")
    return kind


def _other_version(document: Node) -> str | None:
    """What is wrong with the version of a document that is none that is known here."""
    version = document.value["apiVersion"]
    if version.value == _VERSION:
        return None
    shown = version.value if isinstance(version.value, (str, int, float)) else version.kind
    return f"{version.where}: its apiVersion is {shown}, and the one that is known here is v1"


def _spec(document: Node, kind: str) -> tuple[str, Node]:
    """The name of what a document describes, and its description.

    :raises PackError: when it has none.
    """
    spec = document.get("spec")
    if spec is None:
        document.fail(f"the {kind} has no `spec`")
    name = spec.mapping("`spec`").get("name")
    if name is None:
        spec.fail(f"the {kind} has no `name`")
    return name.text("`name`"), spec


def _known(kinds: dict[str, list[PackQuery]]) -> dict[str, PackQuery]:
    """The queries that are no policies by their names; of several of one name the last counts."""
    known: dict[str, PackQuery] = {}
    last: dict[tuple[bool, str], PackQuery] = {}
    for queries in kinds.values():
        for query in queries:
            before = last.get((query.policy, query.name))
            if before is not None and before.skip is None:
                before.skip = f"the one at {query.where} has its name, and the last one counts"
            last[query.policy, query.name] = query
            if not query.policy:
                known[query.name] = query
    return known


def query_of(name: str, spec: Node, found: PackFile, *, policy: bool = False) -> PackQuery:
    """The query that an object of Fleet's describes; notices of it are added to ``found``."""
    query = PackQuery(name, where=spec.where, scheduled=name, policy=policy)
    for key in ("description", "resolution"):
        said = spec.get(key)
        if said is not None and isinstance(said.value, str):
            setattr(query, key, said.value.strip())
    critical = spec.get("critical")
    query.critical = critical is not None and critical.value is True
    for key in _LABELS:
        labels = spec.get(key)
        if labels is not None and labels.value:
            found.notices.append(
                f"{labels.where}: {name}: which hosts have a label only Fleet knows: "
                f"`{key}` counts for nothing here"
            )
    version = spec.get("min_osquery_version")
    query.skip = rules.other_platform(spec.get("platform"))
    if query.skip is None and version is not None and version.value != "all":
        query.skip = rules.newer_version(version)
    sql = spec.get("query")
    if sql is None or not isinstance(sql.value, str) or not sql.value.strip():
        if query.skip is None:
            what = "has no `query`" if sql is None else f"has {sql.kind} for a `query`"
            query.skip, query.wrong = f"{spec.where}: it {what}", True
        return query
    query.sql = sql.value
    query.where = sql.where
    return query


def _pack(name: str, spec: Node, known: dict[str, PackQuery], found: PackFile) -> Pack:
    """:raises PackError: when its ``queries`` are no list."""
    queries = []
    members = spec.get("queries")
    for each in members.items("`queries`") if members is not None else ():
        with found.keeping():
            queries.append(_member(name, each, known))
    disabled = spec.get("disabled")
    off = disabled is not None and disabled.value is True
    skip = "it is disabled" if off else rules.other_platform(spec.get("platform"))
    return Pack(name, queries, skip=skip)


def _member(pack: str, each: Node, known: dict[str, PackQuery]) -> PackQuery:
    """:raises PackError: when it does not name a query."""
    called = each.get("report") or each.get("query")
    if called is None:
        each.fail("a query of a pack has to name a `query` of this file")
    named = called.text("`query`")
    scheduled = f"pack/{pack}/{named}"
    query = known.get(named)
    if query is None:
        mistake = f"{called.where}: there is no query {named!r} in this file"
        return PackQuery(named, where=called.where, scheduled=scheduled, skip=mistake, wrong=True)
    skip = (
        query.skip
        or rules.other_shard(each.get("shard"))
        or rules.other_platform(each.get("platform"))
        or rules.newer_version(each.get("version"))
    )
    return PackQuery(named, query.sql, query.where, scheduled, query.description, skip, query.wrong)
