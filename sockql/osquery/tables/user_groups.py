"""osquery's table ``user_groups``."""

from __future__ import annotations

from operator import itemgetter

from sockql.osquery import accounts
from sockql.osquery.columns import bigint
from sockql.schema import EQUAL, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.request import Request


class UserGroups(
    Table["tuple[int, int]"],
    examples=[
        "select gid from user_groups where uid = 0",
        "select username from users join user_groups using (uid) where user_groups.gid = 0",
    ],
):
    """Groups of the users in /etc/passwd, one row for each group of each user.

    The first group of a user is among them, whether /etc/group names the user or not.
    """

    uid = bigint(
        "User id.", source="/etc/passwd", get=itemgetter(0), push=EQUAL, exact=True, index=True
    )
    gid = bigint(
        "Group id.", source="/etc/passwd, /etc/group", get=itemgetter(1), push=EQUAL, index=True
    )

    def records(self, request: Request, host: Host) -> Iterator[tuple[int, int]]:
        return accounts.memberships(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 3.0 if request.constrained("uid") else 80.0, 200.0


TABLE = UserGroups()
