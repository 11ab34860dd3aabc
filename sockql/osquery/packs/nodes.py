"""Values of a file with the lines they stand on, so that an error can say where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockql.errors import UsageError

if TYPE_CHECKING:
    from typing import Any, NoReturn

_NAMES = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
    type(None): "null",
}


class PackError(UsageError):
    """A pack or a configuration that cannot be read; one line, beginning with ``file:line:``."""


class Node:
    """A value: a text, a number, true, false, null, a list of nodes, or a dict of them by name."""

    __slots__ = ("file", "line", "value")

    def __init__(self, value: Any, file: str, line: int) -> None:
        self.value = value
        self.file = file
        self.line = line

    def __repr__(self) -> str:
        return f"Node({self.value!r}, {self.where})"

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"

    def fail(self, message: str) -> NoReturn:
        """Say what is wrong here.

        :raises PackError: always.
        """
        raise PackError(f"{self.where}: {message}")

    @property
    def kind(self) -> str:
        """What it is, for people."""
        return _NAMES.get(type(self.value), type(self.value).__name__)

    def get(self, key: str) -> Node | None:
        """The member of an object; None when it has none, or is no object."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def mapping(self, what: str) -> dict[str, Node]:
        """The members of an object.

        :raises PackError: when it is none.
        """
        if not isinstance(self.value, dict):
            self.fail(f"{what} has to be an object, not {self.kind}")
        return self.value

    def items(self, what: str) -> list[Node]:
        """The elements of a list.

        :raises PackError: when it is none.
        """
        if not isinstance(self.value, list):
            self.fail(f"{what} has to be a list, not {self.kind}")
        return self.value

    def text(self, what: str) -> str:
        """The text.

        :raises PackError: when it is something else.
        """
        if not isinstance(self.value, str):
            self.fail(f"{what} has to be a text, not {self.kind}")
        return self.value
