"""Errors for people: the place in the SQL, and what was probably meant.

Loaded only when something went wrong.
"""

from __future__ import annotations

from difflib import get_close_matches

from sockql.command.commands import COMMANDS
from sockql.command.terminal import escape, width
from sockql.dialect import SOCKQL
from sockql.errors import QueryError
from sockql.sqltext import tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from sockql.dialect import Dialect
    from sockql.errors import SockqlError
    from sockql.schema import Column

#: How alike two names have to be, from 0 to 1: `sprot` and `sport` are, `nope` and `inode` not.
_CLOSE: Final = 0.7

#: Tables that a hint names before others, and the number of tables that it names at most.
_FIRST: Final = ("fds", "processes", "sockets")
_MOST: Final = 3

_KEYWORDS: Final = (
    *("select", "from", "where", "group", "order", "by", "having", "limit", "offset", "join"),
    *("left", "natural", "using", "union", "distinct", "between", "values", "with", "explain"),
)

#: Names that other programs, osquery above all, have for our columns.
_ELSEWHERE: Final = {
    "comm": "name",
    "command": "name",
    "exe": "path",
    "iface": "interface",
    "laddr": "src",
    "local_address": "src",
    "local_port": "sport",
    "lport": "sport",
    "peer": "dst",
    "ppid": "parent",
    "raddr": "dst",
    "recv_q": "recv_queue",
    "remote_address": "dst",
    "remote_port": "dport",
    "rport": "dport",
    "rss": "resident_size",
    "send_q": "send_queue",
    "type": "socktype",
    "uid": "socket_uid",
    "vsz": "total_size",
}


def report(error: SockqlError, limit: int, start: str = "sockql ") -> str:
    """The lines that tell of ``error``: what is wrong, what was meant, and where.

    ``limit`` is the width of the screen; only the line of SQL is cut to it.  A command begins with
    ``start``, which is a dot in a session.
    """
    text = escape(str(error))
    if not isinstance(error, QueryError):
        return text
    meant = error.hint or hint(str(error), error.sql, error.dialect) or _command(error, start)
    if meant:
        text += f"; {escape(meant)}"
    offset = error.offset if error.offset is not None else locate(str(error), error.sql)
    if offset is not None and error.sql:
        text += "\n" + "\n".join(pointer(error.sql, offset, limit))
    return text


# -- where --------------------------------------------------------------------------------------


def locate(message: str, sql: str) -> int | None:
    """Where in ``sql`` the thing is that ``message`` names, when SQLite does not say it."""
    if message == "incomplete input":
        return len(sql.rstrip())
    name = (
        _after(message, "no value for the parameter ")
        or _after(message, "no such table: ")
        or _unjoined(message)
    )
    if name is not None:
        name = name.rpartition(".")[2].lower()
        for offset, token in tokens(sql):
            if _unquoted(token).lower() == name:
                return offset
    return None


def pointer(sql: str, offset: int, limit: int) -> tuple[str, str]:
    """The line of ``sql`` that holds ``offset``, cut to ``limit`` columns, and a caret below."""
    start = sql.rfind("\n", 0, offset) + 1
    end = sql.find("\n", offset)
    line = sql[start : len(sql) if end < 0 else end]
    before = _shown(line[: offset - start]).lstrip(" ")
    after = _shown(line[offset - start :]).rstrip(" ")
    room = max(limit - 4, 16)  # two blanks before, an ellipsis at either end
    right = _head(after, max(room - width(before), room // 3))
    left = _tail(before, room - width(right))
    if left != before:
        left = "…" + left
    if right != after:
        right += "…"
    return f"  {left}{right}", f"  {' ' * width(left)}^"


def _shown(text: str) -> str:
    return escape(text.replace("\t", " "))


def _head(text: str, room: int) -> str:
    text = text[:room]
    while width(text) > room:
        text = text[:-1]
    return text


def _tail(text: str, room: int) -> str:
    text = text[max(0, len(text) - room) :]
    while width(text) > room:
        text = text[1:]
    return text


# -- what was meant -----------------------------------------------------------------------------


def hint(message: str, sql: str, dialect: Dialect | None = None) -> str | None:
    """What was probably meant in ``sql``, for SQLite's ``message``; None when that is not clear."""
    dialect = dialect or SOCKQL
    name = _after(message, "no such table: ")
    if name is not None:
        return _mean(name, [*dialect.names, *dialect.others])
    name = _after(message, "no such column: ")
    if name is not None:
        return None if "should this be" in name else _column(name, sql, dialect)
    name = _unjoined(message)
    if name is not None:
        tables = dict.fromkeys(_aliases(sql, dialect).values())
        return _mean(name, [column for each in tables for column in _columns(each, dialect)])
    name = _after(message, "no such function: ")
    if name is not None:
        known = [function.name for function in dialect.functions()]
        return _mean(name, [*known, *_SQLITE_FUNCTIONS])
    name = _after(message, "ambiguous column name: ")
    if name is not None:
        aliases = _aliases(sql, dialect)
        having = [alias for alias, table in aliases.items() if name in _columns(table, dialect)]
        return (
            "say which: " + " or ".join(f"{alias}.{name}" for alias in having) if having else None
        )
    if message.startswith(("not authorized", "authorization denied")):
        return "sockql reads, and writes nothing but temporary tables"
    if message.startswith('near "'):
        return _keyword(message[6:].rpartition('"')[0], sql)
    return None


def _after(message: str, start: str) -> str | None:
    return message[len(start) :] if message.startswith(start) else None


def _unjoined(message: str) -> str | None:
    """The column of USING that one of the tables lacks."""
    rest = _after(message, "cannot join using column ")
    return None if rest is None else rest.partition(" - ")[0]


def _mean(name: str, candidates: Iterable[str]) -> str | None:
    folded = name.rpartition(".")[2].lower()
    candidates = list(candidates)
    other = _ELSEWHERE.get(folded)
    close = [other] if other in candidates else get_close_matches(folded, candidates, 1, _CLOSE)
    return f"did you mean `{close[0]}`?" if close else None


def _column(name: str, sql: str, dialect: Dialect) -> str | None:
    """For an unknown column: one of the statement's tables, or the table that has it."""
    qualifier, _, bare = name.rpartition(".")
    aliases = _aliases(sql, dialect)
    table = aliases.get(qualifier.lower())
    if qualifier and table is None:
        called = [alias for alias, each in aliases.items() if each == qualifier.lower()]
        return f"the table is called `{called[0]}` here" if called else _mean(qualifier, aliases)
    scope = [table] if table else list(dict.fromkeys(aliases.values()))
    for column in (column for each in scope for column in _columns(each, dialect).values()):
        if column.values and bare.upper() in map(str.upper, column.values):
            return f"a text stands in single quotes: '{bare}'"
    near = [column for each in scope for column in _columns(each, dialect)]
    having = [other for other in dialect.names if bare.lower() in _columns(other, dialect)]
    # Of all tables with a `name` the one that most statements can be joined with.
    having = [other for other in having if other in _FIRST] or having[:_MOST]
    if having and _ELSEWHERE.get(bare.lower()) not in near:
        return f"the column is in {' and '.join(f'`{other}`' for other in having)}"
    return _mean(bare, near)


def _aliases(sql: str, dialect: Dialect) -> dict[str, str]:
    """Our tables in ``sql`` by the names they go by there.

    A word that is the name of a table is taken for it wherever it stands, which is good enough
    for a hint.
    """
    words = [_unquoted(token).lower() for _, token in tokens(sql)]
    found: dict[str, str] = {}
    for at, word in enumerate(words):
        if word in dialect and words[at + 1 : at + 2] != ["."]:
            alias = words[at + 1 : at + 3]
            if alias[:1] == ["as"]:
                alias = alias[1:]
            named = bool(alias) and alias[0].isidentifier() and alias[0] not in _FOLLOWING
            found[alias[0] if named else word] = word
    return found


#: What may stand after a table's name without being its alias.
_FOLLOWING: Final = {
    *_KEYWORDS,
    *("cross", "inner", "outer", "right", "full", "on", "except", "intersect", "indexed", "not"),
    *("window",),
}


def _columns(table: str, dialect: Dialect) -> dict[str, Column]:
    return dialect.load(table).schema.by_name


#: The ones that people misspell; the whole list is SQLite's, and long.
_SQLITE_FUNCTIONS: Final = (
    *("abs", "avg", "ceil", "char", "coalesce", "concat", "concat_ws", "count", "date", "datetime"),
    *("dense_rank", "first_value", "floor", "format", "glob", "group_concat", "hex", "ifnull"),
    *("iif", "instr", "json", "json_array", "json_array_length", "json_each", "json_extract"),
    *("json_group_array", "json_group_object", "json_object", "json_type", "lag", "last_value"),
    *("lead", "length", "like", "likely", "lower", "ltrim", "max", "min", "nullif", "printf"),
    *("quote", "random", "rank", "replace", "round", "row_number", "rtrim", "sign", "strftime"),
    *("string_agg", "substr", "substring", "sum", "time", "total", "trim", "typeof", "unhex"),
    *("unicode", "unixepoch", "unlikely", "upper"),
)


def _keyword(near: str, sql: str) -> str | None:
    """For a syntax error: a keyword that the word, or the one before it, is close to.

    ``select pid form fds`` fails at ``fds``, because ``form`` might have been an alias.
    """
    words = [token.lower() for _, token in tokens(sql)]
    if near.lower() not in words:
        return None
    at = words.index(near.lower())
    for word in (words[at], words[at - 1] if at else ""):
        if word.isidentifier() and word not in _FOLLOWING:
            close = get_close_matches(word, _KEYWORDS, 1, _CLOSE)
            if close:
                return f"did you mean `{close[0]}`?"
    return None


def _command(error: QueryError, start: str) -> str | None:
    """For SQL that is no more than a word: a command, a saved query to run, or a table."""
    from sockql.saved.library import Library, is_name

    word = error.sql.strip().lower()
    if not (str(error).startswith('near "') and is_name(word)):
        return None
    meant = {name: f"{start}run {name}" for name in Library().files}
    for table in (error.dialect or SOCKQL).names:
        rows = f"select * from {table}"  # noqa: S608  (for people to read)
        meant[table] = f'{start}"{rows}"' if start != "." else f"{rows};"
    meant |= {name: f"{start}{name}" for name in COMMANDS}
    if start != ".":
        meant |= {"help": f"{start}--help", "version": f"{start}--version"}
    close = get_close_matches(word, meant, 1, _CLOSE)
    return f"did you mean `{meant[close[0]]}`?" if close else None


def _unquoted(token: str) -> str:
    return token[1:-1] if token[:1] in ('"', "`", "[") and len(token) > 1 else token
