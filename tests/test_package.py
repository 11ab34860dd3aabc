"""What is installed: the wheel, the sdist and the editable install have the same modules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from sockql import __version__
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(
    int(version("setuptools").partition(".")[0]) < 77,
    reason="setuptools is older than what pyproject.toml builds with",
)

MODULES = {
    str(path.relative_to(ROOT))
    for pattern in ("*.py", "*/*.py", "*/*/*.py")
    for path in (ROOT / "sockql").glob(pattern)
    if not path.parent.is_symlink()
}
TABLES = {f"tables/{path.name}" for path in (ROOT / "tables").glob("*.py")}
QUERIES = {f"queries/{path.name}" for path in (ROOT / "queries").glob("*") if path.is_file()}
INSTALLED = MODULES | {"sockql/py.typed"} | {f"sockql/{name}" for name in TABLES | QUERIES}
UNWANTED = shutil.ignore_patterns(
    ".*", "*.egg-info", "__pycache__", "build", "dist", "tests", "*.pyc"
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, for building writes beside what it builds."""
    copy = tmp_path_factory.mktemp("copy") / "sockql"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=UNWANTED)
    return copy


def build(kind: str, tree: Path, folder: Path) -> Path:
    """Build an archive of ``tree`` in ``folder`` without a network."""
    code = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(folder)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tree, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", tree, tmp_path_factory.mktemp("sdist"))


MAN_PAGE = f"sockql-{__version__}.data/data/share/man/man1/sockql.1"


def names(archive: Path) -> set[str]:
    """The files of a wheel without those that describe it."""
    with zipfile.ZipFile(archive) as opened:
        return {name for name in opened.namelist() if ".dist-info/" not in name}


def installed(site: Path, *arguments: str) -> str:
    """What Python prints with nothing of this repository on its path but ``site``."""
    environment = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=site,
        env={**environment, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_has_every_module_table_and_query_and_nothing_else(wheel: Path) -> None:
    assert names(wheel) == INSTALLED | {MAN_PAGE}


def test_the_manual_page_is_installed_where_man_looks_for_it(wheel: Path, tmp_path: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    venv.create(tmp_path / "environment", with_pip=False)
    python = tmp_path / "environment" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-index", "--quiet", str(wheel)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    page = tmp_path / "environment" / "share" / "man" / "man1" / "sockql.1"
    assert page.read_text() == (ROOT / "docs" / "sockql.1").read_text()
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    environment.pop("MANPATH", None)
    found = subprocess.run(
        ["man", "-w", "sockql"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (found.stdout, found.returncode) == (f"{page}\n", 0), found.stderr


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        about = f"sockql-{__version__}.dist-info"
        metadata = opened.read(f"{about}/METADATA").decode().partition("\n\n")[0].splitlines()
        commands = opened.read(f"{about}/entry_points.txt").decode()
        licence = opened.read(f"{about}/licenses/LICENSE").decode()
    assert f"Version: {__version__}" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.10" in metadata
    assert commands == "[console_scripts]\nsockql = sockql.cli:run\n"
    assert licence == (ROOT / "LICENSE").read_text()


def test_the_command_runs_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path)
    where = installed(tmp_path, "-c", "import sockql.tables as t; print(t.__file__)")
    assert where == f"{tmp_path}/sockql/tables/__init__.py\n"
    assert installed(tmp_path, "-m", "sockql", "--version") == f"sockql {__version__}\n"
    rows = installed(tmp_path, "-m", "sockql", "--json", "select pid from processes where pid = 1")
    assert json.loads(rows) == [{"pid": 1}]


def test_the_sdist_has_what_the_wheel_is_built_from(
    sdist: Path, wheel: Path, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as opened:
        base = f"sockql-{__version__}/"
        found = {entry.name.removeprefix(base) for entry in opened if entry.isfile()}
        if hasattr(tarfile, "data_filter"):
            opened.extractall(tmp_path, filter="data")
        else:
            opened.extractall(tmp_path)
    wanted = {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "sockql/py.typed"}
    wanted.add("docs/sockql.1")
    assert wanted | MODULES | TABLES | QUERIES <= found
    assert not any(name.startswith(("tests/", "sockql/tables/")) for name in found)
    (tmp_path / "wheel").mkdir()
    assert names(build("wheel", tmp_path / base, tmp_path / "wheel")) == names(wheel)


@pytest.mark.parametrize("links", [True, False], ids=["symlinks", "no symlinks"])
def test_an_editable_install_runs_the_checkout(tree: Path, tmp_path: Path, links: bool) -> None:
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy, symlinks=True)
    if not links:
        (copy / "sockql" / "tables").unlink()
        (copy / "sockql" / "queries").unlink()
    site = tmp_path / "site"
    site.mkdir()
    with zipfile.ZipFile(build("editable", copy, tmp_path)) as opened:
        opened.extractall(site)
    code = (
        f"import site; site.addsitedir({str(site)!r})\n"
        "import os, sockql.queries, sockql.tables.fds as fds\n"
        "print(os.path.realpath(fds.__file__))\n"
        "print(os.path.realpath(sockql.queries.__file__))"
    )
    # -S: the environment of the tests may have an editable install of its own.
    assert installed(tmp_path, "-S", "-c", code).splitlines() == [
        f"{copy}/tables/fds.py",
        f"{copy}/queries/__init__.py",
    ]
