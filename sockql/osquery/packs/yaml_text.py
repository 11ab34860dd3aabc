"""YAML as nodes that know their lines, with PyYAML's composer: what a text says, nothing made of it.

Scalars that are not in quotes are what YAML 1.1 takes them for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from sockql.osquery.packs.nodes import Node, PackError

if TYPE_CHECKING:
    from typing import Final

    from sockql.osquery.packs.pack import PackFile

#: libyaml's parser where PyYAML was built with it: ten times as fast, with the same nodes.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Lists within lists; Fleet's documents have four.
_DEEPEST: Final = 100


def documents(text: str, file: str, found: PackFile) -> list[Node]:
    """The documents of a text but for the empty ones; what is wrong with one is kept in ``found``.

    :raises PackError: when the text is no YAML, or there is nothing in it.
    """
    composed = _composed(text, file)
    if not composed:
        raise PackError(f"{file}:1: there is nothing in it")
    made = []
    for document in composed:
        with found.keeping():
            made.append(_Maker(file, found.notices).node(document, 0))
    return made


def _composed(text: str, file: str) -> list[yaml.Node]:
    try:
        return [
            document
            for document in yaml.compose_all(text, _LOADER)
            if document is not None and document.tag != "tag:yaml.org,2002:null"
        ]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise PackError(f"{file}:{line}: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise PackError(f"{file}:1: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise PackError(f"{file}:1: it is nested too deeply") from None


class _Maker:
    """Makes PyYAML's nodes of one document ours.

    An alias is the node that it stands for, made once, or a small file could stand for more than
    any memory holds.
    """

    def __init__(self, file: str, notices: list[str]) -> None:
        self._file = file
        self._notices = notices
        self._done: dict[int, Node] = {}

    def node(self, node: yaml.Node, depth: int) -> Node:
        """:raises PackError: when it is nested too deeply, or a name is no text."""
        if id(node) in self._done:
            return self._done[id(node)]
        line = node.start_mark.line + 1
        if depth > _DEEPEST:
            raise PackError(f"{self._file}:{line}: it is nested too deeply")
        value: object
        if isinstance(node, yaml.MappingNode):
            value = self._members(node, depth)
        elif isinstance(node, yaml.SequenceNode):
            value = [self.node(element, depth + 1) for element in node.value]
        else:
            value = _scalar(node)
        made = Node(value, self._file, line)
        self._done[id(node)] = made
        return made

    def _members(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        merged: list[Node] = []
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise PackError(f"{self._file}:{line}: a name has to be a text")
            made = self.node(value, depth + 1)
            if key.tag == "tag:yaml.org,2002:merge":
                merged += made.value if isinstance(made.value, list) else [made]
                continue
            if key.value in members:
                self._notices.append(
                    f"{self._file}:{line}: {key.value!r} is there twice; this one counts"
                )
            members[key.value] = made
        for each in merged:
            if isinstance(each.value, dict):
                members = {**each.value, **members}
        return members


def _scalar(node: yaml.Node) -> object:
    text: str = node.value
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on")
    if kind in ("int", "float"):
        try:
            return int(text) if kind == "int" else float(text)
        except ValueError:  # 0x10, 1_000, 1:30: YAML's ways of writing a number
            return text
    return text
