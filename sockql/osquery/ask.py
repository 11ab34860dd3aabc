"""What osquery's tables ask of sockql's own."""

from __future__ import annotations

from sockql.request import Constraint, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from sockql.host import Host
    from sockql.schema import Table


def inner(
    table: Table[Any],
    request: Request,
    columns: Iterable[str],
    constraints: Sequence[Constraint] = (),
) -> Request:
    """A request to ``table`` for what ``columns`` need, in the statement of ``request``."""
    return Request(
        table.schema,
        request.snapshot,
        columns={*columns, *(constraint.column for constraint in constraints)},
        constraints=constraints,
        trace=request.trace,
    )


def ask(
    table: Table[Any],
    request: Request,
    host: Host,
    columns: Iterable[str],
    constraints: Sequence[Constraint] = (),
) -> Iterator[Any]:
    """The records of ``table`` for the request that :func:`inner` makes.

    :raises DataError: as ``table`` does.
    """
    asked = inner(table, request, columns, constraints)
    return iter(()) if asked.impossible else iter(table.records(asked, host))


def same(request: Request, *columns: str) -> list[Constraint]:
    """The conditions of ``request`` on ``columns`` that mean the same in both tables."""
    return [constraint for constraint in request.constraints if constraint.column in columns]
