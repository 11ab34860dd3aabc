"""Sessions for tests: in this process, on a pseudo-terminal, in tmux."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockql.command.options import Options
from sockql.shell.session import Shell
from tests.shell.terminals import Terminal, Tmux

NewTerminal = Callable[..., Terminal]
NewTmux = Callable[..., Tmux]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home directory, for this process as well."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "PAGER", "NO_COLOR", "EDITOR", "VISUAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INPUTRC", "/dev/null")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shell(home: Path) -> Iterator[Shell]:
    """A session whose results go where pytest captures them."""
    shell = Shell(Options())
    try:
        yield shell
    finally:
        shell.close()


@pytest.fixture
def terminal(home: Path) -> Iterator[NewTerminal]:
    """Sessions on pseudo-terminals: ``terminal("--timing", TERM="dumb")``."""
    opened: list[Terminal] = []

    def new(*options: str, **more: object) -> Terminal:
        opened.append(Terminal(home, *options, **more))  # type: ignore[arg-type]
        return opened[-1]

    yield new
    for each in opened:
        each.close()


@pytest.fixture
def tmux(home: Path) -> Iterator[NewTmux]:
    """Sessions in tmux: ``tmux(columns=120)``."""
    opened: list[Tmux] = []

    def new(*options: str, **more: object) -> Tmux:
        opened.append(Tmux(home, *options, **more))  # type: ignore[arg-type]
        return opened[-1]

    yield new
    for each in opened:
        each.close()
