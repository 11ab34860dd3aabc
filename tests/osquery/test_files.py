"""osquery's tables of files, over files that the test makes."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockql.dialect import OSQUERY, SOCKQL, Dialect
from sockql.engine import Engine
from sockql.errors import QueryError
from sockql.host import Host
from sockql.osquery.files import matches
from tests.fakeproc import Link, Tree, proc_tree
from tests.live.children import child
from tests.osquery.asking import ask, connected


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connected(Host()) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``a/`` with ``x.conf``, ``.hidden`` and ``up`` (a link to the folder), ``b/`` with ``loop``."""
    made = tmp_path / "f"
    (made / "a" / "deep").mkdir(parents=True)
    (made / "b").mkdir()
    (made / "a" / "x.conf").write_text("hello\n")
    (made / "a" / ".hidden").write_text("")
    (made / "a" / "deep" / "y.conf").write_text("deep\n")
    (made / "a" / "up").symlink_to(made)
    (made / "b" / "loop").symlink_to("../a")
    (made / "lost").symlink_to("nowhere")
    return made


def paths(engine: Engine, where: str, table: str = "file") -> list[str]:
    return [path for (path,) in engine.query(f"select path from {table} where {where}")]


# -- the columns --------------------------------------------------------------------------------


def test_every_column_of_a_file(engine: Engine, folder: Path) -> None:
    file = folder / "a" / "x.conf"
    file.chmod(0o4750)
    s = file.stat()
    sql = f"select *, attributes, bsd_flags, pid_with_namespace, mount_namespace_id from file where path = '{file}'"
    assert engine.query(sql) == [
        (
            *(str(file), str(folder / "a"), "x.conf", s.st_ino, s.st_uid, s.st_gid, "4750"),
            *(s.st_rdev, 6, s.st_blksize, int(s.st_atime), int(s.st_mtime), int(s.st_ctime), 0),
            *(1, 0, "regular", None, None, None, 0, None),
        )
    ]


def test_the_type_is_that_of_what_a_link_leads_to(engine: Engine, folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "link").symlink_to("a/x.conf")
    with socket.socket(socket.AF_UNIX) as made:
        place = os.path.relpath(folder / "sock")
        if len(place) > 100:
            pytest.skip("the folder for temporary files has too long a path for a socket")
        made.bind(place)
        sql = f"""
            select filename, type, symlink, symlink_target_path, mode from file
            where directory = '{folder}' or path in ('/dev/null', '/') order by 1
        """
        found = engine.query(sql)
    modes = {
        name: f"{stat.S_IMODE(os.stat(folder / name).st_mode):04o}" for name in ("fifo", "sock")
    }
    null = f"{stat.S_IMODE(os.stat('/dev/null').st_mode):04o}"
    top = f"{stat.S_IMODE(os.stat('/').st_mode):04o}"
    file = f"{stat.S_IMODE((folder / 'link').stat().st_mode):04o}"
    directory = f"{stat.S_IMODE((folder / 'a').stat().st_mode):04o}"
    assert found == [
        ("/", "directory", 0, None, top),
        ("a", "directory", 0, None, directory),
        ("b", "directory", 0, None, directory),
        ("fifo", "fifo", 0, None, modes["fifo"]),
        ("link", "regular", 1, "a/x.conf", file),
        ("lost", "unknown", 1, "nowhere", "0777"),
        ("null", "character", 0, None, null),
        ("sock", "socket", 0, None, modes["sock"]),
    ]
    assert engine.query("select device from file where path = '/dev/null'") == [
        (os.stat("/dev/null").st_rdev,)
    ]


def test_names_that_are_not_utf_8(engine: Engine, folder: Path) -> None:
    (Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9"))).write_bytes(b"")
    assert paths(engine, f"path like '{folder}/caf%'") == [f"{folder}/caf\\xe9"]


def test_a_path_that_is_not_utf_8_is_found_by_the_text_that_stands_for_it(
    engine: Engine, folder: Path
) -> None:
    raw = os.fsencode(folder)
    os.mkdir(raw + b"/d\xff")
    Path(os.fsdecode(raw + b"/d\xff/caf\xe9")).write_bytes(b"the bytes")
    (folder / "caf\\xe9").write_bytes(b"a backslash")
    text = f"{folder}/d\\xff/caf\\xe9"
    assert engine.query(f"select path, size from file where path = '{text}'") == [(text, 9)]
    assert paths(engine, f"directory = '{folder}/d\\xff'") == [text]
    assert engine.query(f"select path, sha256 from hash where path = '{text}'") == [
        (text, hashlib.sha256(b"the bytes").hexdigest())
    ]
    sql = f"select size from file where path = '{folder}/caf\\xe9' order by size"
    assert engine.query(sql) == [(11,)]
    Path(os.fsdecode(raw + b"/caf\xe9")).write_bytes(b"both")
    assert engine.query(sql) == [(4,), (11,)]


# -- which files --------------------------------------------------------------------------------


def test_a_directory_is_what_is_directly_in_it(engine: Engine, folder: Path) -> None:
    sql = f"select path, directory, filename from file where directory = '{folder}/a/'"
    here = f"{folder}/a/"
    assert engine.query(sql) == [
        (f"{here}{name}", here, name) for name in (".hidden", "deep", "up", "x.conf")
    ]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/%", ["/a/", "/b/", "/lost"]),
        ("/%/", ["/a/", "/b/"]),
        ("/a/%.conf", ["/a/x.conf"]),
        ("/%/x.conf", ["/a/x.conf"]),
        ("/a/.%", ["/a/.hidden"]),
        ("/a", ["/a"]),
        ("/a/x.conf", ["/a/x.conf"]),
        (
            "/%%",
            [
                "/a/",
                "/a/deep/",
                "/a/deep/y.conf",
                "/a/up/",
                "/a/x.conf",
                "/b/",
                "/b/loop/",
                "/lost",
            ],
        ),
        ("/a/%%/", ["/a/deep/", "/a/up/", "/a/up/a/", "/a/up/b/", "/a/up/b/loop/"]),
        ("/%%/x.conf", ["/a/x.conf"]),
        ("/a/deep/%%", ["/a/deep/y.conf"]),
        ("/b/loop/deep/%", ["/b/loop/deep/y.conf"]),
        ("/a/x_conf", []),
        ("/A/%", []),
        ("/gone/%", []),
        ("/a/x.conf/%", []),
    ],
)
def test_patterns(engine: Engine, folder: Path, pattern: str, found: list[str]) -> None:
    got = paths(engine, f"path like '{folder}{pattern}'")
    assert sorted(got) == [f"{folder}{path}" for path in found]


def test_a_directory_may_be_a_pattern(engine: Engine, folder: Path) -> None:
    sql = f"select path, directory from file where directory like '{folder}/%'"
    assert engine.query(sql) == [
        *((f"{folder}/a/{name}", f"{folder}/a/") for name in (".hidden", "deep", "up", "x.conf")),
        (f"{folder}/b/loop", f"{folder}/b/"),
    ]


def test_conditions_together_leave_what_meets_them_all(engine: Engine, folder: Path) -> None:
    file = f"{folder}/a/x.conf"
    for condition in (
        *(
            f"path = '{file}' and directory = '{folder}/a'",
            f"path = '{file}' and path like '%.conf'",
        ),
        *(
            f"path like '{folder}/a/%' and size = 6",
            f"path in ('{file}', '{folder}/gone', 'x', '')",
        ),
        *(f"directory = '{folder}/a' and filename = 'x.conf'", f"path like '{folder}/%/x.conf'"),
        f"directory like '{folder}/a' and filename glob 'x*'",
    ):
        assert paths(engine, condition) == [file], condition
    for condition in (
        *(
            f"path = '{file}' and directory = '{folder}'",
            "path = ''",
            "path = null",
            "path = 'etc'",
        ),
        *(
            "path like 'etc/%'",
            "path = '/gone'",
            "path = '/etc' || char(0) || 'x'",
            "directory = ''",
        ),
    ):
        assert paths(engine, condition) == [], condition


def test_one_or_the_other_pattern(engine: Engine, folder: Path) -> None:
    where = f"path like '{folder}/a/%' or path like '{folder}/%' or path = '{folder}/a/x.conf'"
    found = paths(engine, where)
    assert sorted(found) == [
        *(f"{folder}/a/", f"{folder}/a/deep/", f"{folder}/a/up/", f"{folder}/a/x.conf"),
        *(f"{folder}/b/", f"{folder}/lost"),
    ]


@pytest.mark.parametrize("table", ["file", "hash"])
@pytest.mark.parametrize(
    "where",
    ["", "where path <> '/x'", "where path not like '/x'", "where +path = '/x'", "limit 1"],
)
def test_without_a_path_or_a_directory_there_is_no_answer(
    engine: Engine, table: str, where: str
) -> None:
    with pytest.raises(QueryError, match=rf"^{table} needs to know which files: where path = "):
        engine.query(f"select * from {table} {where}")


# -- joins --------------------------------------------------------------------------------------


def test_the_path_may_come_from_another_table(engine: Engine, folder: Path) -> None:
    values = f"(values ('{folder}/a/x.conf'), ('{folder}/gone'), (null), ('{folder}/lost'))"
    sql = f"with p(path) as {values} select path, size from p left join file using (path)"
    assert engine.query(sql) == [
        (f"{folder}/a/x.conf", 6),
        (f"{folder}/gone", None),
        (None, None),
        (f"{folder}/lost", 7),
    ]
    sql = f"with p(d) as (values ('{folder}/a')) select filename from file, p where path like d || '/%'"
    assert engine.query(sql) == [(".",), (".",), ("x.conf",)]
    sql = (
        f"select h.md5 from file f join hash h on h.path = f.path where f.directory = '{folder}/a'"
    )
    digests = {hashlib.md5(data).hexdigest() for data in (b"", b"hello\n")}
    assert {digest for (digest,) in engine.query(sql)} == digests


def test_the_path_may_be_a_subquery(engine: Engine, folder: Path) -> None:
    file = f"{folder}/a/x.conf"
    for condition in (
        *(f"path in (select '{file}' union select '{folder}/lost')", f"path = (select '{file}')"),
        *(f"path in (select path from file where directory = '{folder}/a')", f"'{file}' = path"),
        f"exists (select 1 from hash where hash.path = f.path) and path in ('{file}')",
    ):
        sql = f"select filename from file f where {condition} and type = 'regular' and size > 0"
        assert ("x.conf",) in engine.query(sql), condition


def test_a_program_that_runs_has_a_file(engine: Engine) -> None:
    exe = os.readlink("/proc/self/exe")
    sql = f"""
        select f.path, f.inode, (select sha256 from hash where path = f.path)
        from file f join processes p using (path) where p.pid = {os.getpid()}
    """
    digest = hashlib.sha256(Path(exe).read_bytes()).hexdigest()
    assert engine.query(sql) == [(exe, os.stat(exe).st_ino, digest)]


# -- hashes -------------------------------------------------------------------------------------


def test_hashes_are_of_regular_files(engine: Engine, folder: Path) -> None:
    os.mkfifo(folder / "a" / "fifo")
    (folder / "a" / "link").symlink_to("x.conf")

    def row(name: str, data: bytes) -> tuple[Any, ...]:
        digests = [hashlib.new(n, data).hexdigest() for n in ("md5", "sha1", "sha256")]
        return (f"{folder}/a/{name}", f"{folder}/a", *digests, 0, None)

    sql = "select *, pid_with_namespace, mount_namespace_id from hash"
    assert engine.query(f"{sql} where directory = '{folder}/a'") == [
        row(".hidden", b""),
        row("link", b"hello\n"),
        row("x.conf", b"hello\n"),
    ]
    assert engine.query(f"{sql} where path like '{folder}/a/x%'") == [row("x.conf", b"hello\n")]
    assert engine.query(f"{sql} where path = '{folder}/a'") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_a_file_that_cannot_be_read_has_empty_hashes(folder: Path) -> None:
    file = folder / "a" / "x.conf"
    file.chmod(0)
    host = Host()
    assert ask(host, f"select md5, sha256 from hash where path = '{file}'") == [("", "")]
    assert host.notices == [f"hash: {file} not readable (EACCES); run as root"]


# -- other roots --------------------------------------------------------------------------------


def test_links_stay_below_the_root_of_another_machine(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of this machine")
    tree: Tree = {
        "1/root/etc/passwd": b"root:x:0:0:::\n",
        "1/root/etc/absolute": Link("/etc/passwd"),
        "1/root/etc/out": Link(str(tmp_path / "secret")),
        "1/root/etc/up": Link("../../../../../etc/passwd"),
        "7/root/inner": b"7",
        "7/ns/mnt": Link("mnt:[77]"),
    }
    host = Host(str(proc_tree(tree, tmp_path)))
    with connected(host) as engine:
        sql = "select path, size, type from file where directory = '/etc' order by path"
        target = len(str(tmp_path / "secret"))
        assert engine.query(sql) == [
            ("/etc/absolute", 14, "regular"),
            ("/etc/out", target, "unknown"),
            ("/etc/passwd", 14, "regular"),
            ("/etc/up", 14, "regular"),
        ]
        digest = hashlib.md5(b"root:x:0:0:::\n").hexdigest()
        sql = "select path, md5 from hash where path like '/etc/%'"
        assert engine.query(sql) == [
            (f"/etc/{name}", digest) for name in ("absolute", "passwd", "up")
        ]
        sql = """
            select path, pid_with_namespace, mount_namespace_id from file
            where path like '/%%' and pid_with_namespace in (7, 8)
        """
        assert engine.query(sql) == [("/inner", 7, "77")]
        assert host.notices == [f"file: {tmp_path}/proc/8/root: No such file or directory"]


# -- patterns of one name -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part", "wanted"),
    [
        (b"abc", b"abc", True),
        (b"abc", b"ab", False),
        (b"abc", b"%", True),
        (b"", b"%", True),
        (b"abc", b"a%c", True),
        (b"ac", b"a%c", True),
        (b"a", b"a%a", False),
        (b"abcbd", b"a%b%d", True),
        (b"abcd", b"%b%c%", True),
        (b"abcd", b"%c%b%", False),
        (b"aXbXc", b"%X%X%X%", False),
        (b".x", b"%x", False),
        (b".x", b".%", True),
    ],
)
def test_a_part_of_a_pattern(name: bytes, part: bytes, wanted: bool) -> None:
    assert matches(name, part) is wanted


def test_what_we_may_not_look_at_is_said(folder: Path) -> None:
    (folder / "a").chmod(0)
    (folder / "b").chmod(0)

    def refused() -> list[tuple[list[tuple[Any, ...]], list[str]]]:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        said = []
        for sql in (
            f"select path from file where path like '{folder}/%/%'",
            f"select path from file where directory = '{folder}/a'",
            f"select size from file where path = '{folder}/a/x.conf'",
            f"select md5 from hash where path = '{folder}/a/x.conf'",
            f"with p(path) as (values {paths}) select md5 from p left join hash using (path)",
        ):
            host = Host()
            said.append((ask(host, sql), host.notices))
        # Those of a pack share what they look up, and each says what it lacks itself.
        with connected(Host()) as engine:
            engine.share()
            for where in wheres:
                sql = f"select md5 from p left join hash using (path) where {where}"
                results = engine.execute(f"with p(path) as (values {paths}) {sql}")
                said += [(list(result), result.notices) for result in results]
        return said

    paths = f"('{folder}/a/x.conf'), ('{folder}/b/loop'), ('{folder}/a/y.conf')"
    wheres = ["path like '%/x.conf'", "path like '%.conf'", "path like '%/none'"]

    for place in (folder, *folder.parents):
        if place.stat().st_uid == os.geteuid() and not place.stat().st_mode & 1:
            place.chmod(place.stat().st_mode | 0o11)
    with child(refused) as (_, said):
        assert said == [
            ([], [f"file: {folder}/a/ and 1 more not readable (EACCES); run as root"]),
            ([], [f"file: {folder}/a not readable (EACCES); run as root"]),
            ([], [f"file: {folder}/a/x.conf not readable (EACCES); run as root"]),
            ([], [f"hash: {folder}/a/x.conf not readable (EACCES); run as root"]),
            (
                [(None,)] * 3,
                [f"hash: {folder}/a/x.conf and 2 more not readable (EACCES); run as root"],
            ),
            ([(None,)], [f"hash: {folder}/a/x.conf not readable (EACCES); run as root"]),
            (
                [(None,)] * 2,
                [f"hash: {folder}/a/x.conf and 1 more not readable (EACCES); run as root"],
            ),
            ([], []),
        ]
    (folder / "a").chmod(0o755)
    (folder / "b").chmod(0o755)


@pytest.mark.parametrize("dialect", [SOCKQL, OSQUERY])
def test_a_frozen_snapshot_leaves_out_what_cannot_be_listed(dialect: Dialect, folder: Path) -> None:
    with Engine(Host(), dialect) as engine:
        engine.freeze()
        sql = f"select size from file where path = '{folder}/a/x.conf'"
        assert engine.query(sql) == [(6,)]
        with pytest.raises(QueryError, match="file needs to know which files"):
            engine.query("select size from file")
        engine.thaw()


_JOINED = "with p(pid) as (values (8), (7), (9)) select name from p join os_version on "


@pytest.mark.parametrize(
    ("sql", "table", "first"),
    [
        ("select name from os_version where pid_with_namespace in (7, 8, 9)", "os_version", 7),
        ("select 1 from file where pid_with_namespace in (7, 8, 9) and path = '/x'", "file", 7),
        (f"{_JOINED} pid_with_namespace = pid", "os_version", 8),
        ("select 1 from users where pid_with_namespace in (7, 8, 9)", "users", 7),
        ("select 1 from groups where pid_with_namespace in (7, 8, 9)", "groups", 7),
    ],
)
def test_root_directories_that_are_refused_make_one_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str, table: str, first: int
) -> None:
    opened = os.open

    def refusing(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if str(path) in ("7/root", "8/root"):
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refusing)
    proc = proc_tree({"1/stat": b""}, tmp_path)
    host = Host(str(proc))
    assert ask(host, sql) == []
    assert sorted(host.notices) == sorted(
        [
            f"{table}: {proc}/{first}/root and 1 more not readable (EACCES); run as root",
            f"{table}: {proc}/9/root: No such file or directory",
        ]
    )
