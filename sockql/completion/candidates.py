"""The names that may stand at a place, in the order in which they are likely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sockql.completion import catalogue as kinds
from sockql.completion import place as wanted
from sockql.completion.builtins import PRAGMAS, TABLE_FUNCTIONS, TYPES
from sockql.completion.columns import columns, functions, joins, outputs, qualified, values
from sockql.completion.commands import command_candidates
from sockql.completion.context import find
from sockql.completion.groups import Group, is_name
from sockql.completion.joins import is_key, shared
from sockql.completion.match import Candidate
from sockql.completion.scope import Scope
from sockql.completion.tokens import Token
from sockql.completion.writing import (
    COMMAND,
    FIRST,
    FUNCTION,
    KEYWORD,
    LIKELY,
    OUTER,
    VISIBLE,
    Writer,
    column,
    sentence,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.completion.catalogue import Catalogue
    from sockql.completion.place import Place
    from sockql.completion.tokens import Statement

_MOST_NAMES: Final = 200  # names of a statement that are looked up to rank tables


def candidates(text: str, statement: Statement, catalogue: Catalogue) -> Iterator[Candidate]:
    """Everything that may stand at the cursor, whatever has been typed of it."""
    scope = Scope(text, catalogue.tables)
    place = find(statement, scope)
    writer = Writer(statement)
    wants = place.wants
    if wants == wanted.PARAMETERS:
        for name in catalogue.parameters:
            yield Candidate(name, name, "", kinds.PARAMETER, FIRST, name.lower())
        return
    if wants in (wanted.VALUES, wanted.OPERAND):
        yield from values(place, writer)
    if wants == wanted.VALUES:
        return
    if place.joined is not None and not writer.quote:
        yield from joins(place, writer)
    if wants == wanted.OPERAND:
        yield from outputs(place, scope, writer)
        if place.clause != "order" or not place.core:
            # ORDER BY after UNION takes nothing but result columns.
            yield from columns(place, writer, catalogue)
            if not writer.quote:
                yield from functions(place, writer, catalogue)
    elif wants == wanted.QUALIFIED:
        yield from qualified(place, scope, writer)
    elif wants == wanted.TABLES:
        yield from _tables(place, scope, writer, catalogue)
    elif wants == wanted.COLUMNS:
        schema = scope.tables.get(place.qualifier.lower())
        for field in scope.table_fields(schema) if schema else ():
            if field.name.lower() not in place.taken:
                yield column(writer.name(field.name), field, VISIBLE)
    elif wants in (wanted.TYPES, wanted.PRAGMAS) and not writer.quote:
        for name in TYPES if wants == wanted.TYPES else PRAGMAS:
            written = writer.keyword(name) if wants == wanted.TYPES else name
            yield Candidate(written, written, "", kinds.KEYWORD, KEYWORD, name)
    if not writer.quote:
        for rank, keywords in ((FIRST, place.urgent), (KEYWORD, place.keywords)):
            for keyword in keywords:
                written = writer.keyword(keyword)
                yield Candidate(written, written, "", kinds.KEYWORD, rank, keyword)
        if not statement.before and not statement.partial:
            line = text[text.rfind("\n", 0, statement.start) + 1 : statement.start]
            if not line.strip():
                yield from command_candidates(catalogue, COMMAND)


def _tables(
    place: Place, scope: Scope, writer: Writer, catalogue: Catalogue
) -> Iterator[Candidate]:
    """Tables; first those that can be joined, or that have the columns the statement names."""
    for cte in scope.expressions(place.group).values():
        meta = "common table expression"
        written = writer.name(cte.name)
        yield Candidate(written, written, meta, kinds.ALIAS, LIKELY, cte.name.lower())
    present = {source.relation.lower() for source in place.left}
    names = _names(place) if place.clause == "from" and not place.left else set()
    ranked = []
    for order, (name, schema) in enumerate(catalogue.tables.items()):
        rank = VISIBLE
        if present:
            new = scope.table(name)
            if name.lower() in present:
                rank = OUTER
            elif any(is_key(owned.field) for owned in shared(place.left, new)):
                rank = LIKELY
        known = sum(column.name.lower() in names for column in schema.columns)
        ranked.append((-known, order, rank, name, schema))
    for _, _, rank, name, schema in sorted(ranked, key=lambda entry: entry[:2]):
        written = writer.name(name)
        meta = sentence(schema.doc)
        yield Candidate(written, written, meta, kinds.TABLE, rank, name.lower())
    if place.clause == "from" and not writer.quote:
        for name, doc in TABLE_FUNCTIONS.items():
            written = name if writer.call else f"{name}("
            signature, _, meta = doc.partition(": ")
            yield Candidate(written, signature, meta, kinds.FUNCTION, FUNCTION, name)


def _names(place: Place) -> set[str]:
    """Bare names that the query uses, in lower case."""
    found: set[str] = set()
    for item in place.query.items[:_MOST_NAMES]:
        for part in item.items if isinstance(item, Group) else (item,):
            if isinstance(part, Token) and is_name(part):
                found.add(part.name.lower())
    return found
