"""The table ``users``."""

from __future__ import annotations

from operator import itemgetter

from sockql.proc import accounts
from sockql.proc.procfs import readable_text
from sockql.schema import EQUAL, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    #: (uid, gid, fields of the line)
    User: TypeAlias = tuple[int, int, list[bytes]]


def _field(number: int) -> Callable[[User], str | None]:
    return lambda user: readable_text(user[2][number]) or None


class Users(
    Table["User"],
    examples=[
        "select username, count(*) from processes join users using(uid) group by username",
        "select username, protocol, sport from sockets join users on uid = socket_uid",
    ],
):
    """Users that the host's /etc/passwd lists, one row for each line.

    Several users may have one uid. Those of directory services (LDAP, systemd-homed) are not
    listed.
    """

    uid = integer(
        "User id.",
        source="/etc/passwd",
        get=itemgetter(0),
        push=EQUAL,
        exact=True,
        index=True,
    )
    gid = integer(
        "Group id of the user's first group.",
        source="/etc/passwd",
        get=itemgetter(1),
    )
    username = text(
        "Name of the user.",
        source="/etc/passwd",
        get=_field(0),
    )
    description = text(
        "Real name and what else there is about the user; NULL when there is nothing.",
        source="/etc/passwd",
        get=_field(4),
    )
    directory = text(
        "Home directory; NULL when there is none.",
        source="/etc/passwd",
        get=_field(5),
    )
    shell = text(
        "Program run at login; NULL when none is named, which means /bin/sh.",
        source="/etc/passwd",
        get=_field(6),
    )

    def records(self, request: Request, host: Host) -> Iterator[User]:
        wanted = request.values("uid")
        for words in accounts.lines("passwd", 7, request, host):
            uid, gid = accounts.id_of(words[2]), accounts.id_of(words[3])
            if uid is not None and gid is not None and (wanted is None or uid in wanted):
                yield uid, gid, words

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 1.0 if request.constrained("uid") else 40.0, 80.0


TABLE = Users()
