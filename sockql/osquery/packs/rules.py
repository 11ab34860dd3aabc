"""What osquery runs on this host: platform, version, shard, interval, reserved names.

Each rule is a function that returns why something does not apply, or None when it does.
Source: osquery/config/packs.cpp, osquery/core/system.cpp, osquery/utils/info/version.cpp
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sockql.osquery import VERSION

if TYPE_CHECKING:
    from typing import Final

    from sockql.osquery.packs.nodes import Node

#: Any of these in a platform is Linux, and Linux of any make; so ``linux,darwin`` is one as well.
_PLATFORMS: Final = ("all", "any", "centos", "linux", "posix", "ubuntu")
#: What a name may not begin or end with: osquery's database has its own meaning for it.
_RESERVED_STARTS: Final = ("cache.", "config_views.", "query.")
_RESERVED_ENDS: Final = ("counter", "epoch")

#: Seconds between two runs of a query, where none are given and at most.
DEFAULT_INTERVAL: Final = 3600
LONGEST_INTERVAL: Final = 604_800


def size(node: Node) -> int:
    """The whole number that a node is, or spells; 0 for all else, as osquery has it."""
    value = node.value
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else 0
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def other_platform(node: Node | None) -> str | None:
    """For a platform that is a text; others do not count, which :func:`ignored` says."""
    if node is None or not isinstance(node.value, str) or node.value in ("", "null"):
        return None
    if any(word in node.value for word in _PLATFORMS):
        return None
    return f"it is for the platform {node.value}"


def newer_version(node: Node | None, mine: str = VERSION) -> str | None:
    """For the least version that it needs, of osquery."""
    if node is None or not isinstance(node.value, str) or node.value in ("", "null"):
        return None
    if at_least(node.value, mine):
        return None
    return f"it needs osquery {node.value}, and what is here answers as osquery {mine}"


def at_least(needed: str, mine: str) -> bool:
    """Whether a version, compared number by number, is the one that is needed or a later one.

    Of a piece that is no number the text is compared; 0.0.0 needs nothing.
    """
    if needed == "0.0.0":
        return True
    pieces = [piece.strip() for piece in needed.split(".") if piece]
    for have, want in zip((piece for piece in mine.split(".") if piece), pieces):
        one, other = _number(have), _number(want)
        if one is None or other is None:
            if have < want:
                return False
        elif one != other:
            return one > other
    return True


def _number(text: str) -> int | None:
    """The number that a text begins with, as std::stoi has it."""
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    return int(digits[:18]) if digits else None


def other_shard(node: Node | None, host: str | None = None) -> str | None:
    """For the percentage of hosts that it is meant for; 0 means all."""
    if node is None:
        return None
    wanted, mine = size(node), shard(host)
    if wanted == 0 or wanted >= mine:
        return None
    return f"it is for shard {wanted}, and this host is in shard {mine}"


def shard(host: str | None = None) -> int:
    """Where a host stands from 0 to 100, by its name."""
    from hashlib import sha1

    name = os.uname().nodename if host is None else host
    return sha1(name.encode(), usedforsecurity=False).digest()[0] * 100 // 255


def wrong_interval(node: Node | None) -> str | None:
    """For the seconds between two runs, which osquery would never get to."""
    if node is None or 0 < size(node) <= LONGEST_INTERVAL:
        return None
    shown = node.value if isinstance(node.value, (int, float, str)) else node.kind
    return f"{node.where}: its interval is {shown}, not 1 to {LONGEST_INTERVAL} seconds"


def reserved_name(name: str) -> str | None:
    """For a name that osquery keeps for itself."""
    if name.startswith(_RESERVED_STARTS) or name.endswith(_RESERVED_ENDS):
        return "osquery keeps names that begin or end like this for itself"
    return None


def ignored(node: Node, key: str) -> str | None:
    """What to say of a restriction that osquery does not see, being no text."""
    found = node.get(key)
    if found is None or isinstance(found.value, str):
        return None
    return f"{found.where}: `{key}` is {found.kind}, not a text: it counts for nothing in osquery"
