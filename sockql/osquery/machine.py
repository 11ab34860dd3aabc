"""What the machine and its system say of themselves, as osquery words it.

Pure functions over what was read, and the reading.
Source: os-release(5), proc_cpuinfo(5), proc_cmdline(5), proc_version(5);
osquery/tables/system/linux/os_version.cpp, system_info.cpp and kernel_info.cpp.
"""

from __future__ import annotations

from sockql.errors import DataError
from sockql.proc import procfs
from sockql.proc.procfs import readable_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockql.host import Host
    from sockql.osquery.root import Root

#: Columns by the keys of os-release.
_OS_RELEASE: Final = {
    "NAME": "name",
    "VERSION": "version",
    "BUILD_ID": "build",
    "ID": "platform",
    "ID_LIKE": "platform_like",
}


def read_proc(host: Host, name: str) -> str:
    """A file of the procfs root, as text.

    :raises DataError: when it cannot be read.
    """
    try:
        return readable_text(procfs.read(name, host.proc))
    except OSError as error:
        raise DataError(f"{host.proc_path}/{name}: {error.strerror}") from None


def read_file(root: Root | None, path: str) -> str | None:
    """A file below ``root`` as text, without blanks at its ends; None when it cannot be read."""
    if root is None:
        return None
    try:
        return readable_text(root.read(path.encode())).strip()
    except OSError:
        return None


# -- os_version ---------------------------------------------------------------------------------


def os_release(text: str) -> dict[str, str]:
    r"""The columns of ``os_version`` that os-release fills.

    >>> os_release('NAME="Debian GNU/Linux"\nVERSION_ID="12.4"\n# x\nVERSION_CODENAME=bookworm\n')
    {'name': 'Debian GNU/Linux', 'major': '12', 'minor': '4', 'codename': 'bookworm'}
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key[:1] == "#":
            continue
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        if key == "VERSION_ID":
            found.update(zip(("major", "minor", "patch"), value.split(".", 2)))
        elif key in _OS_RELEASE:
            found[_OS_RELEASE[key]] = value
        elif "CODENAME" in key:
            found["codename"] = value
    return found


def release_line(text: str) -> dict[str, str]:
    """The columns that the one line of /etc/redhat-release and its kin fills.

    >>> release_line("CentOS Linux release 7.9.2009 (Core)")["minor"]
    '9'
    """
    import re

    found = {"version": " ".join(text.split()), "build": ""}
    match = re.search(r"([\w+\s]+) .* ([0-9]+)\.([0-9]+)\.?(\w+)?", text)
    if match:
        found["name"], found["major"], found["minor"] = match.group(1, 2, 3)
        found["patch"] = match[4] or "0"
    return found


def os_version(root: Root | None) -> dict[str, str]:
    """The columns of ``os_version`` for the system below ``root``."""
    found = {"name": "Unknown", "major": "0", "minor": "0", "patch": "0", "platform": "posix"}
    found.update(os_release(read_file(root, "/etc/os-release") or ""))
    # Oracle Linux has the file of Red Hat as well, and keeps its own name.
    for name, platform in (("oracle", None), ("redhat", "rhel"), ("gentoo", "gentoo")):
        text = read_file(root, f"/etc/{name}-release")
        if text is not None:
            if platform:
                found["platform"] = found["platform_like"] = platform
            found.update(release_line(text))
            break
    return found


# -- kernel_info --------------------------------------------------------------------------------


def kernel_arguments(text: str) -> dict[str, str]:
    """``path``, ``device`` and ``arguments`` of ``kernel_info`` from the kernel's command line.

    >>> kernel_arguments("BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro quiet")
    {'path': '/vmlinuz', 'device': '/dev/vda1', 'arguments': 'ro quiet'}
    """
    found = {}
    rest = []
    for word in text.split():
        if word.startswith("BOOT_IMAGE="):
            found["path"] = word[11:]
        elif word.startswith("root="):
            found["device"] = word[5:]
        else:
            rest.append(word)
    found["arguments"] = " ".join(rest)
    return found


def kernel_version(text: str) -> str | None:
    """The release in /proc/version.

    >>> kernel_version("Linux version 6.18.5 (root@x) #1 SMP")
    '6.18.5'
    """
    words = text.split()
    return words[2] if len(words) > 2 and words[1] == "version" else None


# -- system_info --------------------------------------------------------------------------------


class Processors:
    """What /proc/cpuinfo says: ``first`` has the lines of the first processor by their keys."""

    __slots__ = ("cores", "first", "logical")

    def __init__(self, text: str) -> None:
        self.first: dict[str, str] = {}
        self.logical = 0
        #: Distinct cores, where the architecture tells them apart.
        self.cores: set[tuple[str, str]] = set()
        for block in text.split("\n\n"):
            lines = dict(_colon(line) for line in block.splitlines() if ":" in line)
            if "processor" not in lines:
                continue
            self.logical += 1
            self.first = self.first or lines
            if "core id" in lines:
                self.cores.add((lines.get("physical id", "0"), lines["core id"]))

    @property
    def physical(self) -> int:
        """Number of cores."""
        return len(self.cores) or self.logical

    @property
    def sockets(self) -> int | None:
        """Number of packages, None where the architecture does not say."""
        siblings = self.first.get("siblings", "")
        return self.logical // int(siblings) if siblings.isdigit() and int(siblings) else None


def _colon(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def memory(text: str) -> int:
    """Bytes of memory in /proc/meminfo, -1 when it does not say."""
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            words = line.split()
            return int(words[1]) * 1024 if len(words) > 1 and words[1].isdigit() else -1
    return -1


def qualified(name: str, hosts: str) -> str:
    r"""The name with its domain that /etc/hosts has for ``name``, itself when there is none.

    >>> qualified("web1", "127.0.0.1 localhost\n10.0.0.1 web1.example.org web1 # x")
    'web1.example.org'
    """
    for line in hosts.splitlines():
        words = line.partition("#")[0].split()
        if name in words[1:]:
            return next((word for word in words[1:] if word.startswith(name + ".")), name)
    return name


def unique_id(root: Root | None) -> str:
    """The UUID that the firmware gives the machine, else its machine-id in the same form.

    osquery makes a random one where it cannot read the firmware's, and keeps it in its database.
    """
    found = read_file(root, "/sys/class/dmi/id/product_uuid")
    if found:
        return found
    id = read_file(root, "/etc/machine-id") or ""
    if len(id) != 32:
        return ""
    return "-".join((id[:8], id[8:12], id[12:16], id[16:20], id[20:]))
