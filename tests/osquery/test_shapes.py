"""Queries of the shapes that published packs have, in one pack, over processes started here.

They are written anew; the shapes are those of osquery's own packs and of osquery-defense-kit: chains
of outer joins by parent and by path, files by several patterns, IN and EXISTS with other tables,
recursion, keys that are put together from columns, texts in double quotes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.test_cli import run

ME = os.getpid()


@dataclass
class World:
    """What the queries are about: two programs in ``folder``, one of which is deleted."""

    folder: Path
    tool: int
    gone: int
    port: int
    unix: str
    digest: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("shapes").resolve()
    sleep = shutil.which("sleep")
    assert sleep is not None
    for name in ("tool", "gone"):
        shutil.copy(sleep, folder / name)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "key.pem").write_text("secret")
    (folder / "notes.txt").write_text("x" * 100)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(folder / "s"))
        unix.listen()

        stack.enter_context((folder / "notes.txt").open())

        def start(name: str, env: dict[str, str], **more: Any) -> int:
            child = subprocess.Popen(
                [str(folder / name), "600"], env=env, cwd=folder, stdin=subprocess.DEVNULL, **more
            )
            stack.callback(child.wait)
            stack.callback(child.kill)
            return child.pid

        env = {"PATH": "/bin:/tmp/bin", "LD_LIBRARY_PATH": "/nowhere"}
        tool = start("tool", env, pass_fds=[listener.fileno()])
        gone = start("gone", {})
        os.remove(folder / "gone")
        digest = hashlib.sha256((folder / "tool").read_bytes()).hexdigest()
        port = listener.getsockname()[1]
        yield World(folder, tool, gone, port, str(folder / "s"), digest)


#: The queries by name; what is in braces is of the world.
QUERIES = {
    "sockets": (
        "select distinct pid, family, protocol, local_address, local_port, remote_address, path"
        " from process_open_sockets where (path <> '' or remote_address <> '')"
        " and pid in ({me}, {tool}) and (local_port = {port} or path = '{unix}') order by 1, 2;"
    ),
    "listeners": (
        "select distinct p.name, l.port, l.address, p.pid from processes as p"
        " join listening_ports as l on p.pid = l.pid"
        " where l.port = {port} and l.address not like '10.%' order by p.pid = {me} desc"
    ),
    "family": (
        "select p0.pid, p0.path, p0.cmdline as p0_cmd, p0_hash.sha256 as p0_sha256,"
        " p0.parent as p1_pid, p1.name as p1_name, p1_file.mode is not null as p1_there,"
        " p2.pid as p2_pid, p2_hash.sha256 is not null as p2_hashed"
        " from processes p0 left join hash p0_hash on p0.path = p0_hash.path"
        " left join processes p1 on p0.parent = p1.pid"
        " left join file p1_file on p1.path = p1_file.path"
        " left join processes p2 on p1.parent = p2.pid"
        " left join hash p2_hash on p2_hash.path = '{folder}/nothing'"
        ' where p0.path != "" and p0.parent = {me} and p0.cwd = "{folder}" order by p0.pid'
    ),
    "missing": (
        "select p.pid, p.path, p.on_disk, file.inode, pp.pid as parent from processes p"
        " left join file on p.path = file.path"
        " left join process_namespaces on p.pid = process_namespaces.pid"
        " left join processes pp on p.parent = pp.pid"
        " where p.on_disk != 1 and p.path != '' and p.start_time < (strftime('%s', 'now') + 60)"
        " and mnt_namespace in (select distinct (mnt_namespace) from process_namespaces"
        " join processes on processes.pid = process_namespaces.pid where processes.pid = {me})"
        " and file.inode is null and p.path not like '/opt/%' and p.path like '{folder}/%'"
    ),
    "no_environment": (
        "select count(key) as count, p.pid, p.name, pp.pid as parent from processes p"
        " left join process_envs pe on p.pid = pe.pid left join processes pp on p.parent = pp.pid"
        " where p.parent not in (0, 2) and not p.path is null and p.name not in ('sshd', 'cupsd')"
        " and not pp.cmdline like 'bwrap %' and p.cwd = '{folder}' group by p.pid having count = 0"
    ),
    "preload": (
        "select pe.pid, key, value, p.name from process_envs pe join processes p using (pid)"
        " where (pe.key in ('LD_PRELOAD', 'LD_LIBRARY_PATH') or pe.key glob 'DYLD_*')"
        " and p.parent = {me} union all"
        " select p.pid, key, value, name from processes p"
        " join process_envs e on e.pid = p.pid and e.key = 'PATH'"
        " where value like '%/tmp%' and parent = {me}"
    ),
    "key": (
        "select concat(min(s.local_port, 1024), ',', s.protocol, ',',"
        " regex_match(p.path, '.*/(.*?)$', 1), ',', min(f.uid, 500), 'u,', p.name) as exception_key"
        " from process_open_sockets s left join processes p on s.pid = p.pid"
        " left join file f on p.path = f.path where protocol > 0 and s.local_port = {port}"
        " and s.remote_address not in ('::1') and p.path like '{folder}/%'"
        " and not exception_key in ('80,6,curl,0u,curl')"
    ),
    "files": (
        "select replace(file.path, '{folder}', '') as path, file.type, file.size, hash.md5"
        " from file left join hash on file.path = hash.path"
        " where (file.path like '{folder}/.%/%%' or file.path like '{folder}/%.txt'"
        " or file.path like '{folder}/none/%%') and not file.path like '%/../%'"
        " and file.path not in ('{folder}/.hidden/') order by path"
    ),
    "executables": (
        "select distinct replace(file.path, '{folder}', '') as path, mode,"
        " regex_match(file.filename, '.*\\.(.*?)$', 1) as extension, hash.sha256 = '{digest}' as same"
        " from file left join hash on file.path = hash.path where file.path in"
        " (select distinct path from file where"
        " (file.directory = '{folder}' or file.directory like '{folder}/.%')"
        " and file.type = 'regular' and (file.mode like '%7%' or file.mode like '%5%')"
        " and not (uid < 0 and file.path like '%/go-build%'))"
    ),
    "ancestors": (
        "with recursive up(pid, parent, depth) as (select pid, parent, 0 from processes"
        " where pid = {tool} union all select p.pid, p.parent, depth + 1 from up"
        " join processes p on p.pid = up.parent where depth < 1)"
        " select pid, depth from up order by depth"
    ),
    "correlated": (
        "select (select count(*) from processes c where c.parent = p.pid"
        " and c.cwd = '{folder}') as children,"
        " (select count(*) from process_open_files f where f.pid = p.pid and path = '{folder}/notes.txt')"
        " as files from processes p where p.pid = {me}"
    ),
    "exists": (
        "select p.pid from processes p where p.parent = {me} and exists (select 1 from"
        " process_open_sockets s where s.pid = p.pid and s.family = 2) and not exists"
        " (select 1 from process_envs e where e.pid = p.pid and e.key = 'HOME')"
    ),
    "in_select": (
        "select pid from processes where pid in (select pid from process_open_sockets"
        " where state = 'LISTEN' and local_port = {port}) and parent in"
        " (select pid from processes where pid = {me})"
    ),
    "by_program": (
        "select count(distinct p.pid) as processes, h.sha256 = '{digest}' as same, group_concat(name)"
        " as names from processes p join hash h on p.path = h.path"
        " where p.cmdline regexp '^{folder}/[a-z]+ 600$' group by h.sha256"
    ),
    "memory": (
        "select distinct pid, replace(path, '{folder}', '') as path from process_memory_map"
        " where path like '{folder}/%' and permissions = 'r-xp' and pid in"
        " (select pid from processes where parent = {me}) order by path"
    ),
    "ranks": (
        "select name, rank() over (partition by parent order by name) as place, username = "
        "'{user}' as mine from processes join users using (uid) where cwd = '{folder}' order by 2"
    ),
    "who": (
        "select json_group_array(name) as names from (select name from processes"
        " where pid = '{tool}' or pid = \"{gone}\" order by name desc)"
    ),
    "darwin": "select * from launchd where path like '/Library/%'",
    "packages": "select name from deb_packages, processes",
}


def expected(world: World) -> dict[str, list[dict[str, Any]]]:
    """The rows of each query."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    me, tool, gone = psutil.Process(), world.tool, world.gone
    over = {"family": 2, "protocol": 6, "local_address": "127.0.0.1", "local_port": world.port}
    listens = {**over, "remote_address": "0.0.0.0", "path": ""}
    unix = {"family": 1, "protocol": 0, "local_address": "", "local_port": 0}
    unix.update(remote_address="", path=world.unix)
    family = {"p1_pid": ME, "p1_name": me.name(), "p1_there": 1, "p2_pid": os.getppid()}
    mode = f"{(world.folder / 'tool').stat().st_mode & 0o7777:04o}"
    uid = (world.folder / "tool").stat().st_uid
    return {
        "sockets": sorted(
            [{"pid": ME, **unix}, {"pid": ME, **listens}, {"pid": tool, **listens}],
            key=lambda row: (row["pid"], row["family"]),
        ),
        "listeners": [
            {"name": me.name(), "port": world.port, "address": "127.0.0.1", "pid": ME},
            {"name": "tool", "port": world.port, "address": "127.0.0.1", "pid": tool},
        ],
        "family": sorted(
            [
                {
                    "pid": pid,
                    "path": f"{world.folder}/{name}",
                    "p0_cmd": f"{world.folder}/{name} 600",
                    "p0_sha256": digest,
                    **family,
                    "p2_hashed": 0,
                }
                for pid, name, digest in ((tool, "tool", world.digest), (gone, "gone", None))
            ],
            key=lambda row: row["pid"],
        ),
        "missing": [
            {"pid": gone, "path": f"{world.folder}/gone", "on_disk": 0, "inode": None, "parent": ME}
        ],
        "no_environment": [{"count": 0, "pid": gone, "name": "gone", "parent": ME}],
        "preload": [
            {"pid": tool, "key": "LD_LIBRARY_PATH", "value": "/nowhere", "name": "tool"},
            {"pid": tool, "key": "PATH", "value": "/bin:/tmp/bin", "name": "tool"},
        ],
        "key": [
            {"exception_key": f"{min(world.port, 1024)},6,tool,{min(uid, 500)}u,tool"},
        ],
        "files": [
            {"path": "/.hidden/key.pem", "type": "regular", "size": 6, "md5": md5("secret")},
            {"path": "/notes.txt", "type": "regular", "size": 100, "md5": md5("x" * 100)},
        ],
        "executables": [{"path": "/tool", "mode": mode, "extension": None, "same": 1}],
        "ancestors": [{"pid": tool, "depth": 0}, {"pid": ME, "depth": 1}],
        "correlated": [{"children": 2, "files": 1}],
        "exists": [{"pid": tool}],
        "in_select": [{"pid": tool}],
        "by_program": [{"processes": 1, "same": 1, "names": "tool"}],
        "memory": [{"pid": gone, "path": "/gone"}, {"pid": tool, "path": "/tool"}],
        "ranks": [
            {"name": "gone", "place": 1, "mine": 1},
            {"name": "tool", "place": 2, "mine": 1},
        ],
        "who": [{"names": '["tool","gone"]'}],
        "darwin": [],
        "packages": [],
    }


def test_every_shape_has_the_rows_that_it_is_after(world: World, tmp_path: Path) -> None:
    names = {"me": ME, "user": psutil.Process().username(), **vars(world)}
    queries: dict[str, dict[str, Any]] = {}
    for name, sql in QUERIES.items():
        for key, value in names.items():
            sql = sql.replace(f"{{{key}}}", str(value))
        queries[name] = {"query": sql, "interval": "3600"}
    queries["darwin"]["platform"] = "darwin"
    path = tmp_path / "shapes.conf"
    path.write_text(json.dumps({"platform": "linux", "version": "1.4.5", "queries": queries}))
    status, said, complained = run("pack", str(path), "--jsonl", "--netns", "self")
    outcomes = {each["query"]: each for each in map(json.loads, said.splitlines())}
    assert {name: (each["why"] or each["rows"]) for name, each in outcomes.items()} == {
        **expected(world),
        "darwin": "it is for the platform darwin",
        "packages": "it needs the table deb_packages, which is not here",
    }
    assert status == 0, complained
    # Of the whole pack, on a host of any size: no query looks at each process once a row.
    assert sum(each["seconds"] or 0 for each in outcomes.values()) < 30
