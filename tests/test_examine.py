"""stat(2) without waiting: what it says, and which paths are not looked up."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Literal

import pytest

from sockql.host import Host
from sockql.proc.examine import Examiner, device, same
from sockql.proc.mount_points import MountPoints
from sockql.request import Request
from sockql.snapshot import Snapshot
from sockql.tables.fds import TABLE

ROOT = b"27 1 254:0 / / rw - ext4 /dev/vda rw\n"


def examiner(stat: Literal["cached", "fresh", "never"] = "cached") -> Examiner:
    return Examiner(Request(TABLE.schema, Snapshot()), Host(stat=stat))


def expected(path: Path, *, follow: bool = True) -> tuple[int, ...]:
    found = os.stat(path, follow_symlinks=follow)
    return (
        *(found.st_nlink, found.st_uid, found.st_gid, found.st_mode, found.st_ino),
        *(found.st_size, found.st_blocks),
        *(os.major(found.st_rdev), os.minor(found.st_rdev)),
        *(os.major(found.st_dev), os.minor(found.st_dev)),
    )


@pytest.mark.parametrize("stat", ["cached", "fresh"])
def test_it_says_what_stat_says(tmp_path: Path, stat: Literal["cached", "fresh"]) -> None:
    (tmp_path / "file").write_bytes(b"x" * 5000)
    (tmp_path / "file").chmod(0o4640)
    os.link(tmp_path / "file", tmp_path / "caf\udce9")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**42)
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "sock"))
    ask = examiner(stat).stat
    directory = os.open(tmp_path, os.O_RDONLY)
    for name in (".", "file", "caf\udce9", "large", "link", "fifo", "sock", "/dev/null", "/proc/1"):
        assert ask(name, directory) == expected(tmp_path / name)
    assert ask("link", directory, False) == expected(tmp_path / "link", follow=False)
    with pytest.raises(FileNotFoundError, match=r"\[Errno 2\] No such file or directory: 'none'"):
        ask("none", directory)
    os.close(directory)


def test_devices_are_two_numbers() -> None:
    status = expected(Path("/dev/null"))
    number = os.stat("/dev/null").st_dev
    assert device(status) == f"{os.major(number)}:{os.minor(number)}"
    assert (device(status, 7), same(status, status)) == ("1:3", True)
    assert not same(status, expected(Path("/dev/zero")))


def test_where_nothing_may_be_asked_nothing_is_known() -> None:
    found = examiner("never")
    directory = os.open("/proc/self", os.O_RDONLY)
    assert (found.stat("/", -100), found.find("/", "", directory)) == (None, None)
    os.close(directory)
    assert found.unlinked("/x (deleted)", "x", "", -100)
    assert not found.unlinked("/x", "x", "", -100)


def process(tmp_path: Path, mounts: bytes = ROOT) -> int:
    """A descriptor of a directory like /proc/PID of a process with these mounts."""
    (tmp_path / "root").symlink_to("/")
    (tmp_path / "mountinfo").write_bytes(mounts)
    return os.open(tmp_path, os.O_RDONLY)


def test_a_name_that_ends_in_deleted_is_not_yet_a_deleted_file(tmp_path: Path) -> None:
    directory = process(tmp_path)
    for name in ("plain", "true name (deleted)", "linked"):
        (tmp_path / name).write_text("")
    os.link(tmp_path / "linked", tmp_path / "other")
    found = examiner()

    def unlinked(name: str, link: str) -> bool:
        return found.unlinked(str(tmp_path / link), name, "", directory)

    assert [
        unlinked("plain", "plain"),
        unlinked("true name (deleted)", "true name (deleted)"),
        unlinked("other", "linked (deleted)"),
        unlinked("gone", "gone (deleted)"),
    ] == [False, False, True, True]
    os.close(directory)


@pytest.mark.parametrize(
    ("stat", "deleted"), [("cached", True), ("fresh", False)], ids=["cached", "fresh"]
)
def test_a_path_over_a_mount_of_a_server_is_not_looked_up(
    tmp_path: Path, stat: Literal["cached", "fresh"], deleted: bool
) -> None:
    """So the mark is taken at its word, though the file is called like that."""
    point = str(tmp_path).encode()
    directory = process(tmp_path, ROOT + b"28 27 0:50 / " + point + b" rw - fuse.sshfs x: rw\n")
    (tmp_path / "true name (deleted)").write_text("")
    link = str(tmp_path / "true name (deleted)")
    found = examiner(stat)
    assert found.unlinked(link, "true name (deleted)", "", directory) is deleted
    if stat == "cached":
        with pytest.raises(PermissionError):
            found.find(link, "", directory)
    os.close(directory)


@pytest.mark.parametrize("stat", ["cached", "fresh"])
def test_below_another_root_nothing_is_looked_up(
    tmp_path: Path, stat: Literal["cached", "fresh"]
) -> None:
    """The kernel's paths start at the root of the namespace, wherever that of the process is."""
    (tmp_path / "mountinfo").write_bytes(ROOT)
    (tmp_path / "root").symlink_to(tmp_path)
    (tmp_path / "true name (deleted)").write_text("")
    directory = os.open(tmp_path, os.O_RDONLY)
    found = examiner(stat)
    with pytest.raises(PermissionError):
        found.find("/true name (deleted)", "", directory)
    assert found.unlinked("/true name (deleted)", "true name (deleted)", "", directory)
    os.close(directory)


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        ("/", False),
        ("/home", True),
        ("/home/a/b", True),
        ("/homely", False),
        ("/mnt a/x", True),
        ("/data/x", False),
        ("/run/user/7/doc/x", True),
        ("/\udcff/x", True),
    ],
)
def test_mounts_on_the_way_say_who_would_be_asked(tmp_path: Path, path: str, remote: bool) -> None:
    lines = (
        b"28 27 0:50 / /home rw - nfs4 server:/home rw\n"
        b"29 27 0:51 / /mnt\\040a rw - cifs //server/a rw\n"
        b"30 27 254:1 / /data rw - xfs /dev/vdb rw\n"
        b"32 27 0:53 / /\xff rw - ceph server:/ rw\n"
        b"31 27 0:52 / /run/user/7/doc rw - fuse.portal portal rw\n"
    )
    directory = process(tmp_path, ROOT + lines)
    mounts = MountPoints(Request(TABLE.schema, Snapshot()), Host())
    assert mounts.remote(path, directory, "") is remote
    os.close(directory)
