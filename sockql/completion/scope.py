"""Which tables and columns a place in a statement can see, and under which names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sockql.completion.builtins import JSON_COLUMNS, TABLE_FUNCTIONS
from sockql.completion.groups import Group, clause_at, clauses, is_name, split
from sockql.completion.sources import Field, From, Output, Source, find_field, merged
from sockql.completion.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sockql.completion.groups import Clause
    from sockql.schema import Schema

_JOINING: Final = frozenset({"cross", "full", "inner", "left", "natural", "outer", "right"})

# Where in a FROM clause one is: ``From.state``.
TABLE: Final = "table"  # a table is expected
NAMED: Final = "named"  # after the table, an alias may follow
ALIAS: Final = "alias"  # after AS
KNOWN: Final = "known"  # after the alias
JOINING: Final = "joining"  # after LEFT, NATURAL and so on
CONDITION: Final = "condition"  # in ON
USING: Final = "using"  # between USING and its list
DONE: Final = "done"  # after USING's list

#: Subqueries within subqueries that are looked into.
_DEEPEST: Final = 16


class Scope:
    """The names of one statement.  ``text`` is the input its tokens come from."""

    def __init__(self, text: str, tables: Mapping[str, Schema]) -> None:
        self.text = text
        self.tables = {name.lower(): schema for name, schema in tables.items()}
        self._fields: dict[str, list[Field]] = {}
        self._outputs: dict[tuple[int, int], list[Output]] = {}
        self._visible: dict[int, dict[str, Expression]] = {}
        self._depth = 0

    def levels(self, at: Group) -> list[list[Source]]:
        """The tables that the cursor can see, those of the innermost query first."""
        found: list[list[Source]] = []
        group: Group | None = at
        blocked = False
        while group is not None and len(found) < _DEEPEST:
            cursor = group.cursor or 0
            if group.is_query:
                clause = clause_at(group, cursor)
                if not blocked:
                    found.append(self.sources(group, clause.core if clause else 0))
                # The tables beside a subquery in FROM are not visible in it, nor are they in a
                # common table expression; those around the query are.
                parent = group.parent
                above = clause_at(parent, group.place) if parent is not None else None
                blocked = group.opener in ("from", "join", ",") or bool(
                    above and above.name == "with"
                )
            group = group.parent
        return found

    def sources(self, query: Group, core: int) -> list[Source]:
        """The tables of one core of a query, in order."""
        found: list[Source] = []
        for clause in clauses(query):
            if clause.core == core and clause.name in ("from", "update"):
                found += self.read(query, clause.first + 1, clause.last).sources
        return found

    def read(self, group: Group, first: int, last: int) -> From:
        """The tables in ``group.items[first:last]``, read as a FROM clause."""
        sources: list[Source] = []
        state, join = TABLE, ""
        for i in range(first, last):
            item = group.items[i]
            word = item.word
            if word == "," and state not in (USING, ALIAS):
                state, join = TABLE, ","
            elif word in _JOINING:
                join = f"{join} {word}" if state == JOINING else word
                state = JOINING
            elif word == "join":
                join = f"{join} join" if state == JOINING else "join"
                state = TABLE
            elif state == TABLE:
                if isinstance(item, Group):
                    sources += self._grouped(item, join)
                    state = NAMED
                elif is_name(item):
                    sources.append(self._named(item, join, group))
                    state = NAMED
            elif state in (NAMED, KNOWN, ALIAS) and sources:
                state = self._after_table(group, i, state, sources[-1])
            elif state == USING and isinstance(item, Group) and sources:
                names = (part.name.lower() for part in item.items if isinstance(part, Token))
                sources[-1].using = frozenset(names) - {","}
                state = DONE
        return From(sources, state)

    def _after_table(self, group: Group, i: int, state: str, source: Source) -> str:
        """The state after the item ``i``, which follows a table."""
        item = group.items[i]
        if item.word in ("on", "using"):
            source.conditioned = True
            return CONDITION if item.word == "on" else USING
        if item.word == "as":
            return ALIAS
        if item.word == "." or isinstance(item, Group):
            return state  # temp.NAME; the arguments of a table-valued function
        if not is_name(item):
            return state
        if group.items[i - 1].word == ".":
            named = self._named(item, source.join, group)
            source.name, source.relation = named.name, named.relation
            source.schema, source.fields = named.schema, named.fields
            return NAMED
        if state != KNOWN:
            source.name = item.name
        return KNOWN

    def _named(self, token: Token, join: str, group: Group) -> Source:
        """A table, view, table-valued function or common table expression by its name."""
        source = Source(token.name, join)
        name = token.name.lower()
        expression = self.expressions(group).get(name)
        if expression is not None:
            source.fields = self._columns(expression)
        elif name in self.tables:
            source.schema = self.tables[name]
            source.fields = self.table_fields(source.schema)
        elif name in TABLE_FUNCTIONS:
            source.fields = [Field(key, None, False, doc) for key, doc in JSON_COLUMNS.items()]
        return source

    def _grouped(self, group: Group, join: str) -> list[Source]:
        """A subquery, or the tables of a join in parentheses."""
        if group.is_query:
            source = Source("", join)
            source.fields = _as_fields(self.outputs(group))
            return [source]
        if self._depth >= _DEEPEST:
            return []
        self._depth += 1
        try:
            found = self.read(group, 0, len(group.items)).sources
        finally:
            self._depth -= 1
        if found:
            found[0].join = join
        return found

    def table_fields(self, schema: Schema) -> list[Field]:
        """The columns of a table, in the order they are declared."""
        found = self._fields.get(schema.name)
        if found is None:
            found = [Field(c.name, c, c.hidden, c.doc) for c in schema.columns]
            self._fields[schema.name] = found
        return found

    def table(self, name: str) -> Source:
        """A table by its name, as if it had just been joined."""
        source = Source(name, "")
        source.schema = self.tables[name.lower()]
        source.fields = self.table_fields(source.schema)
        return source

    def expressions(self, at: Group) -> dict[str, Expression]:
        """The common table expressions that ``at`` can name."""
        group = at
        while not group.is_query and group.parent is not None:
            group = group.parent
        found = self._visible.get(id(group))
        if found is None:
            found = {}
            around: Group | None = group
            while around is not None:
                for clause in clauses(around) if around.is_query else ():
                    if clause.name == "with":
                        for cte in _expressions(around, clause):
                            found.setdefault(cte.name.lower(), cte)
                around = around.parent
            self._visible[id(group)] = found
        return found

    def _columns(self, cte: Expression) -> list[Field]:
        fields = _as_fields(self.outputs(cte.body)) if cte.body is not None else []
        if cte.columns is None:
            return fields
        named = []
        for i, name in enumerate(cte.columns):
            known = fields[i] if i < len(fields) else None
            named.append(Field(name, known and known.column, False, known.doc if known else ""))
        return named

    def outputs(self, query: Group, core: int = 0) -> list[Output]:
        """The result columns of a query, as far as their names are plain to see."""
        key = id(query), core
        known = self._outputs.get(key)
        if known is not None:
            return known
        self._outputs[key] = []  # what a recursive expression sees of itself
        if self._depth >= _DEEPEST:
            return []
        self._depth += 1
        found: list[Output] = []
        for clause in clauses(query):
            if clause.core == core and clause.name in ("select", "values"):
                items = query.items[clause.first + 1 : clause.last]
                if clause.name == "values":
                    if items and isinstance(items[0], Group):
                        found = [
                            Output(f"column{n}", "", False, None)
                            for n in range(1, len(split(items[0].items)) + 1)
                        ]
                else:
                    sources = self.sources(query, core)
                    for part in split(items):
                        found += self._output(part, sources)
                break
        self._depth -= 1
        self._outputs[key] = found
        return found

    def _output(self, part: list[Token | Group], sources: list[Source]) -> Iterator[Output]:
        """The column, or with ``*`` the columns, that one item of a SELECT list gives."""
        while part and part[0].word in ("distinct", "all"):
            part = part[1:]
        if not part:
            return
        last = part[-1]
        text = " ".join(self.text[part[0].start : last.end].split())
        if last.word == "*" and len(part) in (1, 3):
            of = sources
            if len(part) == 3 and isinstance(part[0], Token):
                of = [s for s in sources if s.name.lower() == part[0].name.lower()]
            for owned in merged(of):
                if not owned.field.hidden:
                    yield Output(owned.field.name, "*", False, owned.field)
            return
        if not isinstance(last, Token) or not is_name(last):
            yield Output(None, text, False, None)
            return
        before = part[-2] if len(part) > 1 else None
        if before is None or (before.word == "." and len(part) == 3):
            qualifier = part[0].name if before is not None and isinstance(part[0], Token) else ""
            yield Output(last.name, text, False, find_field(sources, qualifier, last.name))
            return
        expression = part[:-2] if before.word == "as" else part[:-1]
        if before.word != "as" and not (isinstance(before, Group) or _ends_operand(before)):
            yield Output(None, text, False, None)
            return
        field = None
        if len(expression) in (1, 3) and isinstance(expression[-1], Token):
            qualifier = ""
            if len(expression) == 3 and isinstance(expression[0], Token):
                qualifier = expression[0].name
            if is_name(expression[-1]):
                field = find_field(sources, qualifier, expression[-1].name)
        if expression:
            text = " ".join(self.text[expression[0].start : expression[-1].end].split())
        yield Output(last.name, text, True, field)


class Expression(NamedTuple):
    """A common table expression: its name, its list of columns, its query."""

    name: str
    columns: list[str] | None
    body: Group | None


def _expressions(group: Group, clause: Clause) -> Iterator[Expression]:
    """The common table expressions of a WITH clause."""
    for part in split(group.items[clause.first + 1 : clause.last]):
        if part and part[0].word == "recursive" and len(part) > 1:
            part = part[1:]
        name, columns, body, defined = "", None, None, False
        for item in part:
            if isinstance(item, Group):
                if defined:
                    body = item
                else:
                    columns = [t.name for t in item.items if isinstance(t, Token) and is_name(t)]
            elif item.word == "as":
                defined = True
            elif not name and is_name(item):
                name = item.name
        if name:
            yield Expression(name, columns, body)


def _ends_operand(token: Token) -> bool:
    return token.word == "end" or is_name(token) or token.kind in ("string", "number", "parameter")


def _as_fields(outputs: list[Output]) -> list[Field]:
    found: dict[str, Field] = {}
    for output in outputs:
        if output.name is not None and output.name.lower() not in found:
            column = output.field.column if output.field else None
            doc = output.text if output.renamed or not output.field else output.field.doc
            found[output.name.lower()] = Field(output.name, column, False, doc)
    return list(found.values())
