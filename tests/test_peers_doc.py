"""docs/peers.md: every query on it runs, and every link leads somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from sockql import connect
from sockql.engine import Engine
from tests.conftest import ROOT, Python

PAGE = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")

_BLOCK = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")


def section(peer: str) -> str:
    """The part of the page that is about ``peer``."""
    start = PAGE.index(f"\n## {peer}\n")
    end = PAGE.find("\n## ", start + 4)
    return PAGE[start : end if end > 0 else None]


def rows(text: str = PAGE) -> Iterator[list[str]]:
    """The cells of each row of each table, without the lines of names."""
    previous = ""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---") and previous.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        previous = line


def queries() -> list[str]:
    """The queries of the last columns, and those in blocks of their own."""
    found = [code for cells in rows() for code in _CODE.findall(cells[-1])]
    listed = [code for code in found if code.startswith(("select ", "with "))]
    return [*dict.fromkeys(listed), *_BLOCK.findall(PAGE)]


def commands() -> list[str]:
    """The command lines of the last columns that can be run as they stand."""
    found = [code for cells in rows() for code in _CODE.findall(cells[-1])]
    return [code for code in found if code.startswith("sockql ") and "FILE" not in code]


def query_of(heading: str) -> str:
    """The query that stands in a block of its own under ``heading``."""
    return queries_of(heading)[0]


def queries_of(heading: str) -> list[str]:
    """All of those under ``heading``."""
    start = PAGE.index(f"\n### {heading}\n")
    end = PAGE.find("\n##", start + 4)
    found: list[str] = _BLOCK.findall(PAGE[start : end if end > 0 else None])
    return found


def query_for(option: str, peer: str) -> str:
    """The first query in the row of ``peer`` whose first cell is ``option``."""
    (cells,) = [cells for cells in rows(section(peer)) if cells[0] == option]
    found: list[str] = _CODE.findall(cells[-1])
    return next(code for code in found if code.startswith("select "))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with connect() as made:
        yield made


@pytest.mark.parametrize("sql", queries())
def test_a_query_of_the_page_runs(engine: Engine, sql: str) -> None:
    for result in engine.execute(sql):
        assert result.columns
        list(result)


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_page_runs(python: Python, command: str) -> None:
    done = python("-m", "sockql", *shlex.split(command)[1:])
    assert done.returncode == 0, done.stderr


def test_every_row_answers_or_says_that_there_is_no_answer() -> None:
    for cells in rows():
        answer = cells[-1]
        assert len(cells) in (2, 3), cells
        assert any(
            start in answer for start in ("`select ", "`with ", "`sockql ")
        ) or answer.startswith(("no answer", "notices", "the query that follows", "see [")), cells


def test_every_link_of_the_page_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        assert not file or (ROOT / "docs" / file).exists()
        assert not anchor or anchor in headings


def words_of(peer: str) -> set[str]:
    """The words in the first columns of the section of ``peer``."""
    first = " ".join(cells[0] for cells in rows(section(peer)))
    return set(re.findall(r"[^\s`,();…]+", first))


def help_of(peer: str, *options: str) -> str:
    if shutil.which(peer) is None:
        pytest.skip(f"{peer} is not installed")
    done = subprocess.run([peer, *options], capture_output=True, text=True)
    return done.stdout + done.stderr


def test_the_page_has_every_column_of_ps() -> None:
    names = {line.split()[0] for line in help_of("ps", "L").splitlines()}
    # Those with a leading underscore only fill room.
    assert {name for name in names if name[0] != "_"} - words_of("ps") == set()


def test_the_page_has_every_column_and_option_of_lsfd() -> None:
    text = help_of("lsfd", "--help")
    columns = re.findall(r"^ +([A-Z][A-Z:.-]+) +<", text, re.MULTILINE)
    options = re.findall(r"^ +(-[a-zA-Z]),", text, re.MULTILINE)
    assert columns
    assert options
    assert {*columns, *options} - words_of("lsfd") == set()


@pytest.mark.parametrize(
    ("peer", "option"), [("lsof", "-h"), ("fuser", "--help"), ("pstree", "--help")]
)
def test_the_page_has_every_option_of(peer: str, option: str) -> None:
    options = set(re.findall(r"(?:(?<=\s)|(?<=\|)|^)([-+][a-zA-Z0-9])\b", help_of(peer, option)))
    assert options
    assert options - words_of(peer) == set()


def test_the_page_has_all_options_of_both() -> None:
    first = " ".join(cells[0] for cells in rows())
    ss = "-a -l -B -H -Q -O -n -r -o -e -m -p -T -i -s -E -Z -z -N -b -4 -6 -0 -t -u -w -d -x -S -M"
    netstat = "-U -A -W -c -v -F -C -g -M --numeric-ports --ax25"
    words = {word.strip("`,") for word in first.split()}
    assert {*ss.split(), *netstat.split(), "-K", "-D", "-f"} - words == set()
