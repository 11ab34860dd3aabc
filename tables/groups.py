"""The table ``groups``."""

from __future__ import annotations

from operator import itemgetter

from sockql.proc import accounts
from sockql.proc.procfs import readable_text
from sockql.schema import EQUAL, Table, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    #: (gid, fields of the line)
    Group: TypeAlias = tuple[int, list[bytes]]


def _members(group: Group) -> str:
    from json import dumps

    names = [readable_text(name) for name in group[1][3].split(b",") if name]
    return dumps(names, ensure_ascii=False)


class Groups(
    Table["Group"],
    examples=[
        "select groupname, count(*) from processes join groups using(gid) group by groupname",
        "select groupname, value as username from groups, json_each(members)",
    ],
):
    """Groups that the host's /etc/group lists, one row for each line.

    Those of directory services (LDAP) are not listed.
    """

    gid = integer(
        "Group id.",
        source="/etc/group",
        get=itemgetter(0),
        push=EQUAL,
        exact=True,
        index=True,
    )
    groupname = text(
        "Name of the group.",
        source="/etc/group",
        get=lambda group: readable_text(group[1][0]),
    )
    members = text(
        "Names of its users as a JSON array, without those whose first group it is.",
        source="/etc/group",
        get=_members,
    )

    def records(self, request: Request, host: Host) -> Iterator[Group]:
        wanted = request.values("gid")
        for words in accounts.lines("group", 4, request, host):
            gid = accounts.id_of(words[2])
            if gid is not None and (wanted is None or gid in wanted):
                yield gid, words

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 1.0 if request.constrained("gid") else 60.0, 100.0


TABLE = Groups()
