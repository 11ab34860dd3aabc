"""Views, functions and collations that a connection gets when a statement first needs them.

A statement that needs none of them pays for none of them.
"""

from __future__ import annotations

from sockql.osquery.functions import modules
from sockql.schema import View
from sockql.sqltext import tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    import apsw

    from sockql.engine import Engine

#: The functions of :mod:`sockql.functions`.
OURS: Final = ("capabilities", "inet_in", "regexp", "service", "tcp_state", "username")
#: Texts that are worth keeping.
_MANY: Final = 256


class Named:
    """What the statements of an engine have not named yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = engine.dialect
        #: Functions and collations: the module of each of osquery's, nothing for one of ours.
        self._functions = dict.fromkeys(OURS, "") | modules(osquery=self._dialect.as_osquery)
        #: Tables; only those that turn out to be views have to be made.
        self._tables = {*self._dialect.names, *self._dialect.others}
        #: Statements that have been looked at; each is, whenever it is prepared.
        self._made: set[str] = set()

    def make(self, sql: str) -> None:
        """Make the views and functions that ``sql`` names, and those that they name themselves.

        What is no more than an alias is taken for a name as well, which does no harm.
        """
        if sql in self._made:
            return
        if len(self._made) >= _MANY:
            self._made.clear()
        self._made.add(sql)
        for _, token in tokens(sql):
            name = token.strip('"`[]').lower()
            if name in self._functions:
                self._register(self._functions[name])
            if name in self._tables:
                self._tables.discard(name)
                table = self._dialect.load(name)
                if isinstance(table, View):
                    self._make_view(name, table.sql)

    def leave(self, function: str) -> None:
        """The engine has made this ``function`` itself."""
        del self._functions[function]

    def collation(self, _connection: apsw.Connection, name: str) -> None:
        """Register the collation of a column (xCollNeeded), when it is one of osquery's."""
        module = self._functions.get(name.lower())
        if module is not None:
            self._register(module)

    def _register(self, module: str) -> None:
        names = {name for name, of in self._functions.items() if of == module}
        if module:
            from sockql.osquery import functions as theirs

            theirs.register(self._engine.connection, module)
        else:
            from sockql import functions

            ours = [functions.FUNCTIONS[name] for name in OURS if name in names]
            functions.register(self._engine.connection, ours)
        for name in names:
            del self._functions[name]

    def _make_view(self, name: str, sql: str) -> None:
        if self._dialect.mixed({token.lower() for _, token in tokens(sql)}):
            return  # it would mean other tables; a statement that needs it is told so
        self.make(sql)
        # In temp, where a view may name temporary tables and be named without more.
        self._engine.trusted(f'CREATE TEMP VIEW "{name}" AS {sql}')
