"""When a message is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.alert.notify.posting import retry_after
from services.alert.notify.retries import SCHEDULE, URGENT, wait_after

NOW = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)


def waits(*, urgent: bool) -> list[timedelta]:
    found = []
    while (wait := wait_after(len(found) + 1, urgent=urgent, jitter=0.0)) is not None:
        found.append(wait)
    return found


def test_ten_attempts_over_three_days() -> None:
    assert len(waits(urgent=False)) + 1 == 10
    assert timedelta(days=3) < sum(waits(urgent=False), timedelta()) < timedelta(days=4)


def test_what_wakes_people_is_tried_again_within_seconds_at_first() -> None:
    assert tuple(waits(urgent=True)) == URGENT + SCHEDULE
    assert waits(urgent=True)[0] == timedelta(seconds=1)


def test_jitter_only_ever_waits_longer_and_not_by_much() -> None:
    assert wait_after(2, urgent=False, jitter=0.0) == timedelta(minutes=5)
    assert wait_after(2, urgent=False, jitter=1.0) == timedelta(minutes=5.5)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("later", None),
        ("-5", None),
        ("0", timedelta(0)),
        (" 120 ", timedelta(seconds=120)),
        ("Mon, 02 Mar 2026 21:01:30 GMT", timedelta(seconds=90)),
        ("Mon, 02 Mar 2026 20:00:00 GMT", timedelta(0)),
        ("Wed, 02 Mar 2033 20:00:00 GMT", timedelta(days=1)),
        ("9" * 40, timedelta(days=1)),
    ],
)
def test_retry_after_in_seconds_or_as_a_date_a_day_at_most(header: str | None, expected: timedelta | None) -> None:
    assert retry_after(header, NOW) == expected
