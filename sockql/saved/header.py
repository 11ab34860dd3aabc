"""The header of a saved query: YAML, read strictly.

Only the node graph is taken from PyYAML, with the line of each node; what it means is decided
here, so no tag makes an object and no value is guessed at: an unknown key, a key given twice and
a value of another type are errors.
Source: https://yaml.org/spec/1.1/, which is what PyYAML reads
"""

from __future__ import annotations

import re
from contextlib import suppress
from difflib import get_close_matches
from math import isfinite

import yaml

from sockql import tables
from sockql.saved.query import (
    AUDIT,
    EXPECTATIONS,
    INTEGER,
    KEYS,
    KINDS,
    REAL,
    SEVERITIES,
    TABLE,
    TEXT,
    TYPES,
    HeaderError,
    Param,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Final, NoReturn

    from sockql.saved.query import Query
    from sockql.schema import Value

#: libyaml's parser where PyYAML was built with it: ten times as fast, with the same nodes.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: A line that may be a key and its value, or the beginning of that.
_KEYED: Final = re.compile(r"[^\s:][^:]*:(\s|$)|---|[%#?{!&]")

_SHOWN: Final = 40  # characters of a wrong value in its message

_TAG: Final = "tag:yaml.org,2002:"
#: What a node is, for people.
_NAMES: Final = {
    "bool": "true or false",
    "float": "a number",
    "int": "an integer",
    "map": "a mapping",
    "null": "nothing",
    "seq": "a list",
    "str": "text",
    "timestamp": "a date",
}


class _Reader:
    """Reads nodes as values; every error names the file and the line of the node."""

    def __init__(self, path: str) -> None:
        self._path = path

    def refuse(self, line: int, message: str) -> NoReturn:
        raise HeaderError(self._path, line, message)

    def fail(self, node: yaml.Node, message: str) -> NoReturn:
        self.refuse(_line(node), message)

    def mismatch(self, node: yaml.Node, key: str, wanted: str) -> NoReturn:
        kind = _kind(node)
        found = _NAMES.get(kind, node.tag)
        shown = ""
        if isinstance(node, yaml.ScalarNode) and node.value:
            shown = " " + " ".join(node.value.split())[:_SHOWN]
        quote = ""
        if wanted == "text" and kind != "seq":
            quote = (
                "; put it in quotes" if shown else "; a text with ': ' in it has to be in quotes"
            )
        self.fail(node, f"{key}: {wanted} is wanted, not {found}{shown}{quote}")

    # -- shapes ---------------------------------------------------------------------------

    def items(
        self, node: yaml.Node, what: str, known: Sequence[str] | None = None
    ) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """The pairs of a mapping: key, its node, the node of its value."""
        if not isinstance(node, yaml.MappingNode):
            self.mismatch(node, what, "a mapping")
        seen = set()
        for key_node, value in node.value:
            if _kind(key_node) != "str":
                self.mismatch(key_node, f"a key of {what}", "text")
            key = key_node.value
            if known is not None and key not in known:
                close = get_close_matches(key.lower(), known, 1)
                meant = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}"
                self.fail(key_node, f"{what} has no key {key!r}; {meant}")
            if key in seen:
                self.fail(key_node, f"{key} is given twice")
            seen.add(key)
            yield key, key_node, value

    def entries(self, node: yaml.Node, key: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            self.mismatch(node, key, "a list")
        found: list[yaml.Node] = node.value
        return found

    # -- values ---------------------------------------------------------------------------

    def text(self, node: yaml.Node, key: str) -> str:
        """A text that says something; line ends within it stay."""
        if _kind(node) != "str":
            self.mismatch(node, key, "text")
        value = str(node.value).strip()
        if not value:
            self.fail(node, f"{key}: the text is empty")
        return value

    def line(self, node: yaml.Node, key: str) -> str:
        """A text of one line."""
        value = self.text(node, key)
        if "\n" in value:
            self.fail(node, f"{key}: one line is wanted")
        return value

    def choice(self, node: yaml.Node, key: str, choices: Sequence[str]) -> str:
        if _kind(node) != "str" or node.value not in choices:
            self.mismatch(node, key, f"one of {', '.join(choices)}")
        return str(node.value)

    def texts(self, node: yaml.Node, key: str) -> tuple[str, ...]:
        """A list of texts, or one text."""
        if _kind(node) == "str":
            return (self.text(node, key),)
        return tuple(self.text(each, key) for each in self.entries(node, key))

    def words(self, node: yaml.Node, key: str) -> tuple[str, ...]:
        """A list of words, each once."""
        found: list[str] = []
        for each in self.entries(node, key):
            word = self.line(each, key)
            if word in found:
                self.fail(each, f"{key}: {word} is given twice")
            found.append(word)
        return tuple(found)

    def tags(self, node: yaml.Node, key: str) -> tuple[str, ...]:
        found = self.words(node, key)
        for tag, each in zip(found, self.entries(node, key)):
            if not all(c.isalnum() or c in "._-" for c in tag) or tag != tag.lower():
                self.fail(each, f"{key}: {tag!r}: a tag has small letters, digits, '.', '_', '-'")
        return found

    def flag(self, node: yaml.Node, key: str) -> bool:
        if _kind(node) != "bool":
            self.mismatch(node, key, "true or false")
        return str(node.value).lower() in ("true", "yes", "on")

    def seconds(self, node: yaml.Node, key: str) -> float:
        number = self.number(node, key)
        if not number > 0:
            self.fail(node, f"{key}: {node.value}: not a positive number of seconds")
        return number

    def integer(self, node: yaml.Node, key: str) -> int:
        number = None
        if _kind(node) == "int":
            with suppress(ValueError):
                # Not 010 (octal) nor 22:22 (in base 60), which are numbers of YAML 1.1 as well.
                number = int(node.value, 0)
        if number is None:
            self.mismatch(node, key, "an integer")
        if not -(2**63) <= number < 2**63:
            self.fail(node, f"{key}: {node.value}: an integer of SQLite has 64 bits")
        return number

    def number(self, node: yaml.Node, key: str) -> float:
        if _kind(node) == "int":
            return float(self.integer(node, key))
        number = float("nan")
        if _kind(node) == "float":
            with suppress(ValueError):
                number = float(node.value)
        if not isfinite(number):
            self.mismatch(node, key, "a number")
        return number

    def cell(self, node: yaml.Node, key: str) -> Value:
        """A cell of a table."""
        kind = _kind(node)
        if kind == "null":
            return None
        if kind == "int":
            return self.integer(node, key)
        if kind == "float":
            return self.number(node, key)
        if kind != "str":
            self.mismatch(node, key, "text")
        return str(node.value)

    # -- parameters -----------------------------------------------------------------------

    def params(self, node: yaml.Node, key: str) -> dict[str, Param]:
        return {
            name: self._param(name, name_node, value)
            for name, name_node, value in self.items(node, key)
        }

    def _param(self, name: str, name_node: yaml.Node, node: yaml.Node) -> Param:
        if not name.isidentifier() or not name.isascii():
            self.fail(name_node, f"params: {name!r}: a name has letters, digits and _")
        found = {k: v for k, _, v in self.items(node, f"params: {name}", _PARAM)}
        if "type" not in found:
            self.fail(name_node, f"params: {name} has no type; there are {', '.join(TYPES)}")
        type = self.choice(found["type"], f"{name}: type", TYPES)
        columns: tuple[str, ...] = ()
        if type == TABLE:
            if name in tables.NAMES:
                self.fail(name_node, f"params: there is a table {name} already")
            if "columns" not in found:
                self.fail(name_node, f"params: the table {name} needs its columns")
            columns = self.words(found["columns"], f"{name}: columns")
            if not columns:
                self.fail(found["columns"], f"{name}: columns: the list is empty")
        elif "columns" in found:
            self.fail(found["columns"], f"{name}: only a table has columns")
        default: Any = None
        if "default" in found:
            default = self._default(found["default"], f"{name}: default", type, columns)
        description = found.get("description")
        return Param(
            name,
            type,
            default,
            "" if description is None else self.text(description, f"{name}: description"),
            required="default" not in found,
            columns=columns,
            line=_line(name_node),
        )

    def _default(
        self, node: yaml.Node, key: str, type: str, columns: Sequence[str]
    ) -> Value | tuple[tuple[Value, ...], ...]:
        if type == TABLE:
            return tuple(self._row(each, key, len(columns)) for each in self.entries(node, key))
        if _kind(node) == "null":
            return None
        if type == INTEGER:
            return self.integer(node, key)
        if type == REAL:
            return self.number(node, key)
        if _kind(node) != "str":
            self.mismatch(node, key, TEXT)
        return str(node.value)

    def _row(self, node: yaml.Node, key: str, width: int) -> tuple[Value, ...]:
        cells = self.entries(node, key)
        if len(cells) != width:
            self.fail(node, f"{key}: a row of {len(cells)} cells for {width} columns")
        return tuple(self.cell(each, key) for each in cells)


def _line(node: yaml.Node) -> int:
    number: int = node.start_mark.line + 1
    return number


def _kind(node: yaml.Node) -> str:
    """The tag of YAML's own that a node has; another tag is returned as it is."""
    tag: str = node.tag
    return tag.removeprefix(_TAG)


_PARAM: Final = ("type", "default", "description", "columns")

#: How the value of each of :data:`KEYS` is read.
READERS: Final[Mapping[str, Callable[[_Reader, yaml.Node, str], Any]]] = {
    "title": _Reader.line,
    "description": _Reader.text,
    "tags": _Reader.tags,
    "severity": lambda reader, node, key: reader.choice(node, key, SEVERITIES),
    "kind": lambda reader, node, key: reader.choice(node, key, KINDS),
    "params": _Reader.params,
    "expect": lambda reader, node, key: reader.choice(node, key, EXPECTATIONS),
    "references": _Reader.texts,
    "false positives": _Reader.texts,
    "keys": _Reader.words,
    "live": _Reader.flag,
    "timeout": _Reader.seconds,
}


def fill(query: Query, lines: Sequence[str], first: int) -> None:
    """Give ``query`` what its header says: ``lines`` of YAML, of which ``first`` is the number.

    :raises HeaderError: with the line of what is wrong.
    """
    reader = _Reader(query.path)
    start, line = next((n, line) for n, line in enumerate(lines, first) if line.strip())
    if not _KEYED.match(line):
        reader.refuse(
            start,
            "this comment has keys of a header, and does not begin with one; "
            "an empty line after it makes it a comment of its own",
        )
    root = _compose(reader, lines, first)
    given: dict[str, yaml.Node] = {}
    for key, key_node, node in reader.items(root, "the header", tuple(KEYS)):
        given[key] = node
        query.lines[key] = _line(key_node)
        setattr(query, key.replace(" ", "_"), READERS[key](reader, node, key))
    if "title" not in given:
        reader.refuse(first, "the header has no title")
    if query.kind == AUDIT and query.severity is None:
        reader.refuse(first, f"an audit needs a severity: one of {', '.join(SEVERITIES)}")
    if query.kind != AUDIT and "expect" in given:
        reader.fail(given["expect"], "expect: only an audit expects something (kind: audit)")


def _compose(reader: _Reader, lines: Sequence[str], first: int) -> yaml.Node:
    # Empty lines before it make PyYAML's line numbers those of the file.
    text = "\n" * (first - 1) + "\n".join(lines) + "\n"
    try:
        root = yaml.compose(text, _LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first if mark is None else min(mark.line + 1, first + len(lines) - 1)
        hint = ""
        if "mapping values" in (error.problem or ""):
            hint = "; a text with ': ' in it has to be in quotes"
        reader.refuse(line, f"the header is not YAML: {error.problem}{hint}")
    except yaml.reader.ReaderError as error:
        # Its position counts bytes or characters, as the parser happens to be libyaml's or not.
        bad = next((i for i, each in enumerate(lines) if not _readable(each)), 0)
        reader.refuse(first + bad, f"the header is not YAML: {error.reason}")
    except RecursionError:
        reader.refuse(first, "the header is not YAML: it is nested too deeply")
    assert root is not None  # there is a line with a key
    return root


def _readable(line: str) -> bool:
    return yaml.reader.Reader.NON_PRINTABLE.search(line) is None
