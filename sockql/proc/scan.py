"""A scan of something in the directories of processes: maps, variables, limits, threads."""

from __future__ import annotations

import os
from operator import itemgetter

from sockql.proc import costs as process_costs
from sockql.proc import procfs
from sockql.schema import EQUAL, RANGE, integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    from sockql.host import Host
    from sockql.proc.procfs import Refusals
    from sockql.request import Request
    from sockql.schema import Column

    Record = TypeVar("Record")


def pid_column() -> Column:
    """The column ``pid`` of a table whose records begin with it."""
    return integer(
        "Number of the process.",
        source="/proc/PID",
        get=itemgetter(0),
        push=EQUAL | RANGE,
        lookup=True,
        exact=True,
    )


def scan(
    request: Request,
    host: Host,
    file: str,
    records: Callable[[int, int, Refusals], Iterable[Record]],
    only: Iterable[int] | None = None,
) -> Iterator[Record]:
    """What ``records(pid, directory, refusals)`` gives for each process, in order of pid.

    ``directory`` is a descriptor of /proc/PID.  What ``records`` reads may fail: when the process
    has gone it has no more rows, when ``file`` of it is refused that is counted and said.
    ``only`` has the numbers of the processes when they are known otherwise than by the conditions.

    :raises DataError: when the host's procfs has no processes, or fails.
    """
    if request.impossible:
        return
    table = request.schema.name
    if only is None:
        names, given = procfs.pids(request, host)
    else:
        names, given = [str(pid) for pid in only], True
    procfs.note(request, host, names, given, file)
    refusals = procfs.Refusals.of(table, request, names)
    verify = given or request.snapshot.shared
    for name in sorted(names, key=int):
        host.check()
        try:
            directory = procfs.open_directory(name, host.proc)
        except OSError as error:
            if error.errno in procfs.REFUSED:
                refusals.add(name, error, host, file)
            elif error.errno not in procfs.GONE:
                raise procfs.failed(error, host, name) from None
            else:
                refusals.absent(name)
            continue
        try:
            if verify:
                _, fields = procfs.parse_stat(procfs.read("stat", directory))
                if not procfs.is_row(int(name), fields, request):
                    refusals.absent(name)
                    continue
            yield from records(int(name), directory, refusals)
        except OSError as error:
            if error.errno in procfs.REFUSED:
                refusals.add(name, error, host, file)
            elif error.errno not in procfs.GONE:
                raise procfs.failed(error, host, f"{name}/{file}") from None
        finally:
            os.close(directory)
    refusals.report(host)


def of_file(
    request: Request,
    host: Host,
    file: str,
    parse: Callable[[bytes], Iterable[tuple[Any, ...]]],
) -> Iterator[tuple[Any, ...]]:
    """What ``parse`` makes of the content of ``file`` of each process, the pid before each."""

    def of(pid: int, directory: int, _refusals: Refusals) -> Iterator[tuple[Any, ...]]:
        for found in parse(procfs.read(file, directory)):
            yield (pid, *found)

    return scan(request, host, file, of)


def estimate(
    request: Request, host: Host, each: float, cost: float, opening: float = 20.0
) -> tuple[float, float]:
    """``(rows, microseconds)`` of a scan with ``each`` rows a process.

    ``cost`` is that of one row, ``opening`` that of a process.
    """
    visited, given = process_costs.visited(request, host)
    rows = visited * each
    return max(rows, 1.0), visited * (opening + 10.0 * given) + rows * cost
