"""The namespaces that the kernel lists: the request, its pages, and handles that open one."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

import pytest

from sockql.network.listns import identifiers, open_id
from sockql.network.namespaces import Namespace

CLONE_NEWNET = 0x40000000
NS_GET_ID = 2 << 30 | 8 << 16 | 0xB7 << 8 | 13  # _IOR(NSIO, 13, __u64)


def kernel(ids: list[int], asked: list[tuple[int, ...]]) -> object:
    """listns(2) as the kernel has it: the ids after the one that was named, at most ``room``."""

    def call(request: bytes, room: int) -> list[int]:
        size, spare, last, type, more, user = struct.unpack("=IIQIIQ", request)
        asked.append((size, spare, last, type, more, user))
        return [id for id in ids if id > last][:room]

    return call


@pytest.mark.parametrize(
    ("ids", "pages"),
    [([], [0]), ([7, 9], [0]), ([7, 9, 11], [0, 11]), ([7, 9, 11, 2**40], [0, 11])],
)
def test_all_pages_are_asked_for(ids: list[int], pages: list[int]) -> None:
    asked: list[tuple[int, ...]] = []
    assert identifiers(kernel(ids, asked), 3) == ids  # type: ignore[arg-type]
    assert asked == [(32, 0, last, CLONE_NEWNET, 0, 0) for last in pages]


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM, errno.EINVAL])
def test_a_kernel_that_does_not_list_them_is_no_error(code: int) -> None:
    def call(_request: bytes, _room: int) -> list[int]:
        raise OSError(code, "")

    assert identifiers(call) is None


def own() -> tuple[int, int]:
    """The id and the inode of our network namespace."""
    with open("/proc/self/ns/net") as file:
        number = bytearray(8)
        try:
            fcntl.ioctl(file, NS_GET_ID, number)
        except OSError as error:
            pytest.skip(f"no ids of namespaces before Linux 6.18 ({error.strerror})")
        (id,) = struct.unpack("=Q", number)
        return id, os.fstat(file.fileno()).st_ino


def test_a_handle_opens_the_namespace() -> None:
    id, inode = own()
    descriptor = open_id(id, CLONE_NEWNET, inode)
    assert os.fstat(descriptor).st_ino == inode
    os.close(descriptor)


def test_a_namespace_that_has_gone_cannot_be_opened() -> None:
    own()
    with pytest.raises(OSError, match="Stale file handle"):
        open_id(2**60, CLONE_NEWNET, 1)
    gone = Namespace(1)
    gone.id = 2**60
    proc = os.open("/proc", os.O_RDONLY)
    assert gone.open(proc) is None
    os.close(proc)


def test_what_this_kernel_lists_are_network_namespaces_and_ours_is_one_of_them() -> None:
    found = identifiers()
    if found is None:
        pytest.skip("no listns(2) before Linux 6.19 (ENOSYS)")
    id, inode = own()
    assert id in found
    descriptor = open_id(id)
    assert os.fstat(descriptor).st_ino == inode
    os.close(descriptor)
