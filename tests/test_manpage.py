from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from sockql.command import manpage
from sockql.command.commands import COMMANDS
from sockql.command.declarations import OPTIONS, STATUSES


def rendered() -> str:
    """The page as man(1) shows it, without bold and italics."""
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-c", "-rLL=300n"],
        input=manpage.page().encode(),
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return re.sub(".\b", "", done.stdout.decode())


def test_groff_has_nothing_to_say_and_shows_every_option_command_and_status() -> None:
    text = rendered()
    for option in OPTIONS:
        for flag in option.flags:
            assert re.search(rf"(?m)^ +(-\w.*, )?{re.escape(flag)}\b", text), flag
        assert option.help in text or option.help[:1].upper() + option.help[1:] in text
    for command in COMMANDS.values():
        start = f"{command.name} {command.metavar}".rstrip()
        assert text.count(start) >= 2
        assert f"sockql [options] {start}\n" in text
    for status, _ in STATUSES:
        assert re.search(rf"(?m)^ +{status}  +\w", text)


def test_what_can_be_typed_is_shown_as_it_is_typed() -> None:
    text = rendered()
    assert r"tabs, line ends and \ in a cell are \t, \n, \r and \\." in text
    assert 'eval "$(sockql completion bash)"\n' in text
    assert "sockql --line -p inode=56789 'select * from sockets where inode = :inode'\n" in text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a-b", r"a\-b"),
        (r"\t", r"\et"),
        (".RE", r"\&.RE"),
        ("'it'", r"\(aqit\(aq"),
        ('"~^`', r"\(dq\(ti\(ha\(ga"),
    ],
)
def test_text_is_never_taken_for_a_request(text: str, escaped: str) -> None:
    assert manpage._text(text) == escaped
