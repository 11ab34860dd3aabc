"""The recorded machine that several tables are asked about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machines import Recorded, same_byte_order
from tests.tables.mixed import NAME


@pytest.fixture
def host() -> Iterator[Recorded]:
    made = Recorded.load(NAME)
    if not same_byte_order(made.facts):
        pytest.skip(f"{NAME} was recorded on a machine of another byte order")
    yield made
    made.close()
