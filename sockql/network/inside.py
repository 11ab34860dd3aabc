"""A host that stands in another network namespace.

Entering one is a matter of a thread: it moves there, opens what is asked for, and ends.  Sockets
and files of /proc/net stay with the namespace in which they were opened, whoever uses them.

Source: net/core/net_namespace.c; setns(2).
"""

from __future__ import annotations

import os
from errno import EAGAIN, ENOENT, ENOSYS, EPERM, ESRCH

from sockql.diag.netlink import NETLINK_SOCK_DIAG, Channel, exchange
from sockql.errors import KernelRefused
from sockql.host import Host
from sockql.proc.procfs import GONE, bracketed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Final, TypeVar

    from sockql.network.namespaces import Namespace

    Result = TypeVar("Result")

CLONE_NEWNET: Final = 0x40000000


class Inside(Host):
    """The host as it looks from within another network namespace.

    Between :meth:`enter` and :meth:`close` it keeps the namespace alive.  It may still be asked
    later (for the name of an interface, when a row is shown) and then enters anew.  When it could
    not enter, ``asks`` is False: then it reads the files in /proc/PID/net of the namespace's
    members, and refuses every netlink request.
    """

    def __init__(self, outer: Host, namespace: Namespace) -> None:
        super().__init__(outer.proc_path, outer.check, scope=outer.scope)
        self.progress = outer.progress
        self.netns = namespace.identity
        self._outer = outer
        self._namespace = namespace
        self._errno = EPERM
        self._descriptor: int | None = None

    @property
    def proc(self) -> int:
        """Directory descriptor of the procfs root, which is the outer host's."""
        return self._outer.proc

    def notice(self, text: str) -> None:
        """Say it where the outer host says what it has to say."""
        self._outer.notice(text)

    def enter(self) -> bool:
        """Go in; False when the namespace has gone.

        :raises OSError: when we are not let in; files may still be read then.
        """
        self.asks = False
        try:
            if self._namespace.inode is None:
                raise PermissionError(EPERM, os.strerror(EPERM))
            self._descriptor = self._namespace.open(self.proc)
            if self._descriptor is None:
                return False
            channel = inside(self._descriptor, lambda: Channel(NETLINK_SOCK_DIAG))
        except OSError as error:
            self.close()
            self._errno = error.errno or EPERM
            raise
        self._sockets[NETLINK_SOCK_DIAG] = channel
        self.asks = True
        return True

    def netlink(self, protocol: int, request: bytes) -> Iterator[memoryview]:
        """As :meth:`Host.netlink`, in the namespace.

        :raises KernelRefused: also when it could not be entered; ESRCH when it has gone.
        """
        if self._descriptor is not None:
            return exchange(self._sockets, protocol, request, self._channel)
        return self._once_more(protocol, request)

    def _channel(self, protocol: int) -> Channel:
        if self._descriptor is None:
            raise KernelRefused(ESRCH, "network namespace")
        return inside(self._descriptor, lambda: Channel(protocol))

    def _once_more(self, protocol: int, request: bytes) -> Iterator[memoryview]:
        if not self.asks:
            raise KernelRefused(self._errno, "network namespace")
        try:
            if not self.enter():
                raise KernelRefused(ESRCH, "network namespace")
            yield from exchange(self._sockets, protocol, request, self._channel)
        except OSError as error:
            raise KernelRefused(error.errno or EPERM, "network namespace") from None
        finally:
            self.close()
            self.asks = True

    def open_net(self, name: str) -> int:
        """Descriptor of ``net/NAME`` of the namespace.

        :raises OSError: also ESRCH when the namespace has gone.
        """
        if self._descriptor is None:
            return self._open_as_member(name)
        return inside(self._descriptor, lambda: self._open_as_thread(name))

    def _open_as_thread(self, name: str) -> int:
        flags = os.O_RDONLY | os.O_CLOEXEC
        try:
            return os.open(f"thread-self/net/{name}", flags, dir_fd=self.proc)
        except FileNotFoundError:
            # A procfs of another pid namespace does not know the thread.
            return os.open(f"/proc/thread-self/net/{name}", flags)

    def _open_as_member(self, name: str) -> int:
        """The file of the first member that is still there.

        Nothing but the namespace's own file is taken: a process may go elsewhere, and its number
        may become another's.
        """
        for member in self._namespace.members:
            try:
                path = f"{member}/net/{name}"
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.proc)
            except OSError as error:
                if error.errno in GONE and not (error.errno == ENOENT and self._stays(member)):
                    continue
                raise
            if self._stays(member):
                return descriptor
            os.close(descriptor)
        raise ProcessLookupError(ESRCH, os.strerror(ESRCH))

    def _stays(self, member: str) -> bool:
        """Whether ``member`` is in the namespace."""
        namespace = self._namespace
        try:
            if namespace.inode is not None:
                link = os.readlink(f"{member}/ns/net", dir_fd=self.proc)
                return bracketed(link) == namespace.inode
            return os.stat(f"{member}/net/dev", dir_fd=self.proc).st_ino == namespace.file
        except OSError:
            return False

    def close(self) -> None:
        """Let the namespace go; the outer host stays open."""
        super().close()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def inside(descriptor: int, action: Callable[[], Result]) -> Result:
    """What ``action`` gives in a thread that is in the network namespace of ``descriptor``.

    The thread ends afterwards; the caller's stays where it is.

    :raises OSError: when the kernel does not let us in; EAGAIN when there can be no more threads.
    """
    from _thread import allocate_lock, start_new_thread

    done = allocate_lock()
    done.acquire()
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            _setns(descriptor)
            results.append(action())
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is the caller's)
            errors.append(error)
        finally:
            done.release()

    try:
        start_new_thread(work, ())
    except RuntimeError:
        raise BlockingIOError(EAGAIN, os.strerror(EAGAIN)) from None
    try:
        done.acquire()
    except BaseException:
        # Interrupted: what the thread opens in the next microseconds has no other owner.
        done.acquire()
        for result in results:
            _discard(result)
        raise
    if errors:
        raise errors[0]
    return results[0]


def _discard(result: Any) -> None:
    if isinstance(result, int):
        os.close(result)
    else:
        result.close()


def _setns(descriptor: int) -> None:
    """Move the calling thread to the network namespace of ``descriptor``.

    :raises OSError: as setns(2) does.
    """
    setns = getattr(os, "setns", None)  # since Python 3.12
    if setns is not None:
        setns(descriptor, CLONE_NEWNET)
        return
    import ctypes

    library: Any = ctypes.CDLL(None, use_errno=True)
    try:
        function = library.setns
    except AttributeError:
        raise OSError(ENOSYS, os.strerror(ENOSYS)) from None
    if function(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
