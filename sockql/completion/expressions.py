"""The grammar of expressions: where an operand stands, where an operator, and what is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sockql.completion.groups import NO_NAMES, Group, is_name
from sockql.completion.place import NOTHING, OPERAND, Place
from sockql.completion.tokens import OPERATOR, STRING, Token

if TYPE_CHECKING:
    from collections.abc import Sequence

    Items = Sequence[Token | Group]

LOGIC: Final = ("and", "or")
OPERATORS: Final = (
    *("in", "is", "is null", "is not null", "like", "between", "not in", "not like", "glob"),
    *("regexp", "collate"),
)
COMPOUND: Final = ("union all", "union", "intersect", "except")
JOINS: Final = ("join", "left join", "natural join", "cross join", "inner join", "full join")
TAIL: Final = ("order by", "limit", *COMPOUND)
#: What may follow an operand, by clause.
_AFTER: Final = {
    "select": ("from", "as", *LOGIC, *OPERATORS, "union all"),
    "from": (*LOGIC, *JOINS, "where", "group by", *TAIL, *OPERATORS),
    "where": (*LOGIC, "group by", *TAIL, *OPERATORS),
    "group": ("having", *TAIL, *LOGIC, *OPERATORS),
    "having": (*LOGIC, *TAIL, *OPERATORS),
    "order": ("desc", "asc", "limit", "nulls last", "nulls first", *OPERATORS),
    "limit": ("offset",),
    "set": ("where", *LOGIC, *OPERATORS),
    "values": (*COMPOUND, "order by", "limit"),
    "returning": ("as", *LOGIC, *OPERATORS),
}
_OPERANDS: Final = ("case", "cast", "exists", "not", "null")
#: What follows a word that leaves no other choice.
FOLLOWING: Final = {
    "as": (),
    "collate": ("nocase", "binary", "rtrim"),
    "cross": ("join",),
    "filter": (),
    "full": ("join", "outer join"),
    "group": ("by",),
    "in": (),
    "inner": ("join",),
    "left": ("join", "outer join"),
    "natural": ("join", "left join"),
    "nulls": ("last", "first"),
    "order": ("by",),
    "outer": ("join",),
    "over": (),
    "partition": ("by",),
    "right": ("join", "outer join"),
}
_COMPARISONS: Final = frozenset({"=", "==", "!=", "<>", "is", "like", "glob"})
_ENDINGS: Final = frozenset({"end", "isnull", "notnull", "null"})
CASE: Final = {
    "case": ("when",),
    "when": ("then",),
    "then": ("when", "else", "end"),
    "else": ("end",),
}


def in_expression(place: Place, items: Items, first: int, cursor: int) -> None:
    """Within the expression, or the list of them, that begins at ``first``."""
    last = items[cursor - 1] if cursor > first else None
    word = last.word if last is not None else ""
    before = items[cursor - 2] if cursor - 1 > first else None
    opened = _open_case(items, first, cursor)
    if last is None and cursor and items[cursor - 1].word in ("group", "order"):
        place.keywords = ("by",)
    elif word in FOLLOWING:
        place.keywords = FOLLOWING[word]
    elif word == "not" and before is not None and not _expects_operand(items, first, cursor - 1):
        place.keywords = ("in", "like", "between", "null", "glob", "regexp")
    elif _expects_operand(items, first, cursor):
        place.wants = OPERAND
        place.keywords = _OPERANDS
        if word == "is":
            place.urgent = ("null", "not null")
            place.keywords = ("not", "distinct from")
        elif word == "not" and before is not None and before.word == "is":
            place.urgent = ("null",)
            place.keywords = ("distinct from",)
        elif place.clause == "select" and cursor and items[cursor - 1].word == "select":
            place.keywords = ("distinct", *_OPERANDS, "all")
        elif word == "case":
            place.urgent = ("when",)
    elif opened:
        place.keywords = (*CASE[opened], *LOGIC, *OPERATORS)
    elif word in ("asc", "desc"):
        place.keywords = ("nulls last", "nulls first", "limit")
    else:
        place.keywords = _AFTER.get(place.clause, (*LOGIC, *OPERATORS))
        if isinstance(last, Group) and last.function and place.clause in ("select", "order"):
            place.keywords = (*place.keywords, "over", "filter")


def _expects_operand(items: Items, first: int, cursor: int) -> bool:
    """Whether an operand comes next, not an operator."""
    if cursor <= first:
        return True
    last = items[cursor - 1]
    if isinstance(last, Group):
        return False
    if last.word == "*":
        before = items[cursor - 2].word if cursor - 1 > first else ","
        return before not in (",", ".", "distinct", "all")
    if last.kind == OPERATOR:
        return True
    return last.word in NO_NAMES and last.word not in _ENDINGS


def _open_case(items: Items, first: int, cursor: int) -> str:
    """The last word of CASE, WHEN, THEN and ELSE of a CASE without its END, else empty."""
    opened: list[str] = []
    for item in items[first:cursor]:
        if item.word == "case":
            opened.append(item.word)
        elif item.word == "end" and opened:
            opened.pop()
        elif item.word in CASE and opened:
            opened[-1] = item.word
    return opened[-1] if opened else ""


def in_window(place: Place, items: Items, cursor: int) -> None:
    """Within what OVER or WINDOW defines."""
    last = items[cursor - 1].word if cursor else ""
    start = cursor
    while start and items[start - 1].word != "by":
        start -= 1
    if cursor == 0:
        place.keywords = ("partition by", "order by", "rows between", "range between")
    elif last in ("partition", "order"):
        place.keywords = ("by",)
    elif start:
        in_expression(place, items, start, cursor)
        if place.wants == NOTHING:
            ordered = items[start - 2].word == "order" if start > 1 else False
            place.keywords = (
                ("desc", "asc", "rows between", "range between") if ordered else ("order by",)
            )


def compared(group: Group, cursor: int) -> tuple[tuple[str, str] | None, frozenset[str]]:
    """The column that what comes next is compared with, and the values it is in a list with."""
    items: Items = group.items
    at = cursor - 1
    word = items[at].word if at >= 0 else ""
    if not group.is_query and group.opener == "in" and word in ("", ","):
        taken = [t.text for t in items if isinstance(t, Token) and t.kind == STRING]
        assert group.parent is not None
        items, at = group.parent.items, group.place - 2
        if at >= 0 and items[at].word == "not":
            at -= 1
        return _column(items, at), frozenset(taken)
    if word in _COMPARISONS:
        at -= 1
        if at >= 0 and items[at].word == "not":
            at -= 1
    elif word == "not" and at and items[at - 1].word == "is":
        at -= 2
    elif word == "when":
        at = _case_operand(items, at)
    else:
        return None, frozenset()
    return _column(items, at), frozenset()


def _case_operand(items: Items, at: int) -> int:
    """The place where the operand of a CASE ends whose WHEN is at ``at``; -1 for none."""
    inner = 0
    when = at
    while at >= 0:
        word = items[at].word
        if word == "end":
            inner += 1
        elif word == "when" and not inner:
            when = at
        elif word == "case":
            if not inner:
                return when - 1 if when - at in (2, 4) else -1
            inner -= 1
        at -= 1
    return -1


def _column(items: Items, at: int) -> tuple[str, str] | None:
    """Qualifier and name of the column that ends at ``at``."""
    token = items[at] if at >= 0 else None
    if not isinstance(token, Token) or not is_name(token):
        return None
    qualifier = items[at - 2] if at > 1 and items[at - 1].word == "." else None
    return (qualifier.name if isinstance(qualifier, Token) else "", token.name)
