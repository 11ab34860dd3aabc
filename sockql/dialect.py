"""Which tables a connection has: sockql's own and osquery's, and whose a name is that both have."""

from __future__ import annotations

from sockql import osquery, tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

    from sockql.functions import Function
    from sockql.schema import Table, View


class Dialect:
    """The tables of a connection.

    ``names`` are those of the program whose words it speaks, and what lists of tables show;
    ``others`` those that only the other one has, which are there as well.
    """

    __slots__ = ("as_osquery", "names", "others")

    def __init__(self, *, as_osquery: bool) -> None:
        self.as_osquery = as_osquery
        self.names, others = (
            (osquery.NAMES, tables.NAMES) if as_osquery else (tables.NAMES, osquery.NAMES)
        )
        self.others = tuple([name for name in others if name not in self.names])

    def __contains__(self, name: object) -> bool:
        return name in self.names or name in self.others

    def load(self, name: str) -> Table[Any] | View:
        """The table or view called ``name``.

        :raises KeyError: when there is none.
        """
        theirs = name in osquery.NAMES and (self.as_osquery or name not in tables.NAMES)
        return osquery.load(name) if theirs else tables.load(name)

    def load_all(self) -> Iterator[Table[Any] | View]:
        """The tables and views of ``names``, in alphabetical order."""
        return map(self.load, self.names)

    def functions(self) -> list[Function]:
        """The functions that sockql adds to SQLite's, in alphabetical order; imports them all."""
        from sockql.functions import FUNCTIONS
        from sockql.osquery import functions

        found = {**FUNCTIONS}
        for module in set(functions.modules(osquery=self.as_osquery).values()):
            found.update(functions.declared(module))
        return [found[name] for name in sorted(found)]

    def mixed(self, names: set[str]) -> bool:
        """Whether SQL of sockql's own that names these tables would mean osquery's here."""
        return self.as_osquery and not names.isdisjoint(osquery.NAMES)


#: What ``sockql "SQL"`` speaks, and what ``--osquery`` does.
SOCKQL: Final = Dialect(as_osquery=False)
OSQUERY: Final = Dialect(as_osquery=True)
