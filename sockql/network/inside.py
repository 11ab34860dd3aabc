"""A host that stands in another network namespace.

Entering one is a matter of a thread: it moves there, opens sockets, and stays until the namespace
is let go.  What it opens belongs to the namespace, whoever uses it; and as long as it stays
/proc/PID/task/TID/net is that of the namespace, for everyone.

Source: net/core/net_namespace.c, fs/proc/proc_net.c; setns(2).
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
        self._resident: Resident | None = None
        #: The directory /proc/PID/task/TID/net of the thread.
        self._net: int | None = None

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
            descriptor = self._namespace.open(self.proc)
            if descriptor is None:
                return False
            try:
                self._resident = Resident(descriptor)
            finally:
                os.close(descriptor)
            self._sockets[NETLINK_SOCK_DIAG] = self._resident.run(
                lambda: Channel(NETLINK_SOCK_DIAG)
            )
        except OSError as error:
            self.close()
            self._errno = error.errno or EPERM
            raise
        self.asks = True
        return True

    def netlink(self, protocol: int, request: bytes) -> Iterator[memoryview]:
        """As :meth:`Host.netlink`, in the namespace.

        :raises KernelRefused: also when it could not be entered; ESRCH when it has gone.
        """
        if self._resident is not None:
            return exchange(self._sockets, protocol, request, self._channel)
        return self._once_more(protocol, request)

    def _channel(self, protocol: int) -> Channel:
        if self._resident is None:
            raise KernelRefused(ESRCH, "network namespace")
        return self._resident.run(lambda: Channel(protocol))

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
        if self._resident is None:
            return self._open_as_member(name)
        if self._net is None:
            self._net = self._resident.directory(self.proc)
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._net)

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
        if self._net is not None:
            os.close(self._net)
            self._net = None
        if self._resident is not None:
            self._resident.leave()
            self._resident = None


class Resident:
    """A thread that is in the network namespace of ``descriptor`` until :meth:`leave`.

    The caller's stays where it is.

    :raises OSError: when the kernel does not let us in; EAGAIN when there can be no more threads.
    """

    __slots__ = ("_home", "_jobs", "_thread")

    def __init__(self, descriptor: int) -> None:
        from _queue import SimpleQueue
        from _thread import get_native_id, start_new_thread

        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._home: int | None = None

        def move() -> int:
            home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _setns(descriptor)
            except BaseException:
                os.close(home)
                raise
            self._home = home
            return get_native_id()

        try:
            start_new_thread(self._live, ())
        except RuntimeError:
            raise BlockingIOError(EAGAIN, os.strerror(EAGAIN)) from None
        try:
            self._thread = self.run(move)
        except BaseException:
            self.leave()
            raise

    def run(self, action: Callable[[], Result]) -> Result:
        """What ``action`` gives in the thread.

        :raises OSError: as ``action`` does.
        """
        job = Job(action)
        self._jobs.put(job)
        try:
            job.done.acquire()
        except BaseException:
            # Interrupted, before the lock was there or just after.  What the thread opens in the
            # next microseconds has no other owner.
            while not job.ended:
                job.done.acquire(timeout=0.01)
            _discard(job.result)
            raise
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[no-any-return]

    def directory(self, proc: int) -> int:
        """Descriptor of the directory of the namespace's files, below the procfs ``proc``.

        :raises OSError: when it cannot be opened.
        """
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        path = f"self/task/{self._thread}/net"
        try:
            return os.open(path, flags, dir_fd=proc)
        except FileNotFoundError:
            # A procfs of another pid namespace does not know the thread.
            return os.open(f"/proc/{path}", flags)

    def leave(self) -> None:
        """End the thread, and let the namespace go."""
        if self._home is not None:
            # It takes a while to end, and must not be met in the namespace meanwhile.
            home, self._home = self._home, None
            try:
                self.run(lambda: _setns(home))
            finally:
                os.close(home)
                self._end()
        else:
            self._end()

    def _end(self) -> None:
        self._jobs.put(None)

    def _live(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.do()


class Job:
    """What the thread is asked to do, and what came of it once ``ended``."""

    __slots__ = ("action", "done", "ended", "error", "result")

    def __init__(self, action: Callable[[], Any]) -> None:
        from _thread import allocate_lock

        self.action = action
        self.ended = False
        self.error: BaseException | None = None
        self.result: Any = None
        self.done = allocate_lock()
        self.done.acquire()

    def do(self) -> None:
        """Do it, and say so."""
        try:
            self.result = self.action()
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is the caller's)
            self.error = error
        self.ended = True
        self.done.release()


def _discard(result: object) -> None:
    if isinstance(result, Channel):
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
