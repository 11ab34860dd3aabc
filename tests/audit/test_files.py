"""The files of an audit are whole or not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.audit.machine import Machine
from tests.conftest import ROOT
from tests.test_engine import ENDLESS

HEAD = "-- title: T\n-- severity: critical\n-- kind: audit\n"


def test_all_reports_of_one_run_are_written(machine: Machine) -> None:
    words = ["--junit", "j.xml", "--sarif", "s.sarif", "--markdown", "-o", "a.md"]
    assert machine(*words) == (1, "", "")
    assert ET.parse(machine.root / "j.xml").getroot().tag == "testsuites"
    assert json.loads((machine.root / "s.sarif").read_text())["version"] == "2.1.0"
    assert (machine.root / "a.md").read_text().startswith("# Audit of stage\n")
    assert sorted(os.listdir(machine.root)) == ["a.md", "j.xml", "proc", "queries", "s.sarif"]


@pytest.mark.parametrize("flag", ["-o", "--junit", "--sarif", "--baseline"])
def test_a_symbolic_link_is_not_followed(machine: Machine, flag: str) -> None:
    target = machine.root / "precious"
    target.write_text('{"sockql_baseline": 1, "audits": {}}')
    (machine.root / "link").symlink_to(target)
    words = [flag, "link", *(["--update-baseline"] if flag == "--baseline" else [])]
    assert machine("workers", *words) == (
        2,
        "",
        "sockql: link: a symbolic link; name the file itself\n",
    )
    assert target.read_text() == '{"sockql_baseline": 1, "audits": {}}'


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--junit", "no/j.xml"], "no/j.xml: No such file or directory"),
        (["--sarif", "queries"], "queries: Is a directory"),
        (["--junit", "same", "--sarif", "./same"], "./same: the file of --sarif and of --junit"),
        (["-o", "same", "--sarif", "same"], "same: the file of --sarif and of -o"),
        (["--junit", ""], "--junit: the name of the file is empty"),
        (
            ["--junit", "-", "--sarif", "/dev/stdout"],
            "/dev/stdout: the file of --sarif and of --junit",
        ),
        (["--json", "--junit", "-"], "-: the file of --junit and of --json"),
        (["-o", "-", "--junit", "-"], "-: the file of --junit and of -o"),
        (
            ["./queries/workers.sql", "--sarif", "queries/workers.sql"],
            "queries/workers.sql: it is read as well; --sarif another file",
        ),
    ],
)
def test_a_file_that_cannot_be_written_is_said_before_anything_is_run(
    machine: Machine, words: list[str], said: str
) -> None:
    machine.write(endless=HEAD + ENDLESS)
    assert machine("endless", *words) == (2, "", f"sockql: {said}\n")
    assert sorted(os.listdir(machine.root)) == ["proc", "queries"]


@pytest.mark.parametrize("flag", ["--junit", "--sarif", "-o"])
def test_a_report_does_not_take_the_place_of_the_baseline(machine: Machine, flag: str) -> None:
    accepted = '{"sockql_baseline": 1, "audits": {}}'
    (machine.root / "b.json").write_text(accepted)
    status, out, err = machine("workers", "--baseline", "b.json", flag, "./b.json")
    assert (status, out) == (2, "")
    assert err.startswith(("sockql: b.json: the file of -", "sockql: ./b.json: the file of -"))
    assert (machine.root / "b.json").read_text() == accepted


@pytest.mark.parametrize("flag", ["--junit", "--sarif"])
def test_a_report_for_programs_takes_the_place_of_the_one_for_people(
    machine: Machine, flag: str
) -> None:
    status, out, err = machine("workers", flag, "-")
    assert (status, err) == (1, "")
    assert out.startswith("<?xml" if flag == "--junit" else '{\n  "$schema"')
    assert out.endswith("</testsuites>\n" if flag == "--junit" else "}\n")
    # Both, when the one for people has a place of its own.
    assert machine("workers", flag, "-", "-o", "people")[1].startswith(out[:5])
    assert (machine.root / "people").read_text().startswith("high: workers: Workers that run\n")
    assert sorted(os.listdir(machine.root)) == ["people", "proc", "queries"]


def test_junit_is_xml_whatever_a_name_has_in_it(machine: Machine) -> None:
    machine.write(odd=HEAD + "select char(65534, 65535, 1, 27, 60) as name")
    assert machine("odd", "--junit", "j.xml")[0] == 1
    text = "".join(ET.parse(machine.root / "j.xml").getroot().itertext())
    assert "name = \\ufffe\\uffff\\x01\\x1b<" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_sees_what_was_found_and_no_file_is_left(
    machine: Machine, number: signal.Signals
) -> None:
    machine.write(
        a=HEAD + "select 'found' as word",
        endless=HEAD + ENDLESS,
    )
    words = ["a", "endless", "workers", "--sarif", "s", "--baseline", "b", "--update-baseline"]
    with subprocess.Popen(
        [sys.executable, "-m", "sockql", "audit", "--proc", "proc", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=machine.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            # The files are opened before the first audit; the endless one takes processor time.
            busy(process, machine.root)
            process.send_signal(number)
            out, error = process.communicate(timeout=30)
        finally:
            process.kill()
    assert sorted(os.listdir(machine.root)) == ["proc", "queries"]
    if number == signal.SIGTERM:
        assert (process.returncode, out, error) == (143, "", "")
        return
    assert (process.returncode, error) == (
        130,
        "sockql: interrupted after 1 of 3 audits\nsockql: interrupted\n",
    )
    assert out.startswith("critical: a: T\n  word\n  -----\n  found\n\n1 audit on stage in ")


def busy(process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until the temporary files are there and the process has worked for half a second."""
    deadline = time.monotonic() + 30
    ticks = os.sysconf("SC_CLK_TCK")
    used, start = 0.0, None
    while start is None or used < start + 0.5:
        assert time.monotonic() < deadline, "it does not work"
        assert process.poll() is None, "it has ended"
        fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        used = (int(fields[11]) + int(fields[12])) / ticks
        if start is None and len(list(folder.glob(".sockql-*.tmp"))) == 2:
            start = used
