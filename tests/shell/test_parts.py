"""The toolbar, names beside numbers, floods of keys, completion in a session."""

from __future__ import annotations

import os
import re
import socket
import time

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys

from sockql.command.options import Options
from sockql.shell import status as shell_status
from sockql.shell.completer import ShellCompleter
from sockql.shell.input import merged
from sockql.shell.measured import Measured
from sockql.shell.names import labels
from sockql.shell.session import Shell, run
from sockql.shell.settings import editing_mode
from sockql.shell.status import privileges, prompt, toolbar

# -- toolbar ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uid", "capable", "full", "short"),
    [
        (0, True, "root", "root"),
        (
            0,
            False,
            "root without CAP_SYS_PTRACE: other users' descriptors hidden",
            "root without CAP_SYS_PTRACE",
        ),
        (1000, False, "unprivileged: other users' descriptors hidden", "unprivileged"),
        (1000, True, "CAP_SYS_PTRACE", "CAP_SYS_PTRACE"),
    ],
)
def test_privileges_are_those_that_count(
    monkeypatch: pytest.MonkeyPatch, uid: int, full: str, short: str, *, capable: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(shell_status, "_effective", lambda: (1 << 19) * capable)
    assert privileges() == (full, short)


def test_effective_capabilities_are_those_of_the_kernel() -> None:
    with open("/proc/self/status") as file:
        [line] = [line for line in file if line.startswith("CapEff:")]
    assert f"{shell_status._effective():016x}" == line.split()[1]


def test_a_narrow_toolbar_says_less(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = "unprivileged: other users' descriptors hidden"
    monkeypatch.setattr(shell_status, "privileges", lambda: (hidden, "unprivileged"))
    shell.last = (1204, 0.0214)
    host = os.uname().nodename
    assert toolbar(shell, 200) == f" {host}:/proc | {hidden} | 1,204 rows in 0.021 s | table "
    shell.engine.notices.append("something")
    whole = f" {host}:/proc | {hidden} | 1,204 rows in 0.021 s | 1 notice | table "
    assert toolbar(shell, len(whole)) == whole
    less = f" {host}:/proc | unprivileged | 1,204 rows in 0.021 s | 1 notice | table "
    assert toolbar(shell, len(whole) - 1) == less
    assert toolbar(shell, 55) == " /proc | unprivileged | 1,204 rows in 0.021 s | table "
    assert toolbar(shell, 10) == " unprivileged | 1,204 rows in 0.021 s "


def test_the_toolbar_cannot_be_forged(shell: Shell) -> None:
    shell.settings.mode = "\x1b[31m"
    assert "\\x1b[31m" in toolbar(shell, 200)


def test_the_prompt_of_a_frozen_session_has_the_time(shell: Shell) -> None:
    assert prompt(shell) == "sockql> "
    shell.frozen = 1_700_000_000.0
    clock = time.strftime("%H:%M:%S", time.localtime(1_700_000_000))
    assert prompt(shell) == f"sockql[{clock}]> "


# -- names --------------------------------------------------------------------------------------


def test_ports_and_ids_are_known_by_their_columns() -> None:
    found = labels(["protocol", "sport", "dport:1", "uid", "gid", "pid", "name"])
    assert sorted(found) == [1, 2, 3, 4]
    row = ("tcp", 22, None, 0, 0, 1, "x")
    service = socket.getservbyport(22, "tcp") if os.path.exists("/etc/services") else None
    assert found[1](row) == (f"22 ({service})" if service else None)
    assert found[2](row) is None
    assert found[3](row) == "0 (root)"
    assert found[4](row) == "0 (root)"


def test_what_has_no_name_stays_a_number() -> None:
    found = labels(["sport", "uid", "gid"])
    assert [label((64999, 4294967294, 2**40)) for label in found.values()] == [None, None, None]
    assert [label(("22", "0", 1.5)) for label in found.values()] == [None, None, None]
    assert labels(["protocol", "sport"])[1]((None, 22)) is None


# -- keys ---------------------------------------------------------------------------------------


def keys(text: str) -> list[KeyPress]:
    special = {"\r": Keys.ControlM, "\n": Keys.ControlJ, "\t": Keys.ControlI, "\x03": Keys.ControlC}
    return [KeyPress(special.get(character, character), character) for character in text]


def test_what_is_typed_stays_keys() -> None:
    for text in ("select 1;\r", "x" * 31, "\r\r\r", "a\x03b"):
        assert list(merged(keys(text))) == keys(text)


def test_a_long_run_of_characters_is_a_paste() -> None:
    assert list(merged(keys("x" * 40 + "\r" + "y" * 3 + "\x03"))) == [
        KeyPress(Keys.BracketedPaste, "x" * 40),
        *keys("\ryyy\x03"),
    ]


def test_in_a_flood_enter_is_the_end_of_a_line_but_for_the_last() -> None:
    text = "select 1\r\tfrom x\n" * 100
    assert list(merged(keys(text + "\r\r"))) == [
        KeyPress(Keys.BracketedPaste, text.replace("\r", "\n").rstrip("\n")),
        *keys("\n\r\r"),
    ]


# -- completion ---------------------------------------------------------------------------------


def offered(completer: ShellCompleter, text: str) -> dict[str, str]:
    document = Document(text)
    return {
        found.text: found.display_meta_text
        for found in completer.get_completions(document, CompleteEvent())
    }


def test_completion_knows_declarations_commands_and_the_session(shell: Shell) -> None:
    completer = ShellCompleter(shell)
    assert offered(completer, "select 1 from so") == {}
    completer.load()
    assert "sockets" in offered(completer, "select 1 from so")
    shell.run_sql("create temp table mine as select 1 as lucky, 2 as number")
    shell.settings.parameters["limit_me"] = 1
    completer.refresh()
    assert "mine" in offered(completer, "select 1 from mi")
    assert "lucky" in offered(completer, "select luc")
    assert any("limit_me" in text for text in offered(completer, "select :li"))
    assert ".describe" in offered(completer, ".desc")
    assert "sockets" in offered(completer, ".describe so")
    assert set(offered(completer, ".timer ")) == {"on", "off"}
    assert "psql" in offered(completer, ".mode ps")
    shell.enter(".save my_query -- What it does.\nselect :x")
    completer.refresh()  # as each prompt does
    assert offered(completer, ".run my_")["my_query"] == "What it does."
    assert any("pid" in text for text in offered(completer, ".plan select pi"))


# -- settings -----------------------------------------------------------------------------------


def test_the_keys_are_those_of_readline(home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INPUTRC")
    system = "vi" if _vi("/etc/inputrc") else "emacs"
    assert editing_mode() == system
    with open(f"{home}/.inputrc", "w") as file:
        file.write("# set editing-mode emacs\nset  Editing-Mode VI\n")
    assert editing_mode() == "vi"
    with open(f"{home}/.inputrc", "w") as file:
        file.write("# set editing-mode vi\n")
    assert editing_mode() == "emacs"


def _vi(path: str) -> bool:
    try:
        with open(path) as file:
            return re.search(r"^\s*set\s+editing-mode\s+vi", file.read(), re.MULTILINE) is not None
    except OSError:
        return False


def test_rows_are_counted_and_timed_as_they_come() -> None:
    measured = Measured()
    rows = measured.rows([(1,), (2,), (3,)])
    assert next(rows) == (1,)
    assert measured.count == 1
    assert list(rows) == [(2,), (3,)]
    assert measured.count == 3
    assert 0.0 < measured.seconds < 1.0


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        ("format", "jsn", "did you mean json"),
        ("proc", "/nowhere", "/nowhere: No such file or directory"),
        ("timeout", "soon", "not a positive number"),
        ("parameters", ["x"], "not NAME=VALUE"),
    ],
)
def test_a_wrong_command_line_is_an_error_before_the_first_prompt(
    home: object, attribute: str, value: object, said: str
) -> None:
    from sockql.errors import SockqlError

    options = Options()
    setattr(options, attribute, value)
    with pytest.raises(SockqlError, match=said):
        run(options)
