"""Times as people write them, and the snapshot that each of them means."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from sockql.archive.moments import choose
from sockql.errors import UsageError


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=timezone.utc).timestamp()  # type: ignore[arg-type,misc]


NOW = utc(2026, 11, 25, 18)
#: In the file in another order than they were taken.
SNAPSHOTS = [
    (3, utc(2026, 11, 25, 15, 12, 30) + 0.5),
    (1, utc(2026, 11, 24, 23, 59, 59)),
    (2, utc(2026, 11, 25, 15, 12, 0)),
]


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "XXX-2")  # two hours east of Greenwich
    time.tzset()
    yield
    monkeypatch.undo()
    os.environ.get("TZ")
    time.tzset()


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("newest", 3),
        ("latest", 3),
        ("oldest", 1),
        ("#2", 2),
        ("#9", None),
        ("2026-11-25T15:12Z", 3),  # the whole minute
        ("2026-11-25T15:12:00Z", 2),  # the whole second
        ("2026-11-25T15:12:30.4Z", 2),
        ("2026-11-25T15:12:30.5Z", 3),
        ("2026-11-25 17:12", 3),  # the local time
        ("2026-11-25T17:11", 1),
        ("2026-11-25T17:12:30", 3),
        ("2026-11-25T16:12+01:00", 3),
        ("2026-11-25T14:11-0100", 1),
        ("2026-11-25", 3),  # the whole day
        ("2026-11-24Z", 1),
        ("2026-11-24", None),  # the last snapshot of that day in UTC is of the next day here
        ("20261125T151230.500000Z", 3),
        ("20261125T151200Z", 2),
        ("2h", 3),
        ("3h", 1),
        ("2.8h ago", 1),
        ("1d", None),
        ("18h", 1),
        ("1795619550", 3),
        ("1795619520", 2),
        ("1795619550.4", 2),
        ("2026-11-23", None),
    ],
)
def test_a_time_means_the_newest_that_is_not_younger(at: str, found: int | None) -> None:
    assert choose(at, SNAPSHOTS, NOW) == found


@pytest.mark.parametrize("at", ["newest", "oldest", "#1", "2026-11-25", "2h"])
def test_a_file_without_snapshots_has_none(at: str) -> None:
    assert choose(at, [], NOW) is None


@pytest.mark.parametrize(
    "at",
    ["#", "#x", "yesterday", "2026-13-01", "2026-11-32", "25:00", "2x", "-1h", "2026", "now", ""],
)
def test_what_is_no_time_is_wrong_usage(at: str) -> None:
    with pytest.raises(
        UsageError, match=r"not a time; a time is newest, |not the id of a snapshot"
    ):
        choose(at, SNAPSHOTS, NOW)
