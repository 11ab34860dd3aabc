"""Control groups as container engines and systemd make them, and what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.proc.containers import RUNTIMES, container, pod, unit

ID = "4f1d1bb4c2b7a1b0e5a9d3c8f7e6d5c4b3a2918070605040302010f0e0d0c0b0"
INNER = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
POD = "1b2c3d4e-5f60-4718-9a0b-c1d2e3f40516"
POD_ = POD.replace("-", "_")
STATIC = "0123456789abcdef0123456789abcdef"
USER = "/user.slice/user-1000.slice/user@1000.service"
BURST = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"


def v1(path: str, unified: str | None = None) -> str:
    """/proc/PID/cgroup of a host with version 1, where every controller says ``path``."""
    names = ("pids", "memory", "cpu,cpuacct", "name=systemd")
    lines = [f"{13 - i}:{name}:{path}" for i, name in enumerate(names)]
    return "\n".join([*lines, *([] if unified is None else [f"0::{unified}"]), ""])


def v2(path: str) -> str:
    return f"0::{path}\n"


CONTAINERS = [
    # Version 2.
    ("docker", v2(f"/system.slice/docker-{ID}.scope"), "docker", ID),
    ("docker-cgroupfs", v2(f"/docker/{ID}"), "docker", ID),
    ("docker-rootless", v2(f"{USER}/user.slice/docker-{ID}.scope"), "docker", ID),
    ("docker-init", v2(f"/system.slice/docker-{ID}.scope/init.scope"), "docker", ID),
    ("docker-in-docker", v2(f"/docker/{ID}/docker/{INNER}"), "docker", INNER),
    ("docker-in-lxc", v2(f"/lxc.payload.box/docker/{ID}"), "docker", ID),
    ("ecs", v2(f"/ecs/{STATIC}/{ID}"), None, ID),
    ("podman", v2(f"/machine.slice/libpod-{ID}.scope/container"), "podman", ID),
    ("podman-rootless", v2(f"{USER}/user.slice/libpod-{ID}.scope"), "podman", ID),
    ("podman-cgroupfs", v2(f"/libpod_parent/libpod-{ID}"), "podman", ID),
    ("containerd", v2(f"{BURST}{POD_}.slice/cri-containerd-{ID}.scope"), "containerd", ID),
    ("nerdctl", v2(f"/system.slice/nerdctl-{ID}.scope"), "containerd", ID),
    ("nerdctl-cgroupfs", v2(f"/default/{ID}"), "containerd", ID),
    ("ctr", v2("/default/web"), "containerd", "web"),
    ("crio", v2(f"{BURST}{POD_}.slice/crio-{ID}.scope/container"), "crio", ID),
    ("kubernetes", v2(f"/kubepods/besteffort/pod{POD}/{ID}"), "kubernetes", ID),
    ("kind", v2(f"/docker/{ID}/kubelet/kubepods/pod{POD}/{INNER}"), "kubernetes", INNER),
    (
        "nspawn",
        v2("/machine.slice/systemd-nspawn@my\\x2dbox.service/payload/system.slice/cron.service"),
        "systemd-nspawn",
        "my-box",
    ),
    ("machined", v2("/machine.slice/machine-box.scope/payload"), "systemd-nspawn", "box"),
    ("lxc", v2("/lxc.payload.box/system.slice/cron.service"), "lxc", "box"),
    # Version 1.
    ("docker-v1", v1(f"/docker/{ID}"), "docker", ID),
    ("docker-v1-systemd", v1(f"/system.slice/docker-{ID}.scope"), "docker", ID),
    ("kubernetes-v1", v1(f"/kubepods/burstable/pod{POD}/{ID}"), "kubernetes", ID),
    ("kubernetes-v1-docker", v1(f"{BURST}{POD_}.slice/docker-{ID}.scope"), "docker", ID),
    (
        "containerd-v1-mixed",
        v1(f"/system.slice/containerd.service/kubepods-pod{POD_}.slice:cri-containerd:{ID}"),
        "containerd",
        ID,
    ),
    ("crio-v1", v1(f"/kubepods/pod{POD}/crio-{ID}"), "crio", ID),
    ("lxc-v1", v1("/lxc/box/init.scope"), "lxc", "box"),
    ("lxc-v1-new", v1("/lxc.payload/box"), "lxc", "box"),
    ("nspawn-v1", v1("/machine.slice/systemd-nspawn@box.service"), "systemd-nspawn", "box"),
    # Both.
    ("docker-hybrid", v1(f"/docker/{ID}", f"/docker/{ID}"), "docker", ID),
    ("docker-hybrid-v1-only", v1(f"/docker/{ID}", "/"), "docker", ID),
    ("lxc-hybrid", v1("/lxc.payload.box", "/lxc.payload.box/init.scope"), "lxc", "box"),
    # None.
    ("root", v2("/"), None, None),
    ("service", v2("/system.slice/docker.service"), None, None),
    ("session", v2("/user.slice/user-1000.slice/session-2.scope"), None, None),
    ("conmon", v2(f"/machine.slice/libpod-conmon-{ID}.scope"), None, None),
    ("crio-conmon", v2(f"{BURST}{POD_}.slice/crio-conmon-{ID}.scope"), None, None),
    ("lxc-monitor", v2("/lxc.monitor.box"), None, None),
    ("supervisor", v2("/machine.slice/systemd-nspawn@box.service/supervisor"), None, None),
    ("libvirt", v2("/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt"), None, None),
    ("short", v2("/docker/0123456789ab"), None, None),
    ("inside", v2("/"), None, None),
    ("v1-root", v1("/"), None, None),
    ("nothing", "", None, None),
]


@pytest.mark.parametrize(
    ("data", "runtime", "id"), [c[1:] for c in CONTAINERS], ids=[c[0] for c in CONTAINERS]
)
def test_a_container_is_told_by_its_control_group(
    data: str, runtime: str | None, id: str | None
) -> None:
    assert container(data.encode()) == (None if id is None else (runtime, id))
    assert runtime is None or runtime in RUNTIMES


@pytest.mark.parametrize(
    ("data", "uid"),
    [
        (v2(f"{BURST}{POD_}.slice/cri-containerd-{ID}.scope"), POD),
        (v2(f"/kubepods/besteffort/pod{POD}/{ID}"), POD),
        (v2(f"/kubepods.slice/kubepods-pod{STATIC}.slice/crio-{ID}.scope"), STATIC),
        (v1(f"/kubepods/pod{POD}/{ID}"), POD),
        (v1(f"/system.slice/containerd.service/kubepods-pod{POD_}.slice:cri-containerd:{ID}"), POD),
        (v2(f"/docker/{ID}/kubelet/kubepods/pod{POD}/{INNER}"), POD),
        (v2("/system.slice/podman.service"), None),
        (v2("/kubepods.slice/kubepods-burstable.slice"), None),
        (v2(f"/docker/{ID}"), None),
    ],
)
def test_a_pod_is_told_by_its_control_group(data: str, uid: str | None) -> None:
    assert pod(data.encode()) == uid


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (v2("/system.slice/nginx.service"), ("nginx.service", None, "system.slice")),
        (v2("/system.slice/nginx.service/worker"), ("nginx.service", None, "system.slice")),
        (
            v2("/system.slice/system-getty.slice/getty@tty1.service"),
            ("getty@tty1.service", None, "system-getty.slice"),
        ),
        (v2("/init.scope"), ("init.scope", None, None)),
        (
            v2("/user.slice/user-1000.slice/session-2.scope"),
            ("session-2.scope", None, "user-1000.slice"),
        ),
        (
            v2(f"{USER}/app.slice/app-firefox-1.scope"),
            ("user@1000.service", "app-firefox-1.scope", "app.slice"),
        ),
        (v2(f"{USER}/init.scope"), ("user@1000.service", "init.scope", "user-1000.slice")),
        (v2(f"{USER}"), ("user@1000.service", None, "user-1000.slice")),
        (
            v2(f"/system.slice/docker-{ID}.scope"),
            (f"docker-{ID}.scope", None, "system.slice"),
        ),
        (v2("/system.slice/_cpu.service"), ("cpu.service", None, "system.slice")),
        (v2("/../../system.slice/cron.service"), ("cron.service", None, "system.slice")),
        (v1("/system.slice/cron.service"), ("cron.service", None, "system.slice")),
        (v1("/system.slice/cron.service", "/"), ("cron.service", None, "system.slice")),
        (v1("/", "/system.slice/cron.service"), ("cron.service", None, "system.slice")),
        (v2("/"), (None, None, None)),
        (v2(f"/docker/{ID}"), (None, None, None)),
        (v2("/lxc.payload.box/system.slice/cron.service"), (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_a_unit_is_told_by_its_control_group(
    data: str, names: tuple[str | None, str | None, str | None]
) -> None:
    assert unit(data.encode()) == names


@given(st.binary(max_size=100))
def test_whatever_the_text_nothing_is_raised(path: bytes) -> None:
    data = b"0::/" + path
    container(data)
    pod(data)
    unit(data)
