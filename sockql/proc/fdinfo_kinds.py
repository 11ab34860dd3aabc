"""What fdinfo says of one kind of descriptor alone: eventfd, epoll, timerfd, io_uring, bpf, ….

Keys are the kernel's.  Values are what they stand for: numbers, whatever base the kernel writes
them in; names of signals and clocks; devices as ``major:minor``; seconds.
Source: proc_pid_fdinfo(5); the functions ``*_show_fdinfo()`` of the kernel.
"""

from __future__ import annotations

from sockql.proc.procfs import readable_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

#: What every fdinfo has, and the locks, which are dealt with in :mod:`sockql.proc.fdinfo`.
_COMMON: Final = frozenset((b"pos", b"flags", b"mnt_id", b"ino", b"lock"))
# Lines that say several things of one target, in the form "tfd: 5 events: 19 …", or with a
# leading word, "inotify wd:1 ino:…".  Source: fs/eventpoll.c, fs/notify/fdinfo.c.
_COMPOUND: Final = (b"tfd:", b"inotify ", b"fanotify ")

#: Numbers that the kernel writes in hexadecimal without saying so.
_HEXADECIMAL: Final = frozenset(
    (
        *("eventfd-count", "events", "data", "ino"),
        *("wd", "mask", "ignored_mask", "fhandle-bytes", "fhandle-type"),
        *("flags", "event-flags", "mflags", "mnt_id"),
    )
)
#: Texts, even those that look like a number.
_TEXTS: Final = frozenset(
    (
        *("f_handle", "prog_tag", "API", "iff", "name", "exp_name", "func_name"),
        *("drm-driver", "drm-client-name", "link_type"),
    )
)
#: Those that timerfd_create(2) takes.  Source: include/uapi/linux/time.h.
_CLOCKS: Final = {
    "0": "CLOCK_REALTIME",
    "1": "CLOCK_MONOTONIC",
    "7": "CLOCK_BOOTTIME",
    "8": "CLOCK_REALTIME_ALARM",
    "9": "CLOCK_BOOTTIME_ALARM",
}
# From 1 on; the same on all machines but alpha, mips, parisc and sparc.  Source: signal(7).
_SIGNALS: Final = (
    *("HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2"),
    *("PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG"),
    *("XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS"),
)
#: The first real-time signal that the C library leaves to programs.
_SIGRTMIN: Final = 34


def info(data: bytes) -> str | None:
    """What :func:`parse` finds, as a JSON object; None when there is nothing."""
    found = parse(data)
    if not found:
        return None
    from json import dumps

    return dumps(found, ensure_ascii=False)


def parse(data: bytes) -> dict[str, Any]:
    """What the fdinfo ``data`` says beyond what all of them say, by the kernel's keys.

    The targets of epoll (``tfd``), inotify and fanotify are always a list, of objects.  Indented
    lines behind a key are a list of texts under that key with ``List`` at its end, which some of
    the kernel's keys have already (``UserFilesList``, ``PollList``).  Another key that repeats has
    a list of its values.
    """
    found: dict[str, Any] = {}
    key = ""
    # Not splitlines(): a name may hold a carriage return.
    for line in data.split(b"\n"):
        lead = next((lead for lead in _COMPOUND if line.startswith(lead)), None)
        if lead is not None:
            words = line if lead == b"tfd:" else line[len(lead) :]
            _append(found, lead.rstrip(b": ").decode(), _pairs(words))
            continue
        if line[:1].isspace() and key:
            _append(found, f"{key.removesuffix('List')}List", readable_text(line.strip()))
            continue
        name, colon, rest = line.partition(b":")
        if not colon or not name or name in _COMMON:
            continue
        key = readable_text(name)
        text = readable_text(rest.strip())
        if key.endswith("List") and not text:
            found.setdefault(key, [])
        elif key in found:
            _append(found, key, _value(key, text))
        else:
            found[key] = _value(key, text)
    return found


def _append(found: dict[str, Any], key: str, value: Any) -> None:
    """Add ``value`` to the list under ``key``; what is there already becomes its first element."""
    there = found.setdefault(key, [])
    if not isinstance(there, list):
        there = found[key] = [there]
    there.append(value)


def _pairs(line: bytes) -> dict[str, Any]:
    """``{"wd": 1, "ino": 46}`` from b"wd:1 ino: 2e"."""
    texts: dict[str, str] = {}
    key = ""
    for word in line.replace(b":", b": ").split():
        if word.endswith(b":"):
            key = readable_text(word[:-1])
            texts[key] = ""
        elif key:
            texts[key] = f"{texts[key]} {readable_text(word)}".lstrip()
    return {key: _value(key, text) for key, text in texts.items()}


def _value(key: str, text: str) -> Any:
    """What ``text`` stands for under ``key``; the text itself where it is not as expected."""
    if not text:
        return None
    if key in _TEXTS:
        return text
    try:
        if key == "sdev":
            return _device(int(text, 16))
        if key == "sigmask":
            return signals(int(text, 16))
        if key == "clockid":
            return _CLOCKS.get(text) or int(text)
        if key in ("it_value", "it_interval"):
            seconds, nanoseconds = text.strip("()").split(",")
            return int(seconds) + int(nanoseconds) / 1e9
        if key == "NSpid":
            return [int(word) for word in text.split()]
        if key == "settime flags":
            return int(text, 8)
        return int(text, 16 if key in _HEXADECIMAL or text.startswith("0x") else 10)
    except ValueError:
        return text


def _device(number: int) -> str:
    """``8:1`` for the kernel's own dev_t (include/linux/kdev_t.h), which is not that of stat(2)."""
    return f"{number >> 20}:{number & 0xFFFFF}"


def signals(mask: int) -> list[str]:
    """The names of the signals in ``mask``.

    >>> signals(0x8000000200004002)
    ['SIGINT', 'SIGTERM', 'SIGRTMIN', 'SIGRTMIN+30']
    """
    return [_signal(number) for number in range(1, mask.bit_length() + 1) if mask >> number - 1 & 1]


def _signal(number: int) -> str:
    if number <= len(_SIGNALS):
        return f"SIG{_SIGNALS[number - 1]}"
    if number < _SIGRTMIN:
        return f"SIG{number}"  # two that the C library keeps to itself
    return f"SIGRTMIN+{number - _SIGRTMIN}" if number > _SIGRTMIN else "SIGRTMIN"
