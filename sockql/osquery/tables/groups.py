"""osquery's table ``groups``."""

from __future__ import annotations

from operator import itemgetter

from sockql.osquery import accounts
from sockql.osquery.accounts import signed
from sockql.osquery.columns import bigint, integer, macos, text, windows
from sockql.proc.procfs import readable_text
from sockql.schema import EQUAL, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.osquery.accounts import Group
    from sockql.request import Request


class Groups(
    Table["Group"],
    examples=[
        "select gid, groupname from groups where gid < 100",
        (
            "select username, groupname from users join user_groups using (uid) "
            "join groups on groups.gid = user_groups.gid where uid = 0"
        ),
    ],
):
    """Groups that /etc/group lists, one row for each line."""

    gid = bigint(
        "Group id.",
        source="/etc/group",
        get=itemgetter(0),
        push=EQUAL,
        exact=True,
        index=True,
    )
    gid_signed = bigint(
        "Group id as a signed number of 32 bits.",
        source="/etc/group",
        get=lambda group: signed(group[0]),
    )
    groupname = text(
        "Name of the group.", source="/etc/group", get=lambda group: readable_text(group[1][0])
    )
    group_sid = windows(text)
    comment = windows(text)
    is_hidden = macos(integer)
    pid_with_namespace = integer(
        "Process in whose root directory the file was read; 0 where none was asked for.",
        source="/proc/PID/root",
        get=itemgetter(2),
        push=EQUAL,
        parameter=True,
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[Group]:
        return accounts.groups(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 1.0 if request.constrained("gid") else 60.0, 100.0


TABLE = Groups()
