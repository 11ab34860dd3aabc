"""What is known of the host and of who looks at it: a row of ``snapshots``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sockql import __version__
from sockql.proc.procfs import read, readable_text
from sockql.watch.lines import timestamp

if TYPE_CHECKING:
    from typing import Any

    from sockql.host import Host


def facts(host: Host, epoch: float) -> dict[str, Any]:
    """The cells of ``snapshots`` that are known when the snapshot is begun, without the id."""
    return {
        "time": timestamp(epoch),
        "epoch": epoch,
        "host": host.name,
        "boot_id": _word(host, "sys/kernel/random/boot_id"),
        "kernel": _word(host, "sys/kernel/osrelease"),
        "procfs": readable_text(os.fsencode(host.proc_path)),
        "netns_scope": readable_text(os.fsencode(host.scope or "all")),
        "uid": os.geteuid(),
        "capabilities": _capabilities(),
        "version": __version__,
    }


def _word(host: Host, path: str) -> str | None:
    try:
        return readable_text(read(path, host.proc).strip()) or None
    except OSError:
        return None


def _capabilities() -> str | None:
    # Those of this process, whatever procfs the tables are read from.
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"CapEff:"):
                    return line.split()[1].decode()
    except OSError:
        return None
    return None
