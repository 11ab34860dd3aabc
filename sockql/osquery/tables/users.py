"""osquery's table ``users``."""

from __future__ import annotations

from operator import itemgetter

from sockql.osquery import accounts
from sockql.osquery.accounts import signed
from sockql.osquery.columns import bigint, integer, macos, text, windows
from sockql.proc.procfs import readable_text
from sockql.schema import EQUAL, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockql.host import Host
    from sockql.osquery.accounts import User
    from sockql.request import Request


def _field(number: int) -> Callable[[User], str]:
    return lambda user: readable_text(user[2][number])


class Users(
    Table["User"],
    examples=[
        "select uid, username, shell from users where uid >= 1000",
        "select username, name from processes join users using (uid) where pid = 1",
        "select uid, username from users where include_remote = 1 and username = 'root'",
    ],
):
    """Users that /etc/passwd lists, one row for each line.

    With `include_remote = 1` those that the name service knows, directories (LDAP,
    systemd-homed) included; with `pid_with_namespace` those of the file that a process sees.
    """

    uid = bigint(
        "User id.",
        source="/etc/passwd",
        get=itemgetter(0),
        push=EQUAL,
        exact=True,
        index=True,
    )
    gid = bigint("Group id of the user's first group.", source="/etc/passwd", get=itemgetter(1))
    uid_signed = bigint(
        "User id as a signed number of 32 bits.",
        source="/etc/passwd",
        get=lambda user: signed(user[0]),
    )
    gid_signed = bigint(
        "Group id as a signed number of 32 bits.",
        source="/etc/passwd",
        get=lambda user: signed(user[1]),
    )
    username = text("Name of the user.", source="/etc/passwd", get=_field(0), push=EQUAL)
    description = text(
        "Real name and what else there is about the user, which may be empty.",
        source="/etc/passwd",
        get=_field(4),
    )
    directory = text(
        "Home directory, which may be empty.",
        source="/etc/passwd",
        get=_field(5),
    )
    shell = text(
        "Program run at login; empty means /bin/sh.",
        source="/etc/passwd",
        get=_field(6),
    )
    uuid = text(
        "NULL: only users of macOS and Windows have one.",
        source="none",
        get=lambda _: None,
        nocase=True,
    )
    type = windows(text)
    is_hidden = macos(integer)
    pid_with_namespace = integer(
        "Process in whose root directory the file was read; 0 where none was asked for.",
        source="/proc/PID/root",
        get=itemgetter(3),
        push=EQUAL,
        parameter=True,
        hidden=True,
    )
    include_remote = integer(
        "1 when the name service was asked, else 0.",
        source="getpwent(3)",
        get=itemgetter(4),
        push=EQUAL,
        parameter=True,
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[User]:
        return accounts.users(request, host)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 1.0 if request.constrained("uid") else 40.0, 80.0


TABLE = Users()
