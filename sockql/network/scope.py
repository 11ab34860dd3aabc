"""Which network namespaces a scan is about, and the hosts that ask in them."""

from __future__ import annotations

import os

from sockql.errors import DataError
from sockql.network.namespaces import Namespace, survey
from sockql.proc.procfs import GONE, bracketed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockql.host import Host
    from sockql.network.namespaces import Survey
    from sockql.request import Request


def _always() -> bool:
    return True


def select(request: Request, host: Host, more: Callable[[], bool] = _always) -> Iterator[Namespace]:
    """The namespaces that ``request`` and the host's scope leave, our own first.

    ``more`` is asked when all that are found easily were taken: whether to look thoroughly.

    :raises DataError: when the scope names what is not there.
    """
    found = survey(request, host)
    wanted = request.values("netns") if "netns" in request.schema.by_name else None
    if host.scope not in ("", "all", "self"):
        namespace = _scope(found, host)
        if wanted is None or namespace.inode in wanted:
            yield namespace
        return
    own = found.own
    if wanted is None or own.inode in wanted:
        yield own
    if host.scope == "self" or (wanted is not None and wanted <= {own.inode}):
        return
    found.near()
    taken = [own]
    for thoroughly in (False, True):
        if thoroughly:
            if not more():
                return
            found.thorough(descriptors=wanted is not None or host.scope == "all")
        for namespace in found.every:
            if namespace not in taken and (wanted is None or namespace.inode in wanted):
                taken.append(namespace)
                yield namespace
        if wanted is not None and wanted <= {namespace.inode for namespace in taken}:
            return
    found.complete = wanted is None


def _scope(found: Survey, host: Host) -> Namespace:
    """The one namespace that the host's scope names: PID, NAME or a path."""
    scope = host.scope
    found.near()
    if scope.isdecimal():
        thread = f"{int(scope)}/task/{int(scope)}"
        for namespace in found.every:
            if str(int(scope)) in namespace.members:
                return namespace
        try:
            link = os.readlink(f"{thread}/ns/net", dir_fd=host.proc)
        except OSError as error:
            raise DataError(f"--netns {scope}: {_why(error, 'no such process')}") from None
        namespace = Namespace(bracketed(link))
        namespace.members.append(thread)
        return found.by_inode.get(namespace.inode, namespace)
    for look in (found.near, found.thorough):
        look()
        for namespace in found.every:
            if namespace.called(scope):
                return namespace
    names = sorted(filter(None, (namespace.name for namespace in found.every)))
    known = f"there are {', '.join(names)}" if names else "none has a name"
    raise DataError(f"--netns {scope}: no network namespace is called that; {known}")


def _why(error: OSError, gone: str) -> str:
    return gone if error.errno in GONE else error.strerror or str(error)


def visit(
    request: Request,
    host: Host,
    more: Callable[[], bool] = _always,
    *,
    text: bool = False,
) -> Iterator[tuple[Namespace, Host]]:
    """Each namespace that ``request`` is about, with the host that asks in it.

    That host is open until the next one is taken.  ``more`` is as for :func:`select`.  With
    ``text`` namespaces that let nobody in come as well, with a host that can only read files;
    those, and what is missing without, are said by a notice.  A namespace that has gone meanwhile
    is left out.
    """
    from errno import errorcode

    by_text = left = total = unnamed = 0
    reason = 0
    try:
        for namespace in select(request, host, more):
            total += 1
            if namespace.own:
                yield namespace, host
                continue
            from sockql.network.inside import Inside

            inside = Inside(host, namespace)
            try:
                try:
                    if not inside.enter():
                        continue
                except OSError as error:
                    reason = error.errno or 0
                    if not text or not namespace.members:
                        left += 1
                        continue
                    by_text += 1
                    unnamed += namespace.inode is None
                yield namespace, inside
            finally:
                inside.close()
    finally:
        # One that is mounted may be one whose processes we met, and which we could not tell.
        total -= min(left, unnamed)
        left -= min(left, unnamed)
        if by_text or left:
            said = [
                f"{by_text} could only be read from /proc/PID/net, without cookies, options, "
                "marks, cgroups and memory"
                if by_text
                else "",
                f"{left} could not be read at all" if left else "",
            ]
            host.notice(
                f"{request.schema.name}: of {total} network namespaces "
                f"{' and '.join(filter(None, said))} "
                f"({errorcode.get(reason, reason)}); run as root or with CAP_SYS_ADMIN"
            )


def say_what_was_missed(request: Request, host: Host) -> None:
    """Say how many namespaces only descriptors lead to, as was found out when it was too late."""
    found = survey(request, host)
    if not found.complete:
        return
    leads: dict[str, str] = request.snapshot.memo.get("leads", {})
    missed = {bracketed(link) for link in leads} - found.by_inode.keys()
    if missed:
        numbers = ", ".join(map(str, sorted(filter(None, missed))[:4]))
        host.notice(
            f"{len(missed)} of the network namespaces were not looked into, for only descriptors "
            f"lead to them ({numbers}{', …' if len(missed) > 4 else ''}); use --netns all"
        )
