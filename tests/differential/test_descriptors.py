"""``fds`` and ``lsof -F``, ``lsfd -J`` and psutil: descriptors of every kind, field by field."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sockql import connect
from sockql.engine import Engine
from tests.differential.machine import Row, ordered
from tests.differential.peers import LsofFile, lsof_files
from tests.live import kinds
from tests.live.children import child
from tests.test_peers_doc import query_of

NAMES = ("plain", "two words", "name (deleted)", "socket:[1]", "pipe:[1] (deleted)", "caf\u00e9")


class Holder(NamedTuple):
    """A process that does nothing but hold one descriptor, or several, of every kind."""

    pid: int
    folder: Path


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holder]:
    folder = tmp_path_factory.mktemp("held")

    def prepare() -> None:
        os.setsid()  # the group of whoever runs the test may be outside of the pid namespace
        os.chdir(folder)
        for number, name in enumerate(NAMES):
            file = os.open(name, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_DSYNC, 0o640)
            os.write(file, b"x" * 100 * (number + 1))
            os.lseek(file, number, os.SEEK_SET)
        fcntl.lockf(0, fcntl.LOCK_EX)
        fcntl.lockf(1, fcntl.LOCK_SH, 10, 5)
        os.link("plain", "second name")
        gone = os.open("gone", os.O_CREAT | os.O_WRONLY)
        os.write(gone, b"x" * 5000)
        os.unlink("gone")
        os.mkfifo("fifo")
        os.open("fifo", os.O_RDWR | os.O_NONBLOCK)
        os.open("/dev/null", os.O_RDWR)
        os.open(".", os.O_RDONLY)
        os.pipe2(os.O_NONBLOCK)
        # What is bound to nothing is in no list of sockets.
        for bound, place in (
            (socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), ("::1", 0)),
            (socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), (0, 0)),
        ):
            bound.bind(place)
            bound.detach()
        for factory in kinds.FACTORIES:
            # lsfd 2.38 shows the inode of the first pidfd for all of them.
            if factory is not kinds.pidfd_of_the_dead:
                kinds.attempt(factory)

    with child(prepare) as (pid, _):
        yield Holder(pid, folder)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def output(*command: str) -> bytes:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        timeout=60,
    )
    assert done.stdout, done.stderr
    return done.stdout


def kind_of(type: str, *, others: str) -> str:
    """The kind of file as both spell it; what has neither a path nor a number is of ``others``."""
    known = {
        **dict.fromkeys(("file", "memfd", "secretmem", "ns"), "REG"),
        "dir": "DIR",
        "chr": "CHR",
        "pipe": "FIFO",
        "fifo": "FIFO",
        "socket": "SOCK",
    }
    return known.get(type, others)


# -- lsof ----------------------------------------------------------------------------------------

LSOF = """
    select fd, mode, type, dev, rdev, ifnull(inode, file_inode), nlink, size, pos, target,
           family, locks ->> '$[0].access', locks ->> '$[0].start' = 0 and locks ->> '$[0].end' is null
    from fds left join sockets using (inode) where pid = :pid
"""


def number(device: str | None) -> str | None:
    """The number of a device as lsof writes it."""
    return None if device is None else hex(os.makedev(*map(int, device.split(":"))))


def lock(access: str | None, whole: int | None) -> str:
    letter = {None: " ", "READ": "r", "WRITE": "w"}[access]
    return letter.upper() if whole else letter


def lsof_row(row: Row) -> Row:
    fd, mode, type, dev, rdev, inode, links, size, pos, target, family, access, whole = row
    sockets = {"unix": "unix", "inet6": "IPv6", "netlink": "netlink"}
    kind = sockets[family] if family else kind_of(type, others="a_inode")
    # Of what is no file lsof says what it is called in other words.
    named = target if target.startswith("/") else None
    shown = (None, None) if family else (number(dev), str(inode))
    return (
        *(str(fd), {"r": "r", "w": "w", "rw": "u"}[mode], kind, *shown, number(rdev)),
        *(None if links is None else str(links), None if size is None else str(size)),
        *(None if pos is None else f"0t{pos}", named, lock(access, whole)),
    )


def lsof_fields(sized: LsofFile, placed: LsofFile) -> Row:
    fields = sized.fields
    is_socket = fields["t"] in ("unix", "IPv6", "netlink")
    path = fields["n"].startswith("/")
    kind = fields["t"]
    has_size = path and kind in ("REG", "DIR")
    return (
        *(sized.fd, fields["a"], kind),
        *((None, None) if is_socket else (fields["D"], fields["i"])),
        *(fields.get("r"), fields.get("k") if path else None),
        *(fields.get("s") if has_size else None, placed.fields.get("o") if path else None),
        *(fields["n"] if path else None, fields["l"]),
    )


def test_descriptors_of_every_kind_are_those_of_lsof(engine: Engine, holder: Holder) -> None:
    rows = engine.query(LSOF, {"pid": holder.pid})
    command = ("lsof", "-nP", "-p", str(holder.pid), "-F", "faltDriksn")
    sized = [f for f in lsof_files(output(*command, "-s")) if f.fd.isdigit()]
    placed = [f for f in lsof_files(output(*command[:-1], "fon", "-o")) if f.fd.isdigit()]
    expected = [lsof_fields(*pair) for pair in zip(sized, placed)]
    assert len(rows) > 30
    assert ordered(map(lsof_row, rows)) == ordered(expected)


def test_what_has_no_number_is_that_of_lsof(engine: Engine, holder: Holder) -> None:
    """cwd, rtd, txt and mem; lsof leaves the executable out of what is mapped."""
    if os.geteuid() != 0:
        pytest.skip("not root: what is mapped cannot be examined (CAP_CHECKPOINT_RESTORE)")
    rows = engine.query(
        "select role, type, dev, file_inode, nlink, size, target from process_files"
        f" where pid = {holder.pid} and not (role = 'mem' and target in"
        f" (select target from process_files where pid = {holder.pid} and role = 'exe'))"
    )
    roles = {"cwd": "cwd", "root": "rtd", "exe": "txt", "mem": "mem"}
    files = lsof_files(output("lsof", "-nP", "-p", str(holder.pid), "-F", "ftDiksn", "-s"))
    expected = [
        (f.fd, *(f.fields[letter] for letter in "tDiks"), f.fields["n"])
        for f in files
        if not f.fd.isdigit()
    ]
    assert sorted(
        (roles[role], kind_of(type, others=""), number(dev), str(inode), str(links), str(size), at)
        for role, type, dev, inode, links, size, at in rows
    ) == sorted(expected)


# -- lsfd ----------------------------------------------------------------------------------------

LSFD = """
    select fd, type, mode, flags, ifnull(pos, 0), ifnull(size, 0), ifnull(nlink, 1),
           ifnull(nlink = 0, 0), ifnull(inode, file_inode), dev, rdev, mnt_id, sock_protoname,
           driver, device, target
    from fds where pid = :pid
"""
COLUMNS = (
    "FD TYPE MODE FLAGS POS SIZE NLINK DELETED INODE DEV RDEV MNTID PROTONAME CHRDRV MISCDEV NAME"
)


def lsfd_row(row: Row) -> Row:
    fd, type, mode, flags, *numbers, dev, rdev, mount, protocol, driver, device, target = row
    words = {flag.removeprefix("O_").lower() for flag in filter(None, flags.split(","))}
    words |= {{"r": "", "w": "wronly", "rw": "rdwr"}[mode]} - {""}
    access = ("r" if "r" in mode else "-") + ("w" if "w" in mode else "-") + "-"
    named = target if target.startswith("/") else None
    kind = kind_of(type, others="UNKN")
    return (
        *(fd, kind, access, tuple(sorted(words)), *numbers, dev, rdev or "0:0", mount),
        *(protocol, driver, device, named),
    )


def lsfd_fields(found: dict[str, Any]) -> Row:
    value = {name.lower(): cell for name, cell in found.items()}
    words = tuple(sorted(filter(None, (value["flags"] or "").split(","))))
    # What lsfd does not know a driver of it calls by number.
    device = None if value["miscdev"] in (None, "") else value["miscdev"]
    name = value["name"]
    return (
        *(value["fd"], value["type"], value["mode"], words, value["pos"], value["size"]),
        *(value["nlink"], int(value["deleted"]), value["inode"], value["dev"], value["rdev"]),
        *(value["mntid"], value["protoname"] or None, value["chrdrv"] or None, device),
        name if name.startswith("/") else None,
    )


def test_descriptors_of_every_kind_are_those_of_lsfd(engine: Engine, holder: Holder) -> None:
    rows = engine.query(LSFD, {"pid": holder.pid})
    columns = COLUMNS
    if " STTYPE " in output("lsfd", "--help").decode():
        columns = columns.replace("TYPE", "STTYPE").replace("PROTONAME", "SOCK.PROTONAME")
    pid = str(holder.pid)
    said = json.loads(output("lsfd", "-J", "-p", pid, "-o", columns.replace(" ", ",")))
    found = [
        {name.removeprefix("st").removeprefix("sock."): cell for name, cell in one.items()}
        for one in said["lsfd"]
        if one["fd"] is not None
    ]
    assert len(rows) > 30
    assert ordered(map(lsfd_row, rows)) == ordered(map(lsfd_fields, found))


def test_counters_are_those_of_lsfd(engine: Engine, holder: Holder) -> None:
    said = output("lsfd", "--summary=only", "-p", str(holder.pid)).decode().splitlines()[1:]
    counters = [line.split(None, 1) for line in said]
    # The query of the page, of this process alone.
    sql = query_of("lsfd --summary").replace(" where ", f" where pid = {holder.pid} and ")
    for whole in ("from processes)", "from fds\n"):
        end = whole[-1]
        sql = sql.replace(whole, f"{whole[:-1]} where pid = {holder.pid}{end}")
    for result in engine.execute(sql):
        [row] = result
        assert list(zip(result.columns, row)) == [(name, int(value)) for value, name in counters]


# -- psutil --------------------------------------------------------------------------------------


def test_files_are_those_that_psutil_sees(engine: Engine, holder: Holder) -> None:
    psutil = pytest.importorskip("psutil")
    process = psutil.Process(holder.pid)
    rows = engine.query(
        "select target, fd, pos, mode, flags from fds"
        f" where pid = {holder.pid} and type = 'file' and nlink > 0"
    )
    appending = {("rw", True): "a+", ("w", False): "w", ("r", False): "r", ("rw", False): "r+"}
    assert sorted(
        (target, fd, pos, appending[mode, "O_APPEND" in flags])
        for target, fd, pos, mode, flags in rows
    ) == sorted((f.path, f.fd, f.position, f.mode) for f in process.open_files())
    counted = engine.query(f"select count(*) from fds where pid = {holder.pid}")
    assert counted == [(process.num_fds(),)]


def test_a_process_is_the_one_that_psutil_sees(engine: Engine, holder: Holder) -> None:
    """One that does nothing, so that nothing changes from one question to the next."""
    psutil = pytest.importorskip("psutil")
    process = psutil.Process(holder.pid)
    [row] = engine.query(
        "select argv, status, tty, voluntary_ctxt_switches, nonvoluntary_ctxt_switches, rchar,"
        " wchar, syscr, syscw, disk_bytes_read, disk_bytes_written, children_user_time, rss_shmem,"
        f" limit_nofile, kernel_thread from processes where pid = {holder.pid}"
    )
    switches, io, memory = process.num_ctx_switches(), process.io_counters(), process.memory_info()
    assert (json.loads(row[0]), *row[1:]) == (
        process.cmdline(),
        {"sleeping": "S"}[process.status()],
        (process.terminal() or "").removeprefix("/dev/") or None,
        *(switches.voluntary, switches.involuntary),
        *(io.read_chars, io.write_chars, io.read_count, io.write_count),
        *(io.read_bytes, io.write_bytes, round(process.cpu_times().children_user * 1000)),
        *(memory.shared - engine.query(_RSS_FILE.format(holder.pid))[0][0],),
        process.rlimit(psutil.RLIMIT_NOFILE)[0],
        0,
    )
    variables = engine.query(f"select key, value from process_envs where pid = {holder.pid}")
    assert dict(variables) == process.environ()
    threads = engine.query(
        f"select tid, user_time, system_time from threads where pid = {holder.pid}"
    )
    assert threads == [
        (t.id, round(t.user_time * 1000), round(t.system_time * 1000)) for t in process.threads()
    ]


#: psutil's shared memory is what files back as well.
_RSS_FILE = "select rss_file from processes where pid = {}"


def test_mapped_memory_is_what_psutil_sees(engine: Engine, holder: Holder) -> None:
    """All but what depends on who else has it mapped, which changes with every process."""
    psutil = pytest.importorskip("psutil")
    rows = engine.query(
        "select target, sum(rss), sum(shared_clean + private_clean),"
        " sum(shared_dirty + private_dirty), sum(anonymous), sum(swapped)"
        f" from process_maps where pid = {holder.pid} and target like '/%.so%' group by target"
    )
    maps = psutil.Process(holder.pid).memory_maps()
    assert rows == sorted(
        (
            *(m.path, m.rss, m.shared_clean + m.private_clean),
            *(m.shared_dirty + m.private_dirty, m.anonymous, m.swap),
        )
        for m in maps
        if m.path.startswith("/") and ".so" in m.path
    )


# -- ps and fuser ----------------------------------------------------------------------------------

PS = (
    "pid ppid pgid sid tpgid euid ruid suid egid rgid sgid nlwp ni pri_baz rtprio min_flt maj_flt"
    " rss vsz flags ipcns mntns netns pidns userns utsns cgroupns etimes"
)


def test_a_process_is_the_one_that_ps_shows(engine: Engine, holder: Holder) -> None:
    [row] = engine.query(
        "select pid, parent, pgroup, session, ifnull(tpgid, -1), euid, uid, suid, egid, gid, sgid,"
        " threads, nice, sched_priority + 100, ifnull(rt_priority, '-'), minflt, majflt,"
        " resident_size / 1024, total_size / 1024, task_flags >> 6 & 7, ns_ipc, ns_mnt,"
        " ns_net, ns_pid, ns_user, ns_uts, ns_cgroup, cast(elapsed_time as integer)"
        f" from processes where pid = {holder.pid}"
    )
    columns = ",".join(f"{name}=" for name in PS.split())
    [line] = output("ps", "-p", str(holder.pid), "-o", columns).decode().splitlines()
    *shown, seconds = line.split()
    assert list(map(str, row[:-1])) == shown
    assert 0 <= int(seconds) - row[-1] <= 60


def test_who_has_a_file_is_who_fuser_says(engine: Engine, holder: Holder) -> None:
    path = holder.folder / "plain"
    with path.open():
        said = output("fuser", str(path)).decode().split()
        rows = engine.query(
            "select pid from fds where target = :path"
            " union select pid from process_files where target = :path",
            {"path": str(path)},
        )
    assert [pid for (pid,) in rows] == sorted(int(word) for word in said)
    assert {holder.pid, os.getpid()} == {pid for (pid,) in rows}
