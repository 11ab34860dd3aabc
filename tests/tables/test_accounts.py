"""The tables users and groups over the files of another root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sockql.errors import DataError
from sockql.host import Host
from sockql.request import Constraint
from sockql.tables import groups, users
from tests.fakeproc import proc_tree, rows

USERS = list(users.TABLE.schema.by_name)
GROUPS = list(groups.TABLE.schema.by_name)
PASSWD = b"""\
root:x:0:0:root:/root:/bin/bash
# a comment: with : enough : colons : to : be : one
+nis::::::
-nobody:x:1:1:::
toor:x:0:0::/root:
Ren\xe9:x:4294967294:100:Ren\xc3\xa9,,,:/home/r:/bin/sh
wrong:x:one:1:::
huge:x:4294967296:1:::
short:x:1
"""
GROUP = b"root:x:0:\nadm:x:4:syslog,ren\xc3\xa9\n+:::\nwrong:x::\n\n"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    tree = {"1/root/etc/passwd": PASSWD, "1/root/etc/group": GROUP}
    host = Host(str(proc_tree(tree, tmp_path)))
    yield host
    host.close()


def test_a_user_is_a_row_and_other_lines_are_none(host: Host) -> None:
    assert rows(users.TABLE, host, USERS) == [
        (0, 0, "root", "root", "/root", "/bin/bash"),
        (0, 0, "toor", None, "/root", None),
        (4294967294, 100, "Ren\\xe9", "René,,,", "/home/r", "/bin/sh"),
    ]
    found = rows(users.TABLE, host, ["username"], Constraint("uid", "=", 0))
    assert found == [("root",), ("toor",)]


def test_a_group_is_a_row_with_its_members(host: Host) -> None:
    assert rows(groups.TABLE, host, GROUPS) == [(0, "root", "[]"), (4, "adm", '["syslog", "rené"]')]
    assert rows(groups.TABLE, host, ["groupname"], Constraint("gid", "=", 4)) == [("adm",)]


def test_our_own_files_are_read_where_there_is_no_first_process(tmp_path: Path) -> None:
    host = Host(str(proc_tree({"self/root/etc/passwd": PASSWD}, tmp_path)))
    assert len(rows(users.TABLE, host, USERS)) == 3
    with pytest.raises(DataError, match="self/root/etc/group: No such file"):
        rows(groups.TABLE, host, GROUPS)
    host.close()
