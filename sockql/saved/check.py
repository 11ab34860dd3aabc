"""What is wrong with a saved query, found without running it."""

from __future__ import annotations

from sockql import prepared
from sockql.errors import DataError, QueryError, UsageError
from sockql.saved.binding import Binding
from sockql.saved.query import ANY, TABLE, HeaderError, line_at, read
from sockql.saved.tables import Tables
from sockql.sqltext import statements, tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sockql.engine import Engine
    from sockql.saved.query import Query


class Problem:
    """Something wrong with a query file: where, and what.

    ``line`` is None when the file cannot be read at all; ``offset`` is the index in ``sql`` of
    what is meant, None when that is in the header.
    """

    __slots__ = ("line", "offset", "path", "sql", "text")

    def __init__(
        self, path: str, line: int | None, text: str, sql: str = "", offset: int | None = None
    ) -> None:
        self.path = path
        self.line = line
        self.text = text
        self.sql = sql
        self.offset = offset

    def __str__(self) -> str:
        return self.text if self.line is None else f"{self.path}:{self.line}: {self.text}"

    def error(self) -> QueryError:
        """The same as an error."""
        return QueryError(str(self), sql=self.sql, offset=self.offset)


def check_files(engine: Engine, paths: Iterable[str]) -> list[Problem]:
    """What is wrong with the queries in files, file by file; nothing when it is empty."""
    found = []
    for path in paths:
        try:
            found += check(engine, read(path))
        except HeaderError as error:
            found.append(Problem(path, error.line, error.message))
        except UsageError as error:
            found.append(Problem(path, None, str(error)))
    return found


def check(engine: Engine, query: Query) -> list[Problem]:
    """What is wrong with ``query``, in the order of its lines; nothing when it is empty."""
    return sorted(_problems(engine, query), key=lambda problem: problem.line or 0)


def _problems(engine: Engine, query: Query) -> Iterator[Problem]:
    yield from _parameters(query)
    binding = Binding()
    binding.tables = {p.name: None for p in query.params.values() if p.type == TABLE}
    with Tables(engine, query, binding):
        try:
            columns = prepared.columns(engine, statements(query.sql)[0])
        except QueryError as error:
            yield problem(query, error)
            return
        except DataError as error:  # a snapshot lacks the table
            yield Problem(query.path, _first_line(query), str(error))
            return
    for key in query.keys:
        if key not in columns:
            text = f"keys: the result has no column {key}; it has {', '.join(columns)}"
            yield Problem(query.path, query.lines["keys"], text)


def _parameters(query: Query) -> Iterator[Problem]:
    """Parameters that are declared and not used, or the other way round."""
    places: dict[str, int] = {}
    for offset, token in tokens(query.sql):
        places.setdefault(token.strip('"`[]').lower() if token[0] not in ":@$" else token, offset)
    used = {token[1:]: offset for token, offset in places.items() if token[:1] in (":", "@", "$")}
    for name, param in query.params.items():
        if param.type == TABLE and name.lower() not in places:
            yield Problem(query.path, param.line, f"the table {name} is not used")
        elif param.type not in (TABLE, ANY) and name not in used:
            yield Problem(query.path, param.line, f"the parameter {name} is not used")
        elif param.type == ANY and query.lines:
            text = f"the parameter {name} is not declared in params"
            offset = used[name]
            yield Problem(query.path, line_at(query.sql, offset), text, query.sql, offset)


def problem(query: Query, error: QueryError) -> Problem:
    """SQLite's ``error`` in ``query``, with its place in the file and what was probably meant."""
    from sockql.command.diagnose import hint, locate

    text = str(error)
    meant = error.hint or hint(text, error.sql)
    offset = error.offset if error.offset is not None else locate(text, error.sql)
    if meant:
        text += f"; {meant}"
    start = query.sql.find(error.sql) if error.sql else -1
    if offset is None or start < 0:
        return Problem(query.path, _first_line(query), text)
    offset += start
    return Problem(query.path, line_at(query.sql, offset), text, query.sql, offset)


def _first_line(query: Query) -> int:
    """The line on which the statement begins."""
    return line_at(query.sql, next(offset for offset, token in tokens(query.sql) if token != ";"))
