"""What a figure has changed against the period before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.api.comparing import difference, relative_change
from services.api.response_answers import PeriodTimesAnswer, TimesAnswer, change_of_times

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_a_change_is_told_against_what_was_before_and_not_where_there_was_nothing() -> None:
    assert relative_change(4, 5) == 0.25
    assert relative_change(3, 1) == -0.6667
    assert relative_change(4, 0) == -1.0
    assert relative_change(0, 5) is relative_change(None, 5) is relative_change(4, None) is None


def test_a_share_changes_by_its_difference() -> None:
    assert difference(0.5, 0.75) == 0.25
    assert difference(0.0, 0.0) == 0.0
    assert difference(None, 0.75) is difference(0.5, None) is None


def test_each_median_of_the_response_times_is_compared() -> None:
    def times(notice: float, acknowledge: float, answer: float, statement: float) -> PeriodTimesAnswer:
        return PeriodTimesAnswer(
            since=NOON,
            until=NOON + timedelta(days=7),
            notice=TimesAnswer.of([notice]),
            acknowledge=TimesAnswer.of([acknowledge]),
            first_answer=TimesAnswer.of([answer]),
            first_statement=TimesAnswer.of([statement]),
        )

    assert change_of_times(times(100, 200, 400, 1000), times(150, 100, 300, 1000)) == {
        "notice": 0.5,
        "acknowledge": -0.5,
        "first_answer": -0.25,
        "first_statement": 0.0,
    }
