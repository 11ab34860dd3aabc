from __future__ import annotations

import builtins
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sockql import cli, tables
from sockql.command.commands import COMMANDS, SHELLS
from sockql.command.completion import script
from sockql.command.declarations import OPTIONS
from sockql.errors import UsageError
from tests.conftest import ROOT

#: Completes the words after the first two, the cursor at the end of the last one.
BASH = """
source "$1"
shift
specification=$(complete -p sockql) || exit 3
set -- "$@"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
compopt() { :; }  # there is no completion going on that it could change
handler=${specification#*-F }
handler=${handler%% *}
"$handler" sockql "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" || true
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    path = tmp_path_factory.mktemp("completion") / "sockql.bash"
    path.write_text(script("bash"))
    return path


def complete(file: Path, *words: str, folder: Path | None = None) -> list[str]:
    """What bash offers for ``sockql WORDS…``, the last of them not finished."""
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", str(file), "sockql", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(word.rstrip() for word in done.stdout.split("\n") if word.strip())


def test_the_first_word_is_a_command(bash_script: Path) -> None:
    assert complete(bash_script, "") == sorted(COMMANDS)
    assert complete(bash_script, "sch") == ["schema"]


def test_options_are_completed_before_and_after_a_command(bash_script: Path) -> None:
    every = {flag for option in OPTIONS for flag in option.flags}
    assert set(complete(bash_script, "--")) == {flag for flag in every if flag[:2] == "--"}
    assert complete(bash_script, "tables", "--js") == ["--json", "--jsonl"]
    assert complete(bash_script, "watch", "--cou") == ["--count"]
    assert complete(bash_script, "plan", "--cou") == []


def test_arguments_of_commands_are_completed(bash_script: Path) -> None:
    assert complete(bash_script, "schema", "") == sorted(tables.NAMES)
    assert complete(bash_script, "schema", "fds", "proce") == [
        name for name in sorted(tables.NAMES) if name.startswith("proce")
    ]
    assert complete(bash_script, "completion", "") == sorted(SHELLS)


def test_saved_queries_are_completed_as_they_are_now(
    bash_script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "bin" / "sockql"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m sockql "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SOCKQL_QUERIES", str(tmp_path))
    for name in ("zz-one", "zz-two", "zz $(touch made)", "zz'`touch made`"):
        (tmp_path / f"{name}.sql").write_text("select 1")
    assert complete(bash_script, "run", "zz-", folder=tmp_path) == ["zz-one", "zz-two"]
    assert complete(bash_script, "queries", "") == ["check", "show"]
    assert complete(bash_script, "queries", "show", "zz") == ["zz-one", "zz-two"]
    assert complete(bash_script, "queries", "show", "zz-one", "zz-t") == ["zz-two"]
    assert complete(bash_script, "queries", "--se") == ["--search", "--severity"]
    assert not (tmp_path / "made").exists()


def test_values_of_options_are_completed(bash_script: Path, tmp_path: Path) -> None:
    assert complete(bash_script, "--format", "json") == ["json", "jsonl"]
    assert complete(bash_script, "--format", "psq") == ["psql"]
    assert complete(bash_script, "queries", "--severity", "hi") == ["high"]
    (tmp_path / "query.sql").touch()
    (tmp_path / "queue").mkdir()
    assert complete(bash_script, "-f", "query", folder=tmp_path) == ["query.sql"]
    assert complete(bash_script, "--proc", "que", folder=tmp_path) == ["queue"]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_all_words(shell: str) -> None:
    text = script(shell)
    assert text.endswith("\n")
    for option in OPTIONS:
        assert option.flags[-1].lstrip("-") in text
    for word in (*COMMANDS, *tables.NAMES, *SHELLS):
        assert word in text
    if shell != "bash":
        for command in COMMANDS.values():
            assert command.help.replace("'", "")[:20] in text.replace("'", "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_theirs(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(script(shell))
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")


def test_another_shell_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        script("tcsh")
    assert str(caught.value) == "completion has no shell 'tcsh'; there are bash, zsh, fish"


def test_the_command_writes_the_code(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["completion", "bash"]) == 0
    assert capfd.readouterr() == (script("bash"), "")
    target = tmp_path / "sockql.fish"
    assert cli.main(["completion", "fish", "-o", str(target)]) == 0
    assert target.read_text() == script("fish")
    assert os.listdir(tmp_path) == ["sockql.fish"]
    assert cli.main(["completion"]) == 2
    assert capfd.readouterr() == ("", "sockql: completion: for which shell? bash, zsh, fish\n")


def test_without_shtab_a_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "shtab":
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError) as caught:
        script("bash")
    assert str(caught.value) == "completion needs the Python package shtab: pip install shtab"
