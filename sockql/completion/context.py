"""What may stand at the cursor: the grammar of completion.

:func:`find` turns the statement at the cursor into a :class:`Place`.  It never says no to SQL that
it does not understand; it then offers less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sockql.completion import scope as scopes
from sockql.completion.expressions import (
    CASE,
    FOLLOWING,
    JOINS,
    LOGIC,
    OPERATORS,
    TAIL,
    compared,
    in_expression,
    in_window,
)
from sockql.completion.groups import Group, build, clause_at, is_name
from sockql.completion.place import (
    COLUMNS,
    COMMON,
    NOTHING,
    PARAMETERS,
    PRAGMAS,
    QUALIFIED,
    TABLES,
    TYPES,
    VALUES,
    Place,
)
from sockql.completion.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockql.completion.scope import Scope
    from sockql.completion.sources import From
    from sockql.completion.tokens import Statement

    Items = Sequence[Token | Group]

_QUERY: Final = ("select", "values", "with")
START: Final = (
    *("select", "with", "explain query plan", "explain", "values", "create temp table"),
    *("create temp view", "insert into", "update", "delete from", "drop table", "drop view"),
    *("pragma",),
)
_EXPLAINED: Final = tuple(word for word in START if not word.startswith("explain"))
_AFTER_TABLE: Final = (*JOINS, "where", "group by", *TAIL)
#: The same in statements that are no queries, by the clause and the word before the cursor.
_STATEMENTS: Final = {
    ("create", "create"): ("temp table", "temp view"),
    ("create", "temp"): ("table", "view"),
    ("create", "temporary"): ("table", "view"),
    ("create", "table"): ("if not exists",),
    ("create", "view"): ("if not exists",),
    ("create", "as"): _QUERY,
    ("delete", "delete"): ("from",),
    ("drop", "drop"): ("table", "view", "index"),
    ("except", "except"): ("select", "values"),
    ("explain", "explain"): ("query plan", *_EXPLAINED),
    ("explain", "plan"): _EXPLAINED,
    ("explain", "query"): ("plan",),
    ("insert", "insert"): ("into",),
    ("intersect", "intersect"): ("select", "values"),
    ("replace", "replace"): ("into",),
    ("union", "all"): ("select", "values"),
    ("union", "union"): ("all", "select", "values"),
}


def find(statement: Statement, scope: Scope) -> Place:
    """What may stand at the cursor of ``statement``."""
    group = build(statement.before, statement.after)
    place = Place(group)
    if statement.sigil:
        place.wants = PARAMETERS
        return place
    place.levels = scope.levels(group)
    cursor = group.cursor or 0
    query, at = group, cursor
    while not query.is_query and query.parent is not None:
        query, at = query.parent, query.place
    clause = clause_at(query, at)
    place.query = query
    if clause is not None:
        place.clause, place.core = clause.name, clause.core
    last = group.items[cursor - 1] if cursor else None
    dotted = last is not None and last.word == "."
    place.compared, place.taken = compared(group, cursor - 2 if dotted else cursor)
    if statement.quote == "'":
        place.wants = VALUES
    elif dotted:
        before = group.items[cursor - 2] if cursor > 1 else None
        place.qualifier = before.name if isinstance(before, Token) and is_name(before) else ""
        part = _from_part(scope, group, cursor)
        place.wants = TABLES if part and part.state == scopes.NAMED else QUALIFIED
    elif group.is_query:
        _in_query(place, scope, group, cursor)
    else:
        _in_parentheses(place, scope, group, cursor)
    return place


def _in_query(place: Place, scope: Scope, group: Group, cursor: int) -> None:
    items = group.items
    clause = clause_at(group, cursor)
    if clause is None:
        place.keywords = START if cursor == 0 else ()
        return
    name, first = clause.name, clause.first + 1
    last = items[cursor - 1].word
    words = _STATEMENTS.get((name, last))
    if words is not None:
        place.keywords = words
    elif name == "from":
        _in_from(place, scope, group, first, cursor)
    elif name in ("update", "into", "drop"):
        state = scope.read(group, first, cursor).state
        if name == "drop":
            place.wants = TABLES if last in ("table", "view") else NOTHING
        elif state == scopes.TABLE:
            place.wants = TABLES
        else:
            place.keywords = ("set",) if name == "update" else (*_QUERY, "default values")
    elif name == "with":
        _in_with(place, items, cursor)
    elif name == "pragma":
        place.wants = PRAGMAS if cursor == first else NOTHING
    elif name == "set" and last in ("set", ","):
        place.wants = COLUMNS
        place.qualifier = place.levels[0][0].name if place.levels and place.levels[0] else ""
    elif name in ("create", "window"):
        place.keywords = ("as",) if is_name(items[cursor - 1]) else ()
    elif name == "values" and cursor == first:
        place.keywords = ()
    else:
        if items[clause.first].word in ("group", "order") and cursor > first:
            first += 1  # BY
        in_expression(place, items, first, cursor)
        if name in ("limit", "offset"):
            place.wants = NOTHING
            if cursor == first:
                place.keywords = ()


def _in_from(place: Place, scope: Scope, group: Group, first: int, cursor: int) -> None:
    sources, state = scope.read(group, first, cursor)
    last = group.items[cursor - 1].word if cursor else ""
    after = _AFTER_TABLE if group.is_query else JOINS
    if state == scopes.TABLE:
        place.wants = TABLES
        place.left = sources
    elif state == scopes.JOINING:
        place.keywords = FOLLOWING[last]
    elif state in (scopes.NAMED, scopes.KNOWN):
        place.keywords = after if state == scopes.KNOWN else (*after, "as")
        join = sources[-1].join if sources else ""
        if join.endswith("join") and not join.startswith(("natural", "cross")):
            place.joined, place.left = sources[-1], sources[:-1]
            place.keywords = ("using", "on", *place.keywords)
    elif state == scopes.USING:
        place.wants, place.joined, place.left = COMMON, sources[-1], sources[:-1]
    elif state == scopes.DONE:
        place.keywords = after
    elif state == scopes.CONDITION:
        start = cursor
        while group.items[start - 1].word != "on":
            start -= 1
        in_expression(place, group.items, start, cursor)
        if last in ("on", "and", "or"):
            place.joined, place.left, place.on = sources[-1], sources[:-1], True


def _in_with(place: Place, items: Items, cursor: int) -> None:
    last = items[cursor - 1]
    before = items[cursor - 2].word if cursor > 1 else ""
    if last.word == "with":
        place.keywords = ("recursive",)
    elif last.word == "as":
        place.keywords = ("materialized", "not materialized")
    elif last.word == "not":
        place.keywords = ("materialized",)
    elif isinstance(last, Group):
        place.keywords = _QUERY[:2] if before in ("as", "materialized") else ("as",)
    elif is_name(last) and last.word not in ("recursive", "materialized"):
        place.keywords = ("as",)


def _in_parentheses(place: Place, scope: Scope, group: Group, cursor: int) -> None:
    items, opener, function = group.items, group.opener, group.function
    last = items[cursor - 1].word if cursor else ""
    parent = group.parent
    assert parent is not None
    clause = clause_at(parent, group.place) if parent.is_query else None
    name = clause.name if clause else ""
    if opener == "using":
        part = _from_part(scope, parent, group.place)
        if part and part.sources and last in ("", ","):
            place.wants, place.joined, place.left = COMMON, part.sources[-1], part.sources[:-1]
        place.taken = frozenset(item.name.lower() for item in items if isinstance(item, Token))
    elif opener == "over" or (opener == "as" and name == "window"):
        in_window(place, items, cursor)
    elif opener == "as":
        place.keywords = _QUERY if cursor == 0 else ()
    elif opener == "filter":
        place.clause = "where"
        if cursor == 0:
            place.keywords = ("where",)
        else:
            in_expression(place, items, 1, cursor)
    elif _is_tables(scope, group):
        _in_from(place, scope, group, 0, cursor)
        if cursor == 0:
            place.urgent = _QUERY
    elif name == "into":
        place.wants = COLUMNS if last in ("", ",") else NOTHING
        place.qualifier = function
    elif name in ("with", "create"):
        place.keywords = ()
    elif name == "pragma":
        place.wants = TABLES if cursor == 0 else NOTHING
    elif opener == "exists":
        place.keywords = _QUERY
    elif function == "cast" and last == "as":
        place.wants = TYPES
    else:
        in_expression(place, items, 0, cursor)
        if cursor == 0:
            if opener == "in":
                place.urgent = ("select",)
            else:
                place.keywords = ("distinct" if function else "select", *place.keywords)
        elif place.wants == NOTHING and last not in FOLLOWING:
            kept = [k for k in place.keywords if k in LOGIC or k in OPERATORS or k in CASE]
            place.keywords = ("as", *kept) if function == "cast" else tuple(kept)


def _from_part(scope: Scope, group: Group, place: int) -> From | None:
    """The part before ``place`` of the FROM clause that ``group`` has or is, None for no FROM."""
    if group.is_query:
        clause = clause_at(group, place)
        if clause is None or clause.name not in ("from", "update", "into"):
            return None
        return scope.read(group, clause.first + 1, place)
    return scope.read(group, 0, place) if _is_tables(scope, group) else None


def _is_tables(scope: Scope, group: Group) -> bool:
    """Whether the parentheses stand where a table is expected: a subquery or a join."""
    parent = group.parent
    while parent is not None:
        if parent.is_query:
            part = _from_part(scope, parent, group.place)
            return part is not None and part.state == scopes.TABLE
        if scope.read(parent, 0, group.place).state != scopes.TABLE:
            return False
        group, parent = parent, parent.parent
    return False
