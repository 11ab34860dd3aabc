"""The small machine that sockql and its peers are asked about."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.differential.machine import UNSHARE, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A machine in new namespaces; it is made anew for each file, as TIME_WAIT does not last."""
    if os.geteuid() != 0:
        pytest.skip("not root: a pid and a network namespace of its own cannot be made")
    for tool in ("unshare", "nsenter"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    probe = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"unshare: {probe.stderr.strip()}")
    # Names of unix sockets are short, and so must be the folder they are bound in.
    with World(str(tmp_path_factory.mktemp("w"))) as made:
        yield made


@pytest.fixture
def need() -> Callable[[str], None]:
    """``need("ss")``: skip the test where the program is not installed."""

    def check(tool: str) -> None:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")

    return check
