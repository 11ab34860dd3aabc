"""What osquery's tables ask of sockql's own."""

from __future__ import annotations

from sockql.proc.descriptor import FD, INODE, LINK, PID, TID
from sockql.request import Constraint, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from sockql.host import Host
    from sockql.proc.descriptor import Descriptor
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


def descriptors(
    request: Request, host: Host, columns: Iterable[str], constraints: Sequence[Constraint]
) -> Iterator[Descriptor]:
    """Records of ``fds``, as osquery has them: of a process, not of its threads.

    A thread with a table of its own has mostly the same in it; what it alone has is not left out.

    :raises DataError: as ``fds`` does.
    """
    from sockql.tables.fds import TABLE

    pid = -1
    of_process: list[Descriptor] = []
    seen: set[tuple[Any, ...]] = set()
    for record in ask(TABLE, request, host, columns, constraints):
        if record[PID] != pid:
            pid, of_process = record[PID], []
            seen.clear()
        if record[TID] is None:
            of_process.append(record)
        else:
            # Few processes have such threads.
            seen.update(map(_identity, of_process))
            of_process.clear()
            if _identity(record) in seen:
                continue
            seen.add(_identity(record))
        yield record


def _identity(record: Descriptor) -> tuple[Any, ...]:
    """What tells the descriptors of one process apart: fd, inode and link."""
    return record[FD], record[INODE], *record[LINK : LINK + 1]


def same(request: Request, *columns: str) -> list[Constraint]:
    """The conditions of ``request`` on ``columns`` that mean the same in both tables."""
    return [constraint for constraint in request.constraints if constraint.column in columns]
