"""Running audits on one snapshot of the host."""

from __future__ import annotations

import gc
from time import perf_counter

from sockql import prepared
from sockql.audit.outcome import Outcome
from sockql.command.running import Alarm
from sockql.errors import (
    Interrupted,
    NotCaptured,
    QueryError,
    SockqlError,
    TimeoutExpired,
    UsageError,
)
from sockql.saved.binding import MissingValue, bind
from sockql.saved.check import problem
from sockql.saved.query import ROWS
from sockql.saved.tables import Tables
from sockql.sqltext import statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockql.audit.baseline import Baseline
    from sockql.engine import Engine
    from sockql.saved.binding import Binding
    from sockql.saved.query import Query


class Limits:
    """The seconds that each audit may take, and all together; None for no limit.

    ``each`` counts in place of what the queries themselves say.  The time to collect what the
    audits share belongs to none of them; only ``total`` limits it.
    """

    __slots__ = ("each", "total")

    def __init__(self, each: float | None = None, total: float | None = None) -> None:
        self.each = each
        self.total = total


def bindings(queries: Sequence[Query], given: Sequence[str]) -> list[Binding | str]:
    """The values of the parameters of each query; ``given`` are words as ``-p`` takes them.

    A value is for each query that has the parameter.  Of several queries one that needs a value
    which is not given has the reason in place of its values.

    :raises UsageError: for a parameter that none of them has, a value of another type, and when
        the only query needs one that is not given.
    """
    from sockql.command.options import named

    names = [named(parameter)[0] for parameter in given]
    for name in names:
        if not any(name in query.params for query in queries):
            raise UsageError(
                f"-p {name}: none of the audits has a parameter {name}{_meant(name, queries)}"
            )
    found: list[Binding | str] = []
    for query in queries:
        own = [word for word, name in zip(given, names) if name in query.params]
        try:
            found.append(bind(query, own))
        except MissingValue as error:
            if len(queries) == 1:
                raise
            found.append(str(error).removeprefix(f"{query.name} "))
    return found


def _meant(name: str, queries: Sequence[Query]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, {each for query in queries for each in query.params}, 1)
    return f"; did you mean {close[0]}?" if close else ""


def run(
    engine: Engine,
    queries: Sequence[Query],
    bound: Sequence[Binding | str],
    limits: Limits,
    baseline: Baseline | None = None,
) -> Iterator[Outcome]:
    """Run each query on one snapshot; an outcome for each, in their order.

    What goes wrong with one audit is its outcome, the others are run all the same.

    :raises UsageError: before any of them is run: when the baseline has entries of another query,
        or the file of a parameter cannot be loaded.
    :raises Interrupted: when the user has seen enough.
    """
    engine.deadline = None if limits.total is None else perf_counter() + limits.total
    engine.share()
    # Records by the hundred thousand that live as long as the audits do, and no cycles.
    collecting = gc.isenabled()
    gc.disable()
    try:
        outcomes = [_foreseen(engine, *each, baseline) for each in zip(queries, bound)]
        for outcome, binding in zip(outcomes, bound):
            to_run = outcome.error is None and not outcome.notices
            if to_run and not isinstance(binding, str):
                _run(engine, outcome, binding, limits)
                if baseline is not None and outcome.error is None:
                    baseline.apply(outcome)
            yield outcome
    finally:
        engine.deadline = None
        engine.thaw()
        if collecting:
            gc.enable()


def _foreseen(
    engine: Engine, query: Query, binding: Binding | str, baseline: Baseline | None
) -> Outcome:
    """Tell the engine of a query that will be run; its outcome is an error if it cannot be."""
    outcome = Outcome(query)
    if isinstance(binding, str):
        outcome.error = binding
        return outcome
    try:
        with Tables(engine, query, binding):
            columns = prepared.columns(engine, statements(query.sql)[0])
            engine.foresee(query.sql, binding.values)
    except QueryError as error:
        outcome.error = str(problem(query, error))
        return outcome
    except NotCaptured as error:
        outcome.notices = [str(error)]
        return outcome
    except UsageError:  # a file that was given, as for sockql run
        raise
    except SockqlError as error:
        outcome.error = str(error)
        return outcome
    missing = [key for key in query.keys if key not in columns]
    if missing:
        where = f"{query.path}:{query.lines['keys']}"
        outcome.error = f"{where}: keys: the result has no column {missing[0]}"
    elif baseline is not None:
        keys = () if query.expect == ROWS else query.keys or columns
        baseline.check_keys(query.name, keys)
    return outcome


def _run(engine: Engine, outcome: Outcome, binding: Binding, limits: Limits) -> None:
    """Run one query; what it finds, or what went wrong, is in the outcome then."""
    query = outcome.query
    started, shared = perf_counter(), engine.shared_seconds
    engine.timeout = query.timeout if limits.each is None else limits.each
    left = None if engine.deadline is None else engine.deadline - started
    if left is not None and left <= 0:
        outcome.error = f"not run: the {limits.total:g} seconds for all audits are over"
        return
    seconds = min((s for s in (engine.timeout, left) if s is not None), default=None)
    try:
        with Tables(engine, query, binding), Alarm(seconds, engine.host.check):
            for result in engine.execute(query.sql, binding.values):
                outcome.found(result.columns, list(result))
                outcome.notices = result.notices
    except Interrupted:
        raise
    except QueryError as error:
        outcome.error = str(problem(query, error))
    except TimeoutExpired as error:
        over = engine.deadline is not None and perf_counter() > engine.deadline
        outcome.error = (
            f"ended: the {limits.total:g} seconds for all audits are over" if over else str(error)
        )
    except NotCaptured as error:
        outcome.notices = [str(error)]
    except SockqlError as error:
        outcome.error = str(error)
    except Exception as error:  # noqa: BLE001  a bug must not hide what the other audits find
        what = f"{type(error).__name__}: {error}"
        outcome.error = f"internal error: {what} (sockql run --debug {query.name} shows where)"
    outcome.seconds = perf_counter() - started - (engine.shared_seconds - shared)
