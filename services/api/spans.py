"""Cutting a stretch of time into hours, days or five minutes, the way people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

MOST_SPANS = 1000


class Bucket(StrEnum):
    """How long each figure's span is."""

    FIVE_MINUTES = "5min"
    HOUR = "hour"
    DAY = "day"
    """From midnight to midnight in the brand's time zone: 23 or 25 hours when the clocks change."""

    @property
    def length(self) -> timedelta:
        """How long a span is on a day without a change of clocks."""
        return {
            Bucket.FIVE_MINUTES: timedelta(minutes=5),
            Bucket.HOUR: timedelta(hours=1),
            Bucket.DAY: timedelta(days=1),
        }[self]


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
    if bucket is Bucket.DAY:
        return at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    minute = 0 if bucket is Bucket.HOUR else at.minute - at.minute % 5
    # Zones with a half hour still share their hours with UTC here: an hour is one of UTC, as in the baseline.
    return at.astimezone(UTC).replace(minute=minute, second=0, microsecond=0)


def _following(border: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    if bucket is not Bucket.DAY:
        return border + bucket.length
    # Calendar arithmetic on the wall clock, so that the next border is midnight whatever the clocks do in between.
    local = border.astimezone(zone).replace(tzinfo=None, fold=0) + timedelta(days=1)
    return local.replace(hour=0, tzinfo=zone).astimezone(UTC)
