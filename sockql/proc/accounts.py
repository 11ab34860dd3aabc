"""Users and groups as the files of the host list them: /etc/passwd and /etc/group.

Read below the root directory of the host's first process, so that a procfs of another system, as
``--proc`` names one, brings its users along.
Source: passwd(5), group(5).
"""

from __future__ import annotations

from sockql.errors import DataError
from sockql.proc import procfs
from sockql.proc.procfs import GONE, REFUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockql.host import Host
    from sockql.request import Request


def lines(
    name: str, fields: int, request: Request, host: Host, pid: int | None = None
) -> Iterator[list[bytes]]:
    """The lines of the file ``name`` in /etc of the host, cut at the colons.

    With ``pid`` they are those of the file below the root directory of that process.

    Lines that the C library skips as well are left out: comments, those with fewer than
    ``fields`` fields, and those of the Network Information Service, which begin with + or -.

    :raises DataError: when the file cannot be read.
    """
    # Whoever is not root may not look at the root of process 1, mostly the same as its own.
    for process in ("1", "self") if pid is None else (str(pid),):
        path = f"{process}/root/etc/{name}"
        try:
            data = procfs.read_list(path, host.proc)
            break
        except OSError as error:
            if error.errno not in GONE and error.errno not in REFUSED:
                raise DataError(f"{host.proc_path}/{path}: {error.strerror}") from None
            reason = error.strerror
    else:
        raise DataError(f"{host.proc_path}/{path}: {reason}")
    request.trace.note(f"{host.proc_path}/{path}")
    for line in data.split(b"\n"):
        words = line.split(b":")
        if len(words) >= fields and words[0] and words[0][:1] not in (b"#", b"+", b"-"):
            yield words


def id_of(text: bytes) -> int | None:
    """The user or group id in ``text``, None when there is none: the line is to be skipped."""
    return int(text) if text.isdigit() and int(text) < 2**32 else None
