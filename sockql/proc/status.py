"""The hidden columns of ``processes`` from its file ``status``."""

from __future__ import annotations

from functools import partial

from sockql.proc import files as cells
from sockql.proc.walk import need
from sockql.schema import integer, text

_status_integer = partial(integer, hidden=True, needs=need("status"))
_status_text = partial(text, hidden=True, needs=need("status"))
_size = partial(integer, hidden=True, needs=need("status"), unit="bytes")


class StatusDetails:
    """Hidden columns."""

    fsuid = _status_integer(
        "User id for files.", source="/proc/PID/status Uid", get=cells.status_number(b"Uid", 3)
    )
    fsgid = _status_integer(
        "Group id for files.", source="/proc/PID/status Gid", get=cells.status_number(b"Gid", 3)
    )
    supplementary_groups = _status_text(
        "Further group ids, as a JSON array.",
        source="/proc/PID/status Groups",
        get=cells.status_list(b"Groups"),
    )
    umask = _status_text(
        "Mask of the permissions that new files do not get, in octal; NULL for zombies.",
        source="/proc/PID/status Umask",
        get=cells.status_text(b"Umask"),
    )
    tracer_pid = _status_integer(
        "Process that traces it; NULL when none does.",
        source="/proc/PID/status TracerPid",
        get=cells.status_number(b"TracerPid", unset=0),
    )
    nspid = _status_text(
        "Its numbers in this and all inner pid namespaces, as a JSON array.",
        source="/proc/PID/status NSpid",
        get=cells.status_list(b"NSpid"),
    )
    cap_inheritable = _status_text(
        "Inheritable capabilities, a bit mask in hexadecimal.",
        source="/proc/PID/status CapInh",
        get=cells.status_text(b"CapInh"),
    )
    cap_permitted = _status_text(
        "Permitted capabilities, a bit mask in hexadecimal.",
        source="/proc/PID/status CapPrm",
        get=cells.status_text(b"CapPrm"),
    )
    cap_effective = _status_text(
        "Effective capabilities, a bit mask in hexadecimal.",
        source="/proc/PID/status CapEff",
        get=cells.status_text(b"CapEff"),
    )
    cap_bounding = _status_text(
        "Bounding set of capabilities, a bit mask in hexadecimal.",
        source="/proc/PID/status CapBnd",
        get=cells.status_text(b"CapBnd"),
    )
    cap_ambient = _status_text(
        "Ambient capabilities, a bit mask in hexadecimal.",
        source="/proc/PID/status CapAmb",
        get=cells.status_text(b"CapAmb"),
    )
    no_new_privs = _status_integer(
        "1 when execve(2) can give it no more privileges, else 0.",
        source="/proc/PID/status NoNewPrivs",
        get=cells.status_number(b"NoNewPrivs"),
    )
    seccomp = _status_text(
        "Whether system calls are filtered; NULL when the kernel cannot.",
        source="/proc/PID/status Seccomp",
        get=cells.status_number(b"Seccomp", convert=cells.seccomp),
        values=cells.SECCOMP,
    )
    seccomp_filters = _status_integer(
        "Number of seccomp filters; NULL when the kernel does not say.",
        source="/proc/PID/status Seccomp_filters",
        get=cells.status_number(b"Seccomp_filters"),
    )
    sig_pending = _status_text(
        "Signals pending for the whole process, a bit mask in hexadecimal.",
        source="/proc/PID/status ShdPnd",
        get=cells.status_text(b"ShdPnd"),
    )
    sig_blocked = _status_text(
        "Signals blocked by the main thread, a bit mask in hexadecimal.",
        source="/proc/PID/status SigBlk",
        get=cells.status_text(b"SigBlk"),
    )
    sig_ignored = _status_text(
        "Signals ignored, a bit mask in hexadecimal.",
        source="/proc/PID/status SigIgn",
        get=cells.status_text(b"SigIgn"),
    )
    sig_caught = _status_text(
        "Signals that have a handler, a bit mask in hexadecimal.",
        source="/proc/PID/status SigCgt",
        get=cells.status_text(b"SigCgt"),
    )
    cpus_allowed = _status_text(
        "CPUs it may run on, as in 0-3,7.",
        source="/proc/PID/status Cpus_allowed_list",
        get=cells.status_text(b"Cpus_allowed_list"),
    )
    mems_allowed = _status_text(
        "Memory nodes it may use, as in 0-1.",
        source="/proc/PID/status Mems_allowed_list",
        get=cells.status_text(b"Mems_allowed_list"),
    )
    voluntary_ctxt_switches = _status_integer(
        "Times the main thread gave up the CPU by waiting.",
        source="/proc/PID/status voluntary_ctxt_switches",
        get=cells.status_number(b"voluntary_ctxt_switches"),
    )
    nonvoluntary_ctxt_switches = _status_integer(
        "Times the main thread was made to give up the CPU.",
        source="/proc/PID/status nonvoluntary_ctxt_switches",
        get=cells.status_number(b"nonvoluntary_ctxt_switches"),
    )
    vm_peak = _size(
        "Most virtual memory it ever had; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmPeak",
        get=cells.status_size(b"VmPeak"),
    )
    vm_hwm = _size(
        "Most memory it ever had in RAM; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmHWM",
        get=cells.status_size(b"VmHWM"),
    )
    vm_lck = _size(
        "Memory locked into RAM; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmLck",
        get=cells.status_size(b"VmLck"),
    )
    vm_data = _size(
        "Private writable memory without stacks; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmData",
        get=cells.status_size(b"VmData"),
    )
    vm_stk = _size(
        "Stack of the main thread; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmStk",
        get=cells.status_size(b"VmStk"),
    )
    vm_exe = _size(
        "Code of the executable; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmExe",
        get=cells.status_size(b"VmExe"),
    )
    vm_lib = _size(
        "Code of shared libraries; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmLib",
        get=cells.status_size(b"VmLib"),
    )
    vm_pte = _size(
        "Page tables; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmPTE",
        get=cells.status_size(b"VmPTE"),
    )
    vm_swap = _size(
        "Private memory that is swapped out; NULL for kernel threads and zombies.",
        source="/proc/PID/status VmSwap",
        get=cells.status_size(b"VmSwap"),
    )
    rss_anon = _size(
        "Part of resident_size that no file backs; NULL for kernel threads and zombies.",
        source="/proc/PID/status RssAnon",
        get=cells.status_size(b"RssAnon"),
    )
    rss_file = _size(
        "Part of resident_size that files back; NULL for kernel threads and zombies.",
        source="/proc/PID/status RssFile",
        get=cells.status_size(b"RssFile"),
    )
    rss_shmem = _size(
        "Part of resident_size that is shared memory; NULL for kernel threads and zombies.",
        source="/proc/PID/status RssShmem",
        get=cells.status_size(b"RssShmem"),
    )
