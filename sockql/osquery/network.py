"""The network namespace that osquery's tables without a column for it are about.

That is our own, or the one that ``--netns`` names.
"""

from __future__ import annotations

from sockql.network.namespaces import survey
from sockql.request import Constraint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.host import Host
    from sockql.request import Request


def one_namespace(request: Request, host: Host) -> list[Constraint]:
    """The condition on ``netns`` for one of sockql's tables."""
    if host.scope not in ("", "all"):
        return []  # the scope leaves only one
    return [Constraint("netns", "=", survey(request, host).own.inode)]
