"""The table ``process_envs``."""

from __future__ import annotations

from sockql.proc import scan as process_scan
from sockql.proc.procfs import readable_text
from sockql.schema import Table, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    Variable: TypeAlias = tuple[int, bytes, "bytes | None"]


def variables(data: bytes) -> list[tuple[bytes, bytes | None]]:
    r"""``(name, value)`` of what is in /proc/PID/environ; no value without an equals sign.

    A name may start with an equals sign.  What a process that wrote over its environment left
    there is taken as it is; empty texts are padding.
    Source: proc_pid_environ(5).

    >>> variables(b"A=1\0B=\0=C=x=y\0nothing\0")
    [(b'A', b'1'), (b'B', b''), (b'=C', b'x=y'), (b'nothing', None)]
    """
    found: list[tuple[bytes, bytes | None]] = []
    for entry in data.split(b"\0"):
        if not entry:
            continue
        end = entry.find(b"=", 1)
        found.append((entry, None) if end < 0 else (entry[:end], entry[end + 1 :]))
    return found


class ProcessEnvs(
    Table["Variable"],
    examples=[
        "select pid, key, value from process_envs where pid = 1",
        "select pid, value from process_envs where key = 'LD_PRELOAD'",
    ],
):
    """Environment variables that processes were started with, one row for each.

    A variable that is set twice has two rows. What a process changed since is not known to the
    kernel, unless it wrote over it.
    """

    pid = process_scan.pid_column()
    key = text(
        "Name of the variable.",
        source="/proc/PID/environ",
        get=lambda r: readable_text(r[1]),
    )
    value = text(
        "Value of the variable, which may be empty; NULL for what has no equals sign.",
        source="/proc/PID/environ",
        get=lambda r: None if r[2] is None else readable_text(r[2]),
    )

    def records(self, request: Request, host: Host) -> Iterator[Variable]:
        return process_scan.of_file(request, host, "environ", variables)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return process_scan.estimate(request, host, 20.0, 1.0)


TABLE = ProcessEnvs()
