"""Transcripts of the command: what stands after ``$`` is run, the rest is what it said.

Lines of standard error begin with ``2> ``, a status that is not 0 is ``? status``.
A first line ``# machine NAME`` has the rest run on the recording ``tests/recorded/NAME``.
They run in the folder of the transcripts, which has nothing but these.
``python -m tests.test_golden`` writes the transcripts anew; read the difference before it goes in.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TRANSCRIPTS = sorted((Path(__file__).parent / "golden").glob("*.txt"))


#: The command on a recorded machine, whose name comes before its words.
REPLAY = """
import sys
from sockql import cli
from sockql.command import running
from sockql.engine import Engine
from tests.machines import Recorded
running.open_engine = lambda _: Engine(Recorded.load(sys.argv[1]))
sys.exit(cli.main(sys.argv[2:]))
"""


def run(words: list[str], machine: str | None) -> str:
    """What ``sockql`` with these words says, as a transcript has it."""
    program = ["-c", REPLAY, machine] if machine else ["-m", "sockql"]
    done = subprocess.run(
        [sys.executable, *program, *words],
        cwd=TRANSCRIPTS[0].parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    said = done.stdout.decode()
    if said and not said.endswith("\n"):
        said += "\n(no newline)\n"
    said += "".join(f"2> {line}\n" for line in done.stderr.decode().split("\n")[:-1])
    return said + (f"? {done.returncode}\n" if done.returncode else "")


def commands(transcript: str) -> list[str]:
    return [line for line in transcript.split("\n") if line.startswith("$ ")]


def played(transcript: str) -> str:
    first = transcript.split("\n", 1)[0]
    machine = first.split()[2] if first.startswith("# machine ") else None
    said = "".join(
        f"{command}\n{run(shlex.split(command)[2:], machine)}" for command in commands(transcript)
    )
    return f"{first}\n{said}" if machine else said


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_command_says_what_the_transcript_says(path: Path) -> None:
    with path.open(newline="") as file:
        transcript = file.read()
    assert commands(transcript)
    assert played(transcript) == transcript


def main() -> None:
    for path in TRANSCRIPTS:
        with path.open(newline="") as file:
            transcript = file.read()
        with path.open("w", newline="") as file:
            file.write(played(transcript))


if __name__ == "__main__":
    main()
