"""Where bars stand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.pages.charts import Slot, bar_chart, round_up
from tocsin.contracts.settings.detection import PlannedSettings

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def slots(*counts: tuple[int, int], usual: float | None = None) -> list[Slot]:
    return [Slot(NOON + HOUR * i, NOON + HOUR * (i + 1), all_, harm, usual) for i, (all_, harm) in enumerate(counts)]


def test_heights_are_shares_of_a_round_number() -> None:
    chart = bar_chart(slots((10, 5), (20, 0)), NOON)
    assert chart.top == 20
    assert [bar.height for bar in chart.bars] == [50, 100]
    assert [bar.harmful_height for bar in chart.bars] == [25, 0]
    assert [bar.y for bar in chart.bars] == [50, 0]


def test_what_is_usual_may_be_the_highest() -> None:
    chart = bar_chart(slots((1, 0), usual=37.5), NOON)
    assert chart.top == 40
    assert chart.bars[0].usual_y == 6.25


def test_the_span_of_now_is_unfinished_and_no_other() -> None:
    chart = bar_chart(slots((1, 0), (1, 0), (1, 0)), NOON + HOUR * 1.5)
    assert [bar.unfinished for bar in chart.bars] == [False, True, False]


def test_a_marked_instant_stands_where_it_is_in_time() -> None:
    assert bar_chart(slots((1, 0), (1, 0)), NOON, marked=NOON + HOUR / 2).marker_x == 25


@pytest.mark.parametrize("hours", [-1, 2, 99])
def test_an_instant_outside_the_chart_is_not_marked(hours: int) -> None:
    assert bar_chart(slots((1, 0), (1, 0)), NOON, marked=NOON + HOUR * hours).marker_x is None


def test_a_campaign_is_a_band_as_far_as_it_runs_within_the_chart() -> None:
    planned = [
        PlannedSettings(name="Spring sale", start=NOON - HOUR, end=NOON + HOUR),
        PlannedSettings(name="Late", start=NOON + HOUR * 1.5, end=NOON + HOUR * 9),
        PlannedSettings(name="Over", start=NOON - HOUR * 2, end=NOON),
    ]
    bands = bar_chart(slots((1, 0), (1, 0)), NOON, planned=planned).bands
    assert [(band.name, band.x, band.width) for band in bands] == [("Spring sale", 0, 50), ("Late", 75, 25)]


def test_without_any_mention_there_is_an_axis_and_no_peak() -> None:
    chart = bar_chart(slots((0, 0)), NOON)
    assert (chart.top, chart.peak, chart.bars[0].height) == (4, None, 0)


def test_the_peak_is_the_latest_of_the_highest() -> None:
    peak = bar_chart(slots((3, 0), (3, 0), (1, 0)), NOON).peak
    assert peak is not None
    assert peak.since == NOON + HOUR


def test_no_spans_make_no_chart() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bar_chart([], NOON)


@given(st.floats(min_value=0, max_value=1e9))
def test_the_axis_is_never_lower_than_a_bar_nor_much_higher_and_has_a_whole_half(value: float) -> None:
    top = round_up(value)
    assert value <= top <= max(4, 2.5 * value)
    assert top % 2 == 0


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=60))
def test_every_bar_stays_in_its_box(counts: list[tuple[int, int]]) -> None:
    for bar in bar_chart(slots(*counts), NOON).bars:
        assert 0 <= bar.x < bar.x + bar.width <= 100
        assert 0 <= bar.harmful_height <= bar.height <= 100
        assert bar.y == pytest.approx(100 - bar.height, abs=0.002)
