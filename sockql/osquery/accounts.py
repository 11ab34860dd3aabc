"""Users and groups as osquery has them: of the host, of another root directory, or all there are.

Source: passwd(5), group(5), getpwent(3).
"""

from __future__ import annotations

from sockql.errors import DataError
from sockql.osquery.files import say_no_root
from sockql.osquery.root import Root
from sockql.proc import accounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    #: (uid, gid, fields of the line, process whose file it is, whether the name service was asked)
    User: TypeAlias = tuple[int, int, list[bytes], int, int]
    #: (gid, fields of the line, process whose file it is)
    Group: TypeAlias = tuple[int, list[bytes], int]


def signed(number: int) -> int:
    """A number of 32 bits as a signed one.

    >>> signed(4294967294), signed(1000)
    (-2, 1000)
    """
    return number - 2**32 if number >= 2**31 else number


def users(request: Request, host: Host) -> Iterator[User]:
    """The users that may satisfy ``request``.

    :raises DataError: when /etc/passwd of the host cannot be read.
    """
    wanted = request.values("uid")
    remote = 1 in (request.values("include_remote") or ())
    for pid in _processes(request):
        if remote and not pid:
            yield from _of_name_service(request, host)
            continue
        for words in _lines("passwd", 7, request, host, pid):
            uid, gid = accounts.id_of(words[2]), accounts.id_of(words[3])
            if uid is not None and gid is not None and (wanted is None or uid in wanted):
                yield uid, gid, words, pid, 0


def groups(request: Request, host: Host) -> Iterator[Group]:
    """The groups that may satisfy ``request``.

    :raises DataError: when /etc/group of the host cannot be read.
    """
    wanted = request.values("gid")
    for pid in _processes(request):
        for words in _lines("group", 4, request, host, pid):
            gid = accounts.id_of(words[2])
            if gid is not None and (wanted is None or gid in wanted):
                yield gid, words, pid


def memberships(request: Request, host: Host) -> Iterator[tuple[int, int]]:
    """``(uid, gid)`` for each group of each user, the first group of a user first.

    Several names of one uid have their groups together.

    :raises DataError: when /etc/passwd or /etc/group of the host cannot be read.
    """
    wanted = request.values("uid")
    of_name: dict[bytes, list[int]] = {}
    for words in accounts.lines("group", 4, request, host):
        gid = accounts.id_of(words[2])
        for name in words[3].split(b",") if gid is not None else ():
            of_name.setdefault(name, []).append(gid or 0)
    found: dict[tuple[int, int], None] = {}
    for words in accounts.lines("passwd", 7, request, host):
        uid, first = accounts.id_of(words[2]), accounts.id_of(words[3])
        if uid is None or first is None or (wanted is not None and uid not in wanted):
            continue
        for gid in (first, *of_name.get(words[0], ())):
            found[uid, gid] = None
    return iter(found)


def _processes(request: Request) -> list[int]:
    """The processes below whose root directories to look; 0 is the host."""
    wanted = request.values("pid_with_namespace")
    return [0] if wanted is None else sorted(pid for pid in wanted if pid >= 0)


def _lines(name: str, fields: int, request: Request, host: Host, pid: int) -> Iterable[list[bytes]]:
    if not pid:
        return accounts.lines(name, fields, request, host)
    try:
        return list(accounts.lines(name, fields, request, host, pid))
    except DataError as error:
        try:
            with Root(host, pid):
                host.notice(f"{request.schema.name}: {error}")
        except OSError as no_root:  # it has gone, or does not let us look
            say_no_root(request, host, pid, no_root)
        return []


def _of_name_service(request: Request, host: Host) -> Iterator[User]:
    """Those that getpwent(3) knows: of this machine, whatever procfs the host is."""
    import pwd
    from contextlib import suppress

    if host.proc_path != "/proc":
        host.notice("users: include_remote asks the name service of this machine, not of --proc")
    request.trace.note("getpwent(3)")
    uids, names = request.values("uid"), request.values("username")
    found: list[pwd.struct_passwd] = []
    if uids is None and names is None:
        found = pwd.getpwall()
    for uid in uids or ():
        if 0 <= uid < 2**32:
            with suppress(KeyError):
                found.append(pwd.getpwuid(uid))
    for name in names or () if uids is None else ():
        if "\0" not in name:
            with suppress(KeyError):
                found.append(pwd.getpwnam(name))
    for entry in found:
        words = [str(field).encode("utf-8", "surrogateescape") for field in entry]
        yield entry.pw_uid, entry.pw_gid, words, 0, 1
