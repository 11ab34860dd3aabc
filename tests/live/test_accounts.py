"""The tables users and groups against the C library."""

from __future__ import annotations

import grp
import json
import os
import pwd

from sockql import connect


def test_the_c_library_says_the_same_of_every_user_and_group() -> None:
    with connect() as engine:
        users = engine.query("select username, uid, gid, description, directory, shell from users")
        groups = engine.query("select groupname, gid, members from groups")
        mine = engine.query(
            f"select username from processes join users using(uid) where pid = {os.getpid()}"
        )
    listed = {
        (user.pw_name, user.pw_uid, user.pw_gid, user.pw_gecos, user.pw_dir, user.pw_shell)
        for user in pwd.getpwall()
    }
    # The C library knows users of other sources as well.
    assert {tuple("" if cell is None else cell for cell in row) for row in users} <= listed
    known = {(group.gr_name, group.gr_gid, json.dumps(group.gr_mem)) for group in grp.getgrall()}
    assert set(groups) <= known
    assert (pwd.getpwuid(os.getuid()).pw_name,) in mine
