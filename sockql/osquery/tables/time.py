"""osquery's table ``time``."""

from __future__ import annotations

from time import asctime, gmtime, localtime, strftime
from time import time as now

from sockql.osquery.columns import bigint, integer, like, text, windows
from sockql.schema import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from time import struct_time
    from typing import Final, TypeAlias

    from sockql.host import Host
    from sockql.request import Request

    #: Seconds since the epoch, and the same in UTC.
    Now: TypeAlias = tuple[int, struct_time]

#: strftime(3) would write them in the language of the locale.
_WEEKDAYS: Final = (
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    *("Saturday", "Sunday"),
)


def _iso(record: Now) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", record[1])


class Time(
    Table["Now"],
    examples=[
        "select iso_8601, unix_time from time",
        "select pid, name from processes, time where start_time > unix_time - 60",
    ],
):
    """The time in UTC, one row."""

    weekday = text(
        "Day of the week, in English.",
        source="clock_gettime(2)",
        get=lambda record: _WEEKDAYS[record[1].tm_wday],
    )
    year = integer("Year.", source="clock_gettime(2)", get=lambda record: record[1].tm_year)
    month = integer(
        "Month, from 1.", source="clock_gettime(2)", get=lambda record: record[1].tm_mon
    )
    day = integer(
        "Day of the month, from 1.", source="clock_gettime(2)", get=lambda r: r[1].tm_mday
    )
    hour = integer("Hour.", source="clock_gettime(2)", get=lambda record: record[1].tm_hour)
    minutes = integer("Minute.", source="clock_gettime(2)", get=lambda record: record[1].tm_min)
    seconds = integer("Second.", source="clock_gettime(2)", get=lambda record: record[1].tm_sec)
    timezone = text("UTC, always.", source="none", get=lambda _: "UTC")
    local_timezone = text(
        "Abbreviation of the time zone that sockql runs in.",
        source="tzset(3)",
        get=lambda record: strftime("%Z", localtime(record[0])) or "UTC",
    )
    unix_time = integer(
        "Seconds since the epoch.",
        source="clock_gettime(2)",
        unit="seconds since the epoch",
        get=lambda record: record[0],
    )
    timestamp = text(
        "The time as asctime(3) writes it, and UTC.",
        source="asctime(3)",
        get=lambda record: f"{asctime(record[1])} UTC",
    )
    datetime = text("The time as in 2026-01-31T12:00:00Z.", source="ISO 8601", get=_iso)
    iso_8601 = like(datetime)
    win_timestamp = windows(bigint)
    date_time = like(datetime, "The same as datetime, under the name it had before.", hidden=True)

    def records(self, request: Request, host: Host) -> Iterator[Now]:
        # A statement has one now.
        seconds: int = request.snapshot.memo.setdefault("now", int(now()))
        yield seconds, gmtime(seconds)

    def estimate(self, request: Request, host: Host) -> tuple[float, float]:
        return 1.0, 5.0


TABLE = Time()
