"""Moments as people name them: which of several snapshots ``--at TIME`` means."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from sockql.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What ``--at`` takes, in one line.
FORMATS: Final = (
    "newest, oldest, #ID, 2026-11-25, 2026-11-25T15:12, with seconds, with Z or +01:00, 2h (ago), "
    "or seconds since the epoch"
)
_ISO: Final = re.compile(
    r"(?P<year>\d{4})-?(?P<month>\d\d)-?(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:\.(?P<part>\d{1,6}))?)?)?)?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_AGO: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhdw])(?: ago)?")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_EPOCH: Final = re.compile(r"\d{9,11}(?:\.\d+)?")


def choose(at: str, snapshots: Sequence[tuple[int, float]], now: float) -> int | None:
    """The id of the snapshot that ``at`` means; None when there is none.

    ``snapshots`` are ids and times.  A time means the newest snapshot that is not younger; one
    without seconds, or without an hour, lasts until its minute or its day is over.

    :raises UsageError: for what is no time.
    """
    ordered = sorted(snapshots, key=lambda snapshot: (snapshot[1], snapshot[0]))
    if at.startswith("#"):
        number = at[1:]
        if not (number.isascii() and number.isdigit()):
            raise UsageError(f"{at}: not the id of a snapshot, such as #3")
        return next((id for id, _ in ordered if id == int(number)), None)
    if at in ("newest", "latest"):
        return ordered[-1][0] if ordered else None
    if at in ("oldest", "first"):
        return ordered[0][0] if ordered else None
    end = _end(at, now)
    early = [id for id, epoch in ordered if epoch < end]
    return early[-1] if early else None


def _end(at: str, now: float) -> float:
    """The first moment, in seconds since the epoch, that is later than what ``at`` means."""
    ago = _AGO.fullmatch(at)
    if ago is not None:
        return now - float(ago["number"]) * _UNITS[ago["unit"]]
    if _EPOCH.fullmatch(at):
        return float(at) + (1e-6 if "." in at else 1.0)
    found = _ISO.fullmatch(at)
    if found is not None:
        try:
            return _iso(found).timestamp()
        except (ValueError, OverflowError):
            pass  # no month has 32 days
    raise UsageError(f"{at}: not a time; a time is {FORMATS}")


def _iso(found: re.Match[str]) -> datetime:
    hour, minute, second, part = found["hour"], found["minute"], found["second"], found["part"]
    start = datetime(  # noqa: DTZ001 (without a zone it is the local time)
        int(found["year"]),
        int(found["month"]),
        int(found["day"]),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        int((part or "0").ljust(6, "0")),
    )
    zone = found["zone"]
    if zone == "Z":
        start = start.replace(tzinfo=timezone.utc)
    elif zone:
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        start = start.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset))
    if part:
        return start + timedelta(seconds=10.0 ** -len(part))
    if second:
        return start + timedelta(seconds=1)
    if minute:
        return start + timedelta(minutes=1)
    return start + (timedelta(hours=1) if hour else timedelta(days=1))
