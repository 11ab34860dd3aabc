"""The table process_maps over a directory laid out like /proc."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockql.errors import ParseError
from sockql.host import Host
from sockql.proc import maps as process_maps
from sockql.request import Constraint
from sockql.tables.process_maps import TABLE
from tests import fakeproc
from tests.fakeproc import proc_tree, rows

VISIBLE = [column.name for column in TABLE.schema.visible]
LINES = (
    b"00400000-00452000 r-xp 00001000 fe:10 173521      /usr/bin/a b (deleted)\n",
    b"00e03000-00e24000 rw-p 00000000 00:00 0           [heap]\n",
    b"7f0000000000-7f0000001000 rw-s 00000000 00:05 7   /new\\012line\xff\r \n",
    b"7f0000002000-7f0000003000 ---p 00000000 00:00 0 \n",
    b"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n",
)
SMAPS = b"""\
Size:                328 kB
Rss:                  12 kB
Pss:                   4 kB
Swap:                  8 kB
THPeligible:           0
ProtectionKey:         3
VmFlags: rd ex mr mw me
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    tree = {
        "42/stat": fakeproc.stat(42),
        "42/maps": b"".join(LINES),
        "42/smaps": LINES[0] + SMAPS + b"".join(LINES[1:]),
        "43/stat": fakeproc.stat(43, flags=0x200000),
        "43/maps": b"",
        "43/smaps": b"",
    }
    return Host(str(proc_tree(tree, tmp_path)))


def test_a_mapping_is_a_row(host: Host) -> None:
    top, gone = "0xffffffffff600000", "/usr/bin/a b (deleted)"
    assert rows(TABLE, host, VISIBLE) == [
        (42, "0x00400000", "0x00452000", 0x52000, "r-xp", 4096, "254:16", 173521, gone),
        (42, "0x00e03000", "0x00e24000", 0x21000, "rw-p", None, None, None, "[heap]"),
        (42, "0x7f0000000000", "0x7f0000001000", 4096, "rw-s", 0, "0:5", 7, "/new\nline\\xff\r "),
        (42, "0x7f0000002000", "0x7f0000003000", 4096, "---p", None, None, None, None),
        (42, top, "0xffffffffff601000", 4096, "--xp", None, None, None, "[vsyscall]"),
    ]
    host.close()


def test_what_smaps_adds_is_read_when_it_is_used(host: Host) -> None:
    columns = ("start_address", "rss", "pss", "swapped", "thp_eligible", "protection_key")
    found = rows(TABLE, host, (*columns, "vm_flags"), Constraint("pid", "=", 42))
    assert found[0] == ("0x00400000", 12288, 4096, 8192, 0, 3, "rd ex mr mw me")
    assert found[1:] == [(row[0], *[None] * 6) for row in rows(TABLE, host, ["start_address"])[1:]]
    host.close()


@pytest.mark.parametrize(
    ("line", "quoted"),
    [(b"x", "b'x'"), (b"0-1 r-xp 0 08:02", "08:02'"), (b"0 r-xp 0 08:02 1", "start-end")],
)
def test_a_line_of_another_layout_is_quoted(line: bytes, quoted: str) -> None:
    with pytest.raises(ParseError, match=quoted):
        process_maps.parse(line)


@given(st.binary(max_size=200))
def test_whatever_the_text_nothing_but_a_parse_error(data: bytes) -> None:
    try:
        for mapping, details in process_maps.mappings(data):
            process_maps.size(mapping)
            process_maps.device(mapping[process_maps.DEVICE])
            process_maps.kibibytes(details.get(b"Rss"))
    except ParseError:
        pass
