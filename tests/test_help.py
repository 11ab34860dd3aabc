"""``--help``, for sockql and for each command."""

from __future__ import annotations

import re

import pytest

from sockql.command.commands import COMMANDS
from sockql.command.declarations import OPTIONS, STATUSES
from sockql.command.declare import Command
from sockql.command.helptext import help_text
from tests.test_cli import ENVIRONMENT, on_terminal, run

EVERY = [None, *COMMANDS.values()]


def flags(text: str) -> list[str]:
    """The options that a help explains, in its order."""
    found = re.findall(r"^  (-[^ ,]*(?:, -[^ ,]*)*)", text, re.MULTILINE)
    return [flag for each in found for flag in each.split(", ")]


def own(name: str) -> list[str]:
    return [flag for option in OPTIONS if name in option.commands for flag in option.flags]


COMMON = [flag for option in OPTIONS if not option.commands for flag in option.flags]


def test_the_help_names_every_command_and_what_goes_with_all_of_them() -> None:
    shown = help_text(None, 80)
    assert flags(shown) == COMMON
    assert re.findall(r"^  ([a-z]+)\b", shown, re.MULTILINE) == list(COMMANDS)
    assert re.findall(r"^  (\d+)  ", shown, re.MULTILINE) == [str(each) for each, _ in STATUSES]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_the_help_of_a_command_begins_with_what_only_it_has(command: Command) -> None:
    shown = help_text(command, 80)
    assert shown.startswith(f"usage: sockql {command.name} [options] {command.metavar}".rstrip())
    assert flags(shown) == own(command.name) + COMMON


def test_every_option_is_in_a_help() -> None:
    shown = {flag for command in EVERY for flag in flags(help_text(command, 80))}
    assert shown == {flag for option in OPTIONS for flag in option.flags}


@pytest.mark.parametrize("room", [60, 80, 100])
@pytest.mark.parametrize("command", EVERY, ids=lambda command: command.name if command else "")
def test_lines_end_between_words(command: Command | None, room: int) -> None:
    shown = help_text(command, room)
    assert max(map(len, shown.splitlines())) <= room
    # Wide enough for every text, so that nothing is broken there.
    assert shown.split() == help_text(command, 1000).split()


def test_columns_says_how_wide_the_help_is_and_a_pipe_is_eighty() -> None:
    command = COMMANDS["audit"]
    assert run("audit", "--help") == (0, help_text(command, 80), "")
    narrow = run("audit", "--help", env=ENVIRONMENT | {"COLUMNS": "60"})
    assert narrow == (0, help_text(command, 60), "")
    assert run("--help", env=ENVIRONMENT | {"COLUMNS": "400"}) == (0, help_text(None, 100), "")
    assert run("--help", env=ENVIRONMENT | {"COLUMNS": "wide"}) == (0, help_text(None, 80), "")


def test_a_terminal_that_is_narrow_gets_narrow_lines() -> None:
    assert on_terminal("diff", "--help", columns=44) == (0, help_text(COMMANDS["diff"], 44))
