"""osquery's table ``hash``."""

from __future__ import annotations

from sockql.osquery import files
from sockql.osquery.columns import like, text
from sockql.osquery.tables.file import File, named
from sockql.proc.procfs import REFUSED, readable_text
from sockql.schema import Column, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.osquery.files import Found
    from sockql.request import Request

    #: A file and its hashes by the name of the algorithm.
    Hashed: TypeAlias = tuple[Found, dict[str, str]]

_NEEDS: Final = {"md5": 1, "sha1": 2, "sha256": 4}


def _hash(name: str, title: str) -> Column:
    return text(
        f"{title} of its contents, in hexadecimal; empty when it cannot be read.",
        source=title,
        get=lambda hashed: hashed[1].get(name, ""),
        needs=_NEEDS[name],
    )


class Hash(
    Table["Hashed"],
    examples=[
        "select sha256 from hash where path = '/etc/passwd'",
        "select path, md5 from hash where path like '/etc/%.conf'",
        "select pid, name, sha256 from processes join hash using (path) where pid < 100",
    ],
):
    """Hashes of regular files that a statement names by path or directory, as `file` has them."""

    whole = False

    path = named(
        "Absolute path; which ones has to be said by a condition on it or on directory.",
        source="path_resolution(7)",
        get=lambda hashed: readable_text(hashed[0].path),
    )
    directory = named(
        "Directory that it is in.",
        source="path_resolution(7)",
        get=lambda hashed: readable_text(hashed[0].directory),
    )
    md5 = _hash("md5", "MD5")
    sha1 = _hash("sha1", "SHA-1")
    sha256 = _hash("sha256", "SHA-256")
    pid_with_namespace = like(
        File.pid_with_namespace,
        get=lambda hashed: hashed[0].root.pid,
        parameter=True,
        hidden=True,
    )
    mount_namespace_id = like(
        File.mount_namespace_id, get=lambda hashed: hashed[0].mount_namespace, hidden=True
    )

    def records(self, request: Request, host: Host) -> Iterator[Hashed]:
        names = [name for name, need in _NEEDS.items() if request.needs & need]
        for found in files.find(request, host):
            try:
                if found.root.stat(found.path).st_mode >> 12 != 0o10:
                    continue
            except OSError as error:
                if error.errno in REFUSED:
                    found.root.refused.append(found.path)
                continue
            try:
                hashes = _hashes(found, names, host)
            except OSError as error:
                hashes = {}
                if error.errno in REFUSED:
                    found.root.refused.append(found.path)
                else:
                    host.notice(f"hash: {readable_text(found.path)}: {error.strerror}")
            yield found, hashes

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return files.estimate(request, 1000.0)


def _hashes(found: Found, names: list[str], host: Host) -> dict[str, str]:
    """:raises OSError: when the file cannot be read."""
    if not names:
        return {}
    import hashlib

    algorithms = {name: hashlib.new(name, usedforsecurity=False) for name in names}
    for part in found.root.parts(found.path):
        host.check()
        for algorithm in algorithms.values():
            algorithm.update(part)
    return {name: algorithm.hexdigest() for name, algorithm in algorithms.items()}


TABLE = Hash()
