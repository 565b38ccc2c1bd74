"""A source that falls silent is an alarm of its own, and coming back is no crisis."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.unit.detection.given import HOUR, NOW, calm_day, calm_history, highest, walk


def test_a_source_that_always_spoke_and_stops_is_told_once() -> None:
    judgements = walk(calm_day(NOW), calm_history(), hours=4)
    told = [item for item in judgements if item.newly_silent]
    assert [item.newly_silent for item in told] == [("made-up",)]
    assert timedelta(hours=1) <= told[0].at - NOW <= timedelta(hours=3)
    assert not highest(judgements).serious


def test_a_source_that_comes_back_is_told_and_its_silence_does_not_teach() -> None:
    back = NOW + 5 * HOUR
    judgements = walk(calm_day(NOW) + calm_day(back + HOUR, 1), calm_history(), hours=6)
    assert [item.back for item in judgements if item.back] == [("made-up",)]
    (silence,) = judgements[-1].state.silences
    assert NOW - HOUR < silence.start < NOW
    assert not highest(judgements).serious


def test_a_source_that_rarely_speaks_may_be_silent() -> None:
    rare = calm_history(rate=0.3)
    assert [item for item in walk(calm_day(NOW, 2), rare, hours=4) if item.newly_silent] == []


def test_a_source_that_stays_silent_for_days_is_told_once() -> None:
    judgements = walk(calm_day(NOW), calm_history(), hours=40)
    assert [item.newly_silent for item in judgements if item.newly_silent] == [("made-up",)]
    assert [item.back for item in judgements if item.back] == []


def test_imported_history_is_no_silence() -> None:
    imported = [replace(item, wakes=False) for item in calm_day(NOW)]
    assert [item.newly_silent for item in walk(imported, calm_history(), hours=1) if item.newly_silent] == []
