"""Tables and columns as a query sees them: under its own names, some of them merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockql.schema import Column, Schema


class Field(NamedTuple):
    """A column as a query sees it; ``column`` is its declaration where there is one."""

    name: str
    column: Column | None
    hidden: bool
    doc: str


class Output(NamedTuple):
    """A result column: its name, None for an expression; its SQL; whether it has been renamed."""

    name: str | None
    text: str
    renamed: bool
    field: Field | None


class Source:
    """One table in a FROM clause: the name it goes by, its columns, how it is joined.

    ``relation`` is the name of the table, view or CTE, empty for a subquery.  ``join`` is "", ","
    or the words of the join; ``using`` has the columns of USING.  ``conditioned`` says that ON or
    USING is there.
    """

    __slots__ = ("conditioned", "fields", "join", "name", "relation", "schema", "using")

    def __init__(self, name: str, join: str) -> None:
        self.name = name
        self.relation = name
        self.join = join
        self.schema: Schema | None = None
        self.fields: Sequence[Field] = ()
        self.using: frozenset[str] = frozenset()
        self.conditioned = False


class From(NamedTuple):
    """A FROM clause, or the part of it before the cursor: its tables, and what comes next."""

    sources: list[Source]
    state: str


class Owned(NamedTuple):
    """A column in scope; ``ambiguous`` when its bare name would be."""

    source: Source
    field: Field
    ambiguous: bool


def merged(sources: list[Source]) -> list[Owned]:
    """The columns of a query's tables; those that USING and NATURAL merge are there once."""
    kept: list[tuple[Source, Field]] = []
    count: dict[str, int] = {}
    visible: set[str] = set()
    for source in sources:
        natural = source.join.startswith("natural")
        for field in source.fields:
            key = field.name.lower()
            if key in source.using or (natural and key in visible and not field.hidden):
                continue
            kept.append((source, field))
            count[key] = count.get(key, 0) + 1
        visible.update(field.name.lower() for field in source.fields if not field.hidden)
    return [Owned(source, field, count[field.name.lower()] > 1) for source, field in kept]


def find_field(sources: list[Source], qualifier: str, name: str) -> Field | None:
    """The column that ``qualifier.name`` or a bare ``name`` means."""
    for source in sources:
        if not qualifier or source.name.lower() == qualifier.lower():
            for field in source.fields:
                if field.name.lower() == name.lower():
                    return field
    return None
