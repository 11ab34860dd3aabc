"""Completion of dot commands: their names, and arguments as they are declared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sockql.completion import catalogue as kinds
from sockql.completion.match import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockql.completion.catalogue import Argument, Catalogue, Command

#: A word, or quotes around one, which have no escapes.
_WORD: Final = re.compile(r"""\s*(?:'([^']*)'?|"([^"]*)"?|([^\s'"]\S*)|)""")
_PLAIN: Final = re.compile(r"[^\s'\"]\S*").fullmatch
_MOST: Final = 4096  # characters of a command's line that are read

_FIRST: Final = 0
_NAME: Final = 2


class _Word(NamedTuple):
    value: str
    start: int


def _words(text: str) -> list[_Word]:
    """The words of a line without quotes, and where they begin with them; the last may be empty."""
    found = []
    at = 0
    while True:
        match = _WORD.match(text, at)
        assert match is not None
        value = match.group(match.lastindex) if match.lastindex else ""
        quote = match.lastindex in (1, 2)
        found.append(
            _Word(
                value, match.end() if not match.lastindex else match.start(match.lastindex) - quote
            )
        )
        if match.end() == len(text):
            return found
        at = match.end()


def resolve(catalogue: Catalogue, word: str) -> Command | None:
    """The command that a word means: by its name, an alias, or a prefix that is the only one."""
    found = None
    for command in catalogue.commands:
        if word == command.name or word in command.aliases:
            return command
    if word[:1] == "." and len(word) > 1:
        for command in catalogue.commands:
            if command.name.startswith(word):
                if found is not None:
                    return None
                found = command
    return found


def takes_sql(catalogue: Catalogue, word: str) -> bool:
    """Whether the command that ``word`` means goes on to a semicolon."""
    command = resolve(catalogue, word)
    return command is not None and any(a.kind == kinds.SQL for a in command.arguments)


def command_candidates(catalogue: Catalogue, rank: int) -> Iterator[Candidate]:
    """The names of all commands."""
    for command in catalogue.commands:
        usage = " ".join([command.name, *(a.name for a in command.arguments)])
        match = command.name.lower().lstrip(".")
        yield Candidate(command.name, usage, command.help, kinds.COMMAND, rank, match)


class Line:
    """A dot command up to the cursor; ``text`` begins at index ``offset`` of the input.

    ``partial`` is what has been typed of the word at the cursor, ``start`` its index.  ``sql`` is
    the index where the command's SQL begins when the cursor is in that, else None.
    """

    def __init__(self, text: str, offset: int, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.sql: int | None = None
        self.command: Command | None = None
        self.expected: list[Argument] = []
        self.flags = False
        self.given: list[str] = []
        head = re.match(r"\S*", text)
        assert head is not None
        name = head.group()
        self.name = name if head.end() == len(text) else None
        self.partial, self.start = name.lstrip("."), offset
        if self.name is not None:
            return
        self.command = resolve(catalogue, name)
        if self.command is not None:
            self._read(self.command, text, head.end(), offset)

    def _read(self, command: Command, text: str, at: int, offset: int) -> None:
        words = [_Word(w.value, w.start + at) for w in _words(text[at:_MOST])]
        arguments = list(command.arguments)
        pending: Argument | None = None
        for word in words[:-1]:
            if pending is not None:
                pending = None
                continue
            if word.value in command.options:
                pending = command.options[word.value]
                continue
            arguments = _expected(arguments, word.value)
            if arguments and arguments[0].kind == kinds.SQL:
                self.sql = offset + word.start
                return
            self.given.append(word.value)
            if arguments and not arguments[0].repeat:
                del arguments[0]
        if len(text) > _MOST:
            return
        last = words[-1]
        self.partial, self.start = last.value, offset + last.start
        if pending is not None:
            self.expected = [pending]
            return
        self.flags = last.value[:1] == "-"
        self.expected = _expected(arguments, last.value)
        if self.expected and self.expected[0].kind == kinds.SQL:
            self.sql = offset + last.start
        elif self.expected and self.expected[0].kind == kinds.COMMAND:
            self.partial = self.partial.lstrip(".")
        elif not last.value and arguments[:1] and arguments[0].kind == kinds.NUMBER:
            # The number may be left out; what comes behind it is offered.
            self.expected = arguments[1:]
            if self.expected and self.expected[0].kind == kinds.SQL:
                self.sql = offset + last.start

    def candidates(self) -> Iterator[Candidate]:
        """What may stand at the cursor, whatever has been typed of it."""
        if self.name is not None:
            yield from self._names(self.name)
        elif self.command is not None:
            if self.flags:
                for flag in self.command.options:
                    yield Candidate(flag, flag, "", kinds.OPTION, _FIRST, flag)
            if self.expected:
                yield from self._argument(self.expected[0])

    def _names(self, word: str) -> Iterator[Candidate]:
        if word[:1] == ".":
            yield from command_candidates(self.catalogue, _NAME)
            return
        for command in self.catalogue.commands:
            for alias in command.aliases:
                if alias[:1] == word[:1]:
                    yield Candidate(alias, alias, command.help, kinds.COMMAND, _NAME, alias)

    def _argument(self, argument: Argument) -> Iterator[Candidate]:
        catalogue = self.catalogue
        for choice in argument.choices:
            yield Candidate(choice, choice, "", kinds.OPTION, _FIRST, choice.lower())
        if argument.kind == kinds.TABLE:
            for name, schema in catalogue.tables.items():
                meta = " ".join(schema.doc.split()).partition(". ")[0].removesuffix(".")
                yield Candidate(name, name, meta, kinds.TABLE, _NAME, name.lower())
        elif argument.kind == kinds.QUERY:
            for query in catalogue.queries:
                text = quoted(query.name)
                if text is not None and query.name.isprintable():
                    match = query.name.lower()
                    yield Candidate(text, query.name, query.doc, kinds.QUERY, _NAME, match)
        elif argument.kind == kinds.COMMAND:
            yield from command_candidates(catalogue, _NAME)
        elif argument.kind == kinds.PARAMETER:
            for name in catalogue.parameters:
                yield Candidate(name, name, "", kinds.PARAMETER, _NAME, name.lower())
        elif argument.kind == kinds.BINDING:
            yield from self._bindings()
        elif argument.kind in (kinds.FILE, kinds.DIRECTORY):
            yield from self._files(directories=argument.kind == kinds.DIRECTORY)

    def _bindings(self) -> Iterator[Candidate]:
        given = {word.partition("=")[0] for word in self.given if "=" in word}
        for query in self.catalogue.queries:
            if query.name in self.given:
                for name in query.parameters:
                    if name not in given:
                        text = f"{name}="
                        yield Candidate(text, text, "", kinds.PARAMETER, _NAME, text.lower())

    def _files(self, *, directories: bool) -> Iterator[Candidate]:
        folder, slash, name = self.partial.rpartition("/")
        folder += slash
        try:
            entries = sorted(self.catalogue.files(folder))
        except OSError:
            return
        for entry, is_directory in entries:
            # Others could not be typed; and names that begin with a dot are asked for by it.
            if not entry.isprintable() or (entry[:1] == "." and name[:1] != "."):
                continue
            if is_directory or not directories:
                path = folder + entry + ("/" if is_directory else "")
                shown = path[len(folder) :]
                text = quoted(path)
                if text is None:
                    continue
                yield Candidate(text, shown, "", kinds.FILE, _NAME, path.lower())


def _expected(arguments: Sequence[Argument], word: str) -> list[Argument]:
    """The arguments from the one on that ``word`` can be."""
    arguments = list(arguments)
    while arguments and arguments[0].kind == kinds.NUMBER and word and not _is_number(word):
        del arguments[0]
    return arguments


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def quoted(word: str) -> str | None:
    """A word as it has to stand in a command's line, None when there is no way to write it."""
    if _PLAIN(word):
        return word
    for quote in "'\"":
        if quote not in word:
            return f"{quote}{word}{quote}"
    return None
