"""How two tables can be joined, from the columns that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sockql.completion.sources import Owned, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockql.completion.sources import Field, Source

_MOST: Final = 6  # conditions that are offered


def shared(left: list[Source], joined: Source) -> list[Owned]:
    """The columns of ``left`` that ``joined`` has too, those that rows are found by first.

    A table joined with itself shares every column; only those that rows are found by say which
    rows belong together.
    """
    own = {field.name.lower(): field for field in joined.fields}
    found = []
    for owned in merged(left):
        field = own.get(owned.field.name.lower())
        if field is None:
            continue
        same = owned.source.schema is not None and owned.source.schema is joined.schema
        if not same or is_key(field):
            found.append(owned)
    found.sort(key=lambda owned: (not is_key(owned.field), owned.field.hidden))
    return found[:_MOST]


def is_key(field: Field) -> bool:
    """Whether a value of the column is shared by few rows, or leads straight to its rows."""
    return field.column is not None and (field.column.index or field.column.lookup)


def conditions(
    found: list[Owned], joined: Source, write: Callable[[str], str], *, on: bool
) -> Iterator[tuple[str, Field]]:
    """The join conditions for shared columns: ``using(x)`` and ``on a.x = b.x``, best first.

    With ``on`` the word is there already, and only what comes behind it is given.
    """
    if not on:
        for owned in found:
            # USING needs the column to be one, where it has been joined already as well.
            if not owned.ambiguous:
                yield f"using({write(owned.field.name)})", owned.field
    for owned in found:
        if owned.source.name and joined.name:
            left, name, right = map(write, (owned.source.name, owned.field.name, joined.name))
            condition = f"{left}.{name} = {right}.{name}"
            yield condition if on else f"on {condition}", owned.field
