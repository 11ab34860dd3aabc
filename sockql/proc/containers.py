r"""What a control group says of its processes: their container, pod and systemd unit.

Container engines and systemd name control groups after what they run in them.  These are the
names, in version 1 and version 2 and in both at once; everything here is a pure function over
/proc/PID/cgroup.
Source: runc, libcontainer/cgroups/systemd (docker-ID.scope, cri-containerd-ID.scope);
podman, libpod (libpod-ID.scope); CRI-O, internal/config/cgmgr (crio-ID.scope);
Kubernetes, pkg/kubelet/cm (kubepods); LXC, src/lxc/cgroups (lxc.payload.NAME);
systemd, src/basic/cgroup-util.c and docs/CONTROL_GROUP_INTERFACE.md.
"""

from __future__ import annotations

from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: What ``container_runtime`` says.
RUNTIMES: Final = (
    "docker",
    "containerd",
    "podman",
    "crio",
    "kubernetes",
    "systemd-nspawn",
    "lxc",
)
_PREFIXES: Final = (
    ("docker-", "docker"),
    ("cri-containerd-", "containerd"),
    ("nerdctl-", "containerd"),
    ("libpod-", "podman"),
    ("crio-", "crio"),
)
#: Groups in which an engine makes those of its containers, which it calls by the bare id.
_PARENTS: Final = {
    "docker": "docker",
    "libpod_parent": "podman",
    "default": "containerd",
    "k8s.io": "containerd",
    "moby": "docker",
}
_UNITS: Final = (
    ".service",
    ".scope",
    ".socket",
    ".mount",
    ".swap",
    ".automount",
    ".timer",
    ".path",
    ".target",
    ".device",
)
_HEX: Final = frozenset("0123456789abcdef")


@lru_cache(maxsize=4096)
def container(data: bytes) -> tuple[str | None, str] | None:
    """``(runtime, id)`` of the innermost container, from /proc/PID/cgroup; None outside of any.

    The runtime is None when only the id can be told.  In a container that has a cgroup namespace
    of its own there is nothing to see from inside.
    """
    for path in _paths(data):
        found = _container(path)
        if found is not None:
            return found
    return None


@lru_cache(maxsize=4096)
def pod(data: bytes) -> str | None:
    """The uid of the Kubernetes pod, from /proc/PID/cgroup; None outside of any."""
    for path in _paths(data):
        parts = path.split("/")
        for part in reversed(parts):
            # cri-containerd as a slice of systemd in one name: SLICE:cri-containerd:ID.
            name = part.partition(":")[0].removesuffix(".slice")
            start = 0 if name.startswith("pod") else name.rfind("-pod") + 1
            if (start or name.startswith("pod")) and "kubepods" in path:
                uid = name[start + 3 :].replace("_", "-")
                if _HEX.issuperset(uid.replace("-", "")) and len(uid) >= 32:
                    return uid
    return None


@lru_cache(maxsize=4096)
def unit(data: bytes) -> tuple[str | None, str | None, str | None]:
    """``(unit, user unit, slice)`` of systemd, from /proc/PID/cgroup.

    The unit is that of the system's manager, the user unit that of a user's manager inside of it;
    the slice is the innermost one that the unit is in.
    """
    lines = _lines(data)
    path = lines.get("", "/")
    if path == "/":
        path = lines.get("name=systemd", path)
    parts = [_unescape_part(part) for part in path.split("/") if part not in ("", "..")]
    slice_name = None
    while parts and parts[0].endswith(".slice"):
        slice_name = parts.pop(0)
    if not parts or not parts[0].endswith(_UNITS):
        return None, None, slice_name
    system, *parts = parts
    user = None
    if system.startswith("user@") and system.endswith(".service"):
        while parts and parts[0].endswith(".slice"):
            slice_name = parts.pop(0)
        if parts and parts[0].endswith(_UNITS):
            user = parts[0]
    return system, user, slice_name


def _lines(data: bytes) -> dict[str, str]:
    """Paths by controllers; those of version 2 by the empty text."""
    found: dict[str, str] = {}
    for line in data.decode("utf-8", "backslashreplace").split("\n"):
        words = line.split(":", 2)
        if len(words) == 3:
            found.setdefault(words[1], words[2])
    return found


def _paths(data: bytes) -> list[str]:
    """The paths of all hierarchies, each once, that of version 2 first."""
    lines = _lines(data)
    return list(dict.fromkeys([lines.get("", "/"), *lines.values()]))


def _container(path: str) -> tuple[str | None, str] | None:
    parts = path.split("/")
    for i in range(len(parts) - 1, 0, -1):
        part, above = parts[i], parts[i - 1]
        name = part.removesuffix(".scope")
        if name.count(":") == 2:
            _, prefix, name = name.split(":")
            name = f"{prefix}-{name}"
        for prefix, runtime in _PREFIXES:
            if name.startswith(prefix) and _is_id(name[len(prefix) :]):
                return runtime, name[len(prefix) :]
        if _is_id(name):
            return _runtime(parts[:i]), name
        machine = _machine(part, above)
        if machine is not None:
            # Its supervisor is outside of the container, on the same machine as we are.
            return None if parts[i + 1 :] == ["supervisor"] else ("systemd-nspawn", machine)
        if part.startswith("lxc.payload."):
            return "lxc", part[len("lxc.payload.") :]
        if above in ("lxc", "lxc.payload") and part:
            return "lxc", part
        if parts[1:-1] == ["default"] and part:
            return "containerd", part  # "ctr run", which takes any name for an id
    return None


def _runtime(above: list[str]) -> str | None:
    """The runtime of a container whose group is called by its bare id, from those around it."""
    if any(part.startswith("kubepods") for part in above):
        return "kubernetes"
    for part in reversed(above):
        if part in _PARENTS:
            return _PARENTS[part]
    return None


def _is_id(name: str) -> bool:
    return len(name) == 64 and _HEX.issuperset(name)


def _machine(part: str, above: str) -> str | None:
    """The machine's name when the group is that of a container of systemd, else None."""
    if part.startswith("systemd-nspawn@") and part.endswith(".service"):
        return _unescape(part[len("systemd-nspawn@") : -len(".service")])
    if above == "machine.slice" and part.startswith("machine-") and part.endswith(".scope"):
        name = _unescape(part[len("machine-") : -len(".scope")])
        # libvirt's, of virtual machines and of its own kind of containers.
        return None if name.startswith(("qemu-", "lxc-", "xen-")) else name
    return None


def _unescape_part(part: str) -> str:
    # systemd puts "_" before a name that the kernel could take for a file of its own.
    return part.removeprefix("_")


def _unescape(name: str) -> str:
    r"""``name`` with ``\x2d`` and the like, as systemd-escape(1) makes them, undone."""
    first, *rest = name.split("\\x")
    parts = [first]
    for part in rest:
        try:
            parts.append(chr(int(part[:2], 16)) + part[2:])
        except ValueError:
            parts.append("\\x" + part)
    return "".join(parts)
