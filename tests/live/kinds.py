"""One descriptor of each kind that the kernel has, and what the test knows of it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import select
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

libc = ctypes.CDLL(None, use_errno=True)


class Made(NamedTuple):
    """A descriptor that a factory opened: its number, its type in ``fds``, and its ``info``."""

    fd: int
    type: str
    info: dict[str, Any] | None


#: Numbers of system calls for which the C library need not have a function.  Those after 424 are
#: the same on all machines.
_CALLS = {
    "x86_64": {"bpf": 321, "userfaultfd": 323, "perf_event_open": 298},
    "aarch64": {"bpf": 280, "userfaultfd": 282, "perf_event_open": 241},
}.get(platform.machine(), {})
_CALLS |= {
    "io_uring_setup": 425,
    "io_uring_register": 427,
    "fsopen": 430,
    "landlock_create_ruleset": 444,
    "memfd_secret": 447,
}


def checked(result: int) -> int:
    """What the C library gave; OSError when it is an error."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def call(name: str, *arguments: Any) -> int:
    if name not in _CALLS:
        raise OSError(errno.ENOSYS, f"no number of {name} on this machine")
    return checked(libc.syscall(_CALLS[name], *arguments))


def eventfd() -> Made:
    made = checked(libc.eventfd(31, 0x1 | os.O_CLOEXEC))  # EFD_SEMAPHORE
    return Made(made, "eventfd", {"eventfd-count": 31, "eventfd-semaphore": 1})


def timerfd() -> Made:
    made = checked(libc.timerfd_create(1, 0))
    times = struct.pack("qqqq", 1000, 500_000_000, 1_000_000, 250_000_000)
    checked(libc.timerfd_settime(made, 1, times, None))  # TFD_TIMER_ABSTIME
    return Made(
        made,
        "timerfd",
        {"clockid": "CLOCK_MONOTONIC", "ticks": 0, "settime flags": 1, "it_interval": 1000.5},
    )


def signalfd() -> Made:
    mask = 1 << 2 - 1 | 1 << 15 - 1 | 1 << 34 - 1 | 1 << 64 - 1
    made = checked(libc.signalfd(-1, struct.pack("=Q", mask) + bytes(120), 0))
    return Made(made, "signalfd", {"sigmask": ["SIGINT", "SIGTERM", "SIGRTMIN", "SIGRTMIN+30"]})


def _device(path: str) -> str:
    number = os.stat(path).st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def inotify() -> Made:
    made = checked(libc.inotify_init1(0))
    checked(libc.inotify_add_watch(made, b"/dev", 0x102))  # IN_CREATE, IN_MODIFY
    watch = {"wd": 1, "ino": os.stat("/dev").st_ino, "sdev": _device("/dev"), "mask": 0x102}
    return Made(made, "inotify", {"inotify": [watch]})


def fanotify() -> Made:
    made = checked(libc.fanotify_init(0, 0))
    checked(libc.fanotify_mark(made, 1, ctypes.c_uint64(0x2), -100, b"/dev"))  # FAN_MODIFY
    mark = {"ino": os.stat("/dev").st_ino, "sdev": _device("/dev"), "mask": 2}
    return Made(made, "fanotify", {"fanotify": [{"flags": 0}, mark]})


def epoll() -> Made:
    made = checked(libc.epoll_create1(0))
    reading, _ = os.pipe()
    with select.epoll.fromfd(os.dup(made)) as wrapped:
        wrapped.register(reading, select.EPOLLIN)
    target = {
        "tfd": reading,
        "events": select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP,
        "pos": 0,
        "ino": os.fstat(reading).st_ino,
        "sdev": _device(f"/proc/self/fd/{reading}"),
    }
    return Made(made, "epoll", {"tfd": [target]})


def pidfd() -> Made:
    made = os.pidfd_open(os.getpid())
    return Made(made, "pidfd", {"Pid": os.getpid(), "NSpid": [os.getpid()]})


def pidfd_of_the_dead() -> Made:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    made = os.pidfd_open(pid)
    os.waitpid(pid, 0)
    return Made(made, "pidfd", {"Pid": -1, "NSpid": [-1]})


def io_uring() -> Made:
    made = call("io_uring_setup", 4, ctypes.create_string_buffer(120))
    reading, _ = os.pipe()
    files = (ctypes.c_int * 3)(reading, -1, os.open("/dev/null", os.O_RDONLY))
    call("io_uring_register", made, 2, files, 3)
    expected = {"SqMask": 3, "CqMask": 7, "SQEs": 0, "CQEs": 0, "SqThread": -1, "UserFiles": 3}
    return Made(made, "io_uring", {**expected, "UserBufs": 0, "PollList": []})


def _bpf(command: int, packed: bytes) -> int:
    attributes = ctypes.create_string_buffer(packed + bytes(128 - len(packed)))
    return call("bpf", command, attributes, 128)


def bpf_map() -> Made:
    made = _bpf(0, struct.pack("IIIII", 1, 4, 8, 10, 1))  # BPF_F_NO_PREALLOC
    expected = {"map_type": 1, "key_size": 4, "value_size": 8, "max_entries": 10, "map_flags": 1}
    return Made(made, "bpf-map", expected)


def _program(type: int) -> int:
    code = ctypes.create_string_buffer(b"\xb7\0\0\0\1\0\0\0\x95\0\0\0\0\0\0\0")  # return 1
    license = ctypes.create_string_buffer(b"GPL")
    places = ctypes.addressof(code), ctypes.addressof(license)
    return _bpf(5, struct.pack("IIQQ", type, 2, *places))


def bpf_program() -> Made:
    made = _program(1)  # BPF_PROG_TYPE_SOCKET_FILTER
    # The tag is a digest of the two instructions, the same everywhere.
    return Made(made, "bpf-prog", {"prog_type": 1, "prog_tag": "b11459a0e11ca14c"})


def bpf_link() -> Made:
    program = _program(8)  # BPF_PROG_TYPE_CGROUP_SKB
    places = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
    (cgroup, *_) = [p for p in places if os.path.exists(f"{p}/cgroup.procs")]
    parent = os.open(cgroup, os.O_RDONLY)
    made = _bpf(28, struct.pack("IIII", program, parent, 1, 0))  # BPF_CGROUP_INET_EGRESS
    return Made(made, "bpf_link", {"prog_tag": "b11459a0e11ca14c", "attach_type": 1})


def userfaultfd() -> Made:
    made = call("userfaultfd", 0)
    return Made(made, "userfaultfd", {"pending": 0, "total": 0})


def perf_event() -> Made:
    # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, disabled
    attributes = ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 0) + bytes(104))
    return Made(call("perf_event_open", attributes, 0, -1, -1, 0), "perf_event", None)


def secretmem() -> Made:
    return Made(call("memfd_secret", 0), "secretmem", None)


def memfd() -> Made:
    return Made(os.memfd_create("a name"), "memfd", None)


def landlock() -> Made:
    made = call("landlock_create_ruleset", struct.pack("=Q", 1), 8, 0)
    return Made(made, "landlock-ruleset", None)


def fscontext() -> Made:
    return Made(call("fsopen", b"tmpfs", 0), "fscontext", None)


def tun() -> Made:
    made = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(made, 0x400454CA, struct.pack("16sH22x", b"7", 0x1001))  # TUNSETIFF
    return Made(made, "chr", {"iff": "7"})


def pty() -> Made:
    master, slave = os.openpty()
    number = int(os.ttyname(slave).rpartition("/")[2])
    return Made(master, "chr", {"tty-index": number})


def unix() -> Made:
    left, right = socket.socketpair()
    socket.send_fds(left, [b"x"], [0, 0, 0])
    left.detach()
    return Made(right.detach(), "socket", {"scm_fds": 3})


def namespace() -> Made:
    return Made(os.open("/proc/self/ns/uts", os.O_RDONLY), "ns", None)


def message_queue() -> Made:
    name = f"/sockql-{os.getpid()}".encode()
    made = checked(libc.mq_open(name, os.O_CREAT | os.O_RDWR, 0o600, None))
    libc.mq_unlink(name)
    return Made(made, "file", None)


def dmabuf() -> Made:
    heap = os.open("/dev/dma_heap/system", os.O_RDONLY)
    asked = bytearray(struct.pack("QIIQ", mmap.PAGESIZE, 0, os.O_RDWR, 0))
    fcntl.ioctl(heap, 0xC0184800, asked)  # DMA_HEAP_IOCTL_ALLOC
    made = struct.unpack("QIIQ", asked)[1]
    return Made(made, "dmabuf", {"size": mmap.PAGESIZE, "exp_name": "system"})


FACTORIES: tuple[Callable[[], Made], ...] = (
    *(eventfd, timerfd, signalfd, inotify, fanotify, epoll, pidfd, pidfd_of_the_dead, io_uring),
    *(bpf_map, bpf_program, bpf_link, userfaultfd, perf_event, secretmem, memfd, landlock),
    *(fscontext, tun, pty, unix, namespace, message_queue, dmabuf),
)


def attempt(factory: Callable[[], Made]) -> Made | str:
    """What ``factory`` makes, or the errno's name of why the kernel does not."""
    try:
        return factory()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
