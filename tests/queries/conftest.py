"""Fixtures of the tests of shipped queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What a test enters here is left when the test ends."""
    with ExitStack() as made:
        yield made
