"""The table processes on processes that the test makes itself, on the running kernel."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sockql import connect
from sockql.engine import Engine
from sockql.tables.processes import TABLE
from tests.live.children import child, state, wait_until

VISIBLE = [column.name for column in TABLE.schema.visible]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


def asleep(pid: int) -> bool:
    return state(pid) == "S"


def test_a_row_is_what_psutil_says_of_the_process(engine: Engine, tmp_path: Path) -> None:
    def prepare() -> None:
        os.chdir(tmp_path)
        os.setpgid(0, 0)
        os.nice(3)
        if os.geteuid() == 0:
            os.setresgid(11, 12, 13)
            os.setresuid(21, 22, 23)

    with child(prepare) as (pid, _):
        wait_until(lambda: asleep(pid))
        found = engine.query(f"select * from processes where pid = {pid}")
        process = psutil.Process(pid)
        with process.oneshot():
            times, memory, io = process.cpu_times(), process.memory_info(), process.io_counters()
            uids, gids = process.uids(), process.gids()
            expected = {
                "pid": pid,
                "name": Path(f"/proc/{pid}/comm").read_text()[:-1],
                "path": process.exe(),
                "cmdline": " ".join(process.cmdline()).strip(),
                "status": "S",
                "cwd": str(tmp_path),
                "root": "/",
                "uid": uids.real,
                "gid": gids.real,
                "euid": uids.effective,
                "egid": gids.effective,
                "suid": uids.saved,
                "sgid": gids.saved,
                "on_disk": 1,
                "resident_size": memory.rss,
                "total_size": memory.vms,
                "user_time": round(times.user * 1000),
                "system_time": round(times.system * 1000),
                "disk_bytes_read": io.read_bytes,
                "disk_bytes_written": io.write_bytes,
                "start_time": int(process.create_time()),
                "parent": os.getpid(),
                "pgroup": pid,
                "threads": 1,
                "nice": process.nice(),
            }
    assert [dict(zip(VISIBLE, row)) for row in found] == [expected]
    assert (expected["nice"], expected["uid"]) == (
        min(os.nice(0) + 3, 19),
        21 if os.geteuid() == 0 else os.getuid(),
    )
    assert engine.notices == []


def test_details_are_those_of_the_process(engine: Engine) -> None:
    def prepare() -> None:
        os.umask(0o027)
        if os.geteuid() == 0:
            os.setgroups([4, 27])
        for _ in range(5):
            os.open("/dev/null", os.O_RDONLY)

    columns = (
        "umask, supplementary_groups, fd_count, session, kernel_thread, nspid, tracer_pid, "
        "sched_policy, sched_priority, rt_priority, ns_net, ns_mnt, exe_deleted, argv, "
        "oom_score_adj, no_new_privs, voluntary_ctxt_switches"
    )
    with child(prepare) as (pid, _):
        wait_until(lambda: asleep(pid))
        ((*found, switches),) = engine.query(f"select {columns} from processes where pid = {pid}")
        expected_switches = psutil.Process(pid).num_ctx_switches().voluntary
        adjust = int(Path(f"/proc/{pid}/oom_score_adj").read_text())
    groups = [4, 27] if os.geteuid() == 0 else sorted(os.getgroups())
    assert json.loads(found[1]) == groups
    assert json.loads(found[5])[0] == pid
    assert [*found[:1], *found[2:5], *found[6:]] == [
        "0027",
        5 if os.stat("/proc/self/fd").st_size else None,
        os.getsid(0) or None,  # 0 where the leader is in another pid namespace
        0,
        None,
        "SCHED_OTHER",
        20 + os.nice(0),
        None,
        os.stat("/proc/self/ns/net").st_ino,
        os.stat("/proc/self/ns/mnt").st_ino,
        0,
        json.dumps(psutil.Process().cmdline(), ensure_ascii=False),
        adjust,
        0,
    ]
    assert switches == expected_switches


def test_cpu_time_is_that_of_getrusage(engine: Engine) -> None:
    def prepare() -> float:
        while True:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            if usage.ru_utime + usage.ru_stime > 0.1:
                return usage.ru_utime + usage.ru_stime

    with child(prepare) as (pid, used):
        wait_until(lambda: asleep(pid))
        ((user, system),) = engine.query(
            f"select user_time, system_time from processes where pid = {pid}"
        )
    # Clock ticks, rounded down for each of the two; the pipe and the end cost a little more.
    tick = 1000 / os.sysconf("SC_CLK_TCK")
    assert used * 1000 - 2 * tick <= user + system <= used * 1000 + 10 * tick


@pytest.mark.parametrize(
    "comm", [b")", b"x) R 1 (", b"a\nb c", b"", b"\xff" * 15, "naïve".encode()], ids=repr
)
def test_a_process_may_call_itself_anything(engine: Engine, comm: bytes) -> None:
    def prepare() -> None:
        Path("/proc/self/comm").write_bytes(comm or b"\0")

    with child(prepare) as (pid, _):
        wait_until(lambda: Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] == b"S")
        found = engine.query(
            f"select pid, name, status, parent, threads from processes where pid = {pid}"
        )
        text = comm.decode("utf-8", "backslashreplace")
        named = {
            pid
            for (pid,) in engine.query(
                "select pid from processes where name = :name", {"name": text}
            )
        }
    assert found == [(pid, text, "S", os.getpid(), 1)]
    assert pid in named


@pytest.mark.parametrize("arguments", [["x", "", "a b", ""], [" x"], ["\udcff\n", "é"]], ids=ascii)
def test_arguments_are_exact_in_argv(engine: Engine, arguments: list[str]) -> None:
    pause = [*arguments, "-c", "import signal; signal.pause()"]
    pid = os.posix_spawn(sys.executable, pause, {})
    try:
        wait_until(lambda: os.fsencode(pause[-1]) in Path(f"/proc/{pid}/cmdline").read_bytes())
        ((cmdline, argv),) = engine.query(f"select cmdline, argv from processes where pid = {pid}")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    text = [os.fsencode(word).decode("utf-8", "backslashreplace") for word in pause]
    assert (cmdline, json.loads(argv)) == (" ".join(text).strip(), text)


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A copy of sleep(1), and a process that runs it."""
    sleep = shutil.which("sleep")
    if sleep is None:
        pytest.skip("no sleep(1) (ENOENT)")
    path = tmp_path / "tool (deleted)"
    shutil.copy(sleep, path)
    pid = os.posix_spawn(path, ["tool", "100"], {})
    wait_until(lambda: os.readlink(f"/proc/{pid}/exe") == str(path))
    yield path, pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_an_executable_is_there_deleted_or_replaced(engine: Engine, tool: tuple[Path, int]) -> None:
    path, pid = tool
    query = f"select path, on_disk, exe_deleted from processes where pid = {pid}"
    found = engine.query(query)
    path.unlink()
    found += engine.query(query)
    path.write_text("another file")
    found += engine.query(query)
    assert found == [(str(path), 1, 0), (str(path), 0, 1), (str(path), 1, 1)]


def test_a_zombie_is_a_row_of_nulls(engine: Engine) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    columns = "pid, status, parent, path, cmdline, cwd, root, on_disk, resident_size, ns_net, argv"
    found = engine.query(f"select {columns}, fd_count from processes where pid = {pid}")
    os.waitpid(pid, 0)
    nothing = [None] * 8
    assert found in (
        [(pid, "Z", os.getpid(), *nothing, 0)],
        [(pid, "Z", os.getpid(), *nothing, None)],  # before Linux 6.2
    )
    assert engine.query(f"select pid from processes where pid = {pid}") == []
    assert engine.notices == []


def test_a_kernel_thread_is_told_from_a_process(engine: Engine) -> None:
    columns = "name, kernel_thread, path, cmdline, resident_size, total_size, parent, pgroup"
    found = engine.query(f"select {columns} from processes where pid = 2")
    if not Path("/proc/2/stat").exists() or "kthreadd" not in Path("/proc/2/comm").read_text():
        pytest.skip("no kernel threads in this pid namespace (ENOENT)")
    assert found == [("kthreadd", 1, None, None, None, None, None, None)]
    assert engine.notices == []


def test_threads_are_counted_and_are_no_rows(engine: Engine) -> None:
    done = threading.Event()
    threads = [threading.Thread(target=done.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    tids = [thread.native_id for thread in threads]
    me = os.getpid()
    found = engine.query(f"select pid, threads from processes where pid in ({me}, {tids[0]})")
    listed = {pid for (pid,) in engine.query("select pid from processes")}
    number = len(os.listdir("/proc/self/task"))
    done.set()
    for thread in threads:
        thread.join()
    assert found == [(me, number)]
    assert me in listed
    assert listed.isdisjoint(tids)


def test_the_start_time_never_varies(engine: Engine) -> None:
    query = f"select start_time, start_ticks, elapsed_time from processes where pid = {os.getpid()}"
    ((start, ticks, elapsed),) = engine.query(query)
    ((again, _, later),) = engine.query(query)
    assert start == again
    assert 0 <= elapsed <= later
    assert abs(start + elapsed - time.time()) < 2.5
    assert ticks == int(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19])


def test_children_are_found_by_their_parent(engine: Engine) -> None:
    with child(lambda: None) as (first, _), child(lambda: None) as (second, _):
        by_value = engine.query(
            f"select pid from processes where parent = {os.getpid()} and pid in ({first}, {second})"
        )
        joined = engine.query(
            "select q.pid from processes p join processes q on q.parent = p.pid "
            f"where p.pid = {os.getpid()} and q.pid in ({first}, {second})"
        )
    assert sorted(by_value) == sorted(joined) == sorted([(first,), (second,)])


def test_all_processes_are_listed(engine: Engine) -> None:
    """Those that were there before and after, by psutil's word."""
    before = set(psutil.pids())
    found = {pid for (pid,) in engine.query("select pid from processes")}
    with_all = {row[0] for row in engine.query("select * from processes")}
    after = set(psutil.pids())
    assert before & after <= found
    assert before & after <= with_all


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="number of exit(2)")
def test_a_process_outlives_its_main_thread(engine: Engine) -> None:
    import ctypes

    def prepare() -> None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()

    def end_main_thread() -> None:
        ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)

    with child(prepare, end_main_thread) as (pid, _):
        wait_until(lambda: state(pid) == "Z")
        found = engine.query(f"select pid, status, threads, path from processes where pid = {pid}")
    assert found == [(pid, "Z", 2, None)]


def test_memory_of_its_own_is_what_psutil_sums_up(engine: Engine) -> None:
    with child(lambda: None) as (pid, _):
        for _ in range(100):
            before = psutil.Process(pid).memory_full_info()
            found = engine.query(f"select pss, uss, swap from processes where pid = {pid}")
            after = psutil.Process(pid).memory_full_info()
            # Whoever shares pages with it changes what they are worth, and may change it back: look
            # until nobody did.
            if before == after and found == [(after.pss, after.uss, after.swap)]:
                break
        else:
            pytest.skip("others share its memory and never rest (EAGAIN)")
    assert found == [(after.pss, after.uss, after.swap)]


def test_the_share_of_the_cpu_is_that_of_the_whole_life(engine: Engine) -> None:
    def spin() -> None:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            pass

    with child(spin) as (pid, _):
        wait_until(lambda: asleep(pid))
        [(share, used, elapsed)] = engine.query(
            "select cpu_percent, user_time + system_time, elapsed_time from processes"
            f" where pid = {pid}"
        )
    assert share == pytest.approx(used / 10 / elapsed)
    assert 0 < share <= 110
