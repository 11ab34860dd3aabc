"""What fdinfo says of one kind of descriptor: the parser, on recorded text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.proc import fdinfo_kinds

PLAIN = b"pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t1061\n"
#: Made of the words of fdinfo, which plain bytes would hardly ever hit.
FDINFO = st.lists(
    st.sampled_from(
        [
            *(b"pos:\t1\n", b"lock:\t", b"tfd:", b"inotify ", b"fanotify ", b"wd:1 ", b"sdev:"),
            *(
                b"\n",
                b" ",
                b":",
                b"7\n",
                b"-1 ",
                b"it_value: (1, ",
                b"\nsigmask:\tff",
                b"PollList:",
            ),
        ]
    )
    | st.binary(max_size=8)
).map(b"".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            b"eventfd-count:               1f\neventfd-id: 15\neventfd-semaphore: 0\n",
            {"eventfd-count": 31, "eventfd-id": 15, "eventfd-semaphore": 0},
        ),
        (b"eventfd-count: fffffffffffffffe\n", {"eventfd-count": 2**64 - 2}),
        (
            (
                b"tfd:        5 events:       19 data:                5  pos:0 ino:3f sdev:15\n"
                b"tfd:        6 events:       1d data: ffffffffffffffff\n"
            ),
            {
                "tfd": [
                    {"tfd": 5, "events": 25, "data": 5, "pos": 0, "ino": 63, "sdev": "0:21"},
                    {"tfd": 6, "events": 29, "data": 2**64 - 1},
                ]
            },
        ),
        (
            (
                b"inotify wd:1a ino:2 sdev:fe00000 mask:100 ignored_mask:0 fhandle-bytes:10 "
                b"fhandle-type:81 f_handle:02000000\n"
            ),
            {
                "inotify": [
                    {
                        "wd": 26,
                        "ino": 2,
                        "sdev": "254:0",
                        "mask": 256,
                        "ignored_mask": 0,
                        "fhandle-bytes": 16,
                        "fhandle-type": 129,
                        "f_handle": "02000000",
                    }
                ]
            },
        ),
        (
            (
                b"fanotify flags:10 event-flags:8000\n"
                b"fanotify ino:3 sdev:1 mflags: 0 mask:3b\n"
                b"fanotify mnt_id:1b mflags:0 mask:2 ignored_mask:0\n"
            ),
            {
                "fanotify": [
                    {"flags": 16, "event-flags": 32768},
                    {"ino": 3, "sdev": "0:1", "mflags": 0, "mask": 59},
                    {"mnt_id": 27, "mflags": 0, "mask": 2, "ignored_mask": 0},
                ]
            },
        ),
        (
            (
                b"clockid: 1\nticks: 0\nsettime flags: 03\nit_value: (0, 49406829)\n"
                b"it_interval: (1, 500000000)\n"
            ),
            {
                "clockid": "CLOCK_MONOTONIC",
                "ticks": 0,
                "settime flags": 3,
                "it_value": 0.049406829,
                "it_interval": 1.5,
            },
        ),
        (b"clockid: 42\n", {"clockid": 42}),
        (
            b"sigmask:\t8000000380004002\n",
            {"sigmask": ["SIGINT", "SIGTERM", "SIG32", "SIG33", "SIGRTMIN", "SIGRTMIN+30"]},
        ),
        (b"sigmask:\t0000000000000000\n", {"sigmask": []}),
        (b"Pid:\t4711\nNSpid:\t4711\t5\n", {"Pid": 4711, "NSpid": [4711, 5]}),
        (b"Pid:\t-1\nNSpid:\t-1\n", {"Pid": -1, "NSpid": [-1]}),
        (
            (
                b"SqMask:\t0x1f\nSqThread:\t-1\nUserFiles:\t2\n    0: /a\n    1: /b c\n"
                b"UserBufs:\t0\nPollList:\n  op=6, task_works=0\nCqOverflowList:\n"
                b"NAPI:\tdisabled\n"
            ),
            {
                "SqMask": 31,
                "SqThread": -1,
                "UserFiles": 2,
                "UserFilesList": ["0: /a", "1: /b c"],
                "UserBufs": 0,
                "PollList": ["op=6, task_works=0"],
                "CqOverflowList": [],
                "NAPI": "disabled",
            },
        ),
        (
            b"map_type:\t2\nmap_flags:\t0x480\nmap_extra:\t0x0\nmap_id:\t25\nfrozen:\t0\n",
            {"map_type": 2, "map_flags": 1152, "map_extra": 0, "map_id": 25, "frozen": 0},
        ),
        (
            b"prog_type:\t1\nprog_tag:\t5911931744123456\nprog_id:\t97\n",
            {"prog_type": 1, "prog_tag": "5911931744123456", "prog_id": 97},
        ),
        (
            b"link_type:\tcgroup\nlink_id:\t89\nprog_tag:\tb11459a0e11ca14c\n",
            {"link_type": "cgroup", "link_id": 89, "prog_tag": "b11459a0e11ca14c"},
        ),
        (
            b"pending:\t0\ntotal:\t0\nAPI:\taa:0:80000000000001ff\n",
            {"pending": 0, "total": 0, "API": "aa:0:80000000000001ff"},
        ),
        (b"iff:\t7\n", {"iff": "7"}),
        (b"tty-index:\t3\n", {"tty-index": 3}),
        (b"scm_fds: 2\n", {"scm_fds": 2}),
        (b"name:\ta\rsize: 7\n", {"name": "a\rsize: 7"}),
        (
            b"size:\t4096\ncount:\t2\nexp_name:\tsystem\nname:\tcaf\xe9\n",
            {"size": 4096, "count": 2, "exp_name": "system", "name": "caf\\xe9"},
        ),
        (b"drm-engine-x:\t1 ns\ndrm-engine-x:\t2 ns\n", {"drm-engine-x": ["1 ns", "2 ns"]}),
        (b"ticks: many\nsigmask:\tzz\nit_value: 3\nx:\n", None),
    ],
)
def test_keys_are_the_kernels_and_values_what_they_stand_for(text: bytes, expected: object) -> None:
    if expected is None:  # nothing of it is as it should be, so it stays what it is
        expected = {"ticks": "many", "sigmask": "zz", "it_value": "3", "x": None}
    info = fdinfo_kinds.info(PLAIN + text)
    assert info is not None
    assert json.loads(info) == expected
    assert list(json.loads(info)) == list(expected)  # type: ignore[call-overload]


@pytest.mark.parametrize("more", [b"", b"lock:\t1: FLOCK  ADVISORY  READ 1 08:01:2 0 EOF\n"])
def test_what_all_descriptors_have_is_not_special(more: bytes) -> None:
    assert fdinfo_kinds.info(PLAIN + more) is None


@given(FDINFO)
def test_whatever_it_is_it_becomes_an_object(data: bytes) -> None:
    info = fdinfo_kinds.info(data)
    assert info is None or isinstance(json.loads(info), dict)
