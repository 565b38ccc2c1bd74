"""What is normal: learned in the brand's own hours, from calm alone, and never with more certainty than there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.alert.detection.baseline import Baseline, learn
from services.alert.detection.observations import HourCount, LanguageCount
from services.alert.detection.state import Interval
from tests.unit.detection.given import HOUR, NOW, RATES, SETTINGS, calm_history


def learned(
    history: list[HourCount], zone: str = "UTC", masked: tuple[Interval, ...] = (), **changes: object
) -> Baseline:
    wanted = {"instant": NOW, "known_since": history[0].hour, "broken_at": None, **changes}
    return learn(history, zone=zone, masked=masked, rates=RATES, settings=SETTINGS, **wanted)


def hour_of(row: HourCount, authors: int, harmful: int) -> HourCount:
    """The same hour with other counts."""
    return HourCount(
        hour=row.hour, authors=authors, harmful=harmful, languages={"und": LanguageCount(authors, harmful)}
    )


def daily(days: int, busy: int, until: datetime, zone_offset: int = 0) -> list[HourCount]:
    """10 harmful authors in the busy hour of each local day, 1 in the others."""
    rows = []
    for index in range(days * 24):
        hour = until - timedelta(hours=days * 24 - index)
        number = 10 if (hour.hour + zone_offset) % 24 == busy else 1
        rows.append(HourCount(hour=hour, authors=number, harmful=number, mentions=number,
                              languages={"und": LanguageCount(number, number)}))  # fmt: skip
    return rows


def test_a_flat_brand_is_expected_to_stay_flat() -> None:
    expected = learned(calm_history(days=28)).expect_harmful(NOW - HOUR, NOW)
    assert expected.mean == pytest.approx(6, rel=0.3)
    assert expected.variance >= expected.mean


def test_the_busy_hour_of_the_day_is_known() -> None:
    baseline = learned(daily(5, busy=9, until=NOW))
    busy = baseline.expect_harmful(NOW.replace(hour=9), NOW.replace(hour=10)).mean
    quiet = baseline.expect_harmful(NOW.replace(hour=3), NOW.replace(hour=4)).mean
    assert busy > 4 * quiet


def test_hours_are_the_brands_own_across_a_change_of_the_clock() -> None:
    summer = datetime(2026, 4, 1, 12, tzinfo=UTC)  # Paris went from UTC+1 to UTC+2 on 29 March
    rows = daily(14, busy=9, until=datetime(2026, 3, 29, 1, tzinfo=UTC), zone_offset=1)
    paris = learned(rows, "Europe/Paris", instant=summer)
    assert paris.expect_harmful(summer.replace(hour=7), summer.replace(hour=8)).mean > 4  # 9 o'clock there
    assert paris.expect_harmful(summer.replace(hour=10), summer.replace(hour=11)).mean < 4


def test_masked_hours_teach_nothing() -> None:
    calm = calm_history(days=14)
    storm = Interval(start=NOW - timedelta(days=6), end=NOW - timedelta(days=5))
    stormy = [
        hour_of(row, row.authors + 500, row.harmful + 500) if storm.start <= row.hour <= storm.end else row
        for row in calm
    ]
    usual = learned(calm, masked=(storm,)).expect_harmful(NOW - HOUR, NOW)
    assert learned(stormy, masked=(storm,)).expect_harmful(NOW - HOUR, NOW) == usual
    assert learned(stormy).expect_harmful(NOW - HOUR, NOW).mean > 2 * usual.mean


def test_the_last_day_does_not_teach_yet() -> None:
    calm = calm_history(days=14)
    stormy = [hour_of(row, 500, 500) if row.hour >= NOW - timedelta(hours=24) else row for row in calm]
    assert learned(stormy).expect_harmful(NOW - HOUR, NOW) == learned(calm).expect_harmful(NOW - HOUR, NOW)


def test_little_history_and_a_break_widen_the_band() -> None:
    def spread(baseline: Baseline) -> float:
        expected = baseline.expect_harmful(NOW - HOUR, NOW)
        return expected.variance / expected.mean

    calm = calm_history(days=28)
    assert spread(learned(calm_history(days=4))) > spread(learned(calm))
    assert spread(learned(calm, broken_at=NOW - timedelta(hours=5))) > 1.5 * spread(learned(calm))


def test_a_brand_that_swings_from_day_to_day_is_given_more_room() -> None:
    steady = calm_history(days=28)
    swinging = [
        hour_of(row, row.authors * times, row.harmful * times)
        for row in steady
        for times in (1 + row.hour.toordinal() % 3,)
    ]
    assert learned(swinging).dispersion(1, 24) > 3 * learned(steady).dispersion(1, 24)
