"""The kinds of tests, how many of each ran, and the fixtures that several files share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

Python = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).resolve().parent.parent

#: Kind of a test by the first part of its path below tests/, without suffix; the rest are "unit".
KINDS = {
    "bench": "benchmark",
    "differential": "differential",
    "live": "live",
    "osquery": "osquery",
    "queries": "queries",
    "shell": "shell",
    "tables": "recorded",
    "test_contract": "contract",
    "test_docs": "documents",
    "test_golden": "golden",
    "golden": "golden",
    "test_package": "package",
    "test_startup": "start-up",
}
#: Without one of these the suite proves less than it says.
REQUIRED = (
    "contract",
    "differential",
    "documents",
    "golden",
    "live",
    "package",
    "property",
    "queries",
    "recorded",
    "shell",
    "start-up",
    "unit",
)

counts: dict[str, Counter[str]] = {}
kind_of: dict[str, str] = {}


def pytest_configure() -> None:
    """Hear Ctrl-C even in the background of a script, where shells have it ignored.

    The programs that tests start would inherit that, and wait without end to be interrupted.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-kind",
        action="store_true",
        help="fail when no test of some kind (" + ", ".join(REQUIRED) + ") has passed",
    )


def kind(item: pytest.Item) -> str:
    """What kind of test ``item`` is: by its place, and "property" where hypothesis runs it."""
    if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        return "property"
    first = item.path.relative_to(ROOT / "tests").parts[0]
    return KINDS.get(first.removesuffix(".py"), "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    kind_of.update((item.nodeid, kind(item)) for item in items)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        counts.setdefault(kind_of[report.nodeid], Counter())[report.outcome] += 1


def missing() -> list[str]:
    """The required kinds of which not one test has passed."""
    return [name for name in REQUIRED if not counts.get(name, Counter())["passed"]]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if session.config.getoption("--every-kind") and missing() and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    terminalreporter.section("kinds of tests")
    for name, outcomes in sorted(counts.items()):
        said = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
        terminalreporter.line(f"{name:12} {said}")
    if config.getoption("--every-kind"):
        for name in missing():
            terminalreporter.line(f"{name:12} not one has passed, which --every-kind asks for")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Python:
    """Run this Python to its end, sockql importable: ``python("-c", "pass")``.

    Its bytecode is kept for the session, whatever the environment says: an installed sockql is
    not compiled on each start either.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("bytecode"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run
