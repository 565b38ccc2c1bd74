"""Cutting a stretch of time into minutes, hours, days, weeks or months, the way people read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

MOST_SPANS = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unit(StrEnum):
    """What a bucket is a number of."""

    MINUTE = "min"
    HOUR = "hour"
    DAY = "day"
    """From midnight to midnight in the brand's time zone: 23 or 25 hours when the clocks change."""
    WEEK = "week"
    """From Monday on, in the brand's time zone."""
    MONTH = "month"
    """From the first on, in the brand's time zone."""


_USUALLY = {
    Unit.MINUTE: timedelta(minutes=1),
    Unit.HOUR: timedelta(hours=1),
    Unit.DAY: timedelta(days=1),
    Unit.WEEK: timedelta(weeks=1),
    Unit.MONTH: timedelta(days=30),
}


@dataclass(frozen=True, slots=True)
class Bucket:
    """How long each figure's span is: `5min`, `hour`, `6hour`, `day`, `2week`, `month`.

    Minutes and hours are counted from 1970 in UTC, so those that a day is a multiple of begin anew at midnight UTC.
    """

    PATTERN: ClassVar[str] = r"^([1-9][0-9]{0,3})?(min|hour|day|week|month)$"
    FIVE_MINUTES: ClassVar[Bucket]
    HOUR: ClassVar[Bucket]
    DAY: ClassVar[Bucket]

    unit: Unit
    count: int = 1

    def __str__(self) -> str:
        return f"{'' if self.count == 1 and self.unit is not Unit.MINUTE else self.count}{self.unit}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` writes. Raises ValueError, saying how to write it."""
        if re.fullmatch(cls.PATTERN, text) is None:
            raise ValueError("write a bucket such as 5min, hour, 6hour, day, week or month")
        digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        return cls(Unit(text.removeprefix(digits)), int(digits or 1))

    @property
    def length(self) -> timedelta:
        """How long a span usually is: on a day without a change of clocks, in a month of 30 days."""
        return self.count * _USUALLY[self.unit]


Bucket.FIVE_MINUTES = Bucket(Unit.MINUTE, 5)
Bucket.HOUR = Bucket(Unit.HOUR)
Bucket.DAY = Bucket(Unit.DAY)


class TooManySpans(ValueError):
    """More spans than one answer has; the message says how to mend it."""


def edges(since: datetime, until: datetime, bucket: Bucket, zone: ZoneInfo) -> list[datetime]:
    """The borders (UTC, ascending) of whole spans that together hold `since` to `until`.

    Raises ValueError where `until` is not after `since`, and TooManySpans.
    """
    if until <= since:
        raise ValueError("`until` must be after `since`")
    if (until - since) / bucket.length > MOST_SPANS - 1:
        raise TooManySpans(f"this would be more than {MOST_SPANS} spans; ask for a shorter time or a longer bucket")
    border = start_of_span(since, bucket, zone)
    borders = [border]
    while border < until:
        border = _following(border, bucket, zone)
        borders.append(border)
    return borders


def start_of_span(at: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """The border (UTC) of the span that `at` is in."""
    if bucket.unit in (Unit.MINUTE, Unit.HOUR):
        # Zones with a half hour still share their hours with UTC here: an hour is one of UTC, as in the baseline.
        return at.astimezone(UTC) - (at - _EPOCH) % bucket.length
    day = at.astimezone(zone).date()
    if bucket.unit is Unit.MONTH:
        return _midnight(_month(_months(day) // bucket.count * bucket.count), zone)
    days = bucket.length.days
    # Day 1 of the calendar was a Monday.
    return _midnight(date.fromordinal(max(1, day.toordinal() - (day.toordinal() - 1) % days)), zone)


def _following(border: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    if bucket.unit in (Unit.MINUTE, Unit.HOUR):
        return border + bucket.length
    # Calendar arithmetic on the wall clock, so that the next border is midnight whatever the clocks do in between; two hours
    # later it is the right day even where midnight itself was skipped.
    day = (border.astimezone(zone) + timedelta(hours=2)).date()
    if bucket.unit is Unit.MONTH:
        return _midnight(_month(_months(day) + bucket.count), zone)
    return _midnight(day + timedelta(days=bucket.length.days), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _months(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month(months: int) -> date:
    return date(months // 12, months % 12 + 1, 1)
