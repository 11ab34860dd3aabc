"""osquery's table ``kernel_info``."""

from __future__ import annotations

from sockql.osquery.columns import text
from sockql.osquery.machine import kernel_arguments, kernel_version, read_proc
from sockql.schema import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from sockql.host import Host
    from sockql.request import Request
    from sockql.schema import Getter

    Kernel: TypeAlias = dict[str, "str | None"]


def _get(name: str) -> Getter:
    return lambda kernel: kernel.get(name)


class KernelInfo(Table["Kernel"], examples=["select version, arguments from kernel_info"]):
    """The kernel that runs, one row."""

    version = text(
        "Release; NULL when the kernel does not say.",
        source="/proc/version",
        get=_get("version"),
        collation="VERSION",
    )
    arguments = text(
        "What it was started with, but for the image and the root device.",
        source="/proc/cmdline",
        get=_get("arguments"),
    )
    path = text(
        "Its image, as the boot loader named it; NULL when it did not.",
        source="/proc/cmdline BOOT_IMAGE",
        get=_get("path"),
    )
    device = text(
        "Root device that it was told; NULL when it was told none.",
        source="/proc/cmdline root",
        get=_get("device"),
    )

    def records(self, request: Request, host: Host) -> Iterator[Kernel]:
        version = kernel_version(read_proc(host, "version"))
        yield {**kernel_arguments(read_proc(host, "cmdline")), "version": version}

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 1.0, 50.0


TABLE = KernelInfo()
