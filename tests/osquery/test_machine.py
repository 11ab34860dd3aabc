"""osquery's tables of the machine and its system, over files as systems have them."""

from __future__ import annotations

import os
import platform
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sockql.dialect import OSQUERY, SOCKQL, Dialect
from sockql.engine import Engine
from sockql.errors import DataError, ParseError
from sockql.host import Host
from sockql.osquery.machine import (
    Processors,
    kernel_arguments,
    kernel_version,
    memory,
    os_release,
    qualified,
    release_line,
)
from tests.fakeproc import Link, Tree, proc_tree
from tests.osquery.asking import ask, connected

DEBIAN = b"""\
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
# NAME=comment
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
nonsense
"""
UBUNTU = """\
NAME='Ubuntu'
VERSION_ID="22.04.3"
ID=ubuntu
ID_LIKE=debian
BUILD_ID=7
VERSION_CODENAME=jammy
UBUNTU_CODENAME=jellyfish
"""
CENTOS = b"CentOS Linux release 7.9.2009 (Core)\n"
CPUINFO = b"""\
processor\t: 0
model\t\t: 85
model name\t: Some CPU @ 2.00GHz
microcode\t: 0x1
physical id\t: 0
siblings\t: 2
core id\t\t: 0

processor\t: 1
model\t\t: 85
model name\t: Some CPU @ 2.00GHz
physical id\t: 0
siblings\t: 2
core id\t\t: 0

processor\t: 2
model\t\t: 85
physical id\t: 1
siblings\t: 2
core id\t\t: 0

processor\t: 3
model\t\t: 85
physical id\t: 1
siblings\t: 2
core id\t\t: 0
"""
ARM = "processor\t: 0\nBogoMIPS\t: 50\n\nprocessor\t: 1\nBogoMIPS\t: 50\n"
MACHINE: Tree = {
    "cpuinfo": CPUINFO,
    "meminfo": b"MemTotal:        2048 kB\nMemFree: 1 kB\n",
    "sys/kernel/hostname": b"web1\n",
    "1/root/etc/hosts": b"127.0.0.1 localhost\n10.0.0.1 web1.example.org web1\n",
    "1/root/etc/machine-id": b"0123456789abcdef0123456789abcdef\n",
}
DMI: Tree = {
    f"1/root/sys/class/dmi/id/{name}": f"{value}\n".encode()
    for name, value in {
        "product_uuid": "4C4C4544-0042",
        "sys_vendor": "LENOVO",
        "product_name": "20XW",
        "product_version": "ThinkPad X1",
        "product_serial": "S1",
        "board_vendor": "B",
        "board_name": "BM",
        "board_version": "BV",
        "board_serial": "BS",
    }.items()
}


def on(tree: Tree, tmp_path: Path, sql: str) -> list[tuple[Any, ...]]:
    return ask(Host(str(proc_tree(tree, tmp_path))), sql)


# -- os_version ---------------------------------------------------------------------------------


def test_the_distribution_of_the_host_and_of_a_container(tmp_path: Path) -> None:
    tree: Tree = {
        "1/root/usr/lib/os-release": DEBIAN,
        "1/root/etc/os-release": Link("../usr/lib/os-release"),
        "7/root/usr/lib/release": b'NAME=Alpine\nVERSION_ID="3.20"\nID=alpine\n',
        # Of the container, not of the machine that the test runs on.
        "7/root/etc/os-release": Link("/usr/lib/release"),
        "7/ns/mnt": Link("mnt:[77]"),
    }
    sql = """
        select *, extra, install_date, revision, pid_with_namespace, mount_namespace_id
        from os_version where pid_with_namespace in (0, 7) order by pid_with_namespace
    """
    arch = platform.machine()
    assert on(tree, tmp_path, sql) == [
        (
            *("Debian GNU/Linux", "12 (bookworm)", 12, 0, 0, None, "debian", None, "bookworm"),
            *(arch, None, None, None, 0, None),
        ),
        (
            *("Alpine", None, 3, 20, 0, None, "alpine", None, None),
            *(arch, None, None, None, 7, "77"),
        ),
    ]


def test_a_system_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    host = Host(str(proc_tree({"1/stat": b""}, tmp_path)))
    sql = "select name, version, major, minor, patch, build, platform from os_version"
    assert ask(host, sql) == [("Unknown", None, 0, 0, 0, None, "posix")]
    assert host.notices == [f"os_version: {tmp_path}/proc/1/root: No such file or directory"]


def test_the_line_of_red_hat_goes_before_the_rest(tmp_path: Path) -> None:
    tree: Tree = {
        "1/root/etc/os-release": b"NAME=CentOS\nID=centos\n",
        "1/root/etc/redhat-release": CENTOS,
    }
    sql = (
        "select name, version, major, minor, patch, build, platform, platform_like from os_version"
    )
    line = CENTOS.decode().strip()
    assert on(tree, tmp_path, sql) == [("CentOS Linux", line, 7, 9, 2009, "", "rhel", "rhel")]


def test_oracle_linux_keeps_its_name(tmp_path: Path) -> None:
    tree: Tree = {
        "1/root/etc/os-release": b"ID=ol\nVERSION_ID=9.4\n",
        "1/root/etc/oracle-release": b"Oracle Linux Server release 9.4\n",
        "1/root/etc/redhat-release": b"Red Hat Enterprise Linux release 9.4 (Plow)\n",
    }
    found = on(tree, tmp_path, "select platform, name, major, minor from os_version")
    assert found == [("ol", "Oracle Linux Server", 9, 4)]


def test_os_release_as_shells_read_it() -> None:
    assert os_release(UBUNTU) == {
        "name": "Ubuntu",
        "major": "22",
        "minor": "04",
        "patch": "3",
        "platform": "ubuntu",
        "platform_like": "debian",
        "build": "7",
        "codename": "jellyfish",
    }
    assert os_release('NAME="\nID=\nVERSION_ID=rolling') == {
        "name": '"',
        "platform": "",
        "major": "rolling",
    }
    assert release_line("no version here") == {"version": "no version here", "build": ""}


# -- kernel_info, uptime, time ------------------------------------------------------------------


def test_the_kernel_and_its_arguments(tmp_path: Path) -> None:
    tree: Tree = {
        "version": b"Linux version 6.1.0-9-amd64 (debian@x) #1 SMP\n",
        "cmdline": b"BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro  quiet a=b\n",
    }
    wanted = [("6.1.0-9-amd64", "ro quiet a=b", "/vmlinuz", "/dev/vda1")]
    assert on(tree, tmp_path, "select * from kernel_info") == wanted


def test_a_kernel_that_was_started_without_arguments() -> None:
    assert kernel_arguments("\n") == {"arguments": ""}
    assert kernel_version("FreeBSD 14") is None


def test_the_running_kernel() -> None:
    assert ask(Host(), "select version from kernel_info") == [(platform.release(),)]


@pytest.mark.parametrize("dialect", [SOCKQL, OSQUERY])
def test_versions_are_compared_as_versions(tmp_path: Path, dialect: Dialect) -> None:
    tree: Tree = {"version": b"Linux version 6.10.2 (x) #1\n", "cmdline": b"\n"}
    with Engine(Host(str(proc_tree(tree, tmp_path))), dialect) as engine:
        # Without the word that is the name of the collation.
        assert engine.query("select * from kernel_info order by 1") == [("6.10.2", "", None, None)]
        sql = "select version > '6.9', version = '6.10.2', version < '6.10' from kernel_info"
        assert engine.query(sql) == [(1, 1, 0)]
        assert engine.query("select path from kernel_info where version = '6.10.2'") == [(None,)]
        assert engine.query("select path from kernel_info where version > '6.9'") == [(None,)]
        assert engine.query("select path from kernel_info where version in ('6.9', '6.1')") == []


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="proc/version: No such file"):
        on({"cmdline": b""}, tmp_path, "select * from kernel_info")


@pytest.mark.parametrize(
    ("uptime", "row"),
    [
        (b"0.00 1\n", (0, 0, 0, 0, 0)),
        (b"93784.01 100.00\n", (1, 2, 3, 5, 93785)),
        (b"86400.00 5\n", (1, 0, 0, 0, 86400)),
    ],
)
def test_the_uptime_in_parts(tmp_path: Path, uptime: bytes, row: tuple[int, ...]) -> None:
    assert on({"uptime": uptime}, tmp_path, "select * from uptime") == [row]


def test_an_uptime_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="b'x': expected seconds"):
        on({"uptime": b"x"}, tmp_path, "select * from uptime")


def test_the_uptime_of_this_machine() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    ((total,),) = ask(Host(), "select total_seconds from uptime")
    assert before - 1 <= total <= time.clock_gettime(time.CLOCK_BOOTTIME) + 1


def test_the_time_is_one_moment_in_all_its_columns() -> None:
    before = int(time.time())
    sql = "select a.*, a.date_time, a.win_timestamp, b.unix_time from time a, time b"
    (row,) = ask(Host(), sql)
    seconds = row[9]
    assert before <= seconds <= time.time()
    when = datetime.fromtimestamp(seconds, timezone.utc)
    iso = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert row == (
        *(when.strftime("%A"), when.year, when.month, when.day, when.hour, when.minute),
        *(when.second, "UTC", time.strftime("%Z", time.localtime(seconds)), seconds),
        *(f"{when.ctime()} UTC", iso, iso, iso, None, seconds),
    )


# -- system_info --------------------------------------------------------------------------------


def test_a_machine_without_firmware_tables(tmp_path: Path) -> None:
    sql = "select *, emulated_cpu_type from system_info"
    assert on(MACHINE, tmp_path, sql) == [
        (
            *("web1.example.org", "01234567-89ab-cdef-0123-456789abcdef", platform.machine()),
            *("85", "Some CPU @ 2.00GHz", 2, 4, 2, "0x1", 2048 * 1024),
            *(None, "", None, None, None, None, None, None),
            *("web1", "web1.example.org", None),
        )
    ]


def test_lenovo_has_model_and_version_the_other_way_round(tmp_path: Path) -> None:
    sql = "select uuid, hardware_vendor, hardware_model, hardware_version, hardware_serial,"
    sql += " board_vendor, board_model, board_version, board_serial from system_info"
    assert on({**MACHINE, **DMI}, tmp_path, sql) == [
        ("4C4C4544-0042", "LENOVO", "ThinkPad X1", "20XW", "S1", "B", "BM", "BV", "BS")
    ]


def test_a_machine_whose_root_cannot_be_looked_into(tmp_path: Path) -> None:
    tree = {name: data for name, data in MACHINE.items() if not name.startswith("1/")}
    host = Host(str(proc_tree(tree, tmp_path)))
    sql = "select hostname, uuid, hardware_model, board_serial from system_info"
    assert ask(host, sql) == [("web1", "", "", None)]
    assert host.notices == [f"system_info: {tmp_path}/proc/1/root: No such file or directory"]


def test_processors_that_do_not_tell_their_cores() -> None:
    found = Processors(ARM)
    assert (found.logical, found.physical, found.sockets) == (2, 2, None)
    assert Processors("").logical == 0


def test_this_machine() -> None:
    sql = "select cpu_type, physical_memory, computer_name from system_info"
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert ask(Host(), sql) == [(platform.machine(), pages, platform.node())]


def test_odd_files() -> None:
    assert memory("MemTotal: many kB\n") == -1
    assert memory("") == -1
    assert qualified("web1", "# 10.0.0.1 web1.x web1\n10.0.0.2 other web1\n") == "web1"


# -- mounts -------------------------------------------------------------------------------------


def test_the_mounts_of_the_first_process(tmp_path: Path) -> None:
    tree: Tree = {
        "1/mounts": b"/dev/none\\040x / ext4 rw,relatime 0 0\n"
        b"tmp /gone\\011dir tmpfs ro 0 0\nauto /auto autofs rw 0 0\n",
        "1/root/auto": None,
    }
    status = os.statvfs(tmp_path)
    sql = "select device, device_alias, path, type, blocks_size, blocks, inodes, flags from mounts"
    assert on(tree, tmp_path, sql) == [
        (
            *("/dev/none x", "/dev/none x", "/", "ext4"),
            *(status.f_bsize, status.f_blocks, status.f_files, "rw,relatime"),
        ),
        ("tmp", "tmp", "/gone\tdir", "tmpfs", 0, 0, 0, "ro"),
        ("auto", "auto", "/auto", "autofs", 0, 0, 0, "rw"),
    ]


def test_mounts_of_a_root_that_cannot_be_looked_into(tmp_path: Path) -> None:
    host = Host(str(proc_tree({"1/mounts": b"a / ext4 rw 0 0\n"}, tmp_path)))
    with connected(host) as engine:
        assert engine.query("select device, flags from mounts") == [("a", "rw")]
        assert host.notices == []
        assert engine.query("select blocks from mounts") == [(0,)]
        assert host.notices == [f"mounts: {tmp_path}/proc/1/root: No such file or directory"]


def test_a_mount_that_is_not_laid_out_as_documented(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="b'a b c': expected six words"):
        on({"1/mounts": b"a b c\n", "1/root": None}, tmp_path, "select * from mounts")


def test_the_mounts_of_this_process() -> None:
    with open("/proc/self/mounts", encoding="utf-8", errors="backslashreplace") as file:
        lines = [line.split(" ") for line in file]
    found = ask(Host(), "select device, path, type, flags from mounts")
    plain = [tuple(words[:4]) for words in lines if "\\" not in "".join(words)]
    assert [row for row in found if not any(map(str.isspace, "".join(row)))] == plain
