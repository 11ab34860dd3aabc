"""What the session is about, in a line: host, privileges, last result, mode."""

from __future__ import annotations

import os
import time

from sockql.command.terminal import counted, escape, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.shell.session import Shell

#: The bit of CAP_SYS_PTRACE in the capability sets; capabilities(7).
_SYS_PTRACE: Final = 19

HIDDEN: Final = "other users' descriptors hidden"


def privileges() -> tuple[str, str]:
    """What this process may see, in full and in a word.

    Source: ptrace(2), PTRACE_MODE_READ; CapEff in /proc/PID/status.
    """
    capable = _effective() >> _SYS_PTRACE & 1
    if os.geteuid() != 0:
        if capable:
            return "CAP_SYS_PTRACE", "CAP_SYS_PTRACE"
        return f"unprivileged: {HIDDEN}", "unprivileged"
    if capable:
        return "root", "root"
    return f"root without CAP_SYS_PTRACE: {HIDDEN}", "root without CAP_SYS_PTRACE"


def _effective() -> int:
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("CapEff:"):
                    return int(line.split()[1], 16)
    except (OSError, ValueError):
        pass
    return 0


def prompt(shell: Shell) -> str:
    """What stands before an input; a frozen session says when it was frozen."""
    if shell.frozen is None:
        return "sockql> "
    return f"sockql[{time.strftime('%H:%M:%S', time.localtime(shell.frozen))}]> "


def toolbar(shell: Shell, columns: int) -> str:
    """The line below the input; what a narrow screen has no room for is said in fewer words."""
    host = os.uname().nodename
    full, short = privileges()
    last = ""
    if shell.last is not None:
        rows, seconds = shell.last
        last = f"{counted(rows, 'row')} in {seconds:.3f} s"
    mode = shell.settings.mode
    notices = len(shell.engine.notices)
    more = counted(notices, "notice") if notices else ""
    line = ""
    for parts in (
        (f"{host}:{shell.proc}", full, last, more, mode),
        (f"{host}:{shell.proc}", short, last, more, mode),
        (shell.proc, short, last, mode),
        (short, last),
    ):
        line = escape(" " + " | ".join([part for part in parts if part]) + " ")
        if width(line) <= columns:
            break
    return line
