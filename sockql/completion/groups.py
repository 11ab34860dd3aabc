"""The shape of a statement that may be unfinished: parentheses, queries and their clauses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sockql.completion.tokens import NAME, WORD, Token

if TYPE_CHECKING:
    from collections.abc import Iterable

_QUERIES: Final = frozenset({"select", "values", "with"})
_COMPOUND: Final = frozenset({"union", "except", "intersect"})
#: First words of statements; elsewhere they are names or functions (``replace``).
_HEADS: Final = frozenset(
    {"create", "delete", "drop", "explain", "insert", "pragma", "replace", "update", "with"}
)
_CLAUSES: Final = (
    _HEADS
    | _COMPOUND
    | {"select", "from", "where", "group", "having", "window", "order", "limit", "offset"}
    | {"values", "set", "into", "returning"}
)
#: Words of a query that stand in no expression: a parenthesis before them was left open.
_BREAKS: Final = _COMPOUND | {"from", "where", "group", "having", "order", "limit", "join"}
_SHAPING: Final = _BREAKS | {"(", ")"}
_JOINED: Final = frozenset({"from", "join", ","})


class Group:
    """What a pair of parentheses holds, or the whole statement; the end may still be missing.

    ``items`` are tokens and groups, ``start`` and ``end`` indexes in the text, parentheses
    included; ``parent.items[place]`` is the group itself.  ``cursor`` is the place in ``items``
    before which the cursor is, in the group that has it, and in those around it the place of the
    group that leads there.
    """

    __slots__ = ("clauses", "closed", "cursor", "items", "parent", "place", "start")

    word: Final = ""

    def __init__(self, parent: Group | None, start: int) -> None:
        self.parent = parent
        self.place = len(parent.items) if parent is not None else 0
        self.items: list[Token | Group] = []
        self.start = start
        self.closed: int | None = None
        self.cursor: int | None = None
        self.clauses: list[Clause] | None = None

    @property
    def end(self) -> int:
        """The index behind it, or behind what there is of it."""
        group = self
        while group.closed is None and group.items:
            last = group.items[-1]
            if not isinstance(last, Group):
                return last.end
            group = last
        return group.start if group.closed is None else group.closed

    @property
    def is_query(self) -> bool:
        """Whether it is a statement or a subquery, not an expression or a list."""
        return self.parent is None or (bool(self.items) and self.items[0].word in _QUERIES)

    def previous(self, count: int = 1) -> Token | Group | None:
        """The item so many places before the group."""
        if self.parent is None or self.place < count:
            return None
        return self.parent.items[self.place - count]

    @property
    def opener(self) -> str:
        """The keyword or operator before the parenthesis, empty for none and for a name."""
        item = self.previous()
        return "" if item is None or is_name(item) else item.word

    @property
    def function(self) -> str:
        """The name before the parenthesis in lower case, empty when there is none."""
        item = self.previous()
        return item.name.lower() if isinstance(item, Token) and is_name(item) else ""


class Clause:
    """One clause of a query: its first word, its items from there on, its core.

    The parts of a compound query (``union``) are its cores, numbered from 0.
    """

    __slots__ = ("core", "first", "last", "name")

    def __init__(self, name: str, first: int, core: int) -> None:
        self.name = name
        self.first = first
        self.last = first
        self.core = core


_WORDS: Final = """
all and as between by case collate cross distinct else end escape except exists filter from full
glob group having in inner intersect into is isnull join left like limit match natural not notnull
null offset on or order outer over partition regexp returning right select set then union using
values when where window with
"""
#: Words that are taken for what they are, not for a name, where a name might stand.
NO_NAMES: Final = frozenset(_WORDS.split())


def is_name(item: Token | Group) -> bool:
    """Whether the item can be a table, column, alias or function."""
    if isinstance(item, Group):
        return False
    return item.kind == NAME or (item.kind == WORD and item.word not in NO_NAMES)


def build(before: Iterable[Token], after: Iterable[Token]) -> Group:
    """The innermost group that holds the cursor, which is between the tokens of the two."""
    inner = Group(None, 0)
    for token in before:
        if token.word in _SHAPING:
            inner = _add(inner, token)
        else:
            inner.items.append(token)
    inner.cursor = len(inner.items)
    group = inner
    while group.parent is not None:
        group.parent.cursor = group.place
        group = group.parent
    open_one = inner
    for token in after:
        if token.word in _SHAPING:
            open_one = _add(open_one, token)
        else:
            open_one.items.append(token)
    return inner


def _add(group: Group, token: Token) -> Group:
    """Put ``token`` into ``group`` or where it belongs; the group that is open then."""
    word = token.word
    if word == "(":
        new = Group(group, token.start)
        group.items.append(new)
        return new
    if word == ")":
        if group.parent is None:
            return group  # one too many; SQLite will say so
        group.closed = token.end
        return group.parent
    if word in _BREAKS:
        while not group.is_query and group.parent is not None and _was_left_open(group, word):
            group = group.parent
    group.items.append(token)
    return group


def _was_left_open(group: Group, word: str) -> bool:
    """Whether ``word`` cannot stand in ``group``, which is no query."""
    last = group.items[-1].word if group.items else ""
    if word == "from":
        return last != "distinct"  # is [not] distinct from
    if word == "where":
        return group.opener != "filter"
    if word == "group":
        return last != "exclude"  # of a window's frame
    if word == "order":
        return group.opener not in ("over", "as") and not group.function
    if word == "join":
        return group.opener not in _JOINED and not (group.opener == "" and not group.function)
    return True


def clauses(group: Group) -> list[Clause]:
    """The clauses of a query, in order; what is before the first one belongs to none."""
    if group.clauses is not None:
        return group.clauses
    found: list[Clause] = []
    core = 0
    items = group.items
    current = ""
    for i, item in enumerate(items):
        word = item.word
        if word not in _CLAUSES or not _begins(items, i, current, i == group.cursor):
            continue
        if found:
            found[-1].last = i
        core += word in _COMPOUND
        current = word
        found.append(Clause(word, i, core))
    if found:
        found[-1].last = len(items)
    group.clauses = found
    return found


def _begins(items: list[Token | Group], i: int, current: str, behind: bool) -> bool:
    """Whether the word at ``i`` begins a clause after the clause ``current``.

    ``behind`` the cursor the word before it is not to be relied on: it is still being typed.
    """
    word = items[i].word
    last = items[i - 1].word if i and not behind else ""
    if last == ".":
        return False
    if word == "from":
        return not (last == "distinct" and i > 1 and items[i - 2].word in ("is", "not"))
    if word == "offset":
        return current == "limit"
    if word == "window":
        return current in ("from", "where", "group", "having")
    if word == "into":
        return current in ("insert", "replace")
    if word == "set":
        return current == "update"
    if word in _HEADS:
        return current in ("", "explain", "with")
    return True


def clause_at(group: Group, place: int) -> Clause | None:
    """The clause that an item put in at ``place`` would belong to."""
    found = None
    for clause in clauses(group):
        if clause.first >= place:
            break
        found = clause
    return found


def split(items: list[Token | Group]) -> list[list[Token | Group]]:
    """The items between the commas."""
    parts: list[list[Token | Group]] = [[]]
    for item in items:
        if item.word == ",":
            parts.append([])
        else:
            parts[-1].append(item)
    return parts
