"""The documents say what is so: examples run, links lead somewhere, generated pages are current."""

from __future__ import annotations

import ast
import os
import re
import shlex
import socket
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sockql import docs
from sockql.command.commands import COMMANDS
from sockql.command.declarations import OPTIONS, STATUSES
from sockql.engine import Engine
from sockql.host import Host
from tests.conftest import ROOT, Python

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


def blocks(document: str, language: str) -> list[tuple[str, str]]:
    """The code blocks of a document in one language, each with the comment before it."""
    found = BLOCK.finditer(document)
    return [(m["mark"] or "", m["text"]) for m in found if m["language"] == language]


def commands() -> list[list[str]]:
    """The words of every command of the README but those that install."""
    listed = []
    for mark, text in blocks(README, "sh"):
        if not mark:
            words = shlex.split(text, comments=True)
            starts = [place for place, word in enumerate(words) if word == "sockql"]
            ends = [*starts[1:], len(words)]
            listed += [words[start + 1 : end] for start, end in zip(starts, ends)]
    return listed


@pytest.mark.parametrize("words", commands(), ids=lambda words: words[-1][:40])
def test_an_example_of_the_readme_runs(python: Python, words: list[str]) -> None:
    done = python("-m", "sockql", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout or "--line" in words  # which says nothing of no rows


def test_the_readme_has_ten_examples() -> None:
    assert len(commands()) >= 10


def test_the_first_example_has_the_output_that_the_readme_shows(python: Python) -> None:
    """The same columns in the same layout; the rows are those of another machine."""
    ((_, text),) = blocks(README, "console")
    prompt, header, rule, *rows = text.splitlines()
    words = shlex.split(prompt.removeprefix("$ "))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = python("-m", "sockql", *words[1:])
        row = [str(os.getpid()), "127.0.0.1", str(listener.getsockname()[1])]
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0].split() == header.split()
    assert set(said[1]) == set(rule)
    found = [line.split() for line in said[2:]]
    assert [[line[0], *line[-2:]] for line in found if line[-1] == row[-1]] == [row]
    assert {len(line.split()) for line in rows} == {len(header.split())}


def test_the_readme_names_every_option_command_and_exit_status() -> None:
    flags = {flag for option in OPTIONS for flag in option.flags if flag.startswith("--")}
    said = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", README))
    assert flags - said == set()
    assert said - flags == set()
    assert [name for name in COMMANDS if f"sockql {name}" not in README] == []
    statuses = [(str(status), meaning) for status, meaning in STATUSES]
    told = re.findall(r"^\| (\d+) \| (.*) \|$", README, re.MULTILINE)
    assert [(status, meaning.replace("`", "")) for status, meaning in told] == statuses


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and ":" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_targets_of_make_that_are_named_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) - targets == set()


@pytest.mark.parametrize("name", [*docs.pages()])
def test_a_generated_page_is_what_the_declarations_make(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == docs.pages()[name]


def test_the_changelog_begins_with_what_is_not_released() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[0] == "Unreleased"


def test_the_table_that_is_added_as_an_example_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its declaration on the live machine, and its tests."""
    sources = dict(blocks(CONTRIBUTING, "python"))
    module = ModuleType("sockql.tables.protocols")
    exec(compile(sources["tables/protocols.py"], "tables/protocols.py", "exec"), vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with Engine(Host()) as engine:
        engine.add("protocols", lambda: module.TABLE)
        for example in module.TABLE.schema.examples:
            engine.query(example)
        wanted = "select socket_size > 500 from protocols where protocol_name = 'TCP'"
        assert engine.query(wanted) == [(1,)]
    tests: dict[str, object] = {}
    code = sources["tests/tables/test_protocols.py"]
    exec(compile(code, "tests/tables/test_protocols.py", "exec"), tests)
    names = [n.name for n in ast.parse(code).body if isinstance(n, ast.FunctionDef)]
    ran = 0
    for name in names:
        if name.startswith("test_"):
            folder = tmp_path / name
            folder.mkdir()
            tests[name](folder)  # type: ignore[operator]
            ran += 1
    assert ran == 2
