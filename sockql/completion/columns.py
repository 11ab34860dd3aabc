"""What may stand for a value: literals of closed sets, join conditions, columns, functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sockql.completion import catalogue as kinds
from sockql.completion.builtins import AGGREGATE, SCALAR, WINDOW
from sockql.completion.joins import conditions, shared
from sockql.completion.match import Candidate
from sockql.completion.place import COMMON
from sockql.completion.scope import Scope
from sockql.completion.sources import find_field, merged
from sockql.completion.tokens import tokenize
from sockql.completion.writing import (
    FIRST,
    FUNCTION,
    HIDDEN,
    LIKELY,
    OUTER,
    OUTER_HIDDEN,
    QUALIFIER,
    VISIBLE,
    Writer,
    column,
    describe,
    sentence,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.completion.catalogue import Catalogue
    from sockql.completion.place import Place
    from sockql.completion.sources import Field, Source


def values(place: Place, writer: Writer) -> Iterator[Candidate]:
    """The closed set of the column that is compared."""
    if writer.quote not in ("", "'"):
        return
    field = _resolve(place)
    if field is None or field.column is None:
        return
    for value in field.column.values or field.column.usual:
        written = writer.value(value)
        if f"'{value}'" not in place.taken:
            shown = value if writer.quote else written
            rank = LIKELY if "null" in place.urgent else FIRST
            yield Candidate(written, shown, field.name, kinds.VALUE, rank, value.lower())


def _resolve(place: Place) -> Field | None:
    """The column that is compared, in the innermost query that has it."""
    if place.compared is not None:
        for sources in place.levels:
            field = find_field(sources, *place.compared)
            if field is not None:
                return field
    return None


def joins(place: Place, writer: Writer) -> Iterator[Candidate]:
    """The conditions that join the table before the cursor with those before it."""
    assert place.joined is not None
    found = shared(place.left, place.joined)
    if place.wants == COMMON:
        in_list = place.group.opener == "using"
        for owned in found:
            if not owned.ambiguous and owned.field.name.lower() not in place.taken:
                written = writer.name(owned.field.name)
                if not in_list:
                    written = f"({written})"
                yield column(written, owned.field, FIRST)
        return
    for condition, field in conditions(found, place.joined, writer.name, on=place.on):
        word, space, rest = condition.partition(" ")
        if word == "on":
            condition = writer.keyword(word) + space + rest
        elif condition.startswith("using("):
            condition = writer.keyword("using") + condition[5:]
        meta = describe(field)
        yield Candidate(condition, condition, meta, kinds.JOIN, FIRST, condition.lower())


def outputs(place: Place, scope: Scope, writer: Writer) -> Iterator[Candidate]:
    """The result columns by name, in the clauses that mostly use them."""
    if place.clause not in ("group", "having", "order"):
        return
    for output in scope.outputs(place.query, 0 if place.clause == "order" else place.core):
        if output.name is None or output.text == "*":
            continue
        if output.renamed:
            if place.clause == "group" and _aggregates(output.text):
                continue
            written = writer.name(output.name)
            match = output.name.lower()
            yield Candidate(written, written, output.text, kinds.ALIAS, LIKELY, match)
        elif output.field is not None:
            written = writer.name(output.name) if writer.quote else output.text
            yield column(written, output.field, LIKELY)


def _aggregates(text: str) -> bool:
    """Whether an expression calls an aggregate function."""
    words = [token.word for token in tokenize(text)]
    return any(word in _AGGREGATES and words[i : i + 1] == ["("] for i, word in enumerate(words, 1))


_AGGREGATES: Final = frozenset(
    {"avg", "count", "group_concat", "json_group_array", "json_group_object", "max", "median"}
    | {"min", "percentile", "string_agg", "sum", "total"}
)


def columns(place: Place, writer: Writer, catalogue: Catalogue) -> Iterator[Candidate]:
    """The columns of all tables in scope."""
    seen: set[str] = set()
    preferred = place.compared[1].lower() if place.compared else None
    for depth, sources in enumerate(place.levels):
        names = set()
        for source, field, ambiguous in merged(sources):
            key = field.name.lower()
            names.add(key)
            written = writer.name(field.name)
            if (ambiguous or key in seen) and not writer.quote and source.name:
                written = f"{writer.name(source.name)}.{written}"
            if depth:
                rank = OUTER_HIDDEN if field.hidden else OUTER
            else:
                rank = HIDDEN if field.hidden else VISIBLE
            if key == preferred and not _is_compared(place, source):
                rank = LIKELY
            yield column(written, field, rank)
        if len(sources) > 1 and not writer.quote:
            yield from _qualifiers(sources, writer)
        seen |= names
    if place.clause == "select" and not any(place.levels):
        yield from _all_columns(writer, catalogue)


def _is_compared(place: Place, source: Source) -> bool:
    return place.compared is not None and place.compared[0].lower() in ("", source.name.lower())


def _qualifiers(sources: list[Source], writer: Writer) -> Iterator[Candidate]:
    for source in sources:
        if source.name:
            written = writer.name(source.name) + "."
            doc = sentence(source.schema.doc) if source.schema else ""
            own = source.schema is not None and source.name == source.relation
            kind = kinds.TABLE if own else kinds.ALIAS
            yield Candidate(written, written, doc, kind, QUALIFIER, source.name.lower())


def _all_columns(writer: Writer, catalogue: Catalogue) -> Iterator[Candidate]:
    """The columns of every table, for a SELECT whose FROM is not there yet."""
    having: dict[str, list[str]] = {}
    first: dict[str, Field] = {}
    scope = Scope("", catalogue.tables)
    for name, schema in catalogue.tables.items():
        for field in scope.table_fields(schema):
            having.setdefault(field.name, []).append(name)
            if field.name not in first or first[field.name].hidden:
                first[field.name] = field
    for name, field in first.items():
        of = ", ".join(having[name])
        rank = HIDDEN if field.hidden else VISIBLE
        written = writer.name(name)
        meta = f"{of}: {describe(field)}"
        yield Candidate(written, written, meta, kinds.COLUMN, rank, name.lower())


def functions(place: Place, writer: Writer, catalogue: Catalogue) -> Iterator[Candidate]:
    """SQL functions, aggregate and window functions where they are allowed."""
    for function in catalogue.functions:
        group = getattr(function, "group", SCALAR)
        if group == AGGREGATE and place.clause not in ("select", "having", "order", "returning"):
            continue
        if group == WINDOW and place.clause not in ("select", "order"):
            continue
        written = function.name
        if not writer.call:
            complete = function.signature.endswith(("()", "(*)"))
            written = function.signature if complete else f"{function.name}("
        meta = sentence(function.doc)
        match = function.name.lower()
        yield Candidate(written, function.signature, meta, kinds.FUNCTION, FUNCTION, match)


def qualified(place: Place, scope: Scope, writer: Writer) -> Iterator[Candidate]:
    """The columns of one table, those that a join needs first."""
    name = place.qualifier.lower()
    preferred = place.compared[1].lower() if place.compared else None
    for sources in place.levels:
        for source in sources:
            if source.name.lower() != name:
                continue
            keys: set[str] = set()
            if place.clause == "from" and preferred is None:
                others = [other for other in sources if other is not source]
                keys = {owned.field.name.lower() for owned in shared(others, source)}
            for field in source.fields:
                rank = HIDDEN if field.hidden else VISIBLE
                if field.name.lower() == preferred or field.name.lower() in keys:
                    rank = LIKELY
                yield column(writer.name(field.name), field, rank)
            return
    schema = scope.tables.get(name)
    if schema is not None and not any(place.levels):
        for field in scope.table_fields(schema):
            yield column(writer.name(field.name), field, HIDDEN if field.hidden else VISIBLE)
