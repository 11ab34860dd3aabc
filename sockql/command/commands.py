"""The commands, declared once: help, manual page and completion are made from this.

To add one, declare it with the module whose ``run(options)`` does it and returns the exit status,
and the options that only it has in :mod:`sockql.command.declarations` with ``commands=``.
"""

from __future__ import annotations

from sockql.command.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: The shells that ``sockql completion`` knows.
SHELLS: Final = ("bash", "zsh", "fish")

COMMANDS: Final = {
    command.name: command
    for command in (
        Command("tables", "", "the tables, a line each", "sockql.command.tables"),
        Command(
            "schema",
            "[TABLE ...]",
            "columns, types, units and sources of tables",
            "sockql.command.tables",
            most=None,
            choices="tables",
        ),
        Command(
            "plan",
            '"SQL"',
            "what a statement asks of the kernel, and its cost",
            "sockql.command.plan",
            sql=True,
        ),
        Command(
            "watch",
            '"SQL"',
            "a statement again and again, and what changes",
            "sockql.command.watch",
            sql=True,
        ),
        Command(
            "run",
            "NAME",
            "a saved query, or the one in a file that is named by its path",
            "sockql.command.run",
            most=1,
            choices="queries",
        ),
        Command(
            "queries",
            "[show NAME ...|check [PATH ...]]",
            "the saved queries; what they are for; what is wrong with them",
            "sockql.command.queries",
            most=None,
            choices="show|check queries",
        ),
        Command(
            "audit",
            "[NAME|FILE|DIR ...]",
            "the audits among the saved queries, on one snapshot, with a verdict each",
            "sockql.command.audit",
            most=None,
            choices="queries",
        ),
        Command(
            "pack",
            "FILE",
            "the queries of a pack of osquery's or Fleet's that are for this host",
            "sockql.command.pack",
            most=1,
            choices="files",
        ),
        Command(
            "snapshot",
            "[FILE.db]",
            "the tables as they are now, in a file",
            "sockql.command.snapshot",
            most=1,
            choices="files",
        ),
        Command(
            "diff",
            "A.db[@TIME] B.db[@TIME] [TABLE ...]",
            "what differs between two snapshots",
            "sockql.command.diff",
            most=None,
            choices="files files tables",
        ),
        Command(
            "completion",
            "SHELL",
            "the code that completes sockql's words in bash, zsh or fish",
            "sockql.command.completion",
            most=1,
            choices="shells",
        ),
    )
}
