"""The drivers of device files, and the kernel's names of devices.

Source: proc_devices(5), proc_misc(5), proc_partitions(5); block/genhd.c, fs/char_dev.c.
"""

from __future__ import annotations

from sockql.proc import procfs
from sockql.proc.examine import MODE, RDEV

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from sockql.host import Host
    from sockql.proc.examine import Status
    from sockql.request import Request

    #: Names by type ("c" or "b"), major and minor; a driver's minor is None.
    Names = dict[tuple[str, int, "int | None"], bytes]

DRIVER: Final = "driver"
NAME: Final = "device"
_MISC: Final = 10


def of(status: Status | None, request: Request, host: Host) -> dict[str, bytes]:
    """The driver and the name of the device that the file of ``status`` stands for."""
    kind = None if status is None else {0o2: "c", 0o6: "b"}.get(status[MODE] >> 12)
    if status is None or kind is None:
        return {}
    names: Names | None = request.snapshot.memo.get("devices")
    if names is None:
        names = request.snapshot.memo["devices"] = _read(host)
    major, minor = status[RDEV : RDEV + 2]
    found = {DRIVER: names.get((kind, major, None)), NAME: names.get((kind, major, minor))}
    return {key: name for key, name in found.items() if name is not None}


def _read(host: Host) -> Names:
    names: Names = {}
    for file, parse in (("devices", _drivers), ("misc", _misc), ("partitions", _partitions)):
        try:
            data = procfs.read_list(file, host.proc)
        except OSError:
            continue  # a copy of a procfs need not have it
        for key, name in parse(data):
            # Of several drivers with one number the first has its lower minors.
            names.setdefault(key, name)
    return names


def _drivers(data: bytes) -> Iterator[tuple[tuple[str, int, None], bytes]]:
    kind = "c"
    for line in data.splitlines():
        number, _, name = line.strip().partition(b" ")
        if number.isdigit() and name:
            yield (kind, int(number), None), name
        elif number == b"Block":
            kind = "b"


def _misc(data: bytes) -> Iterator[tuple[tuple[str, int, int], bytes]]:
    for line in data.splitlines():
        number, _, name = line.strip().partition(b" ")
        if number.isdigit() and name:
            yield ("c", _MISC, int(number)), name


def _partitions(data: bytes) -> Iterator[tuple[tuple[str, int, int], bytes]]:
    for line in data.splitlines():
        words = line.split(None, 3)
        if len(words) == 4 and words[0].isdigit() and words[1].isdigit():
            yield ("b", int(words[0]), int(words[1])), words[3]
