"""Cutting time into spans, also on the days when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from services.api.spans import Bucket, TooManySpans, edges

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_hours_hold_all_that_was_asked_for() -> None:
    assert edges(at("2026-03-10T10:20+00:00"), at("2026-03-10T12:05+00:00"), Bucket.HOUR, PARIS) == [
        at("2026-03-10T10:00+00:00"),
        at("2026-03-10T11:00+00:00"),
        at("2026-03-10T12:00+00:00"),
        at("2026-03-10T13:00+00:00"),
    ]


def test_an_end_on_a_border_begins_no_further_span() -> None:
    borders = edges(at("2026-03-10T10:00+00:00"), at("2026-03-10T10:10+00:00"), Bucket.FIVE_MINUTES, PARIS)
    assert borders[-1] == at("2026-03-10T10:10+00:00")
    assert len(borders) == 3


@pytest.mark.parametrize(
    ("first", "hours"), [("2026-03-28", [24, 23, 24]), ("2026-10-24", [24, 25, 24])], ids=["spring", "autumn"]
)
def test_a_day_goes_from_midnight_to_midnight_in_the_brands_zone(first: str, hours: list[int]) -> None:
    begin = datetime.fromisoformat(first).replace(hour=12, tzinfo=PARIS)
    borders = edges(begin, begin + timedelta(days=2), Bucket.DAY, PARIS)
    assert [(later - earlier) / timedelta(hours=1) for earlier, later in pairwise(borders)] == hours
    assert {border.astimezone(PARIS).hour for border in borders} == {0}


def test_days_where_midnight_itself_is_skipped_still_follow_each_other() -> None:
    # In Beirut the clocks go from 24:00 to 1:00 on 28/29 March 2026.
    beirut = ZoneInfo("Asia/Beirut")
    begin = datetime(2026, 3, 27, 12, tzinfo=beirut)
    borders = edges(begin, begin + timedelta(days=4), Bucket.DAY, beirut)
    assert borders == sorted(set(borders))
    assert [border.astimezone(beirut).day for border in borders] == [27, 28, 29, 30, 31, 1]


def test_an_end_before_the_beginning_is_refused() -> None:
    with pytest.raises(ValueError, match="after"):
        edges(at("2026-03-10T10:00+00:00"), at("2026-03-10T10:00+00:00"), Bucket.HOUR, PARIS)


def test_more_spans_than_an_answer_has_are_refused_before_they_are_made() -> None:
    with pytest.raises(TooManySpans, match="longer bucket"):
        edges(at("1970-01-01T00:00+00:00"), at("2026-03-10T10:00+00:00"), Bucket.FIVE_MINUTES, PARIS)


@pytest.mark.parametrize(
    ("text", "begin", "end", "borders"),
    [
        ("15min", "2026-03-10T10:20+00:00", "2026-03-10T10:35+00:00", ["10T10:15", "10T10:30", "10T10:45"]),
        ("6hour", "2026-03-10T07:00+00:00", "2026-03-10T13:00+00:00", ["10T06:00", "10T12:00", "10T18:00"]),
        ("2day", "2026-03-10T07:00+00:00", "2026-03-12T13:00+00:00", ["09T23:00", "11T23:00", "13T23:00"]),
        ("week", "2026-03-10T07:00+00:00", "2026-03-17T13:00+00:00", ["08T23:00", "15T23:00", "22T23:00"]),
        ("month", "2026-03-10T07:00+00:00", "2026-03-17T13:00+00:00", ["02-28T23:00", "03-31T22:00"]),
    ],
)
def test_any_number_of_any_unit_is_a_bucket(text: str, begin: str, end: str, borders: list[str]) -> None:
    bucket = Bucket.parse(text)
    found = edges(at(begin), at(end), bucket, PARIS)
    assert [border.isoformat()[5:16] for border in found] == [
        border if border[2] == "-" else f"03-{border}" for border in borders
    ]
    assert str(bucket) == text


@pytest.mark.parametrize("text", ["", "00hour", "-1day", "1.5hour", "fortnight", "12345day", "day ", "hours"])
def test_what_is_no_bucket_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        Bucket.parse(text)
