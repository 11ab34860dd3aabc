"""osquery's table ``system_info``."""

from __future__ import annotations

import os

from sockql.osquery import machine
from sockql.osquery.columns import bigint, integer, text, windows
from sockql.osquery.machine import Processors, read_file, read_proc
from sockql.osquery.root import Root
from sockql.schema import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.request import Request
    from sockql.schema import Column, Getter, Value

    Machine: TypeAlias = dict[str, Value]

_DMI: Final = {
    "hardware_vendor": "sys_vendor",
    "hardware_model": "product_name",
    "hardware_version": "product_version",
    "hardware_serial": "product_serial",
    "board_vendor": "board_vendor",
    "board_model": "board_name",
    "board_version": "board_version",
    "board_serial": "board_serial",
}


def _get(name: str) -> Getter:
    return lambda record: record[name]


def _dmi(name: str, doc: str) -> Column:
    return text(
        f"{doc}; NULL when it may not be read or the firmware does not say.",
        source=f"/sys/class/dmi/id/{_DMI[name]}",
        get=_get(name),
    )


class SystemInfo(
    Table["Machine"],
    examples=[
        "select hostname, cpu_brand, cpu_logical_cores, physical_memory from system_info",
        "select hardware_vendor, hardware_model from system_info",
    ],
):
    """The machine, one row."""

    hostname = text(
        "Name of the host, with its domain where /etc/hosts has that.",
        source="/proc/sys/kernel/hostname, /etc/hosts",
        get=_get("hostname"),
    )
    uuid = text(
        "UUID that the firmware has, or the machine-id in its place where that may not be read; "
        "empty when there is neither.",
        source="/sys/class/dmi/id/product_uuid, machine-id(5)",
        get=_get("uuid"),
    )
    cpu_type = text("Architecture of the kernel.", source="uname(2) machine", get=_get("cpu_type"))
    cpu_subtype = text(
        "Number of the processor's model; 0 where the architecture has none.",
        source="/proc/cpuinfo model",
        get=_get("cpu_subtype"),
    )
    cpu_brand = text(
        "Name of the processor; NULL where the architecture does not say.",
        source="/proc/cpuinfo model name",
        get=_get("cpu_brand"),
    )
    cpu_physical_cores = integer(
        "Number of cores.", source="/proc/cpuinfo core id", get=_get("cpu_physical_cores")
    )
    cpu_logical_cores = integer(
        "Number of processors that the kernel uses, more than cores with hyper-threading.",
        source="/proc/cpuinfo processor",
        get=_get("cpu_logical_cores"),
    )
    cpu_sockets = integer(
        "Number of packages; NULL where the architecture does not say.",
        source="/proc/cpuinfo siblings",
        get=_get("cpu_sockets"),
    )
    cpu_microcode = text(
        "Version of the microcode; NULL where the architecture does not say.",
        source="/proc/cpuinfo microcode",
        get=_get("cpu_microcode"),
    )
    physical_memory = bigint(
        "Memory that the kernel manages; -1 when it does not say.",
        source="/proc/meminfo MemTotal",
        unit="bytes",
        get=_get("physical_memory"),
    )
    hardware_vendor = _dmi("hardware_vendor", "Who made the machine")
    hardware_model = text(
        "Model of the machine; empty when it may not be read or the firmware does not say.",
        source="/sys/class/dmi/id/product_name",
        get=_get("hardware_model"),
    )
    hardware_version = _dmi("hardware_version", "Version of the machine")
    hardware_serial = _dmi("hardware_serial", "Serial number of the machine, for root only")
    board_vendor = _dmi("board_vendor", "Who made the board")
    board_model = _dmi("board_model", "Model of the board")
    board_version = _dmi("board_version", "Version of the board")
    board_serial = _dmi("board_serial", "Serial number of the board, for root only")
    computer_name = text(
        "Name of the host as the kernel has it.",
        source="/proc/sys/kernel/hostname",
        get=_get("computer_name"),
    )
    local_hostname = text(
        "The same as hostname.",
        source="/proc/sys/kernel/hostname, /etc/hosts",
        get=_get("hostname"),
    )
    emulated_cpu_type = windows(text)

    def records(self, request: Request, host: Host) -> Iterator[Machine]:
        name = read_proc(host, "sys/kernel/hostname").strip()
        processors = Processors(read_proc(host, "cpuinfo"))
        first = processors.first
        found: Machine = {
            "computer_name": name,
            "cpu_type": os.uname().machine,
            "cpu_subtype": first.get("model", "0"),
            "cpu_brand": first.get("model name"),
            "cpu_physical_cores": processors.physical,
            "cpu_logical_cores": processors.logical,
            "cpu_sockets": processors.sockets,
            "cpu_microcode": first.get("microcode"),
            "physical_memory": machine.memory(read_proc(host, "meminfo")),
        }
        try:
            with Root(host) as root:
                yield {**found, **_of_files(root, name)}
        except OSError as error:
            host.notice(f"system_info: {host.proc_path}/1/root: {error.strerror}")
            yield {**found, **_of_files(None, name)}

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 1.0, 500.0


def _of_files(root: Root | None, name: str) -> Machine:
    found: Machine = {
        "hostname": machine.qualified(name, read_file(root, "/etc/hosts") or ""),
        "uuid": machine.unique_id(root),
    }
    for column, file in _DMI.items():
        found[column] = read_file(root, f"/sys/class/dmi/id/{file}")
    if str(found["hardware_vendor"]).lower() == "lenovo":
        # It puts the name of the model where others put a version.
        model, version = found["hardware_version"], found["hardware_model"]
        found["hardware_model"], found["hardware_version"] = model, version
    found["hardware_model"] = found["hardware_model"] or ""
    return found


TABLE = SystemInfo()
