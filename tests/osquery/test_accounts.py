"""osquery's tables of users and groups over the files of other roots."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from sockql.errors import DataError
from sockql.host import Host
from tests.fakeproc import proc_tree
from tests.osquery.asking import ask

PASSWD = b"""\
root:x:0:0:root:/root:/bin/bash
+nis::::::
toor:x:0:7::/root:
nobody:x:4294967294:4294967294:::/usr/sbin/nologin
wrong:x:one:1:::
"""
GROUP = b"root:x:0:\nadm:x:4:root,toor\nwheel:x:7:toor,gone\nbig:x:4294967295:\nwrong:x:y:root\n"
INNER = b"web:x:33:33:::\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    tree = {
        "1/root/etc/passwd": PASSWD,
        "1/root/etc/group": GROUP,
        "9/root/etc/passwd": INNER,
        "9/root/etc/group": b"web:x:33:\n",
    }
    return Host(str(proc_tree(tree, tmp_path)))


def test_a_line_of_passwd_is_a_user(host: Host) -> None:
    sql = "select *, type, is_hidden, pid_with_namespace, include_remote from users"
    rest = (None, None, None, 0, 0)
    assert ask(host, sql) == [
        (0, 0, 0, 0, "root", "root", "/root", "/bin/bash", *rest),
        (0, 7, 0, 7, "toor", "", "/root", "", *rest),
        (4294967294, 4294967294, -2, -2, "nobody", "", "", "/usr/sbin/nologin", *rest),
    ]


def test_a_line_of_group_is_a_group(host: Host) -> None:
    sql = "select *, group_sid, comment, is_hidden, pid_with_namespace from groups"
    rest = (None, None, None, 0)
    assert ask(host, sql) == [
        (0, 0, "root", *rest),
        (4, 4, "adm", *rest),
        (7, 7, "wheel", *rest),
        (4294967295, -1, "big", *rest),
    ]


def test_the_groups_of_all_names_of_a_user(host: Host) -> None:
    assert ask(host, "select * from user_groups") == [
        (0, 0),
        (0, 4),
        (0, 7),
        (4294967294, 4294967294),
    ]


def test_the_groups_of_one_user(host: Host) -> None:
    assert ask(host, "select gid from user_groups where uid = 0 and gid > 0") == [(4,), (7,)]


def test_a_process_has_users_of_its_own(host: Host) -> None:
    sql = "select uid, username, pid_with_namespace from users where pid_with_namespace in (9, 0)"
    assert ask(host, sql) == [
        (0, "root", 0),
        (0, "toor", 0),
        (4294967294, "nobody", 0),
        (33, "web", 9),
    ]


def test_two_scans_of_which_one_is_about_a_process(host: Host) -> None:
    sql = """
        select u.username, i.username from users u
        left join users i on i.pid_with_namespace = 9 where u.uid = 0
    """
    assert ask(host, sql) == [("root", "web"), ("toor", "web")]


def test_the_process_may_come_from_another_table(host: Host) -> None:
    sql = """
        with p(pid) as (values (9), (8), (-1), (null))
        select pid, username, groupname from p
        left join users on users.pid_with_namespace = pid
        left join groups on groups.pid_with_namespace = pid
    """
    assert ask(host, sql) == [
        (9, "web", "web"),
        (8, None, None),
        (-1, None, None),
        (None, None, None),
    ]
    assert [said.partition(":")[0] for said in host.notices] == ["users", "groups"]
    assert "8/root: No such file" in host.notices[0]


def test_a_host_without_the_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="root/etc/passwd: No such file"):
        ask(Host(str(proc_tree({"1/stat": b""}, tmp_path))), "select * from users")


def test_the_name_service_is_asked_on_request(host: Host) -> None:
    sql = "select username, uid, gid, directory from users where include_remote = 1"
    found = ask(Host(), sql)
    assert found == [(u.pw_name, u.pw_uid, u.pw_gid, u.pw_dir) for u in pwd.getpwall()]
    me = pwd.getpwuid(os.getuid())
    for condition in (f"uid in ({me.pw_uid}, 99999999)", f"username in ('{me.pw_name}', 'n0b')"):
        found = ask(Host(), f"{sql} and {condition}")
        assert (me.pw_name, me.pw_uid, me.pw_gid, me.pw_dir) in found
        assert len(found) <= 1 + (me.pw_uid == 0)
    assert ask(host, f"{sql} and username = 'root'")[0][0] == "root"
    assert host.notices == [
        "users: include_remote asks the name service of this machine, not of --proc"
    ]


def test_users_and_groups_are_those_of_the_c_library(host: Host) -> None:
    def local(path: str) -> list[str]:
        names = [line.split(":")[0] for line in Path(path).read_text().splitlines()]
        return [name for name in names if name[:1] not in ("", "#", "+", "-")]

    sql = "select uid, gid, username, description, directory, shell from users"
    users = {u.pw_name: u for u in pwd.getpwall()}
    assert ask(Host(), sql) == [
        (u.pw_uid, u.pw_gid, u.pw_name, u.pw_gecos, u.pw_dir, u.pw_shell)
        for u in map(users.__getitem__, local("/etc/passwd"))
    ]
    groups = {g.gr_name: g for g in grp.getgrall()}
    assert ask(Host(), "select gid, groupname from groups") == [
        (groups[name].gr_gid, name) for name in local("/etc/group")
    ]
    memberships = {
        (u.pw_uid, gid)
        for name, u in users.items()
        if name in local("/etc/passwd")
        for gid in os.getgrouplist(name, u.pw_gid)
    }
    assert set(ask(Host(), "select * from user_groups")) == memberships
