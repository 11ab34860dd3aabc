"""What completion knows: the names it may offer, given as data.

Nothing here reads the machine or needs a terminal.  :func:`standard` builds the catalogue of this
program from its declarations; the shell adds its dot commands and saved queries, a test builds
whatever it likes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from sockql.dialect import SOCKQL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sockql.dialect import Dialect
    from sockql.schema import Schema

# What a suggestion is: ``Suggestion.kind``.
ALIAS: Final = "alias"  # a name that the statement itself gives: table alias, output column, CTE
COLUMN: Final = "column"
COMMAND: Final = "command"
FILE: Final = "file"
FUNCTION: Final = "function"
JOIN: Final = "join"  # a whole join condition
KEYWORD: Final = "keyword"
OPTION: Final = "option"  # a word out of a command's closed set
PARAMETER: Final = "parameter"
QUERY: Final = "query"
TABLE: Final = "table"
VALUE: Final = "value"  # a member of a column's closed set

# What an argument of a dot command takes: ``Argument.kind``; also COMMAND, FILE, PARAMETER, QUERY
# and TABLE above.
BINDING: Final = "binding"  # name=value for a parameter of the saved query named before it
CHOICE: Final = "choice"  # one of Argument.choices
DIRECTORY: Final = "directory"
NUMBER: Final = "number"  # nothing is offered; skipped when the word is no number
SQL: Final = "sql"  # the rest is SQL, up to a semicolon, over several lines if need be
TEXT: Final = "text"  # nothing is offered


@dataclass(frozen=True)
class Suggestion:
    """One candidate.

    ``text`` replaces the characters of the input from index ``start`` up to the cursor (for
    prompt_toolkit: ``Completion(s.text, s.start - cursor, s.display, s.meta)``).  ``display`` is
    what a menu shows, ``meta`` one line about it: a column's description, unit and "(hidden)".
    ``kind`` is one of the constants of this module.  ``priority`` says how good the match is, 0
    the best; suggestions come sorted, best first, and equal input gives an equal list.
    """

    text: str
    start: int
    display: str
    meta: str
    kind: str
    priority: int


@dataclass(frozen=True)
class Argument:
    """One argument of a dot command: its name in the help, and what it takes.

    ``choices`` are the words of a CHOICE, or words offered besides the names of another kind
    (``all`` beside the tables); ``repeat`` lets the last argument be given again.
    """

    name: str
    kind: str = TEXT
    choices: tuple[str, ...] = ()
    repeat: bool = False


class Command(Protocol):
    r"""What completion reads of a dot command's declaration.

    ``name`` begins with its dot, ``aliases`` are further spellings of the whole command
    (``\dt``), ``help`` is its one line.  ``options`` are flags that may stand before an argument:
    the flag, and the argument that follows it or None.
    """

    @property
    def name(self) -> str: ...

    @property
    def aliases(self) -> Sequence[str]: ...

    @property
    def help(self) -> str: ...

    @property
    def arguments(self) -> Sequence[Argument]: ...

    @property
    def options(self) -> Mapping[str, Argument | None]: ...


class Function(Protocol):
    """What completion reads of an SQL function, see :class:`sockql.functions.Function`."""

    @property
    def name(self) -> str: ...

    @property
    def signature(self) -> str: ...

    @property
    def doc(self) -> str: ...


@dataclass(frozen=True)
class SavedQuery:
    """A saved query: its name, one line about it, the names of its parameters."""

    name: str
    doc: str = ""
    parameters: tuple[str, ...] = ()


def no_files(_directory: str) -> Iterable[tuple[str, bool]]:
    """No files at all, for who has no disk."""
    return ()


@dataclass
class Catalogue:
    """Everything that can be offered.  Its fields may be replaced between two calls.

    ``tables`` by their names, views and temporary tables among them.  ``functions`` in the order
    they are offered.  ``files`` lists a directory as the user spelled it (``""`` is the current
    one, otherwise it ends in a slash; it may begin with ``~``): name, and whether it is a
    directory.  It is called only where a file name is expected, and may raise OSError.
    """

    tables: Mapping[str, Schema]
    functions: Sequence[Function] = ()
    queries: Sequence[SavedQuery] = ()
    commands: Sequence[Command] = ()
    parameters: Sequence[str] = ()
    files: Callable[[str], Iterable[tuple[str, bool]]] = field(default=no_files, repr=False)


def standard(dialect: Dialect = SOCKQL) -> Catalogue:
    """The tables and SQL functions of a dialect, and the files of this machine.

    Imports every table, which a shell can do while its user reads the prompt.
    """
    from sockql.completion.builtins import FUNCTIONS as BUILTINS

    own = dialect.functions()
    names = {function.name for function in own}
    return Catalogue(
        tables={table.schema.name: table.schema for table in dialect.load_all()},
        functions=(*own, *(builtin for builtin in BUILTINS if builtin.name not in names)),
        files=list_directory,
    )


#: Entries of one directory that are looked at; more would not fit a menu anyway.
_MOST_FILES: Final = 5000


def list_directory(directory: str) -> Iterable[tuple[str, bool]]:
    """Names in a directory, and whether they are directories themselves.

    :raises OSError: when it cannot be read.
    """
    import os
    from itertools import islice

    with os.scandir(os.path.expanduser(directory) or ".") as entries:
        return [(entry.name, entry.is_dir()) for entry in islice(entries, _MOST_FILES)]
