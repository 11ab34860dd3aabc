"""osquery's table ``os_version``."""

from __future__ import annotations

import os

from sockql.osquery.columns import bigint, integer, macos, text, windows
from sockql.osquery.files import mount_namespace, say_no_root
from sockql.osquery.machine import os_version
from sockql.osquery.root import Root
from sockql.schema import EQUAL, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from sockql.host import Host
    from sockql.request import Request
    from sockql.schema import Getter

    #: Columns, the process whose system it is (0: the host), its mount namespace.
    System: TypeAlias = tuple[dict[str, str], int, "str | None"]


def _get(name: str) -> Getter:
    return lambda system: system[0].get(name)


def _number(name: str) -> Getter:
    def get(system: System) -> int | None:
        digits = system[0].get(name, "")
        return int(digits) if digits.isdecimal() and digits.isascii() else None

    return get


class OsVersion(
    Table["System"],
    examples=[
        "select name, version, platform from os_version",
        (
            "select pid, os_version.name, version from processes join os_version "
            "on pid_with_namespace = pid where pid = 1"
        ),
    ],
):
    """The distribution that is installed, one row.

    With `pid_with_namespace` the one that a process has below its root directory, as in a
    container.
    """

    name = text(
        "Name of the distribution; Unknown where it does not say.",
        source="os-release NAME",
        get=_get("name"),
    )
    version = text(
        "Version for people; NULL where there is none.",
        source="os-release VERSION",
        get=_get("version"),
        collation="VERSION",
    )
    major = integer(
        "First number of the version, 0 where there is none; NULL when it is no number.",
        source="os-release VERSION_ID",
        get=_number("major"),
    )
    minor = integer(
        "Second number of the version, 0 where there is none; NULL when it is no number.",
        source="os-release VERSION_ID",
        get=_number("minor"),
    )
    patch = integer(
        "Third number of the version, 0 where there is none; NULL when it is no number.",
        source="os-release VERSION_ID",
        get=_number("patch"),
    )
    build = text(
        "Build or image; NULL where there is none.", source="os-release BUILD_ID", get=_get("build")
    )
    platform = text(
        "Identifier of the distribution, rhel for its kin; posix where it does not say.",
        source="os-release ID",
        get=_get("platform"),
    )
    platform_like = text(
        "Identifiers of those it is made from; NULL where there are none.",
        source="os-release ID_LIKE",
        get=_get("platform_like"),
    )
    codename = text(
        "Code name of the version; NULL where it has none.",
        source="os-release VERSION_CODENAME",
        get=_get("codename"),
    )
    arch = text(
        "Architecture of the kernel.", source="uname(2) machine", get=lambda _: os.uname().machine
    )
    extra = macos(text)
    install_date = windows(bigint)
    revision = windows(integer)
    pid_with_namespace = integer(
        "Process below whose root directory the system is; 0 where none was asked for.",
        source="/proc/PID/root",
        get=lambda system: system[1],
        push=EQUAL,
        parameter=True,
        hidden=True,
    )
    mount_namespace_id = text(
        "Inode of that process's mount namespace; NULL where none was asked for.",
        source="/proc/PID/ns/mnt",
        get=lambda system: system[2],
        hidden=True,
    )

    def records(self, request: Request, host: Host) -> Iterator[System]:
        for pid in sorted(request.values("pid_with_namespace") or (0,)):
            if pid < 0:
                continue
            try:
                with Root(host, pid) as root:
                    found = os_version(root)
            except OSError as error:
                say_no_root(request, host, pid, error)
                if pid:
                    continue
                found = os_version(None)
            yield found, pid, mount_namespace(host, pid)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 1.0, 100.0


TABLE = OsVersion()
