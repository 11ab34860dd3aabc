"""Names beside numbers, for people: services of ports, users and groups of their ids."""

from __future__ import annotations

from functools import lru_cache

from sockql.functions import service, username

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

    from sockql.render.writers import Row

# A column name has one meaning in every table, so the name is enough to know it by.
PORTS: Final = frozenset({"sport", "dport"})
USERS: Final = frozenset({"uid", "euid", "suid", "fsuid", "loginuid", "socket_uid"})
GROUPS: Final = frozenset({"gid", "egid", "sgid", "fsgid"})


def labels(columns: Sequence[str]) -> dict[int, Callable[[Row], str | None]]:
    """For each place of ``columns`` that has such numbers: the cell of a row with its name."""
    names = [column.partition(":")[0] for column in columns]
    protocol = names.index("protocol") if "protocol" in names else None
    found: dict[int, Callable[[Row], str | None]] = {}
    for i, name in enumerate(names):
        if name in PORTS:
            found[i] = _port(i, protocol)
        elif name in USERS:
            found[i] = _named(i, username)
        elif name in GROUPS:
            found[i] = _named(i, _groupname)
    return found


def _port(i: int, protocol: int | None) -> Callable[[Row], str | None]:
    def label(row: Row) -> str | None:
        if protocol is None:
            return _beside(row[i], lambda port: service(port, "tcp") or service(port, "udp"))
        spoken = row[protocol]
        if spoken.__class__ is not str:
            return None
        return _beside(row[i], lambda port: service(port, spoken))

    return label


def _named(i: int, name: Callable[[Any], str | None]) -> Callable[[Row], str | None]:
    return lambda row: _beside(row[i], name)


def _beside(number: Any, name: Callable[[Any], str | None]) -> str | None:
    if number.__class__ is not int:
        return None
    found = name(number)
    return None if found is None else f"{number} ({found})"


@lru_cache(maxsize=4096)
def _groupname(gid: int) -> str | None:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return None
