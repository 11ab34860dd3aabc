"""sockql: SQL over the live sockets, processes and file descriptors of a Linux host.

>>> import sockql
>>> with sockql.connect() as db:
...     for row in db.query("select pid, sport from sockets join fds using(inode)"):
...         print(row)
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockql.engine import Engine
    from sockql.host import Stat


def connect(
    proc: str = "/proc", *, netns: str = "", stat: Stat = "cached", osquery: bool = False
) -> Engine:
    """An engine over the host whose procfs is mounted at ``proc``; close it when done.

    ``netns`` says which network namespaces its tables are about: ``self``, the name of one, the
    number of a process that is in it, or ``all``; empty for all but those that only a descriptor
    leads to.  ``stat`` says what may be asked about files: what the kernel knows already
    (``cached``), what a server says who may not answer (``fresh``), or nothing (``never``).
    ``osquery`` is the option of that name: osquery's tables, functions and quotes.
    """
    from sockql.dialect import OSQUERY, SOCKQL
    from sockql.engine import Engine
    from sockql.host import Host

    dialect = OSQUERY if osquery else SOCKQL
    return Engine(Host(proc, scope=netns, stat=stat), dialect)
